"""Figures of an evaluation of activity: curves, calibration, distributions, ROIs and the worst examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation import ActivityReport, periods
from ..evaluation.examples import Example, Patch
from .field import outline
from .style import BLUE, GREEN, GREY, ORANGE, PALE_GREEN, SKY, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by colour and by line, so that neither is needed alone.
BASELINE_LINES = {
    "smoothed trace": (GREY, "-"),
    "rises of the smoothed trace": (SKY, "-"),
    "OASIS": (ORANGE, "-"),
}


def activity_figures(report: ActivityReport) -> dict[str, Figure]:
    """Draw all figures of a report, by name; examples are left out where there are none."""
    figures = {
        "precision_recall": plot_precision_recall(report),
        "calibration": plot_calibration(report),
        "distributions": plot_distributions(report),
        "rois": plot_rois(report),
    }
    for name, examples in (("misses", report.misses), ("false_alarms", report.false_alarms)):
        if examples:
            figures[name] = plot_examples(examples)
    return figures


def plot_precision_recall(report: ActivityReport) -> Figure:
    """Draw precision against recall of frames: the classifier, its threshold, and trace-based methods."""
    figure = new_figure(8.6, 4.8)
    axes = figure.add_subplot()
    for each in report.baselines:
        colour, _ = BASELINE_LINES.get(each.method, (GREY, "-"))
        style = (0, (4, 2)) if each.traces == "mean" else "solid"
        label = f"{each.label} ({each.scores.average_precision:.2f})"
        axes.plot(
            each.curve.recall, each.curve.precision, color=colour, linestyle=style, linewidth=1.2, label=label
        )
    scores = report.scores
    label = f"classifier ({scores.average_precision:.2f})"
    axes.plot(report.curve.recall, report.curve.precision, color=BLUE, linewidth=2.2, label=label)
    at = "own thresholds" if np.isnan(scores.threshold) else f"threshold {scores.threshold:g}"
    axes.plot(scores.sensitivity, scores.precision, "o", color=VERMILION, markersize=8, zorder=5, label=at)
    axes.axhline(scores.prevalence, color="black", linewidth=0.8, linestyle=":", label="chance")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set(xlabel="recall (sensitivity) of frames", ylabel="precision of frames")
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    order = np.argsort([0 if text.startswith("classifier") else 1 for text in labels], kind="stable")
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside right center",
        frameon=False,
        fontsize=8,
        title="average precision in brackets",
        title_fontsize=8,
    )
    return figure


def plot_calibration(report: ActivityReport) -> Figure:
    """Draw how often frames of some probability are active, and below it how many frames there are."""
    figure = new_figure(5.2, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    found = report.calibration
    filled = found.n_frames > 0
    upper.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":", label="perfectly calibrated")
    upper.plot(
        found.mean_probability[filled], found.active_share[filled], "o-", color=BLUE, label="classifier"
    )
    upper.set(ylim=(-0.02, 1.02), ylabel="part of frames that is active")
    upper.set_title(f"calibration error {found.error:.3f}", fontsize=10)
    upper.legend(frameon=False, fontsize=9, loc="upper left")
    edges = np.linspace(0, 1, len(found.n_frames) + 1)
    lower.stairs(found.n_frames, edges, fill=True, color=GREY)
    lower.set_yscale("log", nonpositive="clip")
    lower.set(ylim=(0.7, None), xlim=(-0.02, 1.02), xlabel="predicted probability", ylabel="frames")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_distributions(report: ActivityReport) -> Figure:
    """Draw how probabilities of active and of inactive frames are distributed, each as shares of its own."""
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    found = report.distribution
    for counts, colour, label, fill in (
        (found.n_inactive, GREY, "inactive", True),
        (found.n_active, BLUE, "active", False),
    ):
        total = int(counts.sum())
        shares = 100 * counts / max(total, 1)
        text = f"{label}: {total} frame{'' if total == 1 else 's'}"
        axes.stairs(
            shares, found.edges, fill=fill, color=colour, alpha=0.55 if fill else 1, linewidth=2, label=text
        )
    if not np.isnan(report.scores.threshold):
        label = f"threshold {report.scores.threshold:g}"
        axes.axvline(
            report.scores.threshold, color=VERMILION, linewidth=1, linestyle=(0, (4, 3)), label=label
        )
    axes.set_yscale("log")
    axes.set(xlim=(0, 1), ylim=(0.01, 130), xlabel="predicted probability", ylabel="frames of its kind (%)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=9, loc="outside upper center", ncols=3)
    return figure


def plot_rois(report: ActivityReport) -> Figure:
    """Draw the event F1 of each ROI against its signal-to-noise and its overlap, where they are known."""
    panels: list[tuple[str, str, bool]] = []
    if report.by_signal_to_noise:
        panels.append(("signal_to_noise", "median transient over noise", True))
    panels.append(("overlap", "part of the pixels that others share", False))
    figure = new_figure(4.4 * len(panels), 3.9)
    values = np.array([roi.scores.event_f1 for roi in report.rois])
    for axes, (field, label, log) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
    ):
        places = np.array([getattr(roi, field) for roi in report.rois])
        axes.plot(places, values, "o", color=BLUE, alpha=0.6, markersize=6, markeredgewidth=0, clip_on=False)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:g}"[0] in "25" else "")
        else:
            axes.set(xlim=(-0.03, 1.03))
        axes.set(xlabel=label, ylim=(-0.03, 1.03))
        axes.label_outer()
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("event F1 of the ROI")
    return figure


def plot_examples(examples: tuple[Example, ...]) -> Figure:
    """Draw examples below one another: the movie before and at the peak, trace, probability and truth.

    Without a movie there are neither patches nor traces.
    """
    patched = any(each.patch is not None for each in examples)
    figure = new_figure(11.0, 0.7 + (2.1 if patched else 1.5) * len(examples))
    widths = (1, 1, 4.2) if patched else (1,)
    grid = figure.add_gridspec(len(examples), len(widths), width_ratios=widths)
    for index, example in enumerate(examples):
        if example.patch is not None:
            _draw_patch(figure, grid, index, example.patch)
        cell = grid[index, len(widths) - 1].subgridspec(2, 1, height_ratios=(3, 1), hspace=0.06)
        lower = figure.add_subplot(cell[1])
        upper = figure.add_subplot(cell[0], sharex=lower)
        _draw_trace(upper, example)
        _draw_probability(lower, example)
        lower.set_xlabel("time (s)" if index == len(examples) - 1 else "")
    _example_legend(figure)
    return figure


def _draw_patch(figure: Figure, grid: Any, index: int, patch: Patch) -> None:
    """Draw the two patches in one range of brightness, with the outlines of ROIs."""
    from matplotlib.collections import LineCollection

    both = np.stack([patch.before, patch.peak])
    low, high = np.nanpercentile(both, (1, 99.8)) if np.isfinite(both).any() else (0.0, 1.0)
    for column, (image, title) in enumerate(((patch.before, "before"), (patch.peak, "at the peak"))):
        axes = figure.add_subplot(grid[index, column])
        axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
        for other in patch.others:
            axes.add_collection(LineCollection(list(outline(other)), colors=SKY, linewidths=0.7))
        axes.add_collection(LineCollection(list(outline(patch.own)), colors=ORANGE, linewidths=1.6))
        axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5), xticks=(), yticks=())
        if index == 0:
            axes.set_title(title, fontsize=9)


def _draw_trace(axes: Axes, example: Example) -> None:
    """Draw the trace with the period in question, and the truth as bars above."""
    seconds, interval = example.seconds, _interval(example)
    across = axes.get_xaxis_transform()
    for frames, colour in ((example.active, GREEN), (~example.judged, PALE_GREEN)):
        for start, width in _spans(frames, seconds, interval):
            axes.broken_barh(
                [(start, width)], (1.0, 0.08), transform=across, color=colour, linewidth=0, clip_on=False
            )
    for start, width in _spans(example.probability >= example.threshold, seconds, interval):
        axes.broken_barh([(start, width)], (0, 1), transform=across, color=ORANGE, alpha=0.5, linewidth=0)
    first, last = (frame - example.start_frame for frame in (example.first_frame, example.last_frame))
    for frame, shift in ((first, 0.0), (last, interval)):
        axes.axvline(seconds[frame] + shift, color=VERMILION, linewidth=1.0, linestyle=(0, (2, 2)))
    if example.trace is not None:
        axes.plot(seconds + interval / 2, example.trace, color="black", linewidth=0.9)
        axes.set_ylabel("trace\n/ noise", fontsize=8)
    else:
        axes.set_yticks(())
    axes.set_title(
        f"{example.recording}, ROI {example.row}: {example.kind} in frames {example.first_frame} to "
        f"{example.last_frame}",
        loc="left",
        fontsize=9,
        pad=8,
    )
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(bottom=False, labelbottom=False, labelsize=8)


def _draw_probability(axes: Axes, example: Example) -> None:
    """Draw the probability and the threshold."""
    interval = _interval(example)
    edges = np.append(example.seconds, example.seconds[-1] + interval)
    axes.stairs(example.probability, edges, color=BLUE, linewidth=1.0, baseline=None)
    axes.axhline(example.threshold, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set(ylim=(-0.05, 1.08), yticks=(0, 1), xlim=(edges[0], edges[-1]))
    axes.set_ylabel("p", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _interval(example: Example) -> float:
    """Seconds from frame to frame."""
    return float(np.median(np.diff(example.seconds))) if len(example.seconds) > 1 else 1.0


def _spans(frames: Any, seconds: Any, interval: float) -> list[tuple[float, float]]:
    """Start and duration, in seconds, of each run of frames."""
    return [
        (float(seconds[start]), float(seconds[end - 1] - seconds[start] + interval))
        for start, end in zip(*periods(frames), strict=True)
    ]


def _example_legend(figure: Figure) -> None:
    """Name the colours once, above all examples."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch as Box

    entries: list[Any] = [
        Box(color=GREEN, label="annotated active"),
        Box(color=PALE_GREEN, label="doubtful or not examined"),
        Box(color=ORANGE, alpha=0.5, label="predicted active"),
        Line2D([], [], color=VERMILION, linestyle=(0, (2, 2)), label="the period in question"),
        Line2D([], [], color="black", label="demixed trace"),
        Line2D([], [], color=BLUE, label="probability (p)"),
        Line2D([], [], color=ORANGE, linewidth=1.6, label="the ROI"),
        Line2D([], [], color=SKY, linewidth=0.7, label="other ROIs"),
    ]
    figure.legend(handles=entries, loc="outside upper center", ncols=4, frameon=False, fontsize=8)
