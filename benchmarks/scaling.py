"""Measure how the cost of a prediction grows with the numbers of frames and of ROIs, and draw it.

    python benchmarks/scaling.py [--side 512] [--frames 2000 6000 12000 24000] [--rois 30 100 300 1000]
                                 [--figure scaling.png] [--folder DIR]

Cost is processor time, which other work on the machine disturbs less than the clock on the wall. Through the
points of either axis a straight line is laid; what is printed is how far the points lie from it.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from large_recording import LargeRecording
from measuring import describe_machine, measure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--frames", type=int, nargs="+", default=[2000, 6000, 12000, 24000])
    parser.add_argument("--rois", type=int, nargs="+", default=[30, 100, 300, 1000])
    parser.add_argument("--fixed-frames", type=int, default=3000)
    parser.add_argument("--fixed-rois", type=int, default=300)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    base = LargeRecording(arguments.fixed_frames, arguments.fixed_rois, arguments.side, period=200, level=1)
    print(describe_machine())
    points = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        for axis, field, values in (
            ("frames", "n_frames", arguments.frames),
            ("ROIs", "n_rois", arguments.rois),
        ):
            recordings = [replace(base, **{field: value}) for value in values]
            points[axis] = np.array([cost(each, Path(scratch)) for each in recordings])
            print_axis(axis, np.array(values), points[axis])
    if arguments.figure is not None:
        draw(arguments.figure, {"frames": arguments.frames, "ROIs": arguments.rois}, points)


def cost(recording: LargeRecording, folder: Path) -> tuple[float, float]:
    """Processor time and time of one prediction, in seconds."""
    path = recording.write(folder / "large.nwb")
    found = measure(path)
    path.unlink()
    return found.cpu_seconds, found.seconds


def line(values: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Heights at `values` of the line that fits best in relative terms."""
    slope, offset = np.polyfit(values, seconds, 1, w=1 / seconds)
    return slope * values + offset


def print_axis(axis: str, values: np.ndarray, points: np.ndarray) -> None:
    """Print cost and distance from a straight line along one axis."""
    fitted = line(values, points[:, 0])
    print(f"\n| {axis} | processor s | on the line | off by | s |\n|---|---|---|---|---|")
    for value, (cpu, seconds), height in zip(values, points, fitted, strict=True):
        print(f"| {value} | {cpu:.1f} | {height:.1f} | {cpu / height - 1:+.1%} | {seconds:.1f} |", flush=True)


def draw(path: Path, values: dict[str, list[int]], points: dict[str, np.ndarray]) -> None:
    """Draw cost against frames and against ROIs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    for axes, (axis, along) in zip(figure.subplots(1, 2), values.items(), strict=True):
        seconds = points[axis][:, 0]
        axes.plot(along, line(np.array(along), seconds), color="0.6", linewidth=1)
        axes.plot(along, seconds, "o", color="#3b6fb6")
        axes.set(xlabel=axis, ylabel="processor time (s)", xlim=(0, None), ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
