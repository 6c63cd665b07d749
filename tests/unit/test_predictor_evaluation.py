"""Predictions of .cinac files and evaluation of cell types, through DeepCINAC's functions."""

import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from ndx_cinac.cinac_files import CinacFile, CinacFullData, write_cinac
from ndx_cinac.cinac_predictor import activity_predictions_from_cinac_files, evaluate_cell_type_predictions
from ndx_cinac.deepcinac.evaluation import create_cinac_recording_from_cinac_file_segment
from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.evaluation import score_activity

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
CINAC = DATA / "cinac"
ACTIVITY = (str(DATA / "activity_w40.json"), str(DATA / "activity_w40.h5"))
CELL_TYPE = (str(DATA / "cell_type_w50.json"), str(DATA / "cell_type_w50.h5"))


# The file holds raw pixels of 200 to 600 where a network expects standard scores, which magnifies the
# rounding of float32: another processor's convolutions differ by up to 7e-5 from those of the reference.
CPU = Path("/proc/cpuinfo")
TOLERANCE = 1e-5 if CPU.exists() and "avx512f" in CPU.read_text() else 1e-4


@pytest.fixture
def expected():
    return np.load(CINAC / "session_a_predictions_activity_w40.npy")


@pytest.mark.tensorflow
def test_segments_are_predicted_as_deepcinac_predicted_them(tmp_path, expected):
    formats = ["npy", "npz", "mat"]
    found = activity_predictions_from_cinac_files(
        CINAC, tmp_path, *ACTIVITY, "w40", output_file_formats=formats
    )
    assert list(found) == ["session_a"]
    np.testing.assert_allclose(found["session_a"], expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(np.load(tmp_path / "session_a_predictions_w40.npy"), found["session_a"])
    with np.load(tmp_path / "session_a_predictions_w40.npz") as npz:
        np.testing.assert_array_equal(npz["predictions"], found["session_a"])
    mat = loadmat(tmp_path / "session_a_predictions_w40.mat")
    np.testing.assert_array_equal(mat["predictions"], found["session_a"])
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.tensorflow
def test_files_have_no_identifier_of_the_classifier_if_none_is_given(tmp_path):
    activity_predictions_from_cinac_files(str(CINAC), str(tmp_path), *ACTIVITY)
    assert [path.name for path in tmp_path.iterdir()] == ["session_a_predictions.npy"]


def one_segment_file(folder, full_data, name="one.cinac", **changes):
    from dataclasses import replace

    with CinacFile(CINAC / "session_a.cinac") as file:
        segment = replace(file.read_segment((0, 0, 119)), **changes)
    return write_cinac(folder / name, [segment], full_data)


def contours(n):
    return tuple(np.array([[1, 4, 4], [1, 1, 3]]) for _ in range(n))


def test_file_that_does_not_tell_its_size_is_left_out_with_a_warning(tmp_path, caplog):
    one_segment_file(tmp_path, None)
    assert activity_predictions_from_cinac_files(tmp_path, tmp_path, *ACTIVITY) == {}
    assert "does not say how many cells and frames" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["one.cinac"]


def test_segment_outside_of_the_movie_is_refused(tmp_path):
    one_segment_file(tmp_path, CinacFullData(contours=contours(1), n_frames=100))
    with pytest.raises(ReadingError, match=r"1 cells and 100 frames, not segment cell_0_0_119.*one\.cinac"):
        activity_predictions_from_cinac_files(tmp_path, tmp_path, *ACTIVITY)


def test_nwb_is_refused_for_segments_with_the_way_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be written as NWB.*convert_cinac"):
        activity_predictions_from_cinac_files(CINAC, tmp_path, *ACTIVITY, output_file_formats="nwb")


@pytest.mark.parametrize(
    ("source", "results", "error"), [("none", ".", ReadingError), (".", "none", OutputError)]
)
def test_folder_that_is_not_there_is_refused(tmp_path, source, results, error):
    with pytest.raises(error, match=r"does not exist.*none"):
        activity_predictions_from_cinac_files(tmp_path / source, tmp_path / results, *ACTIVITY)


def test_recording_of_a_segment_has_its_cell_first_and_no_invalid_cells(tmp_path):
    path = one_segment_file(tmp_path, None, invalid_cells=np.array([0, 1]))
    with CinacFile(path) as file:
        recording = create_cinac_recording_from_cinac_file_segment("name", file, file.segments[0])
        segment = file.read_segment(file.segments[0])
    assert (recording.identifier, recording.cell_type) == ("name", "interneuron")
    assert (recording.get_n_cells(), recording.get_n_frames()) == (1, 120)
    np.testing.assert_array_equal(recording.get_smooth_traces(normalized=True)[0], segment.smooth_trace)


@pytest.mark.tensorflow
def test_cell_types_are_predicted_for_segments_that_have_one(caplog, tmp_path):
    with caplog.at_level(logging.INFO):
        found = evaluate_cell_type_predictions(
            CINAC, DATA / "cell_types.yaml", tmp_path, *CELL_TYPE, save_cell_type_distribution=True
        )
    assert found.names == ("interneuron", "pyramidal", "noise")
    assert found.true.tolist() == [0, 1, 1]  # "interneuron", "pyr", "pyramidal cell"
    assert found.probabilities.shape == (3, 3)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    assert found.left_out == ("session_a, cell_7_100_229: its cell type is not known",)
    assert f"accuracy {found.accuracy:.3f}" in caplog.text
    assert len(list(tmp_path.glob("hist_prediction_distribution_*.png"))) == 2


@pytest.mark.tensorflow
def test_segment_with_a_type_that_the_configuration_lacks_is_left_out(tmp_path):
    one_segment_file(tmp_path, None, cell_type="glia")
    found = evaluate_cell_type_predictions(
        tmp_path, DATA / "cell_types.yaml", None, *CELL_TYPE, save_cell_type_distribution=False
    )
    assert found.left_out == ("one, cell_0_0_119: its cell type is glia",)


def test_configuration_of_other_types_than_the_classifiers_is_refused():
    with pytest.raises(ConfigError, match=r"2 cell types are named; the classifier has 3 outputs"):
        evaluate_cell_type_predictions(
            CINAC, DATA / "cell_types_binary.yaml", None, *CELL_TYPE, save_cell_type_distribution=False
        )


def test_figures_need_a_folder():
    with pytest.raises(ConfigError, match="save_cell_type_distribution needs a results_path"):
        evaluate_cell_type_predictions(CINAC, DATA / "cell_types.yaml", None, *CELL_TYPE, True)


def test_folder_without_files_gives_a_warning(tmp_path, caplog):
    assert activity_predictions_from_cinac_files(tmp_path, tmp_path, *ACTIVITY) == {}
    assert "There are no .cinac files" in caplog.text


@pytest.mark.tensorflow
def test_all_files_of_a_folder_are_predicted_and_none_of_its_subfolders(tmp_path, expected):
    (tmp_path / "deeper").mkdir()
    for name in ("b.cinac", "a.cinac", "deeper/c.cinac"):
        shutil.copy(CINAC / "session_a.cinac", tmp_path / name)
    found = activity_predictions_from_cinac_files(tmp_path, tmp_path, *ACTIVITY)
    assert list(found) == ["a", "b"]
    np.testing.assert_allclose(found["b"], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.tensorflow
def test_predictions_of_annotated_segments_are_scored_outside_of_doubtful_frames(caplog, tmp_path):
    with CinacFile(CINAC / "session_a.cinac") as file:
        segment = file.read_segment((0, 0, 119))
    doubtful = np.zeros(120, int)
    doubtful[10:30] = 1
    one_segment_file(tmp_path, CinacFullData(contours=contours(1), n_frames=200), doubtful=doubtful)
    with caplog.at_level(logging.INFO):
        found = activity_predictions_from_cinac_files(tmp_path, tmp_path, *ACTIVITY)
    active, judged = segment.active[None].T > 0, doubtful[:, None] == 0
    expected = score_activity(found["one"][:, :120].T, active, None, judged)
    assert f"1 ROI, 100 judged frames of ROIs, {expected.prevalence:.2%} of them active" in caplog.text
    figures = (expected.sensitivity, expected.specificity, expected.precision)
    assert "| classifier | " + " | ".join(f"{value:.3f}" for value in figures) in caplog.text


@pytest.mark.tensorflow
def test_without_scikit_learn_predictions_are_made_and_the_missing_extra_is_named(
    caplog, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    found = activity_predictions_from_cinac_files(CINAC, tmp_path, *ACTIVITY)
    assert list(found) == ["session_a"]
    assert 'pip install "ndx-cinac[train]"' in caplog.text
