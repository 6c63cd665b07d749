"""When a prediction keeps its finished work, and what that is tied to: source, classifier, parameters."""

from __future__ import annotations

import hashlib
import logging
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..classifiers import Classifier
from ..journal import Journal
from ..recording import CinacRecording, Source
from ..writing.unfinished import UnfinishedFolder
from .expectation import TRACE_KINDS, expected_seconds
from .options import PredictionOptions

END_BYTES = 2**20
"""Bytes at a file's beginning and end that are part of its identity: HDF5 keeps what it changes there."""

ROOM = 1.5
"""Finished work is kept where this many times its size is free."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keeping:
    """Where a prediction keeps its finished work.

    Attributes
    ----------
    folder : UnfinishedFolder
        The run's temporary folder.
    name : str
        Name of the prediction in it: a run may make several.
    """

    folder: UnfinishedFolder
    name: str = "activity"


def journal_of(
    keeping: Keeping | None, recording: CinacRecording, classifier: Classifier, options: PredictionOptions
) -> Journal | None:
    """Open the journal of a prediction, tied to all that shapes its numbers.

    Returns
    -------
    Journal or None
        None where nothing is kept: that was asked for, there is no output or no lasting source, the work is
        too short, or there is no room.
    """
    if keeping is None or recording.source is None:
        return None
    journal = Journal(keeping.folder.path, keeping.name)
    if not options.resume:
        journal.clear()
        return None
    source = identity_of(recording.source, recording)
    if source is None or not _worthwhile(recording, classifier, options, keeping.folder.path):
        return None
    journal.tie(
        source=source,
        classifier={"name": classifier.card.name, "sha256": classifier.fingerprint},
        parameters=_parameters(recording, classifier, options),
        software=_software(),
    )
    return journal


def identity_of(source: Source, recording: CinacRecording) -> dict[str, Any] | None:
    """Return what tells a source from another and from a changed one; None for one without a lasting place.

    For a file: path, size, time of its last change and a digest of its two ends; for an asset of an archive:
    its digest. With both, the objects in it, and the files of a movie outside of it.
    """
    inside = {
        "file": source.file_identifier,
        "movie": [source.movie_path, source.movie_id],
        "segmentation": [source.segmentation_path, source.segmentation_id],
    }
    if source.dandi_asset is not None:  # its id is in it, and no other content ever gets that
        return {**inside, "asset": source.dandi_asset, "digest": source.digest}
    if source.path is None:
        return None
    outside = getattr(recording.movie, "paths", ())
    return {**inside, "stored": [_stored(path) for path in (source.path, *outside)]}


def _stored(path: Path) -> list[Any]:
    """Return a file's path, size, time of change, and digest of its ends; for a folder those of its files."""
    path = path.resolve()
    if not path.is_dir():
        stat = path.stat()
        return [str(path), stat.st_size, stat.st_mtime_ns, _digest_of_ends(path, stat.st_size)]
    digest = hashlib.sha256()
    size = latest = 0
    for file in sorted(path.rglob("*")):
        stat = file.stat()
        digest.update(f"{file.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        size, latest = size + stat.st_size, max(latest, stat.st_mtime_ns)
    return [str(path), size, latest, digest.hexdigest()]


def _digest_of_ends(path: Path, size: int) -> str:
    """Digest of a file's first and last bytes."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(END_BYTES))
        file.seek(max(0, size - END_BYTES))
        digest.update(file.read(END_BYTES))
    return digest.hexdigest()


def _parameters(
    recording: CinacRecording, classifier: Classifier, options: PredictionOptions
) -> dict[str, Any]:
    """Return everything else that shapes the numbers."""
    movie, rois = recording.require_movie(), recording.require_rois()
    digest = hashlib.sha256()
    for values in (rois.first, rois.second, rois.weights, rois.starts, rois.usable, rois.kept):
        digest.update(np.ascontiguousarray(values).data)
    return {
        "options": options.to_dict(),
        "inputs": dict(classifier.card.inputs),
        "movie": [list(movie.shape), str(movie.dtype), movie.chunk_frames],
        "axes": recording.axes.masks,
        "rois": digest.hexdigest(),
    }


def _software() -> dict[str, str]:
    """Return versions of what computes, and the kind of device, but not its cores: a job may get others."""
    from ..backend import device_description, keras_versions

    packages = {name: version(name) for name in ("ndx-cinac", "numpy", "scipy")}
    device = device_description()
    kind = platform.machine() if device.startswith("CPU") else device
    return {**packages, **keras_versions(), "device": kind}


def _worthwhile(
    recording: CinacRecording, classifier: Classifier, options: PredictionOptions, folder: Path
) -> bool:
    """Whether the work is long enough to be kept, and there is room for it."""
    movie, n_rois = recording.require_movie(), len(recording.require_rois().kept)
    seconds = expected_seconds(movie.n_frames, n_rois, movie.shape[1:])
    if classifier.card.inputs.get("kind") in TRACE_KINDS and seconds < options.resume_seconds:
        return False
    needed = ROOM * 4 * 6 * n_rois * movie.n_frames
    free = shutil.disk_usage(folder).free
    if free < needed:
        text = "Finished work is not kept: that needs %.1f GB, and %.1f GB are free in %s"
        _log.warning(text, needed / 1e9, free / 1e9, folder)
        return False
    return True
