"""Which assets of a dandiset can be predicted, and why the others cannot; read from the archive itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ReadingError
from ..reading.file_contents import external_files, survey
from ..reading.selection import choose
from .archives import DandiAsset
from .remote_files import StreamingOptions
from .streaming import OpenAsset, open_asset

MOVIES = {"TwoPhotonSeries", "OnePhotonSeries", "ImageSeries", "CorrectedImageStack"}
SEGMENTATION = "PlaneSegmentation"
TIMESTAMPS = 100
"""So many intervals between frames tell their rate."""


@dataclass(frozen=True)
class ListedAsset:
    """An asset, and what a prediction would be made from.

    Attributes
    ----------
    asset : DandiAsset
        The asset.
    movie, segmentation : str
        Object paths of what would be taken; empty where nothing can be.
    shape : tuple of int
        (n_frames, first, second) of the movie.
    rate : float
        Frames per second; NaN where it is not known.
    n_rois : int
        Rows of the segmentation.
    reason : str
        Why nothing can be predicted; empty where it can.
    """

    asset: DandiAsset
    movie: str = ""
    segmentation: str = ""
    shape: tuple[int, ...] = ()
    rate: float = math.nan
    n_rois: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types only."""
        kept = {name: getattr(self, name) for name in ("movie", "segmentation", "n_rois", "reason")}
        rate = self.rate if math.isfinite(self.rate) else None
        return {**self.asset.provenance(), **kept, "shape": list(self.shape), "rate": rate}


def list_assets(
    assets: Iterable[DandiAsset],
    options: StreamingOptions | None = None,
    *,
    told: Callable[[OpenAsset], None] | None = None,
) -> Iterator[ListedAsset]:
    """Say of each asset whether it can be predicted.

    What the archive's metadata rule out is not opened. Of the others the structure is read, some hundred
    kilobytes, and nothing is downloaded.

    Parameters
    ----------
    assets : iterable of DandiAsset
        As `find_assets` gives them.
    options : StreamingOptions, optional
        How they are read.
    told : callable, optional
        Called with each asset that was opened, while it is open.

    Yields
    ------
    ListedAsset
        In the order of the assets.

    Raises
    ------
    ArchiveError
        If the archive does not answer, or does not let its assets be read.
    """
    for asset in assets:
        reason = ruled_out(asset)
        if reason:
            yield ListedAsset(asset, reason=reason)
            continue
        try:
            with open_asset(asset, options=options) as opened:
                listed = _look_into(opened)
                if told is not None:
                    told(opened)
        except ReadingError as error:
            listed = ListedAsset(asset, reason=error.what)
        yield listed


def ruled_out(asset: DandiAsset) -> str:
    """Why an asset cannot be predicted, as far as the archive's metadata tell; empty where they do not."""
    if asset.path.endswith((".nwb.zarr", ".zarr")):
        return "it is a Zarr folder, which can only be predicted from a copy on disk"
    if not asset.path.endswith(".nwb"):
        return "it is no NWB file"
    if asset.variables is None:
        return ""
    types = {each.split(" (")[0] for each in asset.variables}
    lacks = [] if types & MOVIES else ["movie"]
    lacks += [] if SEGMENTATION in types else ["ROIs"]
    return f"it holds no {' and no '.join(lacks)}" if lacks else ""


def _look_into(opened: OpenAsset) -> ListedAsset:
    """Say what would be predicted from an asset that is open."""
    listed = ListedAsset(opened.asset)
    try:
        choice = choose(survey(opened.nwbfile), None, None)
    except ReadingError as error:
        return replace(listed, reason=error.what)
    movie = choice.movie
    assert movie is not None
    if external_files(movie.series) is not None:
        names = ", ".join(external_files(movie.series) or [])
        return replace(listed, reason=f"its movie {movie.path} lies outside of the file, in {names}")
    return replace(
        listed,
        movie=movie.path,
        segmentation=choice.segmentation_path,
        shape=movie.shape,
        rate=_rate(movie.series),
        n_rois=len(choice.segmentation.id),
    )


def _rate(series: Any) -> float:
    """Frames per second of a series, without reading all its timestamps."""
    if series.rate:
        return float(series.rate)
    if series.timestamps is None or len(series.timestamps) < 2:
        return math.nan
    interval = float(np.median(np.diff(np.asarray(series.timestamps[: TIMESTAMPS + 1], np.float64))))
    return 1 / interval if interval > 0 else math.nan


def as_table(listed: Iterable[ListedAsset]) -> str:
    """Return a table for people: what can be predicted first, then what cannot, and why."""
    entries = list(listed)
    good = [each for each in entries if not each.reason]
    lines = []
    if good:
        width = max(len(each.asset.path) for each in good)
        lines.append(
            f"{'asset':{width}}  {'size':>9}  {'frames':>8}  {'field':>11}  {'rate':>9}  {'ROIs':>6}"
        )
        for each in good:
            field = " x ".join(str(n) for n in each.shape[1:3])
            rate = f"{each.rate:.3g} Hz" if math.isfinite(each.rate) else "unknown"
            lines.append(
                f"{each.asset.path:{width}}  {size_text(each.asset.size):>9}  {each.shape[0]:>8}  "
                f"{field:>11}  {rate:>9}  {each.n_rois:>6}"
            )
    bad = [each for each in entries if each.reason]
    if bad:
        lines += ["", f"{len(bad)} cannot be predicted:"]
        lines += [f"  {each.asset.path}: {each.reason}" for each in bad]
    return "\n".join(lines or ["There are no assets."])


def size_text(size: float) -> str:
    """Return bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
