"""From a movie and its ROIs to the channels that a network is given: one pass, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .background import BackgroundGrid
from .channels import CHANNELS, N_CHANNELS, TRACES, make_channels
from .demixing import Demixer, Layout
from .errors import ConfigError, PredictionError
from .extras import require
from .footprints import mask_rows, to_rows, widen
from .frame_statistics import fit_frame_model
from .frames import FrameBlock, FrameModel
from .movies import Movie
from .progress import Progress, silent
from .refinement import MeasuredSample, refine
from .rois import Rois
from .sampling import Sample, take_sample
from .trace_store import TraceStore

_sparse = require("scipy.sparse", extra="predict", feature="Extracting traces")

__all__ = ["CHANNELS", "N_CHANNELS", "TraceOptions", "Traces", "extract_traces"]


@dataclass(frozen=True)
class TraceOptions:
    """How traces are extracted.

    Those up to `sample_bytes` shape the numbers and belong to a classifier; the last two do not.

    Attributes
    ----------
    ridge : float
        Ridge of the demixing, relative to each footprint's own norm; above 0.
    background_spacing : float
        Distance of background bumps, in diameters of the median ROI; above 0.
    spacing_range : tuple of float
        Smallest and largest distance of background bumps, in pixels.
    refinements : int
        How often footprints are refined from the movie; 0 leaves the masks.
    widening : int
        How far, in pixels, a refined footprint may reach beyond its mask.
    baseline_frames : int
        Frames of the stretches that the baseline is taken from.
    sample_frames : int
        Frames, at most, for image statistics and footprints; all of them where a movie is kept whole.
    sample_bytes : int
        Memory for the sample, also for a movie that is short enough to be kept whole.
    block_bytes : int
        Memory for a block of frames in single precision.
    store_bytes : int
        Traces that take more memory are kept in a temporary file.
    """

    ridge: float = 0.01
    background_spacing: float = 1.6
    spacing_range: tuple[float, float] = (12.0, 40.0)
    refinements: int = 2
    widening: int = 2
    baseline_frames: int = 200
    sample_frames: int = 1000
    sample_bytes: int = 256 * 2**20
    block_bytes: int = 32 * 2**20
    store_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing_range", tuple(float(v) for v in self.spacing_range))
        positive = ("ridge", "background_spacing", "baseline_frames", "sample_frames", "block_bytes")
        bad = [name for name in positive if not getattr(self, name) > 0]
        bad += [n for n in ("refinements", "widening", "sample_bytes", "store_bytes") if getattr(self, n) < 0]
        if len(self.spacing_range) != 2 or not 0 < self.spacing_range[0] <= self.spacing_range[1]:
            bad.append("spacing_range")
        if bad:
            what = (
                f"Trace options out of range: {', '.join(f'{name}={getattr(self, name)!r}' for name in bad)}"
            )
            raise ConfigError(what)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return {**asdict(self), "spacing_range": list(self.spacing_range)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TraceOptions:
        """Make options from a mapping; what it lacks has its default.

        Raises
        ------
        ConfigError
            If a name is unknown or a value out of range.
        """
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            what = f"Unknown trace options: {', '.join(unknown)}"
            raise ConfigError(what, fix=f"Known are: {', '.join(f.name for f in fields(cls))}")
        return cls(**values)


class Traces:
    """Traces of all ROIs of a movie; a context manager, as they may lie in a temporary file.

    Attributes
    ----------
    roi_rows : ndarray of int64, shape (n_rois,)
        Rows of the plane segmentation, in the order of `channels`.
    coefficients : ndarray of float32, shape (n_frames, 4)
        Offset (in the movie's unit), gain - 1, and shift along both axes (pixels) of each frame.
    missing_frames : ndarray of int64
        Frames that are mostly NaN or blank; traces are interpolated there.
    notes : tuple of str
        What a user should know.
    """

    def __init__(
        self,
        store: TraceStore,
        roi_rows: NDArray[np.int64],
        coefficients: NDArray[np.float32],
        missing: NDArray[np.bool_],
        *,
        baseline_frames: int,
        sigma: float,
        notes: tuple[str, ...],
    ) -> None:
        self._store = store
        self._baseline_frames = baseline_frames
        self._smallest = 1e-6 * sigma
        self._present = np.flatnonzero(~missing)
        self.roi_rows = roi_rows
        self.missing_frames = np.flatnonzero(missing)
        self.notes = notes
        self.coefficients = self._bridge(coefficients.T).T

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self._store.n_frames

    @property
    def n_rois(self) -> int:
        """Number of ROIs."""
        return len(self.roi_rows)

    def raw(self, index: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Traces of some ROIs in the movie's unit: shape (n, 5, n_frames), ordered as `channels.TRACES`."""
        return self._bridge(self._store.read(np.arange(self.n_rois)[index]))

    def channels(self, index: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.float32]:
        """Channels of some ROIs (places in `roi_rows`): shape (n, n_frames, 11), ordered as `CHANNELS`."""
        return make_channels(
            self.raw(index),
            self.coefficients,
            self._present,
            baseline_frames=self._baseline_frames,
            smallest=self._smallest,
        )

    def _bridge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Interpolate missing frames, last axis, between the nearest frames that are present."""
        if not len(self.missing_frames):
            return values
        place = np.interp(self.missing_frames, self._present, np.arange(len(self._present)))
        before = np.floor(place).astype(np.int64)
        share = (place - before).astype(np.float32)
        after = self._present[np.minimum(before + 1, len(self._present) - 1)]
        values = values.copy()
        values[..., self.missing_frames] = (
            values[..., self._present[before]] * (1 - share) + values[..., after] * share
        )
        return values

    def close(self) -> None:
        """Delete the temporary file, if there is one."""
        self._store.close()

    def __enter__(self) -> Traces:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Plan:
    """What the pass over the movie applies to each block: projections first, then small matrices."""

    model: FrameModel
    layout: Layout
    rows: Any
    """Masks, then refined footprints, as sparse rows."""
    with_masks: NDArray[np.float64]
    demixed: NDArray[np.float64]
    squares: NDArray[np.float64]
    areas: NDArray[np.float64]
    kept: NDArray[np.int64]

    def traces(self, block: FrameBlock) -> NDArray[np.float32]:
        """Traces of a block of frames, shape (n_kept, 5, n)."""
        sums = self.layout.footprint_sums(self.rows, block)
        masks, footprints = np.split(sums, 2)
        bumps = self.layout.grid_sums(block)
        out = np.empty((len(self.kept), len(TRACES), sums.shape[1]), np.float32)
        demixed, local = np.split(self.demixed @ np.concatenate([footprints, bumps]), 2)
        out[:, 0], out[:, 3] = demixed, local
        out[:, 1] = self.with_masks @ np.concatenate([masks, bumps])
        out[:, 2] = footprints[self.kept] / self.squares[:, None]
        out[:, 4] = masks[self.kept] / self.areas[:, None]
        return out


def extract_traces(
    movie: Movie, rois: Rois, options: TraceOptions = TraceOptions(), *, progress: Progress = silent
) -> Traces:
    """Extract the traces of all ROIs.

    A sample of the movie gives the median image, the noise and refined footprints; then the movie is read
    once, in blocks that follow its chunks. A short movie that fits in memory is read once in all. All usable
    ROIs are demixed together; traces are kept for those that are to be predicted.

    Parameters
    ----------
    movie : Movie
        Read with ``read`` from one other thread.
    rois : Rois
        On the movie's axes. All pixels of a mask count alike.
    options : TraceOptions
        How.
    progress : callable
        Told how far it is.

    Raises
    ------
    PredictionError
        If shapes disagree, no ROI can be used, or no frame shows anything.
    """
    if tuple(rois.shape) != tuple(movie.shape[1:]):
        what = f"ROIs lie on a field of {tuple(rois.shape)}, the movie's frames are {tuple(movie.shape[1:])}"
        raise PredictionError(what)
    usable, kept = rois.usable, rois.kept
    if not len(kept):
        what = "No ROI can be predicted: each one is empty, outside of the frame or not selected"
        raise PredictionError(what, fix="See each ROI's reason with: ndx-cinac inspect FILE")
    sample = take_sample(movie, options.sample_frames, options.sample_bytes, progress=progress)
    model = fit_frame_model(sample.frames)
    block_frames = max(1, options.block_bytes // (4 * movie.shape[1] * movie.shape[2]))
    measured = MeasuredSample(sample, model, block_frames)
    if not len(measured.present):
        what = "No frame of the movie shows a picture: those that were looked at are blank or not finite"
        raise PredictionError(what)
    plan, notes = _prepare(measured, rois, np.searchsorted(usable, kept), options)
    store = TraceStore(len(kept), len(TRACES), movie.n_frames, options.store_bytes)
    coefficients = np.zeros((movie.n_frames, 4), np.float32)
    missing = np.zeros(movie.n_frames, np.bool_)
    start = 0
    for block in _blocks(movie, sample, measured, block_frames):
        stop = start + len(block.deviations)
        store.append(plan.traces(block))
        coefficients[start:stop], missing[start:stop] = block.coefficients, block.missing
        start = stop
        progress("extracting traces", start, movie.n_frames)
    if missing.any():
        count = f"{int(missing.sum())} of {len(missing)} frames"
        notes = (*notes, f"{count} are blank or not finite: traces are interpolated there")
    return Traces(
        store,
        kept,
        coefficients,
        missing,
        baseline_frames=options.baseline_frames,
        sigma=model.sigma,
        notes=notes,
    )


def _prepare(
    measured: MeasuredSample, rois: Rois, kept: NDArray[np.int64], options: TraceOptions
) -> tuple[_Plan, tuple[str, ...]]:
    """Lay out ROIs and background, refine footprints, and solve the normal equations once for all frames."""
    model, usable = measured.model, rois.usable
    masks = mask_rows(rois, usable, model.valid)
    areas = np.array([len(mask) for mask in masks])
    supports = [
        wide[model.valid[wide]] for wide in (widen(mask, rois.shape, options.widening) for mask in masks)
    ]
    pixels = np.unique(np.concatenate(supports))
    columns = np.zeros(model.median.size, np.int64)
    columns[pixels] = np.arange(len(pixels))
    diameter = float(np.sqrt(np.median(areas[areas > 0]) * 4 / np.pi)) if areas.any() else 1.0
    spacing = float(np.clip(options.background_spacing * diameter, *options.spacing_range))
    layout = Layout.make(pixels, BackgroundGrid.covering(rois.shape, spacing), model)
    mask_matrix = to_rows(masks, columns, len(pixels))
    first = Demixer(mask_matrix, layout, options.ridge)
    refined = refine(
        measured,
        layout,
        [columns[s] for s in supports],
        first,
        rounds=options.refinements,
        ridge=options.ridge,
    )
    final = Demixer(refined, layout, options.ridge)
    squares = np.asarray(refined.multiply(refined).sum(axis=1), np.float64).ravel()
    plan = _Plan(
        model=model,
        layout=layout,
        rows=_sparse.vstack([mask_matrix, refined], format="csr"),
        with_masks=first.operator(kept, local=False),
        demixed=final.operator(kept, local=True),
        squares=np.where(squares > 0, squares, 1.0)[kept],
        areas=np.maximum(areas, 1)[kept].astype(np.float64),
        kept=kept,
    )
    blind = usable[kept][areas[kept] == 0]
    notes = [
        f"ROI row {row} has no pixel that is finite in most frames: its traces are flat" for row in blind
    ]
    return plan, tuple(notes)


def _blocks(
    movie: Movie, sample: Sample, measured: MeasuredSample, block_frames: int
) -> Iterator[FrameBlock]:
    """Frames of the whole movie, measured; the next stretch is read while the present one is worked on."""
    if sample.whole:
        for start in range(0, movie.n_frames, block_frames):
            yield measured.block(slice(start, start + block_frames))
        return
    stretch = movie.chunk_frames * max(1, block_frames // movie.chunk_frames)
    stretch = min(stretch, 4 * block_frames)
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(movie.read, 0, min(stretch, movie.n_frames))
        for start in range(0, movie.n_frames, stretch):
            frames = ahead.result()
            following = start + stretch
            if following < movie.n_frames:
                ahead = reader.submit(movie.read, following, min(following + stretch, movie.n_frames))
            for part in range(0, len(frames), block_frames):
                yield measured.model.measure(frames[part : part + block_frames])
