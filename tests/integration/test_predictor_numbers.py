"""The numbers of DeepCINAC's interface: those that DeepCINAC computed, and right ones where it failed."""

import logging

import numpy as np
import pytest
from deepcinac_cases import ACTIVITY, CELL_TYPE, DATA, LATE, PLAIN, THREE, make_recording, predict

import ndx_cinac.cinac_predictor as module
from ndx_cinac.cinac_structures import CinacRecording
from ndx_cinac.errors import ClassifierError
from ndx_cinac.legacy import load_legacy

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def recording():
    return make_recording()


@pytest.fixture(scope="module")
def reference():
    with np.load(DATA / "predictions.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def activity_network():
    return load_legacy(*ACTIVITY[:2]).network()


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("activity/overlap0.5", {}),
        ("activity/overlap0.8", {"overlap_value": 0.8}),
        ("activity/overlap0.5/buffer1", {"cell_buffer": 1}),
        ("activity/overlap0.5/augmented", {"use_data_augmentation": True}),
        ("activity/overlap0.5/cells_1_4_6", {"models": {ACTIVITY: [1, 4, 6]}}),
        ("activity/two_classifiers", {"models": {ACTIVITY: [0, 2, 4], PLAIN: np.array([1, 3])}}),
        ("activity/removed_cell_2", {"removed_cells_mapping": [0, 1, -1, 2, 3, 4, 5, 6]}),
        ("activity_plain/overlap0.5", {"models": {PLAIN: None}}),
        ("activity_3class/overlap0.5", {"models": {THREE: None}}),
        ("activity_late/overlap0.5", {"models": {LATE: None}}),
    ],
)
def test_activity_is_what_deepcinac_predicted(recording, reference, case, options):
    options = {"models": {ACTIVITY: None}} | options
    models = options["models"]
    found = predict(recording, **options)
    ((key, predictions),) = found.items()
    assert key == ("reference", "_".join(files[2] for files in models))
    assert predictions.dtype == np.float64
    np.testing.assert_allclose(predictions, reference[case], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(predictions.any(axis=1), reference[case].any(axis=1))


@pytest.mark.parametrize(
    ("case", "name", "options"),
    [
        ("cell_type/n2", "cell_type_w50", {}),
        ("cell_type/n3", "cell_type_w50", {"n_segments_to_use_for_prediction": 3}),
        (
            "cell_type/n3_max",
            "cell_type_w50",
            {"n_segments_to_use_for_prediction": 3, "overlap_value": 0.5, "cell_type_pred_fct": np.max},
        ),
        ("cell_type_all_pixels/n2", "cell_type_all_pixels_w50", {}),
        ("cell_type_all_pixels/n3", "cell_type_all_pixels_w50", {"n_segments_to_use_for_prediction": 3}),
    ],
)
def test_cell_types_are_what_deepcinac_predicted(recording, reference, case, name, options):
    files = (str(DATA / f"{name}.json"), str(DATA / f"{name}.h5"), "types")
    options = {"cell_type_classifier_mode": True, "overlap_value": 0} | options
    found = predict(recording, {files: None}, **options)["reference", "types"]
    np.testing.assert_allclose(found, reference[case], rtol=0, atol=1e-5)


def test_one_segment_gives_its_own_prediction_for_several_types(recording, reference):
    options = {"cell_type_classifier_mode": True, "overlap_value": 0, "n_segments_to_use_for_prediction": 1}
    found = predict(recording, {CELL_TYPE: None}, **options)["reference", "types"]
    assert found.shape == (8, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    # The most active window is one of the two whose mean DeepCINAC gave.
    np.testing.assert_allclose(found, reference["cell_type/n2"], atol=0.2)


@pytest.mark.parametrize("n_windows", [1, 3])
def test_cell_whose_trace_has_no_peak_is_predicted_like_any_other(n_windows):
    movie = np.full((230, 40, 40), 200.0)
    movie[:, 20:] += np.random.default_rng(0).normal(0, 9, (230, 20, 40))
    still = CinacRecording("still")
    still.set_movie(movie)
    still.set_rois_using_pixel_mask([[(4, 4), (9, 4), (6, 9)], [(20, 30), (26, 30), (23, 35)]])
    options = {"overlap_value": 0, "n_segments_to_use_for_prediction": n_windows}
    found = predict(still, {CELL_TYPE: None}, cell_type_classifier_mode=True, **options)["still", "types"]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    active = predict(still, {ACTIVITY: [0]}, overlap_value=0)["still", "w40"]
    assert (active[0] > 0).all()


def test_without_overlap_every_frame_is_predicted_whatever_the_number_of_frames(recording, reference):
    found = predict(recording, {ACTIVITY: [0, 5]}, overlap_value=0)["reference", "w40"]
    assert (found[[0, 5]] > 0).all()
    # Its windows are among those with overlap, of which the highest value counts.
    assert (found <= reference["activity/overlap0.5"] + 1e-5).all()


def test_bundled_classifier_predicts_all_cells_where_none_is_given(recording):
    found = predict(recording, None)["reference", "activity-sim"]
    assert found.shape == (8, 230)
    assert found.any(axis=1).all()
    some = predict(recording, {("activity-sim", "", "sim"): [2, 3]})["reference", "sim"]
    np.testing.assert_allclose(some[[2, 3]], found[[2, 3]], atol=1e-4)
    assert not some[[0, 1, 4, 5, 6, 7]].any()


def test_results_have_a_row_for_every_original_cell(recording, reference):
    mapping = [0, -1, 1, 2, 3, 4, 5, 6, 7]
    found = predict(recording, {ACTIVITY: [1, 2, 8]}, removed_cells_mapping=mapping)["reference", "w40"]
    assert found.shape == (9, 230)
    assert not found[1].any()
    np.testing.assert_allclose(found[[2, 8]], reference["activity/overlap0.5"][[1, 7]], atol=1e-5)


def test_one_cell_is_predicted_with_a_network_in_hand(recording, reference, activity_network, caplog):
    with caplog.at_level(logging.INFO):
        found = module.predict_transient_from_model(recording, 3, activity_network, 230, overlap_value=0.5)
    assert found.shape == (230, 1)
    np.testing.assert_allclose(found[:, 0], reference["activity/overlap0.5"][3], rtol=0, atol=1e-5)
    assert "Time to get predictions for cell 3" in caplog.text


def test_one_cell_is_predicted_with_a_loaded_classifier_in_every_documented_way(recording, reference):
    classifier = load_legacy(*ACTIVITY[:2])
    options = {"overlap_value": 0.5, "time_verbose": False}
    for more, case in (({"buffer": 1}, "buffer1"), ({"use_data_augmentation": True}, "augmented")):
        found = module.predict_transient_from_model(recording, 1, classifier, 230, **options, **more)
        np.testing.assert_allclose(
            found[:, 0], reference[f"activity/overlap0.5/{case}"][1], rtol=0, atol=1e-5
        )
    three = module.predict_transient_from_model(recording, 1, load_legacy(*THREE[:2]), 230, **options)
    assert three.shape == (230, 3)


def test_one_cell_without_overlap_gives_one_value_for_every_frame(recording, activity_network):
    found = module.predict_transient_from_model(
        recording, 0, activity_network, 230, overlap_value=0, time_verbose=False
    )
    assert found.shape == (230,)
    np.testing.assert_allclose(
        found, predict(recording, {ACTIVITY: [0]}, overlap_value=0)["reference", "w40"][0], atol=1e-5
    )


@pytest.mark.parametrize("name", ["cell_type", "cell_type_all_pixels"])
def test_each_window_of_a_cell_type_is_predicted_with_a_network_in_hand(recording, reference, name):
    network = load_legacy(DATA / f"{name}_w50.json", DATA / f"{name}_w50.h5").network()
    found = module.predict_cell_type_from_model(recording, 2, network, 230, 3, all_pixels=True)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found.mean(axis=0), reference[f"{name}/n3"][2], rtol=0, atol=1e-5)


def test_network_of_more_inputs_than_a_cell_type_has_is_refused(recording, activity_network):
    with pytest.raises(ClassifierError, match="has 3 inputs; DeepCINAC's have at most 2"):
        module.predict_cell_type_from_model(recording, 2, activity_network, 230)
