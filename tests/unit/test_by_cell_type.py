"""Activity by the classifier of each cell's type: the choice, the file, and refusals before any work."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deepcinac_cases import DATA
from pynwb import NWBHDF5IO

from ndx_cinac.cell_types import ChoiceRules, default_cell_types, read_cell_types
from ndx_cinac.classifiers import Classifier, ModelCard
from ndx_cinac.errors import ClassifierError, ConfigError, PredictionError
from ndx_cinac.prediction import (
    ActivityByCellType,
    BothOptions,
    PredictionOptions,
    activity,
    cell_types,
    predict_activity_and_cell_types,
    read_activity_by_cell_type,
)
from ndx_cinac.prediction.options import Predicted
from ndx_cinac.testing.mock import mock_nwbfile_with_movie, mock_recording
from ndx_cinac.writing import read_predictions

LEVELS = {"ins": 0.25, "pyr": 0.5, "usual": 0.75}
MODELS = Path(activity.__file__).parents[1] / "models"


def classifier(name: str, task="activity", **changes) -> Classifier:
    """Make a classifier without a network, for the engines below."""
    card = ModelCard(
        name=name,
        version="1",
        task=task,
        description="For tests.",
        definition="active",
        inputs={"kind": "double"},
        sha256=hashlib.sha256(name.encode()).hexdigest(),
    )
    if task == "cell_type":
        changes = {"classes": ("interneuron", "pyramidal", "noise"), "definition": "of the type"} | changes
        changes["cell_types"] = read_cell_types(default_cell_types()).to_dict()
    return Classifier(replace(card, **changes), Path(name))


INS, PYR, USUAL = (classifier(name) for name in LEVELS)
TYPING = classifier("types", "cell_type")


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    """Put engines in place whose answers are known; give what the one of activity was given."""
    given = []

    def predict_activity(recording, chosen, options, progress, journal):
        given.append((chosen.card.name, recording.require_rois()))
        shape = (recording.require_movie().n_frames, len(recording.require_rois().kept))
        return Predicted(np.full(shape, LEVELS[chosen.card.name], np.float32), "CPU")

    def predict_types(recording, chosen, options, progress, journal):
        values = np.full((len(recording.require_rois().kept), 3), 0.1, np.float32)
        rows = recording.require_rois().kept
        values[np.arange(len(rows)), rows % 3] = 0.8
        values[rows == 6] = 1 / 3  # no predominant type
        return Predicted(values, "CPU")

    monkeypatch.setitem(activity._ENGINES, "double", predict_activity)
    monkeypatch.setitem(cell_types._ENGINES, "double", predict_types)
    return given


def by_type(action="ignore", **named) -> ActivityByCellType:
    """Make a choice of classifiers."""
    chosen = named or {"interneuron": INS, "pyr": PYR}
    return ActivityByCellType(chosen, USUAL, ChoiceRules(action), "map.yaml")


@pytest.fixture(scope="module")
def recording():
    return mock_recording(7, 30).recording


def test_each_cell_has_the_classifier_of_its_type(recording):
    found, types = predict_activity_and_cell_types(recording, by_type(), TYPING)
    assert types.labels[:6] == ["interneuron", "pyramidal", "noise"] * 2
    assert found.roi_rows.tolist() == [0, 1, 3, 4, 6]
    names = [found.classifiers[index].name for index in found.classifier_index]
    assert names == ["ins", "pyr", "ins", "pyr", "usual"]
    np.testing.assert_array_equal(found.probabilities[5], [LEVELS[name] for name in names])
    assert found.skipped == {
        2: "its type, noise, has no activity classifier",
        5: "its type, noise, has no activity classifier",
    }
    choice = found.parameters["activity_by_cell_type"]
    assert choice["cell_type_to_classifier"] == {"interneuron": "ins", "pyr": "pyr"}
    assert choice["rois"] == {"ins": 2, "pyr": 2, "usual": 1}


def test_the_file_says_which_classifier_each_roi_had(tmp_path):
    source = tmp_path / "session.nwb"
    with NWBHDF5IO(source, "w") as io:
        io.write(mock_nwbfile_with_movie(7, 30))
    predict_activity_and_cell_types(source, by_type(), TYPING, tmp_path / "out.nwb")
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        column = io.read().processing["cinac"]["ActivityPredictions"].classifier
        names = [column.table["classifier_name"][int(row)] for row in column.data[:]]
    assert names == ["ins", "pyr", "ins", "pyr", "usual"]
    stored = read_predictions(tmp_path / "out.nwb")
    assert stored.skipped[2] == "its type, noise, has no activity classifier"
    assert stored.parameters["activity_by_cell_type"]["rois"] == {"ins": 2, "pyr": 2, "usual": 1}
    assert ": 2 ROIs" in stored.summary()


def test_types_without_a_classifier_have_the_default_one_if_asked_to(recording):
    found, _ = predict_activity_and_cell_types(recording, by_type("default"), TYPING)
    names = [found.classifiers[index].name for index in found.classifier_index]
    assert names == ["ins", "pyr", "usual", "ins", "pyr", "usual", "usual"]
    assert found.skipped == {}


def test_a_type_without_a_classifier_is_an_error_if_asked_to(recording):
    with pytest.raises(ConfigError, match="is predicted as 'noise', which has no classifier"):
        predict_activity_and_cell_types(recording, by_type("exception"), TYPING)


def test_cells_of_other_types_stay_neighbours(recording, seen):
    predict_activity_and_cell_types(recording, by_type(), TYPING)
    assert {name: rois.kept.tolist() for name, rois in seen} == {"ins": [0, 3], "pyr": [1, 4], "usual": [6]}
    assert all(len(rois.usable) == 7 for _, rois in seen)


def test_no_cell_with_a_classifier_is_an_error(recording):
    chosen = replace(recording, rois=replace(recording.rois, unselected=dict.fromkeys((0, 1, 3, 4, 6), "no")))
    with pytest.raises(PredictionError, match="No cell is of a type that has an activity classifier"):
        predict_activity_and_cell_types(chosen, by_type(), TYPING)


def test_definitions_that_differ_are_all_given(recording):
    other = classifier("pyr", definition="in a plateau")
    found, _ = predict_activity_and_cell_types(recording, by_type(interneuron=INS, pyr=other), TYPING)
    assert found.definition == "ins: active; pyr: in a plateau; usual: active"


def test_one_threshold_is_asked_for_where_classifiers_differ(recording):
    chosen = by_type(pyr=classifier("pyr", threshold=0.3))
    with pytest.raises(ConfigError, match=re.escape("different thresholds: 0.3 (pyr), 0.5 (usual)")):
        predict_activity_and_cell_types(recording, chosen, TYPING)
    options = BothOptions(PredictionOptions(threshold=0.4))
    found, _ = predict_activity_and_cell_types(recording, chosen, TYPING, options=options)
    assert found.threshold == 0.4


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ({"glia": INS}, ConfigError, "Cell type 'glia' is not among"),
        ({"pyr": PYR, "pyramidal": INS}, ConfigError, "Cell type 'pyramidal' has several classifiers"),
        ({"pyr": TYPING}, ClassifierError, "'types' predicts cell type, not activity"),
    ],
)
def test_faulty_choices_are_refused_before_anything_is_read(tmp_path, named, error, message):
    with pytest.raises(error, match=message):
        predict_activity_and_cell_types(tmp_path / "none.nwb", by_type(**named), TYPING)


@pytest.fixture
def map_file(tmp_path):
    def write(text: str) -> Path:
        (tmp_path / "map.yaml").write_text(text)
        return tmp_path / "map.yaml"

    return write


def test_classifiers_are_found_by_name_and_beside_the_file(map_file, tmp_path, monkeypatch):
    shutil.copytree(MODELS / "activity-sim", tmp_path / "mine")
    for name in ("activity_w40.json", "activity_w40.h5"):
        shutil.copyfile(DATA / name, tmp_path / name)
    path = map_file(
        "cell_type_to_classifier:\n  in: activity-sim\n  pyr: mine\n"
        "  noise: {model: activity_w40.json, weights: activity_w40.h5, name: old}\n"
        "default_classifier: activity-sim\nunknown_cell_type_action: default\n"
    )
    monkeypatch.chdir("/")
    chosen = read_activity_by_cell_type(path)
    found = {name: (each.card.name, each.folder) for name, each in chosen.cell_type_to_classifier.items()}
    assert found == {
        "in": ("activity-sim", MODELS / "activity-sim"),
        "pyr": ("activity-sim", tmp_path / "mine"),
        "noise": ("old", tmp_path / "activity_w40.json"),
    }
    assert chosen.default_classifier.card.name == "activity-sim"
    assert chosen.rules.unknown_cell_type_action == "default"
    assert [each.card.name for each in chosen.classifiers] == ["activity-sim", "old"]


GOOD = "cell_type_to_classifier: {in: activity-sim}\ndefault_classifier: activity-sim\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "colour: red", "'colour' in the file is not known"),
        ("default_classifier: activity-sim", "'cell_type_to_classifier' is missing"),
        ("cell_type_to_classifier: {in: activity-sim}", "'default_classifier' is missing"),
        (
            "cell_type_to_classifier: [in]\ndefault_classifier: activity-sim",
            "is ['in'], not names with settings",
        ),
        (
            GOOD.replace("{in: activity-sim}", "{in: 3}"),
            "cell_type_to_classifier/in is 3, not text or names with settings",
        ),
        (GOOD.replace("{in: activity-sim}", "{in: {model: a}}"), "in/weights is empty, not text"),
        (
            GOOD.replace("{in: activity-sim}", "{in: {file: a}}"),
            "'file' in cell_type_to_classifier/in is not",
        ),
        (GOOD.replace("{in: activity-sim}", "{in: a, in: b}"), "the key 'in' stands twice"),
        (GOOD + "unknown_cell_type_action: guess", "unknown_cell_type_action is 'guess'"),
        ("[", "The classifiers of cell types cannot be read"),
    ],
)
def test_faulty_file_is_refused_by_its_name(map_file, text, message):
    path = map_file(text)
    with pytest.raises(ConfigError) as caught:
        read_activity_by_cell_type(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_classifier_is_named(map_file):
    path = map_file(GOOD.replace("{in: activity-sim}", "{in: nobody}"))
    with pytest.raises(ClassifierError, match=r"There is no classifier '.*nobody'"):
        read_activity_by_cell_type(path)
