"""A sample of a movie's frames: runs of neighbouring frames, spread over the whole movie, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..movies import Movie
from ..progress import Progress, silent

SHORTEST_RUN = 8
"""Frames of a run, at least: noise is measured on differences of neighbouring frames."""
FEWEST_RUNS = 8
"""Runs, at least, however many frames lie in a chunk: activity is sparse, so a sample has to be spread."""
FEWEST_FRAMES = 8
"""Frames of a sample, at least, however large they are."""
SHORT_MOVIE = 1000
"""Movies of up to so many frames may be sampled whole."""
LARGEST_PART = 0.15
"""Part of a longer movie that may be sampled: the look at stored traces may have taken another twentieth."""
LONGEST_WHOLE = 4000
"""Movies of up to so many frames that fit in memory are kept whole, and so are read only once in all."""


@dataclass(frozen=True)
class Sample:
    """Frames of a movie that are held in memory.

    Attributes
    ----------
    frames : ndarray, shape (n, first, second)
        As stored.
    numbers : ndarray of int64, shape (n,)
        Their places in the movie, ascending.
    whole : bool
        Whether these are all frames of the movie.
    """

    frames: NDArray[Any]
    numbers: NDArray[np.int64]
    whole: bool


def plan_runs(n_frames: int, n_wanted: int, chunk_frames: int) -> list[tuple[int, int]]:
    """Choose evenly spread runs of at most `n_wanted` frames in all, aligned with chunks if these are small.

    A transient is caught if a run meets it. Runs of r frames every s frames meet a transient of d frames
    with probability (d + r) / s, and a cell with n transients is missed with probability
    (1 - (d + r) / s) ** n: with 15 % sampled in runs of 8 (s = 53) and d = 12, 62 % of the cells that
    are active once and 10 % of those active five times. A cell that is missed keeps its mask as its
    footprint.
    """
    n_wanted = min(n_wanted, n_frames)
    length = chunk_frames * -(-SHORTEST_RUN // chunk_frames)
    if length > n_wanted // FEWEST_RUNS:
        length = max(min(SHORTEST_RUN, n_wanted), n_wanted // FEWEST_RUNS)
    n_runs = max(1, n_wanted // length)
    starts = np.linspace(0, n_frames - length, n_runs).astype(np.int64)
    within = starts % chunk_frames
    if length % chunk_frames == 0:
        starts -= within
    elif length < chunk_frames and 2 * n_runs * length <= n_frames:
        starts -= np.maximum(within + length - chunk_frames, 0)  # so that a run meets one chunk, not two
    return [(int(start), int(start) + length) for start in np.unique(starts)]


def take_sample(movie: Movie, n_frames: int, n_bytes: int, *, progress: Progress = silent) -> Sample:
    """Read at most `n_frames` frames and `n_bytes` bytes, or the whole movie where it is short and fits."""
    n_total, first, second = movie.shape
    frame_bytes = first * second * movie.dtype.itemsize
    whole = n_total <= LONGEST_WHOLE and n_total * frame_bytes <= n_bytes
    if whole:
        step = movie.chunk_frames * max(1, n_bytes // 8 // (frame_bytes * movie.chunk_frames))
        runs = [(start, min(start + step, n_total)) for start in range(0, n_total, step)]
    else:
        allowed = n_total if n_total <= SHORT_MOVIE else int(LARGEST_PART * n_total)
        wanted = min(n_frames, allowed, max(n_bytes // frame_bytes, FEWEST_FRAMES))
        runs = plan_runs(n_total, max(wanted, 1), movie.chunk_frames)
    numbers = np.concatenate([np.arange(start, stop) for start, stop in runs])
    if len(runs) == 1:
        frames = movie.read(*runs[0])
        progress("sampling the movie", 1, 1)
        return Sample(frames, numbers, whole)
    frames = np.empty((len(numbers), first, second), movie.dtype)
    filled = 0
    for i, (start, stop) in enumerate(runs):
        frames[filled : filled + stop - start] = movie.read(start, stop)
        filled += stop - start
        progress("sampling the movie", i + 1, len(runs))
    return Sample(frames, numbers, whole)
