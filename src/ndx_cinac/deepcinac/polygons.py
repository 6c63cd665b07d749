"""Polygons in the plane as DeepCINAC used them: convex hulls, centres, intersections, buffers and drawing.

Corners are (x, y), not closed. No general geometry library is needed for the few operations here; drawing is
Pillow's, because a legacy classifier's masks are what Pillow fills.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..extras import require

SEGMENTS_PER_QUARTER = 16  # how finely a buffer's round corners are drawn


def convex_hull(points: ArrayLike) -> NDArray[np.float64]:
    """Corners of the smallest convex polygon around points.

    Parameters
    ----------
    points : array_like, shape (n, 2)
        As (x, y).

    Returns
    -------
    ndarray of float64, shape (k, 2)
        From the corner of lowest y (then lowest x), up along the side of low x; two corners where the points
        lie on one line, one for a single point, none for no points. The order matters to how the polygon is
        drawn.
    """
    given = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    ordered, first = np.unique(given[:, ::-1], axis=0, return_index=True)
    if len(ordered) < 3:
        return given[np.sort(first)]  # in the order in which they are given
    ordered = ordered[:, ::-1]

    def chain(sequence: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        kept: list[NDArray[np.float64]] = []
        for point in sequence:
            while len(kept) > 1 and _cross(kept[-1] - kept[-2], point - kept[-2]) >= 0:
                kept.pop()
            kept.append(point)
        return kept

    rising, falling = chain(ordered), chain(ordered[::-1])
    return np.array(rising[:-1] + falling[:-1])


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Third component of the cross product of plane vectors."""
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def centroid(polygon: NDArray[np.float64]) -> tuple[float, float]:
    """Centre (x, y) of a polygon's area; of its line where it has no area; NaN where it has no corner."""
    if len(polygon) == 0:
        return float("nan"), float("nan")
    after = np.roll(polygon, -1, axis=0)
    cross = _cross(polygon, after)
    if len(polygon) > 2 and cross.sum() != 0:
        x, y = ((polygon + after) * cross[:, None]).sum(axis=0) / 3 / cross.sum()
        return float(x), float(y)
    lengths = np.hypot(*(after - polygon).T)
    if lengths.sum() == 0:
        return float(polygon[0, 0]), float(polygon[0, 1])
    x, y = ((polygon + after) / 2 * lengths[:, None]).sum(axis=0) / lengths.sum()
    return float(x), float(y)


def intersect(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether two polygons (or lines, or points) have a point in common; touching counts."""
    if len(first) == 0 or len(second) == 0 or _bounds_apart(first, second):
        return False
    if _edges_meet(first, second):
        return True
    return _inside(first[0], second) or _inside(second[0], first)


def _bounds_apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    apart = (first.max(axis=0) < second.min(axis=0)) | (second.max(axis=0) < first.min(axis=0))
    return bool(apart.any())


def _edges_meet(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether any edge of one polygon has a point in common with any edge of the other."""
    a, b = first[:, None], np.roll(first, -1, axis=0)[:, None]
    c, d = second[None], np.roll(second, -1, axis=0)[None]
    sides = [np.sign(_cross(q - p, r - p)) for p, q, r in ((a, b, c), (a, b, d), (c, d, a), (c, d, b))]
    straddle = (sides[0] * sides[1] <= 0) & (sides[2] * sides[3] <= 0)
    boxes = (np.minimum(a, b) <= np.maximum(c, d)) & (np.minimum(c, d) <= np.maximum(a, b))
    return bool((straddle & boxes.all(axis=-1)).any())


def _inside(point: NDArray[np.float64], polygon: NDArray[np.float64]) -> bool:
    """Whether a point lies inside a polygon, by the parity of crossings to its right."""
    before, after = polygon, np.roll(polygon, -1, axis=0)
    spans = (before[:, 1] > point[1]) != (after[:, 1] > point[1])
    rise = np.where(spans, after[:, 1] - before[:, 1], 1.0)
    x = before[:, 0] + (point[1] - before[:, 1]) * (after[:, 0] - before[:, 0]) / rise
    return bool(np.count_nonzero(spans & (point[0] < x)) % 2)


def draw_polygon(polygon: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels inside and on the border of a polygon with its corners truncated to whole pixels.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    """
    if len(polygon) == 0:
        return np.zeros((height, width), bool)
    feature = "Drawing the outline of an ROI"
    image = require("PIL.Image", extra="predict", feature=feature).new("1", (width, height), 0)
    corners = np.trunc(polygon).astype(int)
    closed = np.concatenate([corners, corners[:1]])  # a single point needs a second corner, too
    draw = require("PIL.ImageDraw", extra="predict", feature=feature).Draw(image)
    draw.polygon([(int(x), int(y)) for x, y in closed], fill=1)
    return np.array(image)


def buffered(polygon: NDArray[np.float64], distance: float) -> list[NDArray[np.float64]]:
    """Polygons whose union is everything within `distance` of a polygon, with round corners.

    Most polygons become one, corner for corner the one that GEOS makes of it. One whose notches are too small
    for that is covered by one polygon per edge, and itself: this may differ from GEOS by a few pixels once it
    is drawn.
    """
    polygon = polygon[(polygon != np.roll(polygon, -1, axis=0)).any(axis=1)] if len(polygon) > 1 else polygon
    if len(polygon) < 2 or distance <= 0:
        return [polygon]
    if len(polygon) == 2:
        return [_offset(polygon, distance)[0]]
    if _cross(polygon, np.roll(polygon, -1, axis=0)).sum() > 0:
        polygon = polygon[::-1]
    outline, whole = _offset(polygon, distance)
    if whole and not _crosses_itself(outline):
        return [np.roll(outline, 1, axis=0)]  # it matters to drawing where an outline begins
    edges = np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)
    return [polygon, *(_offset(edge, distance)[0] for edge in edges)]


def _offset(polygon: NDArray[np.float64], distance: float) -> tuple[NDArray[np.float64], bool]:
    """Outline of what lies within `distance` of a polygon (or of a line), and whether it is whole.

    The polygon is clockwise when y points up. It is not whole where a notch leaves nothing of an edge.
    """
    after = np.roll(polygon, -1, axis=0)
    direction = (after - polygon) / np.hypot(*(after - polygon).T)[:, None]
    normals = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    points: list[NDArray[np.float64]] = []
    ends, beginnings = [], []
    for corner, leaving, arriving in zip(after, normals, np.roll(normals, -1, axis=0), strict=True):
        if _cross(leaving, arriving) > 0:  # a notch: the two offset edges cross
            around = [corner + distance * (leaving + arriving) / (1 + leaving @ arriving)]
        else:
            around = _arc(corner, leaving, arriving, distance)
        points += around
        ends.append(around[0])
        beginnings.append(around[-1])
    left = np.array(ends) - np.roll(beginnings, 1, axis=0)
    return np.array(points), bool(((left * direction).sum(axis=1) > 0).all())


def _arc(
    corner: NDArray[np.float64],
    leaving: NDArray[np.float64],
    arriving: NDArray[np.float64],
    distance: float,
) -> list[NDArray[np.float64]]:
    """Points of an arc around a corner, clockwise from one edge's normal to the next."""
    start = np.arctan2(leaving[1], leaving[0])
    turn = (start - np.arctan2(arriving[1], arriving[0])) % (2 * np.pi)
    steps = int(turn / (np.pi / 2 / SEGMENTS_PER_QUARTER) + 0.5)
    angles = start - turn / max(steps, 1) * np.arange(1, steps)
    between = corner + distance * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [corner + distance * leaving, *between, corner + distance * arriving]


def _crosses_itself(outline: NDArray[np.float64]) -> bool:
    """Whether two edges of an outline cross; that they touch does not count."""
    a, b = outline[:, None], np.roll(outline, -1, axis=0)[:, None]
    c, d = outline[None], np.roll(outline, -1, axis=0)[None]
    apart = _cross(b - a, c - a) * _cross(b - a, d - a) < 0
    return bool((apart & (_cross(d - c, a - c) * _cross(d - c, b - c) < 0)).any())
