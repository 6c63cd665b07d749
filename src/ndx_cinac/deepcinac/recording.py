"""DeepCINAC's way to fill a recording: its setters of movie and ROIs, and the outlines and traces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ReadingError
from ..movies import ArrayMovie, Movie
from ..rois import Rois
from .geometry import Outlines, normalized_traces, raw_traces, smooth_traces
from .patches import Normalization, movie_normalization
from .polygons import draw_polygon

if TYPE_CHECKING:
    from ..recording import Times

SMOOTH_OFFSET = -2.0
"""DeepCINAC lowers its normalized smooth traces by this much, to draw them below the raw ones."""


class DeepcinacRecording:
    """What DeepCINAC's `CinacRecording` offers, for recordings made from arrays and read from NWB alike.

    In these methods x runs along the movie's second spatial axis (its columns), y along its first.

    Attributes
    ----------
    cell_type : str or None
        The type of the cell that the recording is about, where it is about one.
    """

    identifier: str
    movie: Movie | None
    rois: Rois | None
    times: Times | None
    cell_type: str | None = None
    _outlines: Outlines | None = None
    _traced: list[NDArray[np.bool_]] | None = None
    _normalization: Normalization | None = None
    _traces: dict[tuple[str, bool], NDArray[np.float64]] | None = None

    @property
    def cinac_movie(self) -> Movie | None:
        """The movie, under the name that it has in DeepCINAC."""
        return self.movie

    def set_movie(self, cinac_movie: Movie | ArrayLike) -> None:
        """Set the movie.

        Parameters
        ----------
        cinac_movie : Movie or array_like, shape (n_frames, y, x)
            A movie of `ndx_cinac.cinac_structures` or `ndx_cinac.movies`, or its frames.
        """
        from ..recording import Times

        self.movie = cinac_movie if isinstance(cinac_movie, Movie) else ArrayMovie(np.asarray(cinac_movie))
        self.times = Times(self.movie.n_frames)
        self._normalization, self._traces = None, None

    def set_rois_using_pixel_mask(self, pixel_masks: Iterable[Iterable[Sequence[float]]]) -> None:
        """Set the ROIs by their pixels.

        Parameters
        ----------
        pixel_masks : iterable of iterables of (x, y) or (x, y, weight)
            One for each ROI.

        Raises
        ------
        ReadingError
            If no movie was set, or a pixel lies outside its frames.
        """
        entries = [np.array([tuple(pixel) for pixel in mask], dtype=np.float64) for mask in pixel_masks]
        entries = [entry.reshape(len(entry), -1) if len(entry) else np.zeros((0, 2)) for entry in entries]
        pixels = [entry[:, 1::-1] for entry in entries]
        weights = [entry[:, 2] if entry.shape[1] > 2 else np.ones(len(entry)) for entry in entries]
        empty = {row: "it has no pixels" for row, entry in enumerate(entries) if len(entry) == 0}
        self._set_rois(Rois.from_pixels(pixels, self._frame(), weights=weights, skipped=empty))

    def set_rois_2d_array(self, coord: Iterable[ArrayLike], from_matlab: bool) -> None:
        """Set the ROIs by their contours.

        Parameters
        ----------
        coord : iterable of array_like, shape (2, n) or (n, 2)
            For each ROI the x and the y of its contour's corners, in this order.
        from_matlab : bool
            Whether the coordinates begin at 1.

        Raises
        ------
        ReadingError
            If no movie was set, or a contour has another shape.
        """
        contours = [_contour(row, corners) - (1 if from_matlab else 0) for row, corners in enumerate(coord)]
        outlines, frame = Outlines.from_contours(contours), self._frame()
        masks = [draw_polygon(polygon, *frame) for polygon in outlines.polygons]
        outside = {row: "it lies outside the frame" for row, mask in enumerate(masks) if not mask.any()}
        self._set_rois(Rois.from_pixels(map(np.argwhere, masks), frame, skipped=outside))
        self._outlines = outlines

    def set_rois_from_suite_2p(
        self, is_cell_file_name: str | Path | None, stat_file_name: str | Path
    ) -> None:
        """Set the ROIs from suite2p's files.

        Parameters
        ----------
        is_cell_file_name : str, Path or None
            ``iscell.npy``; only ROIs that it calls cells are taken. None takes all.
        stat_file_name : str or Path
            ``stat.npy``; nothing that it may contain is run.

        Raises
        ------
        ReadingError
            If no movie was set, a file cannot be read, or a pixel lies outside the frames.
        """
        from .suite2p_files import read_suite2p_pixels

        masks = read_suite2p_pixels(stat_file_name, is_cell_file_name)
        self.set_rois_using_pixel_mask(masks)
        # Of suite2p's ROIs alone, DeepCINAC takes the trace from the very pixels, not from the drawn outline.
        rois = self._require_rois()
        self._traced = [np.zeros(rois.shape, bool) for _ in range(len(rois))]
        for row, mask in enumerate(self._traced):
            mask[tuple(rois.pixels(row).T)] = True

    def set_rois_from_nwb(
        self, nwb_data: Any, name_module: str, name_segmentation: str, name_seg_plane: str
    ) -> None:
        """Set the ROIs from the pixel masks of a plane segmentation, its x taken as the column in the movie.

        NWB files differ in what they call x: `read_recording` finds out which it is, this method does not.

        Parameters
        ----------
        nwb_data : pynwb.NWBFile
        name_module : str
            The processing module, such as "ophys".
        name_segmentation : str
            The image segmentation in it.
        name_seg_plane : str
            The plane segmentation in that.

        Raises
        ------
        ReadingError
            If there is no such object, it has no pixel masks, no movie was set, or a pixel lies outside its
            frames.
        """
        where = f"processing/{name_module}/{name_segmentation}/{name_seg_plane}"
        try:
            table = nwb_data.processing[name_module][name_segmentation].get_plane_segmentation(name_seg_plane)
        except (KeyError, ValueError) as error:
            what = "The NWB file has no such plane segmentation"
            raise ReadingError(what, where=where) from error
        if "pixel_mask" not in table.colnames:
            what = "The plane segmentation has no column 'pixel_mask'"
            fix = "Read the file with read_recording, which knows image masks too"
            raise ReadingError(what, where=where, fix=fix)
        self.set_rois_using_pixel_mask([table["pixel_mask"][row] for row in range(len(table))])

    def get_n_frames(self) -> int:
        """Return the number of frames."""
        return self._require_movie().n_frames

    def get_n_cells(self) -> int:
        """Return the number of ROIs, whether they can be used or not."""
        return len(self._require_rois())

    def get_raw_traces(self, normalized: bool) -> NDArray[np.float64]:
        """Return the mean under each ROI's outline, shape (n_cells, n_frames), or its standard scores."""
        return self._trace("raw", normalized)

    def get_smooth_traces(self, normalized: bool) -> NDArray[np.float64]:
        """Return the raw traces smoothed over seven frames, or their standard scores minus 2."""
        return self._trace("smooth", normalized)

    def get_source_profile_frames(
        self, frames_indices: NDArray[np.integer], coords: tuple[int, int, int, int]
    ) -> NDArray[np.float64]:
        """Return a normalized part of some frames.

        Parameters
        ----------
        frames_indices : ndarray of int
            The frames.
        coords : tuple of int
            Lowest x, highest x, lowest y, highest y; all inclusive.

        Returns
        -------
        ndarray of float64, shape (n, rows, columns)
        """
        low_x, high_x, low_y, high_y = coords
        first, last = int(np.min(frames_indices)), int(np.max(frames_indices))
        block = self._require_movie().read(first, last + 1)[np.asarray(frames_indices) - first]
        return self.normalization(block[:, low_y : high_y + 1, low_x : high_x + 1])

    @property
    def normalization(self) -> Normalization:
        """What makes the movie's pixels standard scores over the whole movie; computed when first used."""
        if self._normalization is None:
            movie = self._require_movie()
            known = getattr(movie, "already_normalized", False)
            self._normalization = Normalization() if known else movie_normalization(movie)
        return self._normalization

    @property
    def outlines(self) -> Outlines:
        """The ROIs' outlines: the contours that were set, else the convex hulls of their pixels."""
        if self._outlines is None:
            self._outlines = Outlines.from_rois(self._require_rois())
        return self._outlines

    def set_smooth_traces(self, traces: NDArray[np.floating]) -> None:
        """Give normalized smooth traces, shape (n_cells, n_frames), that are known from elsewhere."""
        self._traces = {**(self._traces or {}), ("smooth", True): np.asarray(traces, dtype=np.float64)}

    def _trace(self, kind: str, normalized: bool) -> NDArray[np.float64]:
        known = self._traces = {} if self._traces is None else self._traces
        if (kind, normalized) not in known:
            if ("raw", False) not in known:
                frame, outlines = self._frame(), self.outlines
                masks = self._traced or [outlines.mask(row, (0, 0), frame) for row in range(len(outlines))]
                known["raw", False] = raw_traces(self._require_movie(), masks)
            if kind == "smooth" and ("smooth", False) not in known:
                known["smooth", False] = smooth_traces(known["raw", False])
            if normalized:
                offset = SMOOTH_OFFSET if kind == "smooth" else 0.0
                known[kind, True] = normalized_traces(known[kind, False], offset)
        return known[kind, normalized]

    def _set_rois(self, rois: Rois) -> None:
        self.rois = rois
        self._outlines, self._traced, self._traces = None, None, None

    def _frame(self) -> tuple[int, int]:
        """Shape of the movie's frames; the ROIs need it."""
        shape = self._require_movie().shape
        return shape[1], shape[2]

    def _require_movie(self) -> Movie:
        if self.movie is None:
            what = f"Recording '{self.identifier}' has no movie"
            raise ReadingError(what, fix="Set one with set_movie, before the ROIs")
        return self.movie

    def _require_rois(self) -> Rois:
        if self.rois is None:
            what = f"Recording '{self.identifier}' has no ROIs"
            raise ReadingError(what, fix="Set them with one of the set_rois methods")
        return self.rois


def _contour(row: int, corners: ArrayLike) -> NDArray[np.float64]:
    """Corners of one contour, shape (n, 2), given as (2, n) or (n, 2)."""
    array = np.asarray(corners, dtype=np.float64)
    if array.ndim == 2 and array.shape[0] == 2:
        return array.T
    if array.ndim == 2 and array.shape[1] == 2:
        return array
    what = f"The contour of ROI {row} has shape {array.shape}"
    raise ReadingError(what, fix="Give two rows, the x and the y of the contour's corners")
