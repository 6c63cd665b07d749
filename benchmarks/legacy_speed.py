"""Compare the speed of legacy classifiers with DeepCINAC's own, side by side on one recording.

    python benchmarks/legacy_speed.py PEER [--frames 1000] [--cells 4] [--overlap 0.5] [--venv DIR]

PEER is a script that runs DeepCINAC: ``PEER RECORDING.npz --cells N --overlap V --classifier JSON H5 --save
OUT.npy --venv DIR`` prints one JSON line with ``seconds`` and saves the predictions. Both predict the same
cells with the same classifier: DeepCINAC's default architecture (33.4 million parameters, windows of 100
frames, patches of 25 x 25) with random weights. Both have one cell to warm up on. The last line printed is
the ratio of their cell-frames per second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ndx_cinac.cinac_structures import CinacDataMovie, CinacRecording
from ndx_cinac.legacy import load_legacy
from ndx_cinac.legacy.architecture import read_architecture
from ndx_cinac.legacy.networks import build_network
from ndx_cinac.legacy.prediction import LegacyOptions, activity_of, predict_activity

DATA = Path(__file__).parents[1] / "tests" / "data" / "deepcinac"
WINDOW, PATCH = 100, 25
FILTERS, LSTM_UNITS = (64, 64, 128, 128), (128, 256, 256)
SHARPER = 30  # so that the random classifier's probabilities are not all about one half


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", type=Path)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--overlap", type=float, default=0.5)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "deepcinac-peer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = write_default_classifier(folder)
        recording = write_recording(folder / "recording.npz", arguments.frames)
        theirs, seconds = run_peer(arguments, recording, files, folder / "theirs.npy")
        ours, our_seconds = run_ours(arguments, recording, files)
    work = arguments.cells * arguments.frames
    print(f"{arguments.cells} cells, {arguments.frames} frames, overlap {arguments.overlap:g}")
    print(f"DeepCINAC 1.1.10   {seconds:8.2f} s   {work / seconds:8.1f} cell-frames per second")
    print(f"ndx-cinac          {our_seconds:8.2f} s   {work / our_seconds:8.1f} cell-frames per second")
    print(f"largest difference {np.abs(ours - theirs).max():.1e}, predictions span {np.ptp(theirs):.2f}")
    print(f"ratio              {seconds / our_seconds:.2f}")


def write_default_classifier(folder: Path) -> tuple[Path, Path]:
    """Write DeepCINAC's default architecture with random weights, as Keras 2 writes them."""
    network = json.loads((DATA / "activity_w40.json").read_text(encoding="utf-8"))
    units = {"time": WINDOW, "first": LSTM_UNITS[0], "second": LSTM_UNITS[1], "merge": LSTM_UNITS[2]}
    for layer in network["config"]["layers"]:
        _enlarge(layer["class_name"], layer["config"], layer, units)
    architecture, weights = folder / "default.json", folder / "default.h5"
    architecture.write_text(json.dumps(network), encoding="utf-8")
    model = build_network(read_architecture(architecture))
    rng = np.random.default_rng(0)
    with h5py.File(weights, "w") as file:
        layers = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        shared = _weights_of(next(layer for layer in layers if layer.name == "time_distributed"), rng)
        for layer in layers:
            arrays = shared if layer.name.startswith("time_distributed") else _weights_of(layer, rng)
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                group[name] = array
    return architecture, weights


def _enlarge(kind: str, config: dict, layer: dict, units: dict[str, int]) -> None:
    """Give one layer of the small network the size that it has by default."""
    if kind == "InputLayer":
        config["batch_input_shape"] = [None, WINDOW, PATCH, PATCH, 1]
    elif kind == "TimeDistributed":
        inner = config["layer"]["config"]["layers"]
        convolutions = [part for part in inner if part["class_name"] == "Conv2D"]
        for part, filters in zip(convolutions, FILTERS, strict=True):
            part["config"]["filters"] = filters
        for part in inner:
            if "batch_input_shape" in part["config"]:
                part["config"]["batch_input_shape"] = [None, PATCH, PATCH, 1]
            part.pop("build_config", None)
        config["layer"].pop("build_config", None)
    elif kind == "Dense":
        config["units"] = units["time"]
    elif kind == "LSTM":
        config["units"] = units["merge"]
    elif kind == "Bidirectional":
        first = "multiply" in json.dumps(layer["inbound_nodes"])
        config["layer"]["config"]["units"] = units["first" if first else "second"]
    layer.pop("build_config", None)


def _weights_of(layer: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights for one layer, spread as Keras' initial ones and biases a little off 0."""
    arrays = {}
    for number, variable in enumerate(layer.weights):
        kind, shape = variable.path.split("/")[-1], tuple(variable.shape)
        fan_in, fan_out = np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1]
        limit = 0.1 if kind == "bias" else np.sqrt(6 / (fan_in + fan_out))
        limit *= SHARPER if layer.name == "dense_3" else 1
        arrays[f"{layer.name}/{number}/{kind}:0"] = rng.uniform(-limit, limit, shape).astype(np.float32)
    return arrays


def write_recording(path: Path, n_frames: int) -> Path:
    """Write a recording of the wanted length: the small one of the tests, over and over, with fresh noise."""
    data = np.load(DATA / "recording.npz")
    repeats = -(-n_frames // len(data["movie"]))
    movie = np.tile(data["movie"], (repeats, 1, 1))[:n_frames]
    noise = np.random.default_rng(1).integers(0, 20, movie.shape)
    pixels = {name: data[name] for name in ("pixels", "pixels_index")}
    np.savez(path, movie=(movie + noise).astype(np.uint16), **pixels)
    return path


def run_peer(
    arguments: argparse.Namespace, recording: Path, files: tuple[Path, Path], save: Path
) -> tuple[np.ndarray, float]:
    """Return what DeepCINAC predicts, and the seconds that it takes."""
    command = [sys.executable, arguments.peer, recording, "--cells", arguments.cells]
    command += ["--overlap", arguments.overlap, "--venv", arguments.venv]
    command += ["--classifier", *files, "--save", save]
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, check=True)
    return np.load(save), json.loads(done.stdout.splitlines()[-1])["seconds"]


def run_ours(arguments: argparse.Namespace, path: Path, files: tuple[Path, Path]) -> tuple[np.ndarray, float]:
    """Return what ndx-cinac predicts, and the seconds that it takes."""
    data = np.load(path)
    pixels = np.split(data["pixels"], data["pixels_index"][:-1])

    def predict(rows: np.ndarray) -> tuple[np.ndarray, float]:
        recording = CinacRecording("ours")
        recording.set_movie(CinacDataMovie(data["movie"].astype(np.float64)))
        recording.set_rois_using_pixel_mask(pixels)
        start = time.perf_counter()
        classifier = load_legacy(*files)
        found = predict_activity(recording, classifier, rows, LegacyOptions(overlap=arguments.overlap))
        return activity_of(found), time.perf_counter() - start

    predict(np.arange(1))
    return predict(np.arange(min(arguments.cells, len(pixels))))


if __name__ == "__main__":
    main()
