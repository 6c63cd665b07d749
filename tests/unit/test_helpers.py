"""Parts of one recording done by helpers: bit for bit what one process computes, for every kind of movie."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ndx_cinac.helpers import helped_by, present_helpers
from ndx_cinac.movie_places import MoviePlace, opened_place, place_of
from ndx_cinac.movies import ArrayMovie, StoredMovie
from ndx_cinac.testing.mock import mock_recording
from ndx_cinac.traces import TraceOptions, extract_traces
from ndx_cinac.traces.ranges import RANGE_BLOCKS, cut_ranges, stretch_frames

N_FRAMES = 330
FRAME_BYTES = 4 * 40 * 48
OPTIONS = TraceOptions(sample_bytes=60 * FRAME_BYTES, block_bytes=20 * FRAME_BYTES)


class Messengers:
    """Helpers in this process that get everything as another process would."""

    def __init__(self) -> None:
        self.pieces: list = []

    def map(self, function, shared, pieces):
        function, shared = pickle.loads(pickle.dumps((function, shared)))
        for piece in pieces:
            self.pieces.append(piece)
            yield pickle.loads(pickle.dumps(function(shared, pickle.loads(pickle.dumps(piece)))))


@pytest.fixture(scope="module")
def mock():
    return mock_recording(4, N_FRAMES)


@pytest.fixture(scope="module")
def movie_file(mock, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "movie.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("deep/movie", data=mock.frames, chunks=(10, 40, 48), compression="gzip")
        file.create_dataset("long", data=mock.frames, chunks=(N_FRAMES, 8, 8))
    return path


def test_nobody_helps_unless_asked():
    helpers = Messengers()
    assert present_helpers() is None
    with helped_by(helpers):
        assert present_helpers() is helpers
    assert present_helpers() is None


@pytest.mark.parametrize("chunk_frames", [1, 7, 20, 55, 400])
@pytest.mark.parametrize("first", [0, 40])
def test_ranges_cover_all_frames_once_and_end_where_stretches_do(mock, chunk_frames, first):
    movie = ArrayMovie(mock.frames)
    movie.chunk_frames = chunk_frames
    ranges = cut_ranges(movie, 20, first)
    assert [n for start, stop in ranges for n in range(start, stop)] == list(range(first, N_FRAMES))
    stretch = stretch_frames(movie, 20)
    assert all(stop % stretch == 0 for _, stop in ranges[:-1])
    assert max(stop - start for start, stop in ranges) <= max(RANGE_BLOCKS * 20, stretch)


def test_traces_of_helpers_are_those_of_one_process_bit_for_bit(mock, movie_file):
    helpers, rois = Messengers(), mock.recording.rois
    with h5py.File(movie_file) as file:
        movie = StoredMovie(file["deep/movie"], "deep/movie")
        with extract_traces(movie, rois, OPTIONS) as alone, helped_by(helpers):
            traces = extract_traces(movie, rois, OPTIONS)
        np.testing.assert_array_equal(traces.raw(slice(None)), alone.raw(slice(None)))
        np.testing.assert_array_equal(traces.coefficients, alone.coefficients)
    assert helpers.pieces == [(0, 160), (160, 320), (320, 330)]


@pytest.mark.parametrize("store_bytes", [0, 2**30], ids=["in a file", "in memory"])
def test_part_of_traces_can_be_sent_and_gives_the_same_channels(mock, store_bytes):
    options = replace(OPTIONS, store_bytes=store_bytes)
    with extract_traces(ArrayMovie(mock.frames), mock.recording.rois, options) as traces:
        part = pickle.loads(pickle.dumps(traces.part(slice(1, 3))))
        np.testing.assert_array_equal(part.roi_rows, traces.roi_rows[1:3])
        np.testing.assert_array_equal(part.channels(), traces.channels(slice(1, 3)))


def assert_opens_again(movie, frames) -> None:
    place = pickle.loads(pickle.dumps(place_of(movie)))
    assert all(path.is_absolute() for path in place.paths)
    with opened_place(place) as again:
        assert (again.shape, again.dtype, again.chunk_frames) == (
            movie.shape,
            movie.dtype,
            movie.chunk_frames,
        )
        np.testing.assert_array_equal(again.read(5, 25), frames[5:25])


def test_movie_in_hdf5_is_opened_again(mock, movie_file):
    with h5py.File(movie_file) as file:
        assert_opens_again(StoredMovie(file["deep/movie"], "deep/movie"), mock.frames)


def test_movie_behind_an_external_link_is_opened_where_it_lies(mock, movie_file, tmp_path):
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["linked"] = h5py.ExternalLink(str(movie_file), "deep/movie")
        assert place_of(StoredMovie(file["linked"], "linked")) == MoviePlace((movie_file,), "/deep/movie")


def test_movie_in_zarr_is_opened_again(mock, tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open(str(tmp_path / "movie.zarr"), mode="w")
    group.create_dataset("deep/movie", data=mock.frames, chunks=(10, 40, 48))
    assert_opens_again(StoredMovie(group["deep/movie"], "deep/movie"), mock.frames)


def test_movie_in_tiff_stacks_is_opened_again(mock, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    from ndx_cinac.reading.tiff_movies import TiffMovie

    for name, part in (("b.tif", slice(0, 15)), ("a.tif", slice(15, 40))):
        tifffile.imwrite(tmp_path / name, mock.frames[part], photometric="minisblack")
    assert_opens_again(TiffMovie([tmp_path / "b.tif", tmp_path / "a.tif"]), mock.frames[:40])


def test_movies_that_only_one_process_reads_well_are_not_shared(mock, movie_file):
    assert place_of(ArrayMovie(mock.frames)) is None
    with h5py.File(movie_file) as file:
        assert place_of(StoredMovie(file["long"], "long", block_bytes=FRAME_BYTES)) is None


@pytest.mark.tensorflow
def test_network_of_helpers_gives_what_one_process_gives_bit_for_bit(mock, tiny_classifier, movie_file):
    pytest.importorskip("tensorflow")
    from ndx_cinac import PredictionOptions, predict_activity

    helpers, options = Messengers(), PredictionOptions(channel_bytes=1)
    alone = predict_activity(mock.recording, tiny_classifier, options=options)
    with helped_by(helpers):
        helped = predict_activity(mock.recording, tiny_classifier, options=options)
    np.testing.assert_array_equal(helped.probabilities, alone.probabilities)
    assert [list(part.roi_rows) for part in helpers.pieces] == [[0], [1], [2], [3]]


@pytest.mark.tensorflow
def test_legacy_classifiers_are_shared_by_groups_of_rois_and_groups_are_kept(tmp_path):
    pytest.importorskip("tensorflow")
    from pynwb import NWBHDF5IO

    from ndx_cinac import PredictionOptions, predict_activity
    from ndx_cinac.legacy import load_legacy
    from ndx_cinac.testing.mock import mock_nwbfile_with_movie

    with NWBHDF5IO(tmp_path / "session.nwb", "w") as io:
        io.write(mock_nwbfile_with_movie(10, 60, shape=(60, 72)))
    files = Path(__file__).parents[1] / "data" / "deepcinac"
    classifier = load_legacy(files / "activity_w40.json", files / "activity_w40.h5")
    helpers, options = Messengers(), PredictionOptions(resume_seconds=0.0)
    alone = predict_activity(tmp_path / "session.nwb", classifier)
    with helped_by(helpers):
        helped = predict_activity(
            tmp_path / "session.nwb", classifier, tmp_path / "helped.nwb", options=options
        )
    np.testing.assert_allclose(helped.probabilities, alone.probabilities, rtol=0, atol=1e-5)
    assert helpers.pieces == [tuple(range(8)), (8, 9)]
