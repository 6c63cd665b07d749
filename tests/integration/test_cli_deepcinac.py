"""DeepCINAC's files on the command line: its classifiers predict NWB files, its .cinac files become NWB."""

from pathlib import Path

import numpy as np
import pytest
from output_builders import write_source
from pynwb import NWBHDF5IO

from ndx_cinac import read_recording
from ndx_cinac.cinac_predictor import CinacPredictor
from ndx_cinac.cli import main
from ndx_cinac.testing.mock import MockLayout
from ndx_cinac.writing import read_predictions

pytestmark = pytest.mark.tensorflow

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
MODEL, WEIGHTS = str(DATA / "activity_w40.json"), str(DATA / "activity_w40.h5")


@pytest.fixture(autouse=True)
def leave_logging_alone(monkeypatch):
    def only_defaults(options):
        for name in ("debug", "quiet", "verbose"):
            setattr(options, name, getattr(options, name, False))

    monkeypatch.setattr("ndx_cinac.cli.program._configure", only_defaults)


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "session.nwb", MockLayout(mask="pixel"), n_frames=130)


def test_a_classifier_of_deepcinac_predicts_an_nwb_file_as_cinac_predictor_does(source, tmp_path, capsys):
    output = tmp_path / "predicted.nwb"
    arguments = ["predict", str(source), "--classifier", MODEL, "--weights", WEIGHTS, "-o", str(output)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("activity_w40 Keras 2.15")
    result = read_predictions(output)
    with read_recording(source) as recording:
        predictor = CinacPredictor()
        predictor.add_recording(recording, {(MODEL, WEIGHTS, "w40"): None})
        ((_, expected),) = predictor.predict(None, time_verbose=False).items()
    np.testing.assert_allclose(result.probabilities.T, expected, atol=1e-5)
    assert (result.probabilities > 0).all()


def test_a_converted_classifier_gives_the_same_predictions(source, tmp_path, capsys):
    folder, outputs = tmp_path / "converted", [tmp_path / "a.nwb", tmp_path / "b.nwb"]
    assert main(["classifiers", "convert", MODEL, WEIGHTS, str(folder), "--name", "old"]) == 0
    assert "DeepCINAC" in capsys.readouterr().out
    assert main(["predict", str(source), "--classifier", str(folder), "-o", str(outputs[0])]) == 0
    arguments = ["predict", str(source), "--classifier", MODEL, "--weights", WEIGHTS, "-o", str(outputs[1])]
    assert main(arguments) == 0
    converted, original = (read_predictions(path) for path in outputs)
    np.testing.assert_allclose(converted.probabilities, original.probabilities, atol=1e-6)
    assert converted.classifiers[0].name == "old"
    assert main(["classifiers", "convert", MODEL, WEIGHTS, str(folder)]) == 1
    assert "exists" in capsys.readouterr().err


def test_a_cinac_file_becomes_nwb_with_what_was_said_about_it(tmp_path, capsys, caplog):
    output = tmp_path / "session_a.nwb"
    arguments = ["convert", str(DATA / "cinac" / "session_a.cinac"), str(output), "--frame-rate", "8"]
    arguments += ["--annotator", "JD", "--session-start", "2024-05-06T10:30+02:00"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"wrote {output}\n"
    assert "names it: session_a.tif" in caplog.text
    with NWBHDF5IO(output, "r") as io:
        nwbfile = io.read()
        assert nwbfile.session_start_time.isoformat() == "2024-05-06T10:30:00+02:00"
        assert nwbfile.acquisition["cell_0_0_119"].rate == 8
        assert set(nwbfile.processing["cinac"]["AnnotatedSegments"]["annotator"][:]) == {"JD"}
    assert main(arguments) == 1
    assert "The output exists already" in capsys.readouterr().err
