"""A streamed prediction beside a downloaded one: requests, bytes and seconds, and what faults make of it.

    python benchmarks/dandi_streaming.py [--megabytes 520] [--latency 0.02] [--faults]

A loopback archive (that of the tests) serves one simulated movie of so many megabytes, and waits before each
answer. Both ways predict with the same classifier and give the same numbers, which is checked.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pynwb import NWBHDF5IO

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from archive import LoopbackArchive

from ndx_cinac.dandi import DerivedOptions, Patience, StreamingOptions, find_assets, predict_asset
from ndx_cinac.errors import ArchiveError
from ndx_cinac.prediction import predict_recording
from ndx_cinac.testing.mock import mock_nwbfile_with_movie, mock_recording

PATH = "sub-mock/sub-mock_ses-mock_ophys.nwb"
FIELD = (256, 256)
CHUNK = 20
SMALL = 200
"""Frames of the scene that is simulated; the long movie repeats it under noise of its own."""


def write_movie(path: Path, megabytes: int) -> int:
    """Write a file whose movie takes so many megabytes; return its stored bytes."""
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_movie(n_rois=40, n_frames=SMALL, shape=FIELD))
    rng = np.random.default_rng(0)
    frames = megabytes * 10**6 // (FIELD[0] * FIELD[1] * 2) // CHUNK * CHUNK
    with h5py.File(path, "r+") as file:
        group = file["acquisition/TwoPhotonSeries"]
        scene, attributes = group["data"][:].astype(np.int32), dict(group["data"].attrs)
        del group["data"]
        made = group.create_dataset("data", (frames, *FIELD), "u2", chunks=(CHUNK, *FIELD))
        made.attrs.update(attributes)
        for start in range(0, frames, CHUNK):
            part = scene[np.arange(start, start + CHUNK) % SMALL]
            noise = rng.integers(-20, 20, part.shape, np.int32)
            made[start : start + CHUNK] = np.clip(part + noise, 0, 65535)
        return int(made.id.get_storage_size())


class FarArchive:
    """A loopback archive in a process of its own, so that it takes no time from what is measured."""

    def __init__(self, file: Path, stored: int, latency: float) -> None:
        self.stored = stored
        context = multiprocessing.get_context("spawn")
        self._end, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, str(file), latency), daemon=True)
        self._process.start()
        self.url = str(self._end.recv())

    def reset(self, **faults: Any) -> None:
        """Count from zero, and let these faults happen."""
        self._end.send(faults)
        self._end.recv()

    def counts(self) -> tuple[int, int]:
        """Return requests that came, and bytes that were sent."""
        self._end.send(None)
        return self._end.recv()


def serve(end: Any, file: str, latency: float) -> None:
    """Run the archive, and do what the other end says."""
    with LoopbackArchive() as archive:
        archive.add(PATH, Path(file))
        archive.faults.latency = latency
        plain = copy.deepcopy(vars(archive.faults))
        end.send(archive.url)
        while True:
            faults = end.recv()
            if faults is None:
                end.send((sum(archive.requests.values()), archive.sent))
                continue
            archive.reset()
            vars(archive.faults).update(copy.deepcopy({**plain, **faults}))
            end.send("done")


def measure(
    archive: FarArchive, folder: Path, options: DerivedOptions, **faults: Any
) -> tuple[np.ndarray, str]:
    """Predict the asset; return its probabilities, and a row of the table."""
    archive.reset(**faults)
    asset = find_assets("000001")[0]
    started, worked = time.perf_counter(), time.process_time()
    derived = predict_asset(asset, folder, options=options)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    requests, sent = archive.counts()
    share = sent / archive.stored
    failures = len(derived.traffic.failures)
    movie = "-" if derived.movie_read is None else f"{derived.movie_read / archive.stored:.3f}"
    counts = f"{requests:5} {sent / 1e6:9.1f} {share:7.3f} {movie:>7} {seconds:8.1f} {worked:8.1f}"
    return derived.result.probabilities, f"{counts} {failures:8}"


def faults(archive: FarArchive, folder: Path, expected: np.ndarray) -> None:
    """Let faults happen one after the other, and say what came of each."""
    patience = Patience(attempts=5, first_wait=0.2, longest_wait=2, timeout=10)
    options = DerivedOptions(validate=False, streaming=StreamingOptions(patience=patience))
    passing = {
        "10 connections dropped in mid-body": {"drops": 10},
        "5xx and 429 in mid-run": {"answers": {"storage": [0, 0, 0, 500, 503, 0, 429, 502]}},
        "addresses good for 5 requests": {"expire_requests": 5},
        "an answer 15 s late (limit 10 s)": {"stalls": 1, "stall_seconds": 15.0},
    }
    lasting = {
        "storage answers 500 for good": {"answers": {"storage": [0] * 6 + [500] * 999}},
        "storage answers 403 for good": {"answers": {"storage": [0] * 6 + [403] * 999}},
        "the asset is gone": {"answers": {"storage": [404] * 9}},
    }
    for number, (name, values) in enumerate({**passing, **lasting}.items()):
        try:
            found, row = measure(archive, folder / str(number), options, **values)
            print(f"{name:36} {row}   same numbers: {np.array_equal(found, expected)}", flush=True)
        except ArchiveError as error:
            print(f"{name:36} {error}", flush=True)
            found, row = measure(archive, folder / str(number), options)
            print(f"{'  the same call again':36} {row}   same: {np.array_equal(found, expected)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=int, default=520)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds before each answer")
    parser.add_argument("--faults", action="store_true", help="try faults too, on a tenth of the movie")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = arguments.megabytes if not arguments.faults else arguments.megabytes // 10
        stored = write_movie(folder / "movie.nwb", size)
        archive = FarArchive(folder / "movie.nwb", stored, arguments.latency)
        os.environ["DANDI_INSTANCE"] = archive.url
        predict_recording(mock_recording().recording)  # loads TensorFlow, which takes as long for both
        names = ("requests", "MB", "x movie", "of it", "seconds", "of CPU", "repeated")
        head = " ".join(f"{word:>{width}}" for word, width in zip(names, (8, 6, 7, 7, 8, 8, 8), strict=True))
        print(f"movie of {stored / 1e6:.0f} MB, {1000 * arguments.latency:g} ms before each answer")
        print(f"{'':33} {head}", flush=True)
        ways = {
            "streamed": DerivedOptions(validate=False),
            "downloaded": DerivedOptions(validate=False, download_to=folder / "copy"),
        }
        results = {}
        for way, options in ways.items():
            results[way], row = measure(archive, folder / way, options)
            print(f"{way:36} {row}", flush=True)
        print(f"same numbers: {np.array_equal(results['streamed'], results['downloaded'])}")
        if arguments.faults:
            faults(archive, folder, results["streamed"])


if __name__ == "__main__":
    main()
