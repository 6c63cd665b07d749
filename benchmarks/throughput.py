"""Measure how fast a large recording is predicted, end to end, and what the machine could do at best.

    python benchmarks/throughput.py [--frames 6000] [--rois 300] [--peer SCRIPT --venv DIR] [--folder DIR]

predicts one recording of 512 x 512 pixels in gzip chunks, a shorter one in chunks of usual shape, of all
frames x 16 x 16 pixels and of one frame each, and reads the masks of 1,000 ROIs. SCRIPT runs DeepCINAC on a
part of the same recording, as in `legacy_speed.py`. All tables are printed in Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from large_recording import MOVIE, LargeRecording
from measuring import Measured, count_chunks, describe_machine, measure, measure_starts

LAYOUTS = {"usual": (10, 256, 256), "all frames x 16 x 16": (0, 16, 16), "one frame each": (1, 512, 512)}
PART = 128
"""Side, in pixels, of the corner that DeepCINAC is given; more where that holds less than four ROIs."""
STARTS = 8
"""Starts in a row that are timed."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument("--rois", type=int, default=300)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "deepcinac-peer")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=("speed", "starts", "layouts", "masks"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        folder = Path(scratch)
        print(describe_machine())
        base = LargeRecording(arguments.frames, arguments.rois, arguments.side)
        if arguments.only in (None, "speed"):
            show_speed(base, folder, arguments)
        if arguments.only in (None, "starts"):
            show_starts(base, folder)
        if arguments.only in (None, "layouts"):
            show_layouts(base, folder)
        if arguments.only in (None, "masks"):
            show_masks(base, folder)


def show_speed(recording: LargeRecording, folder: Path, arguments: argparse.Namespace) -> None:
    """Print speed, stages and the machine's limits for one recording."""
    path = recording.write(folder / "large.nwb")
    found = measure(path)
    speed = recording.cell_frames / found.seconds
    size = f"{recording.side} x {recording.side}, {recording.n_rois} ROIs, {recording.n_frames} frames"
    print(f"\n{size}: {speed:,.0f} cell-frames per second, {found.seconds:.1f} s,")
    print(f"processor {found.cpu_seconds:.1f} s (all threads),")
    print(f"peak {found.peak_bytes / 1e9:.2f} GB, first frame read after {found.startup:.1f} s")
    print_stages(found)
    print_limits(found, path, recording)
    print_chunks(path, recording)
    if arguments.peer is not None:
        theirs = peer_speed(path, folder, arguments)
        print(f"DeepCINAC 1.1.10 on a part of it: {theirs:.1f} cell-frames per second")
        print(f"ratio: {speed / theirs:.0f}")
    path.unlink()


def show_starts(recording: LargeRecording, folder: Path) -> None:
    """Print how long it takes to the first frame, several times in a row."""
    path = replace(recording, level=1).write(folder / "starts.nwb")
    found = ", ".join(f"{seconds:.1f}" for seconds in measure_starts(path, STARTS))
    print(f"\nfirst frame read after, {STARTS} times in a row: {found} s")
    path.unlink()


def print_chunks(path: Path, recording: LargeRecording) -> None:
    """Print how often the movie's chunks are read, in a prediction of its own."""
    counts = count_chunks(path, MOVIE)
    twice = (counts.times > 1).mean()
    pixels = recording.n_frames * recording.side**2 * 2
    print(
        f"\nchunks: {len(counts.times)}, each read {counts.times.min()} to {counts.times.max()} times, "
        f"{twice:.1%} more than once; {counts.passes * pixels / 1e9:.2f} GB decompressed "
        f"for {pixels / 1e9:.2f} GB of pixels"
    )


def print_stages(found: Measured) -> None:
    """Print where the time of one prediction went."""
    print("\n| stage | s of the main thread | processor s | share of processor time |\n|---|---|---|---|")
    for stage, spent in sorted(found.processor.items(), key=lambda item: -item[1]):
        waited = found.stages.get(stage, 0.0)
        print(f"| {stage} | {waited:.1f} | {spent:.1f} | {spent / found.cpu_seconds:.0%} |")
    outside = 1 - found.processor["network"] / found.cpu_seconds
    print(
        f"\noutside the network: {outside:.0%} of the processor time; start-up to the first frame read: ",
        end="",
    )
    print(f"{found.startup:.1f} s, processor {found.startup_cpu:.1f} s")


def print_limits(found: Measured, path: Path, recording: LargeRecording) -> None:
    """Print what the machine could do at best, and what part of that a prediction reaches."""
    wall, processor = (seconds * recording.n_frames for seconds in h5py_seconds(path))
    decompressing = found.processor["reading and decompressing"]
    floating, rate = 2 * network_products() * recording.cell_frames, matrix_rate()
    network = found.stages["network"]
    source, target = np.ones(2**26, np.float32), np.ones(2**26, np.float32)
    bandwidth = best_rate(lambda: np.copyto(target, source), 2 * source.nbytes)
    pixels = recording.n_frames * recording.side**2
    rows = (
        (
            "h5py alone reads all frames once",
            f"{wall:.1f} s, processor {processor:.1f} s",
            "reading takes",
            decompressing,
        ),
        (
            f"{floating / 1e12:.2f} TFLOP of the network at {rate / 1e9:.0f} GFLOP/s (matrix products)",
            f"{floating / rate:.2f} s",
            f"{floating / rate / network:.0%} reached: the network takes",
            network,
        ),
        (
            f"frames in float32 written and read once at {bandwidth / 1e9:.1f} GB/s, copies in memory",
            f"{8 * pixels / bandwidth:.1f} s",
            "correcting and demixing takes",
            found.processor["correcting and demixing"],
        ),
    )
    print("\n| limit of the machine | at the limit | here |\n|---|---|---|")
    for limit, best, text, seconds in rows:
        print(f"| {limit} | {best} | {text} {seconds:.1f} s |")


def h5py_seconds(path: Path, n_frames: int = 300) -> tuple[float, float]:
    """Seconds, and processor time, per frame that h5py alone takes to read some frames."""
    with h5py.File(path) as file:
        data = file[MOVIE]
        n_frames = min(n_frames, len(data))
        started = time.perf_counter(), time.process_time()
        for start in range(0, n_frames, 30):
            data[start : start + 30]
        return (time.perf_counter() - started[0]) / n_frames, (time.process_time() - started[1]) / n_frames


def network_products() -> int:
    """Multiplications of the bundled network, per ROI and frame."""
    import keras

    from ndx_cinac.classifiers import load_classifier

    model = load_classifier("activity-sim").network()
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv1D)]
    return sum(int(np.prod(layer.kernel.shape)) for layer in convolutions)


def matrix_rate() -> float:
    """Floating-point operations per second of matrix products as large as the network's."""
    a, b = np.ones((8192, 144), np.float32), np.ones((144, 48), np.float32)
    out = np.empty((8192, 48), np.float32)
    return best_rate(lambda: np.matmul(a, b, out=out), 2 * a.size * 48)


def best_rate(function: Callable[[], object], amount: float, repeats: int = 20) -> float:
    """Amount per second of the fastest of some calls."""
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - started)
    return amount / best


def peer_speed(path: Path, folder: Path, arguments: argparse.Namespace) -> float:
    """Cell-frames per second of DeepCINAC on up to 1,000 frames of a corner of the field."""
    with h5py.File(path) as file:
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        ends, entries = table["pixel_mask_index"][:], table["pixel_mask"][:]
        every = [np.stack([m["y"], m["x"]], axis=1).astype(int) for m in np.split(entries, ends[:-1])]
        part = PART
        while len(masks := [mask for mask in every if mask.max() < part][:4]) < min(4, len(every)):
            part *= 2
        movie = file[MOVIE][:1000, :part, :part]
    pixels, index = np.concatenate(masks), np.cumsum([len(mask) for mask in masks])
    np.savez(folder / "part.npz", movie=movie, pixels=pixels, pixels_index=index)
    command = [sys.executable, arguments.peer, folder / "part.npz", "--cells", len(masks)]
    command += ["--venv", arguments.venv]
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["cell_frames_per_s"])


def show_layouts(base: LargeRecording, folder: Path) -> None:
    """Print speed, memory and chunk reads by the shape of chunks."""
    n_frames = min(3000, base.n_frames)
    print(
        f"\n| chunks ({n_frames} frames, {base.n_rois} ROIs) | s | processor s | peak GB | reads per chunk |"
    )
    print("|---|---|---|---|---|")
    for name, (length, lines, columns) in LAYOUTS.items():
        chunks = (length or n_frames, min(lines, base.side), min(columns, base.side))
        path = replace(base, n_frames=n_frames, chunks=chunks, level=1).write(folder / "layout.nwb")
        found, counts = measure(path), count_chunks(path, MOVIE)
        print(
            f"| {name} | {found.seconds:.1f} | {found.cpu_seconds:.1f} | {found.peak_bytes / 1e9:.2f} "
            f"| {counts.passes:.2f} (most {counts.times.max()}, least {counts.times.min()}) |",
            flush=True,
        )
        path.unlink()


def show_masks(base: LargeRecording, folder: Path) -> None:
    """Print how long the masks of 1,000 ROIs take to read."""
    from pynwb import NWBHDF5IO

    from ndx_cinac.reading.masks import read_masks

    print("\n| masks of 1,000 ROIs | s | processor s |\n|---|---|---|")
    for masks in ("pixel", "image"):
        small = replace(base, n_frames=20, n_rois=1000, period=20, masks=masks)
        with NWBHDF5IO(small.write(folder / "masks.nwb"), "r") as io:
            module = io.read().processing["ophys"]
            table = module["ImageSegmentation"]["PlaneSegmentation"]
            started, before = time.perf_counter(), time.process_time()
            read_masks(table)
            seconds, cpu = time.perf_counter() - started, time.process_time() - before
            print(f"| {masks} | {seconds:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
