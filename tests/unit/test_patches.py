"""Where patches lie and what each input of a network sees, by legacy and by real rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.deepcinac.geometry import Outlines
from ndx_cinac.deepcinac.patches import (
    ACTIVITY_INPUTS,
    CELL_TYPE_INPUTS,
    FLIPS,
    Normalization,
    PatchOptions,
    movie_normalization,
    plan_patch,
)
from ndx_cinac.deepcinac.windows import active_windows
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.rois import Rois

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
PATCHES = np.load(DATA / "patches.npz")
LEGACY = PatchOptions(9, 9, ACTIVITY_INPUTS, "legacy")
REAL = PatchOptions(9, 9, (*ACTIVITY_INPUTS, "all"), "real")


@pytest.fixture(scope="module")
def reference():
    data = np.load(DATA / "recording.npz")
    pixels = np.split(data["pixels"], data["pixels_index"][:-1])
    rois = Rois.from_pixels([xy[:, ::-1] for xy in pixels], data["movie"].shape[1:])
    movie = ArrayMovie(data["movie"])
    return movie, Outlines.from_rois(rois), movie_normalization(movie)


def square(top, left, side=4):
    return [(left, top), (left, top + side - 1), (left + side - 1, top + side - 1), (left + side - 1, top)]


@pytest.mark.parametrize("key", PATCHES.files)
def test_patches_are_those_that_deepcinac_gave_its_networks(reference, key):
    movie, outlines, normalization = reference
    kind, cell, *buffer, which = key.split("/")
    row = int(cell.removeprefix("cell"))
    if kind == "activity":
        width = None if buffer == ["bufferNone"] else 1.0
        options, start = PatchOptions(21, 21, ACTIVITY_INPUTS, "legacy", width), 0
    else:
        trace = np.load(DATA / "geometry.npz")["smooth_traces_z"][row]
        options, start = PatchOptions(11, 11, CELL_TYPE_INPUTS, "legacy"), active_windows(trace, 50, 0, 1)[0]
    plan = plan_patch(outlines, row, movie.shape[1:], options)
    pixels = normalization(plan.cut(movie.read(start, start + 3)))
    found = plan.fill(pixels, int(which.removeprefix("input_")))
    np.testing.assert_allclose(found, PATCHES[key], rtol=0, atol=1e-6)


def test_legacy_inputs_show_rows_instead_of_overlapping_cells_and_neuropil():
    outlines = Outlines.from_contours([square(20, 20), square(22, 22)])
    plan = plan_patch(outlines, 0, (40, 40), LEGACY)
    assert plan.masks[0].sum() == 16
    for mask in plan.masks[1:]:
        assert not mask[:2].any()
        assert mask[2:].all()


def test_a_legacy_input_of_overlapping_cells_hides_only_the_second_row_where_there_are_none():
    plan = plan_patch(Outlines.from_contours([square(20, 20)]), 0, (40, 40), LEGACY)
    assert np.flatnonzero(~plan.masks[1].all(axis=1)).tolist() == [1]
    assert np.flatnonzero(~plan.masks[2].all(axis=1)).tolist() == [0, 1]


def test_real_inputs_show_what_their_names_say_and_share_no_pixel():
    outlines = Outlines.from_contours([square(20, 20), square(22, 22), square(5, 5)])
    cell, overlapping, neuropil, everything = plan_patch(outlines, 0, (40, 40), REAL).masks
    assert cell.sum() == 16
    assert overlapping.sum() == 16 - 4
    assert neuropil.sum() == 81 - 28
    assert (cell.astype(int) + overlapping + neuropil == 1).all()
    assert everything.all()


def test_a_patch_of_real_rules_reaches_the_last_row_and_column():
    outlines = Outlines.from_contours([square(36, 36)])
    real = plan_patch(outlines, 0, (40, 40), REAL)
    legacy = plan_patch(outlines, 0, (40, 40), LEGACY)
    assert (real.rows.stop, real.columns.stop) == (40, 40)
    assert (legacy.rows.stop, legacy.columns.stop) == (39, 39)


def test_a_patch_begins_with_the_frame_where_the_roi_does():
    plan = plan_patch(Outlines.from_contours([square(0, 0)]), 0, (40, 40), REAL)
    assert (plan.rows.start, plan.columns.start) == (0, 0)


def test_a_legacy_patch_is_moved_for_overlapping_rois_along_y_only():
    outlines = Outlines.from_contours([square(20, 20), square(17, 17)])
    plan = plan_patch(outlines, 0, (40, 40), PatchOptions(7, 7, ACTIVITY_INPUTS, "legacy"))
    assert (plan.rows.start, plan.columns.start) == (17, 21 - 3)


def test_a_roi_larger_than_the_patch_is_centred():
    for rules in ("legacy", "real"):
        options = PatchOptions(9, 9, ("cell",), rules)
        plan = plan_patch(Outlines.from_contours([square(10, 12, side=21)]), 0, (60, 60), options)
        assert (plan.rows.start, plan.columns.start) == (20 - 4, 22 - 4)
        assert plan.masks.all()


def test_a_patch_of_other_height_than_width_lies_around_the_roi():
    options = PatchOptions(height=5, width=11, inputs=("cell",), rules="legacy")
    plan = plan_patch(Outlines.from_contours([square(20, 20)]), 0, (40, 50), options)
    assert plan.masks.shape == (1, 5, 11)
    assert plan.masks.sum() == 16


def test_a_frame_as_large_as_the_patch_is_the_patch():
    plan = plan_patch(Outlines.from_contours([square(4, 5)]), 0, (9, 9), LEGACY)
    assert (plan.rows, plan.columns, plan.offset) == (slice(0, 9), slice(0, 9), (0, 0))


def test_a_frame_smaller_than_the_patch_is_centred_between_zeros():
    plan = plan_patch(Outlines.from_contours([square(2, 2)]), 0, (7, 20), REAL)
    pixels = plan.cut(np.ones((1, 7, 20)))
    patch = plan.fill(pixels, which=3)
    assert patch.shape == (1, 9, 9)
    assert patch[0].sum(axis=1).tolist() == [0, *[9] * 7, 0]


@pytest.mark.parametrize(("flip", "axes"), list(zip(FLIPS, [(2,), (1,), (1, 2)], strict=True)))
def test_flips_turn_what_an_input_sees_after_it_is_masked(flip, axes):
    outlines = Outlines.from_contours([square(20, 20)])
    plan = plan_patch(outlines, 0, (40, 40), LEGACY)
    pixels = np.random.default_rng(0).normal(size=(2, 9, 9))
    np.testing.assert_array_equal(
        plan.fill(pixels, 1, flip), np.flip(np.where(plan.masks[1], pixels, 0), axes).astype(np.float32)
    )


def test_the_normalization_of_a_movie_is_exact_however_it_is_read():
    frames = np.random.default_rng(0).normal(30_000, 5, (150, 6, 7)).astype(np.float32)
    movie = ArrayMovie(frames)
    movie.chunk_frames = 70
    found = movie_normalization(movie)
    assert found.mean == pytest.approx(frames.mean(dtype=np.float64), rel=1e-12)
    assert found.deviation == pytest.approx(frames.std(dtype=np.float64), rel=1e-9)


def test_pixels_that_are_not_numbers_neither_count_nor_spread():
    frames = np.array([[[1.0, np.nan]], [[3.0, np.inf]]])
    normalization = movie_normalization(ArrayMovie(frames))
    assert (normalization.mean, normalization.deviation) == (2, 1)
    assert normalization(frames).ravel().tolist() == [-1, 0, 1, 0]


def test_a_movie_of_one_value_is_all_zero():
    normalization = movie_normalization(ArrayMovie(np.full((2, 3, 3), 7)))
    assert not normalization(np.full((1, 2, 2), 7.0)).any()
    assert movie_normalization(ArrayMovie(np.full((2, 3, 3), np.nan))) == Normalization()
