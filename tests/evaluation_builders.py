"""Files with predictions and annotations, for the tests of evaluations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from output_builders import random_result
from pynwb import NWBHDF5IO

from ndx_cinac.evaluation import AnnotatedPredictions
from ndx_cinac.neurodata import CellTypeAnnotations, CellTypeMeaning, CellTypePredictions
from ndx_cinac.recording import Times
from ndx_cinac.testing.mock import (
    MockLayout,
    MockRecording,
    mock_ClassifierTable,
    mock_nwbfile_with_movie,
    mock_recording,
    rois_of,
)
from ndx_cinac.writing import OutputOptions, write_predictions

N_FRAMES = 300
TYPES = ("interneuron", "pyramidal", "noise")


def seen(seed: int = 0) -> MockRecording:
    """A recording of four cells whose activity is known."""
    return mock_recording(4, N_FRAMES, seed=seed)


def imperfect(active: np.ndarray, seed: int = 0) -> np.ndarray:
    """Probabilities that are mostly right: one transient is missed, one found where none is."""
    rng = np.random.default_rng(seed)
    values = np.where(active, 0.9, 0.05) + rng.uniform(-0.05, 0.05, active.shape)
    first = int(np.flatnonzero(active[:, -1])[0])
    values[first : first + 3, -1] = 0.2  # all three frames of its first transient
    values[2:5, 1] = np.where(active[2:5, 1], values[2:5, 1], 0.8)
    return values.astype(np.float32)


def activity_file(folder: Path, name: str = "session", *, truth: bool = True, seed: int = 0) -> Path:
    """A file with a movie, annotations of four ROIs and predictions of the last three."""
    mock = seen(seed)
    source = folder / f"{name}_source.nwb"
    with NWBHDF5IO(source, "w") as io:
        io.write(mock_nwbfile_with_movie(layout=MockLayout(truth=truth), mock=mock))
    result = replace(random_result(source), probabilities=imperfect(mock.active[:, 1:], seed), threshold=0.5)
    write_predictions(result, OutputOptions(folder / f"{name}.nwb"), source)
    return folder / f"{name}.nwb"


def known(text: str, probabilities: list[float] | None = None, **changes) -> AnnotatedPredictions:
    """Predictions of one ROI: 'x' active, '.' not, '?' not judged; perfect ones by default."""
    active = np.array([[sign == "x"] for sign in text])
    values = active.astype(np.float32) if probabilities is None else np.array(probabilities, "f4")[:, None]
    made = AnnotatedPredictions(
        name="arrays",
        roi_rows=np.array([0]),
        probabilities=values,
        active=active,
        judged=np.array([[sign != "?"] for sign in text]),
        threshold=0.5,
        times=Times(len(text), rate=10.0),
    )
    return replace(made, **changes)


def cell_type_file(
    path: Path,
    annotated: list[tuple[int, str]],
    probability: list[list[float]] | None = None,
    names: tuple[str, ...] = TYPES,
    predictions: tuple[str, ...] = ("CellTypePredictions",),
) -> Path:
    """A file with predicted cell types of three ROIs, and judgements (row, type), one after another."""
    nwbfile = mock_nwbfile_with_movie(n_rois=5, n_frames=2)
    rois = rois_of(nwbfile)
    module = nwbfile.create_processing_module(name="cinac", description="Predictions.")
    classifiers = mock_ClassifierTable()
    module.add(classifiers)
    values = np.array(probability or [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.4, 0.45, 0.15]], np.float32)
    for name in predictions:
        module.add(
            CellTypePredictions.from_arrays(
                name=name,
                rois=rois,
                classifiers=classifiers,
                cell_types=names,
                columns={
                    "roi": np.arange(len(values)),
                    "cell_type": [names[best] for best in values.argmax(axis=1)],
                    "probability": values,
                    "confidence": values.max(axis=1),
                    "classifier": np.full(len(values), 1),
                },
                meanings={"pyramidal": CellTypeMeaning("Excitatory", synonyms=("pyr", "Excitatory Cell"))},
            )
        )
    if annotated:
        columns = {
            "roi": [row for row, _ in annotated],
            "cell_type": [kind for _, kind in annotated],
            "annotator": ["AB"] * len(annotated),
        }
        module.add(CellTypeAnnotations.from_arrays(rois=rois, columns=columns))
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path
