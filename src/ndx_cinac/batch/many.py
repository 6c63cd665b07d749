"""Many recordings into one folder: everything is checked first, then each is predicted by whoever is free."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, OutputError
from ..progress import Progress, silent
from ..writing import OutputOptions
from .goals import Goal, check_goals, find_goals
from .jobs import Job, predict_job
from .outcomes import BatchResult, RecordingOutcome
from .recipe import Recipe


@dataclass(frozen=True)
class BatchOptions:
    """Who predicts the recordings, and what happens to outputs that exist.

    Attributes
    ----------
    workers : int or None
        Processes on this machine, 1 or more; None: this process predicts one recording after the other.
    scheduler : str, distributed.Client or None
        Address of a Dask scheduler (``tcp://HOST:8786``) or a client of one, in place of `workers`. Its
        workers need the same files under the same paths, ndx-cinac, and one thread each.
    worker_memory : int or None
        Memory (bytes) of each of the `workers`, beyond which it is ended and its recording begun again; None:
        an equal share of this machine's.
    skip_existing : bool
        Leave outputs that exist as they are, and predict the others.
    output : OutputOptions
        Mode and name, and whether outputs that exist are replaced; takes no path.
    """

    workers: int | None = None
    scheduler: Any = None
    worker_memory: int | None = None
    skip_existing: bool = False
    output: OutputOptions = field(default_factory=OutputOptions)

    def __post_init__(self) -> None:
        if self.workers is not None and self.scheduler is not None:
            what = "Workers are started here, or a scheduler has its own: not both"
            raise ConfigError(what, fix="Give either --workers or --scheduler")
        if self.worker_memory is not None and self.workers is None:
            what = "The memory of workers can be set only where they are started"
            raise ConfigError(what, fix="Add --workers, or limit the memory where the workers are started")
        for name in ("workers", "worker_memory"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                what = f"The option '{name}' is {value!r}, not a whole number of 1 or more"
                raise ConfigError(what)


def predict_many(
    sources: str | Path | Iterable[str | Path],
    output_dir: str | Path,
    recipe: Recipe | None = None,
    *,
    options: BatchOptions | None = None,
    progress: Progress | None = None,
) -> BatchResult:
    """Predict recordings, each into its own file in one folder; one that fails does not stop the others.

    Parameters
    ----------
    sources : str, Path, or iterable of them
        NWB files (HDF5, or Zarr folders), and folders that are searched for them, see `find_goals`.
    output_dir : str or Path
        The folder for the outputs, made if it is absent.
    recipe : Recipe, optional
        What is predicted, and with what; by default activity with the bundled classifier.
    options : BatchOptions, optional
        Who does it, and what happens to outputs that exist.
    progress : callable, optional
        Called as ``progress(stage, done, total)``; with workers the stage is "recordings", or that of the
        recording where there is one alone.

    Returns
    -------
    BatchResult
        What became of each recording; errors are in it, and are raised for none of them.

    Raises
    ------
    ReadingError
        If there is no recording at all.
    OutputError
        If outputs clash, exist, or do not fit on the disk. Nothing was done then.
    ClassifierError, ConfigError
        If the recipe cannot be followed, or options contradict each other.
    PredictionError
        If the scheduler cannot be reached, or is lost on the way.
    MissingExtraError
        If Dask is needed and not installed.

    Notes
    -----
    With workers a script needs ``if __name__ == "__main__":`` before its work, as with all processes that
    Python starts. Results equal those of `predict_activity` to 1e-5, and bit for bit where as many threads
    compute.
    """
    started = time.perf_counter()
    chosen = options or BatchOptions()
    goals = find_goals(sources, output_dir)
    pinned = (recipe or Recipe()).pinned()
    left = check_goals(goals, chosen.output, pinned.tasks, skip_existing=chosen.skip_existing)
    jobs = [Job(goal, pinned, chosen.output) for goal in goals if goal not in left]
    outcomes = {goal: RecordingOutcome(goal.source, goal.output, "skipped") for goal in left}
    with ExitStack() as stack:
        work = _here(jobs, progress or silent)
        if jobs and (chosen.workers is not None or chosen.scheduler is not None):
            from .cluster import connected, predict_on_workers

            client = stack.enter_context(connected(chosen))
            work = predict_on_workers(client, jobs, progress or silent)
        _make_folders(jobs)
        outcomes.update(work)
    return BatchResult(tuple(outcomes[goal] for goal in goals), time.perf_counter() - started)


def _make_folders(jobs: Sequence[Job]) -> None:
    """Make the folders of all outputs."""
    for folder in {job.goal.output.parent for job in jobs}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"The folder for the outputs cannot be made: {error.strerror or error}"
            raise OutputError(what, where=str(folder), fix="Choose another (--output-dir)") from error


def _here(jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[Goal, RecordingOutcome]]:
    """Predict one recording after the other in this process."""
    for number, job in enumerate(jobs, 1):

        def listen(stage: str, done: int, total: int, about: str = f"{number} of {len(jobs)}") -> None:
            progress(f"{about}: {stage}", done, total)

        yield job.goal, predict_job(job, listen)
        progress("recordings", number, len(jobs))
