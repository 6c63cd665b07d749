"""The bundled classifier of cell types: right on simulated recordings that it has not seen, and open."""

from __future__ import annotations

import numpy as np
import pytest

from ndx_cinac import predict_cell_types
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import PredictionError
from ndx_cinac.evaluation import CellTypeEvaluation
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.simulation import load_config, simulate_field

pytestmark = pytest.mark.tensorflow

N_FIELDS = 10
SEEDED = 20_000
"""Seeds of fields here: far from those of the training, which are made of three numbers."""


def recording(seed: int, pixel_size: bool = True) -> tuple[CinacRecording, tuple[str, ...]]:
    field = simulate_field(load_config("cell-types-training"), seed)
    made = CinacRecording(
        f"field {seed}",
        ArrayMovie(field.movie),
        field.rois,
        Times(len(field.movie), rate=field.frame_rate),
        pixel_size=field.pixel_size if pixel_size else None,
    )
    return made, field.cell_types


VERSION, SHA256 = "1.1", "3491734f2f3494ebb894bb6c52da3a6b48693008dc54ed91b04cb21a847fac94"
"""A network of another hash is another version: change both."""


@pytest.fixture(scope="module")
def card():
    return load_classifier("cell-type-sim").card


@pytest.fixture(scope="module")
def evaluation(card) -> CellTypeEvaluation:
    true, found = [], []
    for number in range(N_FIELDS):
        made, types = recording(SEEDED + number)
        result = predict_cell_types(made)
        known = [place for place, row in enumerate(result.roi_rows) if types[row]]
        true += [card.classes.index(types[result.roi_rows[place]]) for place in known]
        found.append(result.probabilities[known])
    probabilities = np.concatenate(found).astype(np.float64)
    return CellTypeEvaluation(card.classes, (), np.array(true), probabilities)


@pytest.mark.slow
def test_balanced_accuracy_on_unseen_simulated_recordings_is_at_least_085(evaluation):
    assert len(evaluation.true) > 200
    assert evaluation.balanced_accuracy >= 0.85


@pytest.mark.slow
def test_confidence_is_about_how_often_it_is_right(evaluation):
    confidence = evaluation.probabilities.max(axis=1)
    right = evaluation.predicted == evaluation.true
    assert abs(confidence.mean() - right.mean()) < 0.05
    sure = confidence > 0.9
    assert right[sure].mean() > right[~sure].mean() + 0.1


def test_the_version_is_that_of_this_network_alone(card):
    assert (card.version, card.sha256) == (VERSION, SHA256)
    assert card.training["settings"]["version"] == VERSION


def test_the_card_reports_unseen_fields_that_reach_085_and_are_calibrated(card):
    assert card.metrics["data"].startswith("40 simulated fields that were not trained on")
    assert card.metrics["balanced_accuracy"] >= 0.85
    assert card.metrics["calibration_error"] < 0.05
    assert {row["predicted"] > 0 for row in card.metrics["reliability"]} == {True}


def test_the_card_and_the_first_note_call_it_a_starting_point_not_a_finding(card):
    assert card.description.startswith("Trained on simulated populations: a starting point, not a finding.")
    made, _ = recording(SEEDED)
    notes = predict_cell_types(made).notes
    said = "'cell-type-sim' was trained on simulations: its types are a starting point, not a finding"
    assert said in notes


def test_a_recording_without_pixel_size_is_predicted_with_a_note():
    made, _ = recording(SEEDED, pixel_size=False)
    result = predict_cell_types(made)
    assert any("pixel size is not known" in note for note in result.notes)
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_recording_of_two_seconds_is_refused():
    made, _ = recording(SEEDED)
    movie = made.require_movie()
    frames = movie.read(0, max(2, int(2 * made.times.frame_rate)))
    short = CinacRecording(
        "short", ArrayMovie(frames), made.rois, Times(len(frames), rate=made.times.frame_rate)
    )
    with pytest.raises(PredictionError, match=r"cell types are not predicted from less than 4 s"):
        predict_cell_types(short)
