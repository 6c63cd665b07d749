"""Mocks show what they say they show: known activity, in the layout that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.testing import mock
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie, mock_recording, rois_of


def image_of(nwbfile, row: int, shape: tuple[int, int]) -> np.ndarray:
    table = rois_of(nwbfile)
    image = np.zeros(shape)
    if "image_mask" in table.colnames:
        return np.asarray(table["image_mask"][row])
    for x, y, *_, weight in table[table.colnames[0]][row]:
        image[int(x), int(y)] = weight
    return image


def test_the_same_seed_gives_the_same_recording_and_another_seed_another():
    assert np.array_equal(mock_recording(seed=1).frames, mock_recording(seed=1).frames)
    assert not np.array_equal(mock_recording(seed=1).frames, mock_recording(seed=2).frames)


def test_a_recording_has_the_shape_that_was_asked_for():
    made = mock_recording(n_rois=5, n_frames=60, shape=(30, 64))
    assert made.frames.shape == (60, 30, 64)
    assert made.active.shape == made.traces.shape == (60, 5)
    assert made.recording.require_rois().shape == (30, 64)
    assert made.recording.times.n_frames == 60


def test_cells_get_brighter_in_their_active_frames():
    made = mock_recording(n_rois=4, n_frames=400, seed=3)
    rois = made.recording.require_rois()
    for row in range(4):
        first, second = rois.pixels(row).T
        trace = made.frames[:, first, second].mean(axis=1)
        rise = np.diff(trace)
        active = made.active[:-1, row]
        assert rise[active].mean() > 10 * abs(rise[~active].mean())


@pytest.mark.parametrize("mask", ["image", "pixel", "voxel"])
@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_masks_lie_on_the_movie_or_exchanged_against_it(mask, exchanged, transposed):
    layout = MockLayout(mask=mask, exchanged=exchanged, transposed=transposed)
    nwbfile = mock_nwbfile_with_movie(n_rois=1, n_frames=50, layout=layout)
    movie = nwbfile.acquisition["TwoPhotonSeries"].data
    assert movie.shape == ((50, 48, 40) if transposed else (50, 40, 48))
    image = image_of(nwbfile, 0, movie.shape[1:][::-1] if exchanged else movie.shape[1:])
    if exchanged:
        image = image.T
    brightest = np.unravel_index(movie.mean(axis=0).argmax(), movie.shape[1:])
    assert image[brightest] > 0.8 * image.max()


def test_stored_traces_and_planes_are_there_and_the_file_can_be_written(tmp_path):
    nwbfile = mock_nwbfile_with_movie(layout=MockLayout(stored_traces=True, n_planes=2, truth=True))
    with NWBHDF5IO(tmp_path / "mock.nwb", "w") as io:
        io.write(nwbfile)
    assert set(nwbfile.acquisition) == {"TwoPhotonSeries", "TwoPhotonSeries2"}
    assert set(nwbfile.processing["ophys"]["Fluorescence"].roi_response_series) == {
        "RoiResponseSeries",
        "RoiResponseSeries2",
    }


def test_truth_holds_the_known_activity():
    made = mock_recording()
    nwbfile = mock_nwbfile_with_movie(mock=made, layout=MockLayout(truth=True))
    periods = nwbfile.processing["cinac"]["ActivityAnnotations"]
    active = np.zeros_like(made.active)
    for roi, first, last in zip(
        periods["roi"].data, periods["first_frame"].data, periods["last_frame"].data, strict=True
    ):
        active[first : last + 1, roi] = True
    assert np.array_equal(active, made.active)
    assert len(nwbfile.processing["cinac"]["AnnotatedSegments"]) == 3


@pytest.mark.parametrize("name", [name for name in mock.__all__ if name.startswith("mock_")])
def test_every_mock_is_made_in_one_line(name):
    assert getattr(mock, name)() is not None
