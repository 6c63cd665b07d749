"""Movie patches around one ROI: where a patch lies, and which of its pixels each input of a network sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..movies import BLOCK_BYTES, Movie, iterate_blocks
from .geometry import Outlines

Frames = NDArray[np.floating]
InputName = Literal["cell", "overlapping", "neuropil", "all"]

ACTIVITY_INPUTS: tuple[InputName, ...] = ("cell", "overlapping", "neuropil")
CELL_TYPE_INPUTS: tuple[InputName, ...] = ("cell", "all")

FLIPS: tuple[Callable[[Frames], Frames], ...] = (
    lambda frames: frames[:, :, ::-1],
    lambda frames: frames[:, ::-1],
    lambda frames: frames[:, ::-1, ::-1],
)
"""What augmented prediction shows a network besides the patch itself: left-right, upside down, both."""


@dataclass(frozen=True)
class PatchOptions:
    """What the patches of a classifier look like.

    Attributes
    ----------
    height, width : int
        Of a patch, in pixels.
    inputs : tuple of str
        What each input of the network shows: the pixels of the "cell", of the "overlapping" cells, of the
        "neuropil" (no cell), or "all".
    rules : {"legacy", "real"}
        "real": inputs show what their names say, and a patch reaches the last row and column of the frame.
        "legacy": what DeepCINAC computed under these names; see `input_masks`.
    buffer : float or None
        Pixels by which the outlines are widened before they are drawn.
    """

    height: int
    width: int
    inputs: tuple[InputName, ...] = ACTIVITY_INPUTS
    rules: Literal["legacy", "real"] = "real"
    buffer: float | None = None


@dataclass(frozen=True)
class PatchPlan:
    """Where the patch of one ROI lies and what its inputs see; made once per ROI.

    Attributes
    ----------
    rows, columns : slice
        The patch in the frame, along the movie's first and second spatial axis.
    offset : tuple of int
        Row and column of the patch at which the frame's pixels begin: above 0 only where the frame is
        smaller.
    size : tuple of int
        (height, width) of the patch.
    masks : ndarray of bool, shape (n_inputs, rows, columns)
        Pixels that each input sees; the others are 0 to it.
    """

    rows: slice
    columns: slice
    offset: tuple[int, int]
    size: tuple[int, int]
    masks: NDArray[np.bool_]

    def cut(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Pixels of the patch, shape (n_frames, rows, columns), of frames (n_frames, first, second)."""
        return frames[:, self.rows, self.columns]

    def fill(self, pixels: Frames, which: int, flip: Callable[[Frames], Frames] | None = None) -> Frames:
        """Make what one input sees.

        Parameters
        ----------
        pixels : ndarray of float, shape (n_frames, rows, columns)
            Normalized pixels, as cut.
        which : int
            The input.
        flip : callable, optional
            One of `FLIPS`.

        Returns
        -------
        ndarray of float32, shape (n_frames, height, width)
        """
        seen = np.where(self.masks[which], pixels, 0)
        seen = seen if flip is None else flip(seen)
        patch = np.zeros((len(pixels), *self.size), np.float32)
        top, left = self.offset
        patch[:, top : top + seen.shape[1], left : left + seen.shape[2]] = seen
        return patch


def plan_patch(outlines: Outlines, row: int, frame: tuple[int, int], options: PatchOptions) -> PatchPlan:
    """Decide where the patch of ROI `row` lies in frames of shape `frame`, and what its inputs see.

    The patch covers the ROI and as much of those that overlap it as fits. Where the frame is smaller than the
    patch, the whole frame is taken and centred between zeros.
    """
    sizes = (min(options.height, frame[0]), min(options.width, frame[1]))
    if sizes == frame:
        top, left = 0, 0
    else:
        left, top = patch_corner(outlines, row, frame, options)
    margins = ((options.height - sizes[0]) // 2, (options.width - sizes[1]) // 2)
    return PatchPlan(
        rows=slice(top, top + sizes[0]),
        columns=slice(left, left + sizes[1]),
        offset=margins,
        size=(options.height, options.width),
        masks=input_masks(outlines, row, (left, top), sizes, options),
    )


def patch_corner(
    outlines: Outlines, row: int, frame: tuple[int, int], options: PatchOptions
) -> tuple[int, int]:
    """Lowest (x, y) of the patch of one ROI.

    A patch is centred on the ROI's centroid and moved as far as it must to hold the ROI, unless that is
    larger than the patch, and to stay within the frame. By legacy rules, a patch ends before the frame's last
    row and column; it is not moved towards lower x to hold the ROI; and along y it begins no later than the
    ROIs that overlap this one.
    """
    legacy = options.rules == "legacy"
    bounds, centre = outlines.bounds(row), outlines.centroid(row)
    sizes = (options.width, options.height)
    too_large = any(bounds[axis + 2] - bounds[axis] + 1 >= sizes[axis] for axis in (0, 1))
    corner = []
    for axis, size in enumerate(sizes):
        begin = int(centre[axis]) - size // 2
        if not too_large:
            first, last = bounds[axis], bounds[axis + 2]
            if legacy:
                first = _legacy_first_row(outlines, row, begin) if axis == 1 else begin
            begin = max(min(begin, first), last - size + 1)
        highest = frame[1 - axis] - size - (1 if legacy else 0)
        corner.append(min(max(0, begin), max(0, highest)))
    return corner[0], corner[1]


def _legacy_first_row(outlines: Outlines, row: int, centred: int) -> int:
    """Where an ROI and those that overlap it begin along y, unless they end before a centred patch begins."""
    around = [outlines.bounds(int(r)) for r in (row, *np.flatnonzero(outlines.overlaps[row]))]
    return centred if max(b[3] for b in around) < centred else min(b[1] for b in around)


def input_masks(
    outlines: Outlines, row: int, corner: tuple[int, int], size: tuple[int, int], options: PatchOptions
) -> NDArray[np.bool_]:
    """Pixels of a patch that each input of a network sees: the one place where legacy and real masks part.

    DeepCINAC meant its second and third input to show the overlapping cells and the neuropil. It used the
    masks as row numbers instead: whatever is 0 in a mask became row 0, whatever is 1 row 1. So its second and
    third input show the whole patch but for its first row, its second, or both. All its classifiers were
    trained on that and must be given it; a classifier whose rules are "real" gets what the names of its
    inputs say.

    Parameters
    ----------
    outlines : Outlines
    row : int
        The ROI.
    corner : tuple of int
        Lowest (x, y) of the patch in the frame.
    size : tuple of int
        (height, width) of the patch.
    options : PatchOptions

    Returns
    -------
    ndarray of bool, shape (n_inputs, height, width)
    """
    cell = outlines.mask(row, corner, size, options.buffer)
    others = [
        outlines.mask(int(other), corner, size, options.buffer)
        for other in np.flatnonzero(outlines.overlaps[row])
    ]
    if options.rules == "legacy":
        masks = _legacy_masks(cell, others)
    else:
        overlapping = np.logical_or.reduce([np.zeros_like(cell), *others])
        masks = {"cell": cell, "overlapping": overlapping & ~cell, "neuropil": ~(cell | overlapping)}
    masks["all"] = np.ones_like(cell)
    return np.stack([masks[name] for name in options.inputs])


def _legacy_masks(cell: NDArray[np.bool_], others: list[NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    """Give what DeepCINAC's inputs show under the names that they bear."""

    def hidden_rows(masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        rows = np.zeros(len(cell), bool)
        for mask in masks:
            rows[np.unique(mask).astype(int)] = True
        return rows

    def all_but(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        seen = np.ones_like(cell)
        seen[np.unique(rows).astype(int)] = False
        return seen

    return {
        "cell": cell,
        "overlapping": all_but(~hidden_rows(others)),
        "neuropil": all_but(hidden_rows([cell, *others])),
    }


@dataclass(frozen=True)
class Normalization:
    """The mean and standard deviation that make a movie's pixels standard scores.

    Attributes
    ----------
    mean, deviation : float
        Over all pixels of all frames.
    """

    mean: float = 0.0
    deviation: float = 1.0

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Pixels as standard scores; those that are not numbers become 0, the mean."""
        scores = (pixels - self.mean) / (self.deviation or 1.0)
        return np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)


def movie_normalization(movie: Movie) -> Normalization:
    """Mean and standard deviation of a whole movie, read in blocks; what is not a number does not count."""
    count, mean, squares = 0, 0.0, 0.0
    # A block is turned into float64, and held twice while its finite pixels are found.
    for start, stop in iterate_blocks(movie, BLOCK_BYTES // (8 * movie.shape[1] * movie.shape[2])):
        block = movie.read(start, stop).astype(np.float64, copy=False)
        values = block[np.isfinite(block)]
        if values.size == 0:
            continue
        # Joined as by Chan, Golub and LeVeque (1979): no large numbers are subtracted from each other.
        here, total = values.mean(), count + values.size
        squares += ((values - here) ** 2).sum() + (here - mean) ** 2 * count * values.size / total
        mean += (here - mean) * values.size / total
        count = total
    return Normalization(float(mean), float(np.sqrt(squares / count)) if count else 1.0)
