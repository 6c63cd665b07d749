"""Makes outlines.npz: what shapely 2.2 and Pillow 13 make of random ROIs, by DeepCINAC's steps.

Run by hand where shapely is installed: python make_outlines.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from shapely.geometry import LineString, MultiPoint, Polygon

SIZE = 40


def drawn(polygon):
    image = Image.new("1", (SIZE, SIZE), 1)
    coordinates = polygon.coords if isinstance(polygon, LineString) else polygon.exterior.coords
    ImageDraw.Draw(image).polygon(list(coordinates), outline=0, fill=0)
    return ~np.array(image)


def random_pixels(rng):
    """A blob, a few pixels, or pixels on a line."""
    centre, spread = rng.integers(5, 35, 2), rng.uniform(0.7, 4)
    kind = rng.integers(0, 8)
    if kind == 0:
        along = np.arange(rng.integers(2, 8))
        pixels = centre + along[:, None] * rng.integers(-1, 2, 2)
    else:
        pixels = np.round(rng.normal(centre, spread, (rng.integers(3, 60), 2))).astype(int)
    pixels = np.unique(np.clip(pixels, 0, SIZE - 1), axis=0)
    return pixels if len(pixels) > 1 else pixels + np.array([[0, 0], [0, 1]])


def random_contour(rng):
    """A star around a centre: simple, mostly not convex."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radius = rng.uniform(2, 8, 9)
    return rng.uniform(10, 30, 2) + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def main():
    rng = np.random.default_rng(3)
    pixels = [random_pixels(rng) for _ in range(80)]
    hulls = [MultiPoint(p).convex_hull for p in pixels]
    corners = [np.array((h if isinstance(h, LineString) else h.exterior).coords) for h in hulls]
    contours = [random_contour(rng) for _ in range(20)]
    stars = [Polygon(c) for c in contours]
    shapes = hulls + stars
    ends = lambda lists: np.cumsum([len(part) for part in lists])  # noqa: E731
    np.savez_compressed(
        Path(__file__).with_name("outlines.npz"),
        pixels=np.concatenate(pixels).astype(np.int16),
        pixels_ends=ends(pixels),
        corners=np.concatenate(corners),
        corners_ends=ends(corners),
        contours=np.concatenate(contours),
        contours_ends=ends(contours),
        centroids=np.array([s.centroid.coords[0] for s in shapes]),
        overlaps=np.array([[a is not b and a.intersects(b) for b in shapes] for a in shapes]),
        masks=np.packbits(np.array([drawn(s) for s in shapes])),
        masks_buffer_1=np.packbits(np.array([drawn(s.buffer(1)) for s in shapes])),
        masks_buffer_3=np.packbits(np.array([drawn(s.buffer(3)) for s in shapes])),
    )


if __name__ == "__main__":
    main()
