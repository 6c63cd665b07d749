"""Examples for training: simulated fields, reduced at once to what a network is given of each ROI."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..evaluation import smoothed_trace_scores
from ..extras import require
from ..movies import ArrayMovie
from ..progress import Progress, silent
from ..simulation import SimulationConfig, simulate_field
from ..traces import TraceOptions, extract_traces

Part = Literal["training", "calibration", "test"]
_PARTS: tuple[Part, ...] = ("training", "calibration", "test")
_ARRAYS = ("channels", "active", "judged", "snr", "baseline", "frame_rate", "pixel_size", "diameters")


@dataclass(frozen=True)
class Example:
    """What is kept of one simulated field.

    Attributes
    ----------
    channels : ndarray of float16, shape (n_rois, n_frames, n_channels)
        What a network is given.
    active, judged : ndarray of bool, shape (n_rois, n_frames)
        What it should say, and where that counts.
    snr : ndarray of float32, shape (n_rois,)
        Height of a typical transient over the noise; 0 for an ROI without a cell.
    baseline : ndarray of float32, shape (n_rois, n_frames)
        Score of the trace-based method to beat.
    frame_rate, pixel_size : float
        Hz; micrometres.
    diameters : ndarray of float32, shape (n_rois,)
        Diameters of circles of the masks' areas, pixels.
    """

    channels: NDArray[np.float16]
    active: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    snr: NDArray[np.float32]
    baseline: NDArray[np.float32]
    frame_rate: float
    pixel_size: float
    diameters: NDArray[np.float32]


@dataclass(frozen=True)
class FieldJob:
    """One field to be made: its settings, and the numbers that seed it."""

    simulation: SimulationConfig
    traces: TraceOptions
    seed: int
    part: Part
    number: int

    def make(self) -> Example:
        """Simulate the field and extract its traces as a prediction would."""
        rng = np.random.default_rng([self.seed, _PARTS.index(self.part), self.number])
        field = simulate_field(self.simulation, rng)
        movie = ArrayMovie(field.movie)
        traces = extract_traces(movie, field.rois, self.traces)
        try:
            rows = traces.roi_rows
            return Example(
                channels=traces.channels(slice(None)).astype(np.float16),
                active=np.ascontiguousarray(field.active.T[rows]),
                judged=np.ascontiguousarray(~field.ignored.T[rows]),
                snr=field.snr[rows],
                baseline=smoothed_trace_scores(movie, field.rois).T[rows].astype(np.float32),
                frame_rate=field.frame_rate,
                pixel_size=field.pixel_size,
                diameters=np.sqrt(field.rois.n_pixels[rows] * 4 / np.pi).astype(np.float32),
            )
        finally:
            traces.close()


def make_examples(
    jobs: Iterable[FieldJob], *, workers: int = 2, cache: Path | None = None, progress: Progress = silent
) -> list[Example]:
    """Make fields, in the order of the jobs.

    Parameters
    ----------
    jobs : iterable of FieldJob
        What to make.
    workers : int
        Processes that make them; 0 makes them in this one. The result is the same.
    cache : Path, optional
        Folder that keeps finished fields: those found there are not made again.
    progress : Progress
        Told of each field.

    Raises
    ------
    ConfigError
        If the cache holds fields of other settings.
    """
    jobs = list(jobs)
    if cache is not None and jobs:
        _check_cache(cache, jobs[0])
    examples = []
    for done, example in enumerate(_made(jobs, workers, cache), start=1):
        examples.append(example)
        progress("simulating fields", done, len(jobs))
    return examples


def _made(jobs: list[FieldJob], workers: int, cache: Path | None) -> Iterator[Example]:
    """Yield examples one by one, made here or in other processes."""
    if workers == 0:
        with _one_thread():
            yield from (_make_or_load(job, cache) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        yield from pool.map(_make_or_load, jobs, [cache] * len(jobs), chunksize=4)


def _one_thread() -> Any:
    """Keep linear algebra to one thread: the processes share the cores, and sums keep their order."""
    limits = require("threadpoolctl", extra="train", feature="Making training data").threadpool_limits
    return limits(limits=1)


def _make_or_load(job: FieldJob, cache: Path | None) -> Example:
    """Load an example from the cache, or make it and put it there."""
    if cache is None:
        return job.make()
    path = cache / f"{job.part}-{job.seed}-{job.number:05d}.npz"
    if not path.exists():
        example = job.make()
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, **{name: getattr(example, name) for name in _ARRAYS})
        temporary.replace(path)
        return example
    with np.load(path, allow_pickle=False) as stored:
        values = {name: stored[name] for name in _ARRAYS}
    values["frame_rate"], values["pixel_size"] = float(values["frame_rate"]), float(values["pixel_size"])
    return Example(**values)


def _check_cache(cache: Path, job: FieldJob) -> None:
    """Say in the cache what its fields were made from, and refuse one that says something else."""
    settings = {"simulation": job.simulation.to_dict(), "traces": job.traces.to_dict()}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    note = cache / "settings.json"
    if not note.exists():
        note.write_text(json.dumps({"sha256": digest, **settings}, indent=1), encoding="utf-8")
    elif json.loads(note.read_text(encoding="utf-8")).get("sha256") != digest:
        what = "The cache holds fields that were made with other settings"
        raise ConfigError(what, where=str(cache), fix="Choose another folder, or delete this one")
