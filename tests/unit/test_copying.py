"""Copies of files: by the system where it can, else as usual; half a copy is never taken for a whole one."""

from __future__ import annotations

import errno
import os

import pytest

from ndx_cinac.writing import copying
from ndx_cinac.writing.copying import copy_content

needs_linux = pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="Linux alone copies ranges")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(os.urandom(100_000))
    return path


@needs_linux
@pytest.mark.parametrize("step", [1000, 99_999, 100_000, 2**30])
def test_the_system_copies_all_of_a_file_in_steps(source, tmp_path, monkeypatch, step):
    monkeypatch.setattr(copying, "STEP", step)
    monkeypatch.setattr(copying.shutil, "copyfile", None)  # it is not needed
    copy_content(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_an_empty_file_is_copied(tmp_path):
    (tmp_path / "empty").touch()
    copy_content(tmp_path / "empty", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b""


def test_a_copy_takes_the_place_of_what_was_there_and_can_be_written_to(source, tmp_path):
    source.chmod(0o444)
    (tmp_path / "copy").write_bytes(b"x" * 200_000)
    copy_content(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert (tmp_path / "copy").stat().st_mode & 0o200


@needs_linux
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("number", [errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL])
def test_where_the_system_cannot_the_file_is_copied_as_usual(source, tmp_path, monkeypatch, number, after):
    real, calls = os.copy_file_range, []

    def unable(*given):
        calls.append(given)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))
        return real(*given)

    monkeypatch.setattr(copying, "STEP", 60_000)
    monkeypatch.setattr(os, "copy_file_range", unable)
    copy_content(source, tmp_path / "copy")
    assert len(calls) == after + 1
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@needs_linux
def test_a_system_that_copies_nothing_is_not_believed(source, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", lambda *given: 0)
    copy_content(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@needs_linux
def test_a_full_disk_is_an_error(source, tmp_path, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="No space left"):
        copy_content(source, tmp_path / "copy")


def test_systems_without_such_requests_copy_as_usual(source, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    copy_content(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
