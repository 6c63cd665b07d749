"""An inspection report as one screen of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .report import InspectionReport

MOST_LISTED = 10
"""Of skipped ROIs, so many are listed one by one."""


def as_text(report: InspectionReport) -> str:
    """Return the report for people: what was found, what was chosen and why, and what to expect."""
    lines = [report.path, *_found(report)]
    if report.shape is not None:
        lines += [*_movie(report), *_rois(report)]
    lines += _classifier(report)
    if report.problem is None and math.isfinite(report.seconds):
        disk = f", {report.disk_bytes / 1e9:.1f} GB of temporary disk" if report.disk_bytes else ""
        memory = f"about {report.memory_bytes / 1e9:.1f} GB of memory{disk}"
        lines.append(f"to expect     {memory}, {_duration(report.seconds)} on two cores")
    lines += [f"warning       {text}" for text in report.warnings]
    return "\n".join(lines)


def _found(report: InspectionReport) -> list[str]:
    """Lines on movies and segmentations, the chosen ones marked."""
    lines = []
    for movie in report.movies:
        mark = "*" if movie.path == report.movie else " "
        shape = " x ".join(map(str, movie.shape)) if movie.shape else "not in the file"
        remark = f"; {movie.remark}" if movie.remark else ""
        lines.append(f"movie       {mark} {movie.path} ({movie.type}, {shape}{remark})")
    if report.movie is not None and report.movie not in [movie.path for movie in report.movies]:
        lines.append(f"movie       * {report.movie}")
    for table in report.segmentations:
        mark = "*" if table.path == report.segmentation else " "
        lines.append(f"ROIs        {mark} {table.path} ({table.n_rois} ROIs; {', '.join(table.columns)})")
    return lines


def _movie(report: InspectionReport) -> list[str]:
    """Lines on the chosen movie and its axes."""
    assert report.shape is not None
    assert report.axes is not None
    frames, first, second = report.shape
    known = math.isfinite(report.rate) and report.rate > 0
    times = f" at {report.rate:.4g} Hz ({_duration(frames / report.rate)})" if known else ", rate not known"
    size = f"{report.pixel_size:.3g} µm" if math.isfinite(report.pixel_size) else "not known"
    return [
        f"frames        {frames} of {first} x {second} pixels{times}",
        f"pixel size    {size}",
        f"axes          masks {report.axes['masks']}, by {report.axes['evidence']}: {report.axes['detail']}",
    ]


def _rois(report: InspectionReport) -> list[str]:
    """Lines on the ROIs: how many, how large, which are skipped and why."""
    kept = sorted(roi.n_pixels for roi in report.rois if roi.skipped is None)
    skipped = [roi for roi in report.rois if roi.skipped is not None]
    alike = f", of {kept[0]} pixels" if kept else ""
    sizes = (
        f", {kept[0]} to {kept[-1]} pixels (median {kept[len(kept) // 2]})"
        if kept and kept[0] < kept[-1]
        else alike
    )
    lines = [f"to predict    {len(kept)} of {report.n_rois} ROIs{sizes}"]
    lines += [f"skipped       row {roi.row} (id {roi.id}): {roi.skipped}" for roi in skipped[:MOST_LISTED]]
    if len(skipped) > MOST_LISTED:
        lines.append(f"skipped       and {len(skipped) - MOST_LISTED} more (all of them: --json)")
    return lines


def _classifier(report: InspectionReport) -> list[str]:
    """Lines on the classifier and whether the recording fits."""
    card = report.classifier
    if "problem" in card:
        return [f"classifier    {card['name']}: cannot be used"]
    asks = []
    for key, name, unit in (
        ("frame_rates", "frame rate", "Hz"),
        ("pixel_sizes", "pixel size", "µm"),
        ("roi_diameters", "ROI diameter", "pixels"),
    ):
        if card.get(key) is not None:
            asks.append(f"{name} {card[key][0]:g} to {card[key][1]:g} {unit}")
    trained = f", trained on {', '.join(asks)}" if asks else ""
    line = f"classifier    {card['name']} {card['version']} (sha256 {card['sha256'][:12]}){trained}"
    if report.shape is None:
        return [line]
    return [line, f"fits          {'no: see the warnings' if card['mismatches'] else 'yes'}"]


def _duration(seconds: float) -> str:
    """Return a time in the unit that people would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
