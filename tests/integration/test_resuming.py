"""Predictions that were interrupted go on, and give bit for bit what an uninterrupted run gives."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from output_builders import file_bytes, write_source

from ndx_cinac.cli import main
from ndx_cinac.errors import OutputError
from ndx_cinac.prediction import PredictionOptions, predict_activity
from ndx_cinac.reading import read_recording
from ndx_cinac.testing.mock import MockLayout
from ndx_cinac.writing import OutputOptions, read_predictions
from ndx_cinac.writing.unfinished import UnfinishedFolder

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

N_FRAMES = 600
OPTIONS = PredictionOptions(resume_seconds=0, block_bytes=4 * 40 * 48 * 60, channel_bytes=1)
SAID = "What an earlier run has finished is not used: its {} differed. The work begins anew."


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    return write_source(
        tmp_path_factory.mktemp("source") / "session.nwb", MockLayout(mask="pixel"), n_frames=N_FRAMES
    )


@pytest.fixture
def source(stored, tmp_path, monkeypatch) -> Path:
    """A file that a test may change, with finished work kept every few blocks."""
    monkeypatch.setattr("ndx_cinac.traces.finished_blocks.PIECE_BYTES", 4 * 5 * 100)
    return Path(shutil.copy2(stored, tmp_path / "session.nwb"))


@pytest.fixture(scope="module")
def expected(stored, tiny_classifier):
    return predict_activity(stored, tiny_classifier, options=OPTIONS).probabilities


def interrupted(source, classifier, *, stage, at, options=OPTIONS, output=None) -> Path:
    """Run until a stage has come so far, and interrupt it; return the folder that stays."""

    def progress(name, done, total):
        if name == stage and done >= at * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_activity(source, classifier, output or OutputOptions(), options=options, progress=progress)
    return source.with_name(".session_cinac.nwb.unfinished")


class Stages:
    """Listens to the progress of a run."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []

    def __call__(self, *step) -> None:
        self.steps.append(step)


@pytest.mark.parametrize(
    ("stage", "at"), [("extracting traces", 0.5), ("extracting traces", 1), ("predicting activity", 0.6)]
)
def test_an_interrupted_run_goes_on_and_gives_the_same_bits(source, tiny_classifier, expected, stage, at):
    folder = interrupted(source, tiny_classifier, stage=stage, at=at)
    assert list(folder.glob("*.piece"))
    assert sorted(path.name for path in source.parent.iterdir()) == [folder.name, source.name]
    result = predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    np.testing.assert_array_equal(result.probabilities, expected)
    np.testing.assert_array_equal(read_predictions(result.output).probabilities, expected)
    assert sorted(path.name for path in source.parent.iterdir()) == [source.name, result.output.name]


def test_finished_network_results_are_not_computed_again(source, tiny_classifier, expected, monkeypatch):
    interrupted(source, tiny_classifier, stage="predicting activity", at=1)

    def never(*_):
        raise AssertionError

    monkeypatch.setattr("ndx_cinac.networks.CompiledNetwork.predict", never)
    result = predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    np.testing.assert_array_equal(result.probabilities, expected)


def test_what_was_interrupted_while_writing_is_not_predicted_again(
    source, tiny_classifier, expected, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("ndx_cinac.writing.predictions.check_written", lambda *_: Path("/nowhere").stat())
        with pytest.raises(OutputError, match="Writing failed"):
            predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    folder = source.with_name(".session_cinac.nwb.unfinished")
    assert not list(folder.glob("partial*"))
    monkeypatch.setattr("ndx_cinac.networks.CompiledNetwork.predict", lambda *_: pytest.fail("done again"))
    result = predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    np.testing.assert_array_equal(result.probabilities, expected)


def test_a_changed_source_begins_anew_and_says_so(source, tiny_classifier, caplog):
    interrupted(source, tiny_classifier, stage="predicting activity", at=1)
    os.utime(source, ns=(1, 1))
    predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    assert SAID.format("source") in caplog.text


def test_another_classifier_begins_anew_and_says_so(source, tiny_classifier, tmp_path, caplog):
    from ndx_cinac.classifiers import load_classifier, save_classifier

    interrupted(source, tiny_classifier, stage="predicting activity", at=1)
    loaded = load_classifier(tiny_classifier)
    save_classifier(loaded.network(), replace(loaded.card, description="Another."), tmp_path / "classifier")
    predict_activity(source, tmp_path / "classifier", OutputOptions(), options=OPTIONS)
    assert SAID.format("classifier") in caplog.text


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"block_frames": 50}, {"threshold": 0.5}])
def test_other_parameters_begin_anew_and_that_is_said(source, tiny_classifier, caplog, change):
    interrupted(source, tiny_classifier, stage="predicting activity", at=1)
    predict_activity(source, tiny_classifier, OutputOptions(), options=replace(OPTIONS, **change))
    assert SAID.format("parameters") in caplog.text


def test_other_rois_begin_anew(source, tiny_classifier, caplog):
    from ndx_cinac.reading import ReadingOptions, RoiSelection

    interrupted(source, tiny_classifier, stage="predicting activity", at=1)
    reading = ReadingOptions(rois=RoiSelection(rows=(0, 1)))
    result = predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS, reading=reading)
    assert list(result.roi_rows) == [0, 1]
    assert SAID.format("parameters") in caplog.text


def test_no_resume_begins_anew_and_keeps_nothing(source, tiny_classifier, expected):
    folder = interrupted(source, tiny_classifier, stage="predicting activity", at=1)
    listen, options = Stages(), replace(OPTIONS, resume=False)
    interrupted(source, tiny_classifier, stage="predicting activity", at=1, options=options)
    assert not folder.exists()
    result = predict_activity(source, tiny_classifier, OutputOptions(), options=options, progress=listen)
    np.testing.assert_array_equal(result.probabilities, expected)


def test_short_work_is_not_kept(source, tiny_classifier):
    options = replace(OPTIONS, resume_seconds=120.0)
    folder = interrupted(source, tiny_classifier, stage="predicting activity", at=1, options=options)
    assert not folder.exists()


def test_work_is_not_kept_where_there_is_no_room(source, tiny_classifier, monkeypatch, caplog):
    monkeypatch.setattr("ndx_cinac.prediction.resumption.ROOM", 1e12)
    folder = interrupted(source, tiny_classifier, stage="predicting activity", at=1)
    assert not folder.exists()
    assert "Finished work is not kept: that needs" in caplog.text


def test_without_output_nothing_is_kept(source, tiny_classifier):
    predict_activity(source, tiny_classifier, options=OPTIONS)
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def test_a_recording_from_arrays_or_memory_keeps_nothing(source, tiny_classifier):
    from pynwb import NWBHDF5IO

    from ndx_cinac.testing.mock import mock_nwbfile_with_movie

    output = source.with_name("out.nwb")
    nwbfile = mock_nwbfile_with_movie(n_frames=60)
    with pytest.raises(KeyboardInterrupt):
        predict_activity(nwbfile, tiny_classifier, output, options=OPTIONS, progress=_interrupting)
    assert [path.name for path in source.parent.iterdir()] == [source.name]
    with NWBHDF5IO(source, "r") as io, pytest.raises(KeyboardInterrupt):  # an open file is a file
        predict_activity(io.read(), tiny_classifier, output, options=OPTIONS, progress=_interrupting)
    assert source.with_name(".out.nwb.unfinished").is_dir()


def _interrupting(stage: str, done: int, total: int) -> None:
    if stage == "predicting activity" and done == total:
        raise KeyboardInterrupt


def test_in_place_goes_on_and_the_source_is_unharmed_until_then(source, tiny_classifier, expected):
    before = file_bytes(source)
    output = OutputOptions(mode="in-place")
    interrupted(source, tiny_classifier, stage="predicting activity", at=0.5, output=output)
    folder = source.with_name(".session.nwb.unfinished")
    assert list(folder.glob("*.piece"))
    assert file_bytes(source) == before
    predict_activity(source, tiny_classifier, output, options=OPTIONS)
    assert not folder.exists()
    np.testing.assert_array_equal(read_predictions(source).probabilities, expected)


def test_a_recording_that_is_open_goes_on_as_its_file_does(source, tiny_classifier, expected):
    interrupted(source, tiny_classifier, stage="predicting activity", at=0.5)
    with read_recording(source) as recording:
        result = predict_activity(recording, tiny_classifier, OutputOptions(), options=OPTIONS)
    np.testing.assert_array_equal(result.probabilities, expected)


def test_two_runs_on_one_output_at_once_are_refused_in_a_sentence(source, tiny_classifier):
    goal = source.with_name("session_cinac.nwb")
    with UnfinishedFolder(goal):
        text = r"Another run works on this output \(process \d+ on .*session_cinac.nwb\)\. Wait until it ends"
        with pytest.raises(OutputError, match=text):
            predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)


def test_resuming_leaves_no_trace_in_the_output(source, tiny_classifier):
    interrupted(source, tiny_classifier, stage="extracting traces", at=0.5)
    went_on = predict_activity(source, tiny_classifier, OutputOptions(), options=OPTIONS)
    plain = predict_activity(
        source, tiny_classifier, source.with_name("plain.nwb"), options=replace(OPTIONS, resume=False)
    )
    assert replace(went_on, output=None, seconds=0.0).parameters == plain.parameters
    assert went_on.notes == plain.notes


def test_kept_work_is_listed_and_cleared(source, tiny_classifier, capsys):
    folder = interrupted(source, tiny_classifier, stage="predicting activity", at=0.5)
    assert main(["resume", "list", str(source.parent)]) == 0
    shown = capsys.readouterr().out
    for word in ("session_cinac.nwb", str(source), "tiny", "the same command goes on from there"):
        assert word in shown
    assert main(["resume", "list", str(source.parent.parent), "--recursive", "--json"]) == 0
    assert str(folder) in capsys.readouterr().out
    assert main(["resume", "clear", str(source.with_name("session_cinac.nwb"))]) == 0
    assert capsys.readouterr().out == f"deleted {folder}\n"
    assert not folder.exists()
    assert main(["resume", "list", str(source.parent)]) == 0
    assert capsys.readouterr().out == "nothing is kept here\n"


def test_work_in_use_is_not_cleared_nor_are_other_peoples_files(source, tiny_classifier, capsys):
    goal = source.with_name("session_cinac.nwb")
    folder = interrupted(source, tiny_classifier, stage="predicting activity", at=0.5)
    (folder / "thesis.txt").write_text("mine")
    with UnfinishedFolder(goal):
        assert main(["resume", "clear", str(source.parent)]) == 0
    assert capsys.readouterr().out == f"left alone, a run uses it: {folder}\n"
    assert list(folder.glob("*.piece"))
    assert main(["resume", "clear", str(source.parent)]) == 0
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_path_with_nothing_to_list_is_refused_in_a_sentence(tmp_path, capsys):
    assert main(["resume", "list", str(tmp_path / "none.nwb")]) == 1
    assert "is no folder, and nothing is kept for an output of that name" in capsys.readouterr().err


def test_the_command_goes_on_and_says_so(source, tiny_classifier, expected, capsys):
    command = ["predict", str(source), "--classifier", str(tiny_classifier), "--resume-from", "0"]
    options = PredictionOptions(resume_seconds=0)
    interrupted(source, tiny_classifier, stage="predicting activity", at=1, options=options)
    assert main(command) == 0
    assert "Going on from what an earlier run has finished" in capsys.readouterr().err
    assert not source.with_name(".session_cinac.nwb.unfinished").exists()
