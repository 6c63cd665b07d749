"""Random draws from the ranges of a simulation's config."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..errors import ConfigError
from .settings import Range


def uniform(rng: np.random.Generator, limits: Range) -> float:
    """Draw one value, evenly spread between the limits."""
    return float(rng.uniform(*limits))


def log_uniform(rng: np.random.Generator, limits: Range) -> float:
    """Draw one value, its logarithm evenly spread between those of the limits; 0 if both are 0.

    Raises
    ------
    ConfigError
        If only the lower limit is 0: there is no such logarithm.
    """
    if limits[1] == 0:
        return 0.0
    if limits[0] <= 0:
        what = f"A setting that is drawn on a logarithmic scale cannot start at 0: {list(limits)}"
        raise ConfigError(what, fix="Begin its range above 0, or make both ends 0")
    return math.exp(rng.uniform(math.log(limits[0]), math.log(limits[1])))


def factor(rng: np.random.Generator, largest: float) -> float:
    """Return a factor between ``1 / largest`` and `largest`."""
    return log_uniform(rng, (1 / largest, largest))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return bool(rng.random() < probability)


def wander(rng: np.random.Generator, n_series: int, n_frames: int, time: float) -> NDArray[np.float64]:
    """Draw smooth random series of mean 0 and standard deviation 1, shape (n_series, n_frames).

    `time` is the standard deviation, in frames, of the Gaussian that smooths them.
    """
    margin = min(math.ceil(4 * time), 4 * n_frames)
    series = gaussian_filter1d(rng.standard_normal((n_series, n_frames + 2 * margin)), time, axis=1)
    deviation = np.maximum(series.std(axis=1, keepdims=True), 1e-9)
    return np.asarray((series / deviation)[:, margin : margin + n_frames])
