"""Results with known values, and files to write them into."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO, NWBFile

from ndx_cinac.reading import read_recording
from ndx_cinac.results import ActivityResult, ClassifierInfo
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie


def write_source(path: Path, layout: MockLayout | None = None, n_frames: int = 60) -> Path:
    """Write a small file with a movie and three ROIs."""
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=n_frames, layout=layout))
    return path


def classifier_info(name: str = "tiny") -> ClassifierInfo:
    """What a result says of a classifier; another name has other weights."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return ClassifierInfo(name, "activity", "0.1", sha256, "For tests.", '{\n  "a": 1\n}')


def random_result(source: Path | NWBFile, seed: int = 0, classifier: str = "tiny") -> ActivityResult:
    """Random probabilities for all ROIs but the first, with everything else that a result can hold."""
    with read_recording(source) as recording:
        rois, movie = recording.require_rois(), recording.require_movie()
        rows = rois.kept[1:]
        values = np.random.default_rng(seed).random((movie.n_frames, len(rows)), dtype=np.float32)
        return ActivityResult(
            probabilities=values,
            roi_rows=rows,
            roi_ids=rois.ids[rows],
            times=recording.times,
            threshold=0.8,
            classifiers=(classifier_info(classifier),),
            classifier_index=np.zeros(len(rows), np.int64),
            definition="from onset to peak",
            skipped={0: "its mask is empty"},
            parameters={"axes": {"masks": "matching"}, "options": {"batch_size": 16}},
            device="CPU, 2 threads",
            source=recording.source,
            notes=("One note.",),
            seconds=1.5,
        )


def file_bytes(path: Path) -> dict[str, bytes] | bytes:
    """Every byte of a file, or of each file of a folder."""
    if path.is_dir():
        return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return path.read_bytes()
