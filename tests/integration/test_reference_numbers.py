"""Every array that DeepCINAC computed on the reference recording, reproduced with its own classifiers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.cinac_structures import CinacDataMovie, CinacRecording
from ndx_cinac.errors import ClassifierError, ConfigError, PredictionError
from ndx_cinac.legacy import convert, load_legacy
from ndx_cinac.legacy.prediction import LegacyOptions, activity_of, predict_activity, predict_cell_types
from ndx_cinac.prediction import predict_recording

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

DATA = Path(__file__).parents[1] / "data"
REFERENCE = np.load(DATA / "deepcinac" / "predictions.npz")
N_CELLS, N_FRAMES = 8, 230
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def recording():
    data = np.load(DATA / "deepcinac" / "recording.npz")
    made = CinacRecording("reference")
    made.set_movie(CinacDataMovie(data["movie"].astype("float64")))
    made.set_rois_using_pixel_mask(np.split(data["pixels"], data["pixels_index"][:-1]))
    return made


def classifier(name):
    return load_legacy(DATA / "deepcinac" / f"{name}.json", DATA / "deepcinac" / f"{name}.h5")


def activity(recording, name, rows=range(N_CELLS), **options):
    """Activity of some cells, the others 0, as DeepCINAC returned it."""
    found = np.zeros((N_CELLS, N_FRAMES))
    found[list(rows)] = activity_of(
        predict_activity(recording, classifier(name), list(rows), LegacyOptions(**options))
    )
    return found


@pytest.mark.parametrize(
    ("key", "name", "options"),
    [
        ("activity/overlap0.5", "activity_w40", {}),
        ("activity/overlap0.8", "activity_w40", {"overlap": 0.8}),
        ("activity/overlap0.5/buffer1", "activity_w40", {"buffer": 1}),
        ("activity/overlap0.5/augmented", "activity_w40", {"augment": True}),
        ("activity/overlap0.5/cells_1_4_6", "activity_w40", {"rows": (1, 4, 6)}),
        ("activity_3class/overlap0.5", "activity_3class_w40", {}),
        ("activity_plain/overlap0.5", "activity_unidirectional_relu_bn_w40", {}),
        ("activity_late/overlap0.5", "activity_attention_after_lstm_w40", {}),
    ],
)
def test_activity_is_what_deepcinac_predicted(recording, key, name, options):
    found = activity(recording, name, **options)
    np.testing.assert_allclose(found, REFERENCE[key], rtol=0, atol=TOLERANCE)


def test_two_classifiers_predict_their_own_cells(recording):
    found = activity(recording, "activity_w40", (0, 2, 4))
    found += activity(recording, "activity_unidirectional_relu_bn_w40", (1, 3))
    np.testing.assert_allclose(found, REFERENCE["activity/two_classifiers"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("key", "name", "n_windows", "overlap", "combine"),
    [
        ("cell_type/n2", "cell_type_w50", 2, 0, np.mean),
        ("cell_type/n3", "cell_type_w50", 3, 0, np.mean),
        ("cell_type/n3_max", "cell_type_w50", 3, 0.5, np.max),
        ("cell_type_all_pixels/n2", "cell_type_all_pixels_w50", 2, 0, np.mean),
        ("cell_type_all_pixels/n3", "cell_type_all_pixels_w50", 3, 0, np.mean),
    ],
)
def test_cell_types_are_what_deepcinac_predicted(recording, key, name, n_windows, overlap, combine):
    options = LegacyOptions(overlap=overlap)
    found = predict_cell_types(recording, classifier(name), range(N_CELLS), n_windows, options)
    combined = [combine(predictions, axis=0) for predictions in found]
    np.testing.assert_allclose(combined, REFERENCE[key], rtol=0, atol=TOLERANCE)


def test_windows_without_overlap_fill_the_movie_where_deepcinac_raised(recording):
    assert "activity/overlap0!error" in REFERENCE.files
    found = activity(recording, "activity_w40", (3,), overlap=0)[3]
    whole = recording.require_movie()
    shorter = CinacRecording("five windows of 40")
    shorter.set_movie(CinacDataMovie(recording.normalization(whole.read(0, 200)), already_normalized=True))
    shorter.rois = recording.rois
    alone = predict_activity(shorter, classifier("activity_w40"), [3], LegacyOptions(overlap=0))
    np.testing.assert_allclose(found[:200], alone[0, :, 0], rtol=0, atol=TOLERANCE)
    assert (found[200:] > 0).all()


@pytest.mark.parametrize("name", ["cell_type_w50", "cell_type_all_pixels_w50"])
def test_one_window_is_enough_for_several_cell_types_where_deepcinac_raised(recording, name):
    one = predict_cell_types(recording, classifier(name), [2], 1, LegacyOptions(overlap=0))
    two = predict_cell_types(recording, classifier(name), [2], 2, LegacyOptions(overlap=0))
    assert one[0].shape == (1, 3)
    np.testing.assert_allclose(one[0][0], two[0][0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(one[0].sum(), 1, atol=1e-5)


def test_memory_and_batches_do_not_change_what_is_predicted(recording):
    whole = predict_activity(recording, classifier("activity_w40"), [0, 5])
    small = LegacyOptions(batch_size=3, block_bytes=50 * 60 * 72 * 8)
    found = predict_activity(recording, classifier("activity_w40"), [0, 5], small)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-6)


def test_flipped_cell_type_windows_follow_their_window(recording):
    name = "cell_type_all_pixels_w50"
    plain = predict_cell_types(recording, classifier(name), [0], 2, LegacyOptions(overlap=0))[0]
    options = LegacyOptions(overlap=0, augment=True)
    flipped = predict_cell_types(recording, classifier(name), [0], 2, options)[0]
    assert flipped.shape == (8, 3)
    np.testing.assert_allclose(flipped[::4], plain, rtol=0, atol=1e-6)
    assert np.abs(flipped[1:4] - flipped[0]).max() > 1e-4


def test_the_engine_of_nwb_predictions_runs_legacy_classifiers(recording):
    result = predict_recording(recording, classifier("activity_w40"))
    expected = REFERENCE["activity/overlap0.5"].T
    np.testing.assert_allclose(result.probabilities, expected, rtol=0, atol=TOLERANCE)
    assert result.classifiers[0].name == "activity_w40"


def test_a_converted_classifier_predicts_the_same(recording, tmp_path):
    stem = DATA / "deepcinac" / "activity_3class_w40"
    convert(stem.with_suffix(".json"), stem.with_suffix(".h5"), tmp_path / "converted")
    result = predict_recording(recording, tmp_path / "converted")
    np.testing.assert_array_equal(result.probabilities, REFERENCE["activity_3class/overlap0.5"].T)


def test_progress_ends_when_all_windows_are_predicted(recording):
    calls = []
    predict_activity(recording, classifier("activity_w40"), [0, 1], progress=lambda *call: calls.append(call))
    assert calls[-1] == ("predict", 22, 22)  # eleven windows for each
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


def test_a_classifier_for_something_else_is_refused(recording):
    with pytest.raises(ClassifierError, match="'cell_type_w50' is not a legacy classifier for activity"):
        predict_activity(recording, classifier("cell_type_w50"), [0])
    with pytest.raises(ClassifierError, match="'activity_w40' is not a legacy classifier for cell type"):
        predict_cell_types(recording, classifier("activity_w40"), [0])


def test_a_network_without_a_meaning_for_one_class_is_refused():
    with pytest.raises(ClassifierError, match="gives 40 values for each frame"):
        activity_of(np.zeros((3, 40)))


def test_two_classes_are_active_where_the_first_is_higher_and_at_least_one_half():
    probabilities = np.array([[0.6, 0.4], [0.4, 0.3], [0.5, 0.5], [0.3, 0.7]])
    assert activity_of(probabilities).tolist() == [1, 0, 1, 0]


def test_rows_that_cannot_be_predicted_are_refused_with_the_reason(recording):
    with pytest.raises(PredictionError, match="ROI 8 cannot be predicted: there are 8 ROIs"):
        predict_activity(recording, classifier("activity_w40"), [8])
    with pytest.raises(PredictionError, match="A cell type cannot be predicted from 0 windows"):
        predict_cell_types(recording, classifier("cell_type_w50"), [0], 0)


def test_options_without_sense_are_refused():
    with pytest.raises(ConfigError, match=r"No windows can be predicted with .*batch_size=0"):
        LegacyOptions(batch_size=0)
