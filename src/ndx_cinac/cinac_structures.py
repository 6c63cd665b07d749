"""DeepCINAC's names for a recording and its movie: what scripts import from `deepcinac.cinac_structures`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .deepcinac.patches import movie_normalization
from .errors import ReadingError
from .movies import ArrayMovie, Movie
from .recording import CinacRecording

if TYPE_CHECKING:
    from .cinac_files import CinacFile

__all__ = [
    "CinacDataMovie",
    "CinacMovie",
    "CinacRecording",
    "CinacTiffMovie",
    "create_cinac_recording_from_cinac_file_segment",
]


class CinacMovie(Movie):
    """A movie with DeepCINAC's methods around any other.

    Attributes
    ----------
    already_normalized : bool
        Whether the frames are standard scores over the whole movie already.
    """

    def __init__(self, source: Movie, *, already_normalized: bool = False) -> None:
        self._source = source
        self.already_normalized = already_normalized
        self.shape, self.dtype, self.chunk_frames = source.shape, source.dtype, source.chunk_frames

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive)."""
        return self._source.read(start, stop)

    def close(self) -> None:
        """Close the movie around which this one was made."""
        self._source.close()

    def get_n_frames(self) -> int:
        """Return the number of frames."""
        return self.n_frames

    def get_dimensions(self) -> tuple[int, int]:
        """Return the frames' (height, width)."""
        return self.shape[1], self.shape[2]

    def get_full_movie(self, normalized: bool) -> NDArray[Any]:
        """Return all frames, loaded into memory; as standard scores over the whole movie on request."""
        frames = self.read(0, self.n_frames)
        if not normalized or self.already_normalized:
            return frames
        return movie_normalization(self)(frames)


class CinacDataMovie(CinacMovie):
    """A movie given as an array.

    Parameters
    ----------
    movie : ndarray, shape (n_frames, y, x)
    already_normalized : bool
        Whether it holds standard scores over the whole movie already.
    """

    def __init__(self, movie: NDArray[Any], already_normalized: bool = False) -> None:
        super().__init__(ArrayMovie(np.asanyarray(movie)), already_normalized=already_normalized)


class CinacTiffMovie(CinacMovie):
    """A movie in a TIFF file, read frame by frame when it is needed, or given as an array.

    Parameters
    ----------
    tiff_file_name : str or Path, optional
        The file.
    tiff_movie : ndarray, shape (n_frames, y, x), optional
        Used instead of the file where both are given.

    Raises
    ------
    ReadingError
        If neither is given, or the file cannot be read.
    """

    def __init__(
        self, tiff_file_name: str | Path | None = None, tiff_movie: NDArray[Any] | None = None
    ) -> None:
        if tiff_movie is not None:
            super().__init__(ArrayMovie(np.asanyarray(tiff_movie)))
            return
        if tiff_file_name is None:
            what = "A TIFF movie needs a file or an array, neither was given"
            raise ReadingError(what, fix="Give tiff_file_name or tiff_movie")
        from .reading.tiff_movies import TiffMovie

        super().__init__(TiffMovie([Path(tiff_file_name)]))


def create_cinac_recording_from_cinac_file_segment(
    identifier: str, cinac_file_reader: CinacFile, segment: tuple[int, int, int]
) -> CinacRecording:
    """Make a recording of one segment: the movie around its cell, and the ROIs in it.

    The cell itself is ROI 0; the others are those that touch it. The pixels are used as they are stored, as
    DeepCINAC does: its annotation tool stores standard scores over the whole movie.

    Parameters
    ----------
    identifier : str
        Identifier of the recording.
    cinac_file_reader : CinacFile
        An open file.
    segment : (cell, first frame, last frame)
        One of its segments.

    Returns
    -------
    CinacRecording
        Without the contours that are marked as invalid; with the cell's type and its stored smooth trace.
    """
    stored = cinac_file_reader.read_segment(segment)
    recording = CinacRecording(identifier)
    recording.set_movie(CinacDataMovie(stored.movie, already_normalized=True))
    recording.set_rois_2d_array(stored.valid_contours, from_matlab=False)
    if stored.smooth_trace is not None:
        recording.set_smooth_traces(stored.smooth_trace[np.newaxis])
    recording.cell_type = stored.cell_type
    return recording
