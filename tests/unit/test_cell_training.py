"""Training of classifiers of cell types: exact with a seed, divided by animal, weighted, refused in time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.cell_types import default_cell_types, read_cell_types
from ndx_cinac.cell_types.features import FEATURES, CellInputs
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.simulation import MovieSettings, load_config, simulate_field, write_nwb
from ndx_cinac.training import CellTypeTrainingConfig, train_cell_types
from ndx_cinac.training.cell_examples import CellExamples, CellFieldJob
from ndx_cinac.training.cell_labels import LabelledFile, open_labelled
from ndx_cinac.training.cell_learning import (
    CellBatches,
    class_weights,
    figures,
    fit_temperature,
    probabilities_of,
)
from ndx_cinac.training.cell_sources import LabelledPlan, plan_labelled

SIMULATION = load_config("cell-types-training")
SMALL = CellTypeTrainingConfig(
    simulation=replace(
        SIMULATION,
        movie=MovieSettings(shape=(40, 40), n_frames=(100, 120), frame_rate=(8.0, 10.0)),
        cells=replace(SIMULATION.cells, diameter=(7.0, 9.0)),
    ),
    n_fields=2,
    n_calibration_fields=2,
    n_test_fields=2,
    workers=0,
    width=2,
    fewest_steps=6,
    epochs=0.1,
    batch_size=8,
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[Path]:
    """Three small files with CellTypeAnnotations, of one animal as simulations are."""
    folder = tmp_path_factory.mktemp("labelled")
    return [
        write_nwb(simulate_field(SMALL.simulation, seed), folder / f"session-{seed}.nwb")
        for seed in (1, 2, 3)
    ]


def random_inputs(number: int) -> CellInputs:
    rng = np.random.default_rng(0)
    return CellInputs(
        rng.normal(size=(number, 4, 128, 3)).astype(np.float32),
        rng.normal(size=(number, 20, 20, 3)).astype(np.float32),
        rng.normal(size=(number, len(FEATURES))).astype(np.float32),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    return train_cell_types(SMALL, folder), folder


def test_a_training_saves_a_classifier_that_says_what_it_is(trained):
    card, folder = trained
    assert load_classifier(folder).card == card
    assert (card.task, card.classes) == ("cell_type", ("interneuron", "pyramidal", "noise"))
    assert card.inputs["kind"] == "cell features"
    assert card.description.startswith("Trained on simulated populations: a starting point, not a finding.")
    assert card.training["simulated"] is True
    assert card.training["seed"] == 0
    assert 0 <= card.metrics["balanced_accuracy"] <= 1
    assert 0 <= card.metrics["calibration_error"] <= 1
    assert sum(row["ROIs"] for row in card.metrics["reliability"]) == sum(
        each["ROIs"] for each in card.metrics["types"].values()
    )
    assert len(card.known_failures) >= 5
    assert any(failure.startswith("Types that are rare") for failure in card.known_failures)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_classifier(trained, tmp_path):
    card, _ = trained
    again = train_cell_types(replace(SMALL, name="tiny"), tmp_path / "again")
    assert again.sha256 == card.sha256
    assert again.metrics == card.metrics


def test_parts_of_a_simulation_are_different_fields():
    def made(part, number=0):
        return CellFieldJob(SMALL.simulation, SMALL.inputs, 0, part, number).make()

    first = made(0)
    for other in (made(1), made(0, 1)):
        assert len(other) != len(first) or not np.array_equal(other.inputs.features, first.inputs.features)
    np.testing.assert_array_equal(made(0).inputs.features, first.inputs.features)


def test_a_field_can_keep_its_pixel_size_back():
    known, unknown = (
        CellFieldJob(SMALL.simulation, SMALL.inputs, 0, 0, 0, part).make() for part in (0.0, 0.999)
    )
    assert np.isfinite(known.pixel_sizes).all()
    assert np.isnan(unknown.pixel_sizes).all()


def test_an_existing_folder_is_refused_before_any_work(tmp_path):
    with pytest.raises(OutputError, match=r"exists.*Choose another one, or overwrite it"):
        train_cell_types(SMALL, tmp_path)


def test_rare_types_weigh_more_and_all_types_alike():
    codes = np.array([0] * 8 + [1] * 2)
    weights = class_weights(codes, 3, "balanced")
    np.testing.assert_allclose(weights, [10 / 16, 10 / 4, 0])
    assert weights[codes].mean() == pytest.approx(1)
    np.testing.assert_array_equal(class_weights(codes, 3, "none"), [1, 1, 1])


def test_batches_are_repeatable_and_go_on_from_a_kept_state():
    inputs, codes = random_inputs(9), np.arange(9) % 3
    batches = CellBatches(inputs, codes, np.ones(3, np.float32), 4, 7)
    state = batches.state()
    first = batches.draw()
    batches.restore(state)
    for one, other in zip(first[0], batches.draw()[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_patches_are_turned_and_mirrored_and_nothing_else_is_changed():
    inputs, codes = random_inputs(1), np.zeros(1, np.int64)
    (pieces, patches, features), _, _ = CellBatches(inputs, codes, np.ones(1, np.float32), 40, 0).draw()
    np.testing.assert_array_equal(pieces, np.repeat(inputs.pieces, 40, axis=0))
    np.testing.assert_array_equal(features, np.repeat(inputs.features, 40, axis=0))
    assert len({patch.tobytes() for patch in patches}) == 8
    np.testing.assert_allclose(np.sort(patches[0].ravel()), np.sort(inputs.patches[0].ravel()))


def test_the_temperature_undoes_too_much_certainty():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)).astype(np.float32)
    chances = probabilities_of(logits, 1.0).astype(np.float64).cumsum(axis=1)
    codes = (rng.random((len(logits), 1)) * chances[:, -1:] > chances).sum(axis=1)
    assert fit_temperature(3 * logits, codes, np.ones(3, np.float32)) == pytest.approx(3.0, rel=0.15)


def test_figures_are_those_of_the_confusion_matrix():
    codes = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 1, 1, 1, 2, 0])
    probabilities = np.full((8, 3), 0.1, np.float32)
    probabilities[np.arange(8), predicted] = 0.8
    found = figures(("a", "b", "c"), codes, probabilities, np.ones(3, np.float32))
    assert found["balanced_accuracy"] == pytest.approx((0.75 + 1 + 0.5) / 3, abs=1e-4)
    assert found["accuracy"] == 0.75
    assert found["confusion (known by predicted)"] == [[3, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert found["calibration_error"] == pytest.approx(0.05, abs=1e-4)


# --- labelled recordings


def test_annotations_label_their_rois_and_others_are_neighbours(recordings):
    field = simulate_field(SMALL.simulation, 1)
    (labelled,) = open_labelled(LabelledFile(str(recordings[0])))
    with labelled.recording as recording:
        kept = recording.require_rois().kept
        assert labelled.labels == {row: field.cell_types[row] for row in kept if field.cell_types[row]}
        assert labelled.animal == "simulated-mouse"


def test_a_column_labels_rois_and_says_which_columns_there_are(recordings, tmp_path):
    from pynwb import NWBHDF5IO

    path = tmp_path / "column.nwb"
    path.write_bytes(recordings[0].read_bytes())
    with NWBHDF5IO(str(path), "a") as io:
        nwbfile = io.read()
        table = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        values = ["pyr", "IN", "unknown"] + ["junk"] * (len(table) - 3)
        table.add_column(name="said", description="What a person said", data=values)
        io.write(nwbfile)
    (labelled,) = open_labelled(LabelledFile(str(path), label_column="said"))
    with labelled.recording:
        assert labelled.labels[0] == "pyr"
        assert labelled.labels[1] == "IN"
        assert 2 not in labelled.labels
    with pytest.raises(ReadingError, match=r"no column 'nonsense'.*Its columns are: .*said"):
        next(open_labelled(LabelledFile(str(path), label_column="nonsense")))


def test_keywords_stand_for_their_types(recordings, tmp_path):
    plan = plan_labelled(replace(SMALL, sources=tuple(map(str, recordings))))
    assert plan.names == read_cell_types(default_cell_types()).ordered
    assert plan.split_by == "recording"
    assert [about["animal"] for about in plan.about] == ["simulated-mouse"] * 3


def test_labels_that_no_type_has_are_refused(recordings, tmp_path):
    types = tmp_path / "types.yaml"
    types.write_text("cell_type_categories: [interneuron, pyramidal]\n")
    with pytest.raises(ConfigError, match=r"label 'noise' is none of the types interneuron, pyramidal"):
        plan_labelled(replace(SMALL, sources=(str(recordings[0]),), cell_types=str(types)))


def test_a_file_without_labels_is_refused(tmp_path):
    plain = replace(SMALL.simulation, population=load_config("two-photon-sparse").population)
    path = write_nwb(simulate_field(plain, 1), tmp_path / "plain.nwb")
    with pytest.raises(ReadingError, match=r"No ROI .* known type in CellTypeAnnotations.*Annotate"):
        plan_labelled(replace(SMALL, sources=(str(path),)))


def test_a_source_that_is_not_there_is_refused():
    with pytest.raises(ReadingError, match=r"nothing of this name to train on.*absent\.nwb"):
        plan_labelled(replace(SMALL, sources=("absent.nwb",)))


def test_animals_cannot_be_held_out_where_there_is_one(recordings):
    config = replace(SMALL, sources=tuple(map(str, recordings)), split_by="animal")
    with pytest.raises(ConfigError, match=r"Animals cannot be held out.*split by recording or roi"):
        plan_labelled(config)


def test_one_recording_cannot_be_held_out(recordings):
    with pytest.raises(ConfigError, match=r"Recordings cannot be held out: there is one"):
        plan_labelled(replace(SMALL, sources=(str(recordings[0]),), split_by="recording"))


def test_groups_are_never_divided_and_parts_are_even():
    plan = LabelledPlan(read_cell_types(default_cell_types()), split_by="animal", most_folds=3)
    groups = np.repeat(list("abcdef"), [30, 10, 10, 10, 20, 10])
    folds = plan.folds(groups, np.zeros(90, np.int64))
    assert all(len(set(folds[groups == name])) == 1 for name in "abcdef")
    assert set(Counter(folds.tolist()).values()) == {30}


def test_single_rois_are_divided_type_by_type():
    plan = LabelledPlan(read_cell_types(default_cell_types()), split_by="roi", most_folds=4)
    codes = np.repeat([0, 1, 2], [8, 20, 12])
    folds = plan.folds(np.full(40, "one"), codes)
    assert all(
        Counter(folds[codes == code].tolist()) == dict.fromkeys(range(4), n)
        for code, n in ((0, 2), (1, 5), (2, 3))
    )


@pytest.mark.slow
def test_labelled_recordings_are_cross_validated_and_the_card_says_how(recordings, tmp_path):
    config = replace(SMALL, sources=tuple(map(str, recordings)), folds=2)
    card = train_cell_types(config, tmp_path / "mine")
    assert card.metrics["data"].startswith("cross-validation in 2 parts by recording")
    assert len(card.metrics["parts"]) == 2
    assert sum(part["ROIs"] for part in card.metrics["parts"]) == sum(card.training["ROIs"].values())
    assert "simulated" not in card.training
    assert "starting point" not in card.description
    assert [each["name"] for each in card.training["files"]] == ["session-1", "session-2", "session-3"]
    assert load_classifier(tmp_path / "mine").card.sha256 == card.sha256


def test_a_cinac_file_gives_the_types_of_its_cells():
    path = Path(__file__).parents[1] / "data" / "deepcinac" / "cinac" / "session_a.cinac"
    from ndx_cinac.cinac_files import CinacFile

    with CinacFile(path) as file:
        types = file.cell_types
    if not types:
        pytest.skip("the example has no cell types")
    found = list(open_labelled(LabelledFile(str(path), frame_rate=8.0)))
    assert {label for each in found for label in each.labels.values()} == set(types.values())
    for each in found:
        assert each.recording.times.frame_rate == 8.0


def test_a_cinac_file_needs_a_frame_rate_and_has_no_columns():
    path = str(Path(__file__).parents[1] / "data" / "deepcinac" / "cinac" / "session_a.cinac")
    with pytest.raises(ConfigError, match=r"does not hold the frame rate.*--frame-rate"):
        next(open_labelled(LabelledFile(path)))
    with pytest.raises(ConfigError, match=r"has no columns to take labels from.*Leave the column out"):
        next(open_labelled(LabelledFile(path, label_column="kind", frame_rate=8.0)))


# --- the config


def test_a_config_comes_back_from_what_the_card_holds():
    config = replace(SMALL, sources=("a.nwb", "simulation"), folds=3)
    assert CellTypeTrainingConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"speed": 3}, "Unknown training option 'speed'"),
        ({"n_fields": 2.5}, "'n_fields' cannot be 2.5"),
        ({"folds": 1}, "'folds' cannot be 1"),
        ({"split_by": "mood"}, "'split_by' cannot be 'mood'"),
        ({"class_weights": "heavy"}, "'class_weights' cannot be 'heavy'"),
        ({"sources": []}, "'sources' cannot be"),
        ({"simulation": {}}, "The simulation gives its cells no types"),
    ],
)
def test_values_that_cannot_be_used_are_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        CellTypeTrainingConfig.from_dict(values)


def test_examples_can_be_taken_apart():
    examples = CellExamples(
        random_inputs(4), np.array(list("abab")), np.array(list("xxyy")), *(np.arange(4.0) for _ in range(3))
    )
    part = examples.take(examples.cell_types == "b")
    assert part.groups.tolist() == ["x", "y"]
    np.testing.assert_array_equal(part.inputs.features, examples.inputs.features[[1, 3]])
