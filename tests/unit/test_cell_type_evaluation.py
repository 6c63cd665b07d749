"""Metrics of predicted cell types, against values worked out by hand."""

import numpy as np
import pytest

from ndx_cinac.evaluation.cell_types import CellTypeEvaluation


def evaluation(true, probabilities, names=("a", "b"), left_out=()):
    segments = tuple(f"file, cell_{i}" for i in range(len(true)))
    return CellTypeEvaluation(names, segments, np.array(true, int), np.array(probabilities, float), left_out)


@pytest.fixture
def binary():
    return evaluation([1, 1, 1, 0, 0], [0.9, 0.5, 0.2, 0.6, 0.1])


@pytest.fixture
def multi():
    rows = [[0.9, 0.1, 0.0], [0.3, 0.4, 0.3], [0.6, 0.5, 0.1], [0.1, 0.2, 0.7]]
    return evaluation([0, 1, 1, 2], rows, names=("a", "b", "c"))


def test_binary_metrics_are_those_worked_out_by_hand(binary):
    assert binary.predicted.tolist() == [1, 1, 0, 1, 0]
    assert binary.accuracy == 3 / 5
    assert binary.binary_metrics == {
        "sensitivity": 2 / 3,
        "specificity": 1 / 2,
        "positive predictive value": 2 / 3,
        "negative predictive value": 1 / 2,
    }
    assert binary.confusion.tolist() == [[1, 1], [1, 2]]


def test_multi_class_metrics_are_those_worked_out_by_hand(multi):
    assert multi.predicted.tolist() == [0, 1, 0, 2]
    assert multi.accuracy == 3 / 4
    assert multi.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert (multi.n_without_type, multi.n_with_several_types) == (1, 1)


def test_cells_are_told_the_probability_of_their_own_type(multi, binary):
    assert {name: p.tolist() for name, p in multi.own_probabilities().items()} == {
        "a": [0.9],
        "b": [0.4, 0.5],
        "c": [0.7],
    }
    assert binary.own_probabilities()["a"].tolist() == [0.6, 0.1]


def test_summary_names_all_figures(multi, binary):
    text = multi.summary()
    for words in (
        "4 cells: 1 a, 2 b, 1 c",
        "accuracy 0.750",
        "1 cells without a type",
        "precision",
        "mean 0.45",
    ):
        assert words in text
    assert "sensitivity 0.667" in binary.summary()


def test_shares_of_nothing_are_not_numbers():
    empty = evaluation([], [], left_out=("file, cell_1: its cell type is not known",))
    assert np.isnan(empty.accuracy)
    assert np.isnan(list(empty.binary_metrics.values())).all()
    assert empty.summary().endswith("left out: file, cell_1: its cell type is not known")


def test_distributions_are_drawn_for_each_annotated_type(multi, tmp_path):
    files = multi.save_distributions(tmp_path)
    assert [path.name.rsplit("_", 3)[0] for path in files] == [
        f"hist_prediction_distribution_{name}" for name in "abc"
    ]
    assert all(path.stat().st_size > 1000 for path in files)
