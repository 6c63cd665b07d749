"""Scores of predicted activity: by frame, by matched transient, and what is left out of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ndx_cinac.errors import AmbiguousSourceError, ConfigError, ReadingError
from ndx_cinac.evaluation import (
    best_threshold,
    match_periods,
    periods,
    score_activity,
    smoothed_rise_scores,
    smoothed_trace_scores,
    truth_from_nwb,
)
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.neurodata import ActivityAnnotations, AnnotatedSegments
from ndx_cinac.recording import Times
from ndx_cinac.rois import Rois
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie, rois_of


def column(text: str) -> np.ndarray:
    """One ROI's frames, 'x' for active."""
    return np.array([[sign == "x"] for sign in text])


def test_a_perfect_prediction_gets_ones():
    active = column("..xx....xxx.")
    scores = score_activity(active.astype(float), active)
    for name in ("average_precision", "sensitivity", "specificity", "precision", "frame_f1", "event_f1"):
        assert getattr(scores, name) == 1, name
    assert (scores.n_transients, scores.n_predicted, scores.n_matched) == (2, 2, 2)


def test_frames_are_counted_as_their_names_say():
    scores = score_activity(column("xx..xx....").astype(float), column(".xx..x...."))
    assert scores.sensitivity == pytest.approx(2 / 3)
    assert scores.precision == pytest.approx(2 / 4)
    assert scores.specificity == pytest.approx(5 / 7)
    assert scores.negative_predictive_value == pytest.approx(5 / 6)
    assert scores.frame_f1 == pytest.approx(4 / 7)
    assert scores.prevalence == pytest.approx(0.3)


def test_always_active_matches_no_transient():
    active = np.tile(column("xx........"), (10, 1))
    scores = score_activity(np.ones(active.shape), active)
    assert scores.event_f1 == 0
    assert scores.sensitivity == 1


def test_a_period_is_matched_once_only():
    scores = score_activity(column(".xx.xx....").astype(float), column(".xxxxx...."))
    assert (scores.n_transients, scores.n_predicted, scores.n_matched) == (1, 2, 1)


@pytest.mark.parametrize(("predicted", "matched"), [((4, 14), 1), ((4, 16), 0)])
def test_periods_match_from_an_overlap_of_a_fifth(predicted, matched):
    true = [(2, 6)] if matched else [(2, 5)]
    # 2 of 12 frames against 1 of 14
    assert len(match_periods(true, [predicted], min_overlap=1 / 6)) == matched


def test_the_least_overlap_is_a_fifth_of_the_union():
    assert match_periods([(0, 2)], [(0, 10)]) == [(0, 0)]
    assert match_periods([(0, 2)], [(0, 11)]) == []


@given(hnp.arrays(bool, st.integers(1, 40)), st.data())
@settings(max_examples=60, deadline=None)
def test_matching_finds_as_many_pairs_as_any_assignment_can(true, data):
    from scipy.optimize import linear_sum_assignment

    predicted = data.draw(hnp.arrays(bool, len(true)))
    lists = [
        list(zip(*(part.tolist() for part in periods(frames)), strict=True)) for frames in (true, predicted)
    ]
    fits = np.zeros((len(lists[0]), len(lists[1])))
    for i, (a, b) in enumerate(lists[0]):
        for j, (c, d) in enumerate(lists[1]):
            both = max(0, min(b, d) - max(a, c))
            fits[i, j] = both >= 0.2 * (b - a + d - c - both)
    rows, columns = linear_sum_assignment(fits, maximize=True)
    assert len(match_periods(*lists)) == int(fits[rows, columns].sum())


def test_doubtful_frames_count_neither_for_nor_against():
    active, ignored = column("..xx......"), column("......xx..")
    scores = score_activity(column("..xx..xx..").astype(float), active, ignored)
    assert scores.precision == 1
    assert scores.event_precision == 1
    assert scores.n_frames == 8


def test_what_was_not_examined_does_not_count():
    examined = column("xxxxx.....")
    scores = score_activity(column("..xx..xxx.").astype(float), column("..xx......"), None, examined)
    assert (scores.n_frames, scores.n_predicted) == (5, 1)
    assert scores.event_f1 == 1


def test_figures_without_meaning_are_nan_and_become_none():
    scores = score_activity(np.zeros((10, 2)), np.zeros((10, 2), bool))
    assert math.isnan(scores.average_precision)
    assert math.isnan(scores.event_f1)
    assert scores.specificity == 1
    assert scores.to_dict()["sensitivity"] is None


def test_the_threshold_itself_counts_as_active():
    scores = score_activity(np.full((4, 1), 0.5), column("xxxx"), threshold=0.5)
    assert scores.sensitivity == 1


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(ConfigError, match=r"Predictions have shape \(5, 1\), the ignored frames \(4, 1\)"):
        score_activity(np.zeros((5, 1)), np.zeros((5, 1), bool), np.zeros((4, 1), bool))


def test_the_best_threshold_separates_what_can_be_separated():
    active = np.tile(column("..xx......"), (20, 1))
    scores = np.where(active, 3.0, 1.0) + np.random.default_rng(0).normal(0, 0.2, active.shape)
    threshold = best_threshold(scores, active)
    assert 1.4 < threshold < 2.8
    assert score_activity(scores, active, threshold=threshold).event_f1 == 1


def test_the_smoothed_trace_stands_out_where_the_roi_brightens():
    frames = np.random.default_rng(0).normal(100, 3, (600, 20, 24))
    frames[300:310, 5:10, 12:18] += 20
    rois = Rois.from_pixels([np.argwhere(np.ones((5, 6))) + np.array([5, 12]), [[0, 0], [0, 1]]], (20, 24))
    scores = smoothed_trace_scores(ArrayMovie(frames.astype(np.float32)), rois)
    assert scores.shape == (600, 2)
    assert scores[303:308, 0].min() > 10
    assert np.abs(scores[:250, 0]).max() < 8


def test_rises_of_the_smoothed_trace_keep_their_height_from_onset_to_peak():
    frames = np.full((200, 4, 4), 100.0) + np.random.default_rng(0).normal(0, 0.5, (200, 1, 1))
    frames[100:106] += np.linspace(10, 60, 6)[:, None, None]
    frames[106:140] += 60 * np.exp(-np.arange(34) / 8)[:, None, None]
    rois = Rois.from_pixels([np.argwhere(np.ones((4, 4)))], (4, 4))
    scores = smoothed_rise_scores(ArrayMovie(frames), rois)[:, 0]
    assert scores[101:105].min() > 50
    assert len(set(scores[101:105])) == 1
    assert scores[108:135].max() < 10


def nwbfile_with_truth(*, frames: bool = True, segments: bool = True):
    """A file with two annotated ROIs at 10 Hz."""
    nwbfile = mock_nwbfile_with_movie(n_rois=3, n_frames=40, layout=MockLayout(n_planes=2))
    rois, module = rois_of(nwbfile), nwbfile.processing["ophys"]
    periods_at = np.array([[5, 9], [20, 20], [30, 34]])
    columns = {
        "timestamp": periods_at[:, 0] / 10,
        "duration": (periods_at[:, 1] - periods_at[:, 0] + 1) / 10,
        "roi": [0, 1, 0],
        "state": ["active", "active", "doubtful"],
        "annotator": ["AB", "CD", "AB"],
    }
    if frames:
        columns |= {"first_frame": periods_at[:, 0], "last_frame": periods_at[:, 1]}
    module.add(ActivityAnnotations.from_arrays(rois=rois, columns=columns))
    if segments:
        module.add(
            AnnotatedSegments.from_arrays(
                rois=rois, columns={"start_time": [0.0, 1.0], "stop_time": [4.0, 4.0], "roi": [0, 1]}
            )
        )
    return nwbfile


@pytest.mark.parametrize("frames", [True, False])
def test_truth_is_read_by_frame_or_by_time(frames):
    truth = truth_from_nwb(nwbfile_with_truth(frames=frames), Times(40, rate=10.0))
    np.testing.assert_array_equal(np.flatnonzero(truth.active[:, 0]), np.arange(5, 10))
    np.testing.assert_array_equal(np.flatnonzero(truth.active[:, 1]), [20])
    np.testing.assert_array_equal(np.flatnonzero(truth.ignored[:, 0]), np.arange(30, 35))
    assert truth.examined[:, 0].all()
    np.testing.assert_array_equal(np.flatnonzero(truth.examined[:, 1]), np.arange(10, 40))
    assert truth.annotators == ("AB", "CD")


def test_without_examined_segments_nothing_is_known():
    with pytest.raises(ReadingError, match="holds no AnnotatedSegments"):
        truth_from_nwb(nwbfile_with_truth(segments=False), Times(40, rate=10.0))


def test_of_several_annotated_segmentations_one_has_to_be_chosen():
    nwbfile = nwbfile_with_truth()
    other = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation2"]
    columns = {"start_time": [0.0], "stop_time": [1.0], "roi": [2]}
    segments = AnnotatedSegments.from_arrays(name="Other", rois=other, columns=columns)
    nwbfile.processing["ophys"].add(segments)
    with pytest.raises(AmbiguousSourceError, match="Several plane segmentations are annotated"):
        truth_from_nwb(nwbfile, Times(40, rate=10.0))
    truth = truth_from_nwb(nwbfile, Times(40, rate=10.0), other.object_id)
    np.testing.assert_array_equal(truth.examined.sum(axis=0), [0, 0, 10])


def test_an_annotation_outside_the_movie_is_named():
    with pytest.raises(ReadingError, match=r"covers frames 30 to 34 of a movie of 32 frames.*row 2"):
        truth_from_nwb(nwbfile_with_truth(), Times(32, rate=10.0))
