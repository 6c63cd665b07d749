"""Reading: times, pixel sizes and refusals, each with one clear sentence."""

from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from nwb_builders import SHAPE, FileBuilder, boxes, noise

from ndx_cinac.errors import ConfigError, MissingExtraError, ReadingError
from ndx_cinac.reading import RoiSelection, read_recording
from ndx_cinac.reading.recordings import pixel_size
from ndx_cinac.reading.timing import read_times


def usual(**movie: object) -> FileBuilder:
    builder = FileBuilder()
    builder.movie(**movie)
    builder.segmentation()
    return builder


def test_an_nwbfile_in_memory_gives_a_recording():
    builder = usual()
    recording = read_recording(builder.nwbfile)
    assert recording.movie.shape == (60, *SHAPE)
    assert recording.rois.n_pixels.tolist() == [12] * 8
    assert recording.times.frame_rate == 10
    assert recording.source.path is None
    assert recording.source.movie_path == "acquisition/TwoPhotonSeries"
    assert recording.source.movie_id == builder.nwbfile.acquisition["TwoPhotonSeries"].object_id
    assert recording.identifier == builder.nwbfile.identifier


@pytest.mark.parametrize("movie", ["array", "tiff", "movie"])
def test_a_movie_from_elsewhere_stands_for_the_one_that_was_not_stored(tmp_path, movie):
    import tifffile

    from ndx_cinac.movies import ArrayMovie

    builder = usual(external_file=[""], format="external", starting_frame=[0], num_samples=60)
    tifffile.imwrite(tmp_path / "m.tif", noise(), photometric="minisblack")
    given = {"array": noise(), "tiff": str(tmp_path / "m.tif"), "movie": ArrayMovie(noise())}[movie]
    with read_recording(builder.nwbfile, movie=given) as recording:
        np.testing.assert_array_equal(recording.movie.read(5, 9), noise()[5:9])
        assert recording.times.frame_rate == 10
        assert recording.source.movie_id == ""
        assert recording.source.movie_path == (given if movie == "tiff" else "")


def test_unselected_rows_stay_neighbours():
    recording = read_recording(usual().nwbfile, rois=RoiSelection(rows=(1, 2)))
    assert recording.rois.kept.tolist() == [1, 2]
    assert len(recording.rois.usable) == 8


def times_of(**movie: object):
    movie = {"rate": None} | movie if "timestamps" in movie else movie
    recording = read_recording(usual(**movie).nwbfile)
    return recording.times, recording.notes


def test_a_rate_and_a_starting_time_are_kept():
    times, notes = times_of(rate=5.0, starting_time=2.0)
    np.testing.assert_allclose(times.seconds()[:3], [2.0, 2.2, 2.4])
    assert notes == []


def test_timestamps_are_kept():
    stamps = 3 + np.arange(60) / 7
    times, notes = times_of(timestamps=stamps)
    np.testing.assert_array_equal(times.seconds(), stamps)
    assert times.frame_rate == pytest.approx(7)
    assert notes == []


def test_gaps_in_timestamps_are_noted():
    stamps = np.arange(60) / 10
    stamps[20:] += 4
    times, notes = times_of(timestamps=stamps)
    assert "jump once after frame 19, by at most 4.1 s" in notes[0]
    assert times.frame_rate == pytest.approx(10)


@pytest.mark.parametrize(
    ("count", "words"), [(61, "surplus at the end is left out"), (58, "missing ones were added")]
)
def test_too_many_or_too_few_timestamps_are_brought_to_one_per_frame(count, words):
    series = SimpleNamespace(timestamps=np.arange(count) / 10)  # pynwb reads such files and writes none
    times, notes = read_times(series, 60)
    np.testing.assert_allclose(times.seconds(), np.arange(60) / 10)
    assert f"60 frames and {count} timestamps" in notes[0]
    assert words in notes[0]


def test_timestamps_that_do_not_rise_are_noted():
    stamps = np.arange(60) / 10
    stamps[30] = stamps[28]
    _, notes = times_of(timestamps=stamps)
    assert "do not always rise (once at frame 30)" in notes[0]


def test_timestamps_that_are_no_numbers_are_interpolated():
    stamps = np.arange(60) / 10
    stamps[[4, 5]] = np.nan
    times, notes = times_of(timestamps=stamps)
    np.testing.assert_allclose(times.seconds(), np.arange(60) / 10)
    assert notes[0] == "Timestamps that are no numbers were interpolated: 2 of 60"
    times, notes = times_of(timestamps=np.full(60, np.nan))
    assert "None of the movie's timestamps is a number" in notes[0]


@pytest.mark.filterwarnings("ignore:.*rate.*")
def test_a_rate_of_0_is_replaced_by_the_planes_or_counted_in_frames():
    builder = FileBuilder(imaging_rate=8.0)
    builder.movie(rate=0.0)
    builder.segmentation()
    recording = read_recording(builder.nwbfile)
    assert recording.times.frame_rate == 8
    assert "a rate of 0: the imaging plane's rate of 8 Hz was taken" in recording.notes[0]
    builder = FileBuilder(imaging_rate=None)
    builder.movie(rate=0.0)
    builder.segmentation()
    recording = read_recording(builder.nwbfile)
    assert np.isnan(recording.times.frame_rate)
    assert recording.times.seconds()[:3].tolist() == [0, 1, 2]
    assert "times are counted in frames" in recording.notes[0]


@pytest.mark.parametrize(
    ("spacing", "unit", "expected"),
    [
        ([1.2e-6, 0.8e-6], "meters", 1.0),
        ([1.5, 1.5, 5.0], "micrometers", 1.5),
        ([0.002, 0.002], "millimeters", 2.0),
        ([1.5, 1.5], "um", 1.5),
        (None, "meters", None),
    ],
)
def test_the_pixel_size_is_told_in_micrometres(spacing, unit, expected):
    size, notes = pixel_size(SimpleNamespace(grid_spacing=spacing, grid_spacing_unit=unit))
    assert size == (None if expected is None else pytest.approx(expected))
    assert notes == ()


@pytest.mark.parametrize(
    ("spacing", "unit"), [([1.2, 1.2], "meters"), ([0.0, 0.0], "meters"), ([1.0, 1.0], "pixels")]
)
def test_a_pixel_size_that_cannot_be_true_is_left_out_with_a_note(spacing, unit):
    size, notes = pixel_size(SimpleNamespace(grid_spacing=spacing, grid_spacing_unit=unit))
    assert size is None
    assert f"{unit} is no pixel of a microscope" in notes[0]


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ReadingError, match=r"absent\.nwb' does not exist"):
        read_recording(tmp_path / "absent.nwb")


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "a.nwb").write_text("no data")
    with pytest.raises(ReadingError, match="neither HDF5 nor a Zarr folder"):
        read_recording(tmp_path / "a.nwb")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.nwb").touch()
    with pytest.raises(ReadingError, match=r"a\.nwb' is empty"):
        read_recording(tmp_path / "a.nwb")


def test_a_truncated_file_is_refused(tmp_path):
    path = usual().write(tmp_path / "a.nwb")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ReadingError, match=r"a\.nwb' is truncated"):
        read_recording(path)


def test_an_hdf5_file_of_something_else_is_refused(tmp_path):
    h5py.File(tmp_path / "a.h5", "w").close()
    with pytest.raises(ReadingError, match="no NWB file: it has no attribute nwb_version"):
        read_recording(tmp_path / "a.h5")


def test_a_damaged_nwb_file_is_refused_with_one_sentence(tmp_path):
    path = usual().write(tmp_path / "a.nwb")
    with h5py.File(path, "a") as file:
        del file["session_description"]
    with pytest.raises(ReadingError, match="cannot be read as an NWB file") as error:
        read_recording(path)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_zarr_store_is_refused(tmp_path):
    with pytest.raises(ReadingError, match="is a folder but no Zarr store"):
        read_recording(tmp_path)


def test_a_zarr_store_without_hdmf_zarr_names_the_extra(tmp_path, monkeypatch):
    import sys

    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zgroup").touch()
    monkeypatch.setitem(sys.modules, "hdmf_zarr", None)
    with pytest.raises(MissingExtraError, match=r"ndx-cinac\[zarr\]"):
        read_recording(tmp_path / "a.zarr")


def test_an_address_is_refused():
    with pytest.raises(ReadingError, match="is an address, not a path"):
        read_recording("https://example.org/a.nwb")


def test_a_movie_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ReadingError, match=r"The movie .*absent\.tif' does not exist"):
        read_recording(usual().nwbfile, movie=tmp_path / "absent.tif")


def test_an_unknown_axes_option_is_refused_before_anything_is_opened():
    with pytest.raises(ConfigError, match="axes='yx' is not known"):
        read_recording("absent.nwb", axes="yx")


def test_a_movie_whose_file_was_closed_is_told(tmp_path):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(usual().write(tmp_path / "a.nwb")), "r") as io:
        nwbfile = io.read()
    with pytest.raises(ReadingError, match="its file was closed"):
        read_recording(nwbfile)


def test_masks_that_all_fail_leave_a_recording_without_rois_to_predict():
    builder = FileBuilder()
    builder.movie()
    builder.segmentation([box + 500 for box in boxes()])
    recording = read_recording(builder.nwbfile)
    assert len(recording.rois) == 8
    assert recording.rois.kept.tolist() == []
