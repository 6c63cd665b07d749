"""Whatever masks, tables, times and YAML hold: it is read as it was written, or refused in words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nwb_builders import FileBuilder

from ndx_cinac.errors import ConfigError
from ndx_cinac.reading.axes import lay_on_movie
from ndx_cinac.reading.masks import RoiSelection, read_masks
from ndx_cinac.reading.timing import read_times
from ndx_cinac.yaml_files import parse_yaml

QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
COORDINATES = st.one_of(st.integers(0, 30), st.integers(0, 2**32 - 1))
WEIGHTS = st.one_of(st.floats(width=32), st.floats(0.125, 2, width=32))
PIXELS = st.lists(st.tuples(COORDINATES, COORDINATES, WEIGHTS), min_size=1, max_size=20)


@QUICK
@given(st.lists(PIXELS, min_size=1, max_size=4), st.sampled_from(["matching", "exchanged"]))
def test_any_pixel_masks_become_pixels_inside_of_the_frame_or_reasons(rois, order):
    table = FileBuilder().segmentation([], name="Table")
    for pixels in rois:
        table.add_roi(pixel_mask=pixels)
    found, _ = lay_on_movie(read_masks(table), (20, 28), order)
    assert len(found) == len(rois)
    assert ((found.first >= 0) & (found.first < 20)).all()
    assert ((found.second >= 0) & (found.second < 28)).all()
    assert (np.isfinite(found.weights) & (found.weights > 0)).all()
    for row in range(len(rois)):
        assert row in found.skipped or len(found.pixels(row))
        given_pixels = {(x, y) if order == "matching" else (y, x) for x, y, _ in rois[row]}
        assert {tuple(pixel) for pixel in found.pixels(row).tolist()} <= given_pixels


@QUICK
@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 3), st.just(5), st.just(4)), elements=st.floats()))
def test_any_image_masks_become_pixels_where_weights_are_above_zero(masks):
    table = FileBuilder().segmentation([], name="Table")
    for mask in masks:
        table.add_roi(image_mask=mask)
    found = read_masks(table)
    for row in range(len(masks)):
        part = slice(found.starts[row], found.starts[row + 1])
        assert (masks[row][found.a[part], found.b[part]] > 0).all()
        assert row in found.faults or part.stop > part.start


@QUICK
@given(arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats()), st.integers(1, 40))
def test_any_timestamps_give_one_finite_time_per_frame(stamps, n_frames):
    series = SimpleNamespace(timestamps=stamps, starting_time=None, rate=None, imaging_plane=None)
    with np.errstate(all="ignore"):
        times, _ = read_times(series, n_frames)
    assert times.n_frames == n_frames
    assert times.seconds().shape == (n_frames,)


@QUICK
@given(st.one_of(st.none(), st.floats()), st.one_of(st.none(), st.floats()))
def test_any_rate_gives_one_time_per_frame(rate, start):
    series = SimpleNamespace(timestamps=None, starting_time=start, rate=rate, imaging_plane=None)
    with np.errstate(all="ignore"):
        times, _ = read_times(series, 5)
    assert times.seconds().shape == (5,)
    assert times.rate is None or times.rate > 0


@QUICK
@given(st.lists(st.integers(-3, 6), max_size=5).map(tuple))
def test_any_selection_of_rows_is_taken_or_refused(rows):
    table = FileBuilder().segmentation(name="Table")
    if set(rows) <= set(range(8)):
        assert set(RoiSelection(rows=rows).unselected(table)) == set(range(8)) - set(rows)
    else:
        with pytest.raises(ConfigError, match="has no ROI with row"):
            RoiSelection(rows=rows).unselected(table)


@settings(QUICK, max_examples=150)
@given(st.text(st.sampled_from("ab1-:[]{}&*!|>'\"#%@,. \n\t0x_~"), max_size=60))
def test_any_text_is_plain_yaml_or_refused(text):
    said = ""
    try:
        parse_yaml(text, "The text", "here")
    except ConfigError as error:
        said = str(error)
    assert not said or ("here" in said and "\n" not in said)
