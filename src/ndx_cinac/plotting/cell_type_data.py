"""What the figures of cell types show: types, ROIs, activity of the same ROIs, and their traces."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile

from ..errors import AmbiguousSourceError, ReadingError
from ..evaluation.recordings import mask_order
from ..progress import Progress, silent
from ..reading.file_contents import survey
from ..reading.opening import open_nwbfile
from ..reading.recordings import stored_traces
from ..results import ActivityResult, CellTypeResult
from ..writing import read_predictions
from ..writing.cell_types import read_cell_type_predictions
from ..writing.output import DEFAULT_CELL_TYPES_NAME, DEFAULT_NAME, MODULE
from .data import Field, read_field, relative_change
from .style import NOISE_COLOUR, OTHERS_COLOUR, TYPE_COLOURS

UNCERTAIN_BELOW = 0.7
"""Cells whose confidence is lower are drawn as uncertain."""

NOT_FLUORESCENCE = ("deconv", "spike", "neuropil", "background", "true", f"processing/{MODULE}/")
"""Words in the path of stored series that are not what was measured of the ROIs; simulations store truth."""

RELATIVE = ("dfoverf", "df_over_f", "dff", "df/f")
"""Words in the path of stored series that are changes of fluorescence already."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TypeGroup:
    """The cells of one predicted type.

    Attributes
    ----------
    name : str
        The type; "other types" for those beyond the colours.
    colour : str
        Its colour in every figure.
    members : ndarray of int
        Which entries of the predictions are of this type.
    """

    name: str
    colour: str
    members: NDArray[np.int64]


@dataclass(frozen=True)
class CellTypeFigureData:
    """Everything that the figures of cell types show.

    Attributes
    ----------
    types : CellTypeResult
        The predicted types.
    field : Field
        ROIs, and the mean image where the movie is at hand.
    activity : ActivityResult or None
        Predicted activity of the same ROI table, where the file holds some.
    traces : ndarray of float, shape (n_frames, n_typed), or None
        A column for each entry of `types`; NaN where an ROI has none. None without movie and stored traces.
    trace_label : str
        What the traces are, with their unit.
    uncertain_below : float
        Cells whose confidence is lower are drawn as uncertain.
    """

    types: CellTypeResult
    field: Field
    activity: ActivityResult | None = None
    traces: NDArray[np.float64] | None = None
    trace_label: str = "ΔF/F"
    uncertain_below: float = UNCERTAIN_BELOW

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        """Whether each cell's type is uncertain, shape (n_typed,)."""
        return np.asarray(self.types.confidence < self.uncertain_below)

    @property
    def groups(self) -> tuple[TypeGroup, ...]:
        """The cells of each type, in the order of the types; "noise" is light grey.

        Beyond as many types as there are colours that everybody can tell apart, the rarest are one group.
        """
        codes, names = self.types.codes, self.types.cell_types
        counts = np.bincount(codes, minlength=len(names))
        plain = [code for code, name in enumerate(names) if name.lower() != "noise"]
        frequent = sorted(sorted(plain, key=lambda code: -counts[code])[: len(TYPE_COLOURS)])
        colours = dict(zip(frequent, TYPE_COLOURS, strict=False))
        colours |= {code: NOISE_COLOUR for code, name in enumerate(names) if name.lower() == "noise"}
        found = [TypeGroup(names[c], colours[c], np.flatnonzero(codes == c)) for c in sorted(colours)]
        if others := sorted(set(range(len(names))) - set(colours)):
            found.append(TypeGroup("other types", OTHERS_COLOUR, np.flatnonzero(np.isin(codes, others))))
        return tuple(found)


def read_cell_type_data(
    path: str | Path,
    name: str | None = None,
    activity: str = DEFAULT_NAME,
    *,
    uncertain_below: float = UNCERTAIN_BELOW,
    progress: Progress = silent,
) -> CellTypeFigureData:
    """Read what the figures show from a file with predicted cell types.

    Parameters
    ----------
    path : str or Path
        The file.
    name : str, optional
        Name of the cell-type predictions; the usual name, or the only one, by default.
    activity : str
        Name of activity predictions, which are used where the file holds them for the same ROIs.
    uncertain_below : float
        Cells whose confidence is lower are drawn as uncertain.
    progress : Progress
        Told of the movie's frames as they are read.

    Raises
    ------
    ReadingError
        If the file holds no such predictions.
    AmbiguousSourceError
        If it holds several and none is chosen.
    """
    opened = open_nwbfile(path)
    try:
        nwbfile = opened.nwbfile
        chosen = choose_name(prediction_names(nwbfile, "CellTypePredictions"), name, str(path))
        types = read_cell_type_predictions(nwbfile, chosen)
        table = nwbfile.processing[MODULE][chosen]["roi"].table
        active = _activity_of(nwbfile, activity, table)
        traces, label = None, ""
        if active is not None:
            traces, label = _stored(nwbfile, table, types.roi_rows, active.n_frames)
        rows = types.roi_rows.tolist() if active is not None and traces is None else []
        told = types if active is None or "axes" in types.parameters else active
        order = mask_order(told.parameters)
        field = read_field(nwbfile, table, _movie_id(nwbfile, activity, types), order, rows, progress)
        if field.traces is not None:
            traces, label = relative_change(field.traces), "ΔF/F"
        if traces is None or active is None or len(traces) != active.n_frames:
            traces = None
        return CellTypeFigureData(types, field, active, traces, label, uncertain_below)
    finally:
        if opened.close is not None:
            opened.close()


def prediction_names(nwbfile: NWBFile, kind: str) -> list[str]:
    """Names of the predictions of one type in a file."""
    module = nwbfile.processing.get(MODULE)
    found = {} if module is None else module.data_interfaces
    return [name for name, each in found.items() if type(each).__name__ == kind]


def choose_name(present: Sequence[str], asked: str | None, where: str) -> str:
    """Return the cell-type predictions asked for, those of the usual name, or the only ones.

    Raises
    ------
    ReadingError
        If they are not there.
    AmbiguousSourceError
        If there are several and none is chosen.
    """
    wanted = DEFAULT_CELL_TYPES_NAME if asked is None else asked
    if wanted in present:
        return wanted
    listed = ", ".join(present)
    if asked is not None or not present:
        what = f"The file holds no cell-type predictions named '{wanted}'"
        raise ReadingError(what, where=where, fix=f"It holds: {listed}" if present else None)
    if len(present) > 1:
        what = f"The file holds several cell-type predictions: {listed}"
        raise AmbiguousSourceError(what, where=where, fix="Choose one by its name (--cell-types)")
    return present[0]


def _activity_of(nwbfile: NWBFile, name: str, table: Any) -> ActivityResult | None:
    """Return activity predictions of the same ROI table, if there are any."""
    if name not in prediction_names(nwbfile, "ActivityPredictions"):
        return None
    same = nwbfile.processing[MODULE][name].rois.table is table
    return read_predictions(nwbfile, name) if same else None


def _movie_id(nwbfile: NWBFile, activity: str, types: CellTypeResult) -> str | None:
    """Object id of the movie that was predicted, where the file holds it."""
    series = nwbfile.processing[MODULE].data_interfaces.get(activity)
    linked = getattr(series, "movie", None)
    if linked is not None:
        return str(linked.object_id)
    movie_id = "" if types.source is None else types.source.movie_id
    return movie_id if movie_id in nwbfile.objects else None


def _stored(
    nwbfile: NWBFile, table: Any, rows: NDArray[np.int64], n_frames: int
) -> tuple[NDArray[np.float64] | None, str]:
    """Traces that the file holds of some rows, as changes of fluorescence, and what they are."""
    for series in stored_traces(survey(nwbfile), table):
        path = series.path.lower()
        columns = {int(row): column for column, row in enumerate(series.rows)}
        if any(word in path for word in NOT_FLUORESCENCE) or not set(rows.tolist()) & set(columns):
            continue
        known = np.array([row in columns for row in rows.tolist()])
        values = series.read(np.array([columns[row] for row in rows[known].tolist()]), n_frames)
        if values is None:
            continue
        traces = np.full((n_frames, len(rows)), np.nan)
        traces[: len(values), known] = values
        logger.info("Traces are those of %s.", series.path)
        return _as_change(traces, relative=any(word in path for word in RELATIVE))
    return None, ""


def _as_change(traces: NDArray[np.float64], *, relative: bool) -> tuple[NDArray[np.float64], str]:
    """Traces as ΔF/F, or in standard deviations where their baseline is no brightness (it lies below 0)."""
    if relative:
        return traces, "ΔF/F"
    known = np.isfinite(traces).any(axis=0)
    baseline = np.nanpercentile(traces[:, known], 20, axis=0)
    if (baseline > 0).all():
        change = traces.copy()
        change[:, known] = relative_change(traces[:, known])
        return change, "ΔF/F"
    spread = np.nanstd(traces[:, known], axis=0)
    change = traces.copy()
    change[:, known] = (traces[:, known] - baseline) / np.where(spread > 0, spread, 1)
    return change, "fluorescence (standard deviations)"
