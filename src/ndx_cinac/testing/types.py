"""Mock objects of each type of the extension, in one line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from pynwb import NWBFile
from pynwb.image import ImageSeries
from pynwb.ophys import PlaneSegmentation

from ..neurodata import (
    ActivityAnnotations,
    ActivityPredictions,
    AnnotatedSegments,
    CellTypeAnnotations,
    CellTypeMeaning,
    CellTypePredictions,
    ClassifierTable,
    PredictedTransients,
    PredictionProvenance,
)
from .files import mock_nwbfile_with_movie

CELL_TYPES = ("pyramidal", "interneuron")
"""The cell types of mock predictions."""


def mock_segmentation(n_rois: int = 3) -> PlaneSegmentation:
    """Make a PlaneSegmentation, in an NWBFile of its own."""
    return rois_of(mock_nwbfile_with_movie(n_rois=n_rois, n_frames=2))


def rois_of(nwbfile: NWBFile) -> PlaneSegmentation:
    """Return the first PlaneSegmentation of a mock file."""
    return nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]


def mock_ClassifierTable(name: str = "classifiers") -> ClassifierTable:
    """Make a table of two classifiers: row 0 predicts activity, row 1 cell types."""
    return ClassifierTable.from_arrays(
        name=name,
        names=["activity-mock", "cell-type-mock"],
        tasks=["activity", "cell_type"],
        versions=["1.0", "1.0"],
        sha256=["0" * 64, "1" * 64],
        descriptions=["A classifier for tests.", "A classifier for tests."],
    )


def mock_probabilities(n_frames: int, n_rois: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Make probabilities from 0 to 1 with a few periods above 0.5, shape (n_frames, n_rois)."""
    rng = np.random.default_rng(seed)
    phase = np.arange(n_frames)[:, None] / 15 + rng.uniform(0, 6, n_rois)
    return (0.5 + 0.45 * np.sin(phase)).astype(np.float32)


def mock_ActivityPredictions(
    rois: PlaneSegmentation | None = None,
    classifiers: ClassifierTable | None = None,
    *,
    n_frames: int = 200,
    name: str = "ActivityPredictions",
    movie: ImageSeries | None = None,
    rate: float = 10.0,
) -> ActivityPredictions:
    """Make predictions for all rows of `rois`, at `rate` or with the times of `movie`."""
    rois = mock_segmentation() if rois is None else rois
    classifiers = mock_ClassifierTable() if classifiers is None else classifiers
    rows = list(range(len(rois)))
    times: dict[str, Any] = {"rate": rate, "starting_time": 0.0}
    if movie is not None:
        n_frames = movie.data.shape[0]
        times = {"timestamps": movie} if movie.rate is None else {"rate": movie.rate, "starting_time": 0.0}
    return ActivityPredictions(
        name=name,
        data=mock_probabilities(n_frames, len(rows)),
        rois=rois.create_roi_table_region(region=rows, description="Predicted ROIs."),
        classifier=classifiers.create_region("classifier", [0] * len(rows), "Classifier of each ROI."),
        threshold=0.5,
        definition="From the onset to the peak of a transient.",
        movie=movie,
        **times,
    )


def mock_CellTypePredictions(
    rois: PlaneSegmentation | None = None, classifiers: ClassifierTable | None = None
) -> CellTypePredictions:
    """Make predicted cell types for all rows of `rois`."""
    rois = mock_segmentation() if rois is None else rois
    first = np.linspace(0.9, 0.2, len(rois), dtype=np.float32)
    probability = np.stack([first, 1 - first], axis=1)
    return CellTypePredictions.from_arrays(
        rois=rois,
        classifiers=mock_ClassifierTable() if classifiers is None else classifiers,
        cell_types=CELL_TYPES,
        columns={
            "roi": np.arange(len(rois)),
            "cell_type": [CELL_TYPES[best] for best in probability.argmax(axis=1)],
            "probability": probability,
            "confidence": probability.max(axis=1),
            "classifier": np.full(len(rois), 1),
        },
        meanings={
            "pyramidal": CellTypeMeaning(
                "Excitatory neuron", synonyms=("excitatory",), ontology_id="CL:0000598"
            )
        },
    )


def mock_PredictedTransients(
    rois: PlaneSegmentation | None = None, name: str = "PredictedTransients"
) -> PredictedTransients:
    """Make one period of five frames for each row of `rois`, at ten frames per second."""
    rois = mock_segmentation() if rois is None else rois
    first = 10 + 20 * np.arange(len(rois))
    return PredictedTransients.from_arrays(
        name=name,
        rois=rois,
        columns={
            "timestamp": first / 10,
            "duration": np.full(len(rois), 0.5),
            "roi": np.arange(len(rois)),
            "first_frame": first,
            "last_frame": first + 4,
            "peak_probability": np.full(len(rois), 0.9, np.float32),
            "mean_probability": np.full(len(rois), 0.7, np.float32),
        },
    )


def mock_ActivityAnnotations(rois: PlaneSegmentation | None = None) -> ActivityAnnotations:
    """Make an active and a doubtful period for each row of `rois`, at ten frames per second."""
    rois = mock_segmentation() if rois is None else rois
    first = 10 + 20 * np.repeat(np.arange(len(rois)), 2) + 8 * np.tile([0, 1], len(rois))
    return ActivityAnnotations.from_arrays(
        rois=rois,
        columns={
            "timestamp": first / 10,
            "duration": np.full(len(first), 0.5),
            "roi": np.repeat(np.arange(len(rois)), 2),
            "state": ["active", "doubtful"] * len(rois),
            "annotator": ["mock"] * len(first),
            "first_frame": first,
            "last_frame": first + 4,
        },
    )


def mock_AnnotatedSegments(rois: PlaneSegmentation | None = None) -> AnnotatedSegments:
    """Make two segments of 10 s for each row of `rois`, one after the other."""
    rois = mock_segmentation() if rois is None else rois
    return AnnotatedSegments.from_arrays(
        rois=rois,
        columns={
            "start_time": np.repeat([0.0, 10.0], len(rois)),
            "stop_time": np.repeat([10.0, 20.0], len(rois)),
            "roi": np.tile(np.arange(len(rois)), 2),
            "annotator": ["mock"] * 2 * len(rois),
        },
    )


def mock_CellTypeAnnotations(rois: PlaneSegmentation | None = None) -> CellTypeAnnotations:
    """Make one judgement for each row of `rois`."""
    rois = mock_segmentation() if rois is None else rois
    return CellTypeAnnotations.from_arrays(
        rois=rois,
        columns={
            "roi": np.arange(len(rois)),
            "cell_type": [CELL_TYPES[row % 2] for row in range(len(rois))],
            "annotator": ["mock"] * len(rois),
        },
    )


def mock_PredictionProvenance(name: str = "PredictionProvenance") -> PredictionProvenance:
    """Make the provenance of a prediction from a file that does not exist."""
    return PredictionProvenance(
        name=name,
        software="ndx-cinac 0.1.0",
        versions='{"keras": "3.12.0"}',
        parameters='{"threshold": 0.5}',
        device="CPU",
        created=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        source_file_identifier="mock-0",
        source_movie_id="",
        source_movie_path="acquisition/TwoPhotonSeries",
        source_segmentation_id="",
        source_segmentation_path="processing/ophys/ImageSegmentation/PlaneSegmentation",
        source_path="mock.nwb",
        source_digest="sha256:" + "0" * 64,
    )


def mock_nwbfile_with_predictions(n_rois: int = 3, n_frames: int = 200) -> NWBFile:
    """Make an NWBFile with a movie and one object of each of the eight types, in module "cinac"."""
    nwbfile = mock_nwbfile_with_movie(n_rois=n_rois, n_frames=n_frames)
    rois, movie = rois_of(nwbfile), nwbfile.acquisition["TwoPhotonSeries"]
    module = nwbfile.create_processing_module(name="cinac", description="Predictions and annotations.")
    classifiers = mock_ClassifierTable()
    module.add(classifiers)
    module.add(mock_ActivityPredictions(rois, classifiers, movie=movie))
    module.add(mock_CellTypePredictions(rois, classifiers))
    module.add(mock_PredictedTransients(rois))
    module.add(mock_ActivityAnnotations(rois))
    module.add(mock_AnnotatedSegments(rois))
    module.add(mock_CellTypeAnnotations(rois))
    module.add(mock_PredictionProvenance())
    return nwbfile
