"""Which series is meant as the movie and which plane segmentation holds its ROIs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AmbiguousSourceError, ReadingError
from .file_contents import FileContents, MovieCandidate
from .masks import image_mask_shape
from .tiff_movies import is_tiff

HOW_TO_GIVE_A_MOVIE = (
    "Give one with movie= (--movie): an object path in the file, or the path of a TIFF stack"
)


@dataclass(frozen=True)
class Choice:
    """The series and the segmentation that are meant.

    Attributes
    ----------
    movie : MovieCandidate or None
        The series; None where the movie comes from elsewhere and no series stands for it.
    segmentation_path : str
        Object path of the segmentation.
    segmentation : PlaneSegmentation
        The segmentation.
    notes : tuple of str
        What a user should know about the choice.
    """

    movie: MovieCandidate | None
    segmentation_path: str
    segmentation: Any
    notes: tuple[str, ...] = ()


def choose(
    contents: FileContents, movie: str | None, segmentation: str | None, *, own_movie: bool = False
) -> Choice:
    """Choose by what the user names, then by the imaging plane, then take the corrected stack.

    Parameters
    ----------
    contents : FileContents
        What the file holds.
    movie, segmentation : str, optional
        Object path, name or object id.
    own_movie : bool
        The movie comes from elsewhere: the choice holds the series that it stands for, if there is one.

    Raises
    ------
    AmbiguousSourceError
        If several could be meant.
    ReadingError
        If none can be.
    """
    if movie is not None:
        usable = [_named_movie(contents, movie)]
    else:
        usable = [each for each in contents.movies if not each.doubt and (own_movie or not each.fault)]
    path, table = _choose_segmentation(contents, segmentation, usable)
    left = usable if movie is not None else _likely(usable, table)
    if own_movie:
        return Choice(left[0] if len(left) == 1 else None, path, table)
    if not left:
        raise ReadingError(_no_movie(contents), fix=HOW_TO_GIVE_A_MOVIE)
    if len(left) > 1:
        what = f"Several movies could be meant: {', '.join(each.path for each in left)}"
        raise AmbiguousSourceError(
            what, fix="Choose one with movie= in Python or --movie on the command line"
        )
    return Choice(left[0], path, table, _notes(contents, left[0], table, named=movie is not None))


def _likely(usable: Sequence[MovieCandidate], table: Any) -> list[MovieCandidate]:
    """Movies that are left after each rule that leaves any."""
    plane = _plane_id(table)
    rules: tuple[Callable[[MovieCandidate], bool], ...] = (
        lambda each: each.plane_id in (None, plane),
        lambda each: each.corrected,
        lambda each: each.plane_id is not None,
        lambda each: _fits_masks(each, table),
    )
    left = list(usable)
    for rule in rules:
        left = [each for each in left if rule(each)] or left
    return left


def _fits_masks(candidate: MovieCandidate, table: Any) -> bool:
    """Whether a movie's frames have the shape of the image masks, where both are known."""
    masks = image_mask_shape(table)
    return masks is None or not candidate.shape or candidate.shape[1:3] in (masks, masks[::-1])


def _plane_id(table: Any) -> str | None:
    """Object id of a segmentation's imaging plane."""
    plane = getattr(table, "imaging_plane", None)
    return None if plane is None else str(plane.object_id)


def _is_named(name: str, path: str, each: Any) -> bool:
    """Whether a user's name means an object: its path, the end of its path, or its id."""
    wanted = name.strip("/")
    return wanted in (path, each.object_id) or path.endswith(f"/{wanted}")


def _named_movie(contents: FileContents, name: str) -> MovieCandidate:
    """Return the series that the user names, directly or by its CorrectedImageStack."""
    found = [each for each in contents.movies if _is_named(name, each.path, each.series)]
    if not found:
        stacks = [each for each in contents.movies if each.corrected and each.series.parent is not None]
        found = [each for each in stacks if _is_named(name, each.path.rpartition("/")[0], each.series.parent)]
    if not found:
        present = ", ".join(each.path for each in contents.movies) or "none"
        what = f"The file has no movie '{name}'"
        if is_tiff(name):
            what = f"The TIFF file '{name}' does not exist, and the file has no movie of that name"
        raise ReadingError(what, fix=f"Its image series are: {present}")
    found = [each for each in found if each.path == name.strip("/")] or found
    if len(found) > 1:
        what = f"'{name}' could mean several movies: {', '.join(each.path for each in found)}"
        raise AmbiguousSourceError(
            what, fix="Give the whole path with movie= in Python or --movie on the command line"
        )
    if found[0].fault:
        what = f"The movie {found[0].path} cannot be read: {found[0].fault}"
        raise ReadingError(what, fix=HOW_TO_GIVE_A_MOVIE)
    return found[0]


def _choose_segmentation(
    contents: FileContents, name: str | None, usable: Sequence[MovieCandidate]
) -> tuple[str, Any]:
    """Return path and object of the segmentation that is meant."""
    found = list(contents.segmentations)
    if not found:
        what = "The file has no plane segmentation, so there are no ROIs to predict"
        raise ReadingError(what, fix="Add a PlaneSegmentation with image, pixel or voxel masks")
    if name is not None:
        found = [pair for pair in found if _is_named(name, *pair)] or [
            (path, table) for path, table in found if _is_named(name, path.rpartition("/")[0], table.parent)
        ]
        if not found:
            present = ", ".join(path for path, _ in contents.segmentations)
            what = f"The file has no plane segmentation '{name}'"
            raise ReadingError(what, fix=f"Its plane segmentations are: {present}")
        found = [pair for pair in found if pair[0] == name.strip("/")] or found
    else:
        planes = {each.plane_id for each in usable}
        found = [pair for pair in found if len(pair[1].id)] or found
        # neuroconv writes the background components of CaImAn and CNMF-E beside the cells.
        found = [pair for pair in found if "background" not in pair[1].name.lower()] or found
        found = [pair for pair in found if _plane_id(pair[1]) in planes] or found
    if len(found) > 1:
        what = f"Several plane segmentations could be meant: {', '.join(path for path, _ in found)}"
        fix = "Choose with segmentation= in Python or --segmentation on the command line"
        if len(usable) > 1:
            what += f"; and several movies: {', '.join(each.path for each in usable)}"
            fix += " (and with movie= or --movie)"
        raise AmbiguousSourceError(what, fix=fix)
    return found[0]


def _notes(contents: FileContents, movie: MovieCandidate, table: Any, *, named: bool) -> tuple[str, ...]:
    """Say what a user should know about the choice of a movie."""
    notes = []
    if movie.plane_id not in (None, _plane_id(table)):
        notes.append(f"{movie.path} and segmentation '{table.name}' name different imaging planes")
    if named and movie.doubt:
        notes.append(f"{movie.path} was named as the movie, though {movie.doubt}")
    for each in contents.movies:
        if not named and each.corrected and each.fault and each.plane_id == movie.plane_id:
            notes.append(
                f"The corrected stack {each.path} cannot be read ({each.fault}): {movie.path} was taken"
            )
    return tuple(notes)


def _no_movie(contents: FileContents) -> str:
    """Say that there is no movie, and what there is instead."""
    if not contents.movies:
        return "The file holds no movie of cells"
    reasons = "; ".join(f"{each.path}: {each.fault or each.doubt}" for each in contents.movies)
    return f"The file holds no movie of cells that can be read ({reasons})"
