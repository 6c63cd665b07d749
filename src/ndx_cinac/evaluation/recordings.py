"""Predictions of one recording beside what annotators know of it, read from NWB files or made from arrays."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile

from ..errors import AmbiguousSourceError, ReadingError
from ..movies import Movie
from ..reading import read_recording
from ..reading.axes import lay_on_movie, ordered
from ..reading.masks import read_masks
from ..reading.opening import open_nwbfile
from ..recording import MaskOrder, Times
from ..results import ActivityResult
from ..rois import Rois
from ..writing.output import DEFAULT_NAME, MODULE
from ..writing.stored import read_predictions
from .activity import judged_frames
from .truth import ActivityTruth, annotation_tables, truth_from_nwb

logger = logging.getLogger(__name__)

NAMED_ROWS = 8


@dataclass(frozen=True)
class AnnotatedPredictions:
    """Predictions of the ROIs of one recording of which something is known; a column per ROI.

    Attributes
    ----------
    name : str
        What the recording is called in a report.
    roi_rows : ndarray of int64, shape (n_rois,)
        Rows of the plane segmentation.
    probabilities : ndarray of float32, shape (n_frames, n_rois)
        Predictions.
    active, judged : ndarray of bool, shape (n_frames, n_rois)
        The truth, and the frames that count: examined and not doubtful.
    threshold : float
        At or above it a frame is predicted active.
    times : Times
        When each frame was taken.
    classifiers : tuple of str
        Names and versions of the classifiers.
    annotators : tuple of str
        Who annotated.
    superseded : int
        Annotations that do not count, because a later one says otherwise.
    n_left_out : int
        Predicted ROIs of which nothing is known.
    rois : Rois or None
        All ROIs of the plane segmentation; without them, overlap is not known.
    movie : Movie or None
        Without it there are no traces, hence neither baselines nor signal-to-noise.
    """

    name: str
    roi_rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    active: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    threshold: float
    times: Times
    classifiers: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    superseded: int = 0
    n_left_out: int = 0
    rois: Rois | None = None
    movie: Movie | None = None

    @classmethod
    def from_result(cls, result: ActivityResult, truth: ActivityTruth, name: str) -> AnnotatedPredictions:
        """Bring predictions and truth together; `truth` has a column per row of the plane segmentation.

        Raises
        ------
        ReadingError
            If no predicted ROI was examined.
        ConfigError
            If predictions and truth are of different numbers of frames.
        """
        n_rows = truth.active.shape[1]
        inside = result.roi_rows < n_rows
        rows = result.roi_rows[inside]
        probabilities = result.probabilities[:, inside]
        active = truth.active[:, rows]
        judged = judged_frames(probabilities, active, truth.ignored[:, rows], truth.examined[:, rows])
        known = judged.any(axis=0)
        if not known.any():
            examined = np.flatnonzero(truth.examined.any(axis=0))
            what = (
                f"Nothing is known of the {len(result.roi_rows)} predicted ROIs: annotations are of rows "
                f"{_listed(examined)}, predictions of rows {_listed(result.roi_rows)}"
            )
            raise ReadingError(what, where=name, fix="Annotate some of the ROIs that are predicted")
        return cls(
            name=name,
            roi_rows=rows[known],
            probabilities=probabilities[:, known],
            active=active[:, known],
            judged=judged[:, known],
            threshold=result.threshold,
            times=result.times,
            classifiers=tuple(f"{each.name} {each.version}" for each in result.classifiers),
            annotators=truth.annotators,
            superseded=truth.superseded,
            n_left_out=len(result.roi_rows) - int(known.sum()),
        )


@contextmanager
def annotated_predictions(
    source: str | Path, annotations: str | Path | None = None, name: str = DEFAULT_NAME
) -> Iterator[AnnotatedPredictions]:
    """Open a file with activity predictions, and give them beside the annotations; its movie stays open.

    Parameters
    ----------
    source : str or Path
        An NWB file with predictions.
    annotations : str or Path, optional
        Another NWB file that holds the annotations of the same ROIs; the file itself by default.
    name : str
        Name of the predictions.

    Raises
    ------
    ReadingError
        If there are no predictions of that name, no annotations, or they are of different ROIs.
    """
    with ExitStack() as stack:
        nwbfile, path = opened_file(stack, source)
        other, other_path = (nwbfile, path) if annotations is None else opened_file(stack, annotations)
        result = read_predictions(nwbfile, name)
        table = nwbfile.processing[MODULE][name].rois.table
        target = same_rois(other, table, other_path, ("AnnotatedSegments", "ActivityAnnotations"))
        truth = truth_from_nwb(other, result.times, target.object_id)
        label = path.name.removesuffix(".zarr").removesuffix(".nwb")
        found = AnnotatedPredictions.from_result(result, truth, label)
        order = mask_order(result.parameters)
        linked = getattr(nwbfile.processing[MODULE][name], "movie", None)
        movie, rois = _movie_of(stack, nwbfile, None if linked is None else linked.object_id, table, order)
        if movie is None and annotations is not None:
            movie, rois = _movie_of(stack, other, None, target, order)
        if movie is not None and movie.n_frames != result.n_frames:
            movie = None
        yield replace(found, movie=movie, rois=rois if rois is not None else _rois_alone(table, order))


def same_rois(nwbfile: NWBFile, table: Any, path: Path, kinds: tuple[str, ...]) -> Any:
    """Return the annotated ROI table of a file that is the predicted one, or has its rows.

    Parameters
    ----------
    nwbfile : NWBFile
        The file with the annotations.
    table : PlaneSegmentation
        The ROI table of the predictions.
    path : Path
        The file, for messages.
    kinds : tuple of str
        Types of annotations.

    Raises
    ------
    ReadingError
        If the file holds no annotations, or those of other ROIs.
    AmbiguousSourceError
        If several annotated tables have as many ROIs as the predicted one, which is not among them.
    """
    tables = [each for kind in kinds for each in annotation_tables(nwbfile, kind)]
    targets = {each["roi"].table.object_id: each["roi"].table for each in tables}
    if not targets:
        what = f"The file holds no annotations to compare with: neither {' nor '.join(kinds)}"
        fix = "Add some, or give the file that holds them (--annotations)"
        raise ReadingError(what, where=str(path), fix=fix)
    if table.object_id in targets:
        return targets[table.object_id]
    ids = np.asarray(table.id[:])
    alike = [each for each in targets.values() if np.array_equal(np.asarray(each.id[:]), ids)]
    if len(alike) > 1:
        what = f"Annotations of {len(alike)} ROI tables could be meant: {', '.join(e.name for e in alike)}"
        raise AmbiguousSourceError(what, where=str(path), fix="Keep those of one table in the file")
    if not alike:
        sizes = ", ".join(f"'{each.name}' with {len(each)}" for each in targets.values())
        what = (
            f"The annotated ROIs are not those that were predicted: annotated is {sizes} rows, predicted "
            f"'{table.name}' with {len(ids)}"
        )
        raise ReadingError(what, where=str(path), fix="Give the file that annotates the predicted ROIs")
    return alike[0]


def mask_order(parameters: Mapping[str, Any]) -> MaskOrder:
    """How the masks lay on the movie when it was predicted; as the schema says where that is not told."""
    axes = parameters.get("axes", {})
    order = axes.get("masks") if isinstance(axes, dict) else axes
    return cast(MaskOrder, order) if order in ("matching", "exchanged") else "matching"


def opened_file(stack: ExitStack, source: str | Path) -> tuple[NWBFile, Path]:
    """Open a file until the stack is left."""
    opened = open_nwbfile(source)
    if opened.close is not None:
        stack.callback(opened.close)
    return opened.nwbfile, Path(source)


def _movie_of(
    stack: ExitStack, nwbfile: NWBFile, movie_id: str | None, table: Any, order: MaskOrder
) -> tuple[Movie | None, Rois | None]:
    """Movie and ROIs as they were predicted; None where the file holds no movie that can be read."""
    try:
        recording = stack.enter_context(read_recording(nwbfile, movie_id, table.object_id, order))
    except ReadingError as error:
        logger.info("Evaluating without a movie: %s", error)
        return None, None
    return recording.require_movie(), recording.require_rois()


def _rois_alone(table: Any, order: MaskOrder) -> Rois:
    """ROIs without a movie: the field ends where they do."""
    pixels = read_masks(table)
    first, second = ordered(pixels, order)
    shape = (int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1)
    return lay_on_movie(pixels, shape, order)[0]


def _listed(rows: NDArray[Any]) -> str:
    """Name some rows in a message."""
    shown = ", ".join(str(row) for row in rows[:NAMED_ROWS])
    return f"{shown}, ..." if len(rows) > NAMED_ROWS else shown or "none"
