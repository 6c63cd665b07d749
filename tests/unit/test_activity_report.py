"""Evaluations of activity: from arrays and files to figures, and what is said where they cannot be had."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import activity_file, imperfect, known, seen

from ndx_cinac.errors import AmbiguousSourceError, ConfigError, MissingExtraError, ReadingError
from ndx_cinac.evaluation import (
    AnnotatedPredictions,
    EvaluationOptions,
    evaluate_activity,
    score_activity,
    truth_from_nwb,
)
from ndx_cinac.evaluation.curves import calibration, distribution, precision_recall
from ndx_cinac.neurodata import ActivityAnnotations, AnnotatedSegments
from ndx_cinac.reading.opening import open_nwbfile
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie, rois_of
from ndx_cinac.writing import read_predictions

ARRAYS = EvaluationOptions(baselines=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    activity_file(folder)
    activity_file(folder, "other", seed=1)
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return evaluate_activity(folder / "session.nwb")


def test_figures_of_a_file_are_those_of_its_arrays(report):
    active = seen().active[:, 1:]
    expected = score_activity(imperfect(active), active)
    assert report.scores == expected
    assert report.recordings[0].scores == expected
    for column, roi in enumerate(report.rois):
        assert roi.row == column + 1
        one = slice(column, column + 1)
        assert roi.scores.to_dict() == score_activity(imperfect(active)[:, one], active[:, one]).to_dict()


def test_the_recording_says_what_its_scores_rest_on(report):
    recording = report.recordings[0]
    assert (recording.name, recording.n_rois, recording.n_left_out) == ("session", 3, 0)
    assert (recording.classifiers, recording.annotators) == (("tiny 0.1",), ("simulation",))


def test_the_worst_miss_and_false_alarm_are_shown_with_the_movie(report):
    [miss], [alarm] = report.misses, report.false_alarms
    first = int(np.flatnonzero(seen().active[:, 3])[0])
    assert (miss.row, miss.first_frame, miss.last_frame) == (3, first, first + 2)
    assert miss.peak_probability == pytest.approx(0.2)
    assert miss.height > 5
    assert (alarm.row, alarm.first_frame, alarm.last_frame) == (2, 2, 4)
    assert alarm.peak_probability == pytest.approx(0.8)
    for example in (miss, alarm):
        place = example.first_frame - example.start_frame
        assert len(example.trace) == len(example.probability) == len(example.active) == len(example.seconds)
        assert example.seconds[place] == pytest.approx(example.first_frame / 10)
        assert example.probability[place] == pytest.approx(0.2 if example is miss else 0.8)
    assert miss.active[miss.first_frame - miss.start_frame]
    patch, pixels = miss.patch, seen().recording.rois.pixels(3)
    assert len(patch.own) == len(pixels)
    inside = tuple(patch.own.T)
    assert patch.peak[inside].mean() > patch.before[inside].mean() + 50
    frames = seen().frames[first + 2 : first + 5]
    expected = frames[:, pixels[:, 0], pixels[:, 1]].mean()
    assert patch.peak[inside].mean() == pytest.approx(expected)


def test_trace_based_methods_are_scored_with_and_without_demixing(report):
    labels = [(each.method, each.traces) for each in report.baselines]
    names = ["smoothed trace", "rises of the smoothed trace"]
    names += ["OASIS"] if "oasis" in sys.modules else []
    assert labels == [(name, kind) for kind in ("mean", "demixed") for name in names]
    rises = next(each for each in report.baselines if each.label == "rises of the smoothed trace, demixed")
    assert rises.scores.event_f1 > 0.8
    assert rises.scores.n_transients == report.scores.n_transients


def test_groups_hold_every_roi_once(report):
    for groups in (report.by_signal_to_noise, report.by_overlap):
        assert sum(group.n_rois for group in groups) == 3
        assert sum(group.scores.n_transients for group in groups) == report.scores.n_transients
    assert [group.group for group in report.by_overlap] == ["none"]
    assert all(roi.signal_to_noise > 4 for roi in report.rois)


def test_counts_of_recordings_add_up(folder, report):
    other = evaluate_activity(folder / "other.nwb", ARRAYS)
    both = evaluate_activity([folder / "session.nwb", folder / "other.nwb"], ARRAYS)
    for field in ("n_frames", "n_transients", "n_predicted", "n_matched"):
        parts = [getattr(each.scores, field) for each in (report, other)]
        assert getattr(both.scores, field) == sum(parts)
    assert [each.scores for each in both.recordings] == [report.scores, other.scores]
    assert (both.baselines, both.by_signal_to_noise) == ((), ())
    assert "## By recording" in both.to_markdown()


def test_doubtful_and_unexamined_frames_do_not_count():
    recording = known("..xx??..", [0, 0, 1, 1, 1, 1, 0, 0])
    scores = evaluate_activity(recording).scores
    assert (scores.n_frames, scores.precision, scores.event_precision) == (6, 1, 1)


def test_another_threshold_can_be_asked_for():
    recording = known("..xx..", [0, 0, 0.4, 0.4, 0, 0])
    assert evaluate_activity(recording).scores.sensitivity == 0
    found = evaluate_activity(recording, EvaluationOptions(threshold=0.3)).scores
    assert (found.sensitivity, found.threshold) == (1, 0.3)


def two_rois(text: str, probabilities: list[float]) -> AnnotatedPredictions:
    """Predictions of two ROIs that are alike."""
    one = known(text, probabilities)
    twice = {name: np.tile(getattr(one, name), (1, 2)) for name in ("probabilities", "active", "judged")}
    return replace(one, **twice, roi_rows=np.array([0, 1]))


def test_another_threshold_is_advised_with_the_command_that_takes_it():
    report = evaluate_activity(two_rois("..xx...xx.", [0, 0, 0.4, 0.4, 0, 0, 0, 0.7, 0.7, 0]))
    assert (report.scores.event_recall, report.at_best.event_recall) == (0.5, 1)
    assert report.at_best.threshold == report.advice.threshold == 0.4
    found = json.loads(report.to_json())
    assert found["at_best_threshold"] == report.at_best.to_dict()
    assert found["best_threshold_gain_on_other_rois"] == pytest.approx(1 / 3, abs=1e-4)
    text = report.to_markdown()
    assert "| classifier, at 0.4 | 1.000 | 1.000 |" in text
    assert "When each ROI is given the threshold that the others choose, event F1 wins 0.333" in text
    assert "`ndx-cinac threshold FILE 0.4 --output OUT.nwb` takes the one" in text


def test_no_other_threshold_is_advised_where_none_is_better():
    report = evaluate_activity(two_rois("..xx..", [0, 0, 1, 1, 0, 0]))
    assert report.at_best == report.scores
    text = report.to_markdown()
    assert "event F1 changes by +0.000: keep 0.5." in text
    for words in ("ndx-cinac threshold", "classifier, at", "All rows but the first"):
        assert words not in text


def test_one_roi_gives_no_advice():
    report = evaluate_activity(known("..xx..", [0, 0, 0.4, 0.4, 0, 0]))
    assert report.at_best.threshold == 0.4
    assert json.loads(report.to_json())["best_threshold_gain_on_other_rois"] is None
    assert "When each ROI" not in report.to_markdown()


def test_thresholds_that_differ_are_those_of_the_recordings():
    recordings = [known("..xx..", [0, 0, 0.4, 0.4, 0, 0], threshold=0.3), known("..xx..")]
    report = evaluate_activity(recordings)
    assert (report.scores.sensitivity, report.scores.n_matched) == (1, 2)
    assert math.isnan(report.scores.threshold)
    assert "threshold: each recording's own" in report.to_markdown()
    assert math.isnan(report.advice.gain), "there is no old threshold to compare another one with"
    assert "When each ROI" not in report.to_markdown()


def test_a_report_goes_to_json_without_nan(report):
    found = json.loads(report.to_json())
    assert found["overall"] == report.scores.to_dict()
    assert [each["row"] for each in found["rois"]] == [1, 2, 3]
    assert [each["kind"] for each in found["examples"]] == ["miss", "false alarm"]
    silent = evaluate_activity(known("......"))
    found = json.loads(silent.to_json())
    assert found["overall"]["average_precision"] is None
    assert found["precision_recall"] == {"recall": [], "precision": []}


def test_markdown_shows_figures_groups_and_examples(report):
    text = report.to_markdown()
    assert f"| classifier | {report.scores.sensitivity:.3f} | {report.scores.specificity:.3f} |" in text
    for words in (
        "1 recording, 3 ROIs",
        "## Signal-to-noise",
        "## Overlap",
        "## Worst misses",
        "session, row 3",
    ):
        assert words in text
    assert "- session, ROI 2, frames 2 to 4: highest probability 0.80" in text


def test_annotations_may_lie_in_another_file(folder, tmp_path, report):
    bare = activity_file(tmp_path, "bare", truth=False)
    found = evaluate_activity(bare, EvaluationOptions(annotations=folder / "session_source.nwb"))
    assert found.scores == report.scores
    assert found.by_signal_to_noise


def test_a_standalone_file_is_evaluated_with_the_source_that_has_movie_and_annotations(
    folder, tmp_path, report
):
    from ndx_cinac.writing import OutputOptions, write_predictions

    source, alone = folder / "session_source.nwb", tmp_path / "alone.nwb"
    result = read_predictions(folder / "session.nwb")
    write_predictions(result, OutputOptions(alone, "standalone"), source)
    found = evaluate_activity(alone, EvaluationOptions(annotations=source))
    assert found.scores == report.scores
    assert [roi.signal_to_noise for roi in found.rois] == [roi.signal_to_noise for roi in report.rois]


def test_corrections_by_hand_are_counted_and_what_they_supersede_is_told(folder, tmp_path):
    path = shutil.copyfile(folder / "session.nwb", tmp_path / "corrected.nwb")
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "a") as io:
        nwbfile = io.read()
        first = int(np.flatnonzero(seen().active[:, 3])[0])
        columns = {
            "timestamp": [first / 10],
            "duration": [0.3],
            "roi": [3],
            "state": ["doubtful"],
            "annotator": ["AB"],
            "first_frame": [first],
            "last_frame": [first + 2],
        }
        nwbfile.processing["cinac"].add(
            ActivityAnnotations.from_arrays(name="Corrections", rois=rois_of(nwbfile), columns=columns)
        )
        io.write(nwbfile)
    report = evaluate_activity(path, ARRAYS)
    assert report.misses == ()
    assert report.recordings[0].superseded == 1
    assert "- 1 row of annotations was superseded by later ones, which count" in report.to_markdown()


def test_rois_that_nobody_examined_are_left_out_and_counted(folder):
    with_nwb = open_nwbfile(folder / "session.nwb")
    result = read_predictions(with_nwb.nwbfile)
    truth = truth_from_nwb(with_nwb.nwbfile, result.times)
    with_nwb.close()
    examined = truth.examined.copy()
    examined[:, 2] = False
    found = AnnotatedPredictions.from_result(result, replace(truth, examined=examined), "session")
    np.testing.assert_array_equal(found.roi_rows, [1, 3])
    assert "- 1 predicted ROI was never examined and left out" in evaluate_activity(found).to_markdown()
    examined[:, 1:] = False
    with pytest.raises(ReadingError, match="annotations are of rows 0, predictions of rows 1, 2, 3"):
        AnnotatedPredictions.from_result(result, replace(truth, examined=examined), "session")


def test_a_file_without_annotations_is_refused_with_the_way_out(tmp_path):
    bare = activity_file(tmp_path, "bare", truth=False)
    with pytest.raises(ReadingError, match=r"no annotations to compare with.*bare\.nwb.*--annotations"):
        evaluate_activity(bare)


def test_a_file_without_predictions_is_refused(folder):
    with pytest.raises(ReadingError, match="holds no activity predictions named 'ActivityPredictions'"):
        evaluate_activity(folder / "session_source.nwb")


def annotations_of(path, n_rois, n_tables=1):
    """A file that annotates other tables, of `n_rois` each."""
    from pynwb import NWBHDF5IO

    nwbfile = mock_nwbfile_with_movie(n_rois, 300, layout=MockLayout(n_planes=n_tables))
    tables = nwbfile.processing["ophys"]["ImageSegmentation"].plane_segmentations
    for index, table in enumerate(tables.values()):
        columns = {"start_time": [0.0], "stop_time": [30.0], "roi": [1]}
        segments = AnnotatedSegments.from_arrays(name=f"Segments{index}", rois=table, columns=columns)
        nwbfile.processing["ophys"].add(segments)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return EvaluationOptions(annotations=path, baselines=False)


def test_annotations_of_other_rois_are_refused(folder, tmp_path):
    options = annotations_of(tmp_path / "other.nwb", 3)
    what = "annotated is 'PlaneSegmentation' with 3 rows, predicted 'PlaneSegmentation' with 4"
    with pytest.raises(ReadingError, match=what):
        evaluate_activity(folder / "session.nwb", options)


def test_annotations_of_a_table_with_the_same_rows_are_taken_unless_there_are_two(folder, tmp_path):
    report = evaluate_activity(folder / "session.nwb", annotations_of(tmp_path / "one.nwb", 4))
    assert [roi.row for roi in report.rois] == [1]
    with pytest.raises(AmbiguousSourceError, match="Annotations of 2 ROI tables could be meant"):
        evaluate_activity(folder / "session.nwb", annotations_of(tmp_path / "two.nwb", 4, 2))


def test_all_files_are_checked_before_any_movie_is_read(folder, monkeypatch):
    def fail(*_):
        raise AssertionError("a movie was read")

    monkeypatch.setattr("ndx_cinac.evaluation.activity_report.change_traces", fail)
    with pytest.raises(ReadingError, match="holds no activity predictions"):
        evaluate_activity([folder / "session.nwb", folder / "other_source.nwb"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: evaluate_activity([]), "There is nothing to evaluate"),
        (lambda: EvaluationOptions(threshold=1.5), "threshold 1.5 is not within 0 to 1"),
        (lambda: EvaluationOptions(n_examples=-1), "There cannot be -1 examples"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_without_scikit_learn_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"An evaluation needs.*ndx-cinac\[train\]"):
        evaluate_activity(folder / "session.nwb")


def test_without_oasis_a_note_says_so(folder, monkeypatch):
    monkeypatch.setattr("ndx_cinac.evaluation.activity_report.oasis_is_installed", lambda: False)
    report = evaluate_activity(folder / "session.nwb")
    assert len(report.baselines) == 4
    assert any("OASIS is not installed" in note for note in report.notes)


def test_calibration_compares_predictions_with_frequencies():
    values = np.repeat([0.05, 0.55, 1.0], 100)
    active = np.concatenate([np.zeros(100), np.tile([1, 0], 50), np.ones(100)]).astype(bool)
    found = calibration(active, values)
    np.testing.assert_allclose(found.active_share[[0, 5, 9]], [0, 0.5, 1])
    np.testing.assert_array_equal(found.n_frames[[0, 5, 9]], 100)
    assert np.isnan(found.active_share[3])
    assert found.error == pytest.approx((0.05 + 0.05 + 0) / 3)


def test_distributions_count_every_frame():
    values, active = np.array([0, 0.02, 0.5, 1.0]), np.array([False, False, True, True])
    found = distribution(active, values)
    assert (found.n_inactive[0], found.n_active[10], found.n_active[-1]) == (2, 1, 1)
    assert found.n_inactive.sum() + found.n_active.sum() == 4


def test_a_thinned_curve_keeps_its_ends_and_its_area():
    rng = np.random.default_rng(0)
    active = rng.random(20_000) < 0.1
    values = np.where(active, rng.beta(3, 2, 20_000), rng.beta(2, 5, 20_000))
    curve = precision_recall(active, values)
    assert len(curve.recall) < 450
    assert (curve.recall[0], curve.recall[-1], curve.precision[-1]) == (1, 0, 1)
    area = -np.sum(np.diff(curve.recall) * curve.precision[:-1])
    assert area == pytest.approx(
        score_activity(values[:, None], active[:, None]).average_precision, abs=0.005
    )
