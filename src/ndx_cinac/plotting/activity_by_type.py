"""Figures of activity by cell type: the mean transient, and a raster sorted by type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadingError
from ..results import ActivityResult
from .cell_type_data import CellTypeFigureData, TypeGroup
from .figures import binned
from .style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECONDS_BEFORE, SECONDS_AFTER = 1.0, 4.0
"""What is shown of a trace around an onset."""

LEAST_BEFORE, LEAST_AFTER = 2, 6
"""As many frames are shown at least, however slow the recording."""

MOST_COLUMNS = 1000
"""Columns of the raster; more frames share columns, which are active if one of their frames is."""

SHARE_COLUMNS = 120
"""Stretches of time over which the share of active cells is averaged."""


def plot_transients_by_type(data: CellTypeFigureData) -> Figure:
    """Draw the mean transient of each type, aligned at the onsets of predicted activity.

    Averaged are, for each cell, all transients before which it was silent for a second, relative to the mean
    of that second; then the cells of a type, with the standard error over cells. Without movie and stored
    traces the probability of activity is averaged in their place, and the axis says so.

    Raises
    ------
    ReadingError
        If the file holds no predicted activity of these ROIs.
    """
    activity = require_activity(data)
    interval = activity.times.frame_interval
    before = max(LEAST_BEFORE, round(SECONDS_BEFORE / interval))
    after = max(LEAST_AFTER, round(SECONDS_AFTER / interval))
    figure = new_figure(6.5, 4.4)
    axes = figure.add_subplot()
    seconds = np.arange(-before, after + 1) * interval
    for group in data.groups:
        means, n_transients = _means_of_cells(data, activity, group, before, after)
        if not len(means):
            continue
        mean = means.mean(axis=0)
        label = f"{group.name}: {n_transients} transients, {len(means)} cells"
        axes.plot(seconds, mean, color=group.colour, linewidth=2, label=label)
        if len(means) > 1:
            error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
            axes.fill_between(
                seconds, mean - error, mean + error, color=group.colour, alpha=0.25, linewidth=0
            )
    axes.axvline(0, color="black", linewidth=0.7, linestyle=(0, (4, 3)))
    unit = "s" if activity.times.frame_rate > 0 else "frames"
    axes.set(xlabel=f"time from onset ({unit})", xlim=(seconds[0], seconds[-1]))
    traced = data.traces is not None
    axes.set_ylabel(
        f"{data.trace_label}, less its mean before onset" if traced else "probability of activity"
    )
    axes.set_title("mean transient by predicted type" + ("" if traced else " (no traces at hand)"))
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, title="mean ± s.e.m. over cells", title_fontsize=9)
    return figure


def require_activity(data: CellTypeFigureData) -> ActivityResult:
    """Return the activity of the ROIs.

    Raises
    ------
    ReadingError
        If there is none.
    """
    if data.activity is None:
        what = "The file holds no predicted activity of the ROIs whose types were predicted"
        raise ReadingError(what, fix="Predict it first: ndx-cinac predict FILE")
    return data.activity


def _means_of_cells(
    data: CellTypeFigureData, activity: ActivityResult, group: TypeGroup, before: int, after: int
) -> tuple[NDArray[np.float64], int]:
    """Mean transient of each cell of a type that has some, shape (n_cells, n_frames), and their number."""
    seconds, interval = activity.times.seconds(), activity.times.frame_interval
    columns = {int(row): column for column, row in enumerate(activity.roi_rows)}
    means, count = [], 0
    for member in group.members:
        column = columns.get(int(data.types.roi_rows[member]))
        if column is None:
            continue
        values = activity.probabilities[:, column] if data.traces is None else data.traces[:, member]
        onsets = isolated_onsets(activity.active[:, column], before, after)
        whole = np.abs(seconds[onsets + after] - seconds[onsets - before] - (before + after) * interval)
        pieces = pieces_at(values, onsets[whole < 0.5 * interval], before, after)
        if data.traces is not None and len(pieces):
            pieces = pieces - pieces[:, :before].mean(axis=1, keepdims=True)
        if len(pieces):
            means.append(pieces.mean(axis=0))
            count += len(pieces)
    return np.array(means), count


def isolated_onsets(active: NDArray[np.bool_], before: int, after: int) -> NDArray[np.int64]:
    """First frames of active runs after `before` silent frames, with `after` more frames in the recording."""
    busy = np.concatenate([[0], np.cumsum(active)])
    first = np.flatnonzero(active & ~np.concatenate([[True], active[:-1]]))
    first = first[(first >= before) & (first + after < len(active))]
    return np.asarray(first[busy[first] == busy[first - before]])


def pieces_at(
    values: NDArray[Any], onsets: NDArray[np.int64], before: int, after: int
) -> NDArray[np.float64]:
    """Values around each onset, shape (n, before + 1 + after), without those that hold NaN."""
    pieces = np.asarray(values, np.float64)[onsets[:, None] + np.arange(-before, after + 1)]
    return np.asarray(pieces[np.isfinite(pieces).all(axis=1)])


def plot_raster_by_type(data: CellTypeFigureData) -> Figure:
    """Draw when each cell is predicted active, sorted by type, and above it the active share of each type.

    Within a type the cells that are active most come first. Stretches without frames are grey.

    Raises
    ------
    ReadingError
        If the file holds no predicted activity of these ROIs.
    """
    activity = require_activity(data)
    sorted_groups = [(group, _columns_of(data, activity, group)) for group in data.groups]
    shown = [(group, columns) for group, columns in sorted_groups if len(columns)]
    n_rows = sum(len(columns) for _, columns in shown)
    figure = new_figure(10.0, float(np.clip(2.6 + 0.06 * n_rows, 4.2, 10.0)))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    edges, highest = binned(activity, MOST_COLUMNS)
    coarse = np.linspace(edges[0], edges[-1], min(SHARE_COLUMNS, activity.n_frames) + 1)
    image = np.ones((n_rows, len(highest), 3))
    start, ticks = 0, []
    for group, columns in shown:
        values = highest[:, columns].T
        stop = start + len(columns)
        _paint(image[start:stop], values, activity.threshold, group.colour)
        upper.stairs(
            _share(activity, columns, coarse), coarse, baseline=None, color=group.colour, linewidth=1.2
        )
        ticks.append(((start + stop - 1) / 2, f"{group.name}\n({len(columns)})"))
        lower.axhline(stop - 0.5, color="black", linewidth=0.6)
        start = stop
    extent = (edges[0], edges[-1], n_rows - 0.5, -0.5)
    lower.imshow(image, aspect="auto", extent=extent, interpolation="nearest")
    lower.set_yticks([place for place, _ in ticks], [words for _, words in ticks])
    lower.tick_params(axis="y", length=0)
    lower.set(xlabel="time (s)" if activity.times.frame_rate > 0 else "time (frames)")
    upper.set(ylabel="active\ncells (%)", ylim=(0, None))
    upper.spines[["top", "right"]].set_visible(False)
    upper.set_title(f"predicted activity of {n_rows} cells by predicted type")
    return figure


def _columns_of(data: CellTypeFigureData, activity: ActivityResult, group: TypeGroup) -> NDArray[np.int64]:
    """Columns of the activity of a type's cells, those that are active most first."""
    place = {int(row): column for column, row in enumerate(activity.roi_rows)}
    rows = data.types.roi_rows[group.members].tolist()
    columns = np.array([place[row] for row in rows if row in place], np.int64)
    return columns[np.argsort(-activity.active[:, columns].mean(axis=0), kind="stable")]


def _share(
    activity: ActivityResult, columns: NDArray[np.int64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean percentage of active cells between each two edges; NaN where there are no frames."""
    place = np.clip(np.searchsorted(edges, activity.times.seconds(), side="right") - 1, 0, len(edges) - 2)
    share = 100 * activity.active[:, columns].mean(axis=1)
    frames = np.bincount(place, minlength=len(edges) - 1)
    total = np.bincount(place, share, minlength=len(edges) - 1)
    return np.asarray(np.where(frames > 0, total / np.maximum(frames, 1), np.nan))


def _paint(image: NDArray[Any], values: NDArray[Any], threshold: float, colour: str) -> None:
    """Colour the active columns of some rows of the raster, and grey those without frames."""
    from matplotlib.colors import to_rgb

    image[values >= threshold] = to_rgb(colour)
    image[np.isnan(values)] = to_rgb("#E5E5E5")
