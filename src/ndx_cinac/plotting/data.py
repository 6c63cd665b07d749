"""What the figures of a file with predictions show: outlines, mean image, traces, annotations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile

from ..errors import ConfigError, ReadingError
from ..evaluation import ActivityTruth, truth_from_nwb
from ..evaluation.recordings import mask_order
from ..movies import Movie
from ..progress import Progress, silent
from ..reading import read_recording
from ..reading.axes import lay_on_movie, ordered
from ..reading.masks import read_masks
from ..reading.opening import open_nwbfile
from ..recording import MaskOrder
from ..results import ActivityResult
from ..rois import Rois
from ..writing import read_predictions
from ..writing.output import DEFAULT_NAME, MODULE

SAMPLED_FRAMES = 200
"""Frames, spread over the movie, that the projection is made of."""

READ_BYTES = 2**26
"""About as much of the movie is read at once (64 MiB)."""

DEFAULT_TRACES = 5
"""As many ROIs, those with the most transients, have their traces drawn when none are asked for."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FigureData:
    """Everything that the figures of one file show.

    Attributes
    ----------
    result : ActivityResult
        The predictions.
    rois : Rois
        All ROIs of the table, on the movie's axes.
    rows : tuple of int
        Rows of the ROIs whose traces are drawn.
    image : ndarray of float, shape (first, second), or None
        Mean of sampled frames; None where the movie is not at hand.
    traces : ndarray of float, shape (n_frames, len(rows)), or None
        Change of fluorescence relative to its 20th percentile; None without a movie.
    truth : ActivityTruth or None
        Annotated activity, where the file holds some: a column per row of the table.
    pixel_size : float or None
        Micrometres per pixel.
    """

    result: ActivityResult
    rois: Rois
    rows: tuple[int, ...]
    image: NDArray[Any] | None = None
    traces: NDArray[Any] | None = None
    truth: ActivityTruth | None = None
    pixel_size: float | None = None


def read_figure_data(
    path: str | Path, rows: Sequence[int] | None = None, name: str = DEFAULT_NAME, progress: Progress = silent
) -> FigureData:
    """Read what the figures show from a file with predictions.

    Parameters
    ----------
    path : str or Path
        The file.
    rows : sequence of int, optional
        ROIs whose traces are drawn; those with the most transients by default.
    name : str
        Name of the predictions.
    progress : Progress
        Told of the movie's frames as they are read.

    Raises
    ------
    ReadingError
        If the file holds no such predictions.
    ConfigError
        If a row was not predicted.
    """
    opened = open_nwbfile(path)
    try:
        nwbfile = opened.nwbfile
        result = read_predictions(nwbfile, name)
        chosen = choose_rows(result, rows)
        predictions = nwbfile.processing[MODULE][name]
        table, linked = predictions.rois.table, getattr(predictions, "movie", None)
        movie = None if linked is None else linked.object_id
        field = read_field(nwbfile, table, movie, mask_order(result.parameters), chosen, progress)
        traces = None if field.traces is None else relative_change(field.traces)
        truth = annotated_activity(nwbfile, result, table.object_id)
        return FigureData(result, field.rois, chosen, field.image, traces, truth, field.pixel_size)
    finally:
        if opened.close is not None:
            opened.close()


@dataclass(frozen=True)
class Field:
    """The field of view: the ROIs, and what the movie shows where it is at hand.

    Attributes
    ----------
    rois : Rois
        All ROIs of the table, on the movie's axes.
    image : ndarray of float, shape (first, second), or None
        Mean of sampled frames.
    traces : ndarray of float, shape (n_frames, n), or None
        Mean of the pixels of the ROIs asked for.
    pixel_size : float or None
        Micrometres per pixel.
    """

    rois: Rois
    image: NDArray[Any] | None = None
    traces: NDArray[np.float64] | None = None
    pixel_size: float | None = None


def read_field(
    nwbfile: NWBFile,
    table: Any,
    movie_id: str | None,
    order: MaskOrder,
    rows: Sequence[int] = (),
    progress: Progress = silent,
) -> Field:
    """Read the ROIs of a table and, where there is a movie, its mean image and the traces of some rows."""
    pixels = read_masks(table)
    image, traces, shape, size = None, None, None, None
    try:
        with read_recording(nwbfile, movie_id, table.object_id, order) as recording:
            movie, rois = recording.require_movie(), recording.require_rois()
            shape, size = rois.shape, recording.pixel_size
            image = mean_image(movie)
            traces = mean_traces(movie, rois, rows, progress) if len(rows) else None
    except ReadingError as error:
        logger.info("Figures are drawn without the movie: %s", error)
    if shape is None:
        first, second = ordered(pixels, order)
        shape = (int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1)
    rois, _ = lay_on_movie(pixels, shape, order)
    return Field(rois, image, traces, size)


def choose_rows(result: ActivityResult, rows: Sequence[int] | None) -> tuple[int, ...]:
    """Return the rows asked for, or those with the most transients.

    Raises
    ------
    ConfigError
        If a row was not predicted.
    """
    if rows is None:
        counts = result.transients["roi_row"].value_counts().reindex(result.roi_rows, fill_value=0)
        busiest = counts.sort_values(ascending=False, kind="stable").index[:DEFAULT_TRACES]
        return tuple(sorted(int(row) for row in busiest))
    for row in rows:
        if row not in result.roi_rows:
            why = result.skipped.get(int(row), "it is not among the predicted ROIs")
            what = f"ROI row {row} has no predictions: {why}"
            shown = ", ".join(str(known) for known in result.roi_rows[:10])
            more = ", ..." if len(result.roi_rows) > 10 else ""
            fix = f"Predicted are {len(result.roi_rows)} rows: {shown}{more}"
            raise ConfigError(what, fix=fix)
    return tuple(dict.fromkeys(int(row) for row in rows))


def mean_image(movie: Movie, n_sampled: int = SAMPLED_FRAMES) -> NDArray[np.float64]:
    """Mean of frames spread over the movie, without NaN, shape (first, second)."""
    step = max(1, movie.n_frames // n_sampled)
    total, count = np.zeros(movie.shape[1:]), np.zeros(movie.shape[1:])
    for start in range(0, movie.n_frames, step):
        frame = movie.read(start, start + 1)[0].astype(np.float64)
        known = np.isfinite(frame)
        total[known] += frame[known]
        count += known
    return np.asarray(total / np.maximum(count, 1))


def mean_traces(
    movie: Movie, rois: Rois, rows: Sequence[int], progress: Progress = silent
) -> NDArray[np.float64]:
    """Weighted mean of each ROI's pixels in every frame, in one pass, shape (n_frames, len(rows))."""
    traces = np.empty((movie.n_frames, len(rows)))
    per_frame = max(1, int(np.prod(movie.shape[1:])) * movie.dtype.itemsize)
    step = max(1, READ_BYTES // per_frame // movie.chunk_frames) * movie.chunk_frames
    for start in range(0, movie.n_frames, step):
        frames = movie.read(start, min(start + step, movie.n_frames))
        for column, row in enumerate(rows):
            pixels, weights = rois.pixels(row), rois.pixel_weights(row).astype(np.float64)
            values = frames[:, pixels[:, 0], pixels[:, 1]].astype(np.float64)
            known = np.isfinite(values)
            with np.errstate(invalid="ignore"):  # a frame without values has no mean: NaN leaves a gap
                mean = np.where(known, values, 0) @ weights / (known @ weights)
            traces[start : start + len(frames), column] = mean
        progress("reading traces", start + len(frames), movie.n_frames)
    return traces


def relative_change(traces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Change relative to each trace's 20th percentile (dF/F), shape as given."""
    baseline = np.nanpercentile(traces, 20, axis=0) if traces.size else np.ones(traces.shape[1])
    return np.asarray((traces - baseline) / np.where(np.abs(baseline) > 0, np.abs(baseline), 1))


def annotated_activity(
    nwbfile: NWBFile, result: ActivityResult, segmentation_id: str
) -> ActivityTruth | None:
    """Return what annotators, or a simulation, say about the ROI table; None where the file holds nothing."""
    try:
        return truth_from_nwb(nwbfile, result.times, segmentation_id)
    except ReadingError:
        return None
