"""Where windows begin, which are chosen and how they are merged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndx_cinac.deepcinac.windows import active_windows, merge_windows, window_starts
from ndx_cinac.errors import PredictionError

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
REFERENCE = json.loads((DATA / "windows.json").read_text(encoding="utf-8"))
CELL_TYPE = "cell_type(window_len=50,n_frames=230)"


@pytest.mark.parametrize("case", REFERENCE["activity"])
def test_windows_begin_where_those_of_deepcinac_do(case):
    n_frames, window, overlap = case.split(",")
    found = window_starts(int(n_frames), int(window), float(overlap))
    assert found.tolist() == REFERENCE["activity"][case]


@pytest.mark.parametrize("case", REFERENCE[CELL_TYPE])
def test_the_most_active_windows_are_those_of_deepcinac(case):
    cell, n_windows, overlap = case.split(",")
    trace = np.load(DATA / "geometry.npz")["smooth_traces_z"][int(cell)]
    found = active_windows(trace, 50, float(overlap), int(n_windows))
    assert found.tolist() == REFERENCE[CELL_TYPE][case]


@given(st.integers(1, 300), st.integers(1, 120), st.floats(0, 0.99))
def test_windows_cover_every_frame_and_end_with_the_movie(extra, window, overlap):
    n_frames = window + extra - 1
    starts = window_starts(n_frames, window, overlap)
    covered = np.zeros(n_frames, bool)
    for start in starts:
        covered[start : start + window] = True
    assert covered.all()
    assert starts[-1] + window == n_frames
    assert (np.diff(starts) > 0).all()


def test_a_movie_shorter_than_a_window_is_refused_with_both_numbers():
    with pytest.raises(PredictionError, match=r"has 39 frames, fewer than the 40 .*longer movie"):
        window_starts(39, 40, 0.5)


@pytest.mark.parametrize("overlap", [-0.1, 1.0, float("nan")])
def test_an_overlap_out_of_its_range_is_refused(overlap):
    with pytest.raises(PredictionError, match=r"overlap of windows is .*from 0 to below 1"):
        window_starts(100, 40, overlap)


def test_a_window_without_a_peak_ranks_last():
    trace = np.full(30, -5.0)
    trace[[3, 25]] = [-4.0, -3.0]
    assert active_windows(trace, 10, 0, 3).tolist() == [20, 0, 10]


def test_no_more_windows_are_chosen_than_asked_for():
    trace = np.sin(np.arange(60.0))
    assert len(active_windows(trace, 10, 0.5, 4)) == 4
    assert len(active_windows(trace, 10, 0.5, 0)) == 0


def test_the_highest_value_counts_where_windows_overlap():
    predictions = np.array([[[0.1], [0.9]], [[0.4], [0.3]]])
    merged = merge_windows(predictions, np.array([0, 1]), 3, keep_highest=True)
    assert merged.tolist() == [[0.1], [0.9], [0.3]]


def test_windows_laid_end_to_end_keep_the_earlier_value():
    predictions = np.array([[[0.1], [0.2]], [[0.9], [0.3]]])
    merged = merge_windows(predictions, np.array([0, 1]), 3, keep_highest=False)
    assert merged.tolist() == [[0.1], [0.2], [0.3]]
