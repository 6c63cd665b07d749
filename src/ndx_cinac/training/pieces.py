"""Pieces of traces that a network is trained on: drawn by source and by kind, altered where that is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..traces import CHANNELS
from .labelled import Example
from .settings import AugmentationSettings, PieceSettings

KINDS = ("transients", "neighbours", "noise")
"""Kinds of pieces, as in `PieceSettings`: the ROI is active in it, only an ROI beside it is, or neither."""


@dataclass(frozen=True)
class Share:
    """Examples of one source, and how often pieces of it are drawn relative to others.

    Attributes
    ----------
    examples : sequence of Example
        Each ROI is drawn as often as any other.
    weight : float
        Above 0.
    altered : bool
        Whether pieces are altered as they are drawn.
    """

    examples: Sequence[Example]
    weight: float = 1.0
    altered: bool = False


class Pieces:
    """Random pieces of examples; `state` and `restore` keep and put back the chance that they are drawn by.

    Parameters
    ----------
    shares : sequence of Share
        What to draw from.
    length : int
        Frames per piece; a shorter recording is followed by frames that do not count.
    batch_size : int
        Pieces per batch.
    seed : int
        The same seed gives the same pieces.
    kinds : PieceSettings
        How often each kind is drawn; a kind that a source has no piece of gives way to its others.
    augmentation : AugmentationSettings
        How pieces of altered shares vary.

    Raises
    ------
    ConfigError
        If no piece of the kinds asked for can be drawn.
    """

    def __init__(
        self,
        shares: Sequence[Share],
        length: int,
        batch_size: int,
        *,
        seed: int = 0,
        kinds: PieceSettings | None = None,
        augmentation: AugmentationSettings | None = None,
    ) -> None:
        self._shares = [share for share in shares if share.examples]
        self._length, self._batch_size = length, batch_size
        self._augmentation = augmentation or AugmentationSettings()
        kinds = kinds or PieceSettings()
        self._rng = np.random.default_rng([seed, sum(len(share.examples) for share in shares)])
        wanted = np.array([getattr(kinds, name) for name in KINDS], float)
        self._places = [_places(share.examples, length) for share in self._shares]
        weights, self._kinds = [], []
        for share, places in zip(self._shares, self._places, strict=True):
            ends = (wanted * [len(rows) > 0 for rows in places]).cumsum()
            weights.append(share.weight if ends[-1] else 0.0)
            self._kinds.append(ends / (ends[-1] or 1.0))
        if not sum(weights):
            what = "There is nothing to train on: no piece of the kinds that are to be drawn"
            raise ConfigError(what, fix="Give sources with annotated ROIs, or other shares of kinds")
        self._sources = np.cumsum(weights) / np.cumsum(weights)[-1]

    def draw(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return a batch: channels, labels, and the weight of each frame."""
        pieces = [self._piece() for _ in range(self._batch_size)]
        channels, taught, weight = (
            np.stack([piece[part] for piece in pieces]).astype(np.float32) for part in range(3)
        )
        return channels, taught, weight

    def state(self) -> dict[str, Any]:
        """Return what the next batches depend on, as JSON types."""
        return dict(self._rng.bit_generator.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self._rng.bit_generator.state = state

    def _piece(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Draw source, kind, ROI and first frame, in this order."""
        rng = self._rng
        source = int(np.searchsorted(self._sources, rng.random(), side="right"))
        kind = int(np.searchsorted(self._kinds[source], rng.random(), side="right"))
        places = self._places[source][kind]
        number, roi = (int(v) for v in places[rng.integers(len(places))])
        example = self._shares[source].examples[number]
        settings = self._augmentation
        altered = self._shares[source].altered and rng.random() < settings.pieces
        stretch = float(np.exp(rng.uniform(-1, 1) * np.log(settings.stretch))) if altered else 1.0
        starts = np.flatnonzero(_kind_of_starts(example, roi, self._length) == kind)
        start = int(starts[rng.integers(len(starts))])
        channels, taught, weight = self._cut(example, roi, start, stretch)
        return (_alter(channels, settings, rng) if altered else channels), taught, weight

    def _cut(
        self, example: Example, roi: int, start: int, stretch: float
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Cut a piece out, with time stretched about its middle; frames beyond the recording do not count."""
        n_frames, length = example.channels.shape[1], self._length
        if stretch == 1.0:
            part = slice(start, start + length)
            pieces = (example.channels[roi, part], example.taught[roi, part], example.weight[roi, part])
            missing = length - len(pieces[0])
            if not missing:
                return pieces
            return tuple(np.pad(p, [(0, missing)] + [(0, 0)] * (p.ndim - 1)) for p in pieces)  # type: ignore[return-value]
        middle = start + (min(length, n_frames) - 1) / 2
        place = middle + (np.arange(length) - (length - 1) / 2) / stretch
        inside = (place >= 0) & (place <= n_frames - 1)
        before = np.clip(place.astype(np.int64), 0, max(0, n_frames - 2))
        after = np.minimum(before + 1, n_frames - 1)
        share = (place - before).astype(np.float32)[:, None]
        source = example.channels[roi]
        channels = source[before].astype(np.float32) * (1 - share) + source[after] * share
        nearest = np.clip(np.rint(place), 0, n_frames - 1).astype(np.int64)
        return (
            np.where(inside[:, None], channels, 0),
            example.taught[roi, nearest] * inside,
            example.weight[roi, nearest] * inside,
        )


def _places(examples: Sequence[Example], length: int) -> list[NDArray[np.int64]]:
    """For each kind, the ROIs (number of the example, row) that have pieces of it, shape (n, 2)."""
    found: list[list[tuple[int, int]]] = [[] for _ in KINDS]
    for number, example in enumerate(examples):
        for roi in range(len(example.channels)):
            for kind in np.unique(_kind_of_starts(example, roi, length)):
                if kind >= 0:
                    found[kind].append((number, roi))
    return [np.array(rows, np.int64).reshape(-1, 2) for rows in found]


def _kind_of_starts(example: Example, roi: int, length: int) -> NDArray[np.int8]:
    """Kind of the piece that begins at each frame; -1 where too little of it is known to be drawn.

    A piece is drawn where at least half as many frames count as in the ROI's piece with the most.
    """
    judged = example.judged[roi]
    known = _sums(judged, length)
    own = _sums(example.active[roi] & judged, length) > 0
    beside = _sums(example.neighbours[roi] & judged, length) > 0
    kind = np.where(own, 0, np.where(beside, 1, 2)).astype(np.int8)
    kind[(2 * known < known.max()) | (known == 0)] = -1
    return kind


def _sums(frames: NDArray[np.bool_], length: int) -> NDArray[np.int64]:
    """Count the true frames in the piece that begins at each frame."""
    total = np.concatenate([[0], np.cumsum(frames)])
    length = min(length, len(frames))
    return np.asarray(total[length:] - total[:-length])


def _alter(
    channels: NDArray[Any], settings: AugmentationSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Make the traces of a piece higher or lower against their amplitude, and noisier, channel by channel."""
    factor = float(np.exp(rng.uniform(-1, 1) * np.log(settings.piece_amplitude)))
    noise = float(rng.uniform(0, settings.piece_noise))
    grown = float(np.hypot(1, noise))
    altered = channels.astype(np.float32)
    ratio = np.exp(2 * altered[:, _RATIO]) if _RATIO is not None else None
    drawn = rng.standard_normal(len(altered), np.float32) * np.float32(noise)
    for i, name in enumerate(CHANNELS):
        if name.endswith("/ amplitude"):
            added = drawn / ratio if ratio is not None and name in _NOISY else 0
            altered[:, i] = (altered[:, i] + added) * factor
        elif name.startswith("asinh("):
            altered[:, i] = np.arcsinh((np.sinh(2 * altered[:, i]) + drawn) / grown) / 2
    if _RATIO is not None:
        altered[:, _RATIO] -= np.log(factor * grown) / 2
    return altered


_RATIO = CHANNELS.index("log(amplitude / noise)") if "log(amplitude / noise)" in CHANNELS else None
_NOISY = frozenset(
    {"demixed / amplitude", "demixed with masks / amplitude", "matched filter / amplitude"}
    | {"mean within the mask / amplitude"}
)
