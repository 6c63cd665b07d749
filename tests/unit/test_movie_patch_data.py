"""Windows of DeepCINAC's interface, against those that it laid and chose itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.cinac_predictor import (
    MoviePatchData,
    load_data_for_cell_type_prediction,
    load_data_for_prediction,
)
from ndx_cinac.cinac_structures import CinacRecording
from ndx_cinac.errors import PredictionError

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
WINDOWS = json.loads((DATA / "windows.json").read_text())
CELL_TYPE = "cell_type(window_len=50,n_frames=230)"


@pytest.fixture(scope="module")
def recording():
    with np.load(DATA / "recording.npz") as stored:
        made = CinacRecording("reference")
        made.set_movie(stored["movie"].astype(np.float64))
        made.set_rois_using_pixel_mask(np.split(stored["pixels"], stored["pixels_index"][:-1]))
    return made


def test_windows_over_a_movie_are_deepcinacs(recording):
    for case, expected in WINDOWS["activity"].items():
        n_frames, window, overlap = case.split(",")
        windows, first = load_data_for_prediction(
            recording, 0, int(window), float(overlap), None, int(n_frames)
        )
        assert first == expected, case
        assert [w.index_movie for w in windows] == expected
        assert {w.last_index_movie - w.index_movie + 1 for w in windows} == {int(window)}


def test_windows_chosen_for_cell_types_are_deepcinacs(recording):
    for case, expected in WINDOWS[CELL_TYPE].items():
        cell, n_windows, overlap = case.split(",")
        windows, first = load_data_for_cell_type_prediction(
            recording, int(cell), 50, float(overlap), None, 230, n_windows_len_to_keep_by_cell=int(n_windows)
        )
        assert first == expected, case
        assert all(w.cell_type_classifier_mode for w in windows)


def test_every_window_is_followed_by_its_augmentations(recording):
    functions = [np.fliplr, np.flipud]
    windows, first = load_data_for_prediction(recording, 2, 40, 0.5, functions, 230)
    assert len(windows) == len(first) == 3 * len(WINDOWS["activity"]["230,40,0.5"])
    assert [w.data_augmentation_fct for w in windows[:4]] == [None, np.fliplr, np.flipud, None]
    assert first[:4] == [0, 0, 0, 20]


def test_a_window_names_its_recording_and_equals_windows_of_the_same_cell_and_frame(recording):
    window = MoviePatchData(recording, cell=3, index_movie=10, window_len=40)
    augmented = window.copy()
    augmented.data_augmentation_fct = np.fliplr
    assert window.data_augmentation_fct is None
    assert (window.recording_identifier, window.last_index_movie) == ("reference", 49)
    assert window == augmented
    assert window != MoviePatchData(recording, cell=3, index_movie=11, window_len=40)
    assert window != "window"
    assert len({window, augmented}) == 1


@pytest.mark.parametrize("cell", [-1, 8])
@pytest.mark.parametrize("load", [load_data_for_prediction, load_data_for_cell_type_prediction])
def test_a_cell_that_is_not_there_is_refused(recording, load, cell):
    with pytest.raises(PredictionError, match=f"no cell {cell}; the recording has 8.*'reference'"):
        load(recording, cell, 40, 0.5, None, 230)
