"""How the masks' axes lie against the movie's: decided by evidence, because not all files keep the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ReadingError
from ..movies import Movie
from ..recording import Axes, MaskOrder
from ..rois import Rois
from .masks import MaskPixels
from .stored_traces import StoredTraces, compare_orders

AxesOption = Literal["auto", "matching", "exchanged"]

OVERSIZED_PART = 0.25
"""An ROI of more than this part of the field is no cell: it is skipped."""

OUTSIDE_PART = 0.5
"""An ROI with more than this part of its pixels outside of the frame is skipped, else used without those."""

FEW_ROIS = 0.05
"""Where no more than this part of the ROIs (or one) leaves the frame, damaged masks could be the cause as
well as exchanged axes: stored traces are asked too."""


@dataclass(frozen=True)
class Decision:
    """The axes, with sentences for the user where they are not certain."""

    axes: Axes
    notes: tuple[str, ...] = ()


def check_option(option: str) -> None:
    """Check a way to choose axes.

    Raises
    ------
    ConfigError
        If it is not known.
    """
    if option not in ("auto", "matching", "exchanged"):
        what = f"axes='{option}' is not known"
        raise ConfigError(what, fix="Use auto, matching or exchanged")


def decide_axes(
    pixels: MaskPixels, movie: Movie, stored: Sequence[StoredTraces] = (), option: AxesOption = "auto"
) -> Decision:
    """Decide how masks lie on the movie.

    In this order: what the user says; shapes and bounds; stored traces of the same ROIs; NWB's schema.

    Parameters
    ----------
    pixels : MaskPixels
        The masks in their own axes.
    movie : Movie
        The movie; a sample of its frames is read where stored traces have to decide.
    stored : sequence of StoredTraces
        Traces of the same ROIs that the file holds.
    option : {"auto", "matching", "exchanged"}
        What the user says.

    Raises
    ------
    ReadingError
        If `image_mask` has neither the movie's shape nor its exchange, or not the one that the user asks for.
    ConfigError
        If `option` is not known.
    """
    check_option(option)
    frame = movie.shape[1:]
    fits = _image_orders(pixels, frame)
    if option != "auto":
        if option not in fits:
            shapes = f"image_mask has shape {pixels.image_shape} and the movie's frames {frame}"
            what = f"axes='{option}' was asked for, but {shapes}: only '{fits[0]}' fits"
            raise ReadingError(what, fix=f"Leave axes at auto, or use axes='{fits[0]}'")
        return Decision(Axes(option, "user", f"axes='{option}' was given"))
    if len(fits) == 1:
        detail = f"image_mask has shape {pixels.image_shape}, the movie's frames {frame}"
        return Decision(Axes(fits[0], "bounds", detail))
    by_bounds, certain = _by_bounds(pixels, frame)
    if by_bounds is not None and certain:
        return Decision(by_bounds)
    by_traces, tried = compare_orders(pixels, movie, stored)
    if by_bounds is None:
        return Decision(by_traces) if by_traces is not None else _by_schema(frame, tried)
    if by_traces is None:
        return Decision(by_bounds)
    if by_traces.masks == by_bounds.masks:
        return Decision(replace(by_bounds, detail=f"{by_bounds.detail}; {by_traces.detail}"))
    return Decision(replace(by_traces, detail=f"{by_traces.detail}; against that, {by_bounds.detail}"))


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
    """Decide by ROIs that leave the frame under one order only; also, whether that is certain."""
    leaving = {order: _rows_outside(pixels, frame, order) for order in ("matching", "exchanged")}
    matching = len(leaving["matching"] - leaving["exchanged"])
    exchanged = len(leaving["exchanged"] - leaving["matching"])
    if matching == exchanged:
        return None, False
    fewer, more = sorted((matching, exchanged))
    better: MaskOrder = "matching" if matching < exchanged else "exchanged"
    worse: MaskOrder = "exchanged" if better == "matching" else "matching"
    detail = (
        f"{more} of {len(pixels)} ROIs leave the frame {frame} if masks and movie are {worse}, "
        f"{fewer} if they are {better}"
    )
    certain = more > max(1, FEW_ROIS * len(pixels)) and 2 * fewer <= more
    return Axes(better, "bounds", detail), certain


def _rows_outside(pixels: MaskPixels, frame: tuple[int, int], order: str) -> set[int]:
    """Rows with a pixel outside of the frame under one order."""
    first, second = ordered(pixels, order)
    outside = (first < 0) | (first >= frame[0]) | (second < 0) | (second >= frame[1])
    return set(np.unique(pixels.row[outside]).tolist())


def _by_schema(frame: tuple[int, int], tried: str) -> Decision:
    """Fall back on the schema, and say that nothing else decided."""
    either = "the frames are square" if frame[0] == frame[1] else "all ROIs fit in either way"
    detail = f"{either} {frame}, and {tried}; by NWB's schema masks and movie have the same order"
    note = (
        f"Nothing tells how masks lie on the movie ({either}, and {tried}): the schema's order was taken. "
        "If the ROIs look mirrored on the diagonal, use axes='exchanged' (--axes exchanged)"
    )
    return Decision(Axes("matching", "schema", detail), (note,))


def ordered(pixels: MaskPixels, order: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of each pixel on the movie's first and second spatial axis under one order."""
    return (pixels.a, pixels.b) if order == "matching" else (pixels.b, pixels.a)


def lay_on_movie(
    pixels: MaskPixels, frame: tuple[int, int], order: MaskOrder
) -> tuple[Rois, tuple[str, ...]]:
    """Lay masks on a movie's frame: rows stay rows, those of no use are skipped with the reason.

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
    rois : Rois
        One entry per row. Pixels outside of the frame are left out, pixels given twice count once (with the
        higher weight).
    notes : tuple of str
        What was left out of ROIs that are kept.
    """
    first, second = ordered(pixels, order)
    row = pixels.row
    inside = (first >= 0) & (first < frame[0]) & (second >= 0) & (second < frame[1])
    given = np.bincount(row, minlength=len(pixels))
    lost = np.bincount(row[~inside], minlength=len(pixels))
    key = (row[inside] * frame[0] + first[inside]) * frame[1] + second[inside]
    key, which = np.unique(key, return_inverse=True)
    weights = np.zeros(len(key), np.float32)
    np.maximum.at(weights, which, pixels.weights[inside])
    row, pixel = np.divmod(key, frame[0] * frame[1])
    first, second = np.divmod(pixel, frame[1])
    counts = np.bincount(row, minlength=len(pixels))
    skipped = dict(pixels.faults)
    for each in np.flatnonzero(lost > OUTSIDE_PART * given):
        skipped.setdefault(
            int(each), f"{lost[each]} of its {given[each]} pixels lie outside of the frame {frame}"
        )
    for each in np.flatnonzero(counts > OVERSIZED_PART * frame[0] * frame[1]):
        why = (
            f"its {counts[each]} pixels are more than {OVERSIZED_PART:.0%} of the field, too many for a cell"
        )
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
    shown = ", ".join(f"row {r}: {lost[r]} of {given[r]} pixels" for r in cut[:5])
    more = ", ..." if len(cut) > 5 else ""
    return rois, (f"ROIs reach out of the frame and are used without those pixels ({shown}{more})",)
