"""Trace-based methods: what they see in traces that are known, and thresholds that suit them best."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ndx_cinac.errors import MissingExtraError
from ndx_cinac.evaluation.baselines import (
    change_over_noise,
    demixed_traces,
    height_scores,
    mean_traces,
    oasis_scores,
    rise_scores,
)
from ndx_cinac.evaluation.signals import change_traces, overlap, overlap_groups, signal_groups
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.rois import Rois
from ndx_cinac.testing.mock import mock_recording


def transients(n_frames: int = 600, onsets=(100, 300, 500)) -> np.ndarray:
    """A trace around 100 with a noise of 1, and transients that jump by 20 and decay."""
    trace = 100 + np.random.default_rng(0).normal(0, 1, n_frames)
    for onset in onsets:
        trace[onset:] += 20 * np.exp(-np.arange(n_frames - onset) / 12)
    return trace[:, None]


def test_change_is_in_units_of_the_noise_above_the_baseline():
    change = change_over_noise(transients())
    assert change.shape == (600, 1)
    assert np.std(change[:90]) == pytest.approx(1, abs=0.15)
    assert change[100, 0] == pytest.approx(20, abs=3)
    np.testing.assert_allclose(change_over_noise(5 * transients()), change)


def test_change_of_traces_around_zero_is_not_relative():
    change = change_over_noise(transients() - 100, relative=False)
    assert change[100, 0] == pytest.approx(20, abs=3)


def test_a_trace_without_numbers_scores_nothing():
    traces = np.hstack([transients(), np.full((600, 1), np.nan), np.ones((600, 1))])
    change = change_over_noise(traces)
    assert np.isfinite(change).all()
    assert not change[:, 1:].any()
    for method in (height_scores, rise_scores):
        assert not method(change)[:, 1:].any()


def test_oasis_finds_spikes_where_transients_begin():
    pytest.importorskip("oasis")
    scores = oasis_scores(change_over_noise(np.hstack([transients(), np.ones((600, 1))])))
    highest = np.sort(np.argsort(scores[:, 0])[-6:])
    np.testing.assert_array_equal(highest, [99, 100, 299, 300, 499, 500])  # each with the frame before
    assert not scores[:, 1].any()


def test_without_oasis_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "oasis", None)
    monkeypatch.setitem(sys.modules, "oasis.functions", None)
    with pytest.raises(MissingExtraError, match=r"Deconvolution by OASIS.*ndx-cinac\[baselines\]"):
        oasis_scores(np.random.default_rng(0).random((50, 1)))


def test_demixing_takes_a_neighbours_transients_out():
    mock = mock_recording(9, 400, (90, 90), seed=1, motion=0.0)
    rois = mock.recording.rois
    pixels = [rois.pixels(row) for row in range(9)]
    pixels[1] = np.unique(np.vstack([pixels[1], pixels[0][::3]]), axis=0)
    mixed = Rois.from_pixels(pixels, rois.shape)
    movie = mock.recording.movie
    raw, demixed = mean_traces(movie, mixed)[:, 1], demixed_traces(movie, mixed)[:, 1]
    own, others = mock.traces[:, 1], mock.traces[:, 0]
    found = np.corrcoef([own, others, raw, demixed])
    assert found[0, 3] > 0.97 > found[0, 2]
    assert abs(found[1, 3] - found[1, 0]) < 0.1
    assert found[1, 2] > found[1, 0] + 0.2


def test_traces_of_some_rois_are_those_that_are_made_of_all():
    mock = mock_recording(4, 200)
    every = change_traces(mock.recording.movie, mock.recording.rois, np.arange(4))
    some = change_traces(mock.recording.movie, mock.recording.rois, np.array([1, 3]))
    np.testing.assert_array_equal(some.mean, every.mean[:, [1, 3]])
    np.testing.assert_allclose(some.demixed, every.demixed[:, [1, 3]], atol=1e-4)


def test_overlap_is_the_part_of_pixels_that_others_have():
    pixels = [[[0, 0], [0, 1]], [[0, 1], [0, 2], [0, 3], [0, 4]], [[5, 5]], np.zeros((0, 2))]
    rois = Rois.from_pixels([np.array(p) for p in pixels], (8, 8))
    np.testing.assert_array_equal(overlap(rois, np.arange(4)), [0.5, 0.25, 0, np.nan])


def test_rois_are_grouped_once_each():
    values = np.array([0.0, 0.1, 0.25, 0.6, np.nan])
    groups = {name: np.flatnonzero(chosen).tolist() for name, chosen in overlap_groups(values)}
    assert groups == {"none": [0], "below 25%": [1], "25% to 50%": [2], "50% or more": [3]}
    values = np.array([1.0, 4.0, 12.0, 99.0, np.nan])
    groups = {name: np.flatnonzero(chosen).tolist() for name, chosen in signal_groups(values)}
    assert groups == {
        "below 4": [0],
        "4 to 10": [1],
        "10 to 30": [2],
        "30 or more": [3],
        "no transients": [4],
    }


def test_mean_traces_weigh_pixels():
    frames = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    rois = Rois.from_pixels([np.array([[0, 0], [0, 1]])], (2, 2), weights=[np.array([1.0, 3.0])])
    np.testing.assert_allclose(mean_traces(ArrayMovie(frames), rois)[:, 0], [0.75, 4.75])
