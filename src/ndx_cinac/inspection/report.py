"""What `ndx-cinac inspect` shows: what a file holds, what would be predicted from it, what may go wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..classifiers import ModelCard
from ..errors import ClassifierError, MissingExtraError, ReadingError
from ..prediction import estimate
from ..reading import ReadingOptions, RoiSelection
from ..reading.axes import AxesOption
from ..reading.file_contents import FileContents, survey
from ..reading.opening import open_nwbfile
from ..reading.recordings import MovieOption, recording_from
from ..recording import CinacRecording

DEFAULT_CLASSIFIER = "activity-sim"


@dataclass(frozen=True)
class FoundMovie:
    """An image series of the file: path, type, shape, and why it would not be taken (empty: it could be)."""

    path: str
    type: str
    shape: tuple[int, ...]
    remark: str = ""


@dataclass(frozen=True)
class FoundSegmentation:
    """A plane segmentation of the file: its path, rows and columns."""

    path: str
    n_rois: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class RoiReport:
    """One row of the chosen segmentation.

    `centroid` is its centre on the movie's first and second spatial axis; `skipped` says why it cannot be
    predicted.
    """

    row: int
    id: int
    n_pixels: int
    centroid: tuple[float, float]
    skipped: str | None = None


@dataclass(frozen=True)
class InspectionReport:
    """All that `ndx-cinac inspect` shows; `to_dict` for scripts, `to_text` for people.

    Attributes
    ----------
    path : str
        The file.
    movies, segmentations : tuple
        What the file holds.
    movie, segmentation : str or None
        Object paths of what was chosen; None where nothing could be.
    axes : mapping or None
        ``masks``, ``evidence`` and ``detail``, as in `recording.Axes`.
    rate, pixel_size : float
        Hz, micrometres; NaN where not known.
    shape : tuple of int or None
        (n_frames, first, second) of the chosen movie.
    n_rois : int or None
        Rows of the chosen segmentation.
    rois : tuple of RoiReport
        One entry per row.
    classifier : mapping
        What its card asks for (``frame_rates``, ``pixel_sizes``, ``roi_diameters``, ``inputs``),
        ``mismatches`` with the recording, and ``problem`` where it cannot be used.
    memory_bytes, disk_bytes, seconds : float
        What a prediction is expected to take on two cores; NaN where that cannot be told.
    warnings : tuple of str
        What a user should know, one sentence each.
    problem : str or None
        Why nothing can be predicted.
    """

    path: str
    movies: tuple[FoundMovie, ...] = ()
    segmentations: tuple[FoundSegmentation, ...] = ()
    movie: str | None = None
    segmentation: str | None = None
    axes: Mapping[str, str] | None = None
    rate: float = math.nan
    pixel_size: float = math.nan
    shape: tuple[int, ...] | None = None
    n_rois: int | None = None
    rois: tuple[RoiReport, ...] = ()
    classifier: Mapping[str, Any] = field(default_factory=dict)
    memory_bytes: float = math.nan
    disk_bytes: float = 0.0
    seconds: float = math.nan
    warnings: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def n_frames(self) -> int | None:
        """Frames of the chosen movie."""
        return None if self.shape is None else self.shape[0]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types only; numbers that are not known are None."""
        content = asdict(self) | {"n_frames": self.n_frames}
        for roi in content["rois"]:
            if roi["skipped"] is None:
                del roi["skipped"]
        plain: dict[str, Any] = _plain(content)
        return plain

    def to_text(self) -> str:
        """Return one screen of text."""
        from .text import as_text

        return as_text(self)


def inspect_file(
    path: str | Path,
    movie: MovieOption = None,
    segmentation: str | None = None,
    axes: AxesOption = "auto",
    classifier: str | Path = DEFAULT_CLASSIFIER,
    *,
    rois: RoiSelection | None = None,
) -> InspectionReport:
    """Say what a file holds and what a prediction would do with it; nothing is predicted.

    A file that can be opened always gives a report: why it cannot be predicted stands in its `problem`.

    Parameters
    ----------
    path : str or Path
        An NWB file.
    movie, segmentation, axes, rois
        As in `read_recording`.
    classifier : str or Path
        Name or folder of the classifier whose card is compared.

    Raises
    ------
    ReadingError
        If the file cannot be opened.
    ConfigError
        If an option has a value that cannot be used.
    """
    opened = open_nwbfile(path)
    try:
        contents = survey(opened.nwbfile)
        found = _found(contents)
        try:
            recording = recording_from(opened, contents, ReadingOptions(movie, segmentation, axes, rois))
        except (ReadingError, MissingExtraError) as error:
            wanted, warnings, _ = _classifier(classifier, None)
            return InspectionReport(
                str(path), *found, classifier=wanted, warnings=(str(error), *warnings), problem=str(error)
            )
        try:
            return _report(str(path), found, recording, classifier)
        finally:
            if recording.movie is not None:
                recording.movie.close()
    finally:
        if opened.close is not None:
            opened.close()


def _found(contents: FileContents) -> tuple[tuple[FoundMovie, ...], tuple[FoundSegmentation, ...]]:
    """Movies and segmentations of a file."""
    movies = tuple(FoundMovie(m.path, m.kind, m.shape, m.fault or m.doubt) for m in contents.movies)
    tables = tuple(FoundSegmentation(p, len(t.id), tuple(t.colnames)) for p, t in contents.segmentations)
    return movies, tables


def _report(
    path: str,
    found: tuple[tuple[FoundMovie, ...], tuple[FoundSegmentation, ...]],
    recording: CinacRecording,
    classifier: str | Path,
) -> InspectionReport:
    """Report on a recording that was read."""
    movie, rois, source, times = (
        recording.require_movie(),
        recording.require_rois(),
        recording.source,
        recording.times,
    )
    assert source is not None
    assert times is not None
    wanted, warnings, card = _classifier(classifier, recording)
    sizes, skipped = rois.n_pixels, {**rois.unselected, **rois.skipped}
    entries = tuple(
        RoiReport(row, int(rois.ids[row]), int(sizes[row]), rois.centroid(row), skipped.get(row))
        for row in range(len(rois))
    )
    problem = None if len(rois.kept) else "None of the ROIs can be predicted: see why each is skipped"
    expected = None if card is None else estimate(card, movie.n_frames, len(rois.kept), movie.shape[1:])
    return InspectionReport(
        path,
        *found,
        movie=source.movie_path or "(given from outside of the file)",
        segmentation=source.segmentation_path,
        axes=asdict(recording.axes),
        rate=times.frame_rate,
        pixel_size=recording.pixel_size if recording.pixel_size is not None else math.nan,
        shape=movie.shape,
        n_rois=len(rois),
        rois=entries,
        classifier=wanted,
        memory_bytes=math.nan if expected is None else expected.memory_bytes,
        disk_bytes=float(movie.temporary_bytes + (0 if expected is None else expected.disk_bytes)),
        seconds=math.nan if expected is None else expected.seconds,
        warnings=(*recording.notes, *([problem] if problem else []), *warnings),
        problem=problem,
    )


def _classifier(
    name: str | Path, recording: CinacRecording | None
) -> tuple[dict[str, Any], list[str], ModelCard | None]:
    """Return what a classifier's card asks for and how the recording fits, warnings, and the card."""
    from ..classifiers import check_fit, load_classifier

    warnings = []
    if find_spec("tensorflow") is None:
        warnings.append(str(MissingExtraError("A prediction", "predict", "tensorflow")))
    try:
        card = load_classifier(name).card
    except ClassifierError as error:
        return {"name": str(name), "problem": str(error)}, [*warnings, str(error)], None
    mismatches = check_fit(card, recording) if recording is not None else []
    entry = {
        "name": card.name,
        "version": card.version,
        "task": card.task,
        "sha256": card.sha256,
        "definition": card.definition,
        "threshold": card.threshold,
        "inputs": card.inputs.get("kind"),
        "frame_rates": card.frame_rates,
        "pixel_sizes": card.pixel_sizes,
        "roi_diameters": card.roi_diameters,
        "mismatches": mismatches,
    }
    return entry, [*warnings, *mismatches], card


def _plain(value: Any) -> Any:
    """Return `value` with JSON types only."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
