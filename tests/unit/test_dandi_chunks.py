"""Bytes of streamed movies: each chunk comes once, whatever the layout, and what is kept is whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytest.importorskip("dandi")
pytest.importorskip("remfile")

from archive import LoopbackArchive
from pynwb import NWBHDF5IO

from ndx_cinac.dandi import StreamingOptions, find_assets, open_asset
from ndx_cinac.dandi.kept_chunks import HEAD, KeptChunks, chunks_beside
from ndx_cinac.reading import read_recording
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie

PATH = "sub-mock/sub-mock_ses-mock_ophys.nwb"
MOVIE = "acquisition/TwoPhotonSeries/data"
N_FRAMES = 600
OPTIONS = StreamingOptions(request_bytes=2**18, ahead_bytes=2**20)
LAYOUTS: dict[str, tuple[int, str, Any]] = {
    "small chunks": (4, "pixel", (10, 64, 72)),
    "dense masks": (150, "image", (10, 64, 72)),
    "no chunks": (4, "pixel", None),
    "tiles of many frames": (4, "pixel", (150, 16, 36)),
    "chunks of all frames": (4, "pixel", (N_FRAMES, 16, 18)),
}

LONG = {"tiles of many frames", "chunks of all frames"}
"""They hold more frames than a block of the test does: such movies are copied."""


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    monkeypatch.setenv("DANDI_NO_ET", "1")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with LoopbackArchive() as made:
        yield made


def write_movie(path: Path, n_rois: int, mask: Any, chunks: Any) -> None:
    """Write a file with a movie of this layout; compressed, where it has chunks."""
    nwbfile = mock_nwbfile_with_movie(
        n_rois=n_rois, n_frames=N_FRAMES, shape=(64, 72), layout=MockLayout(mask=mask)
    )
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    with h5py.File(path, "r+") as file:
        data, attributes = file[MOVIE][:], dict(file[MOVIE].attrs)
        del file[MOVIE]
        packed = {"compression": "gzip", "shuffle": True} if chunks else {}
        file.create_dataset(MOVIE, data=data, chunks=chunks, **packed).attrs.update(attributes)


def chunks_of(path: Path) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Frames of the movie, and first byte and size of each of its chunks."""
    with h5py.File(path) as file:
        data, rows = file[MOVIE], []
        if data.chunks is None:
            rows = [(data.id.get_offset(), data.id.get_storage_size())]
        else:
            data.id.chunk_iter(lambda info: rows.append((info.byte_offset, info.size)))
        return data[:], rows


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_movie_is_read_once_and_the_rest_is_counted_apart(
    archive: LoopbackArchive, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndx_cinac.movies.StoredMovie.__init__.__kwdefaults__", {"block_bytes": 2**20})
    write_movie(tmp_path / "movie.nwb", *LAYOUTS[layout])
    frames, chunks = chunks_of(tmp_path / "movie.nwb")
    stored = sum(size for _, size in chunks)
    archive.add(PATH, tmp_path / "movie.nwb")
    (asset,) = find_assets("000001", instance=archive.url)
    with open_asset(asset, options=OPTIONS) as opened, read_recording(opened) as recording:
        movie = recording.require_movie()
        assert (movie.temporary_bytes > 0) == (layout in LONG)
        for start in range(0, N_FRAMES - 8, 40):
            movie.read(start, start + 8)
        read = np.concatenate([movie.read(a, min(a + 64, N_FRAMES)) for a in range(0, N_FRAMES, 64)])
        traffic, movie_read, movie_bytes = opened.traffic, opened.movie_read, opened.movie_bytes
    np.testing.assert_array_equal(read, frames)
    assert movie_bytes == stored
    assert movie_read is not None
    assert stored <= movie_read <= 1.01 * stored
    assert archive.sent == traffic.bytes
    fetched = np.zeros(asset.size, np.int64)
    for first, last in archive.ranges:
        fetched[first : last + 1] += 1
    of_movie = sum(int(fetched[start : start + size].sum()) for start, size in chunks)
    assert of_movie <= 1.25 * stored, "what is read ahead of masks and structure included"
    others = traffic.bytes - movie_read
    assert others <= 1.25 * (asset.size - stored) + 2**19


def test_kept_chunks_are_there_for_the_next_run(tmp_path: Path) -> None:
    kept = KeptChunks(10_000, tmp_path / "a")
    kept.add(7, b"seven" * 100)
    kept.add(3, b"three")
    kept.close()
    again = KeptChunks(10_000, tmp_path / "a")
    assert again.get(7) == b"seven" * 100
    assert again.get(3) == b"three"
    assert again.piece(7)[5:10] == b"seven"
    assert len(again.piece(3)) == 5
    again.add(4, b"four")
    again.close()
    assert KeptChunks(10_000, tmp_path / "a").get(4) == b"four"


@pytest.mark.parametrize("damage", ["cut", "content", "head", "number", "rubbish"])
def test_what_is_damaged_or_half_written_is_cut_off(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a"
    kept = KeptChunks(10_000, path)
    kept.add(1, b"first" * 10)
    kept.add(2, b"second" * 10)
    kept.close()
    content = bytearray(path.read_bytes())
    begin = HEAD.size + 50
    if damage == "cut":
        del content[-1]
    elif damage == "rubbish":
        content[begin:] = b"\xff" * 200
    else:
        content[begin + {"number": 0, "head": 8, "content": HEAD.size}[damage]] ^= 1
    path.write_bytes(content)
    again = KeptChunks(10_000, path)
    assert again.get(1) == b"first" * 10
    assert 2 not in again
    again.add(2, b"anew")
    again.close()
    assert KeptChunks(10_000, path).get(2) == b"anew"


def test_no_more_is_kept_than_is_allowed(tmp_path: Path) -> None:
    kept = KeptChunks(2 * (HEAD.size + 10), tmp_path / "a")
    for number in range(5):
        kept.add(number, b"0123456789")
    assert [number in kept for number in range(5)] == [True, True, False, False, False]
    kept.close()
    assert (tmp_path / "a").stat().st_size == 2 * (HEAD.size + 10)


def test_a_full_disk_ends_the_keeping_and_not_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptChunks(10_000, tmp_path / "a")
    kept.add(1, b"one")

    class Full:
        def seek(self, _: int) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(kept, "_file", Full())
    kept.add(2, b"two")
    assert "Chunks of the movie cannot be kept" in caplog.text
    assert "No space left on device" in caplog.text
    assert 1 not in kept
    assert not (tmp_path / "a").exists()
    kept.add(3, b"three")
    assert 3 not in kept


def test_chunks_of_another_asset_are_deleted(tmp_path: Path) -> None:
    first = chunks_beside(tmp_path, "movie-0", 10**6, {"digest": "a"})
    first.add(1, b"one")
    first.close()
    same = chunks_beside(tmp_path, "movie-0", 10**6, {"digest": "a"})
    assert same.lasting
    assert 1 in same
    same.close()
    assert 1 not in chunks_beside(tmp_path, "movie-0", 10**6, {"digest": "b"})


def test_without_the_folder_of_a_run_chunks_are_in_a_temporary_file(tmp_path: Path) -> None:
    kept = chunks_beside(tmp_path / "absent", "movie-0", 10**6, {})
    kept.add(1, b"one")
    assert kept.get(1) == b"one"
    assert not kept.lasting
    kept.close()
    assert not list(tmp_path.iterdir())
