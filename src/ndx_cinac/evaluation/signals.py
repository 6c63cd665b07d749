"""What makes an ROI easy or hard to predict: how far its transients rise above noise, and its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..movies import Movie
from ..progress import Progress, silent
from ..rois import Rois
from .activity import match_activity
from .baselines import change_over_noise, demixed_traces, mean_traces
from .recordings import AnnotatedPredictions

SIGNAL_EDGES = (4.0, 10.0, 30.0)
"""ROIs are grouped by the height of their typical transient, in units of the noise."""

OVERLAP_EDGES = (0.25, 0.5)
"""ROIs are grouped by the part of their pixels that other ROIs have, too; those without any are a group."""


@dataclass(frozen=True)
class ChangeTraces:
    """Height of traces above their baseline, in units of their noise.

    Attributes
    ----------
    mean, demixed : ndarray of float32, shape (n_frames, n_rois)
        Of the mean within each mask, and after demixing.
    """

    mean: NDArray[np.float32]
    demixed: NDArray[np.float32]


def change_traces(
    movie: Movie, rois: Rois, rows: NDArray[np.int64], progress: Progress = silent
) -> ChangeTraces:
    """Extract the traces of some ROIs; all others are there when they are demixed.

    Raises
    ------
    PredictionError
        If no ROI can be used, or no frame shows anything.
    MissingExtraError
        If SciPy is not installed.
    """
    wanted = set(rows.tolist())
    others = {row: "not evaluated" for row in range(len(rois)) if row not in wanted}
    demixed = demixed_traces(movie, replace(rois, unselected=others), progress=progress)[:, rows]
    mean = mean_traces(movie, rois)[:, rows]
    return ChangeTraces(
        mean=change_over_noise(mean).astype(np.float32),
        demixed=change_over_noise(demixed, relative=False).astype(np.float32),
    )


def signal_to_noise(recording: AnnotatedPredictions, demixed: NDArray[np.float32]) -> NDArray[np.float64]:
    """Height from onset to peak of each ROI's median true transient, over the noise of its demixed trace.

    Returns
    -------
    ndarray, shape (n_rois,)
        NaN for an ROI without transients.
    """
    active = recording.active
    true, _, _ = match_activity(np.zeros_like(active), active, recording.judged)
    heights: list[list[float]] = [[] for _ in recording.roi_rows]
    for column, start, end in true:
        heights[column].append(float(demixed[end - 1, column] - demixed[start, column]))
    return np.array([np.median(each) if each else np.nan for each in heights])


def overlap(rois: Rois, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Part of each ROI's pixels that belong to other ROIs, too, shape (len(rows),); NaN for an empty ROI."""
    places = rois.first.astype(np.int64) * rois.shape[1] + rois.second
    _, which, counts = np.unique(places, return_inverse=True, return_counts=True)
    shared = counts[which] > 1
    parts = [shared[rois.starts[row] : rois.starts[row + 1]] for row in rows]
    return np.array([part.mean() if len(part) else np.nan for part in parts])


def signal_groups(values: NDArray[np.float64]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name the groups of ROIs by signal-to-noise, and say which ROIs each has."""
    groups = _between(values, SIGNAL_EDGES, lambda edge: f"{edge:g}")
    return [*groups, ("no transients", np.isnan(values))]


def overlap_groups(values: NDArray[np.float64]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name the groups of ROIs by overlap, and say which ROIs each has."""
    some = np.where(values > 0, values, np.nan)
    groups = _between(some, OVERLAP_EDGES, lambda edge: f"{edge:.0%}")
    return [("none", values == 0), *groups]


def _between(
    values: NDArray[np.float64], edges: Sequence[float], show: Callable[[float], str]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Split values at edges; NaN is in no group."""
    named = [show(edge) for edge in edges]
    names = [
        f"below {named[0]}",
        *(f"{a} to {b}" for a, b in pairwise(named)),
        f"{named[-1]} or more",
    ]
    place = np.digitize(values, edges)
    return [(name, (place == index) & np.isfinite(values)) for index, name in enumerate(names)]
