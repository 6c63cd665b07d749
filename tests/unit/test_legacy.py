"""Classifiers in DeepCINAC's own files: read safely whatever the variant, refused by name otherwise."""

from __future__ import annotations

import base64
import json
import marshal
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import ClassifierError
from ndx_cinac.legacy import convert, load_legacy
from ndx_cinac.legacy.architecture import read_architecture
from ndx_cinac.legacy.weights import open_weights

DATA = Path(__file__).parents[1] / "data"
VARIANTS = DATA / "deepcinac_variants"
ACTIVITY = DATA / "deepcinac" / "activity_w40"


def files_of(stem):
    return stem.with_suffix(".json"), stem.with_suffix(".h5")


@pytest.fixture
def altered(tmp_path):
    """Write the reference architecture with a change, and return its path."""

    def write(change):
        network = json.loads(ACTIVITY.with_suffix(".json").read_text(encoding="utf-8"))
        layers = {layer["name"]: layer for layer in network["config"]["layers"]}
        change(network, layers)
        path = tmp_path / "altered.json"
        path.write_text(json.dumps(network), encoding="utf-8")
        return path

    return write


def convolutions(layers):
    return layers["time_distributed"]["config"]["layer"]["config"]["layers"]


def code_that_writes(path):
    """Bytecode, as Keras 2 stores a Lambda's, of a function that makes a file."""

    source = f"lambda x: open({str(path)!r}, 'w').close() or x"
    code = compile(source, "code", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", sorted(path.stem for path in VARIANTS.glob("*.h5")))
def test_every_variant_gives_what_deepcinac_gave(name):
    network = load_legacy(*files_of(VARIANTS / name)).network()
    stored = np.load(VARIANTS / f"{name}.npz")
    inputs = [stored[key] for key in sorted(stored.files) if key != "y"]
    output = network(inputs, training=False).numpy()
    np.testing.assert_allclose(output, stored["y"], rtol=0, atol=1e-6)


def test_the_card_says_what_a_legacy_classifier_is_given():
    card = load_legacy(*files_of(ACTIVITY)).card
    card.check(where="card")
    assert (card.name, card.task, card.classes) == ("activity_w40", "activity", ("active",))
    assert card.inputs["kind"] == "legacy patches"
    assert card.inputs["rules"] == "legacy"
    assert [card.inputs[key] for key in ("window", "height", "width")] == [40, 21, 21]
    assert card.inputs["inputs"] == ["cell", "overlapping", "neuropil"]
    assert "row numbers" in card.inputs["masks"]
    assert card.training["keras"] == "2.15.0"


def test_three_classes_are_named_and_cell_types_numbered():
    three = load_legacy(*files_of(DATA / "deepcinac" / "activity_3class_w40")).card
    types = load_legacy(*files_of(DATA / "deepcinac" / "cell_type_all_pixels_w50")).card
    assert three.classes == ("active", "fake transient", "other")
    assert (types.task, types.classes) == ("cell_type", ("class 0", "class 1", "class 2"))
    assert types.inputs["inputs"] == ["cell", "all"]


def test_names_of_classes_can_be_given_and_must_fit():
    files = files_of(DATA / "deepcinac" / "cell_type_w50")
    assert load_legacy(*files, classes=["interneuron", "pyramidal", "noise"]).card.classes[1] == "pyramidal"
    with pytest.raises(ClassifierError, match="has 3 outputs, 2 names are given"):
        load_legacy(*files, classes=["interneuron", "pyramidal"])


def test_a_network_is_built_once_for_all_predictions_with_the_same_files():
    first, second = load_legacy(*files_of(ACTIVITY)), load_legacy(*files_of(ACTIVITY))
    pytest.importorskip("tensorflow")
    assert first.network() is second.network()


@pytest.mark.tensorflow
def test_a_converted_classifier_gives_the_same_predictions(tmp_path):
    stem = VARIANTS / "single_vector_after_lstm_3class"
    card = convert(*files_of(stem), tmp_path / "converted")
    assert card.inputs["kind"] == "legacy patches"
    stored = np.load(stem.with_suffix(".npz"))
    network = load_classifier(tmp_path / "converted").network()
    output = network([stored["x0"], stored["x1"], stored["x2"]], training=False).numpy()
    np.testing.assert_allclose(output, stored["y"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("place", ["after the convolution", "elsewhere"])
def test_a_planted_lambda_is_refused_by_name_and_its_code_is_not_run(altered, tmp_path, place):
    trap = tmp_path / "trap"
    planted = {
        "name": "innocent",
        "function": [code_that_writes(trap), None, None],
        "function_type": "lambda",
    }

    def plant(network, layers):
        row = convolutions(layers)
        at = next(i for i, layer in enumerate(row) if layer["class_name"] == "Lambda")
        entry = {"class_name": "Lambda", "config": planted}
        row[at : at + 1] = [entry] if place == "after the convolution" else [row[at], entry]

    path = altered(plant)
    with pytest.raises(
        ClassifierError, match=r"'innocent' is a Lambda.*nothing of it was run.*altered\.json"
    ):
        load_legacy(path, ACTIVITY.with_suffix(".h5"))
    assert not trap.exists()


@pytest.mark.tensorflow
def test_code_in_a_lambda_that_calls_itself_swish_is_replaced_not_run(altered, tmp_path):
    trap = tmp_path / "swish"  # so that its bytecode mentions the name

    def plant(network, layers):
        for name in ("time_distributed", "time_distributed_1", "time_distributed_2"):
            for layer in layers[name]["config"]["layer"]["config"]["layers"]:
                if layer["class_name"] == "Lambda":
                    layer["config"]["function"] = [code_that_writes(trap), None, None]

    changed = load_legacy(altered(plant), ACTIVITY.with_suffix(".h5")).network()
    window = [np.random.default_rng(0).normal(size=(1, 40, 21, 21, 1)).astype(np.float32)] * 3
    original = load_legacy(*files_of(ACTIVITY)).network()
    np.testing.assert_array_equal(changed(window), original(window))
    assert not trap.exists()


def test_a_lambda_among_the_networks_layers_is_refused_unless_it_is_the_mean_of_an_attention_vector(altered):
    def plant(network, layers):
        network["config"]["layers"].append(
            {
                "class_name": "Lambda",
                "name": "mean",
                "config": {"name": "mean", "function": "mean", "function_type": "function"},
                "inbound_nodes": [[["dense_3", 0, 0, {}]]],
            }
        )

    with pytest.raises(ClassifierError, match="Layer 'mean' is a Lambda"):
        read_architecture(altered(plant))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, k: k["dense"].update(class_name="Evil", module="evil"), r"'dense' is a Evil \(evil\)"),
        (lambda n, k: k["dense"]["config"].update(activation="evil"), "'dense' has the activation 'evil'"),
        (
            lambda n, k: k["dense"]["config"].update(activation={"class_name": "Evil", "config": {}}),
            "'dense' has the activation 'Evil'",
        ),
        (lambda n, k: k["lstm_6"]["config"].update(stateful=True), "'lstm_6' has stateful True"),
        (
            lambda n, k: convolutions(k)[1]["config"].update(data_format="channels_first"),
            "has data_format 'channels_first'",
        ),
        (lambda n, k: n.update(class_name="Sequential"), "is a Sequential, not a Model"),
        (
            lambda n, k: k["dense"]["inbound_nodes"].append([["permute", 0, 0, {}]]),
            "'dense' is used in several",
        ),
        (
            lambda n, k: k["dense"].update(inbound_nodes=[[["nothing", 0, 0, {}]]]),
            "'dense' is given the output of no layer",
        ),
        (
            lambda n, k: k["input_0"]["config"].update(batch_input_shape=[None, 40, 21, 21, 3]),
            r"Input 'input_0' has shape \(40, 21, 21, 3\)",
        ),
        (
            lambda n, k: k["input_0"]["config"].update(batch_input_shape=[None, 40, 19, 21, 1]),
            r"has inputs of \[\(40, 19, 21, 1\), \(40, 21, 21, 1\)\]",
        ),
        (lambda n, k: n.pop("config"), "is no network as Keras 2 writes them: KeyError: 'config'"),
    ],
)
def test_an_architecture_that_deepcinac_does_not_build_is_refused_by_name(altered, change, message):
    with pytest.raises(ClassifierError, match=message):
        load_legacy(altered(change), ACTIVITY.with_suffix(".h5"))


def test_a_missing_file_and_one_that_is_no_json_are_refused(tmp_path):
    message = r"architecture cannot be read: No such file.*nowhere\.json.*Weights go with the \.json"
    with pytest.raises(ClassifierError, match=message):
        load_legacy(tmp_path / "nowhere.json", ACTIVITY.with_suffix(".h5"))


def test_files_in_the_wrong_order_are_refused_with_the_right_one():
    with pytest.raises(
        ClassifierError, match=r"architecture is not JSON.*\.json .* first, the \.h5 as its weights"
    ):
        load_legacy(ACTIVITY.with_suffix(".h5"), ACTIVITY.with_suffix(".json"))


def test_weights_that_are_no_hdf5_file_or_hold_no_layers_are_refused(tmp_path):
    architecture = ACTIVITY.with_suffix(".json")
    with pytest.raises(ClassifierError, match="weights are no HDF5 file"):
        load_legacy(architecture, architecture)
    with pytest.raises(ClassifierError, match=r"weights do not exist.*nowhere\.h5"):
        load_legacy(architecture, tmp_path / "nowhere.h5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(ClassifierError, match="no list of layers"):
        load_legacy(architecture, tmp_path / "empty.h5")


def test_weights_of_another_classifier_are_refused_by_layer():
    with pytest.raises(
        ClassifierError, match=r"no layer 'time_distributed'.*\.json and the \.h5 of one classifier"
    ):
        load_legacy(ACTIVITY.with_suffix(".json"), DATA / "deepcinac" / "cell_type_w50.h5")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda group: group.update(shape=(40, 41)),
            r"'dense' needs a kernel of \(40, 40\).* one of \(40, 41\)",
        ),
        (lambda group: group.update(names=["dense/bias:0"]), "needs a kernel .* hold nothing"),
        (
            lambda group: group.update(names=["dense/kernel:0", "dense/bias:0"] * 2),
            "hold more for layer 'dense'",
        ),
    ],
)
def test_weights_that_do_not_fit_their_layer_are_refused(tmp_path, change, message):
    path = tmp_path / "weights.h5"
    shutil.copy(ACTIVITY.with_suffix(".h5"), path)
    wanted = {"shape": (40, 40), "names": ["dense/kernel:0", "dense/bias:0"]}
    change(wanted)
    with h5py.File(path, "r+") as file:
        del file["dense/dense/kernel:0"]
        file["dense/dense/kernel:0"] = np.zeros(wanted["shape"], np.float32)
        file["dense"].attrs["weight_names"] = wanted["names"]
    with pytest.raises(ClassifierError, match=message):
        load_legacy(ACTIVITY.with_suffix(".json"), path).network()


def test_an_array_that_lies_in_another_file_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    shutil.copy(ACTIVITY.with_suffix(".h5"), path)
    with h5py.File(path, "r+") as file:
        del file["dense/dense/kernel:0"]
        file["dense/dense/kernel:0"] = h5py.ExternalLink(ACTIVITY.with_suffix(".h5"), "/dense/dense/kernel:0")
    with (
        open_weights(path) as weights,
        pytest.raises(ClassifierError, match="lack the array 'dense/kernel:0'"),
    ):
        weights.layer("dense")


@pytest.mark.tensorflow
def test_layers_that_do_not_fit_each_other_are_refused(altered):
    def change(network, layers):
        layers["permute"]["config"]["dims"] = [3, 1]

    classifier = load_legacy(altered(change), ACTIVITY.with_suffix(".h5"))
    with pytest.raises(ClassifierError, match=r"Layer 'permute' \(Permute\) cannot be built"):
        classifier.network()


@pytest.mark.tensorflow
def test_the_weights_of_a_whole_saved_model_are_found_too(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(ACTIVITY.with_suffix(".h5")) as source, h5py.File(path, "w") as model:
        group = model.create_group("model_weights")
        for name, value in source.attrs.items():
            group.attrs[name] = value
        names = [str(name) for name in source.attrs["layer_names"]]
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = (
            names[:9],
            names[9:],
        )  # as Keras cuts long lists
        for name in source:
            source.copy(name, group)
    expected = load_legacy(*files_of(ACTIVITY)).network().get_weights()
    found = load_legacy(ACTIVITY.with_suffix(".json"), path).network().get_weights()
    for array, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(array, other)
