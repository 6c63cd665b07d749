"""Figures of evaluations, the folder they go to, and the verb that makes them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from evaluation_builders import activity_file, cell_type_file, known

from ndx_cinac.cli import main
from ndx_cinac.errors import OutputError
from ndx_cinac.evaluation import evaluate_activity, evaluate_cell_types

pytest.importorskip("matplotlib")

from ndx_cinac.plotting.activity_evaluation import activity_figures, plot_examples, plot_precision_recall
from ndx_cinac.plotting.cell_type_evaluation import plot_confusion, plot_distributions
from ndx_cinac.plotting.evaluation_files import check_folder, write_evaluation

FIGURES = ("precision_recall", "calibration", "distributions", "rois", "misses", "false_alarms")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    activity_file(folder)
    cell_type_file(folder / "types.nwb", [(0, "interneuron"), (1, "pyr"), (2, "noise")])
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return evaluate_activity(folder / "session.nwb")


def texts(figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "get_text")))


def test_all_figures_are_drawn_with_their_axes_named(report):
    figures = activity_figures(report)
    assert tuple(figures) == FIGURES
    words = ("precision of frames", "predicted probability", "frames of its kind", "event F1 of the ROI")
    for figure, text in zip(figures.values(), words, strict=False):
        assert text in texts(figure)


def test_the_classifier_and_each_method_have_a_curve_and_a_name(report):
    figure = plot_precision_recall(report)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0] == f"classifier ({report.scores.average_precision:.2f})"
    assert {f"{each.label} ({each.scores.average_precision:.2f})" for each in report.baselines} <= set(legend)
    assert "threshold 0.5" in legend


def test_examples_show_patches_trace_probability_and_truth(report):
    figure = plot_examples(report.misses)
    patches = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in patches] == ["before", "at the peak"]
    np.testing.assert_array_equal(patches[1].images[0].get_array(), report.misses[0].patch.peak)
    trace = next(axes for axes in figure.axes if axes.get_ylabel().startswith("trace"))
    np.testing.assert_array_equal(trace.lines[-1].get_ydata(), report.misses[0].trace)
    assert re.search(r"session, ROI 3: miss in frames \d+ to \d+", texts(figure))


def test_evaluations_without_a_movie_or_any_activity_can_be_drawn():
    blind = evaluate_activity(known("..xx....", [0, 0, 0.1, 0.1, 0, 0, 0.9, 0]))
    for report in (blind, evaluate_activity(known("........"))):
        for figure in activity_figures(report).values():
            figure.canvas.draw()
    assert set(activity_figures(blind)) == set(FIGURES)


def test_a_patch_of_missing_frames_can_be_drawn(report):
    example = report.misses[0]
    blank = np.full_like(example.patch.before, np.nan)
    plot_examples((replace(example, patch=replace(example.patch, before=blank, peak=blank)),)).canvas.draw()


def test_the_confusion_matrix_shows_cells_and_shares(folder):
    evaluation = evaluate_cell_types(folder / "types.nwb")
    shown = texts(plot_confusion(evaluation)).split(" | ")
    assert shown.count("1\n100%") == 3
    assert {"predicted", "annotated", "3 cells, balanced accuracy 0.67"} <= set(shown)
    assert "annotated as noise: 1 cell" in texts(plot_distributions(evaluation))


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_everything_is_written_and_an_earlier_evaluation_replaced(report, tmp_path, kind):
    goal = tmp_path / "new" / "deep"
    goal.mkdir(parents=True)
    (goal / "evaluation.md").write_text("earlier")
    paths = write_evaluation(report, goal, kind=kind)
    names = ["evaluation.md", "evaluation.json", *(f"{name}.{kind}" for name in FIGURES)]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in goal.iterdir()) == sorted(names)
    assert all(path.stat().st_size > 1000 for path in paths)
    assert json.loads(paths[1].read_text())["overall"] == report.scores.to_dict()
    assert f"![misses](misses.{kind})" in paths[0].read_text()


def test_a_folder_that_is_not_there_is_made(folder, tmp_path):
    paths = write_evaluation(evaluate_cell_types(folder / "types.nwb"), tmp_path / "new" / "deep")
    assert [path.name for path in paths][2:] == ["confusion.png", "cell_type_probabilities.png"]
    assert all(path.is_file() for path in paths)


def test_a_failed_figure_leaves_the_folder_as_it_was(report, tmp_path, monkeypatch):
    (tmp_path / "evaluation.md").write_text("earlier")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_evaluation(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.md"]
    assert (tmp_path / "evaluation.md").read_text() == "earlier"


def test_a_folder_that_cannot_be_used_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for goal in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputError, match=r"file.*Choose another folder"):
            check_folder(goal)
    assert not (check_folder(tmp_path / "absent")).exists()


def test_the_verb_prints_tables_and_names_what_it_wrote(folder, tmp_path, capsys):
    goal = str(tmp_path / "out")
    assert main(["evaluate", str(folder / "session.nwb"), "--no-baselines", "--output-dir", goal]) == 0
    out = capsys.readouterr().out
    assert "# Predicted against annotated activity" in out
    assert f"{goal}/precision_recall.png" in out.replace("\\", "/")


def test_the_verb_prints_json_alone(folder, capsys):
    assert main(["evaluate", str(folder / "types.nwb"), "--task", "cell-type", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_cells"] == 3


def test_the_verb_says_in_one_line_what_is_missing(folder, capsys):
    assert main(["evaluate", str(folder / "types.nwb")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "holds no activity predictions" in err
