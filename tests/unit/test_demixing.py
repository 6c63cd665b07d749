"""Demixing is ridge least squares on footprints and background, and refined footprints follow the movie."""

import numpy as np
import pytest
from scipy import sparse

from ndx_cinac.rois import Rois
from ndx_cinac.traces.background import BackgroundGrid
from ndx_cinac.traces.demixing import Demixer, Layout
from ndx_cinac.traces.footprints import mask_rows, to_rows, widen
from ndx_cinac.traces.frame_statistics import fit_frame_model
from ndx_cinac.traces.refinement import MeasuredSample, difference_noise, refine
from ndx_cinac.traces.sampling import Sample

SHAPE = (30, 26)
RIDGE = 0.01


def square(first, second, size=6):
    return np.stack(np.mgrid[first : first + size, second : second + size], axis=-1).reshape(-1, 2)


def dense_bumps(grid):
    return np.einsum("ai,bj->abij", grid.along_first, grid.along_second).reshape(len(grid), -1)


def make_sample(frames, numbers=None):
    return Sample(frames, np.arange(len(frames)) if numbers is None else numbers, whole=numbers is None)


def still_movie(n=80, seed=0):
    return np.random.default_rng(seed).normal(100, 1, (n, *SHAPE)).astype(np.float32)


def lay_out(frames, rois, block_frames=1000):
    """Everything that demixing needs, on masks widened by 2."""
    model = fit_frame_model(frames)
    measured = MeasuredSample(make_sample(frames), model, block_frames)
    masks = mask_rows(rois, rois.usable, model.valid)
    supports = [widen(mask, rois.shape, 2) for mask in masks]
    pixels = np.unique(np.concatenate(supports))
    columns = np.zeros(model.median.size, np.int64)
    columns[pixels] = np.arange(len(pixels))
    layout = Layout.make(pixels, BackgroundGrid.covering(rois.shape, 12), model)
    rows = to_rows(masks, columns, len(pixels))
    return measured, layout, [columns[support] for support in supports], rows


@pytest.fixture
def grid():
    return BackgroundGrid.covering(SHAPE, 9)


def test_bumps_add_up_to_one_everywhere(grid):
    np.testing.assert_allclose(dense_bumps(grid).sum(axis=0), 1)


def test_a_large_field_gets_a_coarser_grid():
    assert len(BackgroundGrid.covering((2048, 2048), 12)) < 2500


def test_sums_under_bumps_are_those_of_the_dense_bumps(grid):
    frames = np.random.default_rng(0).normal(size=(7, SHAPE[0] * SHAPE[1])).astype(np.float32)
    np.testing.assert_allclose(grid.project(frames), dense_bumps(grid) @ frames.T, atol=1e-3)
    np.testing.assert_allclose(grid.basis_sums(frames.T), dense_bumps(grid) @ frames.T, atol=1e-3)


def test_products_of_bumps_leave_out_pixels_that_are_not_valid(grid):
    valid = np.random.default_rng(1).random(SHAPE[0] * SHAPE[1]) > 0.3
    dense = dense_bumps(grid)
    np.testing.assert_allclose(grid.gram(valid), (dense * valid) @ dense.T, atol=1e-9)


def test_footprints_under_bumps_and_the_value_of_bumps_at_pixels_are_the_dense_ones(grid):
    rng = np.random.default_rng(2)
    pixels = np.sort(rng.choice(SHAPE[0] * SHAPE[1], 200, replace=False))
    footprints = sparse.random_array((5, 200), density=0.2, rng=rng, format="csr")
    dense = dense_bumps(grid)[:, pixels]
    np.testing.assert_allclose(grid.footprint_sums(footprints, pixels), footprints @ dense.T, atol=1e-9)
    heights = rng.normal(size=len(grid))
    np.testing.assert_allclose(grid.evaluate(heights, pixels), heights @ dense, atol=1e-9)


def test_demixing_is_ridge_least_squares_on_footprints_and_bumps():
    rois = Rois.from_pixels([square(3, 3), square(6, 6), square(18, 12)], SHAPE)
    frames = still_movie()
    measured, layout, _, rows = lay_out(frames, rois)
    sums, grid_sums, _ = measured.sums(layout, rows, grid=True)
    heights = Demixer(rows, layout, RIDGE).solve(np.concatenate([sums, grid_sums]))

    block = measured.block(slice(0, len(frames)))
    corrected = block.deviations - block.coefficients @ measured.model.basis.T
    corrected /= block.gain[:, None]
    masks = np.zeros((3, SHAPE[0] * SHAPE[1]))
    masks[:, layout.pixels] = rows.toarray()
    design = np.concatenate([masks, dense_bumps(layout.grid)])
    normal = design @ design.T
    normal += RIDGE * np.diag(np.diag(normal))
    np.testing.assert_allclose(heights, np.linalg.solve(normal, design @ corrected.T), rtol=1e-3, atol=1e-3)


def test_the_operator_gives_the_same_heights_and_the_local_background():
    rois = Rois.from_pixels([square(3, 3), square(6, 6), square(18, 12)], SHAPE)
    _, layout, _, rows = lay_out(still_movie(), rois)
    demixer = Demixer(rows, layout, RIDGE)
    sums = np.random.default_rng(0).normal(size=(3 + len(layout.grid), 11))
    heights = demixer.solve(sums)
    chosen = np.array([2, 0])
    found = demixer.operator(chosen, local=True) @ sums
    np.testing.assert_allclose(found[:2], heights[chosen], atol=1e-10)
    bumps = dense_bumps(layout.grid)[:, layout.pixels]
    local = (rows @ bumps.T) / rows.sum(axis=1)[:, None] @ heights[3:]
    np.testing.assert_allclose(found[2:], local[chosen], atol=1e-10)


def test_overlapping_rois_are_told_apart():
    rois = Rois.from_pixels([square(5, 5, 8), square(9, 9, 8)], SHAPE)
    frames = still_movie(200)
    truth = np.zeros((2, 200))
    truth[0, 50:60], truth[1, 120:130] = 10, 10
    for k in range(2):
        for i, j in rois.pixels(k):
            frames[:, i, j] += truth[k]
    measured, layout, _, rows = lay_out(frames, rois)
    sums, grid_sums, _ = measured.sums(layout, rows, grid=True)
    demixed = Demixer(rows, layout, RIDGE).solve(np.concatenate([sums, grid_sums]))[:2]
    assert demixed[0, 50:60].mean() == pytest.approx(10, rel=0.1)
    assert abs(demixed[0, 120:130].mean()) < 0.5


def test_identical_rois_share_what_they_show():
    rois = Rois.from_pixels([square(5, 5), square(5, 5), square(15, 15)], SHAPE)
    frames = still_movie()
    frames[30:40, 5:11, 5:11] += 10
    measured, layout, _, rows = lay_out(frames, rois)
    sums, grid_sums, _ = measured.sums(layout, rows, grid=True)
    heights = Demixer(rows, layout, RIDGE).solve(np.concatenate([sums, grid_sums]))
    assert np.isfinite(heights).all()
    np.testing.assert_allclose(heights[0], heights[1], atol=1e-6)
    assert heights[0, 30:40].mean() == pytest.approx(5, rel=0.1)


def test_a_footprint_without_pixels_gets_zeros():
    rois = Rois.from_pixels([square(5, 5), square(15, 15)], SHAPE)
    _, layout, _, rows = lay_out(still_movie(), rois)
    rows = sparse.csr_array(rows.toarray() * np.array([[1], [0]], np.float32))
    operator = Demixer(rows, layout, RIDGE).operator(np.array([1]), local=True)
    sums = np.ones((2 + len(layout.grid), 4))
    sums[1] = 0
    np.testing.assert_allclose(operator @ sums, 0)


def test_a_mask_is_widened_to_a_disk_and_stays_within_the_field():
    centre = 10 * SHAPE[1] + 10
    assert len(widen(np.array([centre]), SHAPE, 2)) == 21
    np.testing.assert_array_equal(widen(np.array([centre]), SHAPE, 0), [centre])
    corner = np.stack(np.divmod(widen(np.array([0]), SHAPE, 2), SHAPE[1]), axis=1)
    assert len(corner) == 8
    assert corner.max() == 2


def test_a_pixel_listed_twice_in_a_mask_counts_once():
    rois = Rois.from_pixels([[[3, 3], [3, 3], [3, 4]]], SHAPE)
    (mask,) = mask_rows(rois, rois.usable, np.ones(SHAPE[0] * SHAPE[1], bool))
    assert len(mask) == 2


def active_cell(n=400):
    """A movie where the cell fills only the left half of its mask, and two columns beside the mask."""
    frames = still_movie(n)
    activity = np.zeros(n)
    for start in range(20, n, 50):
        activity[start : start + 10] = np.linspace(10, 1, 10)
    frames[:, 10:18, 6:12] += activity[:, None, None].astype(np.float32)
    return frames, Rois.from_pixels([square(10, 8, 8)], SHAPE)


@pytest.mark.parametrize("block_frames", [1000, 37])
def test_a_refined_footprint_follows_the_cell_and_not_the_mask(block_frames):
    frames, rois = active_cell()
    measured, layout, supports, rows = lay_out(frames, rois, block_frames)
    refined = refine(measured, layout, supports, Demixer(rows, layout, RIDGE), rounds=2, ridge=RIDGE)
    image = np.zeros(SHAPE[0] * SHAPE[1])
    image[layout.pixels] = refined.toarray()[0]
    image = image.reshape(SHAPE)
    assert image[11:17, 8:12].mean() > 1.5, "the half that the cell fills"
    assert image[11:17, 6:8].mean() > 1.0, "beside the mask"
    assert image[11:17, 13:16].mean() < 0.4, "the half that it leaves"
    assert image[10:18, 8:16].mean() == pytest.approx(1, abs=1e-5)


def test_a_cell_that_is_never_active_keeps_its_mask():
    rois = Rois.from_pixels([square(10, 8, 8)], SHAPE)
    measured, layout, supports, rows = lay_out(still_movie(), rois)
    refined = refine(measured, layout, supports, Demixer(rows, layout, RIDGE), rounds=2, ridge=RIDGE)
    difference = np.abs(refined.toarray() - rows.toarray())
    assert difference.max() < 0.6
    assert difference.mean() < 0.12


def test_without_rounds_the_masks_are_returned():
    frames, rois = active_cell()
    measured, layout, supports, rows = lay_out(frames, rois)
    refined = refine(measured, layout, supports, Demixer(rows, layout, RIDGE), rounds=0, ridge=RIDGE)
    assert (refined != rows).nnz == 0


def test_a_sample_in_blocks_gives_the_same_sums_as_one_kept_whole():
    frames, rois = active_cell()
    frames[5] = np.nan
    frames[7, :3] = np.nan
    results = []
    for block_frames in (1000, 30):
        measured, layout, _, rows = lay_out(frames, rois, block_frames)
        positions, pixels = np.array([3, 6, 90]), layout.pixels[::3]
        results.append([*measured.sums(layout, rows, grid=True), measured.corrected(positions, pixels)])
        results[-1].append(np.array(measured.pixel_noise()))
    for whole, parts in zip(*results, strict=True):
        np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-3)


def test_noise_is_not_taken_across_gaps_of_the_sample_nor_missing_frames():
    frames = still_movie(30)
    frames[12] = np.nan
    numbers = np.concatenate([np.arange(10), np.arange(100, 120)])
    measured = MeasuredSample(make_sample(frames, numbers), fit_frame_model(frames), 100)
    # Positions among the 29 frames that are present: no step from 9 to 10 (gap), none over frame 12 (at 11).
    assert sorted(set(range(28)) - set(measured.steps)) == [9, 11]


def test_difference_noise_is_the_standard_deviation_of_white_noise():
    traces = np.random.default_rng(0).normal(0, 3, (4, 20000)) + np.sin(np.arange(20000) / 900) * 50
    np.testing.assert_allclose(difference_noise(traces), 3, rtol=0.05)
    assert not difference_noise(traces[:, :1]).any()
