"""Thresholds that suit known activity best."""

from __future__ import annotations

import numpy as np
import pytest

from ndx_cinac.evaluation import best_threshold, score_activity
from ndx_cinac.evaluation.activity import count_activity
from ndx_cinac.evaluation.thresholds import advise, best_common_threshold, count_by_roi

ACTIVE = np.tile(np.array([False, True, True, False, False]), 20)[:, None]
JUDGED = np.ones_like(ACTIVE)


def test_one_threshold_serves_several_recordings():
    low, high = np.where(ACTIVE, 2.0, 0.0), np.where(ACTIVE, 5.0, 3.0)
    assert best_threshold(low, ACTIVE) <= 2
    common = best_common_threshold([(low, ACTIVE, JUDGED), (low, ACTIVE, JUDGED), (high, ACTIVE, JUDGED)])
    assert score_activity(low, ACTIVE, threshold=common).event_f1 == 1
    assert np.isfinite(best_threshold(low, np.zeros_like(ACTIVE)))


def test_annotations_choose_the_threshold_and_say_what_it_wins_for_others():
    two = np.tile(ACTIVE, (1, 2))
    advice = advise([(np.where(two, 0.4, 0.1), two, np.ones_like(two))], 0.5)
    assert (advice.threshold, advice.gain, advice.worth_it) == (0.4, 1.0, True)


def test_of_equally_good_thresholds_the_one_nearest_to_the_old_one_is_chosen():
    found = [(np.where(ACTIVE, 0.4, 0.1), ACTIVE, JUDGED)]
    assert advise(found, 0.05).threshold == pytest.approx(0.12)
    assert advise(found, 0.33).threshold == 0.33, "it is as good as any"
    assert advise([(np.where(ACTIVE, 0.9, 0.5), ACTIVE, JUDGED)], 0.5).threshold == pytest.approx(0.52)


def test_a_threshold_far_away_has_to_win_more():
    probabilities = np.where(ACTIVE, 0.9, 0.01)
    probabilities[1:3] = 0.05  # of twenty transients one is hardly seen
    found = [(probabilities, ACTIVE, JUDGED)]
    assert advise(found, 0.5).threshold == 0.5
    assert advise(found, 0.06).threshold == pytest.approx(0.04), "it is near to that one"


def test_rois_that_disagree_give_no_advice():
    two = np.tile(ACTIVE, (1, 2))
    low, high = np.where(ACTIVE, 0.4, 0.1), np.where(ACTIVE, 0.9, 0.45)
    advice = advise([(np.hstack([low, high]), two, np.ones_like(two))], 0.5)
    assert advice.gain < 0
    assert not advice.worth_it


def test_rois_of_several_recordings_choose_together():
    first = (np.where(ACTIVE, 0.4, 0.1), ACTIVE, JUDGED)
    second = (np.where(ACTIVE[:20], 0.9, 0.3), ACTIVE[:20], JUDGED[:20])
    assert advise([first, second], 0.5).threshold == 0.4
    assert advise([second], 0.5).threshold == 0.5


def test_one_roi_alone_cannot_say_what_its_choice_wins():
    advice = advise([(np.where(ACTIVE, 0.4, 0.1), ACTIVE, JUDGED)], 0.5)
    assert np.isnan(advice.gain)
    assert not advice.worth_it


def test_what_was_not_judged_does_not_choose_the_threshold():
    probabilities = np.where(ACTIVE, 0.4, 0.1)
    probabilities[:50] = 0.9
    judged = JUDGED.copy()
    judged[:50] = False
    assert advise([(probabilities, ACTIVE, judged)], 0.5).threshold == pytest.approx(0.4)


def test_where_nothing_is_active_the_threshold_stays():
    nothing = np.zeros_like(ACTIVE)
    advice = advise([(np.full(ACTIVE.shape, 0.1), nothing, JUDGED)], 0.3)
    assert advice.threshold == 0.3
    assert not advice.worth_it


def test_counts_of_rois_add_up_to_those_of_all():
    rng = np.random.default_rng(0)
    probabilities, active = rng.random((300, 4)), rng.random((300, 4)) < 0.3
    judged = rng.random((300, 4)) < 0.9
    counts = count_by_roi([(probabilities, active, judged)], [0.5, 0.7])
    for place, threshold in enumerate([0.5, 0.7]):
        whole = count_activity(probabilities >= threshold, active, judged)
        expected = [whole.n_transients, whole.n_predicted, whole.n_matched]
        assert counts[place].sum(axis=0).tolist() == expected
