"""Training: exact with a seed, calibrated, saved with its card, and refused where it cannot work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import ConfigError, OutputError
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.simulation import CellSettings, MovieSettings, SimulationConfig
from ndx_cinac.traces import CHANNELS, TraceOptions
from ndx_cinac.training import TrainingConfig
from ndx_cinac.training.calibration import calibrate, reliability
from ndx_cinac.training.data import FieldJob, make_examples

SMALL = TrainingConfig(
    side_by_side=False,
    simulation=SimulationConfig(
        movie=MovieSettings(shape=(32, 32), n_frames=(120, 150)), cells=CellSettings(number=(3, 5))
    ),
    n_fields=4,
    n_validation_fields=2,
    n_calibration_fields=3,
    n_test_fields=3,
    workers=0,
    width=8,
    dilations=(1, 2),
    steps=12,
    batch_size=4,
    crop_frames=64,
    validate_every=5,
    checkpoint_every=4,
    figures=False,
)


def job(number: int = 0, seed: int = 0, **settings) -> FieldJob:
    return FieldJob(SMALL.simulation, TraceOptions(**settings), seed, "training", number)


def assert_same_example(one, other):
    arrays = {
        "channels",
        "active",
        "judged",
        "taught",
        "weight",
        "neighbours",
        "snr",
        "baseline",
        "diameters",
    }
    for name in arrays:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.frame_rate, one.pixel_size) == (other.frame_rate, other.pixel_size)


def test_an_example_holds_what_the_network_is_given_of_every_roi():
    example = job().make()
    n_rois, n_frames, n_channels = example.channels.shape
    assert n_channels == len(CHANNELS)
    assert 120 <= n_frames <= 150
    assert np.isfinite(example.channels).all()
    for name in ("active", "judged", "neighbours", "baseline"):
        assert getattr(example, name).shape == (n_rois, n_frames), name
    assert example.snr.shape == example.diameters.shape == (n_rois,)


def test_an_example_is_taught_what_all_annotators_say_where_that_is_asked_for():
    alone, asked = job().make(), replace(job(), all_annotators=True).make()
    np.testing.assert_array_equal(alone.taught, alone.active)
    np.testing.assert_array_equal(alone.weight, alone.judged)
    for name in ("channels", "active", "judged", "neighbours"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(asked, name), err_msg=name)
    assert ((asked.taught > 0) & (asked.taught < 1)).any()
    assert ((asked.weight > 0) & (asked.weight < 1)).any()
    assert replace(job(), all_annotators=True).settings != job().settings


def test_parts_and_numbers_give_different_fields():
    first = job().make()
    for other in (job(1), job(seed=1), replace(job(), part="test")):
        made = other.make()
        assert made.channels.shape != first.channels.shape or not np.array_equal(
            made.channels, first.channels
        )


@pytest.mark.slow
def test_fields_made_in_other_processes_are_the_same():
    jobs = [job(number) for number in range(3)]
    for here, there in zip(make_examples(jobs, workers=0), make_examples(jobs, workers=2), strict=True):
        assert_same_example(here, there)


def test_a_cached_field_comes_back_as_it_was_made(tmp_path: Path, monkeypatch):
    (made,) = make_examples([job()], workers=0, cache=tmp_path)
    monkeypatch.setattr(FieldJob, "make", lambda self: pytest.fail("made again"))
    (stored,) = make_examples([job()], workers=0, cache=tmp_path)
    assert_same_example(made, stored)


def test_a_cache_keeps_examples_of_other_settings_apart(tmp_path: Path):
    (one,) = make_examples([job()], workers=0, cache=tmp_path)
    (other,) = make_examples([job(ridge=0.5)], workers=0, cache=tmp_path)
    assert not np.array_equal(one.channels, other.channels)
    assert len(list(tmp_path.glob("*/settings.json"))) == 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    from ndx_cinac.training import train_activity

    folder = tmp_path_factory.mktemp("trained") / "tiny"
    stages: list[tuple[str, int, int]] = []
    card = train_activity(SMALL, folder, lambda *step: stages.append(step))
    return card, folder, stages


@pytest.mark.tensorflow
def test_a_trained_classifier_can_be_loaded_and_used(trained):
    card, folder, _ = trained
    network = load_classifier(folder).network()
    probabilities = np.asarray(network(np.zeros((2, 90, len(CHANNELS)), np.float32)))
    assert probabilities.shape == (2, 90)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert card.name == "tiny"


@pytest.mark.tensorflow
def test_the_card_says_what_it_was_made_from(trained):
    card, _, _ = trained
    assert card.inputs["kind"] == "traces"
    assert card.inputs["channels"] == list(CHANNELS)
    assert TraceOptions.from_dict(card.inputs["options"]) == SMALL.traces
    assert card.training["seed"] == SMALL.seed
    assert "no real label" in card.training["data"]
    assert SimulationConfig.from_dict(card.training["settings"]["simulation"]) == SMALL.simulation
    assert card.metrics["classifier"]["n_frames"] > 0
    assert card.frame_rates[0] <= card.frame_rates[1]
    assert card.known_failures


@pytest.mark.tensorflow
def test_progress_reaches_the_end_of_each_stage(trained):
    _, _, stages = trained
    assert ("training", 2 * SMALL.steps, 2 * SMALL.steps) in stages
    assert ("making examples", 6, 6) in stages


@pytest.mark.tensorflow
def test_the_same_seed_trains_the_same_network():
    from ndx_cinac.training.learning import fit

    examples = make_examples([job(number) for number in range(2)], workers=0)
    one, other, different = (
        fit(config, examples).get_weights() for config in (SMALL, SMALL, replace(SMALL, seed=1))
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0], different[0])


@pytest.mark.tensorflow
def test_an_existing_folder_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch):
    from ndx_cinac.training import activity as training

    monkeypatch.setattr(training, "plan_sources", lambda *args: pytest.fail("went on"))
    with pytest.raises(OutputError, match="exists"):
        training.train_activity(SMALL, tmp_path)


def test_calibrated_probabilities_are_as_often_true_as_they_say():
    rng = np.random.default_rng(0)
    true_logits = rng.normal(-2, 2.5, (6, 4, 2000))
    active = rng.random(true_logits.shape) < 1 / (1 + np.exp(-true_logits))
    given = (true_logits * 1.7 + 0.8).astype(np.float32)  # too certain, and shifted
    result = calibrate(list(given), list(active), [np.ones((4, 2000), bool)] * 6)
    assert result.temperature == pytest.approx(1.7, rel=0.05)
    offset = result.shift + np.log(result.best_probability / (1 - result.best_probability))
    assert offset == pytest.approx(-0.8 / 1.7, abs=0.06)


def test_calibration_moves_the_best_threshold_to_one_half():
    rng = np.random.default_rng(1)
    active = np.zeros((5, 3, 600), bool)
    active[:, :, 50:600:60] = active[:, :, 51:600:60] = True
    logits = np.where(active, 1.0, -3.0) + rng.normal(0, 0.5, active.shape)
    result = calibrate(list(logits.astype(np.float32)), list(active), list(np.ones_like(active)))
    values = 1 / (1 + np.exp(-(logits / result.temperature + result.shift)))
    assert (active == (values >= 0.5)).mean() > 0.99


def judged_by_two():
    """Logits of rises of all sizes, which of them a generous and a strict annotator count, and where."""
    size = np.zeros((40, 300), np.float32)
    size[:, 10::20] = np.random.default_rng(0).random((40, 15))
    logits = np.where(size > 0, 8 * size - 4, -8).astype(np.float32)
    generous, strict = size > 0.2, size > 0.8
    judged = np.ones(size.shape, bool)
    return logits, generous, strict, judged


def test_the_threshold_serves_the_annotator_best_whom_it_serves_least():
    logits, generous, strict, judged = judged_by_two()

    def smallest_found(active, *annotators):
        each = [np.stack(annotators).astype(np.int8)] if annotators else []
        found = calibrate([logits], [active], [judged], each)
        return (-found.shift * found.temperature + 4) / 8

    low, high = smallest_found(generous), smallest_found(strict)
    between = smallest_found(generous, generous, strict)
    assert low + 0.05 < between < high - 0.05
    assert smallest_found(generous, generous) == pytest.approx(low)


def test_fields_of_several_simulations_may_have_more_and_fewer_annotators():
    logits, generous, strict, judged = judged_by_two()
    two, one = np.stack([generous, strict]).astype(np.int8), generous[None].astype(np.int8)
    mixed = [calibrate([logits] * 2, [generous] * 2, [judged] * 2, each) for each in ([two, one], [one, two])]
    repeated = calibrate([logits] * 2, [generous] * 2, [judged] * 2, [two, np.concatenate([one, one])])
    assert mixed[0] == mixed[1] == repeated


def test_what_an_annotator_holds_doubtful_is_not_held_against_a_call():
    size = np.zeros((40, 300), np.float32)
    size[:, 10::20] = np.random.default_rng(0).random((40, 15))
    logits = np.where(size > 0, 8 * size - 4, -8).astype(np.float32)
    judged = np.ones(size.shape, bool)
    each = np.where(size > 0.8, 1, np.where(size > 0.2, -1, 0)).astype(np.int8)
    found = calibrate([logits], [size > 0.8], [judged], [each[None]])
    strict = calibrate([logits], [size > 0.8], [judged], [(size > 0.8)[None].astype(np.int8)])
    assert found.best_probability < strict.best_probability


def test_reliability_counts_how_often_each_probability_was_true():
    rows = reliability(np.array([0.05, 0.05, 0.95, 1.0]), np.array([False, True, True, True]))
    assert rows == [
        {"predicted": 0.05, "true": 0.5, "frames": 2},
        {"predicted": 0.975, "true": 1.0, "frames": 2},
    ]


def test_a_training_config_comes_back_from_its_dictionary():
    config = replace(SMALL, seed=5, traces=TraceOptions(refinements=1))
    assert TrainingConfig.from_dict(config.to_dict()) == config


def test_a_training_config_is_read_from_yaml(tmp_path: Path):
    path = tmp_path / "training.yaml"
    path.write_text("seed: 3\nsimulation: {movie: {shape: [40, 40]}}\n", encoding="utf-8")
    config = TrainingConfig.from_yaml(path)
    assert (config.seed, config.simulation.movie.shape) == (3, (40, 40))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 3}, "Unknown training option 'epochs'"),
        ({"steps": 0}, "'steps' cannot be 0"),
        ({"dilations": [0]}, "'dilations' cannot be [0]"),
        ({"steps": 2.5}, "'steps' cannot be 2.5"),
        ({"seed": -1}, "'seed' cannot be -1"),
        ({"average_steps": -1}, "'average_steps' cannot be -1"),
        ({"learning_rate": "fast"}, "'learning_rate' cannot be 'fast'"),
        ({"crop_frames": 400}, "Pieces of 400 frames do not fit in movies of 300 frames"),
        ({"simulation": {"optics": {}}}, "Unknown setting 'optics' (training config: simulation)"),
        ({"traces": {"window": 3}}, "Unknown trace options: window"),
        ([1], "A mapping was expected, not list"),
    ],
)
def test_a_wrong_training_config_is_refused(values, message):
    with pytest.raises(ConfigError) as error:
        TrainingConfig.from_dict(values)
    assert message in str(error.value)


def test_a_missing_training_config_is_named():
    with pytest.raises(ConfigError, match=r"cannot be read.*nowhere\.yaml"):
        TrainingConfig.from_yaml("nowhere.yaml")


def test_a_smaller_training_keeps_its_proportions():
    small = TrainingConfig(n_fields=1000, n_calibration_fields=50, steps=6000).scaled(200)
    assert (small.n_fields, small.n_calibration_fields, small.steps) == (200, 10, 1200)


@pytest.mark.tensorflow
def test_the_shipped_classifier_beats_the_threshold_on_the_smoothed_trace():
    from ndx_cinac.evaluation import (
        best_threshold,
        score_activity,
        smoothed_rise_scores,
        smoothed_trace_scores,
    )
    from ndx_cinac.prediction import predict_recording
    from ndx_cinac.recording import CinacRecording, Times
    from ndx_cinac.simulation import load_config, simulate_field

    config = load_config("two-photon-sparse")
    movie = replace(config.movie, shape=(72, 72), n_frames=(600, 600))
    field = simulate_field(
        replace(config, movie=movie, cells=replace(config.cells, number=(12, 12))), 20260101
    )
    recording = CinacRecording(
        identifier="unseen",
        movie=ArrayMovie(field.movie),
        rois=field.rois,
        times=Times(len(field.movie), rate=field.frame_rate),
    )
    scores = score_activity(predict_recording(recording).probabilities, field.active, field.ignored)
    for baseline in (smoothed_trace_scores, smoothed_rise_scores):
        values = baseline(recording.movie, field.rois)
        at_best = best_threshold(values, field.active, field.ignored, n_candidates=40)
        of_trace = score_activity(values, field.active, field.ignored, threshold=at_best)
        assert scores.event_f1 > of_trace.event_f1 + 0.1
        assert scores.average_precision > of_trace.average_precision + 0.1
