"""Cell types as people see them: judgements and corrections, beside predictions and never instead of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pynwb import NWBFile
from pynwb.ophys import PlaneSegmentation

from ..errors import AmbiguousSourceError, ConfigError, OutputError, ReadingError
from ..neurodata import CellTypeAnnotations, CellTypePredictions
from ..reading.file_contents import survey
from .output import MODULE

ANNOTATIONS = "CellTypeAnnotations"

logger = logging.getLogger(__name__)


def annotate_cell_types(
    nwbfile: NWBFile,
    cell_types: Mapping[int, str],
    annotator: str,
    *,
    by: Literal["row", "id"] = "row",
    segmentation: PlaneSegmentation | None = None,
    name: str = ANNOTATIONS,
) -> CellTypeAnnotations:
    """Say what some cells are, for example where a prediction is wrong.

    The judgements go into a `CellTypeAnnotations` in the module `cinac`; if it is there, they are added to
    its rows, and of several judgements of one ROI the last one counts. Predictions stay as they are. The
    file is in memory or open for appending; write it afterwards.

    Parameters
    ----------
    nwbfile : NWBFile
        The file.
    cell_types : mapping of int to str
        Cell type of each ROI that was judged.
    annotator : str
        Who says so: initials or a pseudonym.
    by : {"row", "id"}
        Whether the ROIs are given by their rows in the ROI table, from 0, or by their ids.
    segmentation : PlaneSegmentation, optional
        The ROI table; by default the one whose cell types were predicted, or the only one of the file.
    name : str
        Name of the annotations in the file.

    Returns
    -------
    CellTypeAnnotations
        All judgements of that name.

    Raises
    ------
    ConfigError
        If nothing is judged, an ROI is not in the table, or a type or the annotator is empty.
    AmbiguousSourceError
        If several ROI tables could be meant.
    ReadingError
        If the file holds no ROI table.
    OutputError
        If the name belongs to something else.

    Examples
    --------
    >>> with NWBHDF5IO("session_cinac.nwb", "a") as io:  # doctest: +SKIP
    ...     nwbfile = io.read()
    ...     annotate_cell_types(nwbfile, {3: "interneuron"}, annotator="JD")
    ...     io.write(nwbfile)
    """
    table = segmentation if segmentation is not None else _roi_table(nwbfile)
    rows = _rows(table, cell_types, by)
    types = [str(each).strip() for each in cell_types.values()]
    if not types or not all(types) or not annotator.strip():
        what = "A judgement needs an ROI, its cell type and the annotator's name"
        raise ConfigError(what, fix="Give a mapping such as {3: 'interneuron'}, and annotator='JD'")
    known = _known_types(nwbfile, table)
    words = {word.strip().casefold() for name in known for word in (name, *known[name])}
    for each in sorted(each for each in set(types) if known and each.casefold() not in words):
        logger.warning("'%s' is none of the predicted cell types: %s", each, ", ".join(sorted(known)))
    module = nwbfile.processing.get(MODULE)
    present = None if module is None else module.data_interfaces.get(name)
    if present is None:
        if module is None:
            module = nwbfile.create_processing_module(
                MODULE, "Activity and cell types of regions of interest"
            )
        columns = {"roi": rows, "cell_type": types, "annotator": [annotator.strip()] * len(rows)}
        made = CellTypeAnnotations.from_arrays(rois=table, columns=columns, name=name)  # type: ignore[arg-type]
        module.add(made)
        return made
    if not isinstance(present, CellTypeAnnotations) or present["roi"].table is not table:
        what = f"'{name}' in module '{MODULE}' holds no cell types of the ROI table '{table.name}'"
        raise OutputError(what, fix="Choose another name for the annotations")
    for row, each in zip(rows, types, strict=True):
        present.add_row(roi=row, cell_type=each, annotator=annotator.strip())
    return present


def _predicted(nwbfile: NWBFile) -> list[CellTypePredictions]:
    """Return the cell-type predictions of a file."""
    return [each for each in nwbfile.objects.values() if isinstance(each, CellTypePredictions)]


def _roi_table(nwbfile: NWBFile) -> Any:
    """Return the ROI table whose cell types were predicted, or the only one."""
    tables = {id(each["roi"].table): each["roi"].table for each in _predicted(nwbfile)}
    if not tables:
        tables = {id(each): each for _, each in survey(nwbfile).segmentations}
    if not tables:
        what = "The file holds no ROI table (PlaneSegmentation)"
        raise ReadingError(what)
    if len(tables) > 1:
        what = f"Several ROI tables could be meant: {', '.join(each.name for each in tables.values())}"
        raise AmbiguousSourceError(what, fix="Give the one that is meant as segmentation")
    return next(iter(tables.values()))


def _rows(table: Any, cell_types: Mapping[int, str], by: str) -> list[int]:
    """Return the rows of the ROIs that are judged."""
    if by not in ("row", "id"):
        what = f"ROIs cannot be given by '{by}'"
        raise ConfigError(what, fix="Choose one of: row, id")
    ids = np.asarray(table.id[:], np.int64).tolist()
    places = {roi: row for row, roi in enumerate(ids if by == "id" else range(len(ids)))}
    absent = [roi for roi in cell_types if roi not in places]
    if absent:
        what = f"The ROI table '{table.name}' has no ROI with {by} {', '.join(map(str, absent[:5]))}"
        raise ConfigError(what, fix=f"It has {len(ids)} ROIs; their rows count from 0")
    return [places[roi] for roi in cell_types]


def _known_types(nwbfile: NWBFile, table: Any) -> dict[str, list[str]]:
    """Return the cell types among which the predictions of a table chose, with other names of each."""
    found: dict[str, list[str]] = {}
    for each in _predicted(nwbfile):
        if each["roi"].table is table:
            found |= {str(name): [] for name in each.cell_types if name not in found}
            for meanings in (each.meanings_tables or {}).values():
                columns = ("value", "synonyms") if "synonyms" in meanings.colnames else ()
                for name, others in zip(*(meanings[column].data[:] for column in columns), strict=True):
                    found.setdefault(str(name), []).extend(str(others).split(";"))
    return found
