"""One recording of many: predicted and written here, and whatever happens told as an outcome."""

from __future__ import annotations

import logging
import os
import platform
import time
import traceback
from dataclasses import dataclass, replace
from typing import Any

from ..errors import CinacError, PredictionError
from ..progress import Progress
from ..results import Result
from ..writing import OutputOptions, read_cell_type_predictions, read_predictions
from ..writing.stored import stored_names
from ..writing.unfinished import SUFFIX, in_use
from .goals import Goal
from .outcomes import RecordingOutcome, numbers_of
from .recipe import Recipe

LOCK_SECONDS = 150.0
"""A repeated job waits so long (s) for a dead worker's lock: network file systems keep it for a while."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A recording, what is predicted of it, and how that is written.

    Attributes
    ----------
    goal : Goal
        Recording and output.
    recipe : Recipe
        Pinned: paths are absolute.
    output : OutputOptions
        Mode, name and whether an output is replaced; its path is the goal's.
    """

    goal: Goal
    recipe: Recipe
    output: OutputOptions


def predict_job(job: Job, progress: Progress, *, repeated: bool = False) -> RecordingOutcome:
    """Predict one recording; errors become part of the outcome, so that other recordings go on.

    Parameters
    ----------
    job : Job
        What to do.
    progress : callable
        Told how far it is.
    repeated : bool
        Whether a worker may have died over this job: what that had finished is not done again.
    """
    started, goal = time.perf_counter(), job.goal
    about: dict[str, Any] = {"source": goal.source, "output": goal.output, "worker": _here()}
    try:
        if repeated:
            _await_unlocked(goal)
        found = _finished_before(job) if repeated else None
        if found is not None:
            return RecordingOutcome(**about, status="done", seconds=0.0, **numbers_of(found))
        options = replace(job.output, path=goal.output)
        numbers = numbers_of(job.recipe.predict(goal.source, options, progress))
    except CinacError as error:
        return RecordingOutcome(**about, status="failed", error=error, traceback=traceback.format_exc())
    except Exception as error:
        wrapped = PredictionError(f"Unexpected {type(error).__name__}: {error}", where=str(goal.source))
        return RecordingOutcome(**about, status="failed", error=wrapped, traceback=traceback.format_exc())
    return RecordingOutcome(**about, status="done", seconds=time.perf_counter() - started, **numbers)


def _here() -> str:
    """Name of this machine and process."""
    return f"{platform.node()}:{os.getpid()}"


def _await_unlocked(goal: Goal) -> None:
    """Wait while another process works on the same output."""
    folder = goal.output.with_name(f".{goal.output.name}{SUFFIX}")
    until = time.monotonic() + LOCK_SECONDS
    while in_use(folder) and time.monotonic() < until:
        time.sleep(0.5)


def _finished_before(job: Job) -> tuple[Result, ...] | None:
    """Return what an output holds that was not there before the work, if that is these predictions."""
    goal = job.goal
    if goal.exists or not goal.output.exists():
        return None
    named = job.output.names(job.recipe.tasks)
    if not set(named.values()) <= set(stored_names(goal.output)):
        return None
    found = tuple(
        read_predictions(goal.output, name)
        if task == "activity"
        else read_cell_type_predictions(goal.output, name)
        for task, name in named.items()
    )
    path = None if found[0].source is None else found[0].source.path
    if path is None or path.resolve() != goal.source.resolve():
        return None
    _log.info("%s was finished before its worker died.", goal.output)
    return found
