"""Measure the peak memory of a prediction, and how it grows with the numbers of frames and of ROIs.

    python benchmarks/memory.py [--frames 6000] [--rois 300] [--side 512] [--folder DIR]

predicts a recording, one with four times as many frames and one with four times as many ROIs, each with
``ndx-cinac predict`` in a process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from large_recording import LargeRecording
from measuring import describe_machine, measure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument("--rois", type=int, default=300)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    base = LargeRecording(arguments.frames, arguments.rois, arguments.side, level=1)
    variants = (base, replace(base, n_frames=4 * base.n_frames), replace(base, n_rois=4 * base.n_rois))
    print(describe_machine())
    print("\n| frames | ROIs | peak GB | against the first | s | processor s |\n|---|---|---|---|---|---|")
    first = 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        for recording in variants:
            path = recording.write(Path(scratch) / "large.nwb")
            found = measure(path)
            first = first or found.peak_bytes
            print(
                f"| {recording.n_frames} | {recording.n_rois} | {found.peak_bytes / 1e9:.2f} "
                f"| {found.peak_bytes / first - 1:+.1%} | {found.seconds:.1f} | {found.cpu_seconds:.1f} |",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    main()
