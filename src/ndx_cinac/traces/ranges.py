"""The pass over a movie, range by range: given the plan, ranges do not depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..movie_places import MoviePlace, opened_place
from ..movies import Movie
from ..threads import in_order, linear_algebra_in_one_thread, working_threads
from .finished_blocks import FinishedBlock
from .frames import FrameBlock, FrameModel
from .plan import TracePlan

RANGE_BLOCKS = 8
"""Blocks in the range of frames that one helper is given: some seconds' work, and few bytes to send."""


@dataclass(frozen=True)
class RangeWork:
    """What any range of a movie's frames needs.

    Attributes
    ----------
    movie : MoviePlace
        Where the frames are read.
    model : FrameModel
        Fitted to the movie's sample.
    plan : TracePlan
        What is done with each block.
    block_frames : int
        Frames that are taken up at once.
    """

    movie: MoviePlace
    model: FrameModel
    plan: TracePlan
    block_frames: int


def stretch_frames(movie: Movie, block_frames: int) -> int:
    """Frames that are read together: whole chunks, unless these take more bytes than four blocks do."""
    stretch = movie.chunk_frames * max(1, block_frames // movie.chunk_frames)
    return min(stretch, 4 * block_frames * max(1, 4 // movie.dtype.itemsize))


def cut_ranges(movie: Movie, block_frames: int, first: int) -> list[tuple[int, int]]:
    """Cut a movie's frames, from `first` on, into ranges that end where stretches do."""
    stretch = stretch_frames(movie, block_frames)
    step = stretch * max(1, RANGE_BLOCKS * block_frames // stretch)
    ends = [*range(first - first % step + step, movie.n_frames, step), movie.n_frames]
    return list(zip([first, *ends], ends, strict=False))


def finished_blocks(
    movie: Movie, model: FrameModel, plan: TracePlan, block_frames: int, frames: tuple[int, int]
) -> Iterator[FinishedBlock]:
    """Traces of a range of frames, block by block; the same blocks, whatever range they are in.

    The range begins where a block does. Several blocks are worked on at once, while more frames are read.
    """

    def finished(raw: NDArray[Any]) -> FinishedBlock:
        return finish(plan, model.measure(raw))

    parts = _read_parts(movie, block_frames, frames)
    with linear_algebra_in_one_thread():
        yield from in_order(finished, parts, working_threads())


def _read_parts(movie: Movie, block_frames: int, frames: tuple[int, int]) -> Iterator[NDArray[Any]]:
    """Frames of a range, block by block; the next stretch is read while the present one is worked on."""
    first, stop = frames
    stretch = stretch_frames(movie, block_frames)
    starts = range(first - first % stretch, stop, stretch)
    bounds = [(max(start, first), min(start + stretch, stop)) for start in starts]
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(movie.read, *bounds[0])
        for following in [*bounds[1:], None]:
            read = ahead.result()
            if following is not None:
                ahead = reader.submit(movie.read, *following)
            for part in range(0, len(read), block_frames):
                yield read[part : part + block_frames]


def finish(plan: TracePlan, block: FrameBlock) -> FinishedBlock:
    """Traces of a measured block."""
    return FinishedBlock(plan.traces(block), block.coefficients.astype(np.float32), block.missing)


def finish_range(work: RangeWork, frames: tuple[int, int]) -> FinishedBlock:
    """Traces of a range, read and computed wherever this is called."""
    with opened_place(work.movie) as movie:
        blocks = list(finished_blocks(movie, work.model, work.plan, work.block_frames, frames))
    return FinishedBlock(
        np.concatenate([block.traces for block in blocks], axis=2),
        np.concatenate([block.coefficients for block in blocks]),
        np.concatenate([block.missing for block in blocks]),
    )
