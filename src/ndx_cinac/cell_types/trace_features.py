"""What traces tell of a cell's type: named numbers per ROI, and its most active pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..extras import require

_ndimage = require("scipy.ndimage", extra="predict", feature="Predicting cell types")
_signal = require("scipy.signal", extra="predict", feature="Predicting cell types")

TRACE_FEATURES = (
    "log amplitude over noise",
    "events per second",
    "burstiness",
    "rise time (s)",
    "decay time (s)",
    "event size spread",
    "skewness",
    "fraction of time active",
    "rises per second over amplitude",
    "mean over amplitude",
    "median over amplitude",
    "90th percentile over amplitude",
    "autocorrelation at 0.5 s",
    "autocorrelation at 2 s",
    "correlation with local background",
    "log background over amplitude",
)
"""Named numbers of one ROI's trace, in order."""

SMOOTHING = 0.15
"""Standard deviation, in seconds, of the Gaussian that smooths a trace before events are sought."""
LEAST_RISE = 0.1
"""An event stands out of its surroundings by this part of the trace's amplitude, and by 4 times the noise.

Noise is that of the trace, or that of slow disturbances where these are larger.
"""
MOST_EVENTS = 60
"""Rise and decay are measured on so many of the largest events."""
LONGEST = 6.0
"""Seconds beyond which neither rise nor decay is followed."""


@dataclass(frozen=True)
class TracesAtRate:
    """Traces of some ROIs at the common rate, in units of each ROI's amplitude.

    Attributes
    ----------
    demixed, background : ndarray of float32, shape (n_rois, n_samples)
        The ROI's own trace, and that of the tissue around it.
    noise : ndarray of float64, shape (n_rois,)
        Standard deviation of the noise of `demixed` at the common rate.
    log_ratio : ndarray of float64, shape (n_rois,)
        Logarithm of amplitude over noise at the recording's own rate.
    rate : float
        Samples per second (Hz).
    """

    demixed: NDArray[np.float32]
    background: NDArray[np.float32]
    noise: NDArray[np.float64]
    log_ratio: NDArray[np.float64]
    rate: float


def at_common_rate(channels: NDArray[np.float32], frame_rate: float, rate: float) -> TracesAtRate:
    """Bring channels (n_rois, n_frames, 11) of `ndx_cinac.traces` from `frame_rate` to `rate` (both Hz)."""
    log_ratio = 2.0 * channels[:, 0, 9].astype(np.float64)
    averaged = max(frame_rate / rate, 1.0)
    return TracesAtRate(
        demixed=resample(channels[..., 0], frame_rate, rate),
        background=resample(channels[..., 6], frame_rate, rate),
        noise=np.exp(-log_ratio) / np.sqrt(averaged),
        log_ratio=log_ratio,
        rate=rate,
    )


def resample(traces: NDArray[np.float32], frame_rate: float, rate: float) -> NDArray[np.float32]:
    """Resample the last axis: means of bins from a higher rate, linear interpolation from a lower one."""
    n_frames = traces.shape[-1]
    n_samples = max(1, int(n_frames * rate / frame_rate))
    if frame_rate <= rate:
        place = np.clip((np.arange(n_samples) + 0.5) * frame_rate / rate - 0.5, 0, n_frames - 1)
        values = np.asarray(traces, np.float64)
    else:
        place = np.arange(n_samples + 1) * frame_rate / rate
        total = np.cumsum(traces, axis=-1, dtype=np.float64)
        values = np.concatenate([np.zeros((*traces.shape[:-1], 1)), total], axis=-1)
    before = np.minimum(place.astype(np.int64), values.shape[-1] - 2 if values.shape[-1] > 1 else 0)
    after = np.minimum(before + 1, values.shape[-1] - 1)
    share = place - before
    result = values[..., before] * (1 - share) + values[..., after] * share
    if frame_rate > rate:
        result = np.diff(result, axis=-1) * rate / frame_rate
    return np.asarray(result, np.float32)


def describe_traces(traces: TracesAtRate) -> NDArray[np.float32]:
    """Return the numbers named in `TRACE_FEATURES`, shape (n_rois, n_features); finite."""
    rows = [_describe(traces, roi) for roi in range(len(traces.demixed))]
    return np.array(rows, np.float32).reshape(-1, len(TRACE_FEATURES))


def _describe(traces: TracesAtRate, roi: int) -> list[float]:
    """All numbers of one ROI."""
    trace, rate = traces.demixed[roi].astype(np.float64), traces.rate
    smooth = _ndimage.gaussian_filter1d(trace, SMOOTHING * rate)
    # A Gaussian of this width leaves white noise so much of its standard deviation.
    noise = traces.noise[roi] / np.sqrt(max(2 * np.sqrt(np.pi) * SMOOTHING * rate, 1.0))
    noise = max(noise, _slow_noise(smooth))
    peaks, properties = _signal.find_peaks(smooth, prominence=max(LEAST_RISE, 4 * noise))
    heights = properties["prominences"]
    seconds = len(trace) / rate
    rise, decay = _rise_and_decay(smooth, peaks, heights, rate)
    background = traces.background[roi].astype(np.float64)
    return [
        float(traces.log_ratio[roi]),
        len(peaks) / seconds,
        _burstiness(np.diff(peaks)),
        rise,
        decay,
        float(heights.std() / heights.mean()) if len(heights) > 1 else 0.0,
        _skewness(trace),
        float((smooth > max(0.15, 3 * noise)).mean()),
        _rises(smooth, noise) / seconds,
        float(np.clip(trace.mean(), -1, 2)),
        *(float(np.clip(value, -1, 2)) for value in np.percentile(smooth, (50, 90))),
        _autocorrelation(trace, round(0.5 * rate)),
        _autocorrelation(trace, round(2.0 * rate)),
        _correlation(smooth, _ndimage.gaussian_filter1d(background, SMOOTHING * rate)),
        float(np.log(background.std() + 1e-2)),
    ]


def _slow_noise(smooth: NDArray[np.float64]) -> float:
    """Return the deviation of what goes on below the baseline: activity is bright, disturbances are both."""
    low, baseline = np.percentile(smooth, (5, 30))
    return float(baseline - low) / 1.12  # as far apart in standard deviations of a normal distribution


def _rises(smooth: NDArray[np.float64], noise: float) -> float:
    """Sum all unbroken rises that noise alone would not make: how much a cell does, event or not."""
    steps = np.diff(smooth)
    turns = np.flatnonzero(np.diff(np.sign(steps)) != 0) + 1
    rises = np.add.reduceat(steps, np.concatenate([[0], turns])) if len(steps) else np.zeros(0)
    return float(rises[rises > max(0.05, 2.5 * noise)].sum())


def _burstiness(intervals: NDArray[np.int64]) -> float:
    """Burstiness of intervals (Goh and Barabasi 2008): -1 regular, 0 random or unknown, 1 all in bursts."""
    if len(intervals) < 3:
        return 0.0
    deviation, mean = float(intervals.std()), float(intervals.mean())
    return (deviation - mean) / (deviation + mean)


def _rise_and_decay(
    smooth: NDArray[np.float64], peaks: NDArray[np.int64], heights: NDArray[np.float64], rate: float
) -> tuple[float, float]:
    """Median seconds that events take to rise, at their steepest, and to fall to 1/e; 0 without events."""
    largest = np.argsort(-heights, kind="stable")[:MOST_EVENTS]
    longest = int(LONGEST * rate)
    rises, decays = [], []
    for peak, height in zip(peaks[largest], heights[largest], strict=True):
        slope = np.diff(smooth[max(0, peak - longest) : peak + 1])
        after = smooth[peak : peak + longest] < smooth[peak] - (1 - np.exp(-1)) * height
        rises.append(min(height / max(slope.max(initial=0.0), 1e-9), longest))
        decays.append(int(np.argmax(after)) if after.any() else len(after))
    if not rises:
        return 0.0, 0.0
    return float(np.median(rises)) / rate, float(np.median(decays)) / rate


def _skewness(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    deviation = float(centred.std())
    return float(np.clip((centred**3).mean() / deviation**3, -2, 10)) if deviation > 1e-9 else 0.0


def _autocorrelation(values: NDArray[np.float64], lag: int) -> float:
    return _correlation(values[:-lag], values[lag:]) if 0 < lag < len(values) - 2 else 0.0


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's correlation; 0 where one of both does not change."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > 1e-9 else 0.0


def cut_pieces(traces: TracesAtRate, n_pieces: int, seconds: float) -> NDArray[np.float32]:
    """Cut out the stretches around the highest peaks of each ROI's smoothed trace.

    Stretches share no more than half of their length; a recording that is too short for so many gives the
    same ones again, and one that is shorter than a stretch is padded with zeros.

    Parameters
    ----------
    traces : TracesAtRate
        The traces.
    n_pieces : int
        Stretches per ROI.
    seconds : float
        Their length.

    Returns
    -------
    ndarray of float32, shape (n_rois, n_pieces, n_samples, 3)
        Trace over amplitude, inverse hyperbolic sine of half the trace over its noise, local background over
        amplitude; pieces by falling height of their peaks.
    """
    length = round(seconds * traces.rate)
    n_rois, n_samples = traces.demixed.shape
    pieces = np.zeros((n_rois, n_pieces, length, 3), np.float32)
    taken = min(length, n_samples)
    smooth = _ndimage.gaussian_filter1d(traces.demixed, SMOOTHING * traces.rate, axis=-1)
    scaled = np.arcsinh(traces.demixed / (2 * traces.noise[:, None])).astype(np.float32)
    for roi in range(n_rois):
        starts = _starts(smooth[roi].copy(), n_pieces, taken)
        for piece, start in enumerate(starts):
            part = slice(start, start + taken)
            for channel, source in enumerate((traces.demixed, scaled, traces.background)):
                pieces[roi, piece, :taken, channel] = source[roi, part]
    return np.clip(pieces, -6.0, 6.0)


def _starts(smooth: NDArray[np.float32], n_pieces: int, length: int) -> list[int]:
    """First samples of stretches with the highest peaks in their middle, as far as the ends allow."""
    starts: list[int] = []
    for _ in range(n_pieces):
        peak = int(np.argmax(smooth))
        if not np.isfinite(smooth[peak]):
            break
        start = min(max(0, peak - length // 2), len(smooth) - length)
        starts.append(start)
        smooth[max(0, peak - length // 2) : peak + length // 2 + 1] = -np.inf
    return [starts[i % len(starts)] for i in range(n_pieces)]


def synchrony(coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlate each trace (n_rois, n_samples) with the mean of all others, all scaled alike."""
    centred = coarse - coarse.mean(axis=1, keepdims=True)
    scaled = centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6)
    if len(scaled) < 2 or scaled.shape[1] < 4:
        return np.zeros(len(coarse), np.float32)
    others = (scaled.sum(axis=0) - scaled) / (len(scaled) - 1)
    others -= others.mean(axis=1, keepdims=True)
    deviation = np.maximum(others.std(axis=1), 1e-6)
    return np.asarray((scaled * others).mean(axis=1) / deviation, np.float32)
