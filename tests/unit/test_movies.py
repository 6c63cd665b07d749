"""Movies: every kind of storage gives the frames that were stored, and says why where it cannot."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from ndx_cinac.errors import ReadingError
from ndx_cinac.movies import ArrayMovie, Movie, StoredMovie, iterate_blocks
from ndx_cinac.reading.tiff_movies import TiffMovie

FRAMES = np.random.default_rng(0).integers(0, 4000, (30, 12, 17)).astype(np.uint16)


def stored(path: Path, frames: np.ndarray, **options: object) -> h5py.Dataset:
    return h5py.File(path, "w").create_dataset("data", data=frames, **options)


def assert_frames(movie: Movie, frames: np.ndarray) -> None:
    assert movie.shape == frames.shape
    for start, stop in ((0, 1), (3, 11), (0, len(frames)), (len(frames) - 2, len(frames))):
        found = movie.read(start, stop)
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, frames[start:stop])


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", ">f4", "<f8", "u1", "?", "<f2"])
def test_a_stored_movie_gives_its_frames_whatever_type_and_byte_order(tmp_path, dtype):
    frames = FRAMES.astype(dtype)
    movie = StoredMovie(stored(tmp_path / "m.h5", frames), "acquisition/M")
    assert_frames(movie, frames)
    assert movie.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("chunks", [None, (1, 12, 17), (7, 5, 5), (30, 4, 4)])
def test_a_stored_movie_gives_its_frames_whatever_its_chunks(tmp_path, chunks):
    options = {} if chunks is None else {"chunks": chunks, "compression": "gzip", "shuffle": True}
    movie = StoredMovie(stored(tmp_path / "m.h5", FRAMES, **options), "acquisition/M")
    assert_frames(movie, FRAMES)
    assert movie.chunk_frames == (1 if chunks is None else chunks[0])


def test_a_zarr_movie_gives_its_frames(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.open(str(tmp_path / "m.zarr"), mode="w", shape=FRAMES.shape, chunks=(4, 12, 17), dtype=">u2")
    array[:] = FRAMES
    movie = StoredMovie(array, "acquisition/M")
    assert_frames(movie, FRAMES)
    assert movie.chunk_frames == 4


@pytest.mark.parametrize("four_axes", [False, True])
def test_chunks_longer_than_memory_are_copied_once_and_give_the_same_frames(tmp_path, four_axes):
    frames = FRAMES[..., None] if four_axes else FRAMES
    data = stored(tmp_path / "m.h5", frames, chunks=(20, 4, 4, 1)[: frames.ndim], compression="gzip")
    movie = StoredMovie(data, "acquisition/M", block_bytes=5 * 12 * 17 * 2)
    assert movie.temporary_bytes == FRAMES.nbytes
    assert movie.chunk_frames == 1
    for start in range(0, 30, 3):
        np.testing.assert_array_equal(movie.read(start, start + 3), FRAMES[start : start + 3])
    data.file.close()
    np.testing.assert_array_equal(movie.read(0, 30), FRAMES)  # from the copy: the file is closed
    movie.close()


def test_without_room_for_a_copy_long_chunks_are_read_directly(tmp_path, monkeypatch, caplog):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    data = stored(tmp_path / "m.h5", FRAMES, chunks=(30, 4, 4), compression="gzip")
    movie = StoredMovie(data, "acquisition/M", block_bytes=5 * 12 * 17 * 2)
    for start in range(0, 30, 3):
        np.testing.assert_array_equal(movie.read(start, start + 3), FRAMES[start : start + 3])
    assert [record.message for record in caplog.records if "No room" in record.message] != []


def test_another_thread_may_read(tmp_path):
    movie = StoredMovie(stored(tmp_path / "m.h5", FRAMES), "acquisition/M")
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(movie.read(2, 9)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], FRAMES[2:9])


def test_an_array_and_a_memory_map_are_movies(tmp_path):
    assert_frames(ArrayMovie(FRAMES), FRAMES)
    np.save(tmp_path / "m.npy", FRAMES)
    assert_frames(ArrayMovie(np.load(tmp_path / "m.npy", mmap_mode="r")), FRAMES)


def test_a_fourth_axis_of_one_plane_is_left_out():
    assert_frames(ArrayMovie(FRAMES[..., None]), FRAMES)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((30, 12, 17, 3), "four axes.*several planes, or colours"),
        ((30, 12), "three axes"),
        ((0, 12, 17), "no frames"),
        ((30, 0, 17), "no pixels"),
    ],
)
def test_what_is_no_movie_of_one_plane_is_refused_with_its_shape(shape, words):
    with pytest.raises(ReadingError, match=words) as error:
        ArrayMovie(np.zeros(shape))
    assert str(shape) in str(error.value)


def test_pixels_that_are_no_numbers_are_refused():
    with pytest.raises(ReadingError, match=r"no whole or real numbers.*complex128"):
        ArrayMovie(np.zeros((3, 4, 5), complex))


@pytest.mark.parametrize(("chunk", "asked", "first"), [(1, 8, 8), (4, 10, 8), (7, 2, 7), (30, 100, 30)])
def test_blocks_cover_the_movie_and_begin_where_chunks_do(chunk, asked, first):
    movie = ArrayMovie(FRAMES)
    movie.chunk_frames = chunk
    blocks = list(iterate_blocks(movie, asked))
    assert blocks[0] == (0, first)
    assert blocks[-1][1] == 30
    assert [start for start, _ in blocks[1:]] == [stop for _, stop in blocks[:-1]]
    assert all(start % chunk == 0 for start, _ in blocks)


TIFF_OPTIONS = {
    "plain": {},
    "big-endian": {"byteorder": ">"},
    "BigTIFF, compressed": {"bigtiff": True, "byteorder": ">", "compression": "zlib"},
    "ImageJ hyperstack": {"imagej": True, "metadata": {"axes": "TYX"}},
    "ImageJ z-stack in place of time": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "tiles": {"tile": (16, 16)},
}


@pytest.mark.parametrize("kind", TIFF_OPTIONS)
def test_a_tiff_stack_gives_its_pages_as_frames(tmp_path, kind):
    tifffile.imwrite(tmp_path / "m.tif", FRAMES, photometric="minisblack", **TIFF_OPTIONS[kind])
    assert_frames(TiffMovie([tmp_path / "m.tif"]), FRAMES)


def test_pages_written_one_by_one_are_frames(tmp_path):
    with tifffile.TiffWriter(tmp_path / "m.tif") as writer:
        for frame in FRAMES.astype(np.float32):
            writer.write(frame, contiguous=False)
    assert_frames(TiffMovie([tmp_path / "m.tif"]), FRAMES.astype(np.float32))


def test_an_imagej_stack_of_one_page_gives_all_its_frames(tmp_path):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, FRAMES, imagej=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(path, mode="r+b") as file:  # what ImageJ does with stacks above 4 GB
        first = file.pages[0]
        end = first.offset + 2 + 12 * len(first.tags)
        file.filehandle.seek(end)
        file.filehandle.write(b"\0\0\0\0")
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    assert_frames(TiffMovie([path]), FRAMES)


def parts(folder: Path, counts: tuple[int, ...]) -> list[Path]:
    starts = np.cumsum((0, *counts))
    for i, (start, stop) in enumerate(pairwise(starts)):
        tifffile.imwrite(folder / f"part{i}.tif", FRAMES[start:stop], photometric="minisblack")
    return [folder / f"part{i}.tif" for i in range(len(counts))]


def test_several_files_follow_each_other_by_starting_frame(tmp_path):
    paths = parts(tmp_path, (10, 15, 5))
    assert_frames(TiffMovie(paths), FRAMES)
    assert_frames(TiffMovie([paths[2], paths[0], paths[1]], [25, 0, 10]), FRAMES)


def test_starting_frames_that_contradict_the_files_are_refused(tmp_path):
    paths = parts(tmp_path, (10, 15, 5))
    with pytest.raises(ReadingError, match=r"'part0\.tif' holds 12 frames, the file holds 10"):
        TiffMovie(paths, [0, 12, 27])


def test_files_of_different_shape_are_refused(tmp_path):
    paths = parts(tmp_path, (10, 15))
    tifffile.imwrite(paths[1], FRAMES[:, :8], photometric="minisblack")
    with pytest.raises(ReadingError, match=r"TIFF files differ.*\(8, 17\) uint16 in part1\.tif"):
        TiffMovie(paths)


def test_a_missing_tiff_file_is_named(tmp_path):
    with pytest.raises(ReadingError, match=r"absent\.tif' does not exist"):
        TiffMovie([tmp_path / "absent.tif"])


def test_a_file_that_is_no_tiff_is_named(tmp_path):
    (tmp_path / "m.tif").write_bytes(b"no image at all")
    with pytest.raises(ReadingError, match=r"m\.tif' cannot be read as a TIFF file"):
        TiffMovie([tmp_path / "m.tif"])


def test_colours_and_channels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(ReadingError, match="several channels or colours: axes YXS"):
        TiffMovie([tmp_path / "rgb.tif"])
    two = FRAMES.reshape(15, 2, 12, 17)
    tifffile.imwrite(tmp_path / "channels.tif", two, imagej=True, metadata={"axes": "TCYX"})
    with pytest.raises(ReadingError, match="several channels or colours: axes TCYX"):
        TiffMovie([tmp_path / "channels.tif"])


def test_several_planes_are_refused(tmp_path):
    planes = FRAMES.reshape(10, 3, 12, 17)
    tifffile.imwrite(tmp_path / "planes.tif", planes, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(ReadingError, match="more than one axis beside the two of space: axes TZYX"):
        TiffMovie([tmp_path / "planes.tif"])


def test_a_damaged_page_is_named_with_its_file(tmp_path):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, FRAMES, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset, length = file.pages[5].dataoffsets[0], file.pages[5].databytecounts[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + length] = b"\xff" * length
    path.write_bytes(bytes(content))
    movie = TiffMovie([path])
    with pytest.raises(ReadingError, match=r"Frames 5 to 5 cannot be read from .*m\.tif"):
        movie.read(5, 6)
