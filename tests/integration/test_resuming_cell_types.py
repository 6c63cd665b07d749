"""Predictions of cell types, alone or with activity, go on where they were interrupted, to the same bits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cell_type_cases import KIND, predict_row_numbers, save_cell_type_classifier
from deepcinac_cases import ACTIVITY, CELL_TYPE
from output_builders import write_source

from ndx_cinac import CellTypeOptions, OutputOptions, predict_activity_and_cell_types, predict_cell_types
from ndx_cinac.cell_types import ChoiceRules
from ndx_cinac.cell_types.card_inputs import read_input_options
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.cli import main
from ndx_cinac.legacy import load_legacy
from ndx_cinac.prediction import ActivityByCellType, BothOptions, PredictionOptions
from ndx_cinac.prediction import cell_types as of_types
from ndx_cinac.testing.mock import MockLayout
from ndx_cinac.writing import read_cell_type_predictions, read_predictions

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

N_FRAMES = 300
BLOCK_BYTES = 4 * 40 * 48 * 60
ACTIVITY_OPTIONS = PredictionOptions(0.5, resume_seconds=0, block_bytes=BLOCK_BYTES, channel_bytes=1)
TYPE_OPTIONS = CellTypeOptions(resume_seconds=0, block_bytes=BLOCK_BYTES)
BOTH = BothOptions(ACTIVITY_OPTIONS, TYPE_OPTIONS)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return write_source(folder / "session.nwb", MockLayout(mask="pixel"), n_frames=N_FRAMES)


@pytest.fixture
def source(stored, tmp_path, monkeypatch) -> Path:
    """A file of a test's own, with finished work kept in small pieces."""
    monkeypatch.setattr("ndx_cinac.traces.finished_blocks.PIECE_BYTES", 4 * 5 * 100)
    monkeypatch.setattr("ndx_cinac.legacy.run.KEPT_TOGETHER", 1)
    monkeypatch.setitem(of_types._ENGINES, KIND, predict_row_numbers)
    monkeypatch.setattr("ndx_cinac.cell_types.engine.read_input_options", _in_small_blocks)
    return Path(shutil.copy2(stored, tmp_path / "session.nwb"))


def _in_small_blocks(card):
    """What a card of cell features asks for, of fewer frames at a time."""
    asked = read_input_options(card)
    return replace(asked, traces=replace(asked.traces, block_bytes=BLOCK_BYTES))


@pytest.fixture(scope="module")
def by_row(tmp_path_factory) -> Path:
    return save_cell_type_classifier(tmp_path_factory.mktemp("classifiers") / "rows")


@pytest.fixture
def run(request, tiny_classifier, by_row) -> Callable[..., Any]:
    """The prediction that a test's parameter names: a function of the source and what listens."""
    legacy = load_legacy(*ACTIVITY[:2])
    each = {"interneuron": load_classifier(tiny_classifier), "pyramidal": legacy}
    chosen = ActivityByCellType(each, each["interneuron"], ChoiceRules("default"))

    def types(source, classifier, listen):
        return predict_cell_types(source, classifier, OutputOptions(), options=TYPE_OPTIONS, progress=listen)

    def both(source, classifiers, listen):
        given = {"options": BOTH, "progress": listen}
        return predict_activity_and_cell_types(source, *classifiers, OutputOptions(), **given)

    return {
        "types": lambda source, listen=None: types(source, "cell-type-sim", listen),
        "legacy types": lambda source, listen=None: types(source, load_legacy(*CELL_TYPE[:2]), listen),
        "all": lambda source, listen=None: both(source, (tiny_classifier, "cell-type-sim"), listen),
        "by cell type": lambda source, listen=None: both(source, (chosen, by_row), listen),
    }[request.param]


class Listener:
    """Counts the steps of a run, and interrupts it at one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.steps: list[str] = []
        self.last = last

    def __call__(self, stage: str, *_: int) -> None:
        self.steps.append(stage)
        if len(self.steps) == self.last:
            raise KeyboardInterrupt


def interrupt(run, source: Path, last: int) -> Path:
    """Interrupt a run at a step; return the folder that stays."""
    with pytest.raises(KeyboardInterrupt):
        run(source, Listener(last))
    return source.with_name(".session_cinac.nwb.unfinished")


def values(result: Any) -> list[Any]:
    """What a run predicted, and what it wrote."""
    results = result if isinstance(result, tuple) else (result,)
    output = results[0].output
    found = [(each.probabilities, each.classifier_index, each.roi_rows, each.notes) for each in results]
    found.append(read_cell_type_predictions(output).probabilities)
    if len(results) > 1:
        found.append(read_predictions(output).probabilities)
    output.unlink()
    return found


NEVER_AGAIN = (
    "traces.extraction._blocks",
    "cell_types.features._from_traces",
    "networks.CompiledNetwork.predict",
    "recording.CinacRecording.get_smooth_traces",
    "legacy.networks.CutNetwork.encode",
    "legacy.networks.CutNetwork.decide",
)
"""What takes the time of a prediction."""


@pytest.mark.parametrize("run", ["types", "legacy types", "all", "by cell type"], indirect=True)
def test_an_interrupted_run_goes_on_and_gives_the_same_bits(run, source, caplog, monkeypatch):
    caplog.set_level("INFO")
    whole = Listener()
    expected = values(run(source, whole))
    folder = interrupt(run, source, round(0.6 * len(whole.steps)))
    assert list(folder.glob("*.piece"))
    caplog.clear()
    np.testing.assert_equal(values(run(source)), expected)
    assert "Going on from what an earlier run has finished" in caplog.text
    interrupt(run, source, len(whole.steps))
    for name in NEVER_AGAIN:
        monkeypatch.setattr(f"ndx_cinac.{name}", lambda *_, **__: pytest.fail("done again"))
    np.testing.assert_equal(values(run(source)), expected)
    assert [path.name for path in source.parent.iterdir()] == [source.name]


@pytest.mark.parametrize("run", ["types"], indirect=True)
def test_another_classifier_begins_anew_and_says_so(run, source, by_row, caplog):
    interrupt(run, source, 4)
    predict_cell_types(source, by_row, OutputOptions(), options=TYPE_OPTIONS)
    text = "What an earlier run has finished is not used: its classifier and parameters differed."
    assert text in caplog.text


@pytest.mark.parametrize("run", ["types"], indirect=True)
def test_the_command_goes_on_and_says_so(run, source, capsys):
    command = ["predict", str(source), "--task", "cell-type", "--resume-from", "0"]
    options = CellTypeOptions(resume_seconds=0)
    listen = Listener(5)
    with pytest.raises(KeyboardInterrupt):
        predict_cell_types(source, output=OutputOptions(), options=options, progress=listen)
    assert main(command) == 0
    assert "Going on from what an earlier run has finished" in capsys.readouterr().err
    assert not source.with_name(".session_cinac.nwb.unfinished").exists()
