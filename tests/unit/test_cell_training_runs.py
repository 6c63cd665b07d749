"""Trainings of cell types that are interrupted, or begun from a classifier."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.cell_types import cell_types_of, default_cell_types
from ndx_cinac.cell_types.features import CellInputOptions
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.cli import main
from ndx_cinac.errors import ClassifierError, ConfigError, OutputError
from ndx_cinac.simulation import MovieSettings, load_config, simulate_field, write_nwb
from ndx_cinac.training import CellTypeTrainingConfig, train_cell_types
from ndx_cinac.training.cell_config import CellFineTuningSettings
from ndx_cinac.training.cell_examples import CellFieldJob, LabelledJob, join
from ndx_cinac.training.cell_learning import CellBatches, fit
from ndx_cinac.training.cell_parents import load_cell_parent
from ndx_cinac.training.cell_sources import plan_labelled
from ndx_cinac.training.parents import load_parent

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

SIMULATION = load_config("cell-types-training")
SMALL = CellTypeTrainingConfig(
    simulation=replace(
        SIMULATION,
        movie=MovieSettings(shape=(40, 40), n_frames=(100, 120), frame_rate=(8.0, 10.0)),
        cells=replace(SIMULATION.cells, diameter=(7.0, 9.0)),
    ),
    **{"n_fields": 2, "n_calibration_fields": 2, "n_test_fields": 2, "folds": 2},
    **{"workers": 0, "width": 2, "fewest_steps": 6, "epochs": 0.1, "batch_size": 8, "checkpoint_every": 2},
    fine_tuning=CellFineTuningSettings(steps=6, batch_size=4),
)
LABEL = {"interneuron": "fast", "pyramidal": "slow", "noise": ""}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> tuple[str, ...]:
    """Two small files; their column `said` holds the types, and `own` somebody's words for two of them."""
    folder = tmp_path_factory.mktemp("labelled")
    return tuple(str(labelled(folder / f"session-{seed}.nwb", seed)) for seed in (1, 2))


def labelled(path: Path, seed: int) -> Path:
    field = simulate_field(SMALL.simulation, seed)
    write_nwb(field, path)
    with NWBHDF5IO(str(path), "a") as io:
        nwbfile = io.read()
        table = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        types = list(field.cell_types)
        table.add_column(name="said", description="What a person said", data=[name or "?" for name in types])
        own = [LABEL.get(name) or "?" for name in types]
        table.add_column(name="own", description="What a person said in words of their own", data=own)
        few = [
            name if name in LABEL and types[:row].count(name) < 2 else "?" for row, name in enumerate(types)
        ]
        table.add_column(name="few", description="What a person said of a few", data=few)
        io.write(nwbfile)
    return path


class StopError(Exception):
    """Stands for a crash."""


def stopping(after: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let trainings crash as they draw the next batch; return what says how many were drawn."""
    drawn, draw = [], CellBatches.draw

    def counted(batches: CellBatches):
        if len(drawn) == after:
            raise StopError
        drawn.append(1)
        return draw(batches)

    monkeypatch.setattr(CellBatches, "draw", counted)
    return lambda: len(drawn)


# --- interrupted


@pytest.fixture(scope="module")
def whole(recordings, tmp_path_factory):
    """A training on recordings that was not interrupted: three networks of six steps."""
    config = replace(SMALL, sources=recordings, name="mine")
    return config, train_cell_types(config, tmp_path_factory.mktemp("whole") / "mine")


@pytest.mark.slow
@pytest.mark.parametrize(("crash", "left"), [(3, 16), (9, 10)])
def test_an_interrupted_training_goes_on_to_the_same_classifier_bit_for_bit(
    whole, tmp_path, monkeypatch, crash, left
):
    config, card = whole
    output = tmp_path / "mine"
    with monkeypatch.context() as patch:
        stopping(crash, patch)
        with pytest.raises(StopError):
            train_cell_types(config, output)
    assert not output.exists()
    monkeypatch.setattr(LabelledJob, "make", lambda _: pytest.fail("examples are made again"))
    drawn = stopping(-1, monkeypatch)
    again = train_cell_types(config, output, resume=True)
    assert drawn() == left
    assert again.sha256 == card.sha256
    assert again.metrics == card.metrics
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_training_on_simulations_goes_on_without_simulating_again(tmp_path, monkeypatch):
    config = replace(SMALL, name="tiny")
    card = train_cell_types(config, tmp_path / "whole")
    made, make = [], CellFieldJob.make
    monkeypatch.setattr(CellFieldJob, "make", lambda job: (made.append(job.part), make(job))[1])
    with monkeypatch.context() as patch:
        stopping(5, patch)
        with pytest.raises(StopError):
            train_cell_types(config, tmp_path / "tiny")
    assert train_cell_types(config, tmp_path / "tiny", resume=True).sha256 == card.sha256
    assert made == [0, 0, 1, 1, 2, 2]


def test_a_training_in_progress_is_neither_lost_nor_mixed_with_another(recordings, tmp_path, monkeypatch):
    config = replace(SMALL, sources=recordings)
    with monkeypatch.context() as patch:
        stopping(3, patch)
        with pytest.raises(StopError):
            train_cell_types(config, tmp_path / "mine")
    with pytest.raises(OutputError, match=r"was begun and has not ended.*--resume.*--overwrite"):
        train_cell_types(config, tmp_path / "mine")
    with pytest.raises(ConfigError, match="begun with other settings: 'seed' differs"):
        train_cell_types(replace(config, seed=1), tmp_path / "mine", resume=True)
    with pytest.raises(ConfigError, match=r"begun with other settings: 'source 1 \(session-[12]\)' differs"):
        train_cell_types(replace(config, sources=recordings[::-1]), tmp_path / "mine", resume=True)


def test_a_training_that_cannot_begin_leaves_nothing_behind(recordings, tmp_path, monkeypatch):
    def refuse(_):
        what = "There is nothing to train on"
        raise ConfigError(what)

    monkeypatch.setattr(LabelledJob, "make", refuse)
    with pytest.raises(ConfigError, match="There is nothing to train on"):
        train_cell_types(replace(SMALL, sources=recordings), tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


# --- begun from a classifier


def test_a_network_for_other_types_keeps_what_its_parent_knows():
    from ndx_cinac.cell_types.network import run_network

    parent = load_cell_parent("cell-type-sim")
    inputs = CellFieldJob(SMALL.simulation, parent.inputs, 0, 0, 0).make().inputs
    logits = run_network(parent.network, inputs)
    np.testing.assert_array_equal(run_network(parent.new_network(parent.types), inputs), logits)
    categories = ["glia", {"principal": {"keywords": ["Pyr"]}}, "Interneuron"]
    types = cell_types_of({"config": {"multi_class": True}, "cell_type_categories": categories}, "types")
    assert parent.places(types) == [None, 1, 0]
    assert parent.has_all(parent.types)
    assert not parent.has_all(types)
    found = run_network(parent.new_network(types), inputs)
    np.testing.assert_allclose(found[:, 1:], logits[:, [1, 0]], atol=1e-5)
    np.testing.assert_array_equal(run_network(parent.network, inputs), logits)


@pytest.mark.slow
def test_a_dozen_labels_teach_a_classifier_types_that_nobody_taught_its_parent():
    from ndx_cinac.cell_types.network import run_network

    parent = load_cell_parent("cell-type-sim")
    made = [CellFieldJob(SIMULATION, parent.inputs, 5, 0, number).make() for number in range(4)]
    cells = [each.take(np.isin(each.cell_types, ["interneuron", "pyramidal"])) for each in made]
    types = cell_types_of(
        {"config": {"multi_class": True}, "cell_type_categories": ["fast", "slow"]}, "types"
    )
    known, unseen = cells[0], join(cells[1:])
    codes, true = ((each.cell_types == "pyramidal").astype(np.int64) for each in (known, unseen))
    few = np.concatenate([np.flatnonzero(codes == code)[:6] for code in (0, 1)])
    network = parent.new_network(types)
    config = CellTypeTrainingConfig(parent="cell-type-sim", batch_size=16, learning_rate=0.0005)
    fit(config, network, known.take(few).inputs, codes[few])
    found = run_network(network, unseen.inputs).argmax(axis=1)
    recalls = [(found[true == code] == code).mean() for code in (0, 1)]
    assert np.mean(recalls) > 0.7


@pytest.fixture(scope="module")
def tuned(recordings, tmp_path_factory):
    """`cell-type-sim`, trained further on up to four ROIs of each type."""
    config = replace(SMALL, sources=recordings, parent="cell-type-sim", label_column="few")
    folder = tmp_path_factory.mktemp("tuned") / "tuned"
    return train_cell_types(config, folder), folder


def test_the_card_of_a_fine_tuned_classifier_names_its_parent_and_measures_it_too(tuned):
    card, folder = tuned
    parent = load_classifier("cell-type-sim").card
    assert card.training["parent"] == {
        "name": parent.name,
        "version": parent.version,
        "sha256": parent.sha256,
    }
    assert card.inputs == parent.inputs
    assert card.classes == parent.classes
    assert card.description.endswith(f"labelled recordings, from cell-type-sim {parent.version}.")
    assert "simulated" not in card.training
    assert "no real" not in card.training["data"]
    assert card.training["temperature"] == parent.training["temperature"]
    assert card.training["calibrated on"].startswith("that of 'cell-type-sim': only")
    assert 0 <= card.metrics["parent"]["balanced_accuracy"] <= 1
    assert card.frame_rates[0] <= parent.frame_rates[0]
    assert card.frame_rates[1] >= parent.frame_rates[1]
    assert load_classifier(folder).card.sha256 == card.sha256


def test_a_fine_tuned_classifier_that_is_no_better_than_its_parent_says_so(tuned):
    card, _ = tuned
    said = [failure for failure in card.known_failures if "no better than 'cell-type-sim'" in failure]
    before, after = card.metrics["parent"]["balanced_accuracy"], card.metrics["balanced_accuracy"]
    assert bool(said) == (after <= before)


@pytest.mark.slow
def test_the_command_trains_a_classifier_further_on_types_of_ones_own(recordings, tmp_path, capsys):
    config = tmp_path / "small.yaml"
    config.write_text(json.dumps({"fine_tuning": {"steps": 4}, "workers": 0, "folds": 2}))
    command = ["train", "--task", "cell-type", *recordings, "--label-column", "own", "--config", str(config)]
    command += ["--from", "cell-type-sim", "--output", str(tmp_path / "mine"), "--resume"]
    assert main(command) == 0, capsys.readouterr().err
    card = load_classifier(tmp_path / "mine").card
    assert card.classes == ("fast", "slow")
    assert card.training["parent"]["name"] == "cell-type-sim"
    assert "parent" not in card.metrics
    assert (
        main(["predict", recordings[0], "--task", "cell-type", "--classifier", str(tmp_path / "mine")]) == 0
    )
    assert "fast" in capsys.readouterr().out


def test_types_that_a_parent_knows_need_no_label(recordings, tmp_path):
    path = tmp_path / "two.nwb"
    path.write_bytes(Path(recordings[0]).read_bytes())
    with h5py.File(path, "a") as file:
        said = file["processing/ophys/ImageSegmentation/PlaneSegmentation/said"]
        said[:] = [name if name in ("interneuron", "pyramidal") else "?" for name in said.asstr()[:]]
    config = replace(SMALL, sources=(str(path),), label_column="said", parent="cell-type-sim")
    card = train_cell_types(config, tmp_path / "mine")
    assert card.classes == ("interneuron", "pyramidal", "noise")
    assert (
        "Nothing was labelled as noise: of that it knows what its parent was taught." in card.known_failures
    )
    alone = plan_labelled(replace(config, parent=""))
    assert alone.names == ("interneuron", "pyramidal")
    assert alone.types.meanings["pyramidal"].ontology_id == "CL:0000598"
    with pytest.raises(ConfigError, match="no ROI of the type 'noise' to learn from"):
        plan_labelled(replace(config, parent="", cell_types=str(default_cell_types())))


def test_labels_of_one_type_alone_are_refused(recordings, tmp_path):
    types = tmp_path / "types.yaml"
    types.write_text(
        "cell_type_categories: [{interneuron: {keywords: [pyramidal, noise]}}, glia]\n", encoding="utf-8"
    )
    config = replace(SMALL, sources=recordings, cell_types=str(types), parent="cell-type-sim")
    with pytest.raises(ConfigError, match=r"All labels are of one type.*Label ROIs of another type"):
        train_cell_types(config, tmp_path / "mine")


def test_simulated_cells_that_are_none_of_the_types_are_refused(recordings, tmp_path):
    types = tmp_path / "types.yaml"
    types.write_text("cell_type_categories: [fast, slow]\n", encoding="utf-8")
    for sources in (("simulation",), ("simulation", *recordings)):
        config = replace(SMALL, sources=sources, cell_types=str(types), label_column="own")
        with pytest.raises(
            ConfigError, match=r"Simulated cells of the type 'interneuron' are none of the types"
        ):
            train_cell_types(config, tmp_path / "mine")


def test_a_parent_for_something_else_is_refused(recordings, tmp_path):
    config = replace(SMALL, sources=recordings, parent="activity-sim")
    with pytest.raises(
        ClassifierError, match="'activity-sim' does not predict cell types from cell features"
    ):
        train_cell_types(config, tmp_path / "mine")
    with pytest.raises(ClassifierError, match="'cell-type-sim' does not predict activity"):
        load_parent("cell-type-sim")


def test_a_parent_that_ndx_cinac_did_not_train_is_refused(tmp_path):
    from ndx_cinac.cell_types.network import without_type_probability

    parent = load_cell_parent("cell-type-sim")
    with pytest.raises(ClassifierError, match="does not end in the calibration"):
        without_type_probability(parent.network)


def test_other_inputs_than_the_parents_are_refused(recordings, tmp_path):
    inputs = CellInputOptions(n_pieces=3)
    config = replace(SMALL, sources=recordings, parent="cell-type-sim", inputs=inputs)
    with pytest.raises(ConfigError, match="asks for other inputs than 'cell-type-sim'"):
        train_cell_types(config, tmp_path / "mine")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fine_tuning": {"steps": 0}}, "The fine-tuning's 'steps' cannot be 0"),
        ({"fine_tuning": {"patience": 3}}, "Unknown setting 'patience'"),
        ({"checkpoint_every": 0}, "'checkpoint_every' cannot be 0"),
    ],
)
def test_settings_of_a_fine_tuning_that_cannot_be_used_are_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        CellTypeTrainingConfig.from_dict(values)
