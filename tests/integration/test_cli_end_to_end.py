"""The command line from file to file, run in this process and as a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from output_builders import file_bytes, write_source

from ndx_cinac.cli import main
from ndx_cinac.testing.mock import MockLayout
from ndx_cinac.writing import read_predictions
from ndx_cinac.writing.stored import stored_names

pytestmark = pytest.mark.tensorflow


@pytest.fixture(autouse=True)
def leave_logging_alone(monkeypatch):
    """Keep what the command line sets for its own process out of the other tests."""
    monkeypatch.setattr("ndx_cinac.cli.program._configure", lambda options: _defaults(options))


def _defaults(options) -> None:
    for name in ("debug", "quiet", "verbose"):
        setattr(options, name, getattr(options, name, False))


@pytest.fixture
def source(tmp_path) -> Path:
    return write_source(tmp_path / "session.nwb", MockLayout(mask="pixel"), n_frames=150)


def test_predict_then_plot(source, tiny_classifier, capsys, tmp_path):
    before = file_bytes(source)
    assert main(["predict", str(source), "--classifier", str(tiny_classifier), "--threshold", "0.3"]) == 0
    output = tmp_path / "session_cinac.nwb"
    printed = capsys.readouterr().out
    result = read_predictions(output)
    assert printed.startswith(f"tiny 0.1 (sha256 {result.classifiers[0].sha256[:12]}), on ")
    assert f"copied the file and added 'ActivityPredictions': {output}" in printed
    assert result.threshold == 0.3
    assert result.probabilities.shape == (150, 3)
    assert file_bytes(source) == before
    assert main(["plot", str(output), "--rois", "0", "2", "--output-dir", str(tmp_path / "figures")]) == 0
    assert len(list((tmp_path / "figures").glob("*.png"))) == 3
    assert main(["predict", str(source), "--classifier", str(tiny_classifier)]) == 1
    assert "The output exists already" in capsys.readouterr().err


def test_hint_on_figures_names_predictions_of_another_name(source, tiny_classifier, capsys, tmp_path):
    asked = ["--classifier", str(tiny_classifier), "--mode", "standalone", "--name", "Second"]
    assert main(["predict", str(source), *asked]) == 0
    hint = f"next: ndx-cinac plot {tmp_path / 'session_cinac.nwb'} --name Second"
    assert capsys.readouterr().out.endswith(f"{hint}\n")


def test_address_is_refused_as_it_was_given(capsys):
    assert main(["predict", "https://dandiarchive.org/a.nwb"]) == 1
    assert "'https://dandiarchive.org/a.nwb' is an address" in capsys.readouterr().err


def test_json_is_all_that_stands_on_standard_output(source, tiny_classifier, capsys):
    arguments = [
        "predict",
        str(source),
        "--classifier",
        str(tiny_classifier),
        "--mode",
        "standalone",
        "--json",
    ]
    assert main([*arguments, "--rois", "0", "2", "--name", "Chosen"]) == 0
    record = json.loads(capsys.readouterr().out)
    result = read_predictions(record["output"], "Chosen")
    assert record["roi_rows"] == [0, 2] == result.roi_rows.tolist()
    assert record["n_transients"] == len(result.transients) == sum(record["transients_per_roi"])
    assert record["mode"] == "standalone"
    assert record["skipped"] == {"1": "its row was not chosen"}


def test_in_place_and_another_name(source, tiny_classifier, capsys):
    for name in ("First", "Second"):
        arguments = [
            "predict",
            str(source),
            "--classifier",
            str(tiny_classifier),
            "--mode",
            "in-place",
            "--quiet",
        ]
        assert main([*arguments, "--name", name]) == 0
    assert capsys.readouterr().out == ""
    assert {"First", "Second", "SecondTransients", "classifiers"} <= set(stored_names(source))
    np.testing.assert_array_equal(
        read_predictions(source, "First").probabilities, read_predictions(source, "Second").probabilities
    )


def test_inspect_shows_which_rois_an_option_leaves_out(source, capsys):
    assert main(["inspect", str(source), "--rois", "0", "2"]) == 0
    printed = capsys.readouterr().out
    assert "to predict    2 of 3 ROIs" in printed
    assert "skipped       row 1 (id 1): its row was not chosen" in printed


def test_inspect_prints_text_and_json(source, capsys):
    assert main(["inspect", str(source)]) == 0
    assert "acquisition/TwoPhotonSeries" in capsys.readouterr().out
    assert main(["inspect", str(source), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["movie"] == "acquisition/TwoPhotonSeries"
    assert report["n_rois"] == 3
    assert report["axes"]["masks"] == "matching"
    assert [roi["row"] for roi in report["rois"]] == [0, 1, 2]


def test_simulate_gives_the_same_movie_for_the_same_seed(tmp_path, capsys):
    settings = tmp_path / "small.yaml"
    settings.write_text("movie: {shape: [48, 48], n_frames: [40, 40]}\ncells: {number: [4, 6]}\n")
    paths = [tmp_path / f"{name}.nwb" for name in "abc"]
    for path, seed in zip(paths, (3, 3, 4), strict=True):
        assert main(["simulate", str(path), "--config", str(settings), "--seed", str(seed)]) == 0
    from ndx_cinac.reading import read_recording

    frames = []
    for path in paths:
        with read_recording(path) as recording:
            frames.append(recording.movie.read(0, 40))
    np.testing.assert_array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])
    assert main(["simulate", str(paths[0]), "--config", str(settings)]) == 1
    assert "The output exists already" in capsys.readouterr().err
    assert main(["simulate", str(paths[0]), "--config", str(settings), "--overwrite"]) == 0


def test_classifiers_are_listed_and_shown(capsys, tiny_classifier):
    assert main(["classifiers", "list"]) == 0
    assert capsys.readouterr().out.startswith("activity-sim")
    assert main(["classifiers", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "activity-sim"
    assert main(["classifiers", "show", str(tiny_classifier)]) == 0
    assert "from the onset to the peak of a transient" in capsys.readouterr().out
    assert main(["classifiers", "show", "activity-sim", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["sha256"]) == 64
    assert main(["classifiers", "show", "none-such"]) == 1
    assert "There is no classifier 'none-such'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "none.nwb"], "none.nwb"),
        (["inspect", "none.nwb"], "'none.nwb' does not exist"),
        (["plot", "none.nwb"], "'none.nwb' does not exist"),
        (["simulate", "x.nwb", "--preset", "none"], "There is no simulation preset or file named 'none'"),
    ],
)
def test_what_is_missing_is_named(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_program_exits_as_documented(tmp_path):
    program = [sys.executable, "-m", "ndx_cinac.cli"]
    absent = str(tmp_path / "x.nwb")
    failed = subprocess.run([*program, "plot", absent], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("ndx-cinac: ")
    assert len(failed.stderr.splitlines()) == 1
    wrong = subprocess.run([*program, "plot"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2


def test_help_imports_none_of_the_heavy_packages():
    script = (
        "import sys\nfrom ndx_cinac.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'dandi', 'tqdm', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_answers_within_a_second_of_importing_pynwb():
    def seconds(arguments):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        return time.perf_counter() - started

    pynwb = min(seconds(["-c", "import pynwb"]) for _ in range(2))
    ours = min(seconds(["-m", "ndx_cinac.cli", "--help"]) for _ in range(2))
    assert ours < pynwb + 1
