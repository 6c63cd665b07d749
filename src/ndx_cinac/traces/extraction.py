"""From a movie and its ROIs to the channels that a network is given: one pass, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import numpy as np
from numpy.typing import NDArray

from ..errors import PredictionError
from ..helpers import present_helpers
from ..journal import Journal
from ..movie_places import place_of
from ..movies import Movie
from ..progress import Progress, silent
from ..rois import Rois
from ..threads import in_order, linear_algebra_in_one_thread, working_threads
from .channels import TRACES, make_channels
from .finished_blocks import FinishedBlock, FinishedBlocks, digest_of
from .frame_statistics import fit_frame_model
from .frames import N_TERMS
from .options import TraceOptions
from .plan import TracePlan, prepare
from .ranges import RangeWork, cut_ranges, finish, finish_range, finished_blocks
from .refinement import MeasuredSample
from .sampling import take_sample
from .store import TraceStore

DEFAULT_OPTIONS = TraceOptions()


FEWEST_TOGETHER = 17
"""Frames of a block, at least: sums over fewer are rounded otherwise, which shows in the fifth decimal."""


class Traces:
    """Traces of all ROIs of a movie; a context manager, as they may lie in a temporary file.

    Attributes
    ----------
    roi_rows : ndarray of int64, shape (n_rois,)
        Rows of the plane segmentation, in the order of `channels`.
    coefficients : ndarray of float32, shape (n_frames, 4)
        Offset (in the movie's unit), gain - 1, and shift along both axes (pixels) of each frame.
    missing_frames : ndarray of int64
        Frames that are mostly NaN, or blank: one value everywhere in a movie that has a picture, as when a
        shutter is closed. Traces are interpolated there.
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

    def part(self, index: slice) -> Traces:
        """Traces of some ROIs, in memory: they can be sent to another process."""
        part = copy(self)
        part.roi_rows = self.roi_rows[index]
        part._store = TraceStore.holding(self._store.read(np.arange(self.n_rois)[index]))
        return part

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


def extract_traces(
    movie: Movie,
    rois: Rois,
    options: TraceOptions = DEFAULT_OPTIONS,
    *,
    progress: Progress = silent,
    journal: Journal | None = None,
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
    journal : Journal, optional
        Keeps finished blocks, and gives back those that an earlier run has finished: the numbers are the
        same. The movie is known again by its sample.

    Raises
    ------
    PredictionError
        If shapes disagree, no ROI can be used, or no frame shows anything.
    """
    if tuple(rois.shape) != tuple(movie.shape[1:]):
        what = f"ROIs lie on a field of {tuple(rois.shape)}, the movie's frames are {tuple(movie.shape[1:])}"
        raise PredictionError(what)
    if not len(rois.kept):
        what = "No ROI can be predicted: each one is empty, outside of the frame or not selected"
        raise PredictionError(what, fix="See each ROI's reason with: ndx-cinac inspect FILE")
    movie.expect_all()
    with linear_algebra_in_one_thread():
        return _extract(movie, rois, options, progress, journal)


def _extract(
    movie: Movie, rois: Rois, options: TraceOptions, progress: Progress, journal: Journal | None
) -> Traces:
    """Sample the movie, make the plan, and apply it to all frames."""
    kept = rois.kept
    sample = take_sample(movie, options.sample_frames, options.sample_bytes, progress=progress)
    model = fit_frame_model(sample.frames)
    block_frames = max(FEWEST_TOGETHER, options.block_bytes // (4 * movie.shape[1] * movie.shape[2]))
    measured = MeasuredSample(sample, model, block_frames)
    plan, notes = prepare(measured, rois, options)
    if journal is not None:
        journal.tie(movie=digest_of(sample))
    still = movie.n_frames > 1 and all((frame == sample.frames[0]).all() for frame in sample.frames)
    if not sample.whole:
        measured.release()  # before traces begin to fill memory
        del sample
    coefficients = np.zeros((movie.n_frames, N_TERMS), np.float32)
    missing = np.zeros(movie.n_frames, np.bool_)
    store = TraceStore(len(kept), len(TRACES), movie.n_frames, options.store_bytes)
    finished = FinishedBlocks(journal, len(kept))
    try:
        start = 0
        for block in _finished(finished, movie, measured, plan, block_frames):
            stop = start + len(block.missing)
            store.append(block.traces)
            coefficients[start:stop], missing[start:stop] = block.coefficients, block.missing
            start = stop
            progress("extracting traces", start, movie.n_frames)
    except BaseException:
        finished.flush()
        store.close()
        raise
    if missing.any():
        count = int(missing.sum())
        are = f"{count} of {len(missing)} frames {'is' if count == 1 else 'are'}"
        notes = (*notes, f"{are} blank or not finite: traces are interpolated there")
    if still:
        notes = (*notes, "The movie is the same in all frames that were sampled: there is no activity to see")
    return Traces(
        store,
        kept,
        coefficients,
        missing,
        baseline_frames=options.baseline_frames,
        sigma=model.sigma,
        notes=notes,
    )


def _finished(
    finished: FinishedBlocks, movie: Movie, measured: MeasuredSample, plan: TracePlan, block_frames: int
) -> Iterator[FinishedBlock]:
    """Traces of the whole movie: of blocks that an earlier run has finished, then of the others."""
    first = 0
    for block in finished.restore():
        first += len(block.missing)
        yield block
    for block in _blocks(movie, measured, plan, block_frames, first) if first < movie.n_frames else ():
        finished.add(block)
        yield block
    finished.flush()


def _blocks(
    movie: Movie, measured: MeasuredSample, plan: TracePlan, block_frames: int, first: int
) -> Iterator[FinishedBlock]:
    """Traces from frame `first` on, where a block begins: computed here, or by helpers."""
    if measured.whole:
        parts = (slice(start, start + block_frames) for start in range(first, movie.n_frames, block_frames))
        yield from in_order(lambda part: finish(plan, measured.block(part)), parts, working_threads())
        return
    helpers = present_helpers()
    place = None if helpers is None else place_of(movie)
    if helpers is not None and place is not None:
        work = RangeWork(place, measured.model, plan, block_frames)
        yield from helpers.map(finish_range, work, cut_ranges(movie, block_frames, first))
        return
    yield from finished_blocks(movie, measured.model, plan, block_frames, (first, movie.n_frames))
