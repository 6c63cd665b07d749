"""The temporary folder of a run: one run at a time, nothing left on success, old folders never lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from output_builders import file_bytes, random_result, write_source

from ndx_cinac.errors import OutputError
from ndx_cinac.testing.mock import mock_nwbfile_with_movie
from ndx_cinac.writing import OutputOptions, read_predictions, write_predictions
from ndx_cinac.writing.exchanging import exchange, replace_whole
from ndx_cinac.writing.output import written_whole
from ndx_cinac.writing.unfinished import UnfinishedFolder, in_use

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")


def folder_of(path: Path, *files: str) -> Path:
    path.mkdir()
    for name in files:
        (path / name).write_text(name)
    return path


def test_a_run_holds_its_folder_alone_until_it_ends(tmp_path):
    goal = tmp_path / "a.nwb"
    with UnfinishedFolder(goal) as folder:
        assert in_use(folder.path)
        with pytest.raises(
            OutputError, match=rf"Another run works on this output \(process {os.getpid()} on "
        ):
            UnfinishedFolder(goal).__enter__()
        assert folder.path.is_dir()
    assert not folder.path.exists()


@POSIX
def test_a_killed_run_holds_nothing(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ndx_cinac.writing.unfinished import UnfinishedFolder\n"
        "folder = UnfinishedFolder(Path(sys.argv[1])).__enter__()\n"
        "(folder.path / 'activity.0.piece').write_text('work')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    goal = tmp_path / "a.nwb"
    assert subprocess.run([sys.executable, "-c", code, str(goal)], check=False).returncode == -9
    left = tmp_path / ".a.nwb.unfinished"
    assert (left / "lock").exists()
    assert not in_use(left)
    with UnfinishedFolder(goal) as folder:
        assert folder.holds_work


def test_work_stays_when_a_run_fails_and_that_is_said(tmp_path, caplog):
    def fail():
        with UnfinishedFolder(tmp_path / "a.nwb") as folder:
            (folder.path / "activity.0.piece").write_text("work")
            folder.partial(".nwb").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    left = tmp_path / ".a.nwb.unfinished"
    assert (left / "activity.0.piece").exists()
    assert not (left / "partial.nwb").exists()
    assert f"What is finished is kept in {left}: the same command goes on from there." in caplog.text


def test_nothing_but_our_own_files_is_deleted(tmp_path):
    left = folder_of(tmp_path / ".a.nwb.unfinished", "thesis.txt", "partial.nwb")
    with UnfinishedFolder(tmp_path / "a.nwb") as folder:
        folder.finished = True
    assert [path.name for path in left.iterdir()] == ["thesis.txt"]


@POSIX
def test_a_link_in_the_folders_place_is_refused(tmp_path):
    elsewhere = folder_of(tmp_path / "elsewhere", "partial.nwb")
    (tmp_path / ".a.nwb.unfinished").symlink_to(elsewhere)
    with pytest.raises(OutputError, match=r"No temporary folder can be made .* is taken by a link"):
        UnfinishedFolder(tmp_path / "a.nwb").__enter__()
    assert (elsewhere / "partial.nwb").exists()


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / ".a.nwb.unfinished").write_text("mine")
    with pytest.raises(OutputError, match="No temporary folder can be made beside the output: File exists"):
        UnfinishedFolder(tmp_path / "a.nwb").__enter__()
    assert (tmp_path / ".a.nwb.unfinished").read_text() == "mine"


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with UnfinishedFolder(tmp_path / "a.nwb") as folder:
        assert folder.path.is_dir()


def test_folders_exchange_names_or_the_old_one_is_put_aside(tmp_path, monkeypatch):
    for exchanged in (exchange, lambda *_: False):
        monkeypatch.setattr("ndx_cinac.writing.exchanging.exchange", exchanged)
        old, new = folder_of(tmp_path / "a.zarr", "old"), folder_of(tmp_path / "partial.zarr", "new")
        replace_whole(new, old)
        assert [path.name for path in tmp_path.rglob("*")] == ["a.zarr", "new"]
        (old / "new").unlink()
        old.rmdir()


def test_an_old_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    old, new = folder_of(tmp_path / "a.zarr", "old"), folder_of(tmp_path / "partial.zarr", "new")
    rename = Path.rename

    def failing(path, target):
        if path == new:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr("ndx_cinac.writing.exchanging.exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="cross-device"):
        replace_whole(new, old)
    assert [path.name for path in old.iterdir()] == ["old"]


def test_an_old_folder_that_a_killed_run_had_put_aside_comes_back(tmp_path):
    left = folder_of(tmp_path / ".a.zarr.unfinished")
    folder_of(left / "replaced.zarr", "old")
    with UnfinishedFolder(tmp_path / "a.zarr"):
        assert [path.name for path in (tmp_path / "a.zarr").iterdir()] == ["old"]
    assert not left.exists()


def test_a_rename_across_devices_ends_in_a_sentence_and_nothing_is_lost(tmp_path, monkeypatch):
    goal = tmp_path / "a.nwb"
    goal.write_bytes(b"old")

    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def write():
        with written_whole(goal) as partial:
            partial.write_bytes(b"new")
            monkeypatch.setattr(Path, "replace", refuse)

    with pytest.raises(
        OutputError, match=r"Writing failed: \[Errno \d+\] Invalid cross-device link .*The source is"
    ):
        write()
    assert goal.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.nwb"]


@pytest.mark.parametrize("mode", ["copy", "in-place"])
def test_relative_links_hold_while_a_file_is_written_and_after(tmp_path, mode):
    source = write_source(tmp_path / "session.nwb")
    with h5py.File(source, "r+") as file, h5py.File(tmp_path / "movie.h5", "w") as other:
        file.copy("acquisition/TwoPhotonSeries", other, "TwoPhotonSeries")
        data = file["acquisition/TwoPhotonSeries/data"][:]
        del file["acquisition/TwoPhotonSeries/data"]
        file["acquisition/TwoPhotonSeries/data"] = h5py.ExternalLink("movie.h5", "/TwoPhotonSeries/data")
    before = file_bytes(source)
    result = random_result(source)
    output = write_predictions(result, OutputOptions(mode=mode), source)
    np.testing.assert_array_equal(read_predictions(output).probabilities, result.probabilities)
    with h5py.File(output, "r") as file:
        series = file["acquisition/TwoPhotonSeries"]
        assert series.get("data", getlink=True).filename == "movie.h5"
        np.testing.assert_array_equal(series["data"][:], data)
    assert (file_bytes(source) == before) is (mode == "copy")


def test_zarr_in_place_is_exchanged(tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    source = tmp_path / "session.nwb.zarr"
    with hdmf_zarr.NWBZarrIO(str(source), "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=60))
    result = random_result(source)
    write_predictions(result, OutputOptions(mode="in-place"), source)
    np.testing.assert_array_equal(read_predictions(source).probabilities, result.probabilities)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
