"""The network of cell types: what it is given and gives, calibrated, saved, refused where it does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ndx_cinac.cell_types.card_inputs import describe_inputs, read_input_options, starting_point
from ndx_cinac.cell_types.features import FEATURES, CellInputOptions, CellInputs
from ndx_cinac.classifiers import ModelCard
from ndx_cinac.errors import ClassifierError, ConfigError

pytestmark = pytest.mark.tensorflow


def random_inputs(number: int, seed: int = 0) -> CellInputs:
    rng = np.random.default_rng(seed)
    return CellInputs(
        rng.normal(size=(number, 4, 128, 3)).astype(np.float32),
        rng.normal(size=(number, 20, 20, 3)).astype(np.float32),
        (5 + 3 * rng.normal(size=(number, len(FEATURES)))).astype(np.float32),
    )


def card(**changes) -> ModelCard:
    made = ModelCard(
        name="types",
        version="1",
        task="cell_type",
        description="",
        definition="probability of the type",
        inputs=describe_inputs(CellInputOptions()),
        classes=("interneuron", "pyramidal", "noise"),
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def network():
    from ndx_cinac.cell_types.network import build_cell_type_network

    return build_cell_type_network(random_inputs(50), 3, width=4, head=8)


def test_rois_do_not_depend_on_those_beside_them_nor_on_the_batch(network):
    from ndx_cinac.cell_types.network import run_network

    inputs = random_inputs(7, 1)
    together = run_network(network, inputs, 64)
    assert together.shape == (7, 3)
    np.testing.assert_allclose(run_network(network, inputs, 2), together, atol=1e-5)
    alone = CellInputs(inputs.pieces[3:4], inputs.patches[3:4], inputs.features[3:4])
    np.testing.assert_allclose(run_network(network, alone)[0], together[3], atol=1e-5)


def test_the_order_of_pieces_does_not_matter(network):
    from ndx_cinac.cell_types.network import run_network

    inputs = random_inputs(5, 2)
    turned = replace(inputs, pieces=np.ascontiguousarray(inputs.pieces[:, ::-1]))
    np.testing.assert_allclose(run_network(network, turned), run_network(network, inputs), atol=1e-5)


def test_no_roi_gives_no_row(network):
    from ndx_cinac.cell_types.network import run_network

    assert run_network(network, random_inputs(0)).shape == (0, 3)


def test_probabilities_are_those_of_softmax_at_the_temperature(network):
    from ndx_cinac.cell_types.network import run_network, with_type_probability

    inputs = random_inputs(6, 3)
    logits = run_network(network, inputs) / 2.5
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = run_network(with_type_probability(network, 2.5), inputs)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_network_comes_back_from_its_file_in_safe_mode(network, tmp_path):
    from ndx_cinac.cell_types.network import run_network, with_type_probability
    from ndx_cinac.network_files import load_network, save_network

    made = with_type_probability(network, 1.5)
    save_network(made, tmp_path / "model.keras")
    inputs = random_inputs(4, 4)
    loaded = load_network(tmp_path / "model.keras")
    np.testing.assert_allclose(run_network(loaded, inputs), run_network(made, inputs), atol=1e-6)


@pytest.mark.parametrize("wrong", [{"n_types": 1}, {"width": 0}, {"head": 0}, {"dropout": 1.0}])
def test_impossible_networks_are_refused(wrong):
    from ndx_cinac.cell_types.network import build_cell_type_network

    with pytest.raises(ConfigError, match=r"No network has .*Use two types or more"):
        build_cell_type_network(random_inputs(3), **{"n_types": 3, **wrong})


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_impossible_temperatures_are_refused(network, temperature):
    from ndx_cinac.cell_types.network import with_type_probability

    with pytest.raises(ConfigError, match=r"cannot be calibrated with temperature .*Give a number above 0"):
        with_type_probability(network, temperature)


def test_a_card_gives_its_options_back():
    options = CellInputOptions(patch_pixels=16)
    assert read_input_options(card(inputs=describe_inputs(options))) == options


def test_a_card_of_other_features_is_refused_and_one_of_them_is_named():
    inputs = {**describe_inputs(CellInputOptions()), "features": ["mood", *FEATURES[1:]]}
    with pytest.raises(ClassifierError, match=r"reads other features .*(mood|log amplitude).*train it again"):
        read_input_options(card(inputs=inputs))


def test_a_card_of_impossible_options_is_refused():
    inputs = describe_inputs(CellInputOptions())
    inputs["options"] = {"n_pieces": 0}
    with pytest.raises(ClassifierError, match=r"asks for inputs that cannot be made.*'n_pieces'"):
        read_input_options(card(inputs=inputs))


def test_only_a_classifier_trained_on_simulations_is_called_a_starting_point():
    (said,) = starting_point(card(training={"simulated": True}))
    assert said == "'types' was trained on simulations: its types are a starting point, not a finding"
    assert starting_point(card(training={"data": "3 labelled recordings"})) == ()


def test_a_network_that_is_not_its_cards_is_refused(network):
    from ndx_cinac.cell_types.engine import _check_network

    with pytest.raises(ClassifierError, match=r"3 outputs, its card names 2 cell types"):
        _check_network(network, card(classes=("a", "b")), CellInputOptions(), "folder")
    with pytest.raises(ClassifierError, match=r"reads arrays of shapes .*its card describes"):
        _check_network(network, card(), CellInputOptions(patch_pixels=16), "folder")
