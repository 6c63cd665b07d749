"""Evaluate predicted cell types: from files to figures; the latest judgement of each ROI counts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile

from ..errors import AmbiguousSourceError, ConfigError, ReadingError
from ..extras import require
from .cell_types import CellTypeEvaluation
from .recordings import opened_file, same_rois
from .truth import annotation_tables

KIND = "CellTypePredictions"


@dataclass(frozen=True)
class CellTypeEvaluationOptions:
    """How cell types are evaluated.

    Attributes
    ----------
    annotations : str, Path or None
        Another NWB file with the CellTypeAnnotations of the same ROIs; each file's own by default.
    name : str or None
        Name of the predictions in the files; None: "CellTypePredictions", or the only ones there are.
    """

    annotations: str | Path | None = None
    name: str | None = None


@dataclass(frozen=True)
class _Judged:
    """Predicted cells of one file whose type is known; codes are places in `names`."""

    names: tuple[str, ...]
    cells: tuple[str, ...]
    true: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    left_out: tuple[str, ...]
    superseded: int


def evaluate_cell_types(
    sources: str | Path | Iterable[str | Path], options: CellTypeEvaluationOptions | None = None
) -> CellTypeEvaluation:
    """Compare predicted cell types with annotated ones.

    Annotated names may be those of the predicted types or their synonyms, in capitals or not. Where an ROI
    was judged several times, the latest row counts; several tables follow one another by name, corrections by
    hand (in the predictions' module) last.

    Parameters
    ----------
    sources : str, Path, or several of them
        NWB files with CellTypePredictions.
    options : CellTypeEvaluationOptions, optional
        How.

    Returns
    -------
    CellTypeEvaluation
        Predictions beside annotations, and all figures.

    Raises
    ------
    ReadingError
        If a file holds no such predictions or no annotations, or they are of different ROIs.
    AmbiguousSourceError
        If a file holds several predictions and none is chosen.
    ConfigError
        If there is nothing to evaluate, or files have different cell types.
    MissingExtraError
        If scikit-learn is not installed.
    """
    require("sklearn.metrics", extra="train", feature="An evaluation of cell types")
    paths = [sources] if isinstance(sources, (str, Path)) else list(sources)
    if not paths:
        what = "There is nothing to evaluate"
        raise ConfigError(what, fix="Give at least one file with predictions")
    found = [_judged(path, options or CellTypeEvaluationOptions()) for path in paths]
    names = found[0].names
    for path, each in zip(paths, found, strict=True):
        if each.names != names:
            what = f"Its cell types are {', '.join(each.names)}, those of {paths[0]} {', '.join(names)}"
            raise ConfigError(what, where=str(path), fix="Evaluate files with different types one by one")
    superseded = sum(each.superseded for each in found)
    rows = "row of annotations was" if superseded == 1 else "rows of annotations were"
    return CellTypeEvaluation(
        names=names,
        segments=tuple(cell for each in found for cell in each.cells),
        true=np.concatenate([each.true for each in found]),
        probabilities=np.concatenate([each.probabilities for each in found]),
        left_out=tuple(reason for each in found for reason in each.left_out),
        labels=np.concatenate([each.labels for each in found]),
        notes=(f"{superseded} {rows} superseded by later ones, which count",) if superseded else (),
    )


def _judged(path: str | Path, options: CellTypeEvaluationOptions) -> _Judged:
    """Read the predictions and annotations of one file."""
    with ExitStack() as stack:
        nwbfile, place = opened_file(stack, path)
        other, other_place = (
            (nwbfile, place) if options.annotations is None else opened_file(stack, options.annotations)
        )
        table = _predictions(nwbfile, options.name, place)
        target = same_rois(other, table["roi"].table, other_place, ("CellTypeAnnotations",))
        annotated, superseded = _latest(other, target.object_id)
        return _beside(place, table, annotated, superseded)


def _predictions(nwbfile: NWBFile, name: str | None, path: Path) -> Any:
    """Return the predictions of that name, or the only ones."""
    found = {
        each.name: each for each in nwbfile.objects.values() if getattr(each, "neurodata_type", "") == KIND
    }
    wanted = name if name is not None else KIND if KIND in found or len(found) != 1 else next(iter(found))
    if wanted in found:
        return found[wanted]
    if name is None and found:
        what = f"The file holds several cell-type predictions: {', '.join(sorted(found))}"
        raise AmbiguousSourceError(what, where=str(path), fix="Choose one of them (--name)")
    what = f"The file holds no cell-type predictions named '{wanted}'"
    fix = (
        f"Choose one of: {', '.join(sorted(found))} (--name)"
        if found
        else "Make some with: ndx-cinac predict FILE --task cell-type"
    )
    raise ReadingError(what, where=str(path), fix=fix)


def _latest(nwbfile: NWBFile, segmentation_id: str) -> tuple[dict[int, str], int]:
    """Latest judgement of each ROI row, and how many rows came before one."""
    latest: dict[int, str] = {}
    n_rows = 0
    for table in annotation_tables(nwbfile, "CellTypeAnnotations", segmentation_id):
        for row, name in zip(table["roi"].data[:], table["cell_type"].data[:], strict=True):
            latest[int(row)] = str(name)
            n_rows += 1
    return latest, n_rows - len(latest)


def _beside(path: Path, table: Any, annotated: dict[int, str], superseded: int) -> _Judged:
    """Put predictions beside what was annotated."""
    names = tuple(str(name) for name in table.cell_types)
    codes = _codes(table, names)
    stem = path.name.removesuffix(".zarr").removesuffix(".nwb")
    rows = np.asarray(table["roi"].data[:], np.int64).tolist()
    known, left_out = [], []
    for place, row in enumerate(rows):
        if row not in annotated:
            continue
        code = codes.get(annotated[row].strip().lower())
        if code is None:
            left_out.append(f"{stem}, row {row}: '{annotated[row]}' is none of the predicted types")
        else:
            known.append((place, code))
    if not known and not left_out:
        what = f"None of the {len(rows)} predicted ROIs has an annotated cell type"
        raise ReadingError(what, where=str(path), fix="Annotate some of the ROIs that are predicted")
    n_others = len(set(annotated) - set(rows))
    if n_others:
        left_out.append(f"{stem}: {n_others} annotated ROI{'s' if n_others > 1 else ''} without prediction")
    places = [place for place, _ in known]
    predicted = [str(name) for name in table["cell_type"].data[:]]
    unknown = sorted(set(predicted) - set(names))
    if unknown:
        what = f"'{table.name}' predicts '{unknown[0]}', which is none of its types: {', '.join(names)}"
        raise ReadingError(what, where=str(path), fix="Predict the file again")
    probability = np.asarray(table["probability"].data[:], np.float64).reshape(len(rows), -1)
    return _Judged(
        names=names,
        cells=tuple(f"{stem}, row {rows[place]}" for place in places),
        true=np.array([code for _, code in known], np.int64),
        labels=np.array([names.index(predicted[place]) for place in places], np.int64),
        probabilities=probability[places],
        left_out=tuple(left_out),
        superseded=superseded,
    )


def _codes(table: Any, names: tuple[str, ...]) -> dict[str, int]:
    """Code of each type by its name and synonyms, in small letters; a name comes before a synonym."""
    codes: dict[str, int] = {}
    for meanings in (table.meanings_tables or {}).values():
        if "synonyms" not in meanings.colnames:
            continue
        for name, synonyms in zip(meanings["value"].data[:], meanings["synonyms"].data[:], strict=True):
            if str(name) in names:
                known = (word.strip().lower() for word in str(synonyms).split(";"))
                codes.update(dict.fromkeys(filter(None, known), names.index(str(name))))
    return codes | {name.lower(): code for code, name in enumerate(names)}
