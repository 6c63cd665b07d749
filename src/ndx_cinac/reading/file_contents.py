"""What matters here of an NWB file's contents: image series, plane segmentations and stored traces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import h5py
from pynwb import NWBFile
from pynwb.image import ImageMaskSeries, ImageSeries, OpticalSeries
from pynwb.ophys import (
    CorrectedImageStack,
    OnePhotonSeries,
    PlaneSegmentation,
    RoiResponseSeries,
    TwoPhotonSeries,
)

from ..errors import ReadingError
from ..movies import movie_shape
from .masks import image_mask_shape
from .opening import readable
from .tiff_movies import is_tiff

NOT_OF_CELLS = re.compile(r"(?<![a-z])(behav|eye|pupil|face|camera|video|whisker|lick|stim|mask)")
"""Words by which the name of a plain ImageSeries tells that it shows the animal, a stimulus or masks."""


@dataclass(frozen=True)
class MovieCandidate:
    """A series that could be the movie.

    Attributes
    ----------
    series : ImageSeries
        The object.
    path : str
        Its object path, such as ``processing/ophys/MotionCorrection/CorrectedImageStack/corrected``.
    corrected : bool
        Whether it is the corrected series of a CorrectedImageStack.
    plane_id : str or None
        Object id of its imaging plane (of a corrected series: its original's), where it has one.
    doubt : str
        Why it may be no movie of cells; empty where its type or the file says that it is.
    fault : str
        Why it cannot be read; empty where it seems to be readable.
    """

    series: Any
    path: str
    corrected: bool = False
    plane_id: str | None = None
    doubt: str = ""
    fault: str = ""

    @property
    def kind(self) -> str:
        """Name of its type."""
        return type(self.series).__name__

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data in the file; empty where they lie elsewhere."""
        stored = external_files(self.series) is None and self.series.data is not None
        return tuple(int(n) for n in getattr(self.series.data, "shape", ())) if stored else ()


@dataclass(frozen=True)
class FileContents:
    """What a file holds, in its order.

    Attributes
    ----------
    movies : tuple of MovieCandidate
        Image series of acquisition and processing; never stimuli, image masks or optical series.
    segmentations, responses : tuple of (str, object)
        Path and object of each PlaneSegmentation and RoiResponseSeries.
    """

    movies: tuple[MovieCandidate, ...]
    segmentations: tuple[tuple[str, Any], ...]
    responses: tuple[tuple[str, Any], ...]


def survey(nwbfile: NWBFile) -> FileContents:
    """List the image series, segmentations and stored traces of a file; nothing of their data is read."""
    with readable(nwbfile):
        return _survey(nwbfile)


def _survey(nwbfile: NWBFile) -> FileContents:
    found = list(_walk(nwbfile))
    stacks = {
        each.corrected.object_id: each
        for _, each in found
        if isinstance(each, CorrectedImageStack) and each.corrected is not None
    }
    segmentations = tuple((path, each) for path, each in found if isinstance(each, PlaneSegmentation))
    movies = []
    for path, each in found:
        if isinstance(each, ImageSeries) and not isinstance(each, ImageMaskSeries | OpticalSeries):
            stack = stacks.get(each.object_id)
            owner = each if stack is None else stack.original
            plane = getattr(owner, "imaging_plane", None)
            plane_id = None if plane is None else str(plane.object_id)
            movies.append(MovieCandidate(each, path, stack is not None, plane_id, fault=_fault(each)))
    evidence = _Evidence.of(segmentations)
    return FileContents(
        movies=tuple(replace(each, doubt=evidence.doubt(each)) for each in movies),
        segmentations=segmentations,
        responses=tuple((path, each) for path, each in found if isinstance(each, RoiResponseSeries)),
    )


def external_files(series: Any) -> list[str] | None:
    """Paths in `external_file`, or None where the series holds its own data."""
    files = getattr(series, "external_file", None)
    if files is None:
        return None
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in files[:]]
    return names if names or series.format == "external" else None


def _walk(nwbfile: NWBFile) -> Iterator[tuple[str, Any]]:
    """Objects of acquisition, processing, analysis and scratch with their paths, each once."""
    seen: set[str] = set()
    for prefix in ("acquisition", "processing", "analysis", "scratch"):
        for name, each in getattr(nwbfile, prefix).items():
            for path, child in _descend(f"{prefix}/{name}", each):
                if child.object_id not in seen:
                    seen.add(child.object_id)
                    yield path, child


def _descend(path: str, container: Any) -> Iterator[tuple[str, Any]]:
    """Yield an object and all that it contains."""
    yield path, container
    for child in getattr(container, "children", ()):
        yield from _descend(f"{path}/{child.name}", child)


def _fault(series: Any) -> str:
    """Why a series cannot be read as a movie, as far as can be told without reading; else empty."""
    files = external_files(series)
    if files is not None:
        if not any(files):
            return "the movie was not stored with the file (external_file is empty)"
        other = [name for name in files if not is_tiff(name)]
        return f"its external_file '{other[0]}' is no TIFF file" if other else ""
    data = series.data
    if data is None or (isinstance(data, h5py.Dataset) and not data):
        return "it holds no data" if data is None else "its file was closed"
    shape = getattr(data, "shape", None)
    if shape is not None:
        try:
            movie_shape(tuple(shape), None)
        except ReadingError as error:
            return error.what[0].lower() + error.what[1:]
    return ""


@dataclass(frozen=True)
class _Evidence:
    """What ties a plain ImageSeries to the ROIs: its module, a segmentation's reference, a mask's shape."""

    modules: frozenset[str]
    references: frozenset[str]
    shapes: frozenset[tuple[int, ...]]

    @classmethod
    def of(cls, segmentations: tuple[tuple[str, Any], ...]) -> _Evidence:
        """Collect the evidence of all segmentations."""
        paths = [path.split("/") for path, _ in segmentations]
        shapes = [shape for _, table in segmentations if (shape := image_mask_shape(table)) is not None]
        return cls(
            modules=frozenset({"ophys"} | {path[1] for path in paths if path[0] == "processing"}),
            references=frozenset(
                s.object_id for _, table in segmentations for s in table.reference_images or ()
            ),
            shapes=frozenset(shapes) | frozenset(shape[::-1] for shape in shapes),
        )

    def doubt(self, candidate: MovieCandidate) -> str:
        """Why a series may be no movie of cells; empty where its type or the evidence says that it is."""
        if candidate.corrected or isinstance(candidate.series, TwoPhotonSeries | OnePhotonSeries):
            return ""
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", candidate.path).lower()
        telling = NOT_OF_CELLS.search(name)
        if telling is not None:
            return f"its name speaks of something else than cells ('{telling.group()}')"
        collection, module = candidate.path.split("/")[:2]
        tied = (collection == "processing" and module in self.modules) or candidate.shape[1:3] in self.shapes
        if tied or candidate.series.object_id in self.references:
            return ""
        return f"it is a plain {candidate.kind} and nothing ties it to the ROIs"
