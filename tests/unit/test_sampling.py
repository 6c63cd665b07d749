"""The sample is bounded, spread and aligned with chunks; the store keeps what it is given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndx_cinac.movies import ArrayMovie
from ndx_cinac.traces.sampling import plan_runs, take_sample
from ndx_cinac.traces.store import TraceStore


@settings(max_examples=200, deadline=None)
@given(n_frames=st.integers(1, 30000), share=st.floats(0.001, 1), chunk=st.integers(1, 5000))
def test_runs_are_disjoint_within_the_movie_and_no_more_than_wanted(n_frames, share, chunk):
    wanted = max(1, int(share * n_frames))
    runs = plan_runs(n_frames, wanted, chunk)
    frames = np.concatenate([np.arange(start, stop) for start, stop in runs])
    assert (np.diff(frames) > 0).all()
    assert frames[0] >= 0
    assert frames[-1] < n_frames
    assert len(frames) <= wanted


def test_runs_begin_at_chunks_and_hold_whole_ones():
    runs = plan_runs(24000, 1000, 10)
    assert all(start % 10 == 0 and stop - start == 10 for start, stop in runs)
    assert len(runs) == 100


@pytest.mark.parametrize("chunk", [100, 150, 333])
def test_a_run_meets_one_chunk_where_these_are_longer(chunk):
    runs = plan_runs(6000, 510, chunk)
    assert all(start // chunk == (stop - 1) // chunk for start, stop in runs)


@pytest.mark.parametrize("chunk", [1, 10, 500, 24000])
def test_runs_cover_the_whole_movie(chunk):
    starts = np.array([start for start, _ in plan_runs(24000, 1000, chunk)])
    assert len(starts) >= 8
    assert starts[0] == 0
    assert starts[-1] > 23000
    assert np.diff(starts).max() < 24000 / len(starts) * 1.5


def numbered(n_frames):
    return ArrayMovie(np.arange(n_frames, dtype=np.uint16)[:, None, None] * np.ones((1, 4, 5), np.uint16))


@pytest.mark.parametrize(
    ("n_frames", "n_bytes", "expected"), [(900, 10**6, 900), (900, 8000, 200), (6000, 10**6, 896)]
)
def test_a_sample_holds_the_frames_that_it_names(n_frames, n_bytes, expected):
    sample = take_sample(numbered(n_frames), 1000, n_bytes)
    assert len(sample.frames) == expected
    assert sample.whole == (expected == n_frames)
    np.testing.assert_array_equal(sample.frames[:, 2, 3], sample.numbers)


def test_no_more_than_a_part_of_a_long_movie_is_sampled():
    assert len(take_sample(numbered(4500), 1000, 10**9).frames) <= 675


def test_a_few_frames_are_sampled_even_if_one_does_not_fit():
    assert len(take_sample(numbered(500), 1000, 1).frames) == 8


def test_progress_of_sampling_ends_at_its_total():
    calls = []
    take_sample(numbered(6000), 1000, 10**6, progress=lambda *call: calls.append(call))
    assert calls[-1][1] == calls[-1][2] == len(calls)


@settings(max_examples=30, deadline=None)
@given(
    n_frames=st.integers(1, 3000), blocks=st.lists(st.integers(1, 1500), min_size=1), in_memory=st.booleans()
)
def test_traces_come_back_as_they_were_stored(n_frames, blocks, in_memory):
    traces = np.random.default_rng(0).random((4, 2, n_frames), np.float32)
    store = TraceStore(4, 2, n_frames, memory_bytes=10**9 if in_memory else 0)
    assert store.in_memory == in_memory
    start = 0
    while start < n_frames:
        stop = min(start + blocks[start % len(blocks)], n_frames)
        store.append(traces[:, :, start:stop])
        start = stop
    np.testing.assert_array_equal(store.read(np.array([3, 0, 0])), traces[[3, 0, 0]])
    np.testing.assert_array_equal(store.read(np.arange(4)), traces)
    store.close()
