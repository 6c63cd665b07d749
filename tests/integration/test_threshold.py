"""Stored predictions get another threshold: copies, in place, beside the old ones, HDF5 and Zarr."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from output_builders import file_bytes, random_result, write_source
from pynwb import validate
from test_output_modes import assert_holds, zarr_source

from ndx_cinac import change_threshold
from ndx_cinac.cli import main
from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.neurodata import PredictedTransients
from ndx_cinac.writing import OutputOptions, read_predictions, write_predictions
from ndx_cinac.writing.stored import opened, stored_names

NOTE = "the threshold was changed from 0.8 to 0.6 after the prediction; probabilities are as they were"


@pytest.fixture(scope="module")
def predicted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("predicted")
    source = write_source(folder / "session.nwb")
    return write_predictions(random_result(source), folder / "session_cinac.nwb", source)


@pytest.fixture
def file(predicted, tmp_path) -> Path:
    """A file with predictions that a test may change, beside its source."""
    shutil.copyfile(predicted.parent / "session.nwb", tmp_path / "session.nwb")
    return Path(shutil.copyfile(predicted, tmp_path / predicted.name))


def expected(old, path: Path):
    """What the file has to hold after the change to 0.6."""
    chosen = {**old.parameters["options"], "threshold": 0.6}
    return replace(
        old,
        threshold=0.6,
        parameters={**old.parameters, "options": chosen},
        notes=(*old.notes, NOTE),
        output=path,
    )


def test_a_copy_has_new_transients_and_the_old_probabilities(file, tmp_path):
    before, old, goal = file_bytes(file), read_predictions(file), tmp_path / "sensitive.nwb"
    found = change_threshold(file, 0.6, goal)
    assert found.output == goal
    assert len(found.transients) > len(old.transients)
    assert_holds(goal, expected(old, goal))
    assert file_bytes(file) == before
    assert validate(path=goal) == []
    with opened(goal) as (nwbfile, _):
        module = nwbfile.processing["cinac"]
        table = module["PredictedTransients"]
        assert type(table) is PredictedTransients
        np.testing.assert_array_equal(table["first_frame"].data[:], found.transients["first_frame"])
        assert "at least 0.6" in table.description
        assert len(module["classifiers"]) == 1
        assert module["ActivityPredictions"].movie is nwbfile.acquisition["TwoPhotonSeries"]


def test_a_file_is_changed_in_place(file):
    old = read_predictions(file)
    change_threshold(file, 0.6, OutputOptions(mode="in-place"))
    assert_holds(file, expected(old, file))


def test_predictions_of_both_thresholds_lie_side_by_side(file):
    old = read_predictions(file)
    options = OutputOptions(mode="in-place", name="Sensitive")
    change_threshold(file, 0.6, options)
    assert_holds(file, expected(old, file), "Sensitive")
    assert read_predictions(file).threshold == 0.8
    with pytest.raises(OutputError, match="already holds 'Sensitive'"):
        change_threshold(file, 0.7, options)
    change_threshold(file, 0.7, replace(options, overwrite=True))
    assert read_predictions(file, "Sensitive").threshold == 0.7


def test_a_threshold_that_nothing_reaches_leaves_no_table(file):
    top = float(read_predictions(file).probabilities.max())
    change_threshold(file, (1 + top) / 2, OutputOptions(mode="in-place"))
    assert "PredictedTransients" not in stored_names(file)
    assert not read_predictions(file).active.any()
    change_threshold(file, 0.6, OutputOptions(mode="in-place"))
    assert "PredictedTransients" in stored_names(file)


def test_files_without_the_movie_are_changed_too(file, tmp_path):
    alone, goal = tmp_path / "alone.nwb", tmp_path / "changed.nwb"
    write_predictions(read_predictions(file), OutputOptions(alone, "standalone"), tmp_path / "session.nwb")
    (tmp_path / "session.nwb").unlink()
    old = read_predictions(alone)
    change_threshold(alone, 0.6, goal)
    found = read_predictions(goal)
    np.testing.assert_array_equal(found.probabilities, old.probabilities)
    assert (found.threshold, found.notes) == (0.6, (*old.notes, NOTE))
    assert found.source.path.resolve() == tmp_path.resolve() / "session.nwb"


def test_zarr_files_are_changed_too(tmp_path):
    source = zarr_source(tmp_path)
    first, goal = tmp_path / "first.nwb.zarr", tmp_path / "second.nwb.zarr"
    old = random_result(source)
    write_predictions(old, first, source)
    change_threshold(first, 0.6, goal)
    assert_holds(goal, expected(read_predictions(first), goal))


def test_a_threshold_of_nought_makes_every_frame_active_as_in_a_prediction(file, tmp_path):
    goal = tmp_path / "out.nwb"
    change_threshold(file, 0, goal)
    found = read_predictions(goal)
    assert found.threshold == 0
    assert found.active.all()
    assert len(found.transients) == len(found.roi_rows)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_impossible_thresholds_are_refused(file, tmp_path, threshold):
    with pytest.raises(ConfigError, match=re.escape("makes no sense: probabilities lie between 0 and 1")):
        change_threshold(file, threshold, tmp_path / "out.nwb")
    assert not (tmp_path / "out.nwb").exists()


def test_an_output_that_exists_is_kept_unless_it_may_be_replaced(file, tmp_path):
    goal = tmp_path / "out.nwb"
    goal.write_bytes(b"precious")
    with pytest.raises(OutputError, match="The output exists already"):
        change_threshold(file, 0.6, goal)
    assert goal.read_bytes() == b"precious"
    change_threshold(file, 0.6, OutputOptions(goal, overwrite=True))
    assert read_predictions(goal).threshold == 0.6


def test_predictions_that_are_not_there_are_named(file, tmp_path):
    with pytest.raises(ReadingError, match="no activity predictions named 'Other'"):
        change_threshold(file, 0.6, tmp_path / "out.nwb", name="Other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["session.nwb", "session_cinac.nwb"]


def test_the_command_changes_a_threshold_and_says_so(file, tmp_path, capsys):
    goal = tmp_path / "out.nwb"
    assert main(["threshold", str(file), "0.6", "-o", str(goal)]) == 0
    said = capsys.readouterr().out
    assert "threshold    0.6" in said
    assert NOTE in said
    assert str(goal) in said
    assert read_predictions(goal).threshold == 0.6


def test_the_command_wants_to_know_where_to_write(file, capsys):
    assert main(["threshold", str(file), "0.6"]) != 0
    assert "Give --output OUT.nwb, or change the file itself with --mode in-place" in capsys.readouterr().err
