"""What goes wrong with simulated recordings: frames that are missing and lines that are dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .draws import chance, log_uniform
from .optics import CameraSettings


@dataclass(frozen=True)
class Defects:
    """What is missing from one field's recording.

    Attributes
    ----------
    kept : ndarray of int64, shape (n_frames,)
        Which frames of the scene are recorded: all of them, unless frames were left out.
    black, repeated : ndarray of bool, shape (n_frames,)
        Frames without light, and those that show the one before again, while the cells go on.
    lines : ndarray of int64
        Rows or columns that are dead.
    axis : int
        1 if they are rows (first spatial axis), 2 if columns.
    empty : bool
        Whether what is dead or black reads 0; else the detector's offset and its noise.
    """

    kept: NDArray[np.int64]
    black: NDArray[np.bool_]
    repeated: NDArray[np.bool_]
    lines: NDArray[np.int64]
    axis: int
    empty: bool

    @property
    def n_scene_frames(self) -> int:
        """Frames that pass in the scene while the movie is recorded."""
        return int(self.kept[-1]) + 1

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Frames of the movie that show nothing of their own time."""
        return self.black | self.repeated

    def apply(self, rng: np.random.Generator, movie: NDArray[np.uint16], offset: float, noise: float) -> None:
        """Put the defects into a recorded movie; `offset` and `noise` (counts) are those in the dark."""
        self._darken(rng, movie, self.black, offset, noise)
        if len(self.lines):
            lines = np.moveaxis(movie, self.axis, 0)
            self._darken(rng, lines, self.lines, offset, noise)
        if self.repeated.any():
            shown = np.maximum.accumulate(np.where(self.repeated, 0, np.arange(len(movie))))
            movie[:] = movie[shown]

    def _darken(
        self,
        rng: np.random.Generator,
        values: NDArray[np.uint16],
        which: NDArray[np.bool_] | NDArray[np.int64],
        offset: float,
        noise: float,
    ) -> None:
        """Let part of an array read what the detector gives in the dark."""
        shape = values[which].shape
        dark = 0.0 if self.empty else offset + noise * rng.standard_normal(shape)
        values[which] = np.clip(np.rint(dark), 0, 65535).astype(np.uint16)

    def hide_unseen(
        self, active: NDArray[np.bool_], ignored: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Call rises that no frame shows doubtful, arrays (n, n_frames); those seen in part stay."""
        if not self.unseen.any():
            return active, ignored
        active, ignored = active.copy(), ignored.copy()
        for row in np.flatnonzero((active & self.unseen).any(axis=1)):
            edges = np.diff(np.concatenate([[0], active[row].astype(np.int8), [0]]))
            for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
                if self.unseen[first:end].all():
                    active[row, first:end], ignored[row, first:end] = False, True
        return active, ignored


def draw_defects(
    rng: np.random.Generator, settings: CameraSettings, shape: tuple[int, int], n_frames: int
) -> Defects:
    """Draw what goes wrong with a recording of `n_frames` frames."""
    black, repeated = np.zeros(n_frames, bool), np.zeros(n_frames, bool)
    kept = np.arange(n_frames)
    if chance(rng, settings.missing_probability) and n_frames > 2:
        kind = rng.integers(3)
        missing = max(1, round(log_uniform(rng, settings.missing) * n_frames))
        if kind == 2:
            kept = np.flatnonzero(~_gaps(rng, n_frames + missing, missing, settings.longest_gap))
        else:
            (black if kind == 0 else repeated)[:] = _gaps(rng, n_frames, missing, settings.longest_gap)
    lines, axis = np.zeros(0, np.int64), int(rng.integers(1, 3))
    if chance(rng, settings.dead_line_probability):
        low, high = settings.dead_lines
        number = min(int(rng.integers(low, high + 1)), shape[axis - 1] // 2)
        lines = rng.choice(shape[axis - 1], number, replace=False)
    return Defects(kept, black, repeated, lines, axis, empty=chance(rng, 0.5))


def _gaps(rng: np.random.Generator, n_frames: int, missing: int, longest: int) -> NDArray[np.bool_]:
    """Choose frames, single ones or several in a row; never the first or the last."""
    gaps = np.zeros(n_frames, bool)
    missing = min(missing, n_frames - 2)
    longest = max(1, longest) if chance(rng, 0.5) else 1
    while (left := missing - int(gaps.sum())) > 0:
        start = rng.integers(1, n_frames - 1)
        stop = min(start + rng.integers(1, longest + 1), start + left, n_frames - 1)
        gaps[start:stop] = True
    return gaps
