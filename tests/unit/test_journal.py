"""Finished work in journals: what comes back, what does not, and what a full disk does."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ndx_cinac.journal import Journal
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.testing.mock import mock_recording
from ndx_cinac.traces import TraceOptions, extract_traces

VALUES = np.linspace(0, 1, 7, dtype=np.float32).reshape(1, 7)
TIES = {"source": ["a.nwb", 12], "classifier": {"sha256": "0" * 64}}


def kept(folder: Path, **ties) -> Journal:
    """A journal that holds one piece, opened anew as the next run does."""
    first = Journal(folder, "activity")
    first.tie(**TIES)
    first.keep("one", values=VALUES)
    second = Journal(folder, "activity")
    second.tie(**{**TIES, **ties})
    return second


def test_a_piece_comes_back_with_its_type_and_values(tmp_path):
    arrays = kept(tmp_path).load("one")
    assert list(arrays) == ["values"]
    assert arrays["values"].dtype == np.float32
    np.testing.assert_array_equal(arrays["values"], VALUES)


def test_a_piece_that_was_never_kept_is_absent(tmp_path):
    assert kept(tmp_path).load("two") is None


def test_going_on_is_said_once(tmp_path, caplog):
    caplog.set_level(logging.INFO, "ndx_cinac.journal")
    journal = kept(tmp_path)
    journal.load("one")
    journal.load("one")
    assert [record.message for record in caplog.records] == [
        f"Going on from what an earlier run has finished ({tmp_path})."
    ]


@pytest.mark.parametrize("name", ["source", "classifier"])
def test_work_made_from_something_else_is_deleted_and_that_is_said(tmp_path, caplog, name):
    journal = kept(tmp_path, **{name: "other"})
    assert journal.load("one") is None
    assert not list(tmp_path.glob("*.piece"))
    text = f"What an earlier run has finished is not used: its {name} differed. The work begins anew."
    assert [record.message for record in caplog.records] == [text]
    assert journal.changed == (name,)


def test_a_later_tie_counts_as_well(tmp_path):
    first = Journal(tmp_path, "activity")
    first.tie(**TIES)
    first.tie(movie="digest")
    first.keep("one", values=VALUES)
    for movie, found in (("digest", True), ("other", False)):
        journal = Journal(tmp_path, "activity")
        journal.tie(**TIES)
        assert list(tmp_path.glob("*.piece")), "the first tie alone changes nothing"
        journal.tie(movie=movie)
        assert (journal.load("one") is not None) is found


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_piece_counts_as_absent(tmp_path, caplog, place):
    journal = kept(tmp_path)
    (piece,) = tmp_path.glob("*.piece")
    content = bytearray(piece.read_bytes())
    content[place] ^= 1
    piece.write_bytes(content)
    assert journal.load("one") is None
    assert "is damaged and is done again" in caplog.text


@pytest.mark.parametrize("size", [0, 31, 32, 100])
def test_a_truncated_piece_counts_as_absent(tmp_path, size):
    journal = kept(tmp_path)
    (piece,) = tmp_path.glob("*.piece")
    piece.write_bytes(piece.read_bytes()[:size])
    assert journal.load("one") is None


def test_a_piece_under_another_name_is_not_taken_for_it(tmp_path):
    journal = kept(tmp_path)
    (piece,) = tmp_path.glob("*.piece")
    piece.rename(tmp_path / "activity.two.piece")
    assert journal.load("two") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": 3}'])
def test_a_record_that_cannot_be_read_or_lies_brings_no_work_back_wrongly(tmp_path, text):
    kept(tmp_path)
    (tmp_path / "activity.json").write_text(text)
    journal = Journal(tmp_path, "activity")
    journal.tie(**{**TIES, "source": "other"})
    assert journal.load("one") is None


def test_an_object_array_is_refused_and_not_unpickled(tmp_path):
    journal = kept(tmp_path)
    journal.keep("two", values=np.array([{}], dtype=object))
    assert journal.load("two") is None


def test_journals_of_one_folder_do_not_share_pieces(tmp_path):
    kept(tmp_path)
    other = Journal(tmp_path, "activity-1")
    other.tie(**TIES)
    assert other.load("one") is None
    other.clear()
    assert kept(tmp_path).load("one") is not None


def test_a_full_disk_ends_the_journal_and_not_the_run(tmp_path, caplog, monkeypatch):
    journal = kept(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    journal.keep("two", values=VALUES)
    journal.keep("three", values=VALUES)
    assert [record.message for record in caplog.records] == [
        "Finished work cannot be kept (No space left on device): "
        "if this run is interrupted, the next one begins anew."
    ]
    assert not list(tmp_path.glob("*.piece"))
    assert not list(tmp_path.glob("*.new"))


class Breaking(ArrayMovie):
    """A movie that cannot be read at or after a frame, and counts the frames that were read."""

    def __init__(self, frames, breaks_at=None):
        super().__init__(frames)
        self.breaks_at, self.n_read = breaks_at, 0
        self.sampled = False

    def read(self, start, stop):
        if self.breaks_at is not None and self.sampled and stop > self.breaks_at:
            raise OSError(5, "Input/output error")
        self.n_read += stop - start
        return super().read(start, stop)


SHAPE = (40, 48)
OPTIONS = {
    "streamed": TraceOptions(sample_bytes=200 * SHAPE[0] * SHAPE[1] * 2, block_bytes=4 * 40 * 48 * 32),
    "whole": TraceOptions(block_bytes=4 * 40 * 48 * 32),
}


@pytest.fixture(scope="module")
def scene():
    mock = mock_recording(n_rois=4, n_frames=1000)
    return SimpleNamespace(frames=mock.frames, rois=mock.recording.rois)


def extracted(movie, rois, options, journal=None):
    def progress(stage, *_):
        movie.sampled = stage == "extracting traces"

    with extract_traces(movie, rois, options, progress=progress, journal=journal) as traces:
        return traces.channels(), traces.raw(slice(None)), traces.missing_frames, traces.notes


def journal_in(folder: Path, monkeypatch) -> Journal:
    """A journal that takes every few blocks."""
    monkeypatch.setattr("ndx_cinac.traces.finished_blocks.PIECE_BYTES", 4 * 5 * 4 * 100)
    journal = Journal(folder, "activity")
    journal.tie(**TIES)
    return journal


@pytest.mark.parametrize("breaks_at", [40, 500, 999])
def test_a_pass_that_broke_off_goes_on_and_gives_the_same_bits(scene, tmp_path, monkeypatch, breaks_at):
    options = OPTIONS["streamed"]
    expected = extracted(Breaking(scene.frames), scene.rois, options)
    with pytest.raises(OSError, match="Input/output"):
        extracted(
            Breaking(scene.frames, breaks_at),
            scene.rois,
            options,
            journal_in(tmp_path, monkeypatch),
        )
    movie = Breaking(scene.frames)
    found = extracted(movie, scene.rois, options, journal_in(tmp_path, monkeypatch))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    done = breaks_at // 128 * 128
    assert movie.n_read <= 200 + 1000 - done + 32


@pytest.mark.parametrize("kind", ["streamed", "whole"])
def test_a_pass_that_was_complete_is_not_done_again(scene, tmp_path, monkeypatch, kind):
    first = Breaking(scene.frames)
    expected = extracted(first, scene.rois, OPTIONS[kind], journal_in(tmp_path, monkeypatch))
    plain = extracted(Breaking(scene.frames), scene.rois, OPTIONS[kind])
    movie = Breaking(scene.frames)
    found = extracted(movie, scene.rois, OPTIONS[kind], journal_in(tmp_path, monkeypatch))
    for one, other, third in zip(expected, found, plain, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)
    assert movie.n_read == first.n_read - (1000 if kind == "streamed" else 0)


def test_a_piece_lost_in_the_middle_is_done_again_with_what_follows(scene, tmp_path, monkeypatch):
    options = OPTIONS["streamed"]
    expected = extracted(Breaking(scene.frames), scene.rois, options, journal_in(tmp_path, monkeypatch))
    pieces = sorted(tmp_path.glob("*.piece"))
    assert len(pieces) > 3
    pieces[1].unlink()
    found = extracted(Breaking(scene.frames), scene.rois, options, journal_in(tmp_path, monkeypatch))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_movie_begins_anew(scene, tmp_path, monkeypatch, caplog):
    options = OPTIONS["streamed"]
    extracted(Breaking(scene.frames), scene.rois, options, journal_in(tmp_path, monkeypatch))
    other = scene.frames[::-1].copy()
    expected = extracted(Breaking(other), scene.rois, options)
    found = extracted(Breaking(other), scene.rois, options, journal_in(tmp_path, monkeypatch))
    np.testing.assert_array_equal(expected[0], found[0])
    assert "its movie differed" in caplog.text


def test_the_record_says_what_the_work_was_made_from(tmp_path):
    kept(tmp_path)
    assert json.loads((tmp_path / "activity.json").read_text()) == TIES
