"""Trainings that are interrupted, stopped early, begun from a classifier, or run on another backend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_files import annotated_cinac, annotated_nwb, labelled_recording

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import ClassifierError, ConfigError, OutputError
from ndx_cinac.evaluation import score_activity
from ndx_cinac.prediction import predict_recording
from ndx_cinac.threads import n_cores
from ndx_cinac.traces import CHANNELS, TraceOptions
from ndx_cinac.training import (
    AugmentationSettings,
    FineTuningSettings,
    SourceSettings,
    TrainingConfig,
    train_activity,
)
from ndx_cinac.training.checkpoints import Checkpoints
from ndx_cinac.training.loop import LoopSettings, Training, restore_finished
from ndx_cinac.training.network import frame_loss

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

SETTINGS = {
    "simulation": {"movie": {"shape": [32, 32], "n_frames": [104, 104]}, "cells": {"number": [3, 4]}},
    **{"n_fields": 2, "n_validation_fields": 1, "n_calibration_fields": 2, "n_test_fields": 1},
    **{"workers": 0, "width": 6, "dilations": [1, 2], "batch_size": 4, "crop_frames": 64},
    **{"steps": 70, "validate_every": 20, "checkpoint_every": 15, "warm_up_steps": 5, "figures": False},
    "side_by_side": False,
}
CONFIG = TrainingConfig.from_dict(SETTINGS)

KILLED = """
import json, os, signal, sys
from ndx_cinac.training import TrainingConfig, train_activity
def progress(stage, done, total):
    if stage == "training" and done >= 120:  # the second network
        os.kill(os.getpid(), signal.SIGKILL)
train_activity(TrainingConfig.from_dict(json.loads(sys.argv[1])), sys.argv[2], progress)
"""


KILLED_SIDE_BY_SIDE = KILLED.replace('training" and done >= 120:  # the second network', 'training":')


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    """The config with its examples in a cache that all trainings here share."""
    return replace(CONFIG, cache=str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def whole(cached: TrainingConfig, tmp_path_factory: pytest.TempPathFactory):
    """A training that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "whole"
    return train_activity(cached, folder), folder


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
def test_a_killed_training_goes_on_to_the_same_classifier_bit_for_bit(whole, cached, tmp_path):
    card, _ = whole
    output = tmp_path / "killed"
    settings = json.dumps({**SETTINGS, "cache": cached.cache})
    killed = subprocess.run([sys.executable, "-c", KILLED, settings, output], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists()
    assert (tmp_path / "killed-in-progress").is_dir()
    stages = []
    again = train_activity(cached, output, lambda *step: stages.append(step), resume=True)
    assert again.sha256 == card.sha256
    assert again.training["curve"] == card.training["curve"]
    assert again.metrics == card.metrics
    assert not (tmp_path / "killed-in-progress").exists()
    assert [done for stage, done, _ in stages if stage == "training"] == [120, 140]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
@pytest.mark.skipif(n_cores() < 2, reason="one core is not shared")
def test_networks_trained_side_by_side_are_those_of_a_killed_training_too(cached, tmp_path):
    beside = replace(cached, side_by_side=True, steps=400)
    script, settings = tmp_path / "killed.py", json.dumps(beside.to_dict())
    script.write_text(f"if __name__ == '__main__':\n{textwrap.indent(KILLED_SIDE_BY_SIDE, '    ')}")
    killed = subprocess.run(
        [sys.executable, script, settings, tmp_path / "killed"], capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = tmp_path / "killed-in-progress"
    states = [load_step(folder / name) for name in ("state.npz", "state-2.npz")]
    time.sleep(1)
    assert [load_step(folder / name) for name in ("state.npz", "state-2.npz")] == states  # nobody goes on
    stages = []
    card = train_activity(beside, tmp_path / "killed", lambda *step: stages.append(step), resume=True)
    whole = train_activity(beside, tmp_path / "whole")
    assert card.sha256 == whole.sha256
    assert card.training["curve"] == whole.training["curve"]
    assert card.training["further networks"] == whole.training["further networks"]
    assert card.training["further networks"][0]["curve"] != card.training["curve"]
    steps = [done for stage, done, _ in stages if stage == "training"]
    assert steps == sorted(steps)
    assert steps[-1] == 800


@pytest.mark.slow
@pytest.mark.skipif(n_cores() < 2, reason="one core is not shared")
def test_networks_that_were_trained_before_an_interruption_are_told_of_as_done(cached, tmp_path, monkeypatch):
    from ndx_cinac.training import activity

    def interrupt(*_):
        raise KeyboardInterrupt

    beside, output = replace(cached, side_by_side=True), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(activity, "_calibrate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_activity(beside, output)
    stages = []
    train_activity(beside, output, lambda *step: stages.append(step), resume=True)
    told = [step for step in stages if step[0] == "training"]
    assert told[-1] == ("training", 140, 140)


def load_step(state):
    """Return the step of a checkpoint; 0 where there is none."""
    if not state.exists():
        return 0
    with np.load(state) as stored:
        return json.loads(str(stored["record"]))["course"]["step"]


def test_the_same_seed_gives_the_same_file_and_another_seed_another(whole, cached, tmp_path):
    card, _ = whole
    assert train_activity(replace(cached, checkpoint_every=1000), tmp_path / "a").sha256 == card.sha256
    assert train_activity(replace(cached, seed=1, steps=3), tmp_path / "b").sha256 != card.sha256


def test_the_classifier_is_the_average_of_the_networks(whole, cached, tmp_path):
    from ndx_cinac.networks import without_probability

    _, folder = whole
    channels = np.random.default_rng(0).normal(0, 1, (2, 90, len(CHANNELS))).astype(np.float32)
    train_activity(replace(cached, networks=1), tmp_path / "first")
    both, first = (load_classifier(each).network() for each in (folder, tmp_path / "first"))
    outputs = [layer.output for layer in both.layers if layer.name.endswith("_logits")]
    assert len(outputs) == 2
    one, other = (np.asarray(each) for each in type(both)(both.input, outputs)(channels))
    np.testing.assert_array_equal(one, without_probability(first)[0](channels))
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_allclose(without_probability(both)[0](channels), (one + other) / 2, atol=1e-6)


def test_the_curve_has_a_row_per_validation_and_the_best_weights_are_kept(whole):
    card, _ = whole
    curve = card.training["curve"]
    assert [row["step"] for row in curve] == [20, 40, 60, 70]
    best = max(curve, key=lambda row: row["average_precision"])
    assert card.training["best step"] == best["step"]
    further = card.training["further networks"]
    assert [row["step"] for row in further[0]["curve"]] == [20, 40, 60, 70]
    assert len(further) == 1
    assert further[0]["curve"] != curve
    assert all(row["validation_loss"] > 0 and row["loss"] > 0 for row in curve)


def test_a_training_in_progress_is_neither_lost_nor_mixed_with_another(tmp_path):
    output = tmp_path / "mine"
    Checkpoints(output, {"seed": 0})
    with pytest.raises(OutputError, match=r"was begun and has not ended.*--resume.*--overwrite"):
        Checkpoints(output, {"seed": 0})
    with pytest.raises(ConfigError, match="begun with other settings: 'seed' differs"):
        Checkpoints(output, {"seed": 1}, resume=True)
    checkpoints = Checkpoints(output, {"seed": 0}, resume=True)
    assert checkpoints.load() is None
    checkpoints.save({"step": 3}, {"weights": np.arange(4.0)})
    record, arrays = checkpoints.load()
    assert record == {"step": 3}
    np.testing.assert_array_equal(arrays["weights"], np.arange(4.0))
    (checkpoints.folder / "state.npz").write_bytes(b"cut off")
    with pytest.raises(OutputError, match="checkpoint cannot be read"):
        checkpoints.load()
    assert Checkpoints(output, {"seed": 1}, overwrite=True).load() is None


def test_a_training_that_cannot_begin_leaves_nothing_behind(cached, tmp_path, monkeypatch):
    from ndx_cinac.training import learning

    def refuse(*_):
        what = "There is nothing to train on"
        raise ConfigError(what)

    monkeypatch.setattr(learning, "_train", refuse)
    with pytest.raises(ConfigError, match="There is nothing to train on"):
        train_activity(cached, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class Constant:
    """The same batch again and again."""

    def __init__(self, value: float = 1.0) -> None:
        self.batch = (
            np.full((2, 8, 3), value, np.float32),
            np.ones((2, 8), np.float32),
            np.ones((2, 8), np.float32),
        )

    def draw(self):
        return self.batch

    def state(self):
        return {}

    def restore(self, state):
        pass


def small_training(scores: list[float], value: float = 1.0, **settings) -> Training:
    from ndx_cinac.networks import build_activity_network, keras

    keras.utils.set_random_seed(0)
    network = build_activity_network(3, width=2, dilations=(1,), head=2)
    given = iter(scores)
    options = LoopSettings(**{"steps": 10, "learning_rate": 0.01, "validate_every": 1, **settings})
    return Training(network, frame_loss(), Constant(value), options, lambda: {"score": next(given)})


def weights_of(training: Training) -> list[np.ndarray]:
    return [np.array(weight) for weight in training.network.get_weights()]


def test_training_ends_when_validation_gets_no_better_and_goes_back_to_the_best():
    training = small_training([0.1, 0.5, 0.4, 0.5, 0.3, 0.9], patience=3)
    course = training.run()
    assert (course.step, course.best_step, course.best_score) == (5, 2, 0.5)
    again = small_training([0.1, 0.5], steps=10)
    again.settings = replace(again.settings, steps=2)
    again.run()
    for one, other in zip(training.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_were_better_before_the_training_are_kept():
    training = small_training([0.6, 0.5, 0.4], steps=2, validate_first=True)
    before = [np.array(weight) for weight in training.network.get_weights()]
    course = training.run()
    assert (course.best_step, course.best_score) == (0, 0.6)
    assert [row["step"] for row in course.curve] == [0, 1, 2]
    for one, other in zip(before, training.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_takes_all_its_steps_without_patience_or_without_a_score():
    assert small_training([0.5] * 10, patience=0).run().step == 10
    assert small_training([float("nan")] * 10, patience=2).run().step == 10


def test_the_mean_of_the_weights_is_what_is_measured_and_kept():
    from ndx_cinac.training.averaging import RunningMean

    seen, measured, parts = [], [], [10 / 10, 10 / 11, 10 / 12]
    training = small_training([], steps=4, average_steps=2)
    draw = training.batches.draw
    training.batches.draw = lambda: (seen.append(weights_of(training)), draw())[1]
    training.validate = lambda: (measured.append(weights_of(training)), {"score": len(measured)})[1]
    training.run()
    after, mean = [*seen[1:], None], seen[0]
    for step, part in enumerate(parts):
        mean = [old + part * (new - old) for old, new in zip(mean, after[step], strict=True)]
        for expected, value in zip(mean, measured[step], strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7)
    assert any((one != other).any() for one, other in zip(after[2], measured[2], strict=True))
    for kept, last in zip(weights_of(training), measured[-1], strict=True):
        np.testing.assert_array_equal(kept, last)
    alone = RunningMean(training.network, 0)
    with alone.in_place():
        for kept, given in zip(measured[-1], weights_of(training), strict=True):
            np.testing.assert_array_equal(kept, given)


def test_without_a_validation_the_last_mean_is_kept(tmp_path):
    kept = []
    for average_steps in (0, 5):
        training = small_training([], steps=6, average_steps=average_steps)
        training.validate = None
        checkpoints = Checkpoints(tmp_path / str(average_steps), {})
        training.run(checkpoints)
        kept.append(weights_of(training))
        other = small_training([]).network
        restore_finished(other, checkpoints, training.settings)
        for one, restored in zip(kept[-1], other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, restored)
    assert any((one != other).any() for one, other in zip(*kept, strict=True))


def test_a_loss_that_is_no_number_ends_the_training():
    with pytest.raises(ConfigError, match=r"no number any more at step 1.*lower learning_rate"):
        small_training([0.5], value=float("nan")).run()


@pytest.fixture(scope="module")
def fine_tuned(tmp_path_factory: pytest.TempPathFactory):
    """`activity-sim`, taught by four cells of a recording in which activity makes them darker."""
    folder = tmp_path_factory.mktemp("tuned")
    config = TrainingConfig(
        sources=(SourceSettings(str(annotated_nwb(folder / "dips.nwb", 8, 600, 3, dips=True))),),
        parent="activity-sim",
        workers=0,
        figures=False,
        crop_frames=128,
        augmentation=AugmentationSettings(versions=1),
        fine_tuning=FineTuningSettings(steps=40, batch_size=8, validate_every=20, learning_rate=0.001),
    )
    return train_activity(config, folder / "dips"), folder / "dips"


@pytest.mark.slow
def test_fine_tuning_with_four_labelled_cells_helps_on_a_recording_unlike_the_simulations(fine_tuned):
    _, folder = fine_tuned
    unseen = labelled_recording(5, 600, 77, dips=True)
    before, after = (
        score_activity(predict_recording(unseen.recording, load_classifier(c)).probabilities, unseen.active)
        for c in ("activity-sim", folder)
    )
    assert before.average_precision < 0.4
    assert after.average_precision > 0.85
    assert after.event_f1 > before.event_f1 + 0.5


@pytest.mark.slow
def test_the_card_of_a_fine_tuned_classifier_names_its_parent_and_keeps_its_calibration(fine_tuned):
    card, _ = fine_tuned
    parent = load_classifier("activity-sim").card
    assert card.training["parent"] == {
        "name": parent.name,
        "version": parent.version,
        "sha256": parent.sha256,
    }
    assert card.inputs == parent.inputs
    assert card.training["calibration"]["temperature"] == parent.training["calibration"]["temperature"]
    assert "held out" in card.training["calibration"]["data"]
    assert card.training["sources"][0]["ROIs"] == {"training": 4, "validation": 2, "test": 2}
    assert "no real label" not in card.training["data"]
    assert not any("no real labels" in failure for failure in card.known_failures)
    assert card.metrics["classifier"]["n_transients"] > 0
    assert card.metrics["reliability"]


def test_a_parent_that_ndx_cinac_did_not_train_is_refused(tmp_path):
    from ndx_cinac.classifiers import save_classifier
    from ndx_cinac.networks import build_activity_network

    card = replace(load_classifier("activity-sim").card, name="foreign")
    save_classifier(
        build_activity_network(len(CHANNELS), width=2, dilations=(1,)), card, tmp_path / "foreign"
    )
    with pytest.raises(ClassifierError, match="does not end in the calibration"):
        train_activity(replace(CONFIG, parent=str(tmp_path / "foreign")), tmp_path / "out")


def test_other_traces_than_the_parents_are_refused(tmp_path):
    config = replace(CONFIG, parent="activity-sim", traces=TraceOptions(ridge=0.5))
    with pytest.raises(ConfigError, match="asks for other traces than 'activity-sim'"):
        train_activity(config, tmp_path / "out")


JAX = """
import json, sys
import numpy as np
from ndx_cinac.backend import BACKEND, device_description
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.networks import CompiledNetwork
from ndx_cinac.training import TrainingConfig, train_activity
assert BACKEND == "jax" and "tensorflow" not in sys.modules, BACKEND
card = train_activity(TrainingConfig.from_dict(json.loads(sys.argv[1])), sys.argv[2])
assert "jax" in card.versions and device_description()
channels = np.load(sys.argv[3])
np.save(sys.argv[4], CompiledNetwork(load_classifier(sys.argv[2]).network(), 64).predict(channels))
"""


@pytest.mark.slow
def test_what_is_trained_on_jax_predicts_the_same_on_tensorflow(cached, tmp_path):
    pytest.importorskip("jax")
    from ndx_cinac.networks import CompiledNetwork

    rng = np.random.default_rng(0)
    channels = rng.normal(0, 1, (3, 150, len(CHANNELS))).astype(np.float32)
    inputs, outputs, output = tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "on-jax"
    np.save(inputs, channels)
    settings = json.dumps({**SETTINGS, "cache": cached.cache})
    done = subprocess.run(
        [sys.executable, "-c", JAX, settings, output, inputs, outputs],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr
    here = CompiledNetwork(load_classifier(output).network(), 64).predict(channels)
    np.testing.assert_allclose(np.load(outputs), here, atol=1e-5)
    card = load_classifier(output).card
    losses = [row["loss"] for row in card.training["curve"]]
    assert losses[-1] < 0.7 * losses[0]


def test_figures_and_card_lie_in_the_classifiers_folder(cached, tmp_path: Path):
    pytest.importorskip("matplotlib")
    train_activity(replace(cached, steps=4, figures=True), tmp_path / "drawn")
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["card.json", "model.keras", "training.png"]
    assert (tmp_path / "drawn" / "training.png").stat().st_size > 10_000


def test_the_command_mixes_sources_by_weight_and_the_card_says_which(tmp_path):
    from ndx_cinac.cli import main

    nwb = annotated_nwb(tmp_path / "nwb.nwb", n_rois=5, n_frames=120)
    cinac = annotated_cinac(tmp_path / "cinac.cinac")
    settings = {**SETTINGS, "steps": 8, "calibrate_from": 2, "augmentation": {"versions": 1}}
    settings["sources"] = [{"path": str(nwb), "weight": 3}]
    config = tmp_path / "training.yaml"
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    arguments = [str(nwb), str(cinac), "simulation", "--config", str(config), "--seed", "4", "--quiet"]
    assert main(["train", *arguments, "--output", str(tmp_path / "mixed")]) == 0
    card = load_classifier(tmp_path / "mixed").card
    sources = {source["name"]: source for source in card.training["sources"]}
    assert {name: source["weight"] for name, source in sources.items()} == {
        "nwb": 3.0,
        "cinac": 1.0,
        "simulation": 1.0,
    }
    assert sources["nwb"]["ROIs"] == {"training": 3, "validation": 1, "test": 1}
    assert sources["cinac"]["ROIs"] == {"training": 2, "validation": 1, "test": 1}
    assert card.training["seed"] == 4
    assert card.training["data"].startswith("5 annotated ROIs of 2 recordings")
    assert card.training["data"].endswith("2 simulated fields")
    assert "held out of recordings" in card.training["calibration"]["data"]
    assert {"nwb", "cinac", "simulation"} <= set(card.metrics)
    assert "the annotators" in card.known_failures[0]


def test_the_command_needs_an_output_and_names_what_it_cannot_find(tmp_path, capsys):
    from ndx_cinac.cli import main

    with pytest.raises(SystemExit):
        main(["train", "some.nwb"])
    assert "--output" in capsys.readouterr().err
    assert main(["train", "nowhere.nwb", "--output", str(tmp_path / "out")]) == 1
    assert "nowhere.nwb" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
