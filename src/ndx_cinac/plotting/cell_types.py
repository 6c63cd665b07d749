"""Figures of predicted cell types: where the cells are, and how probable each type is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .cell_type_data import CellTypeFigureData
from .field import background, outlines, scale_bar
from .style import OTHERS_COLOUR, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HATCH = "//////"
"""What marks uncertain cells, in white on the colour of their type."""

MOST_IDS = 60
"""Up to as many cells have their ids written below their bars."""


def plot_cell_type_field(data: CellTypeFigureData) -> Figure:
    """Draw the field of view with each ROI in the colour of its type, and uncertain ones hatched.

    ROIs whose type was not predicted are white and dashed. The legend counts the cells.
    """
    height, width = data.field.rois.shape
    size = np.clip(6.5 * height / max(width, 1), 3.5, 9.0)
    figure = new_figure(7.0, float(size) + 1.0)
    axes = figure.add_subplot()
    background(axes, data.field.image, data.field.rois.shape)
    others = sorted(set(range(len(data.field.rois))) - set(data.types.roi_rows.tolist()))
    outlines(axes, data.field.rois, others, "white", dashed=True)
    for group in data.groups:
        rows = data.types.roi_rows[group.members].tolist()
        _fill(axes, data, rows, group.colour)
        outlines(axes, data.field.rois, rows, group.colour)
    _hatch(axes, data)
    scale_bar(axes, data.field.pixel_size, width, height)
    where = "on the mean image" if data.field.image is not None else "(no movie at hand)"
    axes.set_title(f"predicted types of {len(data.types.roi_rows)} ROIs {where}")
    _legend(figure, data, len(others))
    return figure


def _fill(axes: Axes, data: CellTypeFigureData, rows: list[int], colour: str) -> None:
    """Lay a colour over the pixels of some ROIs."""
    from matplotlib.colors import to_rgba

    height, width = data.field.rois.shape
    layer = np.zeros((height, width, 4))
    for row in rows:
        pixels = data.field.rois.pixels(row)
        layer[pixels[:, 0], pixels[:, 1]] = to_rgba(colour, 0.4 if data.field.image is not None else 0.75)
    axes.imshow(layer, interpolation="nearest")


def _hatch(axes: Axes, data: CellTypeFigureData) -> None:
    """Hatch the pixels of uncertain ROIs."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    rows = data.types.roi_rows[data.uncertain].tolist()
    squares = [_squares(data.field.rois.pixels(row)) for row in rows if data.field.rois.n_pixels[row]]
    if squares:
        corners = np.concatenate(squares)
        codes = np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(corners))
        path = Path(corners.reshape(-1, 2), codes)
        axes.add_patch(PathPatch(path, fill=False, linewidth=0, edgecolor="white", hatch=HATCH))


def _squares(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the corners of each pixel, closed, as x and y: shape (n_pixels, 5, 2)."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
    return np.asarray(pixels[:, None, ::-1] + corners)


def _legend(figure: Figure, data: CellTypeFigureData, n_others: int = 0) -> None:
    """Name types with their counts, and what is uncertain, below the figure."""
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Patch(color=group.colour, label=f"{group.name} ({len(group.members)})") for group in data.groups
    ]
    n_uncertain = int(data.uncertain.sum())
    words = f"uncertain ({n_uncertain}): confidence < {data.uncertain_below:g}"
    entries.append(Patch(facecolor="#606060", edgecolor="white", linewidth=0, hatch=HATCH, label=words))
    if n_others:
        words = f"not predicted ({n_others})"
        entries.append(Patch(facecolor="#606060", edgecolor="white", linestyle=(0, (2, 1.5)), label=words))
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=_legend_columns([entry.get_label() for entry in entries], figure.get_figwidth()),
        frameon=False,
        fontsize=8,
        handlelength=1.5,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def _legend_columns(labels: Sequence[str], width: float) -> int:
    """Return how many columns of a legend at 8 points fit into so many inches; columns are filled first."""
    for count in range(len(labels), 1, -1):
        rows = -(-len(labels) // count)
        columns = [labels[start : start + rows] for start in range(0, len(labels), rows)]
        if sum(0.054 * max(map(len, column)) + 0.38 for column in columns) <= width:
            return count
    return 1


def plot_cell_type_probabilities(data: CellTypeFigureData) -> Figure:
    """Draw the probability of each type as bars, one panel per type, one bar per cell.

    Cells are sorted by their predicted type, and within it by falling confidence. Bars are full in the panel
    of the predicted type and pale in the others; those of uncertain cells are hatched.
    """
    types, n_cells = data.types, len(data.types.roi_rows)
    order = sorted_cells(data)
    colours = {group.name: group.colour for group in data.groups}
    figure = new_figure(float(np.clip(2.5 + 0.12 * n_cells, 6.0, 12.0)), 1.4 + 1.15 * len(types.cell_types))
    panels = figure.subplots(len(types.cell_types), 1, sharex=True, squeeze=False)[:, 0]
    for code, (axes, name) in enumerate(zip(panels, types.cell_types, strict=True)):
        colour = colours.get(name, OTHERS_COLOUR)
        for predicted in (True, False):
            for unsure in (False, True):
                chosen = ((types.codes[order] == code) == predicted) & (data.uncertain[order] == unsure)
                places, heights = np.flatnonzero(chosen), types.probabilities[order[chosen], code]
                look = {"hatch": HATCH, "edgecolor": "white", "linewidth": 0} if unsure else {"linewidth": 0}
                axes.bar(places, heights, 0.85, color=colour, alpha=1.0 if predicted else 0.4, **look)
        axes.set(ylim=(0, 1.02), yticks=(0, 0.5, 1), xlim=(-0.7, max(n_cells, 1) - 0.3))
        axes.set_ylabel(f"p({name})" if len(name) <= 12 else f"p\n({name})", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_title(
        "probability of each type; cells by predicted type and falling confidence", fontsize=10
    )
    for axes in panels:
        _separate_groups(axes, data)
    few = n_cells <= MOST_IDS
    if few:
        panels[-1].set_xticks(
            np.arange(n_cells), [str(roi) for roi in types.roi_ids[order]], rotation=90, fontsize=7
        )
    panels[-1].set_xlabel("ROI id" if few else "ROIs")
    figure.align_ylabels(panels)
    _legend(figure, data)
    return figure


def sorted_cells(data: CellTypeFigureData) -> NDArray[np.int64]:
    """Entries of the predictions by type, and within it by falling confidence."""
    parts = [group.members[np.argsort(-data.types.confidence[group.members], kind="stable")]
             for group in data.groups]  # fmt: skip
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _separate_groups(axes: Axes, data: CellTypeFigureData) -> None:
    """Draw a thin line between the types."""
    edges = np.unique(np.cumsum([len(group.members) for group in data.groups]))[:-1]
    for edge in edges[edges > 0]:
        axes.axvline(edge - 0.5, color="black", linewidth=0.6, linestyle=(0, (1, 2)))
