"""NWB file -> CinacRecording: its movie, its ROIs on the movie's axes, its times, and what a user should know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from hdmf.data_utils import AbstractDataChunkIterator, DataIO
from numpy.typing import NDArray
from pynwb import NWBFile

from .axes import AxesOption, check_option, decide_axes, lay_on_movie
from .errors import ReadingError
from .masks import RoiSelection, read_masks
from .movies import ArrayMovie, Movie, StoredMovie
from .opening import OpenedFile, open_nwbfile
from .recording import CinacRecording, Source
from .selection import Choice, Contents, MovieCandidate, choose, external_files, survey
from .stored_traces import StoredTraces
from .tiff_movies import TiffMovie, is_tiff
from .timing import read_times

METRES = {
    "m": 1.0,
    "meter": 1.0,
    "metre": 1.0,
    "mm": 1e-3,
    "millimeter": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "μm": 1e-6,
}
METRES |= {"micrometer": 1e-6, "micron": 1e-6, "micrometre": 1e-6, "millimetre": 1e-3, "cm": 1e-2, "nm": 1e-9}
PIXEL_RANGE = (0.05, 100.0)
"""Micrometres per pixel that a microscope can have; other values come from a wrong unit and are not used."""

MovieOption = str | Path | NDArray | Movie | None


@dataclass(frozen=True)
class ReadingOptions:
    """What to read from a file.

    Attributes
    ----------
    movie : str, Path, array, Movie or None
        The movie: its object path, name or object id in the file; or the path of a TIFF stack, or an array of shape
        (n_frames, first, second), where the file holds no movie. None: decided by what the file holds.
    segmentation : str or None
        The plane segmentation's object path, name or object id. None: decided by what the file holds.
    axes : {"auto", "matching", "exchanged"}
        How the masks' axes lie against the movie's; "auto" decides by evidence.
    rois : RoiSelection or None
        Which rows to predict. None: all.
    """

    movie: MovieOption = None
    segmentation: str | None = None
    axes: AxesOption = "auto"
    rois: RoiSelection | None = None


def read_recording(
    source: str | Path | NWBFile,
    movie: MovieOption = None,
    segmentation: str | None = None,
    axes: AxesOption = "auto",
    *,
    rois: RoiSelection | None = None,
) -> CinacRecording:
    """Read a calcium-imaging recording from an NWB file; the movie stays in the file until its frames are asked for.

    Parameters
    ----------
    source : str, Path or NWBFile
        An NWB file (HDF5, or a Zarr folder), or an NWBFile object, which stays the caller's to close.
    movie : str, Path, array or Movie, optional
        Which series is the movie: object path (``acquisition/TwoPhotonSeries``), name or object id. Where the file holds no
        movie: the path of a TIFF stack, or an array of shape (n_frames, first, second).
    segmentation : str, optional
        Which plane segmentation holds the ROIs: object path, name or object id.
    axes : {"auto", "matching", "exchanged"}
        How the masks lie on the movie; "auto" decides by the masks' shape and bounds, then by stored traces, then by NWB's
        schema, and the recording's `axes` holds the evidence.
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
    """
    options = ReadingOptions(movie, segmentation, axes, rois)
    check_option(options.axes)
    opened = open_nwbfile(source)
    try:
        return _read(opened, survey(opened.nwbfile), options)
    except BaseException:
        if opened.close is not None:
            opened.close()
        raise


def _read(opened: OpenedFile, contents: Contents, options: ReadingOptions) -> CinacRecording:
    """Read a recording from an open file."""
    given = _given_movie(options.movie)
    named = options.movie if given is None and isinstance(options.movie, str | Path) else None
    choice = choose(
        contents, None if named is None else str(named), options.segmentation, own_movie=given is not None
    )
    movie = given or open_movie(choice, opened.path)
    pixels = read_masks(choice.segmentation)
    decision = decide_axes(pixels, movie, stored_traces(contents, choice), options.axes)
    rois, roi_notes = lay_on_movie(pixels, movie.shape[1:], decision.axes.masks)
    if options.rois is not None:
        rois = replace(rois, unselected=options.rois.unselected(choice.segmentation))
    series = choice.movie.series if choice.movie is not None else None
    times, time_notes = read_times(series, movie.n_frames)
    size, size_notes = pixel_size(choice.segmentation.imaging_plane)
    notes = [*choice.notes, *decision.notes, *roi_notes, *time_notes, *size_notes]
    if not len(rois.kept):
        notes.append("None of the ROIs can be predicted")
    path = opened.path
    return CinacRecording(
        identifier=opened.nwbfile.identifier
        if path is None
        else path.name.removesuffix(".zarr").removesuffix(".nwb"),
        movie=movie,
        rois=rois,
        times=times,
        axes=decision.axes,
        source=_source(opened, choice, options.movie if given is not None else None),
        pixel_size=size,
        notes=notes,
        _on_close=opened.close,
    )


def _given_movie(movie: MovieOption) -> Movie | None:
    """Return the movie that the user brings along, or None where a name in the file or nothing is given."""
    if isinstance(movie, Movie):
        return movie
    if movie is None or isinstance(movie, str) and not (is_tiff(movie) and Path(movie).is_file()):
        return None
    if isinstance(movie, str | Path):
        if not is_tiff(movie):
            what = f"The movie '{movie}' is no TIFF stack"
            raise ReadingError(what, fix="Give a TIFF file, an array, or an object path in the NWB file")
        return TiffMovie([Path(movie)])
    return ArrayMovie(np.asarray(movie) if not hasattr(movie, "shape") else movie)


def open_movie(choice: Choice, path: Path | None) -> Movie:
    """Open the movie of a chosen series; `path` is the NWB file's, from which external files are found."""
    assert choice.movie is not None
    series, where = choice.movie.series, choice.movie.path
    files = external_files(series)
    if files is not None:
        folder = Path.cwd() if path is None else path.resolve().parent
        paths = [_external_path(name, folder) for name in files]
        for name, each in zip(files, paths, strict=True):
            if not each.is_file():
                what = f"The movie's external_file '{name}' does not exist at '{each}'"
                raise ReadingError(
                    what, where=where, fix="Put it there, or give the movie with movie= (--movie)"
                )
        return TiffMovie(paths, _starting_frames(series, len(paths)))
    data = series.data
    if isinstance(data, DataIO):
        data = data.data
    if isinstance(data, AbstractDataChunkIterator) or not (hasattr(data, "shape") or isinstance(data, list)):
        what = "The movie's data are an iterator that was not written yet"
        raise ReadingError(what, where=where, fix="Write the file, and read the written one")
    if isinstance(data, list | np.ndarray):
        return ArrayMovie(np.asarray(data))
    return StoredMovie(data, where)


def _external_path(name: str, folder: Path) -> Path:
    """Where an external file lies: relative paths start from the NWB file's folder, on any system."""
    path = Path(name)
    if not path.is_absolute() and not (folder / path).exists() and "\\" in name:
        path = Path(PureWindowsPath(name).as_posix())
    return path if path.is_absolute() else folder / path


def _starting_frames(series: Any, count: int) -> list[int] | None:
    """Return `starting_frame` where it says something: as many entries as files, not all alike."""
    frames = series.starting_frame
    values = [] if frames is None else [int(frame) for frame in frames[:]]
    return values if len(values) == count and len(set(values)) == count else None


def stored_traces(contents: Contents, choice: Choice) -> list[StoredTraces]:
    """Traces that the file holds for the chosen segmentation: fluorescence first, what was computed from it last."""
    found = []
    for path, series in contents.responses:
        if (
            series.rois is None
            or series.rois.table is not choice.segmentation
            or not hasattr(series.data, "shape")
        ):
            continue
        found.append(StoredTraces(path, series.data, np.asarray(series.rois.data[:], dtype=np.int64)))
    late = (
        "neuropil",
        "deconv",
        "denoise",
        "dfof",
        "dff",
        "baseline",
        "spike",
        "event",
        "probab",
        "predict",
        "background",
    )
    return sorted(found, key=lambda each: any(word in each.path.lower() for word in late))


def pixel_size(plane: Any) -> tuple[float | None, tuple[str, ...]]:
    """Micrometres per pixel of an imaging plane, from `grid_spacing`; None where it is not told, or cannot be true."""
    spacing = getattr(plane, "grid_spacing", None)
    if spacing is None:
        return None, ()
    unit = str(getattr(plane, "grid_spacing_unit", None) or "meters").strip().lower()
    factor = METRES.get(unit, METRES.get(unit.rstrip("s")))
    values = np.asarray(spacing, dtype=float).ravel()[:2]
    size = float(np.mean(values)) * factor * 1e6 if factor is not None and len(values) else math.nan
    if PIXEL_RANGE[0] <= size <= PIXEL_RANGE[1]:
        return size, ()
    shown = ", ".join(f"{v:g}" for v in values)
    return None, (
        f"The imaging plane's grid_spacing of {shown} {unit} is no pixel of a microscope: it was not used",
    )


def _source(opened: OpenedFile, choice: Choice, given: MovieOption) -> Source:
    """Where a recording came from; a movie from elsewhere has a path only when it is a file, and no object id."""
    inside: MovieCandidate | None = choice.movie if given is None else None
    outside = str(given) if isinstance(given, str | Path) else ""
    return Source(
        path=opened.path,
        file_identifier=str(opened.nwbfile.identifier),
        movie_path=inside.path if inside is not None else outside,
        movie_id=inside.series.object_id if inside is not None else "",
        segmentation_path=choice.segmentation_path,
        segmentation_id=choice.segmentation.object_id,
        session_description=str(opened.nwbfile.session_description or ""),
    )


__all__: Sequence[str] = ["ReadingOptions", "read_recording"]
