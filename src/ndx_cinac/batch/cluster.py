"""Recordings as tasks on Dask: workers started here or a scheduler elsewhere; what dies is replaced."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, PredictionError
from ..extras import require
from ..helpers import helped_by
from ..progress import Progress
from .goals import Goal
from .jobs import Job, predict_job
from .outcomes import RecordingOutcome
from .sharing import OtherWorkers

if TYPE_CHECKING:
    from .many import BatchOptions

LEAST_MEMORY = 1_200_000_000
"""Bytes that a worker needs to predict anything: TensorFlow alone takes most of them."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

TOPIC = "ndx-cinac"
CONNECT_SECONDS = "30s"
SECONDS_BETWEEN_EVENTS = 0.2


def _dask() -> tuple[Any, Any]:
    """Import dask and dask.distributed."""
    feature = "Predicting on several workers"
    return require("dask", extra="cluster", feature=feature), require(
        "distributed", extra="cluster", feature=feature
    )


@contextmanager
def connected(options: BatchOptions) -> Iterator[Any]:
    """Give a client of the workers that are asked for; those that are started here are ended here.

    Raises
    ------
    ConfigError
        If the workers would have too little memory, or take several recordings at once.
    PredictionError
        If the scheduler cannot be reached, or has no workers.
    MissingExtraError
        If Dask is not installed.
    """
    _, distributed = _dask()
    if options.workers is not None:
        with _local(options.workers, options.worker_memory) as cluster, distributed.Client(cluster) as client:
            yield client
        return
    if not isinstance(options.scheduler, str):
        _check_threads(options.scheduler)
        yield options.scheduler
        return
    try:
        client = distributed.Client(options.scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        what = f"No Dask scheduler answers at '{options.scheduler}': {error}"
        raise PredictionError(
            what, fix="Start one with: dask scheduler; then workers: dask worker"
        ) from error
    with client:
        _check_threads(client)
        yield client


def _check_threads(client: Any) -> None:
    """Refuse workers that would hold several recordings in the memory of one process."""
    most = max(client.nthreads().values(), default=1)
    if most > 1:
        what = f"A worker takes up to {most} recordings at once, in the memory of one process"
        raise ConfigError(what, fix="Start workers with one thread of Dask each: dask worker --nthreads 1")


@contextmanager
def _local(workers: int, memory: int | None) -> Iterator[Any]:
    """Start workers on this machine: a process each, its share of the cores and of the memory."""
    dask, distributed = _dask()
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    share = int(distributed.system.MEMORY_LIMIT // workers) if memory is None else memory
    if share < LEAST_MEMORY:
        what = f"Each of {workers} workers would have {share / 1e9:.1f} GB of memory, less than "
        what += f"{LEAST_MEMORY / 1e9:.1f} GB"
        raise ConfigError(what, fix="Start fewer workers (--workers)")
    variables = {name: str(max(1, cores // workers)) for name in THREAD_VARIABLES}
    variables["TF_CPP_MIN_LOG_LEVEL"] = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
    before = {name: os.environ.get(name) for name in variables}
    # Dask sets these in this process, too, as libraries read them when they are imported.
    settings = {f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in variables.items()}
    try:
        with (
            dask.config.set(settings),
            distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,  # of Dask: one recording at a time
                memory_limit=share,
                dashboard_address="127.0.0.1:0",
                security=True,  # nobody else on this machine can hand out work
            ) as cluster,
        ):
            yield cluster
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def predict_on_workers(
    client: Any, jobs: Sequence[Job], progress: Progress
) -> Iterator[tuple[Goal, RecordingOutcome]]:
    """Hand out recordings, and give back each one's outcome as it comes.

    A recording whose worker dies goes to another one; after several deaths it counts as failed, as it may be
    the cause. Where fewer recordings are left than there are workers, these share them.

    Raises
    ------
    PredictionError
        If the scheduler is lost.
    """
    _, distributed = _dask()
    workers = len(client.nthreads())
    shared = len(jobs) % workers if workers else 0
    run = uuid.uuid4().hex[:8]
    alone = len(jobs) == 1
    if alone:
        client.subscribe_topic(f"{TOPIC}-{run}", lambda event: progress(*event[1]))
    futures = {
        client.submit(
            _on_worker,
            job,
            topic=f"{TOPIC}-{run}" if alone else None,
            share=number >= len(jobs) - shared,
            key=f"{TOPIC}-{run}-{number}-{job.goal.source.name}",
            pure=False,
        ): job
        for number, job in enumerate(jobs)
    }
    try:
        for number, future in enumerate(distributed.as_completed(list(futures)), 1):
            job = futures[future]
            yield job.goal, _outcome(future, job)
            progress("recordings", number, len(jobs))
    finally:
        if alone:
            client.unsubscribe_topic(f"{TOPIC}-{run}")
        client.cancel(list(futures))


def _on_worker(job: Job, topic: str | None, *, share: bool) -> RecordingOutcome:
    """Predict one recording on a worker, which may ask the others to help."""
    from distributed import get_worker

    worker = get_worker()
    told = time.monotonic()

    def listen(stage: str, done: int, total: int) -> None:
        nonlocal told
        if topic is not None and (done == total or time.monotonic() - told > SECONDS_BETWEEN_EVENTS):
            told = time.monotonic()
            worker.log_event(topic, [stage, int(done), int(total)])

    with helped_by(OtherWorkers() if share else None):
        return predict_job(job, listen, repeated=True)


def _outcome(future: Any, job: Job) -> RecordingOutcome:
    """Return the outcome of a finished task; one that the workers did not survive is a failure."""
    _, distributed = _dask()
    if future.status in ("cancelled", "lost"):
        what = "The connection to the Dask scheduler was lost"
        fix = "Run it again with --skip-existing: what is complete is not done again"
        raise PredictionError(what, fix=fix)
    error = future.exception()
    if error is None:
        outcome: RecordingOutcome = future.result()
        return outcome
    if isinstance(error, distributed.scheduler.KilledWorker):
        what = f"{error.allowed_failures + 1} workers died while they predicted this recording"
        fix = "Most often that is a lack of memory: give each worker more, or predict it alone"
        failure = PredictionError(what, where=str(job.goal.source), fix=fix)
    else:  # the task could not even begin, as where a worker lacks ndx-cinac
        what = f"A worker failed with {type(error).__name__}: {error}"
        failure = PredictionError(
            what, where=str(job.goal.source), fix="Check what is installed on the workers"
        )
    return RecordingOutcome(job.goal.source, job.goal.output, "failed", error=failure)
