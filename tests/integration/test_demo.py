"""The demonstration: what it leaves in its folder, what it says, and that it respects what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.cli import demo
from ndx_cinac.errors import MissingExtraError, OutputError
from ndx_cinac.writing import read_predictions
from ndx_cinac.writing.stored import stored_names

for package in ("tensorflow", "sklearn", "matplotlib"):
    pytest.importorskip(package)
pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, list[str]]:
    """A folder after one demonstration, and what that said; run with a shorter movie than usual."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        settings = folder.parent / "small.yaml"
        settings.write_text(
            "movie: {shape: [64, 64], n_frames: [500, 500], frame_rate: [15, 15]}\n"
            "cells: {number: [8, 10], diameter: [10, 12]}\nactivity: {silent_fraction: [0, 0]}\n"
        )
        patch.setattr(demo, "PRESET", str(settings))
        demo.run_demo(folder, say=said.append)
    return folder, said


def test_folder_holds_recording_predictions_and_figures(finished):
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "simulated.nwb",
        "simulated_cinac.nwb",
        "simulated_cinac_field.png",
        "simulated_cinac_probabilities.png",
        "simulated_cinac_traces.png",
    ]
    assert "ActivityPredictions" in stored_names(folder / "simulated_cinac.nwb")
    assert stored_names(folder / "simulated.nwb") == []


def test_it_says_how_right_it_was_and_what_to_open(finished):
    text = "\n".join(finished[1])
    for expected in (
        "activity-sim",
        "smoothed trace",
        "average precision",
        "next",
        "ndx-cinac plot",
        "s in all",
    ):
        assert expected in text


def test_predictions_beat_the_smoothed_trace(finished):
    lines = [line.split() for line in "\n".join(finished[1]).splitlines()]
    ours = next(float(line[1]) for line in lines if line[:1] == ["activity-sim"] and len(line) == 7)
    theirs = next(float(line[2]) for line in lines if line[:2] == ["smoothed", "trace"])
    assert ours > theirs + 0.1


def test_earlier_demonstration_is_refused_and_kept(finished):
    folder, _ = finished
    before = (folder / "simulated_cinac.nwb").read_bytes()
    with pytest.raises(OutputError, match=r"The folder holds an earlier demonstration: simulated\.nwb"):
        demo.run_demo(folder)
    assert (folder / "simulated_cinac.nwb").read_bytes() == before


def test_overwriting_removes_only_its_own_files(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / "simulated.nwb").write_text("old")
    demo.prepare_folder(tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="The folder cannot be used"):
        demo.prepare_folder(tmp_path / "file", overwrite=False)


def test_missing_package_is_named_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "NEEDED", ("no_such_package",))
    with pytest.raises(MissingExtraError, match=r"no_such_package.*ndx-cinac\[train,plot\]"):
        demo.run_demo(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_written_predictions_are_those_returned(finished):
    result = read_predictions(finished[0] / "simulated_cinac.nwb")
    assert result.classifiers[0].name == "activity-sim"
    assert np.isfinite(result.probabilities).all()
