"""What `CinacPredictor` predicts as NWB files: session and ROIs with the predictions, without the movie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import ImageSegmentation, PlaneSegmentation

from ..cell_types import read_cell_types
from ..cinac_files.nwb_objects import imaging_plane
from ..errors import ConfigError
from ..networks import device_description
from ..neurodata import CellTypeMeaning
from ..prediction.cell_types import by_type
from ..recording import CinacRecording, Times
from ..results import ActivityResult, CellTypeResult
from ..writing import add_to_nwbfile
from ..writing.output import written_whole
from ..writing.standalone import standalone_file
from ..writing.stored import opened
from .runs import Outcome

UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)

BINARY_THRESHOLD = 0.5
"""At or above it a cell is of a binary classifier's predicted type."""


def write_activity(path: Path, outcome: Outcome) -> None:
    """Write an ActivityPredictions of the cells that were predicted, with what belongs to it."""
    with _file_of(outcome.run.recording) as (nwbfile, table):
        add_to_nwbfile(activity_result(outcome), nwbfile, segmentation=table, folder=path.parent)
        _write(nwbfile, path)


def write_cell_types(path: Path, outcome: Outcome, config_file: str | PathLike[str] | None) -> None:
    """Write a CellTypePredictions of the cells that were predicted.

    Parameters
    ----------
    path : Path
        The file.
    outcome : Outcome
        The predictions.
    config_file : str or path or None
        Names of the types, see `read_cell_types`; without it they are called "type 0" and so on.

    Raises
    ------
    ConfigError
        If the file names another number of types.
    """
    with _file_of(outcome.run.recording) as (nwbfile, table):
        result = cell_type_result(outcome, config_file)
        add_to_nwbfile(result, nwbfile, segmentation=table, folder=path.parent)
        _write(nwbfile, path)


def activity_result(outcome: Outcome) -> ActivityResult:
    """Bring predicted activity into the form in which ndx-cinac writes it."""
    run, recording = outcome.run, outcome.run.recording
    rows, index = _rows(outcome)
    rois, times = recording.require_rois(), recording.times or Times(recording.get_n_frames())
    return ActivityResult(
        probabilities=outcome.predictions[_cells(outcome)].T.astype(np.float32),
        roi_rows=rows,
        roi_ids=rois.ids[rows],
        times=times,
        threshold=0.5,
        classifiers=tuple(assignment.classifier.info for assignment in run.assignments),
        classifier_index=index,
        definition=run.assignments[0].classifier.card.definition,
        skipped=_left_out(outcome, rows),
        parameters=_parameters(outcome),
        device=device_description(),
        source=recording.source,
        notes=tuple(recording.notes),
        seconds=outcome.seconds,
    )


def cell_type_result(outcome: Outcome, config_file: str | PathLike[str] | None) -> CellTypeResult:
    """Bring predicted cell types into the form in which ndx-cinac writes them.

    Raises
    ------
    ConfigError
        As `write_cell_types`.
    """
    run, recording = outcome.run, outcome.run.recording
    rows, index = _rows(outcome)
    found = outcome.predictions[_cells(outcome)]
    outputs = found[:, np.newaxis] if found.ndim == 1 else found
    probabilities, codes = by_type(outputs, threshold=BINARY_THRESHOLD)
    names = [f"type {code}" for code in range(probabilities.shape[1])]
    meanings: Mapping[str, CellTypeMeaning] = {}
    if config_file is not None:
        config = read_cell_types(config_file, using_multi_class=1 if found.ndim == 1 else 2)
        if len(config.names) != len(names):
            what = f"{len(config.names)} cell types are named, but {len(names)} were predicted"
            raise ConfigError(what, where=config.source)
        names, meanings = list(config.ordered), config.meanings
    return CellTypeResult(
        probabilities=probabilities,
        cell_types=tuple(names),
        codes=codes,
        confidence=probabilities[np.arange(len(codes)), codes],
        roi_rows=rows,
        roi_ids=recording.require_rois().ids[rows],
        classifiers=tuple(assignment.classifier.info for assignment in run.assignments),
        classifier_index=index,
        meanings=meanings,
        definition=run.assignments[0].classifier.card.definition,
        skipped=_left_out(outcome, rows),
        parameters=_parameters(outcome),
        device=device_description(),
        source=recording.source,
        notes=tuple(recording.notes),
        seconds=outcome.seconds,
    )


def _left_out(outcome: Outcome, rows: NDArray[np.int64]) -> dict[int, str]:
    """Rows that were not predicted, with the reason."""
    rois = outcome.run.recording.require_rois()
    others = dict.fromkeys(set(range(len(rois))) - set(rows.tolist()), "it was not asked for")
    return dict(sorted({**others, **rois.skipped}.items()))


def _assigned(outcome: Outcome) -> dict[int, tuple[int, int]]:
    """Row -> cell, classifier: of a cell that two classifiers were given, the later one's is kept."""
    return {
        int(row): (int(cell), index)
        for index, assignment in enumerate(outcome.run.assignments)
        for cell, row in zip(assignment.cells, assignment.rows, strict=True)
    }


def _rows(outcome: Outcome) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that were predicted, ascending, and the classifier of each."""
    assigned = sorted(_assigned(outcome).items())
    return (
        np.array([row for row, _ in assigned], dtype=np.int64),
        np.array([index for _, (_, index) in assigned], dtype=np.int64),
    )


def _cells(outcome: Outcome) -> NDArray[np.int64]:
    """Cells that were predicted, in the order of their rows."""
    return np.array([cell for _, (cell, _) in sorted(_assigned(outcome).items())], dtype=np.int64)


def _parameters(outcome: Outcome) -> dict[str, Any]:
    """Say what shaped the numbers, as JSON types."""
    options = outcome.run.options
    return {"recording": outcome.run.recording.identifier, "interface": "CinacPredictor", **options.to_dict()}


@contextmanager
def _file_of(recording: CinacRecording) -> Iterator[tuple[NWBFile, PlaneSegmentation]]:
    """Give a new NWBFile with the recording's session and ROIs; it must be written before the block ends."""
    source = recording.source
    if source is None or source.path is None:
        yield _file_of_arrays(recording)
        return
    with opened(source.path) as (nwbfile, _):
        yield standalone_file(nwbfile, nwbfile.objects[source.segmentation_id])


def _file_of_arrays(recording: CinacRecording) -> tuple[NWBFile, PlaneSegmentation]:
    """Make an NWBFile of a recording that came from no NWB file; x is the column, y the row."""
    rois, times = recording.require_rois(), recording.times or Times(recording.get_n_frames())
    nwbfile = NWBFile(
        session_description=f"Predictions for '{recording.identifier}', whose movie lies elsewhere",
        identifier=str(uuid4()),
        session_start_time=UNKNOWN_START,
        session_id=recording.identifier,
        notes="When the movie was taken is not known: the session starts in 1970.",
    )
    plane = imaging_plane(nwbfile, "ImagingPlane", "The field of view", times.frame_rate)
    table = PlaneSegmentation(
        name="PlaneSegmentation", description="The ROIs that were given.", imaging_plane=plane
    )
    for row in range(len(rois)):
        pixels = zip(rois.pixels(row).tolist(), rois.pixel_weights(row).tolist(), strict=True)
        table.add_row(pixel_mask=[(x, y, weight) for (y, x), weight in pixels], id=int(rois.ids[row]))
    module = nwbfile.create_processing_module("ophys", "the regions of interest that were predicted")
    module.add(ImageSegmentation(name="ImageSegmentation", plane_segmentations=[table]))
    return nwbfile, table


def _write(nwbfile: NWBFile, path: Path) -> None:
    with written_whole(path) as partial, NWBHDF5IO(partial, "w") as io:
        io.write(nwbfile)
