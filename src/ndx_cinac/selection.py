"""Which series is the movie and which plane segmentation holds its ROIs, among everything that a file may hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pynwb import NWBFile
from pynwb.image import ImageMaskSeries, ImageSeries, OpticalSeries
from pynwb.ophys import (
    CorrectedImageStack,
    OnePhotonSeries,
    PlaneSegmentation,
    RoiResponseSeries,
    TwoPhotonSeries,
)

from .errors import AmbiguousSourceError, ReadingError
from .masks import image_mask_shape
from .movies import movie_shape
from .tiff_movies import is_tiff

NOT_OF_CELLS = ("behav", "eye", "pupil", "face", "camera", "video", "whisker", "body", "lick", "stimul")
"""Parts of names by which a plain ImageSeries tells that it shows the animal or a stimulus, not cells."""


@dataclass(frozen=True)
class MovieCandidate:
    """A series that could be the movie.

    Attributes
    ----------
    series : ImageSeries
        The object.
    path : str
        Its object path, such as ``processing/ophys/MotionCorrection/CorrectedImageStack/corrected``.
    kind : str
        Its type's name.
    corrected : bool
        Whether it is the corrected series of a CorrectedImageStack.
    plane_id : str or None
        Object id of its imaging plane (of a corrected stack: its original's), where it has one.
    doubt : str
        Why it may be no movie of cells; empty for series of the optical-physiology types.
    fault : str
        Why it cannot be read; empty where it can.
    """

    series: Any
    path: str
    kind: str
    corrected: bool = False
    plane_id: str | None = None
    doubt: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Contents:
    """What an NWB file holds that matters here, in the order of the file."""

    movies: tuple[MovieCandidate, ...]
    segmentations: tuple[tuple[str, Any], ...]
    responses: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Choice:
    """The series and the segmentation that are meant."""

    movie: MovieCandidate | None
    segmentation_path: str
    segmentation: Any
    notes: tuple[str, ...] = field(default=())


def survey(nwbfile: NWBFile) -> Contents:
    """List movies, segmentations and stored traces; stimuli are not looked at."""
    found = list(_walk(nwbfile))
    stacks = [(path, each) for path, each in found if isinstance(each, CorrectedImageStack)]
    corrected = {each.corrected.object_id: each for _, each in stacks if each.corrected is not None}
    segmentations = tuple((path, each) for path, each in found if isinstance(each, PlaneSegmentation))
    references = {s.object_id for _, table in segmentations for s in table.reference_images or ()}
    ophys = {
        path.split("/")[1] for path, _ in [*stacks, *segmentations] if path.startswith("processing/")
    } | {"ophys"}
    shapes = {shape for _, table in segmentations if (shape := image_mask_shape(table)) is not None}
    shapes |= {shape[::-1] for shape in shapes}
    movies = []
    for path, each in found:
        if isinstance(each, ImageSeries) and not isinstance(each, ImageMaskSeries | OpticalSeries):
            stack = corrected.get(each.object_id)
            plane = getattr(each if stack is None else stack.original, "imaging_plane", None)
            candidate = MovieCandidate(
                each,
                path,
                type(each).__name__,
                stack is not None,
                None if plane is None else plane.object_id,
                fault=_fault(each),
            )
            sure = stack is not None or isinstance(each, TwoPhotonSeries | OnePhotonSeries)
            doubt = "" if sure else _doubt(candidate, ophys, shapes, each.object_id in references)
            movies.append(MovieCandidate(**{**vars(candidate), "doubt": doubt}))
    responses = tuple((path, each) for path, each in found if isinstance(each, RoiResponseSeries))
    return Contents(tuple(movies), segmentations, responses)


def choose(
    contents: Contents, movie: str | None, segmentation: str | None, *, own_movie: bool = False
) -> Choice:
    """Choose the movie and the segmentation: what the user names, the same imaging plane, the corrected stack.

    Parameters
    ----------
    contents : Contents
        What the file holds.
    movie, segmentation : str, optional
        Object path, name or object id.
    own_movie : bool
        The movie comes from elsewhere; the choice holds the series that it stands for, if there is one.

    Raises
    ------
    AmbiguousSourceError
        If several could be meant.
    ReadingError
        If none can be.
    """
    named = None if movie is None else _named_movie(contents, movie)
    usable = (
        [m for m in contents.movies if not m.doubt and (own_movie or not m.fault)]
        if named is None
        else [named]
    )
    path, table = _choose_segmentation(contents, segmentation, usable)
    if named is not None:
        return Choice(named, path, table, _plane_note(named, table))
    plane = getattr(table.imaging_plane, "object_id", None)
    same_plane = [m for m in usable if m.plane_id == plane and plane is not None]
    left = same_plane or usable
    left = [m for m in left if m.corrected] or left
    if len(left) > 1:
        left = [m for m in left if _fits_masks(m, table)] or left
    if own_movie:
        return Choice(left[0] if len(left) == 1 else None, path, table)
    if not left:
        raise ReadingError(_no_movie(contents), fix=_HOW_TO_GIVE_A_MOVIE)
    if len(left) > 1:
        what = f"Several movies could be meant: {', '.join(m.path for m in left)}"
        raise AmbiguousSourceError(
            what, fix="Choose one with movie= in Python or --movie on the command line"
        )
    notes = _plane_note(left[0], table)
    broken = [m for m in contents.movies if m.corrected and m.fault and m.plane_id == left[0].plane_id]
    if broken and not left[0].corrected:
        notes += (
            f"The corrected stack {broken[0].path} cannot be read ({broken[0].fault}): {left[0].path} was taken",
        )
    return Choice(left[0], path, table, notes)


_HOW_TO_GIVE_A_MOVIE = (
    "Give one with movie=, as an object path in the file or the path of a TIFF stack (--movie)"
)


def _walk(nwbfile: NWBFile) -> Iterator[tuple[str, Any]]:
    """Objects of acquisition, processing, analysis and scratch with their paths; links are not followed."""
    groups = (("acquisition", nwbfile.acquisition), ("processing", nwbfile.processing))
    groups += (("analysis", nwbfile.analysis), ("scratch", nwbfile.scratch))
    for prefix, group in groups:
        for name, each in group.items():
            yield from _descend(f"{prefix}/{name}", each)


def _descend(path: str, container: Any) -> Iterator[tuple[str, Any]]:
    yield path, container
    for child in getattr(container, "children", ()):
        if child.parent is container:
            yield from _descend(f"{path}/{child.name}", child)


def _fault(series: Any) -> str:
    """Why a series cannot be read as a movie, judged by what costs nothing; empty where it seems readable."""
    files = external_files(series)
    if files is not None:
        if not any(files):
            return "its movie was not stored: external_file is empty"
        other = [name for name in files if not is_tiff(name)]
        return f"its external_file '{other[0]}' is no TIFF file" if other else ""
    if series.data is None:
        return "it holds no data"
    shape = getattr(series.data, "maxshape", None) if not hasattr(series.data, "shape") else series.data.shape
    if shape is None:
        return ""
    try:
        movie_shape(tuple(shape), None)
    except ReadingError as error:
        return error.what
    return ""


def external_files(series: Any) -> list[str] | None:
    """Paths in `external_file`, or None where the series holds its own data."""
    files = getattr(series, "external_file", None)
    if files is None:
        return None
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in files[:]]
    return names if names or series.format == "external" else None


def _doubt(
    candidate: MovieCandidate, ophys: set[str], shapes: set[tuple[int, int]], *referenced: bool
) -> str:
    """Why a plain ImageSeries may be no movie of cells; empty where the evidence speaks for it."""
    name = candidate.path.lower()
    telling = next((part for part in NOT_OF_CELLS if part in name), None)
    if telling is not None:
        return f"its name ('{telling}') speaks of something else than cells"
    module = candidate.path.split("/")
    if (module[0] == "processing" and module[1] in ophys) or any(referenced):
        return ""
    data = candidate.series.data
    shape = tuple(getattr(data, "shape", ()) or ())
    if len(shape) >= 3 and shape[1:3] in shapes:
        return ""
    return f"it is a plain {candidate.kind} and nothing ties it to the ROIs"


def _matches(named: str, path: str, each: Any) -> bool:
    """Whether a user's name means an object: its path, its end, its name or its id."""
    wanted = named.strip("/")
    return wanted in (path, each.object_id, each.name) or path.endswith(f"/{wanted}")


def _named_movie(contents: Contents, named: str) -> MovieCandidate:
    """Return the series that the user names, also by its CorrectedImageStack."""
    found = [m for m in contents.movies if _matches(named, m.path, m.series)]
    found = found or [
        m
        for m in contents.movies
        if m.corrected and _matches(named, m.path.rpartition("/")[0], m.series.parent)
    ]
    if not found:
        present = ", ".join(m.path for m in contents.movies) or "none"
        what = f"The file has no movie '{named}'"
        raise ReadingError(what, fix=f"Its image series are: {present}")
    found = [m for m in found if m.path == named.strip("/")] or found
    if len(found) > 1:
        what = f"'{named}' could mean several movies: {', '.join(m.path for m in found)}"
        raise AmbiguousSourceError(what, fix="Give the whole path with movie= or --movie")
    if found[0].fault:
        what = f"The movie {found[0].path} cannot be read: {found[0].fault}"
        raise ReadingError(what, fix=_HOW_TO_GIVE_A_MOVIE)
    return found[0]


def _choose_segmentation(
    contents: Contents, named: str | None, usable: Sequence[MovieCandidate]
) -> tuple[str, Any]:
    """Return the path and the table that are meant."""
    found = list(contents.segmentations)
    if named is not None:
        found = [
            (p, t)
            for p, t in found
            if _matches(named, p, t) or _matches(named, p.rpartition("/")[0], t.parent)
        ]
        if not found:
            present = ", ".join(p for p, _ in contents.segmentations) or "none"
            what = f"The file has no plane segmentation '{named}'"
            raise ReadingError(what, fix=f"Its plane segmentations are: {present}")
        found = [(p, t) for p, t in found if p == named.strip("/")] or found
    if not found:
        what = "The file has no plane segmentation, so there are no ROIs to predict"
        raise ReadingError(what, fix="Add a PlaneSegmentation with image, pixel or voxel masks")
    if len(found) > 1:
        planes = {m.plane_id for m in usable if m.plane_id is not None}
        found = [pair for pair in found if len(pair[1].id)] or found
        found = [(p, t) for p, t in found if "background" not in t.name.lower()] or found
        found = [(p, t) for p, t in found if getattr(t.imaging_plane, "object_id", None) in planes] or found
    if len(found) > 1:
        what = f"Several plane segmentations could be meant: {_list(p for p, _ in found)}"
        if len(usable) > 1:
            what += f" (and several movies: {_list(m.path for m in usable)})"
        fix = (
            "Choose with segmentation= and movie= in Python or --segmentation and --movie on the command line"
        )
        raise AmbiguousSourceError(what, fix=fix)
    return found[0]


def _fits_masks(candidate: MovieCandidate, table: Any) -> bool:
    """Whether a movie's frames have the shape of the segmentation's image masks, where both are known."""
    masks, shape = image_mask_shape(table), tuple(getattr(candidate.series.data, "shape", ()) or ())
    return masks is None or len(shape) < 3 or shape[1:3] in (masks, masks[::-1])


def _plane_note(candidate: MovieCandidate, table: Any) -> tuple[str, ...]:
    """A sentence where movie and segmentation name different imaging planes."""
    plane = getattr(table.imaging_plane, "object_id", None)
    if candidate.plane_id in (None, plane):
        return ()
    return (f"{candidate.path} and segmentation '{table.name}' name different imaging planes",)


def _no_movie(contents: Contents) -> str:
    """Say that there is no movie, and what there is instead."""
    if not contents.movies:
        return "The file holds no movie of cells"
    return "The file holds no movie of cells that can be read: " + "; ".join(
        f"{m.path}: {m.fault or m.doubt}" for m in contents.movies
    )


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
