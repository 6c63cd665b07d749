"""The engine on recordings in memory: the same numbers however it runs, and refusals before the work."""

from __future__ import annotations

import json
import logging
import sys
import types
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ndx_cinac.classifiers import Classifier, load_classifier
from ndx_cinac.errors import ClassifierError, ConfigError, OutputError, PredictionError, ReadingError
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.prediction import PredictionOptions, predict_activity, predict_recording
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.rois import Rois
from ndx_cinac.testing.mock import mock_recording

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

N_FRAMES = 150


@pytest.fixture(scope="module")
def classifier(tiny_classifier) -> Classifier:
    return load_classifier(tiny_classifier)


@pytest.fixture(scope="module")
def recording() -> CinacRecording:
    return mock_recording(n_rois=5, n_frames=N_FRAMES).recording


@pytest.fixture(scope="module")
def expected(recording, classifier):
    return predict_recording(recording, classifier)


@dataclass
class Holding(Classifier):
    """A classifier that holds its network instead of reading it."""

    held: object = None

    def network(self) -> object:
        return self.held


def with_card(classifier: Classifier, **changes) -> Classifier:
    return Holding(replace(classifier.card, **changes), classifier.folder, classifier.network())


def with_inputs(classifier: Classifier, **changes) -> Classifier:
    return with_card(classifier, inputs={**classifier.card.inputs, **changes})


def test_result_has_a_column_of_probabilities_for_each_roi(expected, recording, classifier):
    assert expected.probabilities.shape == (N_FRAMES, 5)
    assert expected.probabilities.dtype == np.float32
    assert expected.probabilities.std(axis=0).min() > 1e-3
    np.testing.assert_array_equal(expected.roi_rows, np.arange(5))
    np.testing.assert_array_equal(expected.classifier_index, np.zeros(5))
    assert expected.classifiers == (classifier.info,)
    assert expected.times == recording.times
    assert expected.definition == classifier.card.definition
    assert expected.seconds > 0
    assert expected.device
    assert expected.output is None


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 7},
        {"block_frames": 33},
        {"block_frames": 1000},
        {"channel_bytes": 1},
        {"channel_bytes": 2 * 4 * 11 * N_FRAMES},
        {"block_bytes": 7 * 4 * 40 * 48},
    ],
    ids=str,
)
def test_numbers_do_not_depend_on_blocks_and_batches(recording, classifier, expected, options):
    got = predict_recording(recording, classifier, PredictionOptions(**options))
    np.testing.assert_allclose(got.probabilities, expected.probabilities, atol=1e-5)


def test_numbers_do_not_depend_on_blocks_of_a_movie_that_is_not_kept_whole(recording, classifier):
    options = {**classifier.card.inputs["options"], "sample_bytes": 0, "sample_frames": 60, "store_bytes": 0}
    streaming = with_inputs(classifier, options=options)
    results = [
        predict_recording(recording, streaming, PredictionOptions(block_bytes=frames * 4 * 40 * 48))
        for frames in (150, 64, 7)
    ]
    for result in results[1:]:
        np.testing.assert_allclose(result.probabilities, results[0].probabilities, atol=1e-5)


def test_numbers_do_not_depend_on_the_order_of_rois(recording, classifier, expected):
    order = np.array([3, 0, 4, 1, 2])
    rois = recording.rois
    shuffled = Rois.from_pixels(
        [rois.pixels(row) for row in order],
        rois.shape,
        weights=[rois.pixel_weights(row) for row in order],
        ids=order,
    )
    got = predict_recording(replace(recording, rois=shuffled), classifier)
    np.testing.assert_allclose(got.probabilities, expected.probabilities[:, order], atol=1e-5)
    np.testing.assert_array_equal(got.roi_ids, order)


def test_rows_stay_rows_when_some_are_left_out(recording, classifier, expected):
    rois = replace(recording.rois, ids=np.arange(10, 15), unselected={1: "not a cell"}, skipped={3: "empty"})
    got = predict_recording(replace(recording, rois=rois), classifier)
    np.testing.assert_array_equal(got.roi_rows, [0, 2, 4])
    np.testing.assert_array_equal(got.roi_ids, [10, 12, 14])
    assert got.skipped == {1: "not a cell", 3: "empty"}
    assert got.probabilities.shape == (N_FRAMES, 3)


def test_unselected_neighbour_changes_nothing_for_the_others(recording, classifier, expected):
    rois = replace(recording.rois, unselected={1: "not a cell"})
    got = predict_recording(replace(recording, rois=rois), classifier)
    np.testing.assert_allclose(got.probabilities, expected.probabilities[:, [0, 2, 3, 4]], atol=1e-5)


def test_threshold_is_the_cards_unless_given(recording, classifier, expected):
    assert expected.threshold == 0.4
    got = predict_recording(recording, classifier, PredictionOptions(threshold=0.7))
    assert got.threshold == 0.7
    assert got.parameters["options"]["threshold"] == 0.7
    np.testing.assert_array_equal(got.probabilities, expected.probabilities)


def test_parameters_hold_what_shaped_the_numbers_as_json(recording, classifier):
    rois = replace(recording.rois, skipped={3: "empty"})
    result = predict_recording(replace(recording, rois=rois), classifier, PredictionOptions(batch_size=3))
    parameters = json.loads(json.dumps(result.parameters, allow_nan=False))
    assert parameters["options"]["batch_size"] == 3
    assert parameters["network"] == {"block": 64, "halo": 9, "batch_size": 3}
    assert parameters["inputs"] == classifier.card.inputs
    assert parameters["traces"]["refinements"] == 2
    assert parameters["axes"]["evidence"] == "arrays"
    assert parameters["movie"] == {"shape": [N_FRAMES, 40, 48], "dtype": "uint16"}
    assert parameters["frame_rate"] == 10
    assert parameters["rois"] == {"rows": 5, "predicted": 4, "skipped": {"3": "empty"}, "unselected": {}}
    assert parameters["missing_frames"] == {"count": 0, "frames": []}


def test_unknown_frame_rate_is_null_in_the_parameters(recording, classifier):
    result = predict_recording(replace(recording, times=None), classifier)
    assert result.parameters["frame_rate"] is None
    assert result.times.n_frames == N_FRAMES


def test_missing_frames_are_predicted_noted_and_listed(recording, classifier):
    frames = recording.movie.read(0, N_FRAMES).astype(np.float32)
    frames[[20, 21, 90]] = np.nan
    result = predict_recording(replace(recording, movie=ArrayMovie(frames)), classifier)
    assert np.isfinite(result.probabilities).all()
    assert result.parameters["missing_frames"] == {"count": 3, "frames": [20, 21, 90]}
    assert any(note.startswith("3 of 150 frames") for note in result.notes)


def test_many_missing_frames_are_only_counted(recording, classifier, monkeypatch):
    monkeypatch.setattr("ndx_cinac.prediction.traces.LISTED_FRAMES", 2)
    frames = recording.movie.read(0, N_FRAMES).astype(np.float32)
    frames[[20, 21, 90]] = np.nan
    result = predict_recording(replace(recording, movie=ArrayMovie(frames)), classifier)
    assert result.parameters["missing_frames"] == {"count": 3, "frames": []}


def test_notes_are_the_recordings_then_where_it_does_not_fit_the_card(recording, classifier):
    strange = replace(recording, notes=["The file is old"], times=Times(N_FRAMES, rate=100.0))
    notes = predict_recording(strange, classifier).notes
    assert notes[0] == "The file is old"
    assert notes[1].startswith("The frame rate is 100 Hz; classifier 'tiny' was trained on 5 to 30 Hz")


def test_movie_shorter_than_the_receptive_field_is_predicted_with_a_note(classifier):
    result = predict_recording(mock_recording(n_rois=2, n_frames=12).recording, classifier)
    assert result.probabilities.shape == (12, 2)
    assert any("The movie has 12 frames" in note for note in result.notes)


def test_device_and_classifier_are_logged(recording, classifier, caplog):
    with caplog.at_level(logging.INFO, "ndx_cinac"):
        result = predict_recording(recording, classifier)
    assert f"tiny 0.1 (sha256 {classifier.fingerprint})" in caplog.text
    assert f"The network runs on {result.device}." in caplog.text


def test_every_stage_of_the_progress_comes_to_its_end(recording, classifier):
    calls = []
    predict_recording(recording, classifier, progress=lambda *call: calls.append(call))
    last = {stage: (done, total) for stage, done, total in calls}
    assert last["predicting activity"] == (5, 5)
    assert all(done == total for done, total in last.values())


def test_recording_stays_open_and_files_of_traces_are_gone_after_an_interruption(
    recording, classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    inputs = {**classifier.card.inputs["options"], "store_bytes": 0}
    on_disk = with_inputs(classifier, options=inputs)

    def interrupt(stage, done, total):
        if stage == "predicting activity":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_recording(recording, on_disk, progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    assert recording.movie.read(0, 1).shape == (1, 40, 48)


def test_no_roi_to_predict_is_refused_with_the_reasons(recording, classifier):
    rois = replace(recording.rois, skipped=dict.fromkeys(range(5), "empty"))
    with pytest.raises(
        PredictionError, match=r"None of the 5 ROIs can be predicted: row 0: empty; .*inspect"
    ):
        predict_recording(replace(recording, rois=rois), classifier)


def test_segmentation_without_rows_is_refused(recording, classifier):
    rois = Rois.from_pixels([], (40, 48))
    with pytest.raises(PredictionError, match=r"None of the 0 ROIs can be predicted \(mock\)"):
        predict_recording(replace(recording, rois=rois), classifier)


def test_recording_without_movie_is_refused(recording, classifier):
    with pytest.raises(ReadingError, match="has no movie"):
        predict_recording(replace(recording, movie=None), classifier)


def test_times_of_another_number_of_frames_are_refused(recording, classifier):
    with pytest.raises(PredictionError, match="has 150 frames, the recording has times for 149"):
        predict_recording(replace(recording, times=Times(149, rate=10.0)), classifier)


def test_classifier_of_cell_types_is_refused(recording, classifier):
    with pytest.raises(ClassifierError, match="'tiny' predicts cell type, not activity"):
        predict_recording(recording, with_card(classifier, task="cell_type"))


def test_unknown_kind_of_inputs_is_refused_with_the_known_ones(recording, classifier):
    with pytest.raises(ClassifierError, match="of kind 'patches'; known are traces, legacy patches"):
        predict_recording(recording, with_inputs(classifier, kind="patches"))


def test_other_channels_are_refused(recording, classifier):
    with pytest.raises(ClassifierError, match=r"reads the channels \['a'\], this version of ndx-cinac gives"):
        predict_recording(recording, with_inputs(classifier, channels=["a"]))


@pytest.mark.parametrize("options", [{"ridge": -1}, {"unknown": 1}, {"ridge": "x"}, 3], ids=str)
def test_faulty_trace_options_of_a_card_are_refused(recording, classifier, options):
    with pytest.raises(ClassifierError, match="'tiny' asks for traces that cannot be extracted"):
        predict_recording(recording, with_inputs(classifier, options=options))


@pytest.mark.parametrize(("name", "value"), [("block", None), ("halo", -1), ("halo", True)])
def test_card_without_proper_block_and_halo_is_refused(recording, classifier, name, value):
    with pytest.raises(ClassifierError, match=f"inputs have {name} {value}, not a number of frames"):
        predict_recording(recording, with_inputs(classifier, **{name: value}))


def test_network_of_other_channels_than_its_cards_is_refused(recording, classifier):
    from ndx_cinac.networks import build_activity_network, with_probability

    network = with_probability(build_activity_network(2, width=2, dilations=(1,), head=2))
    with pytest.raises(ClassifierError, match="The network reads 2 channels, its card names 11"):
        predict_recording(recording, Holding(classifier.card, classifier.folder, network))


def test_network_that_gives_logits_is_refused_by_roi_and_frame(recording, classifier):
    from ndx_cinac.networks import build_activity_network

    network = build_activity_network(11, width=2, dilations=(1,), head=2)
    network.get_layer("logit").bias.assign([100.0])
    with pytest.raises(PredictionError, match="for ROI row 0 in frame 0, which is no probability"):
        predict_recording(recording, Holding(classifier.card, classifier.folder, network))


def test_legacy_classifier_goes_to_its_own_engine(recording, classifier, monkeypatch):
    legacy = with_inputs(classifier, kind="legacy patches")
    given = []
    module = types.ModuleType("legacy_prediction")
    module.predict = lambda *args: given.append(args) or np.full((N_FRAMES, 5), 0.25, np.float32)
    monkeypatch.setitem(sys.modules, "ndx_cinac.legacy.prediction", module)
    options = PredictionOptions(batch_size=2)
    result = predict_recording(recording, legacy, options)
    assert (result.probabilities == 0.25).all()
    assert given[0][:3] == (recording, legacy, options)


def test_options_for_reading_a_recording_that_is_read_are_refused(recording, classifier):
    from ndx_cinac.reading import ReadingOptions

    with pytest.raises(ConfigError, match="was read already; options for reading come too late"):
        predict_activity(recording, classifier, reading=ReadingOptions())


def test_output_of_a_recording_from_arrays_is_refused_before_any_work(
    recording, classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr("ndx_cinac.prediction.activity.predict_with", lambda *args: pytest.fail("worked"))
    with pytest.raises(OutputError, match="Recording 'mock' comes from no file"):
        predict_activity(recording, classifier, tmp_path / "out.nwb")


def test_recording_in_memory_is_predicted_by_predict_activity(recording, classifier, expected):
    got = predict_activity(recording, classifier)
    np.testing.assert_array_equal(got.probabilities, expected.probabilities)


@pytest.mark.parametrize(
    ("name", "value", "must_be"),
    [
        ("threshold", 1.5, "a number from 0 to 1"),
        ("threshold", float("nan"), "a number from 0 to 1"),
        ("threshold", "high", "a number from 0 to 1"),
        ("batch_size", 0, "a whole number of 1 or more"),
        ("batch_size", None, "a whole number of 1 or more"),
        ("block_frames", 2.5, "a whole number of 1 or more"),
        ("block_bytes", -1, "a whole number of 1 or more"),
        ("channel_bytes", True, "a whole number of 1 or more"),
    ],
)
def test_option_out_of_range_is_refused_by_name(name, value, must_be):
    with pytest.raises(ConfigError, match=f"The option '{name}' is {value!r}, not {must_be}"):
        PredictionOptions(**{name: value})


def test_options_go_to_and_from_a_mapping():
    options = PredictionOptions(threshold=0.3, block_frames=256)
    assert PredictionOptions.from_dict(options.to_dict()) == options
    assert PredictionOptions.from_dict({}) == PredictionOptions()


def test_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(
        ConfigError, match=r"Unknown options of a prediction: batch\. Known are: threshold, batch_size"
    ):
        PredictionOptions.from_dict({"batch": 3})


def test_block_smaller_than_the_networks_context_is_refused_before_the_movie_is_read(classifier, recording):
    class Unread(ArrayMovie):
        def read(self, start, stop):
            pytest.fail("read")

    unread = replace(recording, movie=Unread(np.zeros((N_FRAMES, 40, 48))))
    with pytest.raises(ConfigError, match="A block of 18 frames leaves nothing"):
        predict_recording(unread, classifier, PredictionOptions(block_frames=18))


def test_saved_classifier_is_predicted_by_its_path(recording, tiny_classifier, expected):
    got = predict_recording(recording, tiny_classifier)
    np.testing.assert_array_equal(got.probabilities, expected.probabilities)
