"""Evaluations of cell types from files: whose word counts, whose names are known, and what is refused."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from evaluation_builders import TYPES, cell_type_file

from ndx_cinac.errors import AmbiguousSourceError, ConfigError, MissingExtraError, ReadingError
from ndx_cinac.evaluation import CellTypeEvaluationOptions, evaluate_cell_types
from ndx_cinac.writing.annotations import annotate_cell_types

ANNOTATED = [(0, "interneuron"), (1, "pyramidal"), (2, "noise")]


def test_predictions_are_put_beside_annotations(tmp_path):
    found = evaluate_cell_types(cell_type_file(tmp_path / "a.nwb", ANNOTATED))
    assert found.names == TYPES
    assert found.segments == ("a, row 0", "a, row 1", "a, row 2")
    assert (found.true.tolist(), found.predicted.tolist()) == ([0, 1, 2], [0, 1, 1])
    assert found.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert found.balanced_accuracy == pytest.approx(2 / 3)
    assert [each.recall for each in found.classes] == [1, 1, 0]
    assert (found.n_without_type, found.n_with_several_types) == (1, 0)


def test_the_type_that_was_written_down_counts_not_the_highest_probability(tmp_path):
    path = cell_type_file(tmp_path / "a.nwb", ANNOTATED)
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "a") as io:
        io.read().processing["cinac"]["CellTypePredictions"]["cell_type"].data[2] = "noise"
    found = evaluate_cell_types(path)
    assert found.predicted.tolist() == [0, 1, 2]
    assert found.accuracy == 1


def test_the_latest_judgement_of_an_roi_counts(tmp_path):
    path = cell_type_file(
        tmp_path / "a.nwb", [(0, "noise"), (1, "pyramidal"), (0, "pyramidal"), (0, "interneuron")]
    )
    found = evaluate_cell_types(path)
    assert found.true.tolist() == [0, 1]
    assert found.notes == ("2 rows of annotations were superseded by later ones, which count",)


def test_a_correction_by_hand_is_counted(tmp_path):
    from pynwb import NWBHDF5IO

    path = cell_type_file(tmp_path / "a.nwb", ANNOTATED)
    with NWBHDF5IO(path, "a") as io:
        nwbfile = io.read()
        annotate_cell_types(nwbfile, {2: "pyramidal"}, annotator="JD")
        io.write(nwbfile)
    found = evaluate_cell_types(path)
    assert found.accuracy == 1
    assert found.notes == ("1 row of annotations was superseded by later ones, which count",)


def test_synonyms_and_capitals_are_understood_and_other_names_told(tmp_path):
    names = [(0, "Interneuron"), (1, "PYR"), (2, "glia"), (4, "noise")]
    found = evaluate_cell_types(cell_type_file(tmp_path / "a.nwb", names))
    assert found.true.tolist() == [0, 1]
    assert found.left_out == (
        "a, row 2: 'glia' is none of the predicted types",
        "a: 1 annotated ROI without prediction",
    )


def test_two_types_get_the_figures_of_a_binary_classifier(tmp_path):
    names, values = ("noise", "cell"), [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]
    path = cell_type_file(tmp_path / "a.nwb", [(0, "noise"), (1, "noise"), (2, "cell")], values, names)
    text = evaluate_cell_types(path).summary()
    for words in ("sensitivity 1.000", "specificity 0.500", "positive predictive value 0.500"):
        assert words in text


def test_files_are_evaluated_together(tmp_path):
    paths = [cell_type_file(tmp_path / f"{name}.nwb", ANNOTATED) for name in "ab"]
    assert evaluate_cell_types(paths).confusion.sum() == 6
    paths[1] = cell_type_file(tmp_path / "c.nwb", ANNOTATED, names=("pyramidal", "interneuron", "noise"))
    with pytest.raises(ConfigError, match=r"cell types are pyramidal, interneuron, noise, those of .*a\.nwb"):
        evaluate_cell_types(paths)


def test_annotations_may_lie_in_another_file(tmp_path):
    bare = cell_type_file(tmp_path / "bare.nwb", [])
    other = cell_type_file(tmp_path / "other.nwb", ANNOTATED)
    found = evaluate_cell_types(bare, CellTypeEvaluationOptions(annotations=other))
    assert found.true.tolist() == [0, 1, 2]
    with pytest.raises(ReadingError, match=r"no annotations to compare with: neither CellTypeAnnotations"):
        evaluate_cell_types(bare)


def test_annotations_of_other_rows_alone_are_refused(tmp_path):
    path = cell_type_file(tmp_path / "a.nwb", [(4, "noise")])
    with pytest.raises(ReadingError, match="None of the 3 predicted ROIs has an annotated cell type"):
        evaluate_cell_types(path)


def test_of_several_predictions_one_is_named(tmp_path):
    path = cell_type_file(tmp_path / "a.nwb", ANNOTATED, predictions=("First", "Second"))
    with pytest.raises(AmbiguousSourceError, match="several cell-type predictions: First, Second"):
        evaluate_cell_types(path)
    assert len(evaluate_cell_types(path, CellTypeEvaluationOptions(name="Second")).true) == 3
    with pytest.raises(ReadingError, match=r"no cell-type predictions named 'Third'.*one of: First, Second"):
        evaluate_cell_types(path, CellTypeEvaluationOptions(name="Third"))


def test_a_file_without_predictions_says_how_to_make_some(tmp_path):
    path = cell_type_file(tmp_path / "a.nwb", ANNOTATED, predictions=())
    with pytest.raises(ReadingError, match="ndx-cinac predict FILE --task cell-type"):
        evaluate_cell_types(path)


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(ConfigError, match="There is nothing to evaluate"):
        evaluate_cell_types([])


def test_a_type_that_the_predictions_do_not_have_is_refused(tmp_path):
    from pynwb import NWBHDF5IO

    path = cell_type_file(tmp_path / "a.nwb", ANNOTATED)
    with NWBHDF5IO(path, "a") as io:
        io.read().processing["cinac"]["CellTypePredictions"]["cell_type"].data[2] = "glia"
    with pytest.raises(ReadingError, match="predicts 'glia', which is none of its types"):
        evaluate_cell_types(path)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"evaluation of cell types needs.*ndx-cinac\[train\]"):
        evaluate_cell_types("none.nwb")


def test_figures_go_to_json_and_markdown(tmp_path):
    found = evaluate_cell_types(cell_type_file(tmp_path / "a.nwb", [(0, "interneuron"), (1, "interneuron")]))
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["confusion"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert data["balanced_accuracy"] == 0.5
    assert data["classes"][2] == {
        "name": "noise",
        "n_cells": 0,
        "precision": None,
        "recall": None,
        "f1": None,
    }
    np.testing.assert_allclose(data["cells"][1]["probability"], [0.2, 0.7, 0.1])
    text = found.to_markdown()
    for words in (
        "- 2 cells: 2 interneuron, 0 pyramidal, 0 noise",
        "| interneuron | 1 | 1 | 0 |",
        "| noise | 0 | -",
    ):
        assert words in text
