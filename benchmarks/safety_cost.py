"""Measure what safety costs: the same prediction with and without kept work, and the checks of its source.

    python benchmarks/safety_cost.py [--frames 6000] [--rois 300] [--side 256] [--rounds 3] [--folder DIR]

Runs ``ndx-cinac predict`` with ``--no-resume`` and with ``--resume-from 0`` in turns, each in a process of
its own, and prints the medians; on a busy machine look at processor time, not at the clock. Then predicts
once more with a clock on all that keeping the work takes: that is steadier than the difference of two runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
from large_recording import LargeRecording
from measuring import Measured, describe_machine, measure

from ndx_cinac.backend import device_description
from ndx_cinac.hdf5_heaps import heap_fault
from ndx_cinac.hdf5_links import link_fault
from ndx_cinac.hdf5_probe import crash_fault
from ndx_cinac.journal import Journal
from ndx_cinac.prediction import PredictionOptions, activity, predict_activity
from ndx_cinac.prediction.resumption import identity_of
from ndx_cinac.reading import read_recording

WAYS = {"nothing kept": "--no-resume", "all work kept": "--resume-from=0"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument("--rois", type=int, default=300)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        path = LargeRecording(options.frames, options.rois, options.side).write(Path(scratch) / "large.nwb")
        print(describe_machine())
        size = f"{options.side} x {options.side}, {options.rois} ROIs, {options.frames} frames"
        print(f"{size}, {path.stat().st_size / 1e6:.0f} MB; medians of {options.rounds} runs in turns\n")
        print("| | processor s | s |\n| --- | --- | --- |")
        rounds = [{way: measure(path, option) for way, option in WAYS.items()} for _ in range(options.rounds)]
        found = {way: [each[way] for each in rounds] for way in WAYS}
        for way, runs in found.items():
            print(f"| {way} | {_median(runs, 'cpu_seconds'):.1f} | {_median(runs, 'seconds'):.1f} |")
        show_checks(path)
        show_keeping(path)


def _median(runs: list[Measured], what: str) -> float:
    return statistics.median(getattr(run, what) for run in runs)


def show_checks(path: Path) -> None:
    """Print what each check of the source takes; processes that it starts are counted."""
    with read_recording(path) as recording, h5py.File(path) as file:
        checks: dict[str, Callable[[], object]] = {
            "heaps": lambda: heap_fault(path),
            "links": lambda: link_fault(file),
            "a process that reads first": lambda: _tried_anew(path),
            "identity, for kept work": lambda: recording.source and identity_of(recording.source, recording),
        }
        for name, check in checks.items():
            before = os.times()
            check()
            after = os.times()
            processor = sum(after[:4]) - sum(before[:4])
            print(f"| check: {name} | {processor:.2f} | {after.elapsed - before.elapsed:.2f} |")


def show_keeping(path: Path) -> None:
    """Predict in this process, and print how much of it was keeping the work."""
    spent = {"processor": 0.0, "clock": 0.0, "bytes": 0.0}

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            began, clock = time.thread_time(), time.perf_counter()
            result = function(*given, **named)
            spent["processor"] += time.thread_time() - began
            spent["clock"] += time.perf_counter() - clock
            return result

        return call

    def write(self: Journal, file: Path, content: bytes) -> None:
        spent["bytes"] += len(content)
        real(self, file, content)

    real = Journal._write
    output = path.with_name("predicted.nwb")
    device_description()  # loads TensorFlow, which every run does
    began, clock = time.process_time(), time.perf_counter()
    with (
        patch.object(Journal, "_write", write),
        patch.object(Journal, "keep", timed(Journal.keep)),
        patch.object(Journal, "load", timed(Journal.load)),
        patch.object(activity, "journal_of", timed(activity.journal_of)),
    ):
        predict_activity(path, output=output, options=PredictionOptions(resume_seconds=0))
    processor, seconds = time.process_time() - began, time.perf_counter() - clock
    share, of_clock = 100 * spent["processor"] / processor, 100 * spent["clock"] / seconds
    print(
        f"\nKeeping {spent['bytes'] / 1e6:.0f} MB took {spent['processor']:.2f} s of {processor:.1f} s of "
        f"processor time ({share:.1f} %), and {spent['clock']:.2f} s of {seconds:.1f} s ({of_clock:.1f} %)."
    )


def _tried_anew(path: Path) -> str:
    """Try a file although that was done before."""
    path.touch()
    return crash_fault(path)


if __name__ == "__main__":
    main()
