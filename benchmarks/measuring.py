"""Measure predictions from outside and from inside: seconds, processor time, memory, stages, chunks read.

``measure`` runs ``ndx-cinac predict`` in a process of its own, with a clock on each stage of the work;
``count_chunks`` predicts in this process from a file object that notes every read of HDF5.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

STAGES = (
    ("movies", "StoredMovie.read", "reading and decompressing"),
    ("chunk_reading", "GzipChunks._place", "reading and decompressing"),
    ("traces.extraction", "take_sample", "sampling"),
    ("traces.extraction", "fit_frame_model", "footprints"),
    ("traces.extraction", "MeasuredSample", "footprints"),
    ("traces.extraction", "prepare", "footprints"),
    ("traces.ranges", "finish", "correcting and demixing"),
    ("traces.frames", "FrameModel.measure", "correcting and demixing"),
    ("traces.extraction", "Traces.channels", "channels"),
    ("prediction.traces", "extract_traces", "waiting for blocks"),
    ("networks", "CompiledNetwork.predict", "network"),
    ("reading.masks", "read_masks", "opening"),
    ("writing.predictions", "write_predictions", "writing"),
)
"""What is timed: module, callable, stage. The time of one that is called within another counts for itself."""

MANY_THREADS = frozenset({"network"})
"""Stages whose library computes in threads of its own: all of the process's time is theirs."""

REST = "start-up and rest"


ONLY_START = "MEASURE_ONLY_START"
"""Variable of a process that ends when it first reads the movie."""


@dataclass(frozen=True)
class Measured:
    """One prediction.

    Attributes
    ----------
    seconds, cpu_seconds : float
        From the start of the process to its end; processor time of all its threads.
    peak_bytes : int
        Largest resident memory.
    startup, startup_cpu : float
        Seconds and processor time from the start of the process to the first read of the movie.
    stages : dict of str to float
        Seconds of the main thread by stage; "start-up and rest" is what no stage takes.
    processor : dict of str to float
        Processor time by stage, whatever thread it was spent in.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    startup: float
    startup_cpu: float
    stages: dict[str, float]
    processor: dict[str, float]


def measure(path: Path, *options: str) -> Measured:
    """Predict a file as ``ndx-cinac predict`` does, the output beside it, and measure that."""
    os.sync()  # a file that was just written is not written to the disk at the prediction's cost
    output = path.with_suffix(".predicted.nwb")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MEASURE_START": repr(time.time())}
    command = [sys.executable, __file__, str(path), "-o", str(output), "--overwrite", "-q", *options]
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as messages:
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=messages
        )
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        messages.seek(0)
        said = messages.read()
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        what = f"predicting {path} failed: {' '.join(lines[-3:])}\n{said}"
        raise RuntimeError(what)
    output.unlink()
    inside = json.loads(lines[-1])
    cpu = usage.ru_utime + usage.ru_stime
    inside["stages"][REST] = seconds - sum(inside["stages"].values())
    inside["processor"][REST] = cpu - sum(inside["processor"].values())
    return Measured(seconds, cpu, **inside)


def measure_starts(path: Path, number: int) -> list[float]:
    """Begin to predict a file several times, and return the seconds to each first read of the movie."""
    os.sync()
    found = []
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, __file__, str(path), "-o", str(Path(folder) / "output.nwb"), "-q"]
        for _ in range(number):
            environment = {**os.environ, ONLY_START: "1", "MEASURE_START": repr(time.time())}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1])["startup"])
    return found


class Clock:
    """Seconds of the main thread and processor time of all threads, each stage without those within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        self._lock = threading.Lock()
        self._here = threading.local()

    def wrap(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        """Return the function with its time counted for a stage."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            stages = self._turn()
            stages.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn().pop()

        return timed

    def _turn(self) -> list[str]:
        """Count this thread's time up to now for the innermost of its open stages; return these."""
        here = self._here.__dict__
        stages: list[str] = here.setdefault("stages", [])
        now = (time.perf_counter(), time.thread_time(), time.process_time())
        if stages:
            stage, since = stages[-1], here["since"]
            wall, own, whole = (b - a for a, b in zip(since, now, strict=True))
            with self._lock:
                spent = whole if stage in MANY_THREADS else own
                self.processor[stage] = self.processor.get(stage, 0.0) + spent
                if threading.current_thread() is threading.main_thread():
                    self.seconds[stage] = self.seconds.get(stage, 0.0) + wall
        here["since"] = now
        return stages


def predict_timed(arguments: list[str]) -> None:
    """Run ``ndx-cinac predict`` with clocks in this process and print what they show as one JSON line."""
    clock, first = Clock(), list[float]()
    from ndx_cinac import movies
    from ndx_cinac.cli import main
    from ndx_cinac.cli.commands import _load_networks

    _load_networks(argparse.Namespace(verbose=False, debug=False))  # part of every start-up, never of a stage

    for module, name, stage in STAGES:
        owner = importlib.import_module(f"ndx_cinac.{module}")
        *path, last = name.split(".")
        owner = functools.reduce(getattr, path, owner)
        setattr(owner, last, clock.wrap(getattr(owner, last), stage))
    importlib.import_module("ndx_cinac.writing").write_predictions = importlib.import_module(
        "ndx_cinac.writing.predictions"
    ).write_predictions
    importlib.import_module("ndx_cinac.traces.extraction").finish = importlib.import_module(
        "ndx_cinac.traces.ranges"
    ).finish
    read = movies.StoredMovie.read

    def noted_read(movie: Any, start: int, stop: int) -> NDArray[Any]:
        if not first:
            first.extend((time.time(), time.process_time()))
            if os.environ.get(ONLY_START):
                print(json.dumps(start_times(first)), flush=True)
                os._exit(0)  # nothing is cleared up: the next start has the folder to itself
        return read(movie, start, stop)

    movies.StoredMovie.read = noted_read  # type: ignore[method-assign]
    code = main(["predict", *arguments])
    if code:
        sys.exit(code)
    startup = start_times(first)
    stages = {"stages": clock.seconds, "processor": clock.processor}
    print(json.dumps({**startup, **stages, "peak_bytes": peak_memory()}))


def start_times(first: list[float]) -> dict[str, float]:
    """Seconds and processor time from the start of the process to the first read of the movie."""
    return {"startup": first[0] - float(os.environ["MEASURE_START"]), "startup_cpu": first[1]}


def peak_memory() -> int:
    """Bytes of memory that this process has held at most.

    What the system counts for finished processes includes that of the process which began them, as on Linux a
    child is its parent's copy for an instant: a test's process of a gigabyte would be measured, not ours.
    """
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    kilobyte = 1024 if sys.platform != "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte


class CountingFile:
    """A file for h5py that notes where each read begins and how long it is."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.reads: list[tuple[int, int]] = []

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from the position on."""
        self.reads.append((self._file.tell(), len(buffer)))
        return self._file.readinto(buffer)

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the position on: h5py knows file objects by this method."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True)
class ChunkCounts:
    """How often the chunks of a movie were read from its file.

    Attributes
    ----------
    times : ndarray of int64, shape (n_chunks,)
        Reads of each chunk; a chunk that is read is decompressed as often.
    """

    times: NDArray[np.int64]

    @property
    def passes(self) -> float:
        """Reads per chunk."""
        return float(self.times.mean())


def count_chunks(path: Path, movie: str) -> ChunkCounts:
    """Predict activity from a file and count the reads of each chunk of the dataset `movie`.

    HDF5 is given a file object, so that what is counted is what it asks the file for.
    """
    from pynwb import NWBHDF5IO

    from ndx_cinac import predict_activity

    source = CountingFile(path)
    with h5py.File(source, "r") as file, NWBHDF5IO(file=file, mode="r") as io:
        nwbfile = io.read()
        spans: list[tuple[int, int]] = []
        file[movie].id.chunk_iter(lambda chunk: spans.append((chunk.byte_offset, chunk.size)))
        source.reads.clear()
        predict_activity(nwbfile)
        reads = np.array(source.reads, np.int64).reshape(-1, 2)
    source.close()
    places = np.array(sorted(spans), np.int64)
    starts, stops = places[:, 0], places.sum(axis=1)
    times = np.zeros(len(starts), np.int64)
    for start, length in reads:
        first = np.searchsorted(stops, start, side="right")
        last = np.searchsorted(starts, start + length, side="left")
        times[first:last] += 1
    return ChunkCounts(times)


def describe_machine() -> str:
    """Say on what is measured, and how busy that is."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("ndx-cinac", "tensorflow", "keras", "pynwb", "h5py", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
    names_and_versions = f"Python {platform.python_version()}, {versions}"
    return f"{cores} cores of {cpu}; {names_and_versions}; load {load} at the beginning"


if __name__ == "__main__":
    predict_timed(sys.argv[1:])
