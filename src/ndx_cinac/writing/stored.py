"""Predictions that lie in an NWB file: which there are, what they hold, and how they are taken out again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile

from ..errors import ReadingError
from ..extras import require
from ..reading.opening import check_path
from ..recording import Source, Times
from ..results import ActivityResult, ClassifierInfo
from .output import DEFAULT_NAME, DEFAULT_NAMES, MODULE, Task, object_names

PLACE = f"processing/{MODULE}"


def stored_names(path: Path) -> list[str]:
    """Names of all objects in the module `cinac` of an HDF5 file or a Zarr folder, without reading them."""
    if path.is_dir():
        folder = path / PLACE
        return sorted(child.name for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
    with h5py.File(path, "r") as file:
        return sorted(file[PLACE]) if PLACE in file else []


def remove_stored(path: Path, names: tuple[str, ...]) -> None:
    """Take objects out of the module `cinac` of a file that is not open; unknown names are passed over."""
    if path.is_dir():
        for name in names:
            shutil.rmtree(path / PLACE / name, ignore_errors=True)
        consolidate(path)
        return
    with h5py.File(path, "r+") as file:
        for name in names:
            if f"{PLACE}/{name}" in file:
                del file[PLACE][name]


def consolidate(path: Path) -> None:
    """Renew the summary of a Zarr folder's metadata, where it has one, after its parts were changed."""
    if (path / ".zmetadata").exists():
        zarr = require("zarr", extra="zarr", feature="Changing a Zarr file")
        zarr.consolidate_metadata(str(path))


@contextmanager
def opened(path: Path, mode: str = "r") -> Iterator[tuple[NWBFile, Any]]:
    """Open an NWB file, HDF5 or Zarr, and give the NWBFile and its io."""
    if path.is_dir():
        io = require("hdmf_zarr", extra="zarr", feature="A Zarr file").NWBZarrIO(str(path), mode)
    else:
        io = NWBHDF5IO(str(path), mode)
    with io:
        yield io.read(), io


def read_predictions(source: str | Path | NWBFile, name: str = DEFAULT_NAME) -> ActivityResult:
    """Read activity predictions back as the result that they were written from.

    Parameters
    ----------
    source : str, Path or NWBFile
        The file, or an open NWBFile.
    name : str
        Name of the predictions.

    Returns
    -------
    ActivityResult
        All values in memory; `output` is the file. What the file does not hold is left at its default.

    Raises
    ------
    ReadingError
        If there are no predictions of that name; the message lists those that there are.
    """
    if isinstance(source, NWBFile):
        return _read(source, name, Path(source.container_source) if source.container_source else None)
    path = check_path(source)
    with opened(path) as (nwbfile, _):
        return _read(nwbfile, name, path)


def _read(nwbfile: NWBFile, name: str, path: Path | None) -> ActivityResult:
    """Read predictions from an open file."""
    predictions = stored_object(nwbfile, name, "activity", path)
    columns = predictions.rois
    rows = np.asarray(columns.data[:], dtype=np.int64)
    provenance = nwbfile.processing[MODULE].data_interfaces.get(object_names(name)[2])
    parameters, extra = kept_parameters(provenance)
    classifiers, index = classifiers_of(predictions.classifier)
    return ActivityResult(
        probabilities=np.asarray(predictions.data[:], dtype=np.float32),
        roi_rows=rows,
        roi_ids=np.asarray(columns.table.id[:], dtype=np.int64)[rows],
        times=_times(predictions),
        threshold=float(predictions.threshold),
        classifiers=classifiers,
        classifier_index=index,
        definition=str(predictions.definition),
        skipped={int(row): why for row, why in extra.get("skipped", {}).items()},
        parameters=parameters,
        device="" if provenance is None else str(provenance.device),
        source=source_of(provenance, path),
        notes=tuple(extra.get("notes", ())),
        output=path,
        seconds=float("nan") if extra.get("seconds") is None else float(extra["seconds"]),
    )


def stored_object(nwbfile: NWBFile, name: str, task: Task, path: Path | None) -> Any:
    """Return the predictions of that name and task.

    Raises
    ------
    ReadingError
        If there are none; the message lists those that there are.
    """
    module = nwbfile.processing.get(MODULE)
    found = module.data_interfaces if module is not None else {}
    named = [key for key, value in found.items() if type(value).__name__ == DEFAULT_NAMES[task]]
    if name in named:
        return found[name]
    words = task.replace("_", " ")
    what = f"The file holds no {words} predictions named '{name}'"
    more = "" if task == "activity" else " --task cell-type"
    fix = (
        f"Choose one of: {', '.join(named)} (--name)"
        if named
        else f"Make some with: ndx-cinac predict FILE{more}"
    )
    raise ReadingError(what, where=None if path is None else str(path), fix=fix)


def classifiers_of(column: Any) -> tuple[tuple[ClassifierInfo, ...], NDArray[np.int64]]:
    """Return the classifiers that a column points to, and which of them each entry means."""
    used, index = np.unique(np.asarray(column.data[:], dtype=np.int64), return_inverse=True)
    infos = tuple(classifier_row(column.table, int(row)) for row in used)
    return infos, index.astype(np.int64).ravel()


def classifier_row(table: Any, row: int) -> ClassifierInfo:
    """Return one row of a ClassifierTable."""
    renamed = {"name": "classifier_name", "description": "classifier_description"}
    columns = {field.name: renamed.get(field.name, field.name) for field in fields(ClassifierInfo)}
    return ClassifierInfo(**{name: str(table[column].data[row]) for name, column in columns.items()})


def _times(series: Any) -> Times:
    """Return the times of a series."""
    n_frames = int(series.data.shape[0])
    if series.timestamps is not None:
        return Times(n_frames, timestamps=np.asarray(series.timestamps[:], dtype=np.float64))
    return Times(n_frames, rate=float(series.rate), starting_time=float(series.starting_time or 0.0))


def kept_parameters(provenance: Any | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what shaped the numbers, and what else the provenance keeps of the result."""
    if provenance is None:
        return {}, {}
    kept: dict[str, Any] = json.loads(provenance.parameters)
    return kept, kept.pop("result", {})


def source_of(provenance: Any | None, path: Path | None) -> Source | None:
    """Return where predictions came from."""
    if provenance is None:
        return None
    named = getattr(provenance, "source_path", None)
    folder = Path() if path is None else path.parent
    return Source(
        path=(folder / named) if named else None,
        file_identifier=str(provenance.source_file_identifier),
        movie_path=str(provenance.source_movie_path),
        movie_id=str(provenance.source_movie_id),
        segmentation_path=str(provenance.source_segmentation_path),
        segmentation_id=str(provenance.source_segmentation_id),
        dandi_asset=getattr(provenance, "dandi_asset", None),
        digest=getattr(provenance, "source_digest", None),
    )
