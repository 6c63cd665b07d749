"""NWB file -> CinacRecording: its movie, its ROIs on the movie's axes, its times, and what is odd in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile

from ..errors import ReadingError
from ..hdf5_files import read_whole
from ..movies import ArrayMovie, Movie
from ..recording import CinacRecording, Source
from .axes import AxesOption, check_option, decide_axes, lay_on_movie
from .file_contents import FileContents, MovieCandidate, survey
from .masks import RoiSelection, read_masks
from .opening import OpenedFile, open_nwbfile, readable
from .selection import Choice, choose
from .series_movies import open_movie
from .stored_traces import StoredTraces
from .tiff_movies import TiffMovie, is_tiff
from .timing import read_times

METRES = {
    "m": 1.0,
    "meter": 1.0,
    "metre": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "millimeter": 1e-3,
    "millimetre": 1e-3,
}
METRES |= {
    "um": 1e-6,
    "µm": 1e-6,
    "μm": 1e-6,
    "micrometer": 1e-6,
    "micrometre": 1e-6,
    "micron": 1e-6,
    "nm": 1e-9,
}
"""Units of `grid_spacing` that are understood, in metres; a plural's s is left out."""

PIXEL_RANGE = (0.05, 100.0)
"""Micrometres per pixel that a microscope can have; other values come from a wrong unit and are not used."""

DERIVED = (
    "neuropil",
    "deconv",
    "denoise",
    "dfof",
    "dff",
    "baseline",
    "spike",
    "event",
    "predict",
    "background",
)
"""Words in the paths of traces that were computed from fluorescence: as evidence they come last."""

MovieOption = str | Path | NDArray[Any] | Movie | None
"""Object path, name or object id in the file; path of a TIFF stack; an array; a movie; None to decide."""


@dataclass(frozen=True)
class ReadingOptions:
    """What to read from a file: the arguments of `read_recording`, together.

    Attributes
    ----------
    movie : str, Path, array, Movie or None
        The movie; None: decided by what the file holds.
    segmentation : str or None
        The plane segmentation; None: decided by what the file holds.
    axes : {"auto", "matching", "exchanged"}
        How the masks' axes lie against the movie's; "auto" decides by evidence.
    rois : RoiSelection or None
        Which rows to predict; None: all.
    """

    movie: MovieOption = None
    segmentation: str | None = None
    axes: AxesOption = "auto"
    rois: RoiSelection | None = None


def read_recording(
    source: str | Path | NWBFile | OpenedFile,
    movie: MovieOption = None,
    segmentation: str | None = None,
    axes: AxesOption = "auto",
    *,
    rois: RoiSelection | None = None,
) -> CinacRecording:
    """Read a recording from an NWB file; the movie stays there until its frames are asked for.

    Parameters
    ----------
    source : str, Path, NWBFile or OpenedFile
        An NWB file (HDF5, or a Zarr folder), an NWBFile object, or what `ndx_cinac.dandi.open_asset` gives;
        what is open already stays the caller's to close.
    movie : str, Path, array or Movie, optional
        Which series is the movie: object path (``acquisition/TwoPhotonSeries``), name or object id. Where the
        file holds no movie: the path of a TIFF stack, or an array of shape (n_frames, first, second).
    segmentation : str, optional
        Which plane segmentation holds the ROIs: object path, name or object id.
    axes : {"auto", "matching", "exchanged"}
        How the masks lie on the movie; "auto" decides by the masks' shape and bounds, then by stored traces,
        then by NWB's schema, and the recording's `axes` holds the evidence.
    rois : RoiSelection, optional
        Which rows to predict; all by default.

    Returns
    -------
    CinacRecording
        Close it, or use it in a ``with`` statement.

    Raises
    ------
    ReadingError
        If the file, the movie or the segmentation cannot be read.
    AmbiguousSourceError
        If several movies or segmentations could be meant.
    ConfigError
        If an option has a value that cannot be used.
    MissingExtraError
        If a package is needed that is not installed: hdmf-zarr for Zarr, tifffile for TIFF.
    """
    check_option(axes)
    opened = open_nwbfile(source)
    try:
        options = ReadingOptions(movie, segmentation, axes, rois)
        return recording_from(opened, survey(opened.nwbfile), options)
    except BaseException:
        if opened.close is not None:
            opened.close()
        raise


def recording_from(opened: OpenedFile, contents: FileContents, options: ReadingOptions) -> CinacRecording:
    """Read a recording from an open file whose contents are known; closing the recording closes the file."""
    with readable(opened.nwbfile):
        return _recording_from(opened, contents, options)


def _recording_from(opened: OpenedFile, contents: FileContents, options: ReadingOptions) -> CinacRecording:
    given = _given_movie(options.movie)
    name = None if given is not None or options.movie is None else str(options.movie)
    choice = choose(contents, name, options.segmentation, own_movie=given is not None)
    table = choice.segmentation
    unselected = {} if options.rois is None else options.rois.unselected(table)
    pixels = read_masks(table)
    movie = given if given is not None else open_movie(_chosen(choice), opened.path)
    if opened.prepare_movie is not None and given is None:
        movie = opened.prepare_movie(movie)
    try:
        decision = decide_axes(pixels, movie, stored_traces(contents, table), options.axes)
    except BaseException:
        movie.close()
        raise
    rois, roi_notes = lay_on_movie(pixels, movie.shape[1:], decision.axes.masks)
    times, time_notes = read_times(None if choice.movie is None else choice.movie.series, movie.n_frames)
    size, size_notes = pixel_size(table.imaging_plane)
    identifier = str(opened.nwbfile.identifier)
    return CinacRecording(
        identifier=identifier
        if opened.path is None
        else opened.path.name.removesuffix(".zarr").removesuffix(".nwb"),
        movie=movie,
        rois=replace(
            rois, unselected={row: why for row, why in unselected.items() if row not in rois.skipped}
        ),
        times=times,
        axes=decision.axes,
        source=_source(opened, choice, options.movie if given is not None else None),
        pixel_size=size,
        notes=[*choice.notes, *decision.notes, *roi_notes, *time_notes, *size_notes],
        _on_close=opened.close,
    )


def _chosen(choice: Choice) -> MovieCandidate:
    """Return the chosen series, which is there unless the user brought the movie along."""
    assert choice.movie is not None
    return choice.movie


def _given_movie(movie: MovieOption) -> Movie | None:
    """Return the movie that the user brings along; None where it is in the file."""
    if movie is None or isinstance(movie, Movie):
        return movie
    if isinstance(movie, str | Path):
        if is_tiff(movie) and Path(movie).is_file():
            return TiffMovie([Path(movie)])
        if isinstance(movie, Path):
            what = (
                f"The movie '{movie}' is no TIFF file"
                if movie.exists()
                else f"The movie '{movie}' does not exist"
            )
            raise ReadingError(
                what, fix="Give a TIFF stack, an array, or an object path in the NWB file as text"
            )
        return None
    return ArrayMovie(movie if hasattr(movie, "shape") else np.asarray(movie))


def stored_traces(contents: FileContents, table: Any) -> list[StoredTraces]:
    """Traces that the file holds for a segmentation: fluorescence first, what was computed from it last."""
    found = [
        StoredTraces(path, series.data, read_whole(series.rois.data, "rois", path).astype(np.int64))
        for path, series in contents.responses
        if series.rois is not None and series.rois.table is table and hasattr(series.data, "shape")
    ]
    return sorted(found, key=lambda each: any(word in each.path.lower() for word in DERIVED))


def pixel_size(plane: Any) -> tuple[float | None, tuple[str, ...]]:
    """Micrometres per pixel by `grid_spacing` of an imaging plane; None where it is absent or absurd."""
    spacing = getattr(plane, "grid_spacing", None)
    if spacing is None:
        return None, ()
    unit = str(getattr(plane, "grid_spacing_unit", None) or "meters").strip().lower()
    factor = METRES.get(unit, METRES.get(unit.removesuffix("s"), math.nan))
    values = np.asarray(spacing[:], dtype=float).ravel()[:2]
    size = float(np.mean(values)) * factor * 1e6 if len(values) else math.nan
    if PIXEL_RANGE[0] <= size <= PIXEL_RANGE[1]:
        return size, ()
    shown = ", ".join(f"{value:g}" for value in values)
    return None, (
        f"The imaging plane's grid_spacing of {shown} {unit} is no pixel of a microscope: it was not used",
    )


def _source(opened: OpenedFile, choice: Choice, given: MovieOption) -> Source:
    """Where a recording came from; a movie from elsewhere has a path if it is a file, and no object id."""
    inside = choice.movie if given is None else None
    outside = str(given) if isinstance(given, str | Path) else ""
    return Source(
        path=opened.path,
        file_identifier=str(opened.nwbfile.identifier),
        movie_path=inside.path if inside is not None else outside,
        movie_id=inside.series.object_id if inside is not None else "",
        segmentation_path=choice.segmentation_path,
        segmentation_id=choice.segmentation.object_id,
        session_description=str(opened.nwbfile.session_description or ""),
        dandi_asset=opened.dandi_asset,
        digest=opened.digest,
    )
