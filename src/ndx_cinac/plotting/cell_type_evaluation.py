"""Figures of an evaluation of cell types: the confusion matrix, and probabilities by annotated type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.cell_types import LEVEL, CellTypeEvaluation
from .style import BLUE, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARK = 0.55
"""Cells of the matrix above this share have light text."""


def plot_confusion(evaluation: CellTypeEvaluation) -> Figure:
    """Draw the confusion matrix: shade and percentage are shares of the annotated type, numbers are cells."""
    counts = evaluation.confusion
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    size = 1.6 + 1.1 * len(evaluation.names)
    figure = new_figure(size + 1.4, size)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{count}\n{share:.0%}" if totals[row, 0] else "0"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            color="white" if share > DARK else "black",
            fontsize=10,
        )
    ticks = range(len(evaluation.names))
    axes.set_xticks(ticks, evaluation.names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, evaluation.names)
    axes.set(xlabel="predicted", ylabel="annotated")
    axes.set_title(f"{len(evaluation.true)} cells, balanced accuracy {evaluation.balanced_accuracy:.2f}")
    figure.colorbar(image, ax=axes, label="share of the annotated type", fraction=0.046)
    return figure


def plot_distribution(evaluation: CellTypeEvaluation, name: str) -> Figure:
    """Draw a histogram of the probabilities that cells annotated as `name` were given for that type.

    From a binary classifier, the probability is that of the second type.
    """
    figure = new_figure(5, 3)
    _histogram(figure.add_subplot(), evaluation, name)
    return figure


def plot_distributions(evaluation: CellTypeEvaluation) -> Figure:
    """Draw the histograms of all annotated types below one another."""
    names = list(evaluation.own_probabilities())
    figure = new_figure(6, 0.6 + 1.9 * max(1, len(names)))
    panels = figure.subplots(max(1, len(names)), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=False):
        _histogram(axes, evaluation, name)
        axes.label_outer()
    return figure


def _histogram(axes: Axes, evaluation: CellTypeEvaluation, name: str) -> None:
    """Draw the probabilities of one annotated type."""
    values = evaluation.own_probabilities()[name]
    axes.hist(100 * values, bins=20, range=(0, 100), color=BLUE, edgecolor="white", linewidth=0.5)
    axes.axvline(100 * LEVEL, color=VERMILION, linewidth=1, linestyle=(0, (4, 3)))
    axes.locator_params(axis="y", integer=True)
    about = evaluation.names[1] if evaluation.binary else "their own type"
    cells = "1 cell" if len(values) == 1 else f"{len(values)} cells"
    axes.set(xlim=(0, 100), xlabel=f"probability of {about} (%)", ylabel="cells")
    axes.set_title(f"annotated as {name}: {cells}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
