"""DeepCINAC's interface: every name and signature, and what it refuses before any prediction."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from deepcinac_cases import ACTIVITY, CELL_TYPE, VARIANTS, make_recording, predict

import ndx_cinac.cinac_predictor as module
from ndx_cinac.cinac_predictor import CinacPredictor
from ndx_cinac.cinac_structures import CinacRecording
from ndx_cinac.errors import ClassifierError, ConfigError, OutputError, PredictionError

NEEDED = object()

# Parameters and defaults as the documentation of DeepCINAC gives them, in its order.
SIGNATURES = {
    "fusion_cell_type_predictions_by_type": {
        "cell_type_preds_dict": NEEDED,
        "default_cell_type_pred": NEEDED,
        "cell_type_to_skip_if_conflict": None,
        "cell_type_config_file": None,
        "filename_to_save": None,
    },
    "fusion_cell_type_predictions": {
        "cell_type_pred_1": NEEDED,
        "cell_type_pred_2": NEEDED,
        "with_new_category": None,
        "cell_type_config_file": None,
        "filename_to_save": None,
        "cell_types_to_not_fusion_with_gt": None,
    },
    "select_activity_classifier_on_cell_type_outputs": {
        "cell_type_config_file": NEEDED,
        "cell_type_predictions": NEEDED,
        "cell_type_to_classifier": NEEDED,
        "default_classifier": NEEDED,
        "unknown_cell_type_action": "ignore",
        "cell_type_threshold": 0.5,
        "verbose": 1,
    },
    "CinacPredictor": {"verbose": 0},
    "CinacPredictor.add_recording": {
        "self": NEEDED,
        "cinac_recording": NEEDED,
        "model_files_dict": None,
        "removed_cells_mapping": None,
    },
    "CinacPredictor.get_new_cell_indices_if_cells_removed": {
        "cell_indices_array": NEEDED,
        "removed_cells_mapping": NEEDED,
    },
    "CinacPredictor.predict": {
        "self": NEEDED,
        "results_path": NEEDED,
        "overlap_value": 0.5,
        "output_file_formats": "npy",
        "cell_type_classifier_mode": False,
        "n_segments_to_use_for_prediction": 2,
        "cell_type_pred_fct": np.mean,
        "create_dir_for_results": True,
        "cell_buffer": None,
        "all_pixels": True,
        "time_verbose": True,
        "kwargs": NEEDED,
    },
    "predict_cell_type_from_model": {
        "cinac_recording": NEEDED,
        "cell": NEEDED,
        "model": NEEDED,
        "n_frames": NEEDED,
        "n_segments_to_use_for_prediction": 2,
        "overlap_value": 0,
        "pixels_around": 0,
        "all_pixels": False,
        "use_data_augmentation": False,
        "buffer": None,
        "verbose": 0,
    },
    "load_data_for_prediction": {
        "cinac_recording": NEEDED,
        "cell": NEEDED,
        "sliding_window_len": NEEDED,
        "overlap_value": NEEDED,
        "augmentation_functions": NEEDED,
        "n_frames": NEEDED,
    },
    "load_data_for_cell_type_prediction": {
        "cinac_recording": NEEDED,
        "cell": NEEDED,
        "sliding_window_len": NEEDED,
        "overlap_value": NEEDED,
        "augmentation_functions": NEEDED,
        "n_frames": NEEDED,
        "n_windows_len_to_keep_by_cell": 2,
    },
    "predict_transient_from_model": {
        "cinac_recording": NEEDED,
        "cell": NEEDED,
        "model": NEEDED,
        "n_frames": NEEDED,
        "overlap_value": 0.8,
        "pixels_around": 0,
        "use_data_augmentation": False,
        "buffer": None,
        "time_verbose": True,
    },
    "activity_predictions_from_cinac_files": {
        "cinac_dir_name": NEEDED,
        "results_path": NEEDED,
        "json_file_name": NEEDED,
        "weights_file_name": NEEDED,
        "classifier_id": None,
        "output_file_formats": "npy",
    },
    "evaluate_cell_type_predictions": {
        "cinac_dir_name": NEEDED,
        "cell_type_yaml_file": NEEDED,
        "results_path": NEEDED,
        "json_file_name": NEEDED,
        "weights_file_name": NEEDED,
        "save_cell_type_distribution": NEEDED,
        "all_pixels": False,
    },
}


@pytest.fixture(scope="module")
def recording():
    return make_recording()


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_is_the_documented_one(name):
    found = module
    for part in name.split("."):
        found = getattr(found, part)
    parameters = inspect.signature(found).parameters.values()
    assert {p.name: NEEDED if p.default is p.empty else p.default for p in parameters} == SIGNATURES[name]
    assert [p.name for p in parameters] == list(SIGNATURES[name])


def test_get_new_cell_indices_is_static():
    assert isinstance(vars(CinacPredictor)["get_new_cell_indices_if_cells_removed"], staticmethod)


def test_every_documented_name_comes_with_a_star_import():
    names = {name.split(".")[0] for name in SIGNATURES} | {"TF_VERSION", "MoviePatchData"}
    assert names <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_tensorflow_is_not_imported_until_it_is_needed():
    code = (
        "import sys, ndx_cinac.cinac_predictor as p; "
        "assert not {'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules); print(p.TF_VERSION)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split(".")[0] == "2"


def test_other_attributes_are_missing_as_usual():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_cells_are_found_again_after_some_were_removed():
    mapping = np.array([0, 1, -1, 2, -1, 3, 4, 5])
    new, original = CinacPredictor.get_new_cell_indices_if_cells_removed(np.arange(8), mapping)
    assert (new.tolist(), original.tolist()) == ([0, 1, 2, 3, 4, 5], [0, 1, 3, 5, 6, 7])
    new, original = CinacPredictor.get_new_cell_indices_if_cells_removed([4, 2], None)
    assert (new.tolist(), original.tolist()) == ([4, 2], [4, 2])


@pytest.mark.parametrize("cells", [[8], [-1], [0.5]])
def test_cells_that_are_not_there_are_refused(recording, cells):
    with pytest.raises(PredictionError, match=r"but there are 8 cells.*'reference'"):
        predict(recording, {ACTIVITY: cells})


def test_mapping_to_cells_that_are_not_there_is_refused(recording):
    with pytest.raises(PredictionError, match="leads to cell 9, but the recording has 8 ROIs"):
        predict(recording, {ACTIVITY: None}, removed_cells_mapping=[0, 9])


def test_two_results_of_one_name_are_refused(recording):
    predictor = CinacPredictor()
    for _ in range(2):
        predictor.add_recording(recording, {ACTIVITY: [0]})
    with pytest.raises(ConfigError, match="Two recordings are called 'reference' and predicted with 'w40'"):
        predictor.predict(None, time_verbose=False)


@pytest.mark.parametrize(("files", "cell_types"), [(ACTIVITY, True), (CELL_TYPE, False), (None, True)])
def test_classifier_of_the_other_task_is_refused(recording, files, cell_types):
    with pytest.raises(ClassifierError, match="predicts"):
        predict(recording, files and {files: None}, cell_type_classifier_mode=cell_types)


def test_folder_that_is_not_there_is_refused_before_any_work(recording, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        predict(recording, {("none.json", "none.h5", "none"): None}, tmp_path / "nowhere")


def test_movie_that_is_shorter_than_a_window_is_refused_before_any_prediction(recording):
    short = CinacRecording("short")
    short.set_movie(np.zeros((30, 30, 30)))
    short.set_rois_using_pixel_mask([[(4, 4), (8, 4), (6, 8)]])
    predictor = CinacPredictor()
    predictor.add_recording(recording, {ACTIVITY: None})
    predictor.add_recording(short, {ACTIVITY: None})
    started = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "ndx_cinac.deepcinac.runs.PlannedRun.predict", lambda run, progress: started.append(run)
        )
        with pytest.raises(PredictionError, match="30 frames, fewer than the 40"):
            predictor.predict(None, time_verbose=False)
    assert started == []


def test_cell_type_classifiers_of_different_types_are_refused_together(recording):
    files = (
        str(VARIANTS / "cell_type_binary_all_pixels.json"),
        str(VARIANTS / "cell_type_binary_all_pixels.h5"),
    )
    with pytest.raises(ClassifierError, match=r"different numbers of cell types: \[1, 3\]"):
        predict(recording, {(*files, "two"): [0], CELL_TYPE: [1]}, cell_type_classifier_mode=True)
