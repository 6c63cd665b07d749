"""The files of the predictor: formats, names and folders."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from ndx_cinac.deepcinac import result_files as predictor_files
from ndx_cinac.deepcinac.result_files import ResultFiles, check_formats
from ndx_cinac.errors import ConfigError, OutputError

ARRAYS = {"predictions": np.arange(6.0).reshape(2, 3), "cells": np.array([1, 4])}


def no_nwb(path):
    pytest.fail("no NWB file was asked for")


@pytest.mark.parametrize(
    ("asked", "extensions"),
    [("npy", {".npz"}), ("npz", {".npz"}), (["npy", "npz", "mat"], {".npz", ".mat"}), (".MAT", {".mat"})],
)
def test_formats_that_were_asked_for_are_written_with_both_arrays(tmp_path, asked, extensions):
    files = ResultFiles(tmp_path, asked, dated=False).save("name", ARRAYS, no_nwb)
    assert {path.suffix for path in files} == extensions
    assert {path.name for path in tmp_path.iterdir()} == {f"name{extension}" for extension in extensions}
    for path in files:
        stored = loadmat(path, squeeze_me=True) if path.suffix == ".mat" else np.load(path)
        np.testing.assert_array_equal(stored["predictions"], ARRAYS["predictions"])
        np.testing.assert_array_equal(stored["cells"], ARRAYS["cells"])


def test_nwb_is_written_by_whoever_knows_how(tmp_path):
    files = ResultFiles(tmp_path, "nwb", dated=False).save("name", ARRAYS, Path.touch)
    assert files == [tmp_path / "name.nwb"]
    assert files[0].exists()


def test_results_of_one_run_share_a_folder_named_by_the_time(tmp_path):
    files = ResultFiles(tmp_path, "npz", dated=True)
    assert list(tmp_path.iterdir()) == []
    first, second = files.save("one", ARRAYS, no_nwb)[0], files.save("two", ARRAYS, no_nwb)[0]
    assert first.parent == second.parent
    assert re.fullmatch(r"\d{4}_\d\d_\d\d\.\d\d-\d\d-\d\d", first.parent.name)


def test_runs_of_the_same_second_do_not_mix(tmp_path, monkeypatch):
    class Clock(predictor_files.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2024, 5, 6, 7, 8, 9)

    monkeypatch.setattr(predictor_files, "datetime", Clock)
    folders = [
        ResultFiles(tmp_path, "npz", dated=True).save("x", ARRAYS, no_nwb)[0].parent.name for _ in range(3)
    ]
    assert folders == ["2024_05_06.07-08-09", "2024_05_06.07-08-09_2", "2024_05_06.07-08-09_3"]


def test_without_a_folder_nothing_is_written():
    assert ResultFiles(None, "nwb", dated=True).save("x", ARRAYS, no_nwb) == []


def test_unknown_format_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match=r"no output format 'csv'.*npy, npz, mat, nwb"):
        check_formats(["npy", "csv"])


def test_folder_that_does_not_exist_is_refused_before_any_work(tmp_path):
    with pytest.raises(OutputError, match=r"does not exist or cannot be written to.*nowhere"):
        ResultFiles(tmp_path / "nowhere", "npy", dated=True)
