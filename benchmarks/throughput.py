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
from measuring import Measured, count_chunks, describe_machine, measure

LAYOUTS = {"usual": (10, 256, 256), "all frames x 16 x 16": (0, 16, 16), "one frame each": (1, 512, 512)}
PART = 128
"""Side of the part of the field, in pixels, that DeepCINAC is given."""


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
    parser.add_argument("--only", choices=("speed", "layouts", "masks"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        folder = Path(scratch)
        print(describe_machine())
        base = LargeRecording(arguments.frames, arguments.rois, arguments.side)
        if arguments.only in (None, "speed"):
            show_speed(base, folder, arguments)
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
    decompression = h5py_seconds(path) * recording.n_frames
    work = recording.cell_frames
    print(f"\nlimits: h5py alone reads all frames in {decompression:.1f} s; {limits(work)}")
    if arguments.peer is not None:
        theirs = peer_speed(path, folder, arguments)
        print(f"DeepCINAC 1.1.10 on a part of it: {theirs:.1f} cell-frames per second")
        print(f"ratio: {speed / theirs:.0f}")
    path.unlink()


def print_stages(found: Measured) -> None:
    """Print where the time of one prediction went."""
    print("\n| stage | seconds | share |\n|---|---|---|")
    for stage, seconds in sorted(found.stages.items(), key=lambda item: -item[1]):
        print(f"| {stage} | {seconds:.1f} | {seconds / found.seconds:.0%} |")
    print(f"\nreading and decompressing, in other threads: {found.reader_cpu:.1f} s of processor time")


def h5py_seconds(path: Path, n_frames: int = 300) -> float:
    """Seconds per frame that h5py alone takes to read some frames."""
    with h5py.File(path) as file:
        data = file[MOVIE]
        n_frames = min(n_frames, len(data))
        started = time.perf_counter()
        for start in range(0, n_frames, 30):
            data[start : start + 30]
        return (time.perf_counter() - started) / n_frames


def limits(cell_frames: int) -> str:
    """Say what the network's arithmetic takes at the speed of bare matrix products, and what memory gives."""
    import keras

    from ndx_cinac.classifiers import load_classifier

    model = load_classifier("activity-sim").network()
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv1D)]
    products = sum(int(np.prod(layer.kernel.shape)) for layer in convolutions)
    a, b = np.ones((8192, 144), np.float32), np.ones((144, 48), np.float32)
    out = np.empty((8192, 48), np.float32)
    rate = best_rate(lambda: np.matmul(a, b, out=out), 2 * a.size * 48)
    source, target = np.ones(2**26, np.float32), np.ones(2**26, np.float32)
    bandwidth = best_rate(lambda: np.copyto(target, source), 2 * source.nbytes)
    work = 2 * products * cell_frames
    return (
        f"matrix products of the network's size run at {rate / 1e9:.0f} GFLOP/s, at which its "
        f"{work / 1e12:.2f} TFLOP take {work / rate:.1f} s; memory copies run at {bandwidth / 1e9:.1f} GB/s"
    )


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
        movie = file[MOVIE][:1000, :PART, :PART]
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        ends, entries = table["pixel_mask_index"][:], table["pixel_mask"][:]
    masks = [np.stack([m["y"], m["x"]], axis=1).astype(int) for m in np.split(entries, ends[:-1])]
    masks = [mask for mask in masks if mask.max() < PART][:4]
    pixels, index = np.concatenate(masks), np.cumsum([len(mask) for mask in masks])
    np.savez(folder / "part.npz", movie=movie, pixels=pixels, pixels_index=index)
    command = [sys.executable, arguments.peer, folder / "part.npz", "--cells", 4, "--venv", arguments.venv]
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
