"""Altered versions of recordings: the movie, its masks and its labels, changed together before extraction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..movies import Movie
from ..rois import Rois
from .labelled import LabelledMovie
from .settings import AugmentationSettings

NOISE_FRAMES = 40
"""Frames that a movie's noise is measured on."""

FEWEST_PIXELS = 6
"""A mask is not made smaller than this."""

_CROSS = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])


@dataclass(frozen=True)
class Alteration:
    """What is done to one version of a recording; drawn by `draw_alteration`.

    Attributes
    ----------
    flip : bool
        Whether the first spatial axis is reversed.
    turns : int
        Quarter turns after that.
    angle : float
        Radians by which it is turned before both.
    move : tuple of float
        Pixels by which it is moved along both axes, with the turn.
    drift : float
        Pixels by which frames drift beyond that, at most.
    gain, flicker : float
        Factor on brightness, and the relative standard deviation of its change from frame to frame.
    noise : float
        Standard deviation of added noise, in units of the movie's own.
    mask_errors : float
        Share of masks that are changed.
    stretch : float
        Number of frames after over number of frames before.
    seed : int
        Of the noise, the drift and the masks.
    """

    flip: bool
    turns: int
    angle: float
    move: tuple[float, float]
    drift: float
    gain: float
    flicker: float
    noise: float
    mask_errors: float
    stretch: float
    seed: int


def draw_alteration(settings: AugmentationSettings, rng: np.random.Generator) -> Alteration:
    """Draw one version's alterations; half of the versions keep their pixels: no turn, move or drift."""

    def factor(largest: float) -> float:
        return float(np.exp(rng.uniform(-1, 1) * np.log(largest)))

    resampled = rng.random() < 0.5
    angle, drift = (rng.uniform(-1, 1) * np.radians(settings.rotation), rng.uniform(0, settings.shift))
    move = rng.uniform(-settings.shift, settings.shift, 2)
    return Alteration(
        flip=bool(settings.flips and rng.random() < 0.5),
        turns=int(rng.integers(4)) if settings.flips else 0,
        angle=float(angle) if resampled else 0.0,
        move=(float(move[0]), float(move[1])) if resampled else (0.0, 0.0),
        drift=float(drift) if resampled else 0.0,
        gain=factor(settings.brightness),
        flicker=float(rng.uniform(0, settings.flicker)),
        noise=float(rng.uniform(0, settings.noise)),
        mask_errors=settings.mask_errors,
        stretch=factor(settings.stretch),
        seed=int(rng.integers(2**31)),
    )


def alter(labelled: LabelledMovie, alteration: Alteration) -> LabelledMovie:
    """Return an altered version of a recording; its movie is altered block by block, as it is read."""
    movie = AlteredMovie(labelled.movie, alteration)
    frames = np.rint(movie.positions).astype(np.int64)
    return replace(
        labelled,
        movie=movie,
        rois=alter_masks(labelled.rois, alteration),
        active=labelled.active[frames],
        judged=labelled.judged[frames],
        frame_rate=labelled.frame_rate * len(frames) / labelled.movie.n_frames,
    )


class AlteredMovie(Movie):
    """A movie that is altered as it is read: the same frame is altered alike whenever it is read.

    Attributes
    ----------
    positions : ndarray of float64, shape (n_frames,)
        Where each frame lies among the frames of the movie that is altered.
    """

    def __init__(self, movie: Movie, alteration: Alteration) -> None:
        self._movie, self._alteration = movie, alteration
        n_before, first, second = movie.shape
        n_frames = max(1, round(n_before * alteration.stretch))
        self.positions = np.linspace(0, n_before - 1, n_frames)
        self.shape = (n_frames, *((second, first) if alteration.turns % 2 else (first, second)))
        self.dtype = np.dtype(np.float32)
        self.chunk_frames = max(1, round(movie.chunk_frames * alteration.stretch))
        self._noise = _noise_of(movie)
        rng = np.random.default_rng(alteration.seed)
        self._flicker = 1 + alteration.flicker * rng.normal(size=n_frames)
        phase = rng.uniform(0, 2 * np.pi, 2) + np.arange(n_frames)[:, None] * rng.uniform(0.01, 0.2, 2)
        self._drift = alteration.drift * np.sin(phase)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive), altered."""
        stop = min(stop, self.n_frames)
        positions = self.positions[start:stop]
        before = np.minimum(positions.astype(np.int64), self._movie.n_frames - 1)
        share = (positions - before).astype(np.float32)[:, None, None]
        after = np.minimum(before + 1, self._movie.n_frames - 1)
        source = self._movie.read(int(before[0]), int(after[-1]) + 1).astype(np.float32)
        frames = source[before - before[0]] * (1 - share) + source[after - before[0]] * share
        smoothing = 1 - (1 - share) ** 2 - share**2  # noise that was lost between two frames
        return self._alter(frames, start, np.sqrt(self._alteration.noise**2 + smoothing) * self._noise)

    def _alter(
        self, frames: NDArray[np.float32], start: int, noise: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Change brightness, add noise, and turn; blank frames stay blank."""
        alteration = self._alteration
        shown = np.ptp(frames, axis=(1, 2)) > 0
        result = np.empty((len(frames), *self.shape[1:]), np.float32)
        for i, frame in enumerate(frames):
            if alteration.angle or any(alteration.move) or alteration.drift:
                frame = self._moved(frame, self._drift[start + i])
            if shown[i]:
                rng = np.random.default_rng([alteration.seed, start + i])
                frame = frame + noise[i] * rng.standard_normal(frame.shape, np.float32)
                frame = frame * np.float32(alteration.gain * self._flicker[start + i])
            frame = frame[::-1] if alteration.flip else frame
            result[i] = np.rot90(frame, alteration.turns)
        return result

    def _moved(self, frame: NDArray[np.float32], drift: NDArray[np.float64]) -> NDArray[np.float32]:
        ndimage = require("scipy.ndimage", extra="train", feature="Augmentation")
        turn, offset = _affine(self._alteration, frame.shape)
        moved: NDArray[np.float32] = ndimage.affine_transform(
            frame, turn, offset + drift, order=1, mode="nearest"
        )
        return moved


def alter_masks(rois: Rois, alteration: Alteration) -> Rois:
    """Turn and move masks as the movie, and change some of them; masks cut by half or more are left out."""
    rng = np.random.default_rng([alteration.seed, len(rois)])
    shape = rois.shape[::-1] if alteration.turns % 2 else rois.shape
    pixels, weights, skipped = [], [], dict(rois.skipped)
    for row in range(len(rois)):
        own, own_weights = rois.pixels(row).astype(np.int64), rois.pixel_weights(row)
        wrong = rng.random() < alteration.mask_errors
        step, kind = rng.integers(-1, 2, 2), rng.integers(3)
        if len(own) and row not in skipped:
            n_before = len(own)
            if wrong:
                own, own_weights = _wrong_mask(own, own_weights, rois.shape, int(kind), step)
            own, own_weights = _turned(own, own_weights, rois.shape, alteration)
            if 2 * len(own) <= n_before and len(own) < FEWEST_PIXELS:
                skipped[row] = "turned out of the field"
        pixels.append(own)
        weights.append(own_weights)
    altered = Rois.from_pixels(pixels, shape, weights=weights, ids=rois.ids, skipped=skipped)
    return replace(altered, unselected={r: why for r, why in rois.unselected.items() if r not in skipped})


def _noise_of(movie: Movie) -> float:
    """Measure a pixel's noise, as a standard deviation, by differences of successive frames."""
    frames = movie.read(0, min(NOISE_FRAMES, movie.n_frames)).astype(np.float32)
    if len(frames) < 2:
        return 0.0
    size = np.abs(np.diff(frames, axis=0))
    return float(1.4826 / np.sqrt(2) * np.median(size[np.isfinite(size)])) if np.isfinite(size).any() else 0.0


def _affine(
    alteration: Alteration, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset that take a place in the result to one in the movie, about the field's middle."""
    cosine, sine = np.cos(alteration.angle), np.sin(alteration.angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    middle = (np.array(shape) - 1) / 2
    return turn, middle - turn @ middle + np.array(alteration.move)


def _turned(
    pixels: NDArray[np.int64], weights: NDArray[np.float32], shape: tuple[int, int], alteration: Alteration
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pixels of the result whose nearest pixel before was one of the mask's, then flipped and turned."""
    if alteration.angle or any(alteration.move):
        turn, offset = _affine(alteration, shape)
        middles = np.floor((pixels - offset) @ turn).astype(
            np.int64
        )  # the inverse of a turn is its transpose
        around = np.stack(np.meshgrid([-1, 0, 1, 2], [-1, 0, 1, 2]), axis=-1).reshape(-1, 2)
        candidates = np.unique((middles[:, None] + around).reshape(-1, 2), axis=0)
        candidates = candidates[((candidates >= 0) & (candidates < shape)).all(axis=1)]
        origin = np.rint(candidates @ turn.T + offset).astype(np.int64)
        place = {(int(a), int(b)): i for i, (a, b) in enumerate(pixels)}
        found = np.array([place.get((int(a), int(b)), -1) for a, b in origin], np.int64)
        pixels, weights = candidates[found >= 0], weights[found[found >= 0]]
    if alteration.flip:
        pixels = np.stack([shape[0] - 1 - pixels[:, 0], pixels[:, 1]], axis=1)
    for _ in range(alteration.turns):
        pixels = np.stack([shape[1] - 1 - pixels[:, 1], pixels[:, 0]], axis=1)
        shape = (shape[1], shape[0])
    return pixels, weights


def _wrong_mask(
    pixels: NDArray[np.int64],
    weights: NDArray[np.float32],
    shape: tuple[int, int],
    kind: int,
    step: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Make a mask a pixel smaller (kind 0), larger (1), or moved by `step` (2)."""
    if kind == 2:
        moved = pixels + step
        inside = ((moved >= 0) & (moved < shape)).all(axis=1)
        return moved[inside], weights[inside]
    numbers = pixels[:, 0] * shape[1] + pixels[:, 1]
    around = pixels[:, None] + _CROSS
    if kind == 0:
        within = ((around >= 0) & (around < shape)).all(axis=2)
        own = np.isin(around[..., 0] * shape[1] + around[..., 1], numbers) & within
        inner = own.all(axis=1)
        return (pixels[inner], weights[inner]) if inner.sum() >= FEWEST_PIXELS else (pixels, weights)
    wide = np.unique(around.reshape(-1, 2), axis=0)
    wide = wide[((wide >= 0) & (wide < shape)).all(axis=1)]
    wide = wide[~np.isin(wide[:, 0] * shape[1] + wide[:, 1], numbers)]
    edge = np.full(len(wide), weights.min(), np.float32)
    return np.concatenate([pixels, wide]), np.concatenate([weights, edge])
