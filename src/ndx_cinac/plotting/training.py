"""Figures of a training: loss and validation over its steps, reliability, and figures by signal-to-noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..classifiers import ModelCard
from ..errors import OutputError
from .style import BLUE, GREEN, GREY, ORANGE, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE = "training.png"
"""Name of the figure in a classifier's folder."""


def plot_training(card: ModelCard, folder: str | Path) -> Path:
    """Draw what a card says of its training into a folder, as ``training.png``.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(folder) / FILE
    figure = draw_training(card)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        what = f"The figure cannot be written: {error}"
        raise OutputError(what, where=str(path), fix="Choose another folder") from error
    return path


def draw_training(card: ModelCard) -> Figure:
    """Draw loss, validation, reliability and figures by signal-to-noise from a card's entries."""
    figure = new_figure(11.0, 6.5)
    panels: Any = figure.subplots(2, 2)
    curve = list(card.training.get("curve", []))
    _draw_loss(panels[0, 0], curve)
    _draw_validation(panels[0, 1], curve, card.training.get("best step"))
    _draw_reliability(panels[1, 0], _first_with(card.metrics, "reliability"))
    _draw_by_snr(panels[1, 1], _first_with(card.metrics, "by signal-to-noise"))
    figure.suptitle(f"{card.name} {card.version}", fontsize=11)
    return figure


def _draw_loss(axes: Axes, curve: list[dict[str, Any]]) -> None:
    steps = [row["step"] for row in curve]
    axes.plot(steps, _values(curve, "loss"), color=BLUE, marker=".", label="training")
    if any(row.get("validation_loss") is not None for row in curve):
        axes.plot(steps, _values(curve, "validation_loss"), color=ORANGE, marker=".", label="validation")
    axes.set(xlabel="step", ylabel="loss (cross-entropy per frame)")
    _finish(axes)


def _draw_validation(axes: Axes, curve: list[dict[str, Any]], best: int | None) -> None:
    steps = [row["step"] for row in curve]
    names = {"average_precision": ("average precision", GREEN), "best_frame_f1": ("best frame F1", VERMILION)}
    for name, (label, colour) in names.items():
        if any(row.get(name) is not None for row in curve):
            axes.plot(steps, _values(curve, name), color=colour, marker=".", label=label)
    if best is not None:
        axes.axvline(best, color=GREY, linestyle=(0, (4, 3)), linewidth=0.8, label="weights that were kept")
    axes.set(xlabel="step", ylabel="on held-out data", ylim=(0, 1.02))
    _finish(axes)


def _draw_reliability(axes: Axes, rows: list[dict[str, float]] | None) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    if rows:
        axes.plot([r["predicted"] for r in rows], [r["true"] for r in rows], color=BLUE, marker="o", ms=4)
    axes.axvline(0.5, color=VERMILION, linestyle=(0, (4, 3)), linewidth=0.8, label="threshold")
    axes.set(xlabel="predicted probability", ylabel="how often it was true", xlim=(0, 1), ylim=(0, 1))
    _finish(axes)


def _draw_by_snr(axes: Axes, groups: dict[str, dict[str, Any]] | None) -> None:
    groups = groups or {}
    places = np.arange(len(groups))
    names = {"event_recall": ("transients found", BLUE), "event_precision": ("found rightly", ORANGE)}
    for shift, (name, (label, colour)) in zip((-0.2, 0.2), names.items(), strict=True):
        heights = [group.get(name) or 0.0 for group in groups.values()]
        axes.bar(places + shift, heights, width=0.38, color=colour, label=label)
    axes.set_xticks(places, [group.replace(" to inf", " or more") for group in groups])
    axes.set(
        xlabel="height of transients over noise",
        ylabel="share",
        ylim=(0, 1.3),
        yticks=np.arange(0, 1.1, 0.25),
    )
    _finish(axes)


def _values(curve: list[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if row.get(name) is None else float(row[name]) for row in curve]


def _first_with(metrics: Any, name: str) -> Any:
    """Return an entry of the metrics, or of the first source among them that has it."""
    if name in metrics:
        return metrics[name]
    return next((m[name] for m in metrics.values() if isinstance(m, dict) and name in m), None)


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
