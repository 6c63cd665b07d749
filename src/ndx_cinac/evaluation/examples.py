"""The worst misses and false alarms: what the movie, the trace, the prediction and the truth show there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..movies import Movie
from ..rois import Rois
from .activity import Period, match_activity
from .recordings import AnnotatedPredictions

CONTEXT_SECONDS = 4.0
CONTEXT_FRAMES = (20, 100)
"""An example is shown with so much before and after it, but at least and at most so many frames."""

FRAMES_BEFORE, FRAMES_AT_PEAK = 5, 3
"""Frames that the two patches are means of: before the onset, and from the last frame of the period on."""

LEAST_HALF_WIDTH = 10
"""A patch reaches at least so many pixels from the ROI's centre."""


@dataclass(frozen=True)
class Patch:
    """The movie around an ROI, before and at the peak of a period.

    Attributes
    ----------
    before, peak : ndarray of float64, shape (height, width)
        Mean of some frames.
    own : ndarray of int64, shape (n_pixels, 2)
        The ROI's pixels in the patch.
    others : tuple of ndarray
        Pixels of every other ROI that reaches into the patch.
    """

    before: NDArray[np.float64]
    peak: NDArray[np.float64]
    own: NDArray[np.int64]
    others: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class Example:
    """A period that was missed, or predicted where nothing was, with what is around it.

    Attributes
    ----------
    kind : {"miss", "false alarm"}
        What went wrong.
    recording : str
        Name of the recording.
    row : int
        Row of the ROI.
    first_frame, last_frame : int
        The period; both belong to it.
    peak_probability : float
        Highest probability in the period.
    height : float
        How far the demixed trace rises in it, over its noise; NaN without a movie.
    threshold : float
        The recording's threshold.
    start_frame : int
        Frame that the following arrays begin with.
    seconds, probability : ndarray of float, shape (n_frames,)
        Time and prediction of the frames around the period.
    active, judged : ndarray of bool, shape (n_frames,)
        The truth about them.
    trace : ndarray of float32, shape (n_frames,), or None
        Demixed trace over its noise.
    patch : Patch or None
        The movie around the ROI.
    """

    kind: Literal["miss", "false alarm"]
    recording: str
    row: int
    first_frame: int
    last_frame: int
    peak_probability: float
    height: float
    threshold: float
    start_frame: int
    seconds: NDArray[np.float64]
    probability: NDArray[np.float32]
    active: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    trace: NDArray[np.float32] | None = None
    patch: Patch | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return where it is, as JSON types."""
        return {
            "kind": self.kind,
            "recording": self.recording,
            "roi_row": self.row,
            "first_frame": self.first_frame,
            "last_frame": self.last_frame,
            "peak_probability": round(self.peak_probability, 4),
            "height_over_noise": None if np.isnan(self.height) else round(self.height, 2),
        }


def severity(example: Example) -> tuple[float, float]:
    """Return what to sort by, the worst first: the highest missed rise, the surest false alarm."""
    if example.kind == "false alarm":
        return -example.peak_probability, float(example.first_frame - example.last_frame)
    missing = np.isnan(example.height)
    return (example.peak_probability if missing else -example.height), example.peak_probability


def worst(examples: list[Example], n: int) -> list[Example]:
    """Return the n worst, at most one of each ROI, the worst first."""
    found: dict[tuple[str, int], Example] = {}
    for example in sorted(examples, key=severity):
        found.setdefault((example.recording, example.row), example)
    return list(found.values())[:n]


def find_examples(
    recording: AnnotatedPredictions, demixed: NDArray[np.float32] | None, n: int
) -> tuple[list[Example], list[Example]]:
    """Find the n worst misses and the n worst false alarms of a recording, of different ROIs each.

    Parameters
    ----------
    recording : AnnotatedPredictions
        Where to look; of its movie, frames around the examples are read.
    demixed : ndarray, shape (n_frames, n_rois), or None
        Demixed traces over their noise.
    n : int
        How many of either kind.
    """
    predicted = recording.probabilities >= recording.threshold
    true, called, pairs = match_activity(predicted, recording.active, recording.judged)
    matched = [{pair[side] for pair in pairs} for side in (0, 1)]
    chosen = []
    for kind, runs, done in (("miss", true, matched[0]), ("false alarm", called, matched[1])):
        left = [_example(recording, demixed, kind, run) for i, run in enumerate(runs) if i not in done]
        chosen.append([_with_patch(recording, example) for example in worst(left, n)])
    return chosen[0], chosen[1]


def _example(
    recording: AnnotatedPredictions, demixed: NDArray[np.float32] | None, kind: Any, period: Period
) -> Example:
    """Cut what is around a period out of the recording."""
    column, start, end = period
    wanted = round(CONTEXT_SECONDS / recording.times.frame_interval)
    context = int(np.clip(wanted, *CONTEXT_FRAMES))
    part = slice(max(0, start - context), end + context)
    trace = None if demixed is None else demixed[part, column]
    height = (
        np.nan if demixed is None else demixed[start:end, column].max() - demixed[max(start - 1, 0), column]
    )
    return Example(
        kind=kind,
        recording=recording.name,
        row=int(recording.roi_rows[column]),
        first_frame=start,
        last_frame=end - 1,
        peak_probability=float(recording.probabilities[start:end, column].max()),
        height=float(height),
        threshold=recording.threshold,
        start_frame=part.start,
        seconds=recording.times.seconds()[part],
        probability=recording.probabilities[part, column],
        active=recording.active[part, column],
        judged=recording.judged[part, column],
        trace=trace,
    )


def _with_patch(recording: AnnotatedPredictions, example: Example) -> Example:
    """Add the movie around the ROI, where there is one."""
    movie, rois = recording.movie, recording.rois
    if movie is None or rois is None or not rois.n_pixels[example.row]:
        return example
    return replace(example, patch=_patch(movie, rois, example))


def _patch(movie: Movie, rois: Rois, example: Example) -> Patch:
    """Read the movie around an ROI, before and at the peak of a period."""
    pixels = rois.pixels(example.row).astype(np.int64)
    centre = np.round(pixels.mean(axis=0)).astype(np.int64)
    half = max(LEAST_HALF_WIDTH, int(1.5 * np.abs(pixels - centre).max()))
    low = np.maximum(centre - half, 0)
    high = np.minimum(centre + half + 1, np.array(rois.shape))
    start, end = example.first_frame, example.last_frame + 1
    spans = (
        (max(0, start - FRAMES_BEFORE), max(start, 1)),
        (end - 1, min(end - 1 + FRAMES_AT_PEAK, movie.n_frames)),
    )
    images = [
        np.asarray(movie.read(*span)[:, low[0] : high[0], low[1] : high[1]], np.float64).mean(axis=0)
        for span in spans
    ]
    everything = np.stack([rois.first, rois.second], axis=1).astype(np.int64)
    inside = ((everything >= low) & (everything < high)).all(axis=1)
    owner = np.repeat(np.arange(len(rois)), rois.n_pixels)
    others = tuple(
        everything[inside & (owner == row)] - low for row in np.unique(owner[inside]) if row != example.row
    )
    return Patch(images[0], images[1], pixels - low, others)
