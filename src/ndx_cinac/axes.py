"""How the masks' axes lie against the movie's: decided by evidence, because files differ and the schema is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError, ReadingError
from .masks import MaskPixels
from .movies import Movie
from .recording import Axes, MaskOrder
from .rois import Rois
from .stored_traces import StoredTraces, compare_orders

AxesOption = Literal["auto", "matching", "exchanged"]

OVERSIZED_PART = 0.25
"""An ROI of more than this part of the field is no cell: it is skipped."""

OUTSIDE_PART = 0.5
"""An ROI is skipped when more than this part of its pixels lies outside of the frame; otherwise the rest is used."""

FEW_ROIS = 0.05
"""Where no more than this part of the ROIs breaks a bound, damaged masks could be the cause: stored traces are asked too."""


@dataclass(frozen=True)
class Decision:
    """The axes, with sentences for the user where they are not certain."""

    axes: Axes
    notes: tuple[str, ...] = ()


def check_option(option: str) -> None:
    """Raise ConfigError where `option` is no way to choose axes."""
    if option not in ("auto", "matching", "exchanged"):
        what = f"axes='{option}' is not known"
        raise ConfigError(what, fix="Use auto, matching or exchanged")


def decide_axes(
    pixels: MaskPixels, movie: Movie, stored: Sequence[StoredTraces] = (), option: AxesOption = "auto"
) -> Decision:
    """Decide how masks lie on the movie: what the user says, shapes and bounds, stored traces, else the schema.

    Parameters
    ----------
    pixels : MaskPixels
        The masks in their own axes.
    movie : Movie
        The movie.
    stored : sequence of StoredTraces
        Traces of the same ROIs that the file holds.
    option : {"auto", "matching", "exchanged"}
        What the user says.

    Raises
    ------
    ReadingError
        If `image_mask` has neither the movie's shape nor its exchange.
    ConfigError
        If `option` is unknown.
    """
    check_option(option)
    frame = movie.shape[1:]
    fits = _image_orders(pixels, frame)
    if option != "auto":
        if option not in fits:
            what = (
                f"axes='{option}' was asked for, but image_mask has shape {pixels.image_shape} and the movie's frames "
                f"{frame}: only '{fits[0]}' fits"
            )
            raise ReadingError(what, fix=f"Leave axes at auto, or use axes='{fits[0]}'")
        return Decision(Axes(option, "user", f"axes='{option}' was given"))
    if len(fits) == 1:
        detail = f"image_mask has shape {pixels.image_shape}, the movie's frames {frame}"
        return Decision(Axes(fits[0], "bounds", detail))
    by_bounds, weak = _by_bounds(pixels, frame)
    if by_bounds is not None and not weak:
        return Decision(by_bounds)
    by_traces, tried = compare_orders(pixels, movie, stored)
    if by_bounds is not None and (by_traces is None or by_traces.masks == by_bounds.masks):
        detail = by_bounds.detail if by_traces is None else f"{by_bounds.detail}; {by_traces.detail}"
        return Decision(replace(by_bounds, detail=detail))
    if by_traces is not None:
        return Decision(by_traces)
    return _by_schema(frame, tried)


def _image_orders(pixels: MaskPixels, frame: tuple[int, int]) -> tuple[MaskOrder, ...]:
    """Orders under which `image_mask` has the movie's shape; both for other masks and square frames."""
    if pixels.image_shape is None:
        return "matching", "exchanged"
    orders: list[MaskOrder] = []
    if pixels.image_shape == frame:
        orders.append("matching")
    if pixels.image_shape == frame[::-1]:
        orders.append("exchanged")
    if not orders:
        what = f"image_mask has shape {pixels.image_shape}, the movie's frames have shape {frame}"
        fix = "Name the movie and the segmentation that belong together with movie= and segmentation="
        raise ReadingError(what, fix=f"{fix} (--movie, --segmentation)")
    return tuple(orders)


def _by_bounds(pixels: MaskPixels, frame: tuple[int, int]) -> tuple[Axes | None, bool]:
    """Decide by ROIs that leave the frame under one order only; whether damaged masks could explain them as well."""
    outside = {order: _rows_outside(pixels, frame, order) for order in ("matching", "exchanged")}
    only = {
        "matching": outside["matching"] - outside["exchanged"],
        "exchanged": outside["exchanged"] - outside["matching"],
    }
    counts = {order: len(rows) for order, rows in only.items()}
    if counts["matching"] == counts["exchanged"]:
        return None, False
    better: MaskOrder = "matching" if counts["matching"] < counts["exchanged"] else "exchanged"
    worse = "exchanged" if better == "matching" else "matching"
    detail = (
        f"in frames of {frame}, {counts[worse]} of {len(pixels)} ROIs have pixels out of bounds if masks and movie are "
        f"{worse}, {counts[better]} if they are {better}"
    )
    weak = counts[worse] <= max(1, FEW_ROIS * len(pixels)) or 2 * counts[better] > counts[worse]
    return Axes(better, "bounds", detail), weak


def _rows_outside(pixels: MaskPixels, frame: tuple[int, int], order: str) -> set[int]:
    """Rows with a pixel outside of the frame under one order."""
    first, second = ordered(pixels, order)
    outside = (first < 0) | (first >= frame[0]) | (second < 0) | (second >= frame[1])
    return set(np.unique(pixels.row[outside]).tolist())


def _by_schema(frame: tuple[int, int], tried: str) -> Decision:
    """Fall back on the schema, and say that nothing else decided."""
    shape = (
        f"frames are square, {frame}"
        if frame[0] == frame[1]
        else f"all ROIs fit into frames of {frame} either way"
    )
    detail = f"{shape}, and {tried}; NWB's schema says that masks and movie have the same order"
    note = (
        f"Nothing in the file tells how masks lie on the movie ({shape}, and {tried}): the schema's order was taken. "
        "Look at the ROIs on the mean image; if they are mirrored on the diagonal, use axes='exchanged' (--axes exchanged)"
    )
    return Decision(Axes("matching", "schema", detail), (note,))


def ordered(pixels: MaskPixels, order: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of each pixel on the movie's first and second spatial axis under one order."""
    return (pixels.a, pixels.b) if order == "matching" else (pixels.b, pixels.a)


def lay_on_movie(
    pixels: MaskPixels, frame: tuple[int, int], order: MaskOrder
) -> tuple[Rois, tuple[str, ...]]:
    """Lay masks on a movie's frame: rows stay rows, what cannot be used is skipped with the reason.

    Parameters
    ----------
    pixels : MaskPixels
        The masks in their own axes.
    frame : tuple of int
        Lengths of the movie's spatial axes.
    order : {"matching", "exchanged"}
        How they lie on each other.

    Returns
    -------
    Rois
        One entry per row; pixels outside of the frame are left out, pixels given twice are merged (highest weight).
    notes : tuple of str
        What was left out of ROIs that are kept.
    """
    first, second = ordered(pixels, order)
    row = pixels.row
    inside = (first >= 0) & (first < frame[0]) & (second >= 0) & (second < frame[1])
    given = np.bincount(row, minlength=len(pixels))
    lost = np.bincount(row[~inside], minlength=len(pixels))
    key = (row[inside] * frame[0] + first[inside]) * frame[1] + second[inside]
    key, inverse = np.unique(key, return_inverse=True)
    weights = np.zeros(len(key), np.float32)
    np.maximum.at(weights, inverse, pixels.weights[inside])
    row, pixel = np.divmod(key, frame[0] * frame[1])
    first, second = np.divmod(pixel, frame[1])
    counts = np.bincount(row, minlength=len(pixels))
    skipped = dict(pixels.faults)
    for each in np.flatnonzero(lost > OUTSIDE_PART * given):
        skipped.setdefault(
            int(each), f"{lost[each]} of its {given[each]} pixels lie outside of the frame {frame}"
        )
    for each in np.flatnonzero(counts > OVERSIZED_PART * frame[0] * frame[1]):
        why = f"its {counts[each]} pixels are more than {OVERSIZED_PART:.0%} of the field: no cell"
        skipped.setdefault(int(each), why)
    rois = Rois(
        first=first.astype(np.int32),
        second=second.astype(np.int32),
        weights=weights,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        shape=(int(frame[0]), int(frame[1])),
        ids=pixels.ids,
        skipped=dict(sorted(skipped.items())),
    )
    cut = [int(each) for each in np.flatnonzero(lost) if int(each) not in skipped]
    if not cut:
        return rois, ()
    shown = ", ".join(f"row {r}: {lost[r]} of {given[r]} pixels" for r in cut[:5]) + (
        ", ..." if len(cut) > 5 else ""
    )
    return rois, (f"{len(cut)} ROIs reach out of the frame; their pixels outside are left out ({shown})",)
