"""Movies whose ROIs' activity is known, and what a network is given of each: examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation import smoothed_trace_scores
from ..extras import require
from ..movies import Movie
from ..rois import Rois
from ..simulation import Opinions
from ..traces import CHANNELS, TraceOptions, extract_traces

REACH = 2
"""ROIs whose pixels come within so many rows and columns of one another are neighbours."""

SNR_CHANNEL = "log(amplitude / noise)"


@dataclass(frozen=True)
class LabelledMovie:
    """A movie, its ROIs, and what is known of their activity.

    Attributes
    ----------
    name : str
        The recording.
    movie : Movie
        The movie.
    rois : Rois
        Those to learn from are kept; the others are demixed with them, no more.
    active, judged : ndarray of bool, shape (n_frames, n_rois)
        What is true, and where that is known; a column per row of `rois`.
    frame_rate, pixel_size : float
        Hz; micrometres; NaN where not known.
    snr : ndarray of float32, shape (n_rois,), or None
        Height of a typical transient over the noise, where a simulation knows it.
    opinions : Opinions, optional
        What is taught in place of `active` where it was judged, where a simulation knows all annotators.
    on_close : callable, optional
        Closes the file that the movie lies in.
    """

    name: str
    movie: Movie
    rois: Rois
    active: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    frame_rate: float
    pixel_size: float
    snr: NDArray[np.float32] | None = None
    opinions: Opinions | None = None
    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        """Close the file that the movie lies in."""
        if self.on_close is not None:
            self.on_close()


@dataclass(frozen=True)
class Example:
    """What is kept of one labelled movie; rows are the ROIs that are learnt from.

    Attributes
    ----------
    channels : ndarray of float16, shape (n_rois, n_frames, n_channels)
        What a network is given.
    active, judged : ndarray of bool, shape (n_rois, n_frames)
        What it should say, and where that counts: of one annotator.
    taught, weight : ndarray of float16, shape (n_rois, n_frames)
        What it is taught to say, and how much that counts: of all annotators where they are known, else the
        same.
    by_annotator : ndarray of int8, shape (n_annotators, n_rois, n_frames)
        What each of all annotators says (1 active, 0 not, -1 doubtful), where they are known; else of
        length 0.
    neighbours : ndarray of bool, shape (n_rois, n_frames)
        Where an ROI beside it is active.
    snr : ndarray of float32, shape (n_rois,)
        Height of a typical transient over the noise; 0 for an ROI without any.
    baseline : ndarray of float32, shape (n_rois, n_frames)
        Score of the trace-based method to beat.
    frame_rate, pixel_size : float
        Hz; micrometres; NaN where not known.
    diameters : ndarray of float32, shape (n_rois,)
        Diameters of circles of the masks' areas, pixels.
    """

    channels: NDArray[np.float16]
    active: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    taught: NDArray[np.float16]
    weight: NDArray[np.float16]
    by_annotator: NDArray[np.int8]
    neighbours: NDArray[np.bool_]
    snr: NDArray[np.float32]
    baseline: NDArray[np.float32]
    frame_rate: float
    pixel_size: float
    diameters: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it, to be kept in a file."""
        return {each.name: np.asarray(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Example:
        """Put together what `arrays` gave."""
        values: dict[str, Any] = {each.name: arrays[each.name] for each in fields(cls)}
        numbers = {name: float(values[name]) for name in ("frame_rate", "pixel_size")}
        return cls(**{**values, **numbers})


def example_of(labelled: LabelledMovie, options: TraceOptions) -> Example:
    """Extract the traces of a labelled movie as a prediction would, and keep what a training needs."""
    with extract_traces(labelled.movie, labelled.rois, options) as traces:
        rows = traces.roi_rows
        channels = traces.channels(slice(None)).astype(np.float16)
    active = np.ascontiguousarray(labelled.active.T[rows])
    judged = np.ascontiguousarray(labelled.judged.T[rows])
    taught: NDArray[Any] = active
    weight: NDArray[Any] = judged
    each = np.zeros((0, *active.shape), np.int8)
    if labelled.opinions is not None:
        taught, weight = labelled.opinions.called.T[rows], labelled.opinions.judging.T[rows]
        each = np.ascontiguousarray(labelled.opinions.each.transpose(0, 2, 1)[:, rows])
    if labelled.snr is None:
        ratio = np.exp(2 * channels[..., CHANNELS.index(SNR_CHANNEL)].astype(np.float32).mean(axis=1))
        snr = np.where((active & judged).any(axis=1), ratio, 0).astype(np.float32)
    else:
        snr = labelled.snr[rows]
    return Example(
        channels=channels,
        active=active,
        judged=judged,
        taught=taught.astype(np.float16),
        weight=weight.astype(np.float16),
        by_annotator=each,
        neighbours=neighbours_active(labelled)[rows],
        snr=snr,
        baseline=smoothed_trace_scores(labelled.movie, labelled.rois).T[rows].astype(np.float32),
        frame_rate=labelled.frame_rate,
        pixel_size=labelled.pixel_size,
        diameters=np.sqrt(labelled.rois.n_pixels[rows] * 4 / np.pi).astype(np.float32),
    )


def neighbours_active(labelled: LabelledMovie) -> NDArray[np.bool_]:
    """Where an ROI beside each one is known to be active, shape (n_rois, n_frames)."""
    sparse = require("scipy.sparse", extra="train", feature="Making training data")
    rois = labelled.rois
    n_rois, (first, second) = len(rois), rois.shape
    owner = np.repeat(np.arange(n_rois), rois.n_pixels)
    steps = np.arange(-REACH, REACH + 1)
    wide_first = (rois.first[:, None, None] + steps[:, None]).clip(0, first - 1)
    wide_second = (rois.second[:, None, None] + steps).clip(0, second - 1)
    place = (wide_first.astype(np.int64) * second + wide_second).reshape(len(owner), -1)

    def matrix(owners: NDArray[np.int64], pixels: NDArray[np.int64]) -> Any:
        shape = (n_rois, first * second)
        return sparse.csr_array((np.ones(len(pixels), np.float32), (owners, pixels)), shape=shape)

    narrow = matrix(owner, rois.first.astype(np.int64) * second + rois.second)
    wide = matrix(np.repeat(owner, place.shape[1]), place.ravel())
    touching = ((wide @ narrow.T).toarray() > 0) & ~np.eye(n_rois, dtype=bool)
    known = labelled.active & labelled.judged
    return np.asarray((touching.astype(np.float32) @ known.T.astype(np.float32)) > 0)
