"""Which rises of a noise-free trace are called transients: a convention, and conventions differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .draws import chance, log_uniform
from .settings import ActivitySettings

SMALLEST_STEP = 0.01
"""A trace rises where it gains more than this from one frame to the next (a typical transient is 1 high)."""

LEAST_TYPICAL = 0.8
"""What rises are compared with is at least so large, whatever the cell's own are."""

ALL_FRAMES = slice(None)


@dataclass(frozen=True)
class Convention:
    """What one annotator calls a transient.

    Attributes
    ----------
    smallest : float
        Smallest rise that is one, as a part of `size_of` its trace.
    doubtful : float
        Smallest rise that is doubtful, likewise; smaller ones are none.
    tallest : bool
        Whether rises are compared with the height that transients reach together, or with a typical rise.
    """

    smallest: float
    doubtful: float
    tallest: bool = False

    def size_of(self, trace: NDArray[np.floating]) -> float:
        """Return what the rises of a trace are compared with, at least `LEAST_TYPICAL`."""
        size = float(np.percentile(trace, 99.5)) if self.tallest else typical_rise(trace)
        return max(size, LEAST_TYPICAL)

    def label(
        self, trace: NDArray[np.floating], *, context: slice = ALL_FRAMES, size: float | None = None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Mark every rise of a noise-free trace from its onset (the last frame before it) to its peak.

        Parameters
        ----------
        trace : ndarray, shape (n,)
            The trace; a typical transient is 1 high.
        context : slice
            The frames to return; those around them only help to find rises that cross the ends.
        size : float, optional
            What rises are compared with, where it is not `size_of` the frames returned: that of the ROI's
            other cell.

        Returns
        -------
        active, ignored : ndarray of bool
            The labels of the frames asked for; no frame is both.
        """
        size = self.size_of(trace[context]) if size is None else size
        active, ignored = np.zeros(len(trace), bool), np.zeros(len(trace), bool)
        for onset, peak in zip(*_rises(trace), strict=True):
            rise = trace[peak] - trace[onset]
            if rise >= self.smallest * size:
                active[onset : peak + 1] = True
            elif rise >= self.doubtful * size:
                ignored[onset : peak + 1] = True
        return active[context], (ignored & ~active)[context]


def draw_convention(rng: np.random.Generator, settings: ActivitySettings) -> Convention:
    """Draw the annotator of a field; the field itself is the same for all of them."""
    own = rng.spawn(1)[0]
    smallest = log_uniform(own, settings.smallest_transient)
    return Convention(
        smallest, settings.doubtful_from * smallest, tallest=chance(own, settings.tallest_probability)
    )


def conventions(settings: ActivitySettings, n_sizes: int = 6) -> list[tuple[Convention, float]]:
    """Return annotators that stand for all that `draw_convention` may draw, each with its probability.

    The smallest rises are the middles of `n_sizes` ranges that are equally probable.
    """
    low, high = settings.smallest_transient
    n_sizes = n_sizes if high > low else 1
    parts = (np.arange(n_sizes) + 0.5) / n_sizes
    sizes = low * (high / low) ** parts if low > 0 else np.zeros(1)
    kinds = ((True, settings.tallest_probability), (False, 1 - settings.tallest_probability))
    return [
        (Convention(float(size), settings.doubtful_from * float(size), tallest), share / len(sizes))
        for size in sizes
        for tallest, share in kinds
        if share > 0
    ]


def typical_rise(trace: NDArray[np.floating]) -> float:
    """Return the size of a noise-free trace's typical rise; 0 where it never rises.

    Rises of at least this size make half of all that the trace rises: many tiny ones hardly count, and
    transients that ride on one another count by what each of them adds, not by the height that they reach.
    """
    onsets, peaks = _rises(trace)
    sizes = np.sort(trace[peaks] - trace[onsets])[::-1]
    if not len(sizes):
        return 0.0
    half = int(np.searchsorted(np.cumsum(sizes), 0.5 * sizes.sum()))
    return float(sizes[min(half, len(sizes) - 1)])


def _rises(trace: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Last frame before each rise, and its last frame."""
    rising = np.diff(np.asarray(trace, np.float64)) > SMALLEST_STEP
    edges = np.diff(np.concatenate([[0], rising.astype(np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
