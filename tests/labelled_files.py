"""Annotated files to train on, small and unlike one another, for the tests of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO

from ndx_cinac.cinac_files import CinacFullData, CinacSegment, SegmentKey, write_cinac
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.testing.mock import MockLayout, MockRecording, mock_nwbfile_with_movie, mock_recording


def labelled_recording(
    n_rois: int = 6, n_frames: int = 200, seed: int = 0, *, dips: bool = False
) -> MockRecording:
    """A recording of a few cells with known activity; with `dips` they darken when they are active."""
    mock = mock_recording(n_rois, n_frames, (40, 48), seed, noise=20.0)
    if not dips:
        return mock
    frames = (2500 - mock.frames.astype(np.int64)).clip(0).astype(np.uint16)
    return replace(mock, recording=replace(mock.recording, movie=ArrayMovie(frames)))


def annotated_nwb(
    path: Path, n_rois: int = 6, n_frames: int = 200, seed: int = 0, *, dips: bool = False
) -> Path:
    """Write such a recording, all of it annotated."""
    mock = labelled_recording(n_rois, n_frames, seed, dips=dips)
    nwbfile = mock_nwbfile_with_movie(layout=MockLayout(truth=True), mock=mock)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    return path


def outline(pixels: np.ndarray) -> np.ndarray:
    """The box around pixels (y, x) as a contour of shape (2, 4): x, y."""
    (top, left), (bottom, right) = pixels.min(axis=0), pixels.max(axis=0)
    return np.array([[left, right, right, left], [top, top, bottom, bottom]])


def annotated_cinac(
    path: Path, n_rois: int = 4, n_frames: int = 120, seed: int = 0, *, whole: bool = False
) -> Path:
    """Write a .cinac file: a patch of the movie around each cell, or the whole movie besides."""
    mock = labelled_recording(n_rois, n_frames, seed)
    rois, movie = mock.recording.require_rois(), mock.frames
    boxes = [outline(rois.pixels(row)) for row in range(n_rois)]
    segments = []
    for row, box in enumerate(boxes):
        x, y = (slice(max(0, int(side.min()) - 6), int(side.max()) + 7) for side in box)
        corner = np.array([[x.start], [y.start]])
        segments.append(
            CinacSegment(
                key=SegmentKey(row, 10, n_frames - 1),
                movie=movie[10:, y, x],
                active=mock.active[10:, row].astype(np.int8),
                contours=(box - corner,),
                doubtful=(np.arange(n_frames - 10) < 5).astype(np.int8),
            )
        )
    full = CinacFullData(contours=tuple(boxes), movie=movie) if whole else None
    return write_cinac(path, segments, full)
