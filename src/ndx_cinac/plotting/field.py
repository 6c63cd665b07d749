"""The field of view: the movie's mean image with the outlines of the ROIs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..rois import Rois
from .data import FigureData
from .style import GREY, ORANGE, SKY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LABELS = 60
"""Up to as many ROIs are all labelled with their rows in the field of view; beyond, only those asked for."""


def plot_field(data: FigureData) -> Figure:
    """Draw the field of view: the mean image where the movie is at hand, and the outlines of all ROIs.

    Predicted ROIs are orange, those whose traces are drawn sky blue, those not predicted grey and dashed.
    """
    height, width = data.rois.shape
    size = np.clip(6.5 * height / max(width, 1), 3.5, 9.0)
    figure = new_figure(7.0, float(size) + 0.6)
    axes = figure.add_subplot()
    background(axes, data.image, data.rois.shape)
    predicted = {int(row) for row in data.result.roi_rows}
    others = [row for row in range(len(data.rois)) if row not in predicted]
    outlines(axes, data.rois, others, GREY, dashed=True)
    outlines(axes, data.rois, [row for row in predicted if row not in data.rows], ORANGE)
    outlines(axes, data.rois, list(data.rows), SKY)
    _label_rois(axes, data, predicted)
    scale_bar(axes, data.pixel_size, width, height)
    where = "on the mean image" if data.image is not None else "(no movie at hand)"
    axes.set_title(f"{len(predicted)} predicted ROIs {where}")
    return figure


def background(axes: Axes, image: NDArray[Any] | None, shape: tuple[int, int]) -> None:
    """Draw the mean image, or a dark ground of the field's size where there is none, and name the axes."""
    height, width = shape
    if image is not None:
        low, high = np.percentile(image, (0.5, 99.8))
        shown = np.clip((image - low) / max(high - low, 1e-9), 0, 1) ** 0.7  # dim cells stay visible
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.set_facecolor("#202020")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="second axis of the movie (pixels)", ylabel="first axis of the movie (pixels)")


def outlines(axes: Axes, rois: Rois, rows: Sequence[int], colour: str, *, dashed: bool = False) -> None:
    """Draw the outlines of some ROIs along their pixels' edges."""
    from matplotlib.collections import LineCollection

    segments: list[Any] = [outline(rois.pixels(row)) for row in rows if rois.n_pixels[row]]
    if segments:
        edges = np.concatenate(segments)
        if dashed:  # every other edge: dashes along single edges would hardly be seen
            edges = edges[np.floor(edges.min(axis=1) + 0.5).sum(axis=1) % 2 == 0]
        axes.add_collection(LineCollection(list(edges), colors=colour, linewidths=1.3))


def outline(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the edges between an ROI's pixels and the others, as segments.

    Parameters
    ----------
    pixels : ndarray of int, shape (n, 2)
        First and second index of each pixel.

    Returns
    -------
    ndarray, shape (n_segments, 2, 2)
        Both ends of each segment as (second, first): x and y of a figure.
    """
    low = pixels.min(axis=0) - 1
    inside = np.zeros(pixels.max(axis=0) - low + 2, np.int8)
    inside[tuple((pixels - low).T)] = 1
    first, second = np.nonzero(np.diff(inside, axis=0))  # an edge below pixel (first, second)
    level = np.stack([np.stack([second - 0.5, first + 0.5], 1), np.stack([second + 0.5, first + 0.5], 1)], 1)
    first, second = np.nonzero(np.diff(inside, axis=1))  # an edge right of it
    upright = np.stack(
        [np.stack([second + 0.5, first - 0.5], 1), np.stack([second + 0.5, first + 0.5], 1)], 1
    )
    return np.asarray(np.concatenate([level, upright]) + low[::-1])


def _label_rois(axes: Axes, data: FigureData, predicted: set[int]) -> None:
    """Write rows at the ROIs' centres, or beside where they would overlap: of all ROIs where they are few."""
    from matplotlib.patheffects import withStroke

    few = len(data.rois) <= MOST_LABELS
    wanted = [*data.rows, *sorted(predicted - set(data.rows))] if few else data.rows
    room = 0.035 * max(data.rois.shape)
    taken = np.zeros((0, 2))
    for row in wanted:
        place = _free_place(np.array(data.rois.centroid(row)), taken, room)
        taken = np.vstack([taken, place])
        colour = SKY if row in data.rows else "white"
        effect = [withStroke(linewidth=1.8, foreground="black")]
        axes.text(
            place[1],
            place[0],
            str(row),
            color=colour,
            fontsize=8,
            ha="center",
            va="center",
            path_effects=effect,
        )


def _free_place(centre: NDArray[Any], taken: NDArray[Any], room: float) -> NDArray[Any]:
    """Return the place nearest to `centre`, out of some around it, that is `room` away from those taken."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    places = np.concatenate(
        [[centre], *(centre + distance * room * ring for distance in (0.7, 1.2, 2.0, 3.0))]
    )
    free = [place for place in places if not len(taken) or np.hypot(*(taken - place).T).min() >= room]
    return np.asarray(free[0] if free else centre)


def scale_bar(axes: Axes, pixel_size: float | None, width: int, height: int) -> None:
    """Draw a bar of a round number of micrometres in the lower right corner."""
    if pixel_size is None:
        return
    from matplotlib.patheffects import withStroke

    lengths = [length for length in (5, 10, 20, 50, 100, 200, 500) if length / pixel_size <= 0.3 * width]
    length = lengths[-1] if lengths else 5
    right, low = width - 0.04 * width, height - 0.05 * height
    effect = [withStroke(linewidth=3, foreground="black")]
    axes.plot(
        [right - length / pixel_size, right],
        [low, low],
        color="white",
        linewidth=4,
        path_effects=[withStroke(linewidth=6, foreground="black")],
        solid_capstyle="butt",
    )
    middle = right - length / pixel_size / 2
    axes.text(
        middle,
        low - 0.02 * height,
        f"{length} µm",
        color="white",
        fontsize=9,
        ha="center",
        va="bottom",
        path_effects=effect,
    )
