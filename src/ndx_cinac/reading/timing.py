"""Times of a movie's frames from its series: gaps, missing rates and wrong counts are told, not hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hdf5_files import read_whole
from ..recording import Times

GAP = 1.5
"""An interval longer than this many median intervals is a gap."""

_COUNTED = "times are counted in frames, as if the rate were 1 Hz"


def read_times(series: Any, n_frames: int) -> tuple[Times, tuple[str, ...]]:
    """Read the times of a series' frames, and say in sentences what is odd in them.

    Parameters
    ----------
    series : TimeSeries
        The movie's series, or the one that the movie stands for; None where there is no series.
    n_frames : int
        Frames of the movie.
    """
    if series is None:
        note = f"The movie has no series in the file: {_COUNTED}"
        return Times(n_frames), (note,)
    if series.timestamps is not None and len(series.timestamps):
        return _from_timestamps(
            read_whole(series.timestamps, "timestamps", "the movie").astype(np.float64), n_frames
        )
    start = series.starting_time
    starting_time = float(start) if start is not None and np.isfinite(start) else 0.0
    rate = float(series.rate) if series.rate is not None else float("nan")
    if rate > 0 and np.isfinite(rate):
        return Times(n_frames, rate, starting_time), ()
    said = "no rate and no timestamps" if series.rate is None else f"a rate of {rate:g}"
    plane_rate = getattr(getattr(series, "imaging_plane", None), "imaging_rate", None)
    if plane_rate is not None and np.isfinite(plane_rate) and plane_rate > 0:
        note = f"The movie has {said}: the imaging plane's rate of {plane_rate:g} Hz was taken"
        return Times(n_frames, float(plane_rate), starting_time), (note,)
    note = f"The movie has {said}: {_COUNTED}"
    return Times(n_frames, None, starting_time), (note,)


def _from_timestamps(stamps: NDArray[np.float64], n_frames: int) -> tuple[Times, tuple[str, ...]]:
    """Bring timestamps to one per frame."""
    notes = []
    bad = ~np.isfinite(stamps)
    if bad.all():
        note = f"None of the movie's timestamps is a number: {_COUNTED}"
        return Times(n_frames), (note,)
    if bad.any():
        index = np.arange(len(stamps))
        stamps = np.where(bad, np.interp(index, index[~bad], stamps[~bad]), stamps)
        notes.append(f"Timestamps that are no numbers were interpolated: {int(bad.sum())} of {len(bad)}")
    intervals = np.diff(stamps)
    usual = float(np.median(intervals)) if len(intervals) else 1.0
    if len(stamps) != n_frames:
        done = (
            "the surplus at the end is left out"
            if len(stamps) > n_frames
            else "the missing ones were added at the end"
        )
        notes.append(f"The movie has {n_frames} frames and {len(stamps)} timestamps; {done}")
        missing = max(0, n_frames - len(stamps))
        stamps = np.concatenate([stamps, stamps[-1] + usual * np.arange(1, missing + 1)])[:n_frames]
        intervals = np.diff(stamps)
    if (intervals <= 0).any():
        frame = int(np.flatnonzero(intervals <= 0)[0]) + 1
        count = int((intervals <= 0).sum())
        times = "once" if count == 1 else f"{count} times, first"
        notes.append(f"The movie's timestamps do not always rise ({times} at frame {frame})")
    gaps = np.flatnonzero(intervals > GAP * usual) if usual > 0 else np.array([], int)
    if len(gaps):
        longest = float(intervals[gaps].max())
        times = "once" if len(gaps) == 1 else f"{len(gaps)} times, first"
        notes.append(
            f"The movie's timestamps jump {times} after frame {gaps[0]}, by at most "
            f"{longest:.3g} s; frames on both sides of such a gap are treated as neighbours"
        )
    return Times(n_frames, timestamps=stamps), tuple(notes)
