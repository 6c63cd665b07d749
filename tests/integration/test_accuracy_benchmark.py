"""The benchmark of accuracy reads movies with truth and prints the classifier beside bar and baselines."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.testing.mock import mock_recording
from ndx_cinac.training import TrainingConfig

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


@pytest.mark.tensorflow
def test_few_labels_choose_a_threshold_for_the_other_rois(
    accuracy, tiny_classifier, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    few_labels = importlib.import_module("few_labels")
    save_movie(tmp_path / "movie.npz")
    arguments = [str(tmp_path), "--classifier", str(tiny_classifier), "--rois", "2", "20", "--draws", "3"]
    monkeypatch.setattr(sys, "argv", ["few_labels.py", *arguments])
    few_labels.main()
    lines = capsys.readouterr().out.splitlines()
    assert "| own threshold | 2 ROIs | 2 ROIs, as advised | 20 ROIs |" in lines[0]
    assert lines[2].startswith("| movie | 3 |")
    assert " | - | - | " in lines[2], "twenty of three ROIs cannot be drawn"


def test_rois_that_choose_a_threshold_are_not_judged(accuracy, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    few_labels = importlib.import_module("few_labels")
    low, high = [10, 10, 10], [10, 0, 0]  # what all three ROIs get at 0.5, and at 0.4
    counts = np.array([[high, high, high], [low, low, low]])
    rng = np.random.default_rng(0)
    assert few_labels.others_judge(counts, [0.5, 0.4], 2, 5, rng) == (1.0, 1.0)
    assert few_labels.others_judge(counts, [0.5, 0.4], 1, 5, rng) == (1.0, 0.0), "one cannot be advised"
    counts[:, 0] = [low, high]  # this one wants what is wrong for the others
    found = {few_labels.others_judge(counts, [0.5, 0.4], 1, 1, rng)[0] for _ in range(20)}
    assert sorted(found) == [0.0, pytest.approx(2 / 3)]


@pytest.mark.tensorflow
def test_classifiers_are_scored_on_the_same_fields_that_no_card_knows(tiny_classifier, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    unseen_fields = importlib.import_module("unseen_fields")
    assert TrainingConfig().n_test_fields == 100, "a card's figures are those of fields 0 to 99"
    arguments = [str(tiny_classifier), "activity-sim", "--number", "2", "--workers", "0"]
    monkeypatch.setattr(sys, "argv", ["unseen_fields.py", *arguments])
    unseen_fields.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fields 100 to 101"
    assert lines[2].startswith("| classifier | average precision | frame F1 | event F1 |")
    tiny, shipped = (line.split(" | ") for line in lines[4:])
    assert tiny[0].startswith("| tiny 0.1, sha256 ")
    assert shipped[0].startswith("| activity-sim ")
    assert float(shipped[1]) > float(tiny[1]) + 0.1
