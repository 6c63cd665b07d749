"""From a recording to what a classifier of cell types is given: trace pieces, patches and named features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, PredictionError
from ..journal import Journal
from ..progress import Progress, silent
from ..recording import CinacRecording
from ..rois import Rois
from ..traces import TraceOptions, Traces, extract_traces
from ..traces.sampling import Sample, take_sample
from .image_features import (
    IMAGE_FEATURES,
    PATCH_CHANNELS,
    describe_surroundings,
    field_images,
    make_patch,
    surroundings,
)
from .trace_features import TRACE_FEATURES, at_common_rate, cut_pieces, describe_traces, resample, synchrony

FIELD_FEATURES = (
    "synchrony within 0.5 s",
    "synchrony within 5 s",
    "log amplitude over the median ROI's",
    "log duration (s)",
)
"""Named numbers that compare an ROI with the others, and the recording's length."""
FEATURES = (*TRACE_FEATURES, *IMAGE_FEATURES, *FIELD_FEATURES)
"""All named numbers, in order."""
PIECE_CHANNELS = ("demixed / amplitude", "asinh(demixed / 2 noise)", "local background / amplitude")
"""What a piece of a trace shows, in order."""

ASSUMED_DIAMETER = 12.0
"""Micrometres that the median ROI is taken to measure where the pixel size is not known."""
SHORT = 30.0
"""Seconds below which a user is told that rates and bursts can hardly be judged."""
SHORTEST = 4.0
"""Seconds below which nothing can be said."""
COARSE_RATE = 2.0
"""Samples per second of the traces that synchrony is measured on."""


@dataclass(frozen=True)
class CellInputOptions:
    """How the inputs are made; a classifier's card holds them."""

    rate: float = 8.0
    """Samples per second of traces."""
    n_pieces: int = 4
    """Pieces of the trace, around its highest peaks."""
    piece_seconds: float = 16.0
    """Length of a piece."""
    patch_micrometres: float = 34.0
    """Side of a patch."""
    patch_pixels: int = 20
    """The same in its own pixels."""
    sample_frames: int = 400
    """Frames, at most, for images; all of them where a short movie fits in memory."""
    sample_bytes: int = 64 * 2**20
    """Memory for these frames as stored; in single precision they take up to four times as much."""
    baseline_seconds: float = 60.0
    """Length of the stretches that a trace's baseline is taken from: cells that fire all the time show."""
    traces: TraceOptions = field(default_factory=TraceOptions)
    """How traces are extracted; `baseline_seconds` takes the place of its `baseline_frames`."""

    def __post_init__(self) -> None:
        wrong = [f.name for f in fields(self) if f.name != "traces" and not getattr(self, f.name) > 0]
        if wrong:
            what = f"The option '{wrong[0]}' of cell inputs cannot be {getattr(self, wrong[0])!r}"
            raise ConfigError(what, fix="Give a number above 0")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return {**asdict(self), "traces": self.traces.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CellInputOptions:
        """Make options from a mapping; what it lacks has its default.

        Raises
        ------
        ConfigError
            If a name is unknown or a value out of its range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(str(name) for name in values if name not in known)
        if unknown:
            what = f"Unknown options of cell inputs: {', '.join(unknown)}"
            raise ConfigError(what, fix=f"Known are: {', '.join(known)}")
        made = dict(values)
        if "traces" in made:
            made["traces"] = TraceOptions.from_dict(made["traces"])
        return cls(**made)


@dataclass(frozen=True)
class CellInputs:
    """What a classifier is given of each ROI; free of brightness, field size and the ROIs' order.

    Attributes
    ----------
    pieces : ndarray of float32, shape (n_rois, n_pieces, n_samples, 3)
        Pieces of the trace at the common rate; last axis as `PIECE_CHANNELS`.
    patches : ndarray of float32, shape (n_rois, n_pixels, n_pixels, 3)
        Surroundings, scaled to micrometres; last axis as `PATCH_CHANNELS`.
    features : ndarray of float32, shape (n_rois, n_features)
        In the order of `FEATURES`.
    notes : tuple of str
        What a user should know.
    """

    pieces: NDArray[np.float32]
    patches: NDArray[np.float32]
    features: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features)


def make_cell_inputs(
    recording: CinacRecording,
    options: CellInputOptions | None = None,
    *,
    progress: Progress = silent,
    journal: Journal | None = None,
) -> CellInputs:
    """Make the inputs of all ROIs that are to be predicted, in the order of ``recording.rois.kept``.

    Traces are extracted in one pass over the movie; a further sample of its frames gives the images. A
    journal keeps traces block by block, and the inputs once they are made.

    Raises
    ------
    PredictionError
        If the frame rate is not known, the movie is shorter than 4 seconds, or no ROI can be used.
    ReadingError
        If the recording has no movie or no ROIs.
    """
    options = options or CellInputOptions()
    movie, rois = recording.require_movie(), recording.require_rois()
    frame_rate = recording.times.frame_rate if recording.times is not None else float("nan")
    notes = _check(frame_rate, movie.n_frames, recording.identifier)
    pixel_size, size_notes = _pixel_size(recording, rois)
    stretch = max(1, round(options.baseline_seconds * frame_rate))
    extraction = replace(options.traces, baseline_frames=stretch)
    with extract_traces(movie, rois, extraction, progress=progress, journal=journal) as traces:
        notes = (*notes, *size_notes, *traces.notes)
        kept = None if journal is None else journal.load("inputs")
        if kept is not None:
            return CellInputs(kept["pieces"], kept["patches"], kept["features"], notes)
        sample = take_sample(movie, options.sample_frames, options.sample_bytes)
        scales = (frame_rate, pixel_size)
        made = _from_traces(traces, sample, rois, options, scales=scales, notes=notes)
    if journal is not None:
        journal.keep("inputs", pieces=made.pieces, patches=made.patches, features=made.features)
    return made


def _from_traces(
    traces: Traces,
    sample: Sample,
    rois: Rois,
    options: CellInputOptions,
    *,
    scales: tuple[float, float],
    notes: tuple[str, ...],
) -> CellInputs:
    """Describe ROI after ROI, then compare them."""
    frame_rate, pixel_size = scales
    images = field_images(sample.frames, traces.coefficients[sample.numbers], rois, pixel_size)
    median_area = float(np.median(rois.n_pixels[rois.usable]))
    pieces, patches, features, coarse, amplitudes = [], [], [], [], []
    for place, row in enumerate(traces.roi_rows):
        index = slice(place, place + 1)
        channels = traces.channels(index)
        amplitudes.append(_amplitude(traces.raw(index)[0, 0], channels[0, :, 0]))
        common = at_common_rate(channels, frame_rate, options.rate)
        around = surroundings(
            images, rois.pixels(int(row)), channels[0, sample.numbers, 0], options.patch_micrometres * 0.72
        )
        described = describe_surroundings(around, images, median_area=median_area, amplitude=amplitudes[-1])
        pieces.append(cut_pieces(common, options.n_pieces, options.piece_seconds)[0])
        patches.append(make_patch(around, images, options.patch_micrometres, options.patch_pixels))
        features.append([*describe_traces(common)[0], *described])
        coarse.append(resample(common.demixed, options.rate, COARSE_RATE)[0])
    return CellInputs(
        np.stack(pieces),
        np.stack(patches),
        _with_field(features, np.stack(coarse), np.array(amplitudes), traces.n_frames / frame_rate),
        notes,
    )


def _with_field(
    features: list[list[float]],
    coarse: NDArray[np.float32],
    amplitudes: NDArray[np.float64],
    seconds: float,
) -> NDArray[np.float32]:
    """Add `FIELD_FEATURES` to the features of each ROI."""
    slow = resample(coarse, COARSE_RATE, COARSE_RATE / 10)
    relative = np.log(np.maximum(amplitudes, 1e-9) / max(float(np.median(amplitudes)), 1e-9))
    length = np.full(len(features), math.log(seconds))
    field_columns = np.stack([synchrony(coarse), synchrony(slow), np.clip(relative, -4, 4), length], axis=1)
    return np.concatenate([np.array(features), field_columns], axis=1).astype(np.float32)


def _amplitude(demixed: NDArray[np.float32], relative: NDArray[np.float32]) -> float:
    """Return the amplitude, in the movie's unit, that `relative` was divided by: at its largest step."""
    if len(demixed) < 2 or not np.ptp(relative) > 0:
        return 0.0
    steps = np.diff(relative)
    largest = int(np.argmax(np.abs(steps)))
    return float(demixed[largest + 1] - demixed[largest]) / float(steps[largest])


def _check(frame_rate: float, n_frames: int, where: str) -> tuple[str, ...]:
    """Refuse a recording of unknown rate, or one too short for anything; note one that is rather short."""
    if not frame_rate > 0:
        what = "The frame rate is not known, so nothing can be said about rates and durations"
        raise PredictionError(what, where=where, fix="Give the movie's series a rate or timestamps")
    seconds = n_frames / frame_rate
    if seconds < SHORTEST:
        what = f"The movie lasts {seconds:.1f} s; cell types are not predicted from less than {SHORTEST:g} s"
        raise PredictionError(what, where=where, fix="Use a longer recording")
    if seconds >= SHORT:
        return ()
    short = f"{SHORT:g} s"
    return (f"The movie lasts {seconds:.1f} s: rates and bursts can hardly be judged from less than {short}",)


def _pixel_size(recording: CinacRecording, rois: Rois) -> tuple[float, tuple[str, ...]]:
    """Micrometres per pixel, or what makes the median ROI as large as a typical soma, with a note."""
    if recording.pixel_size is not None and recording.pixel_size > 0:
        return float(recording.pixel_size), ()
    usable = rois.n_pixels[rois.usable]
    diameter = float(np.median(2 * np.sqrt(usable / np.pi))) if len(usable) else ASSUMED_DIAMETER
    size = ASSUMED_DIAMETER / max(diameter, 1.0)
    note = (
        f"The pixel size is not known: {size:.2f} micrometres are assumed, as if the median ROI measured "
        f"{ASSUMED_DIAMETER:g} micrometres; sizes count for less then"
    )
    return size, (note,)


__all__ = [
    "FEATURES",
    "PATCH_CHANNELS",
    "PIECE_CHANNELS",
    "CellInputOptions",
    "CellInputs",
    "make_cell_inputs",
]
