"""Recordings filled by DeepCINAC's setters: movies, ROIs from every source, and traces."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pynwb.ophys import PlaneSegmentation

from ndx_cinac.cinac_structures import CinacDataMovie, CinacRecording, CinacTiffMovie
from ndx_cinac.deepcinac.suite2p_files import read_suite2p_pixels
from ndx_cinac.errors import ReadingError
from ndx_cinac.recording import CinacRecording as ReadRecording
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
GEOMETRY = np.load(DATA / "geometry.npz")
FRAMES = np.load(DATA / "recording.npz")["movie"]


@pytest.fixture
def pixels():
    data = np.load(DATA / "recording.npz")
    return np.split(data["pixels"], data["pixels_index"][:-1])


@pytest.fixture
def recording():
    made = CinacRecording("reference")
    made.set_movie(CinacDataMovie(FRAMES.astype("float64")))
    return made


def write_stat(path, pixels):
    entries = [
        {"xpix": xy[:, 0], "ypix": xy[:, 1], "lam": np.ones(len(xy), np.float32), "radius": np.float64(2)}
        for xy in pixels
    ]
    np.save(path, np.array(entries, dtype=object))
    return path


def test_the_recording_is_the_class_that_reading_nwb_returns():
    assert CinacRecording is ReadRecording


def test_pixel_masks_give_deepcinacs_traces(recording, pixels):
    recording.set_rois_using_pixel_mask([[(int(x), int(y)) for x, y in xy] for xy in pixels])
    assert (recording.get_n_cells(), recording.get_n_frames()) == (8, 230)
    np.testing.assert_array_equal(recording.get_raw_traces(False), GEOMETRY["raw_traces"])
    np.testing.assert_array_equal(recording.get_raw_traces(normalized=True), GEOMETRY["raw_traces_z"])
    np.testing.assert_array_equal(recording.get_smooth_traces(normalized=False), GEOMETRY["smooth_traces"])
    np.testing.assert_array_equal(recording.get_smooth_traces(True), GEOMETRY["smooth_traces_z"])


def test_pixels_lie_on_the_movies_axes_with_x_along_its_columns(recording):
    recording.set_rois_using_pixel_mask([[(70, 3, 0.5), (71, 3, 1.0)]])
    assert recording.rois.pixels(0).tolist() == [[3, 70], [3, 71]]
    assert recording.rois.pixel_weights(0).tolist() == [0.5, 1.0]


def test_an_roi_without_pixels_is_skipped_with_the_reason(recording):
    recording.set_rois_using_pixel_mask([[(1, 1), (2, 1), (2, 2)], []])
    assert dict(recording.rois.skipped) == {1: "it has no pixels"}
    assert recording.get_raw_traces(normalized=False)[1].tolist() == [0] * 230


def test_contours_keep_their_corners_and_give_the_same_traces(recording, pixels):
    recording.set_rois_using_pixel_mask(pixels)
    hulls = recording.outlines.polygons
    recording.set_rois_2d_array([hull.T for hull in hulls], from_matlab=False)
    np.testing.assert_array_equal(recording.get_raw_traces(normalized=False), GEOMETRY["raw_traces"])
    recording.set_rois_2d_array([hull.T + 1 for hull in hulls], from_matlab=True)
    np.testing.assert_array_equal(recording.outlines.polygons[3], hulls[3])


def test_a_contour_outside_the_frame_is_skipped_and_one_of_another_shape_refused(recording):
    inside, outside = [[1, 5, 5], [1, 1, 5]], [[101, 105, 105], [1, 1, 5]]
    recording.set_rois_2d_array([inside, outside], from_matlab=False)
    assert dict(recording.rois.skipped) == {1: "it lies outside the frame"}
    with pytest.raises(ReadingError, match=r"contour of ROI 1 has shape \(3, 3\)"):
        recording.set_rois_2d_array([inside, np.zeros((3, 3))], from_matlab=False)


def test_setting_rois_forgets_the_traces_of_those_before(recording, pixels):
    recording.set_rois_using_pixel_mask(pixels)
    before = recording.get_raw_traces(normalized=False)
    recording.set_rois_using_pixel_mask(pixels[::-1])
    np.testing.assert_array_equal(recording.get_raw_traces(normalized=False), before[::-1])


def test_suite2p_files_give_the_rois_that_are_cells_with_traces_of_their_pixels(recording, pixels, tmp_path):
    stat = write_stat(tmp_path / "stat.npy", pixels)
    np.save(tmp_path / "iscell.npy", np.array([[1, 0.9], [0, 0.2]] * 4))
    recording.set_rois_from_suite_2p(tmp_path / "iscell.npy", stat)
    assert recording.get_n_cells() == 4
    x, y = pixels[2].T
    trace = recording.get_raw_traces(normalized=False)[1]
    np.testing.assert_allclose(trace, FRAMES[:, y, x].mean(axis=1))
    recording.set_rois_from_suite_2p(None, stat)
    assert recording.get_n_cells() == 8


def test_a_stat_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    trap = tmp_path / "trap"

    class Planted:
        def __reduce__(self):
            return (os.mkdir, (str(trap),))

    np.save(tmp_path / "stat.npy", np.array([Planted()], dtype=object))
    with pytest.raises(ReadingError, match=r"names \w+\.mkdir, which is not part of an array"):
        read_suite2p_pixels(tmp_path / "stat.npy")
    assert not trap.exists()


def test_suite2p_files_that_are_something_else_are_refused(tmp_path, pixels):
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    with pytest.raises(ReadingError, match="holds numbers, not ROIs"):
        read_suite2p_pixels(tmp_path / "numbers.npy")
    np.save(tmp_path / "table.npy", np.array([[{}]], dtype=object))
    with pytest.raises(ReadingError, match=r"objects of shape \(1, 1\), not a list of ROIs"):
        read_suite2p_pixels(tmp_path / "table.npy")
    np.save(tmp_path / "other.npy", np.array([{"xpix": [1, 2]}], dtype=object))
    with pytest.raises(ReadingError, match="lacks the arrays 'xpix' and 'ypix'"):
        read_suite2p_pixels(tmp_path / "other.npy")
    with pytest.raises(ReadingError, match=r"cannot be read as an array.*nowhere\.npy"):
        read_suite2p_pixels(write_stat(tmp_path / "stat.npy", pixels), tmp_path / "nowhere.npy")
    np.save(tmp_path / "iscell.npy", np.ones((3, 2)))
    with pytest.raises(ReadingError, match=r"speaks of 3 ROIs, stat\.npy of 8"):
        read_suite2p_pixels(tmp_path / "stat.npy", tmp_path / "iscell.npy")


def plane_segmentation(nwbfile):
    (segmentation,) = (o for o in nwbfile.objects.values() if isinstance(o, PlaneSegmentation))
    return segmentation


def test_pixel_masks_of_an_nwb_file_are_taken_by_the_names_of_its_objects(recording):
    nwbfile = mock_nwbfile_with_movie(layout=MockLayout(mask="pixel"))
    table = plane_segmentation(nwbfile)
    images = table.parent
    recording.set_rois_from_nwb(nwbfile, images.parent.name, images.name, table.name)
    assert recording.get_n_cells() == len(table)
    columns_and_rows = [(int(x), int(y)) for x, y, _ in table["pixel_mask"][0]]
    assert recording.rois.pixels(0).tolist() == [[y, x] for x, y in columns_and_rows]


def test_image_masks_of_an_nwb_file_are_left_to_read_recording(recording):
    nwbfile = mock_nwbfile_with_movie(layout=MockLayout(mask="image"))
    table = plane_segmentation(nwbfile)
    with pytest.raises(ReadingError, match=r"has no column 'pixel_mask'.*read_recording"):
        recording.set_rois_from_nwb(nwbfile, table.parent.parent.name, table.parent.name, table.name)


def test_an_nwb_object_that_is_not_there_is_refused_by_its_path(recording):
    with pytest.raises(ReadingError, match=r"no such plane segmentation \(processing/none/a/b\)"):
        recording.set_rois_from_nwb(mock_nwbfile_with_movie(), "none", "a", "b")


def test_rois_before_a_movie_and_traces_before_rois_are_refused():
    made = CinacRecording("empty")
    with pytest.raises(ReadingError, match=r"'empty' has no movie.*before the ROIs"):
        made.set_rois_using_pixel_mask([[(1, 1)]])
    with pytest.raises(ReadingError, match="'empty' has no movie"):
        made.get_n_frames()
    with pytest.raises(ReadingError, match="'empty' has no ROIs"):
        made.get_n_cells()


def test_a_movie_that_is_normalized_already_is_given_as_it_is(recording, pixels):
    scores = recording.normalization(FRAMES.astype(float))
    made = CinacRecording("normalized")
    made.set_movie(CinacDataMovie(scores, already_normalized=True))
    part = made.get_source_profile_frames(np.array([7, 3]), (10, 12, 20, 24))
    np.testing.assert_array_equal(part, scores[[7, 3], 20:25, 10:13])
    np.testing.assert_allclose(
        recording.get_source_profile_frames(np.array([7, 3]), (10, 12, 20, 24)), part, atol=1e-12
    )


def test_smooth_traces_from_elsewhere_are_used_as_they_are(recording, pixels):
    recording.set_rois_using_pixel_mask(pixels)
    recording.set_smooth_traces(np.ones((8, 230)))
    assert (recording.get_smooth_traces(normalized=True) == 1).all()


def test_movies_have_deepcinacs_methods():
    movie = CinacDataMovie(FRAMES)
    assert (movie.get_n_frames(), movie.get_dimensions()) == (230, (60, 72))
    np.testing.assert_array_equal(movie.get_full_movie(False), FRAMES)
    normalized = movie.get_full_movie(normalized=True)
    assert abs(normalized.mean()) < 1e-12
    assert normalized.std() == pytest.approx(1)
    scores = CinacDataMovie(normalized, already_normalized=True)
    np.testing.assert_array_equal(scores.get_full_movie(True), normalized)


def test_a_tiff_movie_is_read_from_its_file_or_taken_from_an_array(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "movie.tif", FRAMES[:9], photometric="minisblack")
    movie = CinacTiffMovie(tiff_file_name=str(tmp_path / "movie.tif"))
    np.testing.assert_array_equal(movie.read(2, 5), FRAMES[2:5])
    movie.close()
    assert CinacTiffMovie(tiff_movie=FRAMES).n_frames == 230
    with pytest.raises(ReadingError, match="needs a file or an array"):
        CinacTiffMovie()
