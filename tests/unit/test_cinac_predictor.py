"""DeepCINAC's interface: every name and signature, its numbers, its files, and what it refuses."""

import inspect
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO
from scipy.io import loadmat

import ndx_cinac.cinac_predictor as module
from ndx_cinac import read_recording
from ndx_cinac.cinac_predictor import CinacPredictor
from ndx_cinac.cinac_structures import CinacRecording
from ndx_cinac.errors import ClassifierError, ConfigError, OutputError, PredictionError
from ndx_cinac.legacy import load_legacy
from ndx_cinac.testing.mock import mock_nwbfile_with_movie

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
VARIANTS = DATA.parent / "deepcinac_variants"
NEEDED = object()
ACTIVITY = (str(DATA / "activity_w40.json"), str(DATA / "activity_w40.h5"), "w40")
PLAIN = (
    str(DATA / "activity_unidirectional_relu_bn_w40.json"),
    str(DATA / "activity_unidirectional_relu_bn_w40.h5"),
    "plain",
)
THREE = (str(DATA / "activity_3class_w40.json"), str(DATA / "activity_3class_w40.h5"), "three")
LATE = (
    str(DATA / "activity_attention_after_lstm_w40.json"),
    str(DATA / "activity_attention_after_lstm_w40.h5"),
    "late",
)
CELL_TYPE = (str(DATA / "cell_type_w50.json"), str(DATA / "cell_type_w50.h5"), "types")

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
def reference():
    with np.load(DATA / "predictions.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def recording():
    with np.load(DATA / "recording.npz") as stored:
        made = CinacRecording("reference")
        made.set_movie(stored["movie"].astype(np.float64))
        made.set_rois_using_pixel_mask(np.split(stored["pixels"], stored["pixels_index"][:-1]))
    return made


def predict(recording, models, results_path=None, removed_cells_mapping=None, **options):
    predictor = CinacPredictor()
    predictor.add_recording(recording, models, removed_cells_mapping)
    return predictor.predict(results_path, **({"time_verbose": False} | options))


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


@pytest.mark.tensorflow
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


@pytest.mark.tensorflow
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


@pytest.mark.tensorflow
def test_one_segment_gives_its_own_prediction_for_several_types(recording, reference):
    options = {"cell_type_classifier_mode": True, "overlap_value": 0, "n_segments_to_use_for_prediction": 1}
    found = predict(recording, {CELL_TYPE: None}, **options)["reference", "types"]
    assert found.shape == (8, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    # The most active window is one of the two whose mean DeepCINAC gave.
    np.testing.assert_allclose(found, reference["cell_type/n2"], atol=0.2)


@pytest.mark.tensorflow
def test_without_overlap_every_frame_is_predicted_whatever_the_number_of_frames(recording, reference):
    found = predict(recording, {ACTIVITY: [0, 5]}, overlap_value=0)["reference", "w40"]
    assert (found[[0, 5]] > 0).all()
    # Its windows are among those with overlap, of which the highest value counts.
    assert (found <= reference["activity/overlap0.5"] + 1e-5).all()


@pytest.mark.tensorflow
def test_bundled_classifier_predicts_all_cells_where_none_is_given(recording):
    found = predict(recording, None)["reference", "activity-sim"]
    assert found.shape == (8, 230)
    assert found.any(axis=1).all()
    some = predict(recording, {("activity-sim", "", "sim"): [2, 3]})["reference", "sim"]
    np.testing.assert_allclose(some[[2, 3]], found[[2, 3]], atol=1e-4)
    assert not some[[0, 1, 4, 5, 6, 7]].any()


@pytest.mark.tensorflow
def test_results_are_saved_by_name_in_every_format_asked_for(recording, reference, tmp_path):
    models = {ACTIVITY: [6, 4], PLAIN: [1]}
    formats = ["npy", "mat", "nwb"]
    predict(recording, models, tmp_path, output_file_formats=formats, create_dir_for_results=False)
    names = {f"reference_predictions_w40_plain.{kind}" for kind in ("npz", "mat", "nwb")}
    assert {path.name for path in tmp_path.iterdir()} == names
    expected = np.zeros((8, 230))
    expected[[4, 6]] = reference["activity/overlap0.5"][[4, 6]]
    expected[1] = reference["activity_plain/overlap0.5"][1]
    with np.load(tmp_path / "reference_predictions_w40_plain.npz") as npz:
        np.testing.assert_allclose(npz["predictions"], expected, atol=1e-5)
        assert npz["cells"].tolist() == [6, 4, 1]
    mat = loadmat(tmp_path / "reference_predictions_w40_plain.mat", squeeze_me=True)
    np.testing.assert_allclose(mat["predictions"], expected, atol=1e-5)
    assert mat["cells"].tolist() == [6, 4, 1]
    with NWBHDF5IO(tmp_path / "reference_predictions_w40_plain.nwb", "r") as io:
        predictions = io.read().processing["cinac"]["ActivityPredictions"]
        assert predictions.rois.data[:].tolist() == [1, 4, 6]
        np.testing.assert_allclose(predictions.data[:].T, expected[[1, 4, 6]], atol=1e-5)
        assert predictions.classifier.to_dataframe()["classifier_name"].tolist() == ["plain", "w40", "w40"]
        assert len(predictions.rois.table) == 8


@pytest.mark.tensorflow
def test_results_go_to_a_folder_named_by_the_time(recording, tmp_path):
    predict(recording, {PLAIN: [0]}, str(tmp_path))
    (folder,) = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == ["reference_predictions_plain.npz"]


@pytest.mark.tensorflow
@pytest.mark.parametrize("config", [None, DATA / "cell_types.yaml"])
def test_cell_types_are_written_as_nwb_with_their_names(recording, reference, tmp_path, config):
    options = {"overlap_value": 0, "output_file_formats": "nwb", "create_dir_for_results": False}
    options |= {"cell_type_classifier_mode": True, "cell_type_config_file": config}
    predict(recording, {CELL_TYPE: [0, 3]}, tmp_path, **options)
    with NWBHDF5IO(tmp_path / "reference_cell_type_predictions_types.nwb", "r") as io:
        module = io.read().processing["cinac"]
        table, expected = module["CellTypePredictions"], reference["cell_type/n2"][[0, 3]]
        assert table["roi"].data[:].tolist() == [0, 3]
        np.testing.assert_allclose(table["probability"][:], expected, atol=1e-5)
        names = ["type 0", "type 1", "type 2"] if config is None else ["interneuron", "pyramidal", "noise"]
        assert list(table["cell_type"][:]) == [names[code] for code in expected.argmax(axis=1)]
        assert "overlap" in module["CellTypePredictionsProvenance"].parameters


@pytest.mark.tensorflow
def test_names_that_do_not_fit_the_predicted_types_are_refused(recording, tmp_path):
    options = {"overlap_value": 0, "output_file_formats": "nwb", "cell_type_classifier_mode": True}
    config = DATA / "cell_types_binary.yaml"
    with pytest.raises(ConfigError, match="2 cell types are named, but 3 were predicted"):
        predict(recording, {CELL_TYPE: [0]}, tmp_path, cell_type_config_file=config, **options)


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


@pytest.mark.tensorflow
def test_results_have_a_row_for_every_original_cell(recording, reference):
    mapping = [0, -1, 1, 2, 3, 4, 5, 6, 7]
    found = predict(recording, {ACTIVITY: [1, 2, 8]}, removed_cells_mapping=mapping)["reference", "w40"]
    assert found.shape == (9, 230)
    assert not found[1].any()
    np.testing.assert_allclose(found[[2, 8]], reference["activity/overlap0.5"][[1, 7]], atol=1e-5)


@pytest.mark.tensorflow
def test_verbose_is_logged_and_nothing_is_printed(recording, caplog, capsys):
    predictor = CinacPredictor(verbose=1)
    predictor.add_recording(recording, {PLAIN: [0]})
    with caplog.at_level(logging.INFO):
        predictor.predict(None, colour="red")
    assert "Time to predict 1 cells" in caplog.text
    assert "does not know the option 'colour'" in caplog.text
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def activity_network():
    return load_legacy(*ACTIVITY[:2]).network()


@pytest.mark.tensorflow
def test_one_cell_is_predicted_with_a_network_in_hand(recording, reference, activity_network, caplog):
    with caplog.at_level(logging.INFO):
        found = module.predict_transient_from_model(recording, 3, activity_network, 230, overlap_value=0.5)
    assert found.shape == (230, 1)
    np.testing.assert_allclose(found[:, 0], reference["activity/overlap0.5"][3], rtol=0, atol=1e-5)
    assert "Time to get predictions for cell 3" in caplog.text


@pytest.mark.tensorflow
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


@pytest.mark.tensorflow
def test_one_cell_without_overlap_gives_one_value_for_every_frame(recording, activity_network):
    found = module.predict_transient_from_model(
        recording, 0, activity_network, 230, overlap_value=0, time_verbose=False
    )
    assert found.shape == (230,)
    np.testing.assert_allclose(
        found, predict(recording, {ACTIVITY: [0]}, overlap_value=0)["reference", "w40"][0], atol=1e-5
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["cell_type", "cell_type_all_pixels"])
def test_each_window_of_a_cell_type_is_predicted_with_a_network_in_hand(recording, reference, name):
    network = load_legacy(DATA / f"{name}_w50.json", DATA / f"{name}_w50.h5").network()
    found = module.predict_cell_type_from_model(recording, 2, network, 230, 3, all_pixels=True)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found.mean(axis=0), reference[f"{name}/n3"][2], rtol=0, atol=1e-5)


@pytest.mark.tensorflow
def test_network_of_more_inputs_than_a_cell_type_has_is_refused(recording, activity_network):
    with pytest.raises(ClassifierError, match="has 3 inputs; DeepCINAC's have at most 2"):
        module.predict_cell_type_from_model(recording, 2, activity_network, 230)


@pytest.mark.tensorflow
def test_binary_cell_types_are_one_number_for_each_cell_and_two_types_in_nwb(recording, tmp_path):
    files = (
        str(VARIANTS / "cell_type_binary_all_pixels.json"),
        str(VARIANTS / "cell_type_binary_all_pixels.h5"),
    )
    options = {"overlap_value": 0, "output_file_formats": "nwb", "create_dir_for_results": False}
    options |= {"cell_type_classifier_mode": True, "cell_type_config_file": DATA / "cell_types_binary.yaml"}
    found = predict(recording, {(*files, "two"): [1, 5]}, tmp_path, **options)["reference", "two"]
    assert found.shape == (8,)
    assert ((found[[1, 5]] > 0) & (found[[1, 5]] < 1)).all()
    with NWBHDF5IO(tmp_path / "reference_cell_type_predictions_two.nwb", "r") as io:
        table = io.read().processing["cinac"]["CellTypePredictions"]
        assert list(table.cell_types) == ["pyramidal", "interneuron"]
        np.testing.assert_allclose(table["probability"][:, 1], found[[1, 5]], atol=1e-6)
        np.testing.assert_allclose(table["probability"][:].sum(axis=1), 1, atol=1e-6)


@pytest.mark.tensorflow
def test_predictions_of_an_nwb_file_keep_its_session_and_rois(tmp_path):
    path = tmp_path / "session.nwb"
    nwbfile = mock_nwbfile_with_movie(n_frames=100)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    with read_recording(path) as source:
        options = {"output_file_formats": "nwb", "create_dir_for_results": False}
        ((_, found),) = predict(source, {PLAIN: [2]}, tmp_path, **options).items()
    with NWBHDF5IO(tmp_path / "session_predictions_plain.nwb", "r") as io:
        written = io.read()
        predictions = written.processing["cinac"]["ActivityPredictions"]
        assert written.session_description == nwbfile.session_description
        assert written.subject.species == nwbfile.subject.species
        assert predictions.rois.data[:].tolist() == [2]
        assert len(predictions.rois.table) == 3
        np.testing.assert_array_equal(predictions.data[:, 0], found[2].astype(np.float32))
        assert predictions.rate == nwbfile.acquisition["TwoPhotonSeries"].rate
        provenance = written.processing["cinac"]["PredictionProvenance"]
        assert provenance.source_file_identifier == nwbfile.identifier


@pytest.mark.tensorflow
def test_roi_without_pixels_stays_0_and_is_named(caplog):
    made = CinacRecording("empty")
    made.set_movie(np.random.default_rng(0).normal(size=(60, 30, 30)))
    made.set_rois_using_pixel_mask([[(4, 4), (8, 4), (6, 8)], []])
    found = predict(made, {PLAIN: [0, 1]})["empty", "plain"]
    assert found.any(axis=1).tolist() == [True, False]
    assert "ROI 1 of recording 'empty' is not predicted: it has no pixels" in caplog.text


def test_without_cells_nothing_is_predicted_and_no_nwb_written(recording, tmp_path, caplog):
    options = {"output_file_formats": ["nwb", "npz"], "create_dir_for_results": False}
    found = predict(recording, {ACTIVITY: []}, tmp_path, **options)["reference", "w40"]
    assert not found.any()
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    assert "No cells of recording 'reference' are predicted with 'w40'" in caplog.text
    assert "No cell was predicted" in caplog.text


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
            "ndx_cinac.predictor_runs.PlannedRun.predict", lambda run, progress: started.append(run)
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
