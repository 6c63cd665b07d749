"""The figure of a training: drawn from the card alone, whatever the card lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import OutputError

pytest.importorskip("matplotlib")

from ndx_cinac.plotting.training import draw_training, plot_training

CURVE = [
    {"step": 100, "loss": 0.5, "validation_loss": 0.6, "average_precision": 0.3, "best_frame_f1": 0.4},
    {"step": 200, "loss": 0.2, "validation_loss": 0.3, "average_precision": None, "best_frame_f1": 0.6},
]
FIGURES = {
    "reliability": [
        {"predicted": 0.1, "true": 0.05, "frames": 10},
        {"predicted": 0.8, "true": 0.9, "frames": 9},
    ],
    "by signal-to-noise": {"0 to 4": {"event_recall": 0.4, "event_precision": 0.7}},
}


@pytest.fixture
def card():
    training = {"curve": CURVE, "best step": 200}
    return replace(load_classifier("activity-sim").card, training=training, metrics=FIGURES)


def lines(axes) -> dict[str, list]:
    return {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}


def test_the_figure_shows_what_the_card_says(card):
    loss, validation, reliability, groups = draw_training(card).axes
    assert lines(loss) == {"training": [0.5, 0.2], "validation": [0.6, 0.3]}
    drawn = lines(validation)
    np.testing.assert_array_equal(drawn["average precision"], [0.3, np.nan])
    assert drawn["best frame F1"] == [0.4, 0.6]
    assert "weights that were kept" in drawn
    assert [0.05, 0.9] in list(lines(reliability).values())
    assert sorted(bar.get_height() for bar in groups.patches) == [0.4, 0.7]


def test_figures_of_the_first_source_are_drawn_where_there_are_several(card):
    several = replace(card, metrics={"data": "two", "first": FIGURES, "second": {}})
    assert [0.05, 0.9] in list(lines(draw_training(several).axes[2]).values())


def test_a_card_without_curve_and_figures_is_drawn_empty(card, tmp_path):
    path = plot_training(replace(card, training={}, metrics={}), tmp_path)
    assert path == tmp_path / "training.png"
    assert path.stat().st_size > 5_000


def test_a_folder_that_is_not_there_is_named(card, tmp_path):
    with pytest.raises(OutputError, match="figure cannot be written"):
        plot_training(card, tmp_path / "nowhere")
