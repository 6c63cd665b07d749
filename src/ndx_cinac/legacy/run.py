"""Windows of any number of ROIs through one legacy network: every frame of a patch passes the CNN once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..classifiers import Classifier
from ..deepcinac.patches import FLIPS, PatchOptions, PatchPlan, plan_patch
from ..errors import ConfigError, PredictionError
from ..journal import Journal
from ..progress import Progress
from ..recording import CinacRecording

if TYPE_CHECKING:
    from .networks import CutNetwork

BLOCK_BYTES = 256 * 2**20
"""Memory for a block of frames of the movie, where nothing else is asked for."""

BLOCK_FRAMES = 2000
KEPT_TOGETHER = 16
"""ROIs whose windows in a block of frames are kept together in a journal."""

WINDOWS_TOGETHER = 32


@dataclass(frozen=True)
class LegacyOptions:
    """How a legacy classifier is used; the defaults are DeepCINAC's.

    Attributes
    ----------
    overlap : float
        Fraction of a window that it shares with the next, from 0 to below 1. Where windows overlap, the
        highest value counts.
    augment : bool
        Whether flipped patches (left-right, upside down, both) are predicted as well; the highest value
        counts.
    buffer : float or None
        Pixels by which outlines are widened.
    batch_size : int
        Windows computed together; halved when the device runs out of memory.
    block_bytes : int
        Memory for a block of frames of the movie; a block holds at least one window.
    one_by_one : bool
        Whether each window passes the whole network alone, as in DeepCINAC: several times slower, and rounded
        as there. Where pixels are not normalised, rounding alone makes a difference of up to 4e-5.
    """

    overlap: float = 0.5
    augment: bool = False
    buffer: float | None = None
    batch_size: int = WINDOWS_TOGETHER
    block_bytes: int = BLOCK_BYTES
    one_by_one: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.block_bytes < 1 or (self.buffer is not None and self.buffer < 0):
            what = f"No windows can be predicted with {self}"
            raise ConfigError(what, fix="Sizes are at least 1, a buffer is 0 or more")


class LegacyRun:
    """One classifier on one recording."""

    def __init__(self, recording: CinacRecording, classifier: Classifier, options: LegacyOptions) -> None:
        from .networks import cut_network

        self.recording, self.movie = recording, recording.require_movie()
        self.inputs, self.options = classifier.card.inputs, options
        self.network = cut_network(classifier.network())
        self.flips = [None, *FLIPS] if options.augment else [None]
        self.queue = _Queue(self.network, options.batch_size)

    def predict(
        self,
        rows: NDArray[np.int64],
        starts: Sequence[NDArray[np.int64]],
        progress: Progress,
        journal: Journal | None = None,
    ) -> list[NDArray[np.float32]]:
        """Predict the windows of each ROI: per ROI (n_windows x n_flips, ...), a window before its flips.

        With a journal, the windows of a few ROIs in a block of frames are kept together.
        """
        plans = [self._plan(int(row)) for row in rows]
        shape = self.network.output_shape
        found = [np.zeros((len(begin) * len(self.flips), *shape), np.float32) for begin in starts]
        total, done = sum(map(len, starts)), 0
        for block in self._blocks(np.unique(np.concatenate(starts))) if len(starts) else []:
            frames: NDArray[Any] | None = None
            for first in range(0, len(rows), len(rows) if journal is None else KEPT_TOGETHER):
                last = None if journal is None else first + KEPT_TOGETHER
                group = _Group.of(block, slice(first, last), starts)
                if not group.restore(journal, found, len(self.flips)):
                    if frames is None:
                        frames = self.movie.read(int(block[0]), int(block[-1]) + self.network.window)
                    for roi, chosen in group.windows.items():
                        begin = starts[roi][chosen] - block[0]
                        plan = plans[roi]
                        self._queue_windows(plan.cut(frames), plan, begin, chosen, found[roi])
                    if journal is not None:
                        self.queue.flush()
                        group.keep(journal, found, len(self.flips))
                done += group.n_windows
                progress("predict", done, total)
        self.queue.flush()
        return found

    def _plan(self, row: int) -> PatchPlan:
        """Lay out the patch of one ROI."""
        rois = self.recording.require_rois()
        if not 0 <= row < len(rois) or row in rois.skipped:
            why = rois.skipped.get(row, f"there are {len(rois)} ROIs")
            what = f"ROI {row} cannot be predicted: {why}"
            raise PredictionError(what, where=f"recording '{self.recording.identifier}'")
        options = PatchOptions(
            height=int(self.inputs["height"]),
            width=int(self.inputs["width"]),
            inputs=tuple(self.inputs["inputs"]),
            rules=self.inputs["rules"],
            buffer=self.options.buffer,
        )
        return plan_patch(self.recording.outlines, row, self.movie.shape[1:], options)

    def _blocks(self, starts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Cut ascending first frames of windows into groups whose frames are read together."""
        window = self.network.window
        most = min(BLOCK_FRAMES, self.options.block_bytes // self.movie.frame_bytes)
        while len(starts):
            size = max(1, int(np.searchsorted(starts, starts[0] + most - window, side="right")))
            yield starts[:size]
            starts = starts[size:]

    def _queue_windows(
        self,
        pixels: NDArray[Any],
        plan: PatchPlan,
        offsets: NDArray[np.int64],
        places: NDArray[np.int64],
        target: NDArray[np.float32],
    ) -> None:
        """Encode the frames of some windows of one ROI, each frame once, and queue the windows.

        `pixels` are the patch's in a block, `offsets` the windows' first frames there, `places` their places
        in `target`.
        """
        frames = offsets[:, None] + np.arange(self.network.window)
        needed, index = np.unique(frames, return_inverse=True)
        normalized = self.recording.normalization(pixels[needed])
        for number, flip in enumerate(self.flips):
            shown = [plan.fill(normalized, which, flip) for which in range(self.network.n_inputs)]
            if self.options.one_by_one:
                for place, window in zip(places, index.reshape(frames.shape), strict=True):
                    alone = [each[window] for each in shown]
                    target[place * len(self.flips) + number] = self.network.predict_alone(alone)
                continue
            features = self.network.encode(shown)
            self.queue.add(features, index.reshape(frames.shape), target, places * len(self.flips) + number)


@dataclass(frozen=True)
class _Group:
    """The windows of some ROIs that begin in a block: by ROI their places among all of its windows."""

    name: str
    windows: dict[int, NDArray[np.int64]]

    @classmethod
    def of(cls, block: NDArray[np.int64], rois: slice, starts: Sequence[NDArray[np.int64]]) -> Self:
        """Make the group of a block and some ROIs."""
        chosen = {
            roi: np.flatnonzero(np.isin(starts[roi], block)) for roi in range(*rois.indices(len(starts)))
        }
        windows = {roi: places for roi, places in chosen.items() if len(places)}
        return cls(f"windows-{block[0]}-{rois.start}", windows)

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return sum(map(len, self.windows.values()))

    def keep(self, journal: Journal, found: list[NDArray[np.float32]], n_flips: int) -> None:
        """Keep what was found."""
        parts = [found[roi][_all_flips(places, n_flips)] for roi, places in self.windows.items()]
        if parts:
            journal.keep(self.name, values=np.concatenate(parts))

    def restore(self, journal: Journal | None, found: list[NDArray[np.float32]], n_flips: int) -> bool:
        """Put what an earlier run has found into `found`; False if it has not."""
        kept = None if journal is None else journal.load(self.name)
        if kept is None:
            return False
        values = kept["values"]
        for roi, places in self.windows.items():
            places = _all_flips(places, n_flips)
            found[roi][places], values = values[: len(places)], values[len(places) :]
        return True


def _all_flips(places: NDArray[np.int64], n_flips: int) -> NDArray[np.int64]:
    """Places of windows and of their flips."""
    return np.asarray((places[:, None] * n_flips + np.arange(n_flips)).ravel(), np.int64)


class _Queue:
    """Windows of any ROI that wait until they fill a batch."""

    def __init__(self, network: CutNetwork, batch_size: int) -> None:
        self.network, self.batch_size = network, batch_size
        self.waiting: list[tuple[list[Any], NDArray[np.float32], NDArray[np.int64]]] = []

    def add(
        self,
        features: list[Any],
        frames: NDArray[np.int64],
        target: NDArray[np.float32],
        places: NDArray[np.int64],
    ) -> None:
        """Queue windows: the rows `frames` (n_windows, window) of `features`, for `places` in `target`."""
        while len(places):
            free = self.batch_size - sum(len(part) for _, _, part in self.waiting)
            windows = [self.network.gather(feature, frames[:free]) for feature in features]
            self.waiting.append((windows, target, places[:free]))
            if len(places) >= free:
                self.flush()
            frames, places = frames[free:], places[free:]

    def flush(self) -> None:
        """Decide on the windows that wait."""
        if not self.waiting:
            return
        decided = self.network.decide([windows for windows, _, _ in self.waiting])
        for _, target, places in self.waiting:
            target[places], decided = decided[: len(places)], decided[len(places) :]
        self.waiting = []
