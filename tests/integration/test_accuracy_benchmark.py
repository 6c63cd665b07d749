"""The benchmark of accuracy reads movies with truth and prints the classifier beside bar and baselines."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.testing.mock import mock_recording

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def accuracy():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["accuracy"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["accuracy"]


def save_movie(path: Path) -> None:
    """Write a movie of five ROIs, three of which are scored, as the benchmark reads it."""
    mock = mock_recording(5, 200, seed=2)
    rois = mock.recording.require_rois()
    np.savez(
        path,
        movie=mock.frames,
        masks_yx=np.concatenate([rois.pixels(row) for row in range(5)]).astype(np.int16),
        masks_start=rois.starts,
        raster_dur=mock.active.T.astype(np.uint8),
        cells_of_interest=np.array([0, 2, 4]),
    )


def test_movies_are_read_as_they_were_saved(accuracy, tmp_path):
    save_movie(tmp_path / "movie.npz")
    [found] = accuracy.benchmarks(tmp_path)
    mock = mock_recording(5, 200, seed=2)
    np.testing.assert_array_equal(found.active, mock.active[:, [0, 2, 4]])
    np.testing.assert_array_equal(found.rois.pixels(3), mock.recording.rois.pixels(3))
    np.testing.assert_array_equal(found.movie.read(0, 5), mock.frames[:5])


@pytest.mark.tensorflow
def test_the_table_has_the_classifier_the_bar_and_the_baselines(
    accuracy, tiny_classifier, tmp_path, monkeypatch, capsys
):
    save_movie(tmp_path / "semireal.npz")
    arguments = [str(tmp_path), "--classifier", str(tiny_classifier), "--json", str(tmp_path / "all.json")]
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *arguments])
    accuracy.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| semireal | tiny 0.1, sha256 ")
    assert lines[3] == "| semireal | the bar | 0.790 |  | 0.800 |"
    methods = [line.split(" | ")[1].removesuffix(", its best threshold") for line in lines[4:] if "|" in line]
    kinds = [f"{name}{kind}" for kind in ("", ", demixed") for name in accuracy.METHODS]
    assert [name for name in kinds if name in methods] == methods
    assert "semireal: the bar is missed in average precision and event f1" in lines
    saved = json.loads((tmp_path / "all.json").read_text())["semireal"]
    assert saved["rises of the smoothed trace, its best threshold"]["event_f1"] > 0.5


def test_a_folder_without_movies_is_refused(accuracy, tiny_classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["accuracy.py", str(tmp_path), "--classifier", str(tiny_classifier)])
    with pytest.raises(SystemExit, match=r"There is no \.npz file"):
        accuracy.main()
