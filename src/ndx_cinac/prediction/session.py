"""What every prediction begins and ends with: its output, its source and its recording, each checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, OutputError, PredictionError
from ..recording import CinacRecording, Times

if TYPE_CHECKING:
    from ..classifiers.cards import Task
    from ..reading import ReadingOptions
    from ..writing import OutputOptions
    from ..writing.unfinished import UnfinishedFolder

SHOWN_ROWS = 5


def check_goal(
    source: Any, output: str | Path | OutputOptions | None, tasks: Sequence[Task]
) -> OutputOptions | None:
    """Refuse an output that cannot be written, before any work.

    Raises
    ------
    OutputError
        As `check_output`, and if the recording comes from no file.
    """
    if output is None:
        return None
    from ..writing import OutputOptions, check_output
    from ..writing.predictions import resolve_source

    goal = output if isinstance(output, OutputOptions) else OutputOptions(path=output)
    if not isinstance(source, CinacRecording):
        check_output(goal, resolve_source(source)[0], tasks)
        return goal
    if source.source is None or source.source.path is None:
        what = f"Recording '{source.identifier}' comes from no file that predictions could be added to"
        fix = "Predict without output, then use write_predictions with the NWB file as source"
        raise OutputError(what, fix=fix)
    check_output(goal, source.source.path, tasks)
    return goal


@contextmanager
def unfinished(source: Any, goal: OutputOptions | None) -> Iterator[UnfinishedFolder | None]:
    """Hold the temporary folder of a run's output; None where nothing is written.

    Raises
    ------
    OutputError
        If another run works on the same output, or the folder cannot be made.
    """
    if goal is None:
        yield None
        return
    from ..writing.output import goal_path
    from ..writing.predictions import resolve_source
    from ..writing.unfinished import UnfinishedFolder

    if isinstance(source, CinacRecording):
        path = None if source.source is None else source.source.path
    else:
        path = resolve_source(source)[0]
    with UnfinishedFolder(goal_path(goal, path)) as folder:
        yield folder


@contextmanager
def opened(source: Any, reading: ReadingOptions | None) -> Iterator[CinacRecording]:
    """Give the recording; one that is opened here is closed here, whatever happens.

    Raises
    ------
    ConfigError
        If a recording is given, and options for reading it.
    """
    if isinstance(source, CinacRecording):
        if reading is not None:
            what = f"Recording '{source.identifier}' was read already; options for reading come too late"
            raise ConfigError(what, fix="Give them to read_recording")
        yield source
        return
    from ..reading import ReadingOptions, read_recording

    chosen = reading or ReadingOptions()
    with read_recording(
        source, chosen.movie, chosen.segmentation, chosen.axes, rois=chosen.rois
    ) as recording:
        yield recording


def check_recording(recording: CinacRecording) -> Times:
    """Refuse a recording without movie or ROIs to predict; return its times.

    Raises
    ------
    PredictionError
        If its times are not those of its movie, or no ROI can be predicted.
    """
    movie, rois = recording.require_movie(), recording.require_rois()
    times = recording.times or Times(movie.n_frames)
    if times.n_frames != movie.n_frames:
        what = f"The movie has {movie.n_frames} frames, the recording has times for {times.n_frames}"
        raise PredictionError(what, where=recording.identifier)
    if not len(rois.kept):
        reasons = [f"row {row}: {why}" for row, why in {**rois.skipped, **rois.unselected}.items()]
        shown = "; ".join(reasons[:SHOWN_ROWS]) + (
            f"; and {len(reasons) - SHOWN_ROWS} more" if len(reasons) > SHOWN_ROWS else ""
        )
        what = f"None of the {len(rois)} ROIs can be predicted" + (f": {shown}" if shown else "")
        fix = "Select other ROIs, or look at them with: ndx-cinac inspect FILE"
        raise PredictionError(what, where=recording.identifier, fix=fix)
    return times


def left_out(recording: CinacRecording) -> dict[int, str]:
    """Rows that are not predicted, with the reason, in their order."""
    rois = recording.require_rois()
    return dict(sorted({**rois.skipped, **rois.unselected}.items()))


def describe(recording: CinacRecording, times: Times) -> dict[str, Any]:
    """Return what was predicted, as JSON types."""
    movie, rois, axes = recording.require_movie(), recording.require_rois(), recording.axes
    rate = times.frame_rate
    return {
        "recording": recording.identifier,
        "movie": {"shape": list(movie.shape), "dtype": str(movie.dtype)},
        "frame_rate": rate if math.isfinite(rate) else None,
        "pixel_size": recording.pixel_size,
        "axes": {"masks": axes.masks, "evidence": axes.evidence, "detail": axes.detail},
        "rois": {
            "rows": len(rois),
            "predicted": len(rois.kept),
            "skipped": {str(row): why for row, why in rois.skipped.items()},
            "unselected": {str(row): why for row, why in rois.unselected.items()},
        },
    }
