"""Axes: the order of masks and movie is found by evidence, in a fixed order, and the evidence is told."""

from __future__ import annotations

import numpy as np
import pytest
from nwb_builders import boxes, noise

from ndx_cinac.errors import ConfigError, ReadingError
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.reading.axes import decide_axes, lay_on_movie
from ndx_cinac.reading.masks import MaskPixels
from ndx_cinac.reading.stored_traces import StoredTraces

FLAT, SQUARE = (20, 28), (26, 26)


def masks_of(
    rois: list, *, exchanged: bool = False, image_shape: tuple[int, int] | None = None
) -> MaskPixels:
    pixels = np.concatenate([roi[:, ::-1] if exchanged else roi for roi in rois])
    starts = np.concatenate([[0], np.cumsum([len(roi) for roi in rois])])
    ones = np.ones(len(pixels), np.float32)
    return MaskPixels("pixel_mask", *pixels.T, ones, starts, np.arange(len(rois)), image_shape)


def traces_of(movie: np.ndarray, rois: list, scale: float = 1.0) -> np.ndarray:
    return np.stack([scale * movie[:, p[:, 0], p[:, 1]].mean(axis=1) for p in rois], axis=1)


def stored(data: np.ndarray, n_rois: int | None = None) -> StoredTraces:
    return StoredTraces("processing/ophys/Fluorescence/Raw", data, np.arange(n_rois or data.shape[1]))


ORDERS = pytest.mark.parametrize(("exchanged", "order"), [(False, "matching"), (True, "exchanged")])


@pytest.mark.parametrize("option", ["matching", "exchanged"])
def test_what_the_user_says_goes_before_everything(option):
    axes = decide_axes(masks_of(boxes(FLAT)), ArrayMovie(noise(FLAT)), (), option).axes
    assert (axes.masks, axes.evidence) == (option, "user")


@pytest.mark.parametrize(("image_shape", "order"), [((20, 28), "matching"), ((28, 20), "exchanged")])
def test_the_shape_of_image_masks_decides(image_shape, order):
    axes = decide_axes(masks_of(boxes(FLAT), image_shape=image_shape), ArrayMovie(noise(FLAT))).axes
    assert (axes.masks, axes.evidence) == (order, "bounds")
    assert str(image_shape) in axes.detail


@ORDERS
def test_pixels_out_of_bounds_decide_with_their_count(exchanged, order):
    rois = boxes(FLAT, 12)
    leaving = sum((roi[:, 1] >= 20).any() for roi in rois)
    assert leaving >= 3
    axes = decide_axes(masks_of(rois, exchanged=exchanged), ArrayMovie(noise(FLAT))).axes
    assert (axes.masks, axes.evidence) == (order, "bounds")
    assert axes.detail.startswith(f"{leaving} of 12 ROIs leave the frame")


@ORDERS
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_stored_traces_decide_on_square_frames(exchanged, order, scale):
    rois, movie = boxes(SQUARE), noise(SQUARE)
    decision = decide_axes(
        masks_of(rois, exchanged=exchanged), ArrayMovie(movie), [stored(traces_of(movie, rois, scale))]
    )
    assert (decision.axes.masks, decision.axes.evidence) == (order, "stored traces")
    assert "correlate with the movie at 1.00" in decision.axes.detail
    assert decision.notes == ()


def test_transposed_stored_traces_decide_too():
    rois, movie = boxes(SQUARE), noise(SQUARE)
    found = decide_axes(
        masks_of(rois, exchanged=True), ArrayMovie(movie), [stored(traces_of(movie, rois).T, len(rois))]
    )
    assert (found.axes.masks, found.axes.evidence) == ("exchanged", "stored traces")


def test_traces_that_do_not_tell_are_passed_over_for_those_that_do():
    rois, movie = boxes(SQUARE), noise(SQUARE)
    useless = [
        stored(np.random.default_rng(0).random((60, 8))),
        stored(np.zeros((60, 8))),
        stored(np.full((60, 8), np.nan)),
        stored(np.ones((7, 8))),
        stored(np.ones((60, 5)), 8),
    ]
    found = decide_axes(
        masks_of(rois, exchanged=True), ArrayMovie(movie), [*useless, stored(traces_of(movie, rois))]
    )
    assert found.axes.evidence == "stored traces"


def test_traces_of_some_rows_and_one_frame_more_decide():
    rois, movie = boxes(SQUARE), noise(SQUARE)
    data = np.concatenate([traces_of(movie, rois)[:, 3:6], np.zeros((1, 3))])
    some = StoredTraces("R", data, np.array([3, 4, 5]))
    found = decide_axes(masks_of(rois, exchanged=True), ArrayMovie(movie), [some])
    assert (found.axes.masks, found.axes.evidence) == ("exchanged", "stored traces")


def test_nan_frames_do_not_hinder_the_comparison():
    rois, movie = boxes(SQUARE), noise(SQUARE).astype(np.float32)
    data = traces_of(movie, rois)
    movie[10:14] = np.nan
    movie[:, :1] = np.nan
    assert (
        decide_axes(masks_of(rois, exchanged=True), ArrayMovie(movie), [stored(data)]).axes.masks
        == "exchanged"
    )


def test_a_common_background_does_not_decide():
    rois = boxes(SQUARE)
    common = np.random.default_rng(0).normal(size=60)
    movie = 100 + common[:, None, None] + np.zeros((60, *SQUARE))
    found = decide_axes(masks_of(rois), ArrayMovie(movie), [stored(np.repeat(common[:, None], 8, axis=1))])
    assert found.axes.evidence == "schema"
    assert "which does not tell" in found.notes[0]


@pytest.mark.parametrize(
    ("shape", "words"), [(SQUARE, "frames are square"), ((20, 22), "all ROIs fit in either way")]
)
def test_without_evidence_the_schema_is_taken_with_a_note(shape, words):
    rois = [roi for roi in boxes((20, 20)) if roi.max() < 20]
    found = decide_axes(masks_of(rois), ArrayMovie(noise(shape)))
    assert (found.axes.masks, found.axes.evidence) == ("matching", "schema")
    assert words in found.notes[0]
    assert "--axes exchanged" in found.notes[0]


def test_a_constant_movie_leaves_the_schema():
    found = decide_axes(
        masks_of(boxes(SQUARE)), ArrayMovie(np.ones((60, *SQUARE))), [stored(noise((2, 4)).reshape(60, 8))]
    )
    assert found.axes.evidence == "schema"


def test_one_damaged_roi_does_not_outvote_stored_traces():
    rois, movie = [roi for roi in boxes(FLAT, 40) if roi[:, 1].max() < 20], noise(FLAT)
    data = traces_of(movie, rois)
    rois[0] = rois[0] + [8, 0]
    rois[0][:, 0] = np.maximum(rois[0][:, 0], 21)
    found = decide_axes(masks_of(rois), ArrayMovie(movie), [stored(data)])
    assert (found.axes.masks, found.axes.evidence) == ("matching", "stored traces")
    assert "against that, 1 of" in found.axes.detail


def test_bounds_that_traces_confirm_stay_the_evidence():
    rois, movie = boxes(FLAT, 3, seed=3), noise(FLAT)
    rois[0] = np.array([[2, 24], [2, 25]])
    rois[1:] = [np.array([[2, 8], [2, 9]]), np.array([[12, 3], [12, 4]])]
    found = decide_axes(masks_of(rois), ArrayMovie(movie), [stored(traces_of(movie, rois))])
    assert (found.axes.masks, found.axes.evidence) == ("matching", "bounds")
    assert "correlate" in found.axes.detail


def test_image_masks_of_another_shape_are_refused_with_both_shapes():
    with pytest.raises(
        ReadingError, match=r"image_mask has shape \(10, 14\), the movie's frames .* \(20, 28\)"
    ):
        decide_axes(masks_of(boxes(FLAT), image_shape=(10, 14)), ArrayMovie(noise(FLAT)))


def test_axes_that_image_masks_contradict_are_refused():
    with pytest.raises(ReadingError, match=r"axes='exchanged' was asked for.*only 'matching' fits"):
        decide_axes(masks_of(boxes(FLAT), image_shape=FLAT), ArrayMovie(noise(FLAT)), (), "exchanged")


def test_an_unknown_option_is_refused():
    with pytest.raises(ConfigError, match="axes='yx' is not known"):
        decide_axes(masks_of(boxes(FLAT)), ArrayMovie(noise(FLAT)), (), "yx")


@ORDERS
def test_masks_are_laid_on_the_movies_axes(exchanged, order):
    rois = boxes(FLAT)
    laid, notes = lay_on_movie(masks_of(rois, exchanged=exchanged), FLAT, order)
    assert [sorted(map(tuple, laid.pixels(row).tolist())) for row in range(8)] == [
        sorted(map(tuple, roi.tolist())) for roi in rois
    ]
    assert laid.shape == FLAT
    assert notes == ()


def test_one_pixel_border_and_overlapping_rois_are_kept():
    rois = [
        np.array([[0, 0]]),
        np.array([[19, 27], [19, 26]]),
        np.array([[5, 5], [5, 6]]),
        np.array([[5, 6], [5, 7]]),
    ]
    laid, _ = lay_on_movie(masks_of(rois), FLAT, "matching")
    assert laid.skipped == {}
    assert laid.n_pixels.tolist() == [1, 2, 2, 2]


def test_rois_outside_of_the_frame_are_skipped_and_rows_stay_rows():
    rois = [np.array([[50, 50], [51, 50]]), np.array([[5, 5]]), np.array([[-1, 3], [-2, 3], [0, 3]])]
    laid, _ = lay_on_movie(masks_of(rois), FLAT, "matching")
    assert laid.skipped == {
        0: "2 of its 2 pixels lie outside of the frame (20, 28)",
        2: "2 of its 3 pixels lie outside of the frame (20, 28)",
    }
    assert len(laid) == 3
    assert laid.kept.tolist() == [1]


def test_a_roi_that_reaches_out_of_the_frame_is_used_without_those_pixels_and_noted():
    laid, notes = lay_on_movie(masks_of([np.array([[18, 3], [19, 3], [20, 3]])]), FLAT, "matching")
    assert laid.n_pixels.tolist() == [2]
    assert laid.skipped == {}
    assert "row 0: 1 of 3 pixels" in notes[0]


def test_an_oversized_roi_is_skipped_with_its_size():
    a, b = np.meshgrid(np.arange(20), np.arange(8), indexing="ij")
    laid, _ = lay_on_movie(masks_of([np.stack([a.ravel(), b.ravel()], 1)]), FLAT, "matching")
    assert laid.skipped[0].startswith("its 160 pixels are more than 25% of the field")
    assert laid.n_pixels.tolist() == [160]


def test_pixels_given_twice_count_once():
    laid, _ = lay_on_movie(masks_of([np.array([[3, 4], [3, 4], [3, 5]])]), FLAT, "matching")
    assert laid.n_pixels.tolist() == [2]
