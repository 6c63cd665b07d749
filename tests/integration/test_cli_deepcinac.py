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


@pytest.mark.parametrize("mode", ["copy", "standalone", "in-place"])
def test_a_classifier_of_deepcinac_writes_in_every_mode(source, tmp_path, mode, capsys):
    output = source if mode == "in-place" else tmp_path / "predicted.nwb"
    arguments = ["predict", str(source), "--classifier", MODEL, "--weights", WEIGHTS, "--mode", mode]
    assert main(arguments + ([] if mode == "in-place" else ["-o", str(output)])) == 0
    capsys.readouterr()
    result = read_predictions(output)
    assert result.probabilities.shape[0] == 130
    assert result.classifiers[0].name == "activity_w40"
    with NWBHDF5IO(output, "r") as io:
        assert (len(io.read().acquisition) == 0) == (mode == "standalone")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classifier", MODEL], "is converted with: ndx-cinac classifiers convert"),
        (["--weights", WEIGHTS], "Weights go with the .json that DeepCINAC wrote"),
        (["--classifier", WEIGHTS, "--weights", MODEL], "Give the .json that DeepCINAC wrote first"),
        (["--classifier", MODEL, "--weights", "none.h5"], "The classifier's weights do not exist (none.h5)"),
        (["--classifier", "none.json", "--weights", WEIGHTS], "No such file or directory (none.json)"),
        (["--classifier", MODEL, "--weights", MODEL], "The classifier's weights are no HDF5 file"),
        (
            ["--classifier", MODEL, "--weights", str(DATA / "activity_3class_w40.h5")],
            "Give the .json and the .h5 of one classifier",
        ),
        (
            ["--classifier", str(DATA / "cell_type_w50.json"), "--weights", str(DATA / "cell_type_w50.h5")],
            "predicts cell type, not activity",
        ),
    ],
)
def test_files_that_are_missing_or_mixed_up_are_refused_with_the_way_out(source, arguments, message, capsys):
    assert main(["predict", str(source), *arguments]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "unexpected" not in printed
    assert [path.name for path in source.parent.iterdir()] == [source.name]


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.cinac", "does not exist"), ("session.nwb", "The file holds neither segments nor a whole movie")],
)
def test_what_is_no_cinac_file_is_refused(source, tmp_path, name, message, capsys):
    assert main(["convert", str(tmp_path / name), str(tmp_path / "out.nwb")]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
