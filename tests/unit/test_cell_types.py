"""Cell types: YAML files, fusion of predictions and choice of classifiers, against DeepCINAC's outputs."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.cell_types import (
    cell_types_of,
    default_cell_types,
    fusion_cell_type_predictions,
    fusion_cell_type_predictions_by_type,
    read_cell_type_categories_yaml_file,
    read_cell_types,
    select_activity_classifier_on_cell_type_outputs,
)
from ndx_cinac.errors import ConfigError
from ndx_cinac.neurodata import CellTypeMeaning

DATA = Path(__file__).parents[1] / "data" / "deepcinac"
MULTI = DATA / "cell_types.yaml"
BINARY = DATA / "cell_types_binary.yaml"
INTERNEURON = ("in.json", "in.h5", "in")
PYRAMIDAL = ("pyr.json", "pyr.h5", "pyr")
DEFAULT = ("def.json", "def.h5", "def")
BY_TYPE = {"interneuron": INTERNEURON, "pyr": PYRAMIDAL}


@pytest.fixture(scope="module")
def fusion():
    with np.load(DATA / "fusion.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def choice():
    return json.loads((DATA / "classifier_choice.json").read_text())


@pytest.fixture
def yaml_file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "types.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("using_multi_class", [1, 2])
@pytest.mark.parametrize(("case", "path"), [("multi", MULTI), ("binary", BINARY)])
def test_yaml_files_are_read_as_deepcinac_reads_them(choice, case, path, using_multi_class):
    names, codes, multi_class = read_cell_type_categories_yaml_file(path, using_multi_class)
    expected = choice["yaml"][f"{case},using_multi_class={using_multi_class}"]
    assert [{str(code): name for code, name in names.items()}, codes, multi_class] == expected


def test_predicted_type_of_a_binary_classifier_has_code_1_in_either_spelling_and_order(yaml_file):
    text = "config: {multi_class: false}\ncell_type_categories: [{in: {KEY: true}}, {pyr: {}}]"
    for key in ("predicted_celll_type", "predicted_cell_type"):
        assert read_cell_types(yaml_file(text.replace("KEY", key))).names == {1: "in", 0: "pyr"}


def test_file_that_does_not_say_is_binary_only_where_the_caller_says_so(yaml_file):
    path = yaml_file("cell_type_categories: [{in: {predicted_cell_type: true}}, pyr]")
    assert read_cell_types(path, using_multi_class=1).codes == {"in": 1, "pyr": 0}
    assert read_cell_types(path, using_multi_class=2).codes == {"in": 0, "pyr": 1}


def test_types_are_found_whatever_their_case_and_blanks():
    config = read_cell_types(MULTI)
    assert config.find(" Pyramidal Cell ") == 1
    assert config.find("glia") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file names no cell types: it is empty"),
        ("cell_type_categories:", "cell_type_categories is empty, not a list"),
        ("colour: red", "'colour' in the file is not known"),
        ("config: {multiclass: true}\ncell_type_categories: [a]", "'multiclass' in config is not known"),
        (
            "config: {multi_class: maybe}\ncell_type_categories: [a]",
            "config/multi_class is 'maybe', not true or false",
        ),
        ("cell_type_categories: {a: {}}", "cell_type_categories is {'a': {}}, not a list"),
        ("cell_type_categories: []", "cell_type_categories names no cell type"),
        ("cell_type_categories: [3]", "cell_type_categories is 3, not names with settings"),
        ("cell_type_categories: [{1: {}}]", "a key of cell_type_categories is 1, not text"),
        ("cell_type_categories: [{a: {colour: red}}]", "'colour' in cell_type_categories/a is not known"),
        (
            "cell_type_categories: [{a: {keywords: b}}]",
            "cell_type_categories/a/keywords is 'b', not a list",
        ),
        (
            "cell_type_categories: [{a: {keywords: [2]}}]",
            "cell_type_categories/a/keywords is 2, not text",
        ),
        (
            "cell_type_categories: [{a: {predicted_cell_type: 1}}]",
            "predicted_cell_type is 1, not true or false",
        ),
        (
            "cell_type_categories: [{a: {predicted_cell_type: true, predicted_celll_type: false}}]",
            "cell_type_categories/a says both yes and no",
        ),
        (
            "cell_type_categories: [{a: {keywords: [b]}}, B]",
            "'B' under cell_type_categories stands for more than one",
        ),
        (
            "cell_type_categories: [{a: {predicted_cell_type: true}}, {b: {predicted_cell_type: true}}]",
            "2 cell types have 'predicted_cell_type: True'",
        ),
        ("cell_type_categories: [", "The cell types cannot be read"),
        ("cell_type_categories: [{a: {keywords: [b], keywords: [c]}}]", "the key 'keywords' stands twice"),
        ("cell_type_categories: [{a: {meaning: [b]}}]", "a/meaning is ['b'], not text"),
        ("cell_type_categories: [{a: {cell_ontology_id: 99}}]", "a/cell_ontology_id is 99, not text"),
        (
            "cell_type_categories: [{a: {cell_ontology_id: CL_0000099}}]",
            "'CL_0000099', which is no term of the Cell Ontology",
        ),
        (
            "config: {multi_class: false}\ncell_type_categories: [a, b, c]",
            "config says 'multi_class: false', but 3 cell types are named",
        ),
    ],
)
def test_faulty_file_is_refused_with_its_name_and_key(yaml_file, text, message):
    path = yaml_file(text)
    with pytest.raises(ConfigError) as caught:
        read_cell_types(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_types_mean_what_the_file_says_and_their_names_where_it_says_nothing(yaml_file):
    text = "cell_type_categories: [{a: {keywords: [x, y], meaning: An A, cell_ontology_id: 'CL:0000099'}}, b]"
    meanings = read_cell_types(yaml_file(text)).meanings
    assert meanings["a"] == CellTypeMeaning("An A", ("x", "y"), "CL:0000099")
    assert meanings["b"] == CellTypeMeaning("b", (), "")


def test_default_file_names_the_types_of_the_bundled_classifier_with_their_terms():
    config = read_cell_types(default_cell_types())
    assert config.ordered == ("interneuron", "pyramidal", "noise")
    terms = {name: meaning.ontology_id for name, meaning in config.meanings.items()}
    assert terms == {"interneuron": "CL:0000099", "pyramidal": "CL:0000598", "noise": ""}
    assert config.find("PYR") == 1


@pytest.mark.parametrize(("path", "outputs"), [(MULTI, 3), (BINARY, 1), (default_cell_types(), 3)])
def test_types_come_back_from_what_a_card_holds(path, outputs):
    config = read_cell_types(path)
    back = cell_types_of(json.loads(json.dumps(config.to_dict())), "card")
    assert (back.names, back.meanings, back.n_outputs) == (config.names, config.meanings, outputs)


@pytest.mark.parametrize(
    ("text", "outputs", "message"),
    [
        ("cell_type_categories: [a, b, c]", 2, "for a classifier of 3 outputs; 'mine' has 2"),
        ("cell_type_categories: [a]", 1, "Name at least two types"),
        ("config: {multi_class: true}\ncell_type_categories: [a, b]", 1, "of 2 outputs; 'mine' has 1"),
        ("config: {multi_class: false}\ncell_type_categories: [a, b]", 2, "Say 'multi_class: true'"),
    ],
)
def test_another_number_of_outputs_is_refused(yaml_file, text, outputs, message):
    with pytest.raises(ConfigError, match=message):
        read_cell_types(yaml_file(text)).fit(outputs, "mine")


@pytest.mark.parametrize("outputs", [1, 2])
def test_two_types_that_do_not_say_so_have_one_output_or_two(yaml_file, outputs):
    config = read_cell_types(yaml_file("cell_type_categories: [a, b]"), outputs).fit(outputs, "mine")
    assert config.n_outputs == outputs


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read.*none\.yaml"):
        read_cell_types(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("fusion", {"cell_type_config_file": MULTI}),
        ("fusion_keep_noise", {"cell_type_config_file": MULTI, "cell_types_to_not_fusion_with_gt": [2]}),
        ("fusion_keep_noise", {"cell_types_to_not_fusion_with_gt": [2]}),
        ("fusion_swap_0_1", {"with_new_category": [(0, 1)]}),
        ("fusion_new_category_0_3", {"with_new_category": [(0, 3)]}),
    ],
)
def test_fusion_of_two_predictions_is_deepcinacs(fusion, key, options):
    fused = fusion_cell_type_predictions(fusion["p1"], fusion["p2_sparse"], **options)
    assert fused.dtype == fusion[key].dtype
    np.testing.assert_array_equal(fused, fusion[key])


def test_fusion_leaves_its_inputs_alone(fusion):
    first, second = fusion["p1"].copy(), fusion["p2_sparse"].copy()
    fusion_cell_type_predictions(first, second, with_new_category=[(0, 1)])
    np.testing.assert_array_equal(first, fusion["p1"])
    np.testing.assert_array_equal(second, fusion["p2_sparse"])


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("by_type", {}),
        ("by_type_yaml", {"cell_type_config_file": MULTI}),
        ("by_type_skip_1", {"cell_type_config_file": MULTI, "cell_type_to_skip_if_conflict": 1}),
        ("by_type_skip_1", {"cell_type_to_skip_if_conflict": 1}),
    ],
)
def test_fusion_by_type_is_deepcinacs(fusion, key, options):
    trusted = {0: fusion["p1"], 1: fusion["p2"], 2: fusion["p3"]}
    fused = fusion_cell_type_predictions_by_type(trusted, fusion["default"], **options)
    np.testing.assert_array_equal(fused, fusion[key])


def test_fusion_by_type_keeps_all_types_where_only_some_are_trusted(fusion):
    fused = fusion_cell_type_predictions_by_type({1: fusion["p2"]}, fusion["default"])
    claimed = fusion["p2"].argmax(axis=1) == 1
    np.testing.assert_array_equal(fused, np.where(claimed[:, np.newaxis], fusion["p2"], fusion["default"]))


def test_cell_that_was_not_predicted_is_claimed_by_nobody():
    fused = fusion_cell_type_predictions_by_type({0: [[0.0, 0.0]]}, [[0.25, 0.75]])
    np.testing.assert_array_equal(fused, [[0.25, 0.75]])


def test_fusions_are_saved_with_the_npy_extension(fusion, tmp_path):
    fused = fusion_cell_type_predictions(fusion["p1"], fusion["p2"], filename_to_save=str(tmp_path / "one"))
    np.testing.assert_array_equal(np.load(tmp_path / "one.npy"), fused)
    by_type = fusion_cell_type_predictions_by_type(
        {0: fusion["p1"]}, fusion["default"], filename_to_save=str(tmp_path / "two.npy")
    )
    np.testing.assert_array_equal(np.load(tmp_path / "two.npy"), by_type)


def test_fusion_with_a_configuration_logs_what_changes_and_prints_nothing(caplog, capsys):
    with caplog.at_level(logging.INFO):
        fusion_cell_type_predictions([[0.9, 0.1, 0.0]], [[0.2, 0.8, 0.0]], cell_type_config_file=MULTI)
        fusion_cell_type_predictions_by_type(
            {0: [[0.9, 0.1, 0.0]], 1: [[0.2, 0.8, 0.0]]}, [[0.1, 0.1, 0.8]], cell_type_config_file=MULTI
        )
    assert "Cell 0: interneuron -> pyramidal" in caplog.text
    assert "Cell 0 is claimed as interneuron, pyramidal -> noise" in caplog.text
    assert "Cells of each type after fusion: {'interneuron': 0, 'pyramidal': 0, 'noise': 1}" in caplog.text
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 0.0]], [[1.0, 0.0, 0.0]]), r"have shape \(1, 2\), the second \(1, 3\)"),
        (([1.0, 0.0], [1.0, 0.0]), r"have shape \(2,\), not \(cells, types\)"),
        (([[1.0, 0.0]], [[1.0, 0.0]], [(0, 3)]), r"holds \(0, 3\), but the types are 0 to 1"),
        (([[1.0, 0.0]], [[1.0, 0.0]], [(2, 0)]), r"holds \(2, 0\), but the types are 0 to 1"),
    ],
)
def test_fusion_of_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        fusion_cell_type_predictions(*arguments)


@pytest.mark.parametrize("trusted", [{0: [[1.0, 0.0], [1.0, 0.0]]}, {2: [[1.0, 0.0]]}])
def test_fusion_by_type_of_what_does_not_fit_is_refused(trusted):
    with pytest.raises(ConfigError, match=r"Predictions for type \d have shape"):
        fusion_cell_type_predictions_by_type(trusted, [[1.0, 0.0]])


@pytest.mark.parametrize("action", ["ignore", "default"])
def test_classifiers_are_chosen_as_deepcinac_chooses_them(fusion, choice, action):
    predictions = np.concatenate([fusion["tied"], fusion["p1"]])
    chosen = select_activity_classifier_on_cell_type_outputs(MULTI, predictions, BY_TYPE, DEFAULT, action)
    found = {"|".join(files): cells.tolist() for files, cells in chosen.items()}
    assert found == choice[action]
    assert list(found) == list(choice[action])


def test_type_without_a_classifier_stops_the_choice_if_asked_to():
    with pytest.raises(ConfigError, match=r"Cell 1 is predicted as 'noise', which has no classifier"):
        select_activity_classifier_on_cell_type_outputs(
            MULTI, [[1, 0, 0], [0.1, 0, 0.9]], BY_TYPE, DEFAULT, unknown_cell_type_action="exception"
        )


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2)])
def test_threshold_decides_for_a_binary_classifier(shape):
    probabilities = np.array([0.3, 0.45, 0.6])
    predictions = (
        np.stack([1 - probabilities, probabilities], 1) if shape[-1] == 2 else probabilities.reshape(shape)
    )
    for threshold, interneurons in ((0.5, [2]), (0.4, [1, 2]), (0.7, [])):
        chosen = select_activity_classifier_on_cell_type_outputs(
            BINARY, predictions, BY_TYPE, DEFAULT, cell_type_threshold=threshold
        )
        assert chosen.get(INTERNEURON, np.array([])).tolist() == interneurons
        assert sum(len(cells) for cells in chosen.values()) == 3
        assert DEFAULT not in chosen


def test_threshold_decides_where_both_types_are_equally_probable_but_not_where_none_was_predicted():
    predictions = [[0.5, 0.5], [0.0, 0.0], [0.2, 0.8]]
    for threshold, pyramidal, interneurons in ((0.5, [], [0, 2]), (0.6, [0], [2])):
        chosen = select_activity_classifier_on_cell_type_outputs(
            BINARY, predictions, BY_TYPE, DEFAULT, cell_type_threshold=threshold
        )
        found = {files: cells.tolist() for files, cells in chosen.items()}
        assert found.pop(DEFAULT) == [1]
        assert found.pop(INTERNEURON) == interneurons
        assert found.pop(PYRAMIDAL, []) == pyramidal


def test_one_column_makes_a_silent_file_binary(yaml_file):
    path = yaml_file("cell_type_categories: [{interneuron: {predicted_cell_type: true}}, pyr]")
    chosen = select_activity_classifier_on_cell_type_outputs(path, [0.9, 0.1], BY_TYPE, DEFAULT)
    assert {files: cells.tolist() for files, cells in chosen.items()} == {INTERNEURON: [0], PYRAMIDAL: [1]}


def test_threshold_leaves_a_multi_class_choice_alone(fusion):
    usual, other = (
        select_activity_classifier_on_cell_type_outputs(
            MULTI, fusion["p1"], BY_TYPE, DEFAULT, cell_type_threshold=t
        )
        for t in (0.5, 0.9)
    )
    assert {files: cells.tolist() for files, cells in usual.items()} == {
        f: c.tolist() for f, c in other.items()
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unknown_cell_type_action": "guess"}, "unknown_cell_type_action is 'guess'"),
        ({"cell_type_predictions": [[0.5, 0.5]]}, r"shape \(1, 2\) do not fit the 3 types"),
        ({"cell_type_predictions": [0.5]}, r"shape \(1, 1\) do not fit the 3 types"),
        ({"cell_type_to_classifier": {"glia": DEFAULT}}, "Cell type 'glia' is not among"),
    ],
)
def test_choice_from_what_does_not_fit_is_refused(changes, message):
    arguments = {
        "cell_type_config_file": MULTI,
        "cell_type_predictions": [[1.0, 0.0, 0.0]],
        "cell_type_to_classifier": BY_TYPE,
        "default_classifier": DEFAULT,
    }
    with pytest.raises(ConfigError, match=message):
        select_activity_classifier_on_cell_type_outputs(**(arguments | changes))


@pytest.mark.parametrize(("verbose", "logged"), [(1, True), (0, False)])
def test_numbers_of_cells_are_logged_if_verbose(fusion, caplog, verbose, logged):
    with caplog.at_level(logging.INFO):
        select_activity_classifier_on_cell_type_outputs(
            MULTI, fusion["p1"], BY_TYPE, DEFAULT, verbose=verbose
        )
    assert ("15 cells are predicted as interneuron" in caplog.text) is logged
