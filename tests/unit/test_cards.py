"""The model card: what it accepts, and what it says of what it does not."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ndx_cinac.classifiers import ModelCard
from ndx_cinac.classifiers.cards import LARGEST_CARD
from ndx_cinac.errors import ClassifierError

WHERE = "some/card.json"


def card(**changes) -> ModelCard:
    values = {
        "name": "tiny",
        "version": "1.0",
        "task": "activity",
        "description": "A network for tests.",
        "definition": "from the onset to the peak of a transient",
        "inputs": {"kind": "traces", "channels": ["a", "b"], "block": 512},
        "frame_rates": (5.0, 30.0),
        "known_failures": ("bleached movies",),
        "metrics": {"simulated": {"average_precision": 0.9}},
        "versions": {"keras": "3.15.0"},
        "sha256": "0" * 64,
    }
    return ModelCard(**{**values, **changes})


def read(**changes) -> ModelCard:
    """Read a card whose JSON has these fields changed."""
    values = json.loads(card().to_json())
    values.update(changes)
    return ModelCard.from_json(json.dumps(values), where=WHERE)


def test_card_comes_back_from_json_as_it_was():
    assert ModelCard.from_json(card().to_json(), where=WHERE) == card()


def test_fields_with_defaults_may_be_left_out():
    needed = ("name", "version", "task", "description", "definition", "inputs")
    values = {name: getattr(card(), name) for name in needed}
    assert ModelCard.from_json(json.dumps(values), where=WHERE) == ModelCard(**values)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(ModelCard)])
def test_no_field_takes_any_value(name):
    with pytest.raises(ClassifierError, match=f"field '{name}' is .* not "):
        read(**{name: -1})


@pytest.mark.parametrize(
    ("name", "value", "must_be"),
    [
        ("name", "../evil", "a name of up to 100 letters"),
        ("name", "a" * 101, "a name of up to 100 letters"),
        ("version", " ", "a text that says something"),
        ("task", "segmentation", '"activity" or "cell_type"'),
        ("description", None, "a text"),
        ("definition", "", "a text that says something"),
        ("inputs", {"channels": []}, 'an object with a text "kind"'),
        ("classes", [], "a list of different names"),
        ("classes", ["active", "active"], "a list of different names"),
        ("cell_types", ["a"], "an object"),
        ("threshold", 1.01, "a number from 0 to 1"),
        ("threshold", True, "a number from 0 to 1"),
        ("frame_rates", [30, 5], "the smaller one first"),
        ("pixel_sizes", [0, 5], "two numbers above 0"),
        ("roi_diameters", [5], "two numbers above 0"),
        ("roi_diameters", ["5", "6"], "two numbers above 0"),
        ("training", [], "an object"),
        ("metrics", "good", "an object"),
        ("known_failures", [1], "a list of texts"),
        ("versions", {"keras": 3}, "an object of texts"),
        ("sha256", "0" * 63, "64 lower-case hexadecimal digits"),
        ("sha256", "A" * 64, "64 lower-case hexadecimal digits"),
        ("card_format", "1", "a whole number"),
    ],
)
def test_error_names_field_value_and_file_and_says_what_it_must_be(name, value, must_be):
    with pytest.raises(ClassifierError) as error:
        read(**{name: value})
    text = str(error.value)
    assert f"'{name}' is" in text
    assert must_be in text
    assert WHERE in text


TYPES = {"config": {"multi_class": True}, "cell_type_categories": ["a", "b"]}


def test_cell_types_of_a_card_are_those_of_its_classes():
    found = read(task="cell_type", classes=["a", "b"], cell_types=TYPES)
    assert found.cell_types == TYPES
    binary = {"cell_type_categories": ["a", {"b": {"predicted_cell_type": True}}]}
    assert read(task="cell_type", classes=["b"], cell_types=binary).cell_types == binary


@pytest.mark.parametrize(
    ("classes", "types", "message"),
    [
        (["a", "c"], TYPES, "names the types a, b and the classes a, c"),
        (["a", "b", "c"], TYPES, "for a classifier of 2 outputs; 'tiny' has 3"),
        (["a", "b"], {"cell_type_categories": ["a", "a"]}, "stands for more than one thing"),
        (["a", "b"], {"categories": []}, "'categories' in the file is not known"),
    ],
)
def test_faulty_cell_types_of_a_card_are_refused(classes, types, message):
    with pytest.raises(ClassifierError, match=message) as error:
        read(task="cell_type", classes=classes, cell_types=types)
    assert WHERE in str(error.value)


def test_long_value_is_shortened_in_the_error():
    with pytest.raises(ClassifierError) as error:
        read(task="long " * 1000)
    assert len(str(error.value)) < 250


def test_unknown_field_is_named():
    with pytest.raises(
        ClassifierError, match=r"unknown field 'treshold' \(some/card.json\). Known are name, "
    ):
        read(treshold=0.5)


def test_missing_field_is_named():
    with pytest.raises(ClassifierError, match=r"lacks the field 'version' \(some/card.json\)"):
        ModelCard.from_json('{"name": "tiny"}', where=WHERE)


def test_later_format_asks_for_an_update_before_its_fields_are_judged():
    with pytest.raises(ClassifierError, match=r"has format 2, this version .* format 1 .*Update ndx-cinac"):
        read(card_format=2, future=1)


@pytest.mark.parametrize(
    "text", ["{", "", '{"threshold": NaN}', "[" * 100_000], ids=["cut", "none", "nan", "deep"]
)
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(ClassifierError, match=r"The model card is not JSON: .*some/card.json"):
        ModelCard.from_json(text, where=WHERE)


def test_json_that_is_no_object_is_refused():
    with pytest.raises(ClassifierError, match="a JSON list, not an object"):
        ModelCard.from_json("[]", where=WHERE)


def test_oversized_card_is_refused_unread():
    with pytest.raises(ClassifierError, match=r"has 1,000,001 characters, more than 1,000,000"):
        ModelCard.from_json("{" * (LARGEST_CARD + 1), where=WHERE)


def test_card_made_in_python_is_checked_like_a_file():
    card().check(where=WHERE)
    with pytest.raises(ClassifierError, match="'threshold' is 2, not a number from 0 to 1"):
        card(threshold=2).check(where=WHERE)


def test_card_with_a_value_that_json_cannot_hold_is_refused():
    with pytest.raises(ClassifierError, match=r"cannot be stored as JSON: .*some/card.json"):
        card(training={"loss": float("nan")}).check(where=WHERE)


def test_description_shows_people_what_matters():
    text = card().describe()
    assert text.startswith("tiny 1.0\nA network for tests.")
    for part in (
        "from the onset to the peak",
        "5 to 30 Hz",
        "pixel sizes    not stated",
        "channels a, b",
        "simulated: average precision 0.9",
        "known failure  bleached movies",
        "keras 3.15.0",
        "BSD-3-Clause",
        "0" * 64,
        "all settings and figures are in card.json",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


def test_description_shows_whether_probabilities_mean_what_they_say():
    rows = [{"predicted": 0.052, "true": 0.031, "frames": 9}, {"predicted": 0.55, "true": 0.6}, {"true": 1}]
    text = card(metrics={"data": "fields", "reliability": rows}).describe()
    assert "reliability: predicted, and true: 0.05 0.03; 0.55 0.60\n" in text
    assert "predicted, and true" not in card(metrics={"reliability": [1, "a"]}).describe()


def test_description_leaves_deeply_nested_settings_to_the_json():
    nested = {"data": "fields", "settings": {"simulation": {"movie": {"shape": [1, 2]}}}}
    figures = {"by noise": {"low": {"average_precision": 0.9, "n_frames": 7}}, "curve": [{"true": 1}]}
    text = card(training=nested, metrics=figures).describe()
    assert "training       data fields\n" in text
    assert "metrics        by noise low: average precision 0.9\n" in text
    assert not any(hidden in text for hidden in ("shape", "n_frames", "true"))
