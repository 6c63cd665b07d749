"""What the benchmarks measure on large recordings holds on small ones: chunks read, memory, growth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.classifiers import load_classifier

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmarks():
    """The benchmarks' modules."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    import large_recording
    import measuring

    yield large_recording, measuring
    sys.path.remove(str(BENCHMARKS))
    for name in set(sys.modules) - before & {"large_recording", "measuring"}:
        del sys.modules[name]


def chunk_reads(benchmarks, path, **sizes):
    """How often each chunk of a movie of 4,200 frames is read from its file."""
    large_recording, measuring = benchmarks
    recording = large_recording.LargeRecording(
        **{"n_frames": 4200, "n_rois": 6, "side": 48, "period": 100, "level": 1, "traces": False, **sizes}
    )
    return measuring.count_chunks(recording.write(path), large_recording.MOVIE).times


@pytest.mark.parametrize("chunks", [(10, 24, 24), (1, 48, 48), (100, 48, 16)])
def test_each_chunk_is_read_once_after_a_sample_of_a_fifth_at_most(benchmarks, tmp_path, chunks):
    times = chunk_reads(benchmarks, tmp_path / "m.nwb", chunks=chunks)
    assert times.min() == 1
    assert times.max() == 2
    assert (times == 2).mean() <= 0.2 + 1e-9


@pytest.mark.parametrize("n_frames", [4200, 6000])
def test_a_look_at_stored_traces_and_the_sample_are_a_fifth_together(benchmarks, tmp_path, n_frames):
    times = chunk_reads(
        benchmarks, tmp_path / "m.nwb", chunks=(10, 24, 24), traces=True, n_frames=n_frames, n_rois=12
    )
    assert times.min() == 1
    assert times.mean() <= 1.2 + 1e-9
    alone = chunk_reads(benchmarks, tmp_path / "alone.nwb", chunks=(10, 24, 24), n_frames=n_frames, n_rois=12)
    assert times.sum() > alone.sum()  # there was a look


def test_the_number_of_rois_does_not_change_how_often_chunks_are_read(benchmarks, tmp_path):
    few = chunk_reads(benchmarks, tmp_path / "few.nwb", chunks=(10, 24, 24))
    many = chunk_reads(benchmarks, tmp_path / "many.nwb", chunks=(10, 24, 24), n_rois=24)
    np.testing.assert_array_equal(few, many)


def test_chunks_of_all_frames_are_read_once_and_kept_in_a_file(benchmarks, tmp_path, monkeypatch):
    from ndx_cinac import movies

    monkeypatch.setattr(movies.StoredMovie.__init__, "__kwdefaults__", {"block_bytes": 2**20})
    times = chunk_reads(benchmarks, tmp_path / "m.nwb", chunks=(4200, 16, 16))
    assert (times == 1).all()
    looked = chunk_reads(benchmarks, tmp_path / "l.nwb", chunks=(4200, 16, 16), traces=True, n_rois=12)
    assert (looked == 2).all()  # once for the look at the stored traces, in one place


@pytest.fixture(scope="module")
def frugal_classifier(tmp_path_factory) -> Path:
    """The classifier that ships, with so little memory for frames and traces that short movies exceed it."""
    folder = tmp_path_factory.mktemp("frugal") / "activity-sim"
    shutil.copytree(load_classifier("activity-sim").folder, folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["inputs"]["options"] |= {"sample_bytes": 2**24, "block_bytes": 2**22, "store_bytes": 2**20}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_memory_does_not_grow_with_the_number_of_frames(benchmarks, frugal_classifier, tmp_path):
    large_recording, measuring = benchmarks
    peaks = []
    for n_frames in (1000, 4000):
        recording = large_recording.LargeRecording(n_frames, 40, 96, (20, 96, 96), level=1, period=200)
        path = recording.write(tmp_path / "m.nwb")
        measured = measuring.measure(path, "--classifier", str(frugal_classifier))
        assert {"network", "sampling", "correcting and demixing", "writing"} <= set(measured.stages)
        assert 0 < measured.startup < measured.seconds
        peaks.append(measured.peak_bytes)
    assert peaks[1] < 1.05 * peaks[0] < 1.5e9


def test_frames_are_measured_as_often_for_many_rois_and_each_roi_is_predicted_once(
    benchmarks, tmp_path, monkeypatch
):
    from ndx_cinac import networks, predict_activity
    from ndx_cinac.traces.frames import FrameModel

    large_recording, _ = benchmarks
    measured, windows = [], []
    measure, run_batch = FrameModel.measure, networks.run_batch
    monkeypatch.setattr(
        FrameModel,
        "measure",
        lambda self, frames, *known: measured.append(len(frames)) or measure(self, frames, *known),
    )
    monkeypatch.setattr(
        networks,
        "run_batch",
        lambda function, batch: windows.append(len(batch)) or run_batch(function, batch),
    )
    counts = []
    for n_rois in (16, 64):  # whole batches of 16 windows, one window per ROI
        recording = large_recording.LargeRecording(400, n_rois, 64, (10, 64, 64), level=1, period=100)
        predict_activity(recording.write(tmp_path / f"{n_rois}.nwb"))
        counts.append((sum(measured), sum(windows)))
        measured.clear(), windows.clear()
    assert counts == [(counts[0][0], 16), (counts[0][0], 64)]


COSTS = """
import json, sys, time
from ndx_cinac import predict_activity
paths = sys.argv[1:]
costs = {path: [] for path in paths}
predict_activity(paths[0])  # what is imported and compiled only once does not count
for _ in range(3):
    for path in paths:
        started = time.process_time()
        predict_activity(path)
        costs[path].append(time.process_time() - started)
print(json.dumps([min(costs[path]) for path in paths]))
"""
"""Least processor time of three predictions of each file: other work on the machine can only add to it."""

ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
"""Threads that wait for each other take processor time, and the more the busier the machine is."""


def test_the_cost_of_one_more_roi_does_not_grow_with_the_number_of_rois(benchmarks, tmp_path):
    large_recording, _ = benchmarks
    numbers = (300, 1200)
    paths = [
        large_recording.LargeRecording(200, n, 384, (10, 192, 192), level=1, period=50).write(
            tmp_path / f"{n}.nwb"
        )
        for n in numbers
    ]
    command = [sys.executable, "-W", "ignore", "-c", COSTS, *map(str, paths)]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, text=True, check=True
    )
    few, many = json.loads(done.stdout.splitlines()[-1])
    # Near three, as much of the work does not depend on ROIs.
    assert many < 4.0 * few, f"{few:.2f} and {many:.2f} s for {numbers} ROIs"
