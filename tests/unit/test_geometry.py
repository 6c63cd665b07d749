"""Outlines of ROIs and the traces under them, against what shapely, Pillow and DeepCINAC make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.deepcinac.geometry import Outlines, normalized_traces, raw_traces, smooth_traces
from ndx_cinac.deepcinac.polygons import buffered, centroid, convex_hull, draw_polygon, intersect
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.rois import Rois

DATA = Path(__file__).parents[1] / "data"
SIDE = 40


@pytest.fixture(scope="module")
def random_rois():
    return np.load(DATA / "deepcinac_variants" / "outlines.npz")


@pytest.fixture(scope="module")
def recording():
    data = np.load(DATA / "deepcinac" / "recording.npz")
    pixels = np.split(data["pixels"], data["pixels_index"][:-1])
    rois = Rois.from_pixels([xy[:, ::-1] for xy in pixels], data["movie"].shape[1:])
    return data["movie"], Outlines.from_rois(rois), np.load(DATA / "deepcinac" / "geometry.npz")


def lists(data, name):
    return np.split(data[name], data[f"{name}_ends"][:-1])


def outlines_of(data):
    hulls = [convex_hull(pixels) for pixels in lists(data, "pixels")]
    return Outlines((*hulls, *Outlines.from_contours(lists(data, "contours")).polygons))


def test_hulls_begin_and_run_as_those_of_geos(random_rois):
    for pixels, corners in zip(lists(random_rois, "pixels"), lists(random_rois, "corners"), strict=True):
        open_corners = corners[:-1] if len(corners) > 2 else corners
        np.testing.assert_array_equal(convex_hull(pixels), open_corners)


def test_centroids_are_those_of_geos(random_rois):
    outlines = outlines_of(random_rois)
    found = [outlines.centroid(row) for row in range(len(outlines))]
    np.testing.assert_allclose(found, random_rois["centroids"], atol=1e-12)


def test_overlaps_are_those_of_geos(random_rois):
    np.testing.assert_array_equal(outlines_of(random_rois).overlaps, random_rois["overlaps"])


@pytest.mark.parametrize(("name", "buffer"), [("masks", None), ("masks_buffer_1", 1), ("masks_buffer_3", 3)])
def test_hulls_are_drawn_as_pillow_draws_those_of_shapely(random_rois, name, buffer):
    outlines = outlines_of(random_rois)
    drawn = np.unpackbits(random_rois[name], count=len(outlines) * SIDE**2).reshape(-1, SIDE, SIDE)
    for row in range(len(lists(random_rois, "pixels"))):
        np.testing.assert_array_equal(outlines.mask(row, (0, 0), (SIDE, SIDE), buffer), drawn[row], str(row))


@pytest.mark.parametrize(("name", "buffer", "n_exact"), [("masks_buffer_1", 1, 13), ("masks_buffer_3", 3, 5)])
def test_widened_contours_are_those_of_geos_but_for_small_notches(random_rois, name, buffer, n_exact):
    outlines = outlines_of(random_rois)
    drawn = np.unpackbits(random_rois[name], count=len(outlines) * SIDE**2).reshape(-1, SIDE, SIDE)
    contours = range(len(lists(random_rois, "pixels")), len(outlines))
    masks = {row: outlines.mask(row, (0, 0), (SIDE, SIDE), buffer) for row in contours}
    differences = [np.count_nonzero(masks[row] != drawn[row]) for row in contours]
    assert max(differences) <= 6
    assert differences.count(0) >= n_exact
    assert min(np.count_nonzero(drawn[row]) for row in contours) > 60


def test_geometry_of_the_reference_recording_is_deepcinacs(recording):
    _, outlines, expected = recording
    found = [outlines.centroid(row) for row in range(len(outlines))]
    np.testing.assert_array_equal(found, expected["centroid_xy"])
    np.testing.assert_array_equal(outlines.overlaps, expected["overlaps"])


def test_traces_of_the_reference_recording_are_deepcinacs(recording):
    movie, outlines, expected = recording
    masks = [outlines.mask(row, (0, 0), movie.shape[1:]) for row in range(len(outlines))]
    raw = raw_traces(ArrayMovie(movie), masks)
    np.testing.assert_array_equal(raw, expected["raw_traces"])
    np.testing.assert_array_equal(smooth_traces(raw), expected["smooth_traces"])
    np.testing.assert_array_equal(normalized_traces(raw), expected["raw_traces_z"])
    np.testing.assert_array_equal(normalized_traces(smooth_traces(raw), -2.0), expected["smooth_traces_z"])


def test_outlines_of_skipped_rois_are_empty_and_overlap_nothing():
    rois = Rois.from_pixels([[(2, 2), (2, 3), (3, 2)], [], [(2, 2), (3, 3)]], (8, 8), skipped={1: "empty"})
    outlines = Outlines.from_rois(rois)
    assert len(outlines.polygons[1]) == 0
    assert outlines.overlaps[0].tolist() == [False, False, True]
    assert np.isnan(outlines.centroid(1)).all()
    assert not outlines.mask(1, (0, 0), (8, 8)).any()


def test_a_single_pixel_is_drawn_as_itself():
    mask = draw_polygon(convex_hull([(5, 2)]), 6, 8)
    assert np.argwhere(mask).tolist() == [[2, 5]]


def test_polygons_that_touch_intersect_and_those_inside_others_too():
    square = np.array([(0, 0), (0, 4), (4, 4), (4, 0)], float)
    assert intersect(square, square + np.array((4, 0)))
    assert intersect(square, square / 4 + 1)
    assert intersect(square / 4 + 1, square)
    assert not intersect(square, square + np.array((4.01, 0)))
    diagonal = np.array([(0, 9), (9, 0), (9, 9)], float)
    assert not intersect(square, diagonal + 1)  # their bounds overlap, they do not


def test_the_centre_of_corners_without_area_is_that_of_their_line():
    assert centroid(np.array([(0, 0), (4, 0), (1, 0)], float)) == (2, 0)
    assert centroid(np.array([(3, 1)], float)) == (3, 1)


def test_a_buffer_holds_what_lies_within_its_distance():
    corner = np.array([(10, 10), (10, 20), (20, 20), (20, 10)], float)
    (ring,) = buffered(corner, 3)
    distance = np.maximum(np.maximum(10 - ring, ring - 20), 0)
    np.testing.assert_allclose(np.hypot(*distance.T), 3)


def test_the_direction_of_a_convex_contour_does_not_matter_to_its_buffer():
    corners = np.array([(10, 10), (10, 20), (20, 18), (19, 10)], float)
    (ring,), (reverse,) = buffered(corners, 2), buffered(corners[::-1], 2)
    np.testing.assert_array_equal(draw_polygon(ring, 40, 40), draw_polygon(reverse, 40, 40))


def test_a_repeated_last_corner_of_a_contour_is_dropped():
    assert Outlines.from_contours([[(1, 1), (1, 5), (5, 5), (1, 1)]]).polygons[0].shape == (3, 2)


def test_traces_under_an_empty_mask_are_zero():
    movie = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    one = np.zeros((3, 3), bool)
    one[1, 1] = True
    traces = raw_traces(ArrayMovie(movie), [np.zeros((3, 3), bool), one])
    assert traces.tolist() == [[0, 0], [4, 13]]


def test_a_trace_shorter_than_the_smoothing_window_stays_as_it_is():
    trace = np.array([[1.0, 5.0, 2.0]])
    np.testing.assert_array_equal(smooth_traces(trace), trace)


def test_a_constant_trace_is_normalized_to_the_offset():
    assert normalized_traces(np.full((1, 9), 3.0), -2).tolist() == [[-2.0] * 9]
