"""Pieces of traces: drawn by kind and by source, only where something is known, and never backwards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ndx_cinac.errors import ConfigError
from ndx_cinac.traces import CHANNELS
from ndx_cinac.training import AugmentationSettings, PieceSettings
from ndx_cinac.training.labelled import Example
from ndx_cinac.training.pieces import Pieces, Share

LENGTH = 40


def example(n_frames: int = 400, value: float = 0.0, n_rois: int = 3) -> Example:
    """Three ROIs: the first rises in frames 100 to 109, the second lies beside it, the third alone."""
    channels = np.zeros((n_rois, n_frames, len(CHANNELS)), np.float16)
    channels[..., 0] = value + np.arange(n_rois)[:, None] / 10
    active, neighbours = np.zeros((2, n_rois, n_frames), bool)
    active[0, 100:110] = True
    channels[0, 100:110, 4] = np.arange(1, 11) / 10
    if n_rois > 1:
        neighbours[1] = active[0]
    return Example(
        channels=channels,
        active=active,
        judged=np.ones((n_rois, n_frames), bool),
        taught=active.astype(np.float16),
        weight=np.ones((n_rois, n_frames), np.float16),
        by_annotator=np.zeros((0, n_rois, n_frames), np.int8),
        neighbours=neighbours,
        snr=np.ones(n_rois, np.float32),
        baseline=np.zeros((n_rois, n_frames), np.float32),
        frame_rate=10.0,
        pixel_size=1.0,
        diameters=np.full(n_rois, 8.0, np.float32),
    )


def draw(pieces: Pieces, number: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [pieces.draw() for _ in range(number)]
    return tuple(np.concatenate([p[i] for p in parts]) for i in range(3))  # type: ignore[return-value]


def test_kinds_are_drawn_as_often_as_asked():
    kinds = PieceSettings(transients=0.5, neighbours=0.3, noise=0.2)
    channels, active, _ = draw(Pieces([Share([example()])], LENGTH, 16, kinds=kinds))
    own = active.any(axis=1)
    assert own.mean() == pytest.approx(0.5, abs=0.06)
    roi = np.rint(channels[:, 0, 0] * 10)
    assert (roi[own] == 0).all()
    # a neighbour's transient is the second ROI's; noise is drawn from all three
    assert 0.3 < (roi == 1).mean() < 0.45


def test_a_kind_that_is_not_asked_for_is_not_drawn():
    kinds = PieceSettings(transients=1.0, neighbours=0.0, noise=0.0)
    _, active, _ = draw(Pieces([Share([example()])], LENGTH, 8, kinds=kinds))
    assert active.any(axis=1).all()


def test_sources_are_mixed_by_weight():
    shares = [Share([example(value=0.0)], 3.0), Share([example(value=5.0), example(value=5.0)], 1.0)]
    channels, _, _ = draw(Pieces(shares, LENGTH, 16))
    assert (channels[:, 0, 0] > 4).mean() == pytest.approx(0.25, abs=0.05)


def test_the_same_seed_draws_the_same_pieces_and_a_kept_state_goes_on():
    one, other, third = (Pieces([Share([example()], altered=True)], LENGTH, 4, seed=s) for s in (1, 1, 2))
    first = one.draw()
    for a, b in zip(first, other.draw(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], third.draw()[0])
    third.restore(json.loads(json.dumps(one.state())))
    for a, b in zip(one.draw(), third.draw(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pieces_lie_where_something_is_known():
    known = example()
    known.judged[:] = False
    known.judged[0, 90:130] = True
    known.weight[:] = known.judged
    pieces = Pieces([Share([known])], LENGTH, 8)
    _, _, judged = draw(pieces)
    assert (judged.sum(axis=1) >= 20).all()


def test_pieces_hold_what_is_taught_and_how_much_it_counts():
    known = example()
    known.taught[:], known.weight[:] = known.active * np.float16(0.75), 0.5
    for altered in (False, True):
        _, taught, weight = draw(Pieces([Share([known], altered=altered)], LENGTH, 8), 20)
        assert set(np.unique(taught)) == {0, 0.75}
        assert set(np.unique(weight)) <= {0, 0.5}


def test_a_short_recording_is_followed_by_frames_that_do_not_count():
    channels, _, judged = draw(Pieces([Share([example(n_frames=115)])], 150, 4), 3)
    assert channels.shape == (12, 150, len(CHANNELS))
    assert judged[:, :115].all()
    assert not judged[:, 115:].any()
    assert not channels[:, 115:].any()


def test_altered_pieces_vary_in_height_noise_and_time_but_rise_before_they_fall():
    settings = AugmentationSettings(pieces=1.0, piece_noise=0.0)
    kinds = PieceSettings(1.0, 0.0, 0.0)
    shares = [Share([example()], altered=True)]
    channels, active, _ = draw(Pieces(shares, LENGTH, 8, kinds=kinds, augmentation=settings))
    lengths = active.sum(axis=1)[(active[:, 0] == 0) & (active[:, -1] == 0)]
    assert lengths.min() < 9
    assert lengths.max() > 11
    peaks = channels[..., 4].max(axis=1)
    assert peaks.max() > 1.15
    inside = (active[:, 1:] > 0) & (active[:, :-1] > 0)
    assert (np.diff(channels[..., 4], axis=1)[inside] > 0.03).mean() > 0.85  # but for the last frame


def test_added_noise_lowers_the_signal_to_noise_channel():
    settings = AugmentationSettings(pieces=1.0, piece_noise=2.0, piece_amplitude=1.0, stretch=1.0)
    channels, _, _ = draw(Pieces([Share([example()], altered=True)], LENGTH, 8, augmentation=settings))
    asinh, ratio = (CHANNELS.index(n) for n in ("asinh(demixed / noise)", "log(amplitude / noise)"))
    assert channels[..., asinh].std() > 0.1
    assert channels[..., ratio].min() < -0.2
    assert channels[..., ratio].max() <= 0


def test_simulated_pieces_are_left_as_they_are():
    given = example(value=1.0)
    channels, _, _ = draw(Pieces([Share([given])], LENGTH, 8), 5)
    assert set(np.unique(channels[..., 0])) <= set(np.unique(given.channels[..., 0].astype(np.float32)))


def test_nothing_to_draw_is_refused():
    silent = example()
    silent.active[:] = False
    with pytest.raises(ConfigError, match="There is nothing to train on"):
        Pieces([Share([silent])], LENGTH, 8, kinds=PieceSettings(1.0, 0.0, 0.0))
    with pytest.raises(ConfigError, match="There is nothing to train on"):
        Pieces([Share([])], LENGTH, 8)
