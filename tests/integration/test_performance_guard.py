"""What the benchmarks measure on large recordings holds on small ones: chunks read, memory, growth."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

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


def test_the_number_of_rois_does_not_change_how_often_chunks_are_read(benchmarks, tmp_path):
    few = chunk_reads(benchmarks, tmp_path / "few.nwb", chunks=(10, 24, 24))
    many = chunk_reads(benchmarks, tmp_path / "many.nwb", chunks=(10, 24, 24), n_rois=24)
    np.testing.assert_array_equal(few, many)


def test_chunks_of_all_frames_are_read_once_and_kept_in_a_file(benchmarks, tmp_path, monkeypatch):
    from ndx_cinac import movies

    monkeypatch.setattr(movies.StoredMovie.__init__, "__kwdefaults__", {"block_bytes": 2**20})
    times = chunk_reads(benchmarks, tmp_path / "m.nwb", chunks=(4200, 16, 16))
    assert (times == 1).all()


def test_memory_does_not_grow_with_the_number_of_frames(benchmarks, tmp_path):
    large_recording, measuring = benchmarks
    peaks = []
    for n_frames in (4200, 16800):
        recording = large_recording.LargeRecording(n_frames, 20, 64, (20, 64, 64), level=1, period=200)
        measured = measuring.measure(recording.write(tmp_path / "m.nwb"))
        assert {"network", "sampling", "correcting and demixing", "writing"} <= set(measured.stages)
        assert 0 < measured.startup < measured.seconds
        peaks.append(measured.peak_bytes)
    assert peaks[1] < 1.05 * peaks[0] < 1.5e9


def test_four_times_the_rois_cost_less_than_four_times_as_much(benchmarks, tmp_path):
    from ndx_cinac import predict_activity

    large_recording, _ = benchmarks
    costs = []
    for n_rois in (5, 20):
        recording = large_recording.LargeRecording(2000, n_rois, 96, (10, 96, 96), level=1, period=100)
        path = recording.write(tmp_path / f"{n_rois}.nwb")
        predict_activity(path)  # what is compiled and imported only once does not count
        started = time.process_time()
        predict_activity(path)
        costs.append(time.process_time() - started)
    assert costs[1] < 4 * costs[0]
