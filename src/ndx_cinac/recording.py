"""A recording: a lazy movie, its ROIs and its times, read from NWB or made from arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .deepcinac.recording import DeepcinacRecording
from .errors import ReadingError
from .movies import Movie
from .rois import Rois

MaskOrder = Literal["matching", "exchanged"]
Evidence = Literal["user", "bounds", "stored traces", "schema", "arrays"]


@dataclass(frozen=True)
class Times:
    """When each frame was taken, in seconds from the session's start.

    Either `rate` and `starting_time` or `timestamps` (shape (n_frames,)) is given, as in the movie's series.
    """

    n_frames: int
    rate: float | None = None
    starting_time: float = 0.0
    timestamps: NDArray[np.float64] | None = None

    @property
    def frame_rate(self) -> float:
        """Frames per second: the rate, or one over the median interval; NaN where neither is known."""
        if self.rate is not None and self.rate > 0:
            return float(self.rate)
        if self.timestamps is not None and len(self.timestamps) > 1:
            interval = float(np.median(np.diff(self.timestamps)))
            return 1.0 / interval if interval > 0 else float("nan")
        return float("nan")

    @property
    def frame_interval(self) -> float:
        """Seconds from one frame to the next; 1 where the frame rate is not known."""
        return 1.0 / self.frame_rate if self.frame_rate > 0 else 1.0

    def seconds(self) -> NDArray[np.float64]:
        """Time of every frame, shape (n_frames,)."""
        if self.timestamps is not None:
            return self.timestamps[: self.n_frames]
        seconds = self.starting_time + np.arange(self.n_frames, dtype=np.float64) * self.frame_interval
        return np.asarray(seconds, dtype=np.float64)


@dataclass(frozen=True)
class Axes:
    """How the masks' axes lie against the movie's, and how that was found.

    Attributes
    ----------
    masks : {"matching", "exchanged"}
        Whether a mask's first coordinate (x of `pixel_mask`, first axis of `image_mask`) runs along the
        movie's first spatial axis or along its second.
    evidence : {"user", "bounds", "stored traces", "schema", "arrays"}
        What decided.
    detail : str
        The figures behind it, in a sentence.
    """

    masks: MaskOrder = "matching"
    evidence: Evidence = "arrays"
    detail: str = "masks and movie were given as arrays on the same axes"


@dataclass(frozen=True)
class Source:
    """Where a recording came from: enough to link to it and to find it again.

    Object ids and paths are those of NWB objects; `path` is None for an NWBFile that lives only in memory.
    `dandi_asset` and `digest` ("algorithm:value") are those of a file that comes from a DANDI archive.
    """

    path: Path | None
    file_identifier: str
    movie_path: str
    movie_id: str
    segmentation_path: str
    segmentation_id: str
    session_description: str = ""
    dandi_asset: str | None = None
    digest: str | None = None


@dataclass
class CinacRecording(DeepcinacRecording):
    """A calcium-imaging movie with its ROIs and times; nothing of the movie is loaded until it is asked for.

    Use as a context manager, or call `close`, when it was read from a file.

    Attributes
    ----------
    identifier : str
        A name for messages and file names.
    movie : Movie or None
        The lazy movie.
    rois : Rois or None
        The ROIs, on the movie's axes.
    times : Times or None
        When each frame was taken.
    axes : Axes
        How masks and movie were brought together.
    source : Source or None
        The NWB objects that this was read from.
    pixel_size : float or None
        Micrometres per pixel, where the imaging plane says so.
    notes : list of str
        What a user should know about this recording: one sentence each.
    """

    identifier: str
    movie: Movie | None = None
    rois: Rois | None = None
    times: Times | None = None
    axes: Axes = field(default_factory=Axes)
    source: Source | None = None
    pixel_size: float | None = None
    notes: list[str] = field(default_factory=list)
    _on_close: Callable[[], None] | None = field(default=None, repr=False)

    def require_movie(self) -> Movie:
        """Return the movie.

        Raises
        ------
        ReadingError
            If none was set.
        """
        if self.movie is None:
            what = f"Recording '{self.identifier}' has no movie"
            raise ReadingError(what, fix="Set one with set_movie, or use read_recording")
        return self.movie

    def require_rois(self) -> Rois:
        """Return the ROIs.

        Raises
        ------
        ReadingError
            If none were set.
        """
        if self.rois is None:
            what = f"Recording '{self.identifier}' has no ROIs"
            raise ReadingError(what, fix="Set them with one of the set_rois methods, or use read_recording")
        return self.rois

    def close(self) -> None:
        """Close the files that this recording holds open."""
        if self.movie is not None:
            self.movie.close()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def __enter__(self) -> CinacRecording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
