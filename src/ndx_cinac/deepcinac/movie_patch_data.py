"""Windows of one cell as DeepCINAC hands them out: which frames a network is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..errors import PredictionError
from ..recording import CinacRecording
from .windows import active_windows, window_starts

Augmentation = Callable[[NDArray[Any]], NDArray[Any]]
"""Takes frames of shape (n_frames, height, width) and returns a changed copy."""


@dataclass(eq=False)
class MoviePatchData:
    """One window of frames of one cell.

    Attributes
    ----------
    cinac_recording : CinacRecording
        The recording.
    cell : int
        Row of the cell.
    index_movie : int
        First frame of the window in the whole movie.
    window_len : int
        Number of frames.
    cell_type_classifier_mode : bool
        Whether it is to be classified by cell type rather than by activity.
    data_augmentation_fct : callable or None
        What is done to the patch before the network sees it.
    ground_truth : ndarray or int or None
        Activity of each frame, or the code of the cell type, where known.
    session_id : str or None
        The session, where that matters.
    """

    cinac_recording: CinacRecording
    cell: int
    index_movie: int
    window_len: int
    cell_type_classifier_mode: bool = False
    data_augmentation_fct: Augmentation | None = None
    ground_truth: NDArray[Any] | int | None = None
    session_id: str | None = None

    @property
    def recording_identifier(self) -> str:
        """Identifier of the recording."""
        return self.cinac_recording.identifier

    @property
    def last_index_movie(self) -> int:
        """Last frame of the window; it belongs to it."""
        return self.index_movie + self.window_len - 1

    def copy(self) -> MoviePatchData:
        """Return another window of the same cell and frames, which can be augmented on its own."""
        return copy(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MoviePatchData):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, int, int]:
        """As in DeepCINAC, windows of the same cell and first frame are the same, augmented or not."""
        return self.recording_identifier, self.cell, self.index_movie


def load_data_for_prediction(
    cinac_recording: CinacRecording,
    cell: int,
    sliding_window_len: int,
    overlap_value: float,
    augmentation_functions: Sequence[Augmentation] | None,
    n_frames: int,
) -> tuple[list[MoviePatchData], list[int]]:
    """Lay windows over the whole movie, to predict a cell's activity.

    Parameters
    ----------
    cinac_recording : CinacRecording
        Movie and ROIs.
    cell : int
        Row of the cell.
    sliding_window_len : int
        Frames in a window.
    overlap_value : float
        Share of a window that the next one has too, from 0 to below 1.
    augmentation_functions : sequence of callable or None
        Each window comes once more for each of them, with the function set on it.
    n_frames : int
        Frames in the movie.

    Returns
    -------
    windows : list of MoviePatchData
    first_frames : list of int
        First frame of each.

    Raises
    ------
    PredictionError
        If the movie is shorter than a window, or the overlap is out of range.
    """
    _check_cell(cinac_recording, cell)
    starts = window_starts(n_frames, sliding_window_len, overlap_value)
    windows = (MoviePatchData(cinac_recording, cell, int(first), sliding_window_len) for first in starts)
    return _with_augmentations(windows, augmentation_functions)


def load_data_for_cell_type_prediction(
    cinac_recording: CinacRecording,
    cell: int,
    sliding_window_len: int,
    overlap_value: float,
    augmentation_functions: Sequence[Augmentation] | None,
    n_frames: int,
    n_windows_len_to_keep_by_cell: int = 2,
) -> tuple[list[MoviePatchData], list[int]]:
    """Choose the windows in which a cell is most active, to predict its type.

    Parameters
    ----------
    cinac_recording, cell, sliding_window_len, overlap_value, augmentation_functions, n_frames
        As in `load_data_for_prediction`.
    n_windows_len_to_keep_by_cell : int, default: 2
        How many windows are kept, the most active first; fewer where the movie has fewer.

    Returns
    -------
    windows : list of MoviePatchData
    first_frames : list of int
        First frame of each.

    Raises
    ------
    PredictionError
        If the movie is shorter than a window, or the overlap is out of range.
    """
    _check_cell(cinac_recording, cell)
    trace = cinac_recording.get_smooth_traces(normalized=True)[cell, :n_frames]
    starts = active_windows(trace, sliding_window_len, overlap_value, n_windows_len_to_keep_by_cell)
    windows = (
        MoviePatchData(cinac_recording, cell, int(first), sliding_window_len, cell_type_classifier_mode=True)
        for first in starts
    )
    return _with_augmentations(windows, augmentation_functions)


def _with_augmentations(
    windows: Iterable[MoviePatchData], functions: Sequence[Augmentation] | None
) -> tuple[list[MoviePatchData], list[int]]:
    """Put behind each window a copy of it for each function; list them with their first frames."""
    found: list[MoviePatchData] = []
    for window in windows:
        found.append(window)
        for function in functions or ():
            augmented = window.copy()
            augmented.data_augmentation_fct = function
            found.append(augmented)
    return found, [window.index_movie for window in found]


def _check_cell(recording: CinacRecording, cell: int) -> None:
    if not 0 <= int(cell) < recording.get_n_cells():
        what = f"There is no cell {cell}; the recording has {recording.get_n_cells()}"
        raise PredictionError(
            what, where=f"recording '{recording.identifier}'", fix="Cells are counted from 0"
        )
