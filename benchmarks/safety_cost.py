"""Measure what safety costs: the same prediction with and without kept work, and the checks of its source.

    python benchmarks/safety_cost.py [--frames 6000] [--rois 300] [--side 256] [--rounds 3] [--folder DIR]

Runs ``ndx-cinac predict`` with ``--no-resume`` and with ``--resume-from 0`` in turns, each in a process of
its own, and prints the medians. On a busy machine look at processor time, not at the clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
from large_recording import LargeRecording
from measuring import Measured, describe_machine, measure

from ndx_cinac.hdf5_heaps import heap_fault
from ndx_cinac.hdf5_links import link_fault
from ndx_cinac.hdf5_probe import crash_fault
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
        plain, kept = (_median(runs, "cpu_seconds") for runs in found.values())
        show_checks(path)
        print(f"\nKeeping the work takes {100 * (kept / plain - 1):.1f} % more processor time.")


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


def _tried_anew(path: Path) -> str:
    """Try a file although that was done before."""
    path.touch()
    return crash_fault(path)


if __name__ == "__main__":
    main()
