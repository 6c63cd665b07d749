"""Frame correction finds brightness, offset and motion of frames, and says which frames show nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ndx_cinac.errors import PredictionError
from ndx_cinac.traces.frame_statistics import fit_frame_model
from ndx_cinac.traces.order_statistics import median, percentiles

SHAPE = (40, 44)


def smooth_image(shape=SHAPE, shift=(0.0, 0.0)):
    first, second = np.mgrid[: shape[0], : shape[1]].astype(float)
    first, second = first - shift[0], second - shift[1]
    return 100 + 40 * np.sin(first / 4) * np.cos(second / 5) + 20 * np.sin(first / 7 + second / 3)


def noisy(image, n, seed=0, sigma=2.0):
    rng = np.random.default_rng(seed)
    return image + rng.normal(0, sigma, (n, *image.shape))


@pytest.fixture
def frames():
    return noisy(smooth_image(), 60).astype(np.float32)


@pytest.fixture
def model(frames):
    return fit_frame_model(frames)


def test_still_frames_need_no_correction(frames, model):
    coefficients = model.measure(frames).coefficients
    assert np.abs(coefficients[:, 1]).max() < 0.02
    assert np.abs(coefficients[:, 2:]).max() < 0.1


def test_gain_and_offset_of_a_frame_are_found(frames, model):
    mean = model.median.mean()
    brighter = mean + 1.3 * (frames[:1] - mean) + 7
    found = model.measure(brighter).coefficients[0]
    assert found[0] == pytest.approx(7, abs=0.5)
    assert found[1] == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.0, -0.5), (0.3, 0.4)])
def test_small_motion_is_found_on_the_axis_where_it_happened(model, shift):
    moved = noisy(smooth_image(shift=shift), 1, seed=1).astype(np.float32)
    found = model.measure(moved).coefficients[0]
    # A frame moved by +d shows the median image minus d times its gradient.
    assert -found[2:] == pytest.approx(shift, abs=0.12)


def test_bright_cells_do_not_pass_for_a_brighter_frame(frames, model):
    active = frames[:1].copy()
    active[0, 5:15, 5:15] += 80
    found, still = model.measure(active).coefficients[0], model.measure(frames[:1]).coefficients[0]
    assert abs(found[1] - still[1]) < 0.02
    assert abs(found[0] - still[0]) < 0.5


def test_correcting_sums_equals_summing_corrected_frames(frames, model):
    block = model.measure(frames[:9] * 1.2 + 3)
    weights = np.random.default_rng(3).random((5, frames[0].size))
    corrected = block.deviations - block.coefficients @ model.basis.T.astype(float)
    corrected /= block.gain[:, None]
    sums = block.correct(weights @ block.deviations.T, weights @ model.basis.astype(float))
    np.testing.assert_allclose(sums, weights @ corrected.T, rtol=1e-4, atol=1e-2)


def test_a_frame_is_measured_alike_whatever_lies_beside_it_in_its_block(frames, model):
    together = model.measure(frames).coefficients
    alone = np.concatenate([model.measure(frames[i : i + 1]).coefficients for i in range(len(frames))])
    np.testing.assert_allclose(alone, together, rtol=1e-9, atol=1e-9)


def test_missing_pixels_hold_what_the_correction_predicts(frames, model):
    holed = frames[:2] * 1.5
    whole = model.measure(holed)
    holed[0, :4] = np.nan
    holed[1, 7, 7] = np.inf
    block = model.measure(holed)
    assert np.isfinite(block.deviations).all()
    np.testing.assert_allclose(block.coefficients, whole.coefficients, atol=0.5)
    predicted = model.basis[: 4 * SHAPE[1]] @ block.coefficients[0]
    np.testing.assert_allclose(block.deviations[0, : 4 * SHAPE[1]], predicted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("empty", [np.nan, np.inf, 0.0, 255.0])
def test_a_frame_that_is_not_finite_or_blank_is_missing(frames, model, empty):
    frames[3] = empty
    block = model.measure(frames[:6])
    assert list(np.flatnonzero(block.missing)) == [3]
    assert not block.deviations[3].any()
    assert not block.coefficients[3].any()


def test_a_mostly_nan_frame_is_missing_and_one_with_a_nan_border_is_not(frames, model):
    frames[2, :30] = np.nan
    frames[4, :10] = np.nan
    assert list(np.flatnonzero(model.measure(frames[:6]).missing)) == [2]


def test_frames_of_a_constant_movie_are_not_missing():
    frames = np.full((20, *SHAPE), 7, np.uint8)
    block = fit_frame_model(frames).measure(frames)
    assert not block.missing.any()
    assert not block.deviations.any()
    assert np.isfinite(block.coefficients).all()


def test_pixels_that_are_mostly_nan_are_used_nowhere(frames):
    frames[:, :3] = np.nan
    frames[:40, 3, 5] = np.nan
    frames[:10, 3, 6] = np.nan
    model = fit_frame_model(frames)
    valid = model.valid.reshape(SHAPE)
    assert not valid[:3].any()
    assert not valid[3, 5]
    assert valid[3, 6]
    assert not model.basis[~model.valid].any()
    assert not np.isin(model.probes, np.flatnonzero(~model.valid)).any()
    assert np.abs(model.basis[:, 2:]).max() < 15, "no false edge beside what is missing"


def test_nan_and_blank_frames_do_not_enter_the_median_image(frames):
    clean = fit_frame_model(frames[20:]).median
    frames[:10] = np.nan
    frames[10:20] = 0
    np.testing.assert_array_equal(fit_frame_model(frames).median, clean)


def test_a_movie_that_is_all_nan_is_refused():
    with pytest.raises(PredictionError, match="shows nothing"):
        fit_frame_model(np.full((5, *SHAPE), np.nan, np.float32))


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8"])
def test_the_type_of_the_pixels_does_not_matter(dtype):
    whole = np.round(noisy(smooth_image(), 30))
    expected = fit_frame_model(whole).measure(whole)
    stored = whole.astype(dtype)
    block = fit_frame_model(stored).measure(stored)
    np.testing.assert_allclose(block.deviations, expected.deviations, atol=1e-3)
    np.testing.assert_allclose(block.coefficients, expected.coefficients, atol=1e-3)


@pytest.mark.parametrize(("dtype", "offset"), [("u2", 65000), ("i4", 2_000_000_000), ("f8", 1e9)])
def test_a_huge_offset_does_not_cost_precision(dtype, offset):
    whole = np.round(noisy(smooth_image(), 30))
    expected = fit_frame_model(whole).measure(whole)
    stored = (whole + offset).astype(dtype)
    block = fit_frame_model(stored).measure(stored)
    np.testing.assert_allclose(block.deviations, expected.deviations, atol=1e-3)
    np.testing.assert_allclose(block.gain, expected.gain, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 30), (2, 30, 1), (3, 2, 2)])
def test_the_smallest_movies_give_finite_numbers(shape):
    frames = np.random.default_rng(0).integers(0, 99, shape).astype(np.uint16)
    block = fit_frame_model(frames).measure(frames)
    assert np.isfinite(block.deviations).all()
    assert np.isfinite(block.coefficients).all()


numbers = st.integers(-1000, 1000).map(float)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=numbers))
def test_median_and_percentiles_are_those_of_numpy(values):
    np.testing.assert_allclose(median(values), np.median(values, axis=-1))
    np.testing.assert_allclose(median(values.astype(int)), np.median(values, axis=-1))
    for percentage in (0.0, 30.0, 99.5, 100.0):
        expected = np.percentile(values, percentage, axis=-1)
        np.testing.assert_allclose(percentiles(values, percentage), expected, atol=1e-9)
