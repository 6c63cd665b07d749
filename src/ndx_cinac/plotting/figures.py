"""Figures of activity: probability over time, and traces with their active periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..results import ActivityResult
from .data import FigureData
from .style import BLUE, GREEN, ORANGE, PALE_GREEN, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 1500
"""Columns of the image of probabilities; more frames share columns, which show their highest value."""


def plot_probabilities(result: ActivityResult) -> Figure:
    """Draw the probability of all ROIs over time as an image, and above it how many are active at once."""
    n_rois = len(result.roi_rows)
    figure = new_figure(10.0, float(np.clip(2.2 + 0.09 * n_rois, 3.6, 9.0)))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 4))
    edges, columns = binned(result)
    share = 100 * result.active.mean(axis=1) if n_rois else np.zeros(result.n_frames)
    seconds = result.times.seconds()
    upper.plot(*_broken(seconds, share, result.times.frame_interval), color=BLUE, linewidth=0.8)
    upper.set(ylabel="active\nROIs (%)", ylim=(0, None))
    image = lower.pcolormesh(
        edges, np.arange(n_rois + 1) - 0.5, columns.T, cmap="cividis", vmin=0, vmax=1, rasterized=True
    )
    lower.invert_yaxis()
    ticks = np.unique(np.linspace(0, max(n_rois - 1, 0), min(n_rois, 12)).astype(int))
    lower.set_yticks(ticks, [str(result.roi_rows[tick]) for tick in ticks])
    lower.set(xlabel="time (s)", ylabel="ROI (row of the table)", xlim=(edges[0], edges[-1]))
    figure.colorbar(image, ax=lower, label="probability of activity", pad=0.01)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    upper.set_title(
        f"{n_rois} ROIs, {result.n_frames} frames; active at a probability of {result.threshold:g} or more"
    )
    return figure


def binned(
    result: ActivityResult, most: int = MOST_COLUMNS
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return edges, in seconds, of columns of equal duration, and each ROI's highest value in each.

    A column without any frame, in a gap of the recording, is NaN.
    """
    seconds, interval = result.times.seconds(), result.times.frame_interval
    span = seconds[-1] - seconds[0] + interval
    regular = result.times.timestamps is None
    count = max(1, min(most, result.n_frames if regular else int(span / (2 * interval))))
    edges = seconds[0] + np.linspace(0, span, count + 1)
    frame_column = np.minimum(
        ((seconds - seconds[0] + 0.01 * interval) / span * count).astype(int), count - 1
    )
    columns = np.full((count, result.probabilities.shape[1]), -1, np.float32)
    np.maximum.at(columns, frame_column, result.probabilities)
    columns[columns < 0] = np.nan
    return edges, columns


def _broken(
    seconds: NDArray[np.float64], values: NDArray[Any], interval: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a line that is broken, by NaN, where the recording has a gap."""
    gaps = np.flatnonzero(np.diff(seconds) > 3 * interval) + 1
    return np.insert(seconds, gaps, np.nan), np.insert(np.asarray(values, np.float64), gaps, np.nan)


def plot_traces(data: FigureData) -> Figure:
    """Draw, for each ROI asked for, its trace with the predicted periods, and the probability below it.

    Predicted periods are shaded orange; annotated ones, where the file holds some, are bars above.
    Without a movie there are no traces, and the periods are shaded on the probability.
    """
    traced = data.traces is not None
    heights = ([3, 1] if traced else [1]) * max(1, len(data.rows))
    figure = new_figure(10.0, 0.9 + 0.44 * sum(heights) if traced else 0.9 + 1.0 * len(heights))
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for index, row in enumerate(data.rows):
        first = panels[2 * index] if traced else panels[index]
        _shade_periods(first, data, row)
        if data.traces is not None:
            _trace_panel(first, data.result, data.traces[:, index])
        _probability_panel(panels[2 * index + 1] if traced else first, data.result, row)
        first.set_title(f"ROI {row}", loc="left", fontsize=9, pad=7)
    seconds = data.result.times.seconds()
    panels[-1].set(xlabel="time (s)", xlim=(seconds[0], seconds[-1] + data.result.times.frame_interval))
    figure.align_ylabels(panels)
    _legend(figure, data)
    return figure


def _shade_periods(axes: Axes, data: FigureData, row: int) -> None:
    """Shade one ROI's predicted periods, and draw annotated ones as bars above."""
    result, interval = data.result, data.result.times.frame_interval
    column = int(np.flatnonzero(result.roi_rows == row)[0])
    seconds, across = result.times.seconds(), axes.get_xaxis_transform()
    bars = _bars(result.active[:, column], seconds, interval)
    axes.broken_barh(bars, (0, 1), transform=across, color=ORANGE, alpha=0.55, linewidth=0)
    if data.truth is not None:
        for frames, colour in ((data.truth.ignored, PALE_GREEN), (data.truth.active, GREEN)):
            bars = _bars(frames[:, row], seconds, interval)
            axes.broken_barh(bars, (1.0, 0.07), transform=across, color=colour, linewidth=0, clip_on=False)


def _trace_panel(axes: Axes, result: ActivityResult, trace: NDArray[Any]) -> None:
    """Draw one ROI's trace."""
    line = _broken(result.times.seconds(), trace, result.times.frame_interval)
    axes.plot(*line, color="black", linewidth=0.7)
    axes.set_ylabel("ΔF/F")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(bottom=False)


def _probability_panel(axes: Axes, result: ActivityResult, row: int) -> None:
    """Draw one ROI's probability and the threshold."""
    column = int(np.flatnonzero(result.roi_rows == row)[0])
    values = result.probabilities[:, column]
    axes.plot(
        *_broken(result.times.seconds(), values, result.times.frame_interval), color=BLUE, linewidth=0.8
    )
    axes.axhline(result.threshold, color=VERMILION, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.set(ylim=(-0.03, 1.05), yticks=(0, 1), ylabel="p")
    axes.spines[["top", "right"]].set_visible(False)


def _bars(
    active: NDArray[np.bool_], seconds: NDArray[np.float64], interval: float
) -> list[tuple[float, float]]:
    """Start and duration, in seconds, of each run of active frames."""
    change = np.diff(np.concatenate([[0], active.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1) - 1
    return [
        (float(seconds[a]), float(seconds[b] - seconds[a] + interval))
        for a, b in zip(starts, ends, strict=True)
    ]


def _legend(figure: Figure, data: FigureData) -> None:
    """Name the colours once, above all panels."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [Patch(color=ORANGE, alpha=0.55, label="predicted active")]
    if data.truth is not None:
        entries.append(Patch(color=GREEN, label="annotated active"))
        entries.append(Patch(color=PALE_GREEN, label="annotated doubtful"))
    entries.append(Line2D([], [], color=BLUE, label="probability (p)"))
    entries.append(
        Line2D([], [], color=VERMILION, linestyle="--", label=f"threshold {data.result.threshold:g}")
    )
    figure.legend(handles=entries, loc="outside upper right", ncols=len(entries), frameon=False, fontsize=9)
