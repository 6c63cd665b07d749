"""The network's input: eleven channels per ROI and frame, free of the movie's units."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .order_statistics import percentiles
from .refinement import difference_noise

CHANNELS = (
    "demixed / amplitude",
    "asinh(demixed / noise)",
    "asinh(demixed with masks / noise)",
    "demixed with masks / amplitude",
    "matched filter / amplitude",
    "leaking into the matched filter / amplitude",
    "local background / amplitude",
    "log gain of the frame",
    "shift of the frame",
    "log(amplitude / noise)",
    "mean within the mask / amplitude",
)
"""What the channels are, in order."""
N_CHANNELS = len(CHANNELS)

TRACES = ("demixed", "demixed with masks", "matched filter", "local background", "mean within the mask")
"""The traces per ROI that channels are made of, in order."""

BASELINE_PERCENTILE = 30.0
AMPLITUDE_PERCENTILE = 99.5
LEAST_AMPLITUDE = 4.0
"""The amplitude is at least so many times the noise, so that the noise of a silent cell stays small."""
LARGEST_RATIO = 5.0


def make_channels(
    traces: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    present: NDArray[np.int64],
    *,
    baseline_frames: int,
    smallest: float,
) -> NDArray[np.float32]:
    """Make the channels of some ROIs.

    Parameters
    ----------
    traces : ndarray of float32, shape (n_rois, 5, n_frames)
        In the order of `TRACES`.
    coefficients : ndarray of float32, shape (n_frames, 4)
        Offset, gain - 1 and shift (pixels, both axes) of each frame.
    present : ndarray of int64
        Frames that show a picture, ascending: noise is measured on them.
    baseline_frames : int
        Frames of the stretches that the baseline is taken from.
    smallest : float
        Noise, in the traces' unit, below which there is none worth the name; above 0.

    Returns
    -------
    ndarray of float32, shape (n_rois, n_frames, 11)
        In the order of `CHANNELS`; finite.
    """
    above = traces - baseline(traces, baseline_frames)
    demixed, with_masks, matched, local, mean = above.transpose(1, 0, 2)
    steps = np.flatnonzero(np.diff(present) == 1)
    high = percentiles(demixed, AMPLITUDE_PERCENTILE)
    floor = 0.01 * high
    noise = np.maximum(difference_noise(demixed[:, present], steps), floor) + np.float32(smallest)
    noise_with_masks = np.maximum(difference_noise(with_masks[:, present], steps), floor) + np.float32(
        smallest
    )
    amplitude = np.maximum(high, LEAST_AMPLITUDE * noise)[:, None]

    channels = np.empty((*demixed.shape, N_CHANNELS), np.float32)
    channels[..., 0] = demixed / amplitude
    channels[..., 1] = np.arcsinh(demixed / noise[:, None]) / 2
    channels[..., 2] = np.arcsinh(with_masks / noise_with_masks[:, None]) / 2
    for i, trace in ((3, with_masks), (4, matched), (5, matched - demixed), (6, local), (10, mean)):
        channels[..., i] = np.clip(trace / amplitude, -LARGEST_RATIO, LARGEST_RATIO)
    channels[..., 7] = np.clip(5 * np.log1p(coefficients[:, 1]), -3, 3)
    channels[..., 8] = np.clip(np.hypot(coefficients[:, 2], coefficients[:, 3]), 0, 3)
    channels[..., 9] = np.log(amplitude / noise[:, None]) / 2
    return channels


def baseline(traces: NDArray[np.float32], stretch: int) -> NDArray[np.float32]:
    """Slow baseline along the last axis: the 30th percentile of stretches, linear between their middles."""
    n_frames = traces.shape[-1]
    edges = np.linspace(0, n_frames, max(1, round(n_frames / stretch)) + 1).astype(np.int64)
    levels = [percentiles(traces[..., a:b], BASELINE_PERCENTILE) for a, b in pairwise(edges)]
    level = np.stack(levels, axis=-1)
    if len(levels) == 1:
        return np.broadcast_to(level, traces.shape)
    middles = (edges[:-1] + edges[1:]) / 2
    position = np.interp(np.arange(n_frames), middles, np.arange(len(middles)))
    before = np.minimum(position.astype(np.int64), len(middles) - 2)
    share = (position - before).astype(np.float32)
    return np.asarray(level[..., before] * (1 - share) + level[..., before + 1] * share)
