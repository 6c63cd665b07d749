"""Altered versions of recordings: movie, masks and labels stay together, and time runs forwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from labelled_files import labelled_recording

from ndx_cinac.evaluation.baselines import mean_traces
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.training import AugmentationSettings
from ndx_cinac.training.augmentation import Alteration, AlteredMovie, alter, alter_masks, draw_alteration
from ndx_cinac.training.labelled import LabelledMovie

NONE = Alteration(
    flip=False,
    turns=0,
    angle=0.0,
    move=(0.0, 0.0),
    drift=0.0,
    gain=1.0,
    flicker=0.0,
    noise=0.0,
    mask_errors=0.0,
    stretch=1.0,
    seed=5,
)


@pytest.fixture(scope="module")
def labelled() -> LabelledMovie:
    mock = labelled_recording(4, 120)
    recording = mock.recording
    return LabelledMovie(
        name="mock",
        movie=recording.require_movie(),
        rois=recording.require_rois(),
        active=mock.active,
        judged=np.ones_like(mock.active),
        frame_rate=10.0,
        pixel_size=2.0,
    )


def traces(labelled: LabelledMovie) -> np.ndarray:
    return mean_traces(labelled.movie, labelled.rois)


def test_no_alteration_changes_nothing(labelled):
    same = alter(labelled, NONE)
    np.testing.assert_array_equal(same.movie.read(0, 120), labelled.movie.read(0, 120))
    for row in range(4):
        np.testing.assert_array_equal(same.rois.pixels(row), labelled.rois.pixels(row))
    np.testing.assert_array_equal(same.active, labelled.active)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_masks_turn_with_the_movie(labelled, turns, flip):
    turned = alter(labelled, replace(NONE, turns=turns, flip=flip))
    assert turned.movie.shape[1:] == turned.rois.shape == ((48, 40) if turns % 2 else (40, 48))
    np.testing.assert_allclose(traces(turned), traces(labelled), rtol=1e-5)


def test_masks_follow_small_turns_and_moves(labelled):
    turned = alter(labelled, replace(NONE, angle=0.15, move=(0.8, -0.6), turns=1, flip=True))
    before, after = traces(labelled), traces(turned)
    for row in range(4):
        assert np.corrcoef(before[:, row], after[:, row])[0, 1] > 0.98
        assert abs(len(turned.rois.pixels(row)) - len(labelled.rois.pixels(row))) <= 4


def test_a_frame_is_altered_alike_however_it_is_read(labelled):
    alteration = replace(NONE, noise=0.5, drift=0.4, flicker=0.02, stretch=1.3, gain=1.2)
    movie = AlteredMovie(labelled.movie, alteration)
    whole = movie.read(0, movie.n_frames)
    pieces = [movie.read(start, min(start + 7, movie.n_frames)) for start in range(0, movie.n_frames, 7)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    other = AlteredMovie(labelled.movie, replace(alteration, seed=6)).read(0, movie.n_frames)
    assert not np.array_equal(other, whole)


def test_brightness_and_noise_are_what_was_drawn(labelled):
    before = labelled.movie.read(0, 120).astype(np.float32)
    np.testing.assert_allclose(
        AlteredMovie(labelled.movie, replace(NONE, gain=1.5)).read(0, 120), before * 1.5
    )
    added = AlteredMovie(labelled.movie, replace(NONE, noise=0.5)).read(0, 120) - before
    assert added.std() == pytest.approx(0.5 * 20.0, rel=0.15)


@pytest.mark.parametrize("stretch", [0.75, 1.3])
def test_stretched_time_takes_labels_and_frame_rate_along(labelled, stretch):
    stretched = alter(labelled, replace(NONE, stretch=stretch))
    n_frames = round(120 * stretch)
    assert stretched.movie.n_frames == len(stretched.active) == len(stretched.judged) == n_frames
    assert stretched.frame_rate == pytest.approx(10.0 * n_frames / 120)
    assert stretched.active.mean() == pytest.approx(labelled.active.mean(), rel=0.1)
    rise = np.diff(traces(stretched), axis=0)
    assert rise[stretched.active[1:]].mean() > 10 * abs(rise[~stretched.active[1:]].mean())


def test_stretched_frames_are_as_noisy_as_the_recording(labelled):
    rng = np.random.default_rng(0)
    movie = ArrayMovie((1000 + rng.normal(0, 30, (200, 20, 20))).astype(np.float32))
    stretched = AlteredMovie(movie, replace(NONE, stretch=1.3))
    assert stretched.read(0, stretched.n_frames).std() == pytest.approx(30, rel=0.05)


def test_blank_frames_stay_blank(labelled):
    frames = labelled.movie.read(0, 120).copy()
    frames[50] = 0
    altered = AlteredMovie(ArrayMovie(frames), replace(NONE, noise=0.7, gain=1.3)).read(45, 55)
    assert np.ptp(altered[5]) == 0
    assert (np.ptp(altered, axis=(1, 2)) > 0).sum() == 9


def test_wrong_masks_are_a_pixel_smaller_larger_or_moved(labelled):
    altered = [alter_masks(labelled.rois, replace(NONE, mask_errors=1.0, seed=seed)) for seed in range(12)]
    sizes = np.array([rois.n_pixels for rois in altered]) / labelled.rois.n_pixels
    assert sizes.min() < 0.75
    assert sizes.max() > 1.3
    same_size = [
        (rois, row) for rois, ratio in zip(altered, sizes, strict=True) for row in np.flatnonzero(ratio == 1)
    ]
    assert any(not np.array_equal(r.pixels(row), labelled.rois.pixels(row)) for r, row in same_size)


def test_masks_that_leave_the_field_are_left_out(labelled):
    gone = alter_masks(labelled.rois, replace(NONE, move=(100.0, 0.0)))
    assert not len(gone.kept)
    assert set(gone.skipped.values()) == {"turned out of the field"}


def test_alterations_are_drawn_within_their_settings():
    settings = AugmentationSettings(stretch=1.2, brightness=2.0, rotation=5.0, shift=0.3, noise=0.4)
    drawn = [draw_alteration(settings, np.random.default_rng(seed)) for seed in range(200)]
    assert {d.turns for d in drawn} == {0, 1, 2, 3}
    assert max(d.stretch for d in drawn) <= 1.2
    assert min(d.stretch for d in drawn) >= 1 / 1.2
    assert max(abs(d.angle) for d in drawn) <= np.radians(5.0)
    assert 0.3 < np.mean([d.angle == 0 for d in drawn]) < 0.7
    still = replace(settings, flips=False)
    assert {draw_alteration(still, np.random.default_rng(s)).turns for s in range(20)} == {0}
