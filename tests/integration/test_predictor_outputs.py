"""What `CinacPredictor.predict` writes and says: .npz, .mat, NWB, folders and log."""

import logging

import numpy as np
import pytest
from deepcinac_cases import ACTIVITY, CELL_TYPE, DATA, PLAIN, VARIANTS, make_recording, predict
from pynwb import NWBHDF5IO
from scipy.io import loadmat

from ndx_cinac import read_recording
from ndx_cinac.cinac_predictor import CinacPredictor
from ndx_cinac.cinac_structures import CinacRecording
from ndx_cinac.errors import ConfigError
from ndx_cinac.testing.mock import mock_nwbfile_with_movie

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def recording():
    return make_recording()


@pytest.fixture(scope="module")
def reference():
    with np.load(DATA / "predictions.npz") as stored:
        return dict(stored)


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


def test_results_go_to_a_folder_named_by_the_time(recording, tmp_path):
    predict(recording, {PLAIN: [0]}, str(tmp_path))
    (folder,) = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == ["reference_predictions_plain.npz"]


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


def test_names_that_do_not_fit_the_predicted_types_are_refused(recording, tmp_path):
    options = {"overlap_value": 0, "output_file_formats": "nwb", "cell_type_classifier_mode": True}
    config = DATA / "cell_types_binary.yaml"
    with pytest.raises(ConfigError, match="2 cell types are named, but 3 were predicted"):
        predict(recording, {CELL_TYPE: [0]}, tmp_path, cell_type_config_file=config, **options)


def test_verbose_is_logged_and_nothing_is_printed(recording, caplog, capsys):
    predictor = CinacPredictor(verbose=1)
    predictor.add_recording(recording, {PLAIN: [0]})
    with caplog.at_level(logging.INFO):
        predictor.predict(None, colour="red")
    assert "Time to predict 1 cells" in caplog.text
    assert "does not know the option 'colour'" in caplog.text
    assert capsys.readouterr().out == ""


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
