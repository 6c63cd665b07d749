"""Output options, refusals before any work, and files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import h5py
import numpy as np
import pytest
from output_builders import file_bytes, random_result, write_source
from pynwb import NWBHDF5IO

from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.testing.mock import mock_nwbfile_with_movie
from ndx_cinac.writing import OutputOptions, add_to_nwbfile, check_output, read_predictions, write_predictions
from ndx_cinac.writing.objects import plain, source_path
from ndx_cinac.writing.output import goal_path, object_names, written_whole
from ndx_cinac.writing.predictions import check_written
from ndx_cinac.writing.relocation import moved, relocate


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "session.nwb")


@pytest.fixture
def source(stored, tmp_path) -> Path:
    shutil.copyfile(stored, tmp_path / "session.nwb")
    return tmp_path / "session.nwb"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "move"}, "Output mode 'move' does not exist. Choose one of: copy, standalone, in-place"),
        ({"name": "a/b"}, "Predictions cannot be named 'a/b'"),
        ({"name": " "}, "Predictions cannot be named ' '"),
        ({"name": "classifiers"}, "Predictions cannot be named 'classifiers'"),
        (
            {"mode": "in-place", "path": "x.nwb"},
            "In-place output goes to the source file and takes no output path",
        ),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        OutputOptions(**options)


@pytest.mark.parametrize(
    ("source", "goal"),
    [
        ("a.nwb", "a_cinac.nwb"),
        ("a.nwb.zarr", "a_cinac.nwb.zarr"),
        ("a.h5", "a_cinac.h5"),
        ("a", "a_cinac.nwb"),
    ],
)
def test_default_output_lies_beside_the_source(tmp_path, source, goal):
    assert goal_path(OutputOptions(), tmp_path / source) == tmp_path.resolve() / goal


def test_output_without_a_path_and_a_source_is_refused():
    with pytest.raises(
        OutputError, match="There is no source file that the output could go to or lie beside"
    ):
        goal_path(OutputOptions(), None)


def test_in_place_output_of_a_link_goes_to_the_file_it_leads_to(source, tmp_path):
    link = tmp_path / "link.nwb"
    link.symlink_to(source)
    assert check_output(OutputOptions(mode="in-place"), link) == source.resolve()


def test_names_of_further_predictions_follow_their_own_name():
    assert object_names("ActivityPredictions") == (
        "ActivityPredictions",
        "PredictedTransients",
        "PredictionProvenance",
    )
    assert object_names("Second") == ("Second", "SecondTransients", "SecondProvenance")


def test_existing_output_is_refused(source, tmp_path):
    goal = tmp_path / "session_cinac.nwb"
    goal.write_bytes(b"precious")
    with pytest.raises(OutputError, match="The output exists already"):
        check_output(OutputOptions(), source)
    assert check_output(OutputOptions(overwrite=True), source) == goal.resolve()
    assert goal.read_bytes() == b"precious"


def test_output_that_is_the_source_is_refused(source):
    with pytest.raises(OutputError, match="The output would replace its own source"):
        check_output(OutputOptions(path=source, overwrite=True), source)


def test_missing_source_is_named(tmp_path):
    with pytest.raises(ReadingError, match=r"none\.nwb' does not exist"):
        check_output(OutputOptions(), tmp_path / "none.nwb")


def test_missing_folder_is_refused(source, tmp_path):
    with pytest.raises(OutputError, match="The output's folder does not exist"):
        check_output(OutputOptions(path=tmp_path / "none" / "a.nwb"), source)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written_to_is_refused(source, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="The output's folder cannot be written to"):
        check_output(OutputOptions(path=folder / "a.nwb"), source)


def test_folder_that_access_denies_is_refused(source, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not Path(path).is_dir())
    with pytest.raises(OutputError, match="The output's folder cannot be written to"):
        check_output(OutputOptions(), source)


def test_read_only_source_is_refused_in_place(source, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).is_dir())
    with pytest.raises(OutputError, match="The file is read-only and cannot get predictions in place"):
        check_output(OutputOptions(mode="in-place"), source)


def test_output_larger_than_the_room_left_is_refused(source, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(OutputError, match=r"The output needs 0\.0 GB and 0\.0 GB are free"):
        check_output(OutputOptions(), source)


def test_copy_into_another_kind_of_file_is_refused(source, tmp_path):
    with pytest.raises(OutputError, match="A copy is of its source's kind: an HDF5 file"):
        check_output(OutputOptions(path=tmp_path / "a.zarr"), source)


def test_existing_name_is_refused_and_says_so_before_any_work(source):
    write_predictions(random_result(source), OutputOptions(mode="in-place"), source)
    before = source.read_bytes()
    with pytest.raises(OutputError, match="already holds 'ActivityPredictions' in its module 'cinac'"):
        check_output(OutputOptions(), source)
    assert check_output(OutputOptions(name="Second"), source).name == "session_cinac.nwb"
    assert source.read_bytes() == before


def test_source_that_is_no_nwb_file_is_named(tmp_path):
    path = tmp_path / "text.nwb"
    path.write_text("no NWB")
    with pytest.raises(ReadingError, match="is no NWB file: it is neither HDF5 nor a Zarr folder"):
        check_output(OutputOptions(), path)
    with pytest.raises(ReadingError, match="is a folder but no Zarr store"):
        check_output(OutputOptions(), tmp_path)


@pytest.mark.parametrize("address", ["https://dandiarchive.org/a.nwb", "s3://bucket/a.nwb"])
def test_source_that_is_an_address_is_named_as_one(address):
    with pytest.raises(ReadingError, match="is an address, not a path"):
        check_output(OutputOptions(), Path(address))


@pytest.mark.parametrize("mode", ["copy", "standalone"])
def test_folder_of_other_files_is_never_replaced(tmp_path, source, mode):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"is a folder, not a file .*Name the file in it"):
        check_output(OutputOptions(path=folder, mode=mode, overwrite=True), source)


def test_goal_appears_only_when_the_block_ends_well(tmp_path):
    goal = tmp_path / "a.nwb"
    goal.write_bytes(b"old")
    with written_whole(goal) as partial:
        partial.write_bytes(b"new")
        assert goal.read_bytes() == b"old"
        assert partial.parent == tmp_path / ".a.nwb.unfinished"
    assert goal.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.nwb"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupted_writing_leaves_nothing(tmp_path, error):
    goal = tmp_path / "a.nwb"
    goal.write_bytes(b"old")

    def write_half():
        with written_whole(goal) as partial:
            partial.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert goal.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.nwb"]


def test_failing_disk_becomes_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="Writing failed: No space left"), written_whole(tmp_path / "a.nwb"):
        raise OSError("No space left on device")


def test_what_a_killed_run_left_is_deleted_by_the_next(tmp_path):
    folder = tmp_path / ".a.nwb.unfinished"
    folder.mkdir()
    (folder / "partial.nwb").write_bytes(b"half")
    with written_whole(tmp_path / "a.nwb") as partial:
        assert not partial.exists()
        partial.write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nwb"]


def test_relative_paths_lead_to_the_same_file_from_the_new_folder(tmp_path):
    old, new = tmp_path / "raw" / "day1", tmp_path / "derived"
    value = moved("../movies/m.tif", old, new)
    assert (new / value).resolve() == (tmp_path / "raw" / "movies" / "m.tif").resolve()


@pytest.mark.parametrize("value", ["", "https://example.org/m.tif", "/data/m.tif", "C:\\data\\m.tif"])
def test_paths_that_do_not_depend_on_the_folder_stay(value, tmp_path):
    assert moved(value, tmp_path / "a", tmp_path / "b") == value


def test_path_to_another_drive_becomes_absolute(monkeypatch, tmp_path):
    def other_drive(path, start):
        raise ValueError(PureWindowsPath(path))

    monkeypatch.setattr(os.path, "relpath", other_drive)
    assert moved("m.tif", tmp_path, tmp_path / "b") == (tmp_path / "m.tif").as_posix()


def test_external_links_and_files_of_fixed_length_are_rewritten(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with h5py.File(old / "other.h5", "w") as file:
        file["x"] = np.arange(3)
    with h5py.File(old / "a.nwb", "w") as file:
        file["group/linked"] = h5py.ExternalLink("other.h5", "/x")
        file["group/soft"] = h5py.SoftLink("/group/series")
        series = file.create_dataset("group/series/external_file", data=np.array([b"m.tif"]))
        series.attrs["starting_frame"] = [0]
    shutil.copyfile(old / "a.nwb", new / "a.nwb")
    relocate(new / "a.nwb", old / "a.nwb", new)
    with h5py.File(new / "a.nwb", "r") as file:
        np.testing.assert_array_equal(file["group/linked"][:], np.arange(3))
        assert file["group/series/external_file"].asstr()[0] == "../old/m.tif"
        assert list(file["group/series/external_file"].attrs["starting_frame"]) == [0]


def test_values_in_raw_files_elsewhere_are_refused(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    with h5py.File(old / "a.nwb", "w") as file:
        file.create_virtual_dataset("virtual", layout)
    shutil.copyfile(old / "a.nwb", new / "a.nwb")
    with pytest.raises(OutputError, match="The values of '/virtual' lie in another file"):
        relocate(new / "a.nwb", old / "a.nwb", new)


def test_predictions_of_arrays_have_no_file_to_go_to(source):
    with pytest.raises(OutputError, match="The predictions come from arrays"):
        write_predictions(replace(random_result(source), source=None), source.parent / "x.nwb")


def test_changed_nwbfile_is_refused(source):
    result = random_result(source)
    with NWBHDF5IO(source, "r") as io:
        nwbfile = io.read()
        nwbfile.create_processing_module("new", "a change that the file lacks")
        with pytest.raises(OutputError, match="was changed after it was read"):
            write_predictions(result, None, nwbfile)


def test_predictions_need_their_roi_table(source):
    with pytest.raises(OutputError, match="The ROI table that the predictions belong to is not in the file"):
        add_to_nwbfile(random_result(source), mock_nwbfile_with_movie())


def test_name_that_is_taken_is_refused_in_memory():
    nwbfile = mock_nwbfile_with_movie()
    result = random_result(nwbfile)
    add_to_nwbfile(result, nwbfile)
    with pytest.raises(OutputError, match="already holds 'ActivityPredictions'"):
        add_to_nwbfile(result, nwbfile)


def test_reading_a_name_that_is_not_there_lists_those_that_are(source):
    with pytest.raises(ReadingError, match=r"no activity predictions named 'X' .*ndx-cinac predict"):
        read_predictions(source, "X")
    write_predictions(random_result(source), OutputOptions(mode="in-place"), source)
    with pytest.raises(ReadingError, match=r"named 'X' .*Choose one of: ActivityPredictions"):
        read_predictions(source, "X")


def test_reading_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ReadingError, match="does not exist"):
        read_predictions(tmp_path / "none.nwb")


def test_file_that_differs_from_the_result_is_found_out(source):
    result = random_result(source)
    output = write_predictions(result, None, source)
    wrong = replace(result, probabilities=1 - result.probabilities)
    with pytest.raises(OutputError, match=r"reads back differently: .*probabilities"):
        check_written(output, wrong, OutputOptions())
    with pytest.raises(OutputError, match=r"reads back differently: ActivityPredictions"):
        check_written(output, result, OutputOptions(name="Other"))


@pytest.mark.parametrize("column", ["roi", "first_frame", "last_frame", "peak_probability"])
def test_transients_that_differ_from_the_result_are_found_out(source, column):
    result = random_result(source)
    output = write_predictions(result, None, source)
    check_written(output, result, OutputOptions())
    with h5py.File(output, "r+") as file:
        file[f"processing/cinac/PredictedTransients/{column}"][0] += 1
    with pytest.raises(OutputError, match="reads back differently: transients"):
        check_written(output, result, OutputOptions())


def test_json_of_what_numpy_made():
    value = {1: np.float32(0.5), "a": (np.int64(1), float("nan")), "b": np.array([True])}
    assert plain(value) == {"1": 0.5, "a": [1, None], "b": [True]}


def test_source_is_named_relative_to_the_output(tmp_path):
    assert source_path(tmp_path / "raw" / "a.nwb", tmp_path / "derived") == "../raw/a.nwb"
    assert source_path(tmp_path / "a.nwb", None) == "a.nwb"


def test_nothing_else_in_the_folder_is_touched(source, tmp_path):
    before = file_bytes(source)
    output = write_predictions(random_result(source), OutputOptions(tmp_path / "new.nwb"), source)
    assert output == tmp_path.resolve() / "new.nwb"
    assert file_bytes(source) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.nwb", "session.nwb"]
