"""Gzip chunks decompressed outside of HDF5 give what HDF5 gives, or nothing where only HDF5 knows."""

from __future__ import annotations

import io
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from ndx_cinac import chunk_reading
from ndx_cinac.chunk_reading import GzipChunks

FRAMES = np.random.default_rng(0).integers(0, 4000, (30, 12, 17)).astype(np.uint16)
GZIP = {"compression": "gzip", "compression_opts": 4}


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as opened:
        yield opened


@pytest.fixture(params=["fast", "zlib"])
def inflater(request, monkeypatch):
    if request.param == "zlib":
        monkeypatch.setattr(chunk_reading, "_inflater", zlib)
    else:
        pytest.importorskip("isal")


@pytest.mark.usefixtures("inflater")
@pytest.mark.parametrize("dtype", ["<u2", ">u2", "u1", ">f4", "<f8", "?"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("chunks", [(1, 12, 17), (7, 5, 5), (30, 4, 4)])
def test_chunks_give_the_frames_that_hdf5_gives(file, dtype, shuffle, chunks):
    data = file.create_dataset("m", data=FRAMES.astype(dtype), chunks=chunks, shuffle=shuffle, **GZIP)
    assert GzipChunks.can_read(data)
    for start, stop in ((0, 30), (3, 11), (29, 30), (28, 99), (5, 5)):
        found = GzipChunks(data).read(slice(start, stop))
        assert found.dtype == data.dtype
        np.testing.assert_array_equal(found, data[start:stop])


def test_a_fourth_axis_is_kept(file):
    data = file.create_dataset("m", data=FRAMES[..., None], chunks=(7, 5, 5, 1), **GZIP)
    np.testing.assert_array_equal(GzipChunks(data).read(slice(2, 9)), data[2:9])


def test_a_box_of_frames_lines_and_columns_is_read(file):
    data = file.create_dataset("m", data=FRAMES, chunks=(7, 5, 5), **GZIP)
    box = (slice(2, 23), slice(3, 12), slice(0, 16))
    np.testing.assert_array_equal(GzipChunks(data).read(*box), FRAMES[box])


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": (7, 5, 5)}, {"chunks": (7, 5, 5), "compression": "lzf"}, {**GZIP, "fletcher32": True}],
    ids=["contiguous", "not compressed", "lzf", "with checksums"],
)
def test_other_storage_is_left_to_hdf5(file, options):
    assert not GzipChunks.can_read(file.create_dataset("m", data=FRAMES, **options))


def test_what_is_no_array_of_numbers_in_hdf5_is_left_alone(file):
    assert not GzipChunks.can_read(FRAMES)
    assert not GzipChunks.can_read(file.create_dataset("m", data=[b"a", b"b"], chunks=(2,), **GZIP))


def test_chunks_that_were_never_written_are_left_to_hdf5(file):
    data = file.create_dataset("m", (30, 12, 17), "u2", chunks=(10, 12, 17), fillvalue=7, **GZIP)
    data[:10] = FRAMES[:10]
    np.testing.assert_array_equal(GzipChunks(data).read(slice(0, 10)), FRAMES[:10])
    assert GzipChunks(data).read(slice(5, 15)) is None


def test_chunks_that_went_past_the_filters_are_left_to_hdf5(file):
    data = file.create_dataset("m", (20, 12, 17), "u2", chunks=(10, 12, 17), **GZIP)
    data[:10] = FRAMES[:10]
    data.id.write_direct_chunk((10, 0, 0), FRAMES[10:20].tobytes(), filter_mask=1)
    np.testing.assert_array_equal(GzipChunks(data).read(slice(0, 10)), FRAMES[:10])
    assert GzipChunks(data).read(slice(10, 20)) is None


@pytest.mark.usefixtures("inflater")
@pytest.mark.parametrize(
    "content",
    [b"no gzip at all", zlib.compress(FRAMES[:10].tobytes())[:-40], zlib.compress(bytes(100_000)), b"\0"],
    ids=["other bytes", "cut short", "too long", "empty"],
)
def test_damaged_chunks_are_left_to_hdf5(file, content):
    data = file.create_dataset("m", data=FRAMES, chunks=(10, 12, 17), **GZIP)
    data.id.write_direct_chunk((10, 0, 0), content)
    assert GzipChunks(data).read(slice(8, 12)) is None
    np.testing.assert_array_equal(GzipChunks(data).read(slice(0, 10)), FRAMES[:10])


class SlowFile(io.BytesIO):
    """A file in memory that lets other threads run between the steps of a read, as a streamed one does."""

    def seek(self, *to):
        place = super().seek(*to)
        time.sleep(0)
        return place

    def readinto(self, buffer):
        time.sleep(0)
        return super().readinto(buffer)


def test_threads_that_read_one_python_file_do_not_disturb_each_other(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for name in ("a", "b"):
            file.create_dataset(name, data=FRAMES, chunks=(1, 5, 5), **GZIP)
    with (
        h5py.File(SlowFile((tmp_path / "m.h5").read_bytes()), "r") as file,
        ThreadPoolExecutor(4) as pool,
    ):
        readers = [GzipChunks(file[name]) for name in ("a", "b", "a", "b")]
        for found in pool.map(lambda reader: [reader.read() for _ in range(5)], readers):
            for frames in found:  # None where a chunk came with the bytes of another place
                np.testing.assert_array_equal(frames, FRAMES)
