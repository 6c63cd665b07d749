"""ROIs: sparse pixels on the movie's axes, in the order of the table's rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ndx_cinac.errors import ReadingError
from ndx_cinac.rois import Rois

PIXELS = [np.array([[0, 0], [0, 1]]), np.zeros((0, 2), int), np.array([[3, 4]])]


def test_each_roi_keeps_its_own_pixels_and_weights():
    rois = Rois.from_pixels(PIXELS, (4, 5), weights=[[1, 0.5], [], [2]], ids=[7, 8, 9])
    assert len(rois) == 3
    assert rois.n_pixels.tolist() == [2, 0, 1]
    np.testing.assert_array_equal(rois.pixels(0), PIXELS[0])
    np.testing.assert_array_equal(rois.pixel_weights(0), [1, 0.5])
    np.testing.assert_array_equal(rois.pixels(2), [[3, 4]])
    assert rois.ids.tolist() == [7, 8, 9]


def test_a_centroid_is_weighted_and_nan_for_an_empty_roi():
    rois = Rois.from_pixels(PIXELS, (4, 5), weights=[[3, 1], [], [2]])
    assert rois.centroid(0) == (0, 0.25)
    assert np.isnan(rois.centroid(1)).all()


def test_skipped_rows_are_not_usable_and_unselected_ones_are_not_kept():
    rois = replace(Rois.from_pixels(PIXELS, (4, 5), skipped={1: "empty"}), unselected={2: "not chosen"})
    assert rois.usable.tolist() == [0, 2]
    assert rois.kept.tolist() == [0]


@pytest.mark.parametrize("pixel", [(4, 0), (0, 5), (-1, 0)])
def test_a_pixel_outside_of_the_frame_is_refused_with_its_roi(pixel):
    with pytest.raises(ReadingError, match=r"ROI 1 has a pixel at .* outside of the frame \(4, 5\)"):
        Rois.from_pixels([[(0, 0)], [pixel]], (4, 5))
