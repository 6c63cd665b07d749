"""The example script in DeepCINAC's style runs from a TIFF file to saved predictions."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pynwb import NWBHDF5IO
from scipy.io import loadmat

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "deepcinac"


@pytest.fixture
def files(tmp_path):
    with np.load(DATA / "recording.npz") as stored:
        tifffile.imwrite(tmp_path / "session.tif", stored["movie"])
        masks = np.split(stored["pixels"], stored["pixels_index"][:-1])
        (tmp_path / "rois.json").write_text(json.dumps([mask.tolist() for mask in masks]))
    (tmp_path / "classifiers").mkdir()
    for name in ("cell_type_w50", "activity_w40", "activity_unidirectional_relu_bn_w40"):
        for extension in ("json", "h5"):
            shutil.copy(DATA / f"{name}.{extension}", tmp_path / "classifiers")
    shutil.copy(DATA / "cell_types.yaml", tmp_path / "classifiers")
    (tmp_path / "results").mkdir()
    return tmp_path


@pytest.mark.tensorflow
def test_example_script_saves_what_deepcinac_predicted_with_each_cells_classifier(files, capsys):
    script = runpy.run_path(str(ROOT / "examples" / "deepcinac_script.py"))
    arguments = [str(files / name) for name in ("session.tif", "rois.json", "classifiers", "results")]
    activity = script["main"](*arguments)
    with np.load(DATA / "predictions.npz") as reference:
        interneurons = reference["cell_type/n2"].argmax(axis=1) == 0
        expected = np.where(
            interneurons[:, np.newaxis],
            reference["activity_plain/overlap0.5"],
            reference["activity/overlap0.5"],
        )
    np.testing.assert_allclose(activity, expected, rtol=0, atol=1e-5)
    saved = {path.suffix: path for path in (files / "results").glob("session_predictions_*")}
    assert set(saved) == {".npz", ".mat", ".nwb"}
    np.testing.assert_array_equal(np.load(saved[".npz"])["predictions"], activity)
    np.testing.assert_array_equal(loadmat(saved[".mat"])["predictions"], activity)
    with NWBHDF5IO(saved[".nwb"], "r") as io:
        stored = io.read().processing["cinac"]["ActivityPredictions"].data[:]
    np.testing.assert_array_equal(stored.T, activity.astype(np.float32))
    assert "8 cells, 230 frames" in capsys.readouterr().out
