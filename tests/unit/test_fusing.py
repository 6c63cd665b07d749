"""Several predictions of cell types made one: whose answer a cell has, what the log says, what is written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cell_type_cases import TYPES, cell_type_result, write_annotated

from ndx_cinac.cell_types import fusion_cell_type_predictions, fusion_cell_type_predictions_by_type
from ndx_cinac.cell_types.merging import FusionOptions, fuse_cell_types
from ndx_cinac.cli import main
from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.neurodata import CellTypeMeaning
from ndx_cinac.reading import read_recording
from ndx_cinac.writing import OutputOptions, read_cell_type_predictions, write_predictions
from ndx_cinac.writing.fusing import fuse_files

INTERNEURON, PYRAMIDAL, NOISE = TYPES


@pytest.fixture
def first():
    return cell_type_result({0: INTERNEURON, 1: PYRAMIDAL, 2: NOISE, 3: PYRAMIDAL})


@pytest.fixture
def second():
    return cell_type_result({0: PYRAMIDAL, 1: PYRAMIDAL, 2: INTERNEURON}, classifier="second", confidence=0.6)


def test_the_later_prediction_replaces_the_earlier_one_where_it_knows_the_cell(first, second):
    fused, log = fuse_cell_types({"A": first, "B": second})
    assert fused.labels == [PYRAMIDAL, PYRAMIDAL, INTERNEURON, PYRAMIDAL]
    assert [fused.classifiers[index].name for index in fused.classifier_index] == ["second"] * 3 + ["first"]
    np.testing.assert_allclose(fused.confidence, [0.6, 0.6, 0.6, 0.8])
    assert fused.roi_ids.tolist() == [100, 101, 102, 103]
    assert log == [
        "ROI row 0: interneuron (0.80) -> pyramidal (0.60): 'B' replaces 'A'",
        "ROI row 2: noise (0.80) -> interneuron (0.60): 'B' replaces 'A'",
        "1 ROIs keep their type and take the probabilities of 'B'",
        "before fusion: 1 interneuron, 2 pyramidal, 1 noise",
        "after fusion: 1 interneuron, 3 pyramidal, 0 noise",
    ]
    assert fused.parameters["fusion"]["log"] == log
    assert fused.notes[0] == "Fused from A, B: 2 of 4 ROIs have another type than in 'A'"


def test_numbers_are_those_of_the_fusion_function(first, second):
    fused, _ = fuse_cell_types({"A": first, "B": second}, FusionOptions(kept=(NOISE,)))
    padded = np.vstack([second.probabilities, np.zeros((1, 3), np.float32)])
    expected = fusion_cell_type_predictions(
        first.probabilities, padded, cell_types_to_not_fusion_with_gt=[TYPES.index(NOISE)]
    )
    np.testing.assert_array_equal(fused.probabilities, expected)


def test_types_that_are_kept_stay_and_the_log_says_so(first, second):
    fused, log = fuse_cell_types({"A": first, "B": second}, FusionOptions(kept=(NOISE,)))
    assert fused.labels[2] == NOISE
    assert "ROI row 2: stays noise (0.80), a type that is kept; 'B' says interneuron (0.60)" in log


def test_cells_that_only_one_knows_are_in_the_fusion(first):
    other = cell_type_result({1: NOISE, 7: INTERNEURON}, classifier="second")
    fused, log = fuse_cell_types({"A": first, "B": other})
    assert fused.roi_rows.tolist() == [0, 1, 2, 3, 7]
    assert fused.labels[-1] == INTERNEURON
    assert "ROI row 7: not predicted -> interneuron (0.80): 'B' replaces 'A'" in log


def test_types_are_matched_by_name_whatever_their_order(first):
    other = cell_type_result({0: "glia", 1: INTERNEURON}, (PYRAMIDAL, "glia", INTERNEURON))
    fused, _ = fuse_cell_types({"A": first, "B": other})
    assert fused.cell_types == (*TYPES, "glia")
    assert fused.labels == ["glia", INTERNEURON, NOISE, PYRAMIDAL]
    np.testing.assert_allclose(fused.probabilities.sum(axis=1), 1, atol=1e-6)


def test_types_are_exchanged_in_the_further_predictions_and_may_be_new(first, second):
    options = FusionOptions(exchanged=((PYRAMIDAL, INTERNEURON), (INTERNEURON, "sst")))
    fused, _ = fuse_cell_types({"A": first, "B": second}, options)
    assert fused.labels == ["sst", "sst", PYRAMIDAL, PYRAMIDAL]
    assert fused.cell_types == (*TYPES, "sst")
    padded = np.vstack([second.probabilities, np.zeros((1, 3), np.float32)])
    expected = fusion_cell_type_predictions(first.probabilities, padded, [(1, 0), (0, 3)])
    np.testing.assert_array_equal(fused.probabilities, expected)


def test_three_predictions_replace_each_other_in_their_order(first, second):
    third = cell_type_result({0: NOISE}, classifier="third")
    fused, log = fuse_cell_types({"A": first, "B": second, "C": third})
    assert fused.labels == [NOISE, PYRAMIDAL, INTERNEURON, PYRAMIDAL]
    assert "ROI row 0: pyramidal (0.60) -> noise (0.80): 'C' replaces 'B'" in log


@pytest.fixture
def claiming():
    """A default, and two that are trusted: row 0 is claimed by one, 1 by both, 2 by none, 3 by the other."""
    default = cell_type_result(dict.fromkeys(range(4), NOISE), classifier="default")
    ins = cell_type_result(
        {0: INTERNEURON, 1: INTERNEURON, 2: PYRAMIDAL, 3: NOISE}, classifier="ins", confidence=0.7
    )
    pyr = cell_type_result(
        {0: INTERNEURON, 1: PYRAMIDAL, 2: NOISE, 3: PYRAMIDAL}, classifier="pyr", confidence=0.9
    )
    return {"Default": default, "Ins": ins, "Pyr": pyr}


TRUSTED = {INTERNEURON: "Ins", PYRAMIDAL: "Pyr"}


def test_each_type_is_decided_by_the_one_trusted_for_it(claiming):
    fused, log = fuse_cell_types(claiming, FusionOptions(TRUSTED))
    assert fused.labels == [INTERNEURON, NOISE, NOISE, PYRAMIDAL]
    names = [fused.classifiers[index].name for index in fused.classifier_index]
    assert names == ["ins", "default", "default", "pyr"]
    assert log[:3] == [
        "ROI row 0: noise (0.80) -> interneuron (0.70): 'Ins' is trusted for interneuron",
        "ROI row 1: noise (0.80) -> noise (0.80): claimed as interneuron by 'Ins' and pyramidal by 'Pyr'; "
        "'Default' is the default",
        "ROI row 3: noise (0.80) -> pyramidal (0.90): 'Pyr' is trusted for pyramidal",
    ]
    tables = {code: claiming[name].probabilities for code, name in ((0, "Ins"), (1, "Pyr"))}
    expected = fusion_cell_type_predictions_by_type(tables, claiming["Default"].probabilities)
    np.testing.assert_array_equal(fused.probabilities, expected)


def test_of_two_that_claim_a_cell_one_yields_if_asked_to(claiming):
    fused, log = fuse_cell_types(claiming, FusionOptions(TRUSTED, skipped_in_conflict=PYRAMIDAL))
    assert fused.labels[1] == INTERNEURON
    assert "claimed as interneuron by 'Ins' and pyramidal by 'Pyr'; 'Ins' is trusted" in log[1]


def test_meanings_and_skipped_rows_come_along(first, second):
    first = replace(
        first,
        meanings={NOISE: CellTypeMeaning("Not a cell")},
        skipped={9: "its mask is empty", 2: "it was not asked for"},
    )
    second = replace(
        second, meanings={NOISE: CellTypeMeaning("Other"), PYRAMIDAL: CellTypeMeaning("Excitatory")}
    )
    fused, _ = fuse_cell_types({"A": first, "B": second})
    assert fused.meanings[NOISE].meaning == "Not a cell"
    assert fused.meanings[PYRAMIDAL].meaning == "Excitatory"
    assert fused.skipped == {9: "its mask is empty"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trusted": TRUSTED, "kept": (NOISE,)}, "not where they are trusted"),
        ({"skipped_in_conflict": NOISE}, "There is no conflict that 'noise' could be skipped in"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        FusionOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FusionOptions(kept=("glia",)), "No prediction knows the cell type 'glia'. Known are: interneuron"),
        (FusionOptions({"glia": "B"}), "No prediction knows the cell type 'glia'"),
        (FusionOptions(exchanged=(("glia", NOISE),)), "No prediction knows the cell type 'glia'"),
        (FusionOptions({NOISE: "C"}), "There is no prediction 'C' to be trusted. Given are: A, B"),
        (FusionOptions({NOISE: "B"}, skipped_in_conflict="glia"), "No prediction knows the cell type 'glia'"),
    ],
)
def test_unknown_types_and_predictions_are_refused(first, second, options, message):
    with pytest.raises(ConfigError) as caught:
        fuse_cell_types({"A": first, "B": second}, options)
    assert message in str(caught.value)


def test_one_prediction_is_not_fused(first):
    with pytest.raises(ConfigError, match="1 predictions cannot be fused"):
        fuse_cell_types({"A": first})


@pytest.mark.parametrize("change", ["ids", "table"])
def test_predictions_of_other_cells_are_refused(first, second, change):
    if change == "ids":
        second = replace(second, roi_ids=second.roi_ids + 1)
    else:
        second = replace(second, source=replace(second.source, segmentation_id="other"))
    with pytest.raises(ConfigError, match="'A' and 'B' are of different ROI tables"):
        fuse_cell_types({"A": first, "B": second})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a file with two predictions, and another of the same cells with one."""
    tmp_path = tmp_path_factory.mktemp("made")
    source = write_annotated(tmp_path / "session.nwb", 4, 10)
    with read_recording(source) as recording:
        origin, ids = recording.source, recording.rois.ids
    for name, labels in (("A", {0: INTERNEURON, 1: NOISE}), ("B", {0: PYRAMIDAL, 2: NOISE})):
        result = cell_type_result(labels, classifier=name)
        result = replace(result, source=origin, roi_ids=ids[result.roi_rows])
        write_predictions(result, OutputOptions(mode="in-place", name=name), source)
    last = cell_type_result({0: NOISE}, classifier="C")
    write_predictions(
        replace(last, source=origin, roi_ids=ids[[0]]), OutputOptions(tmp_path / "other.nwb"), source
    )
    return tmp_path


@pytest.fixture
def stored(made, tmp_path) -> Path:
    """The first of these files, with the other beside it; a test may change both."""
    for path in made.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path / "session.nwb"


def test_predictions_of_one_file_are_fused_beside_them(stored):
    result, log = fuse_files([stored], ["A", "B"], OutputOptions(mode="in-place"))
    read = read_cell_type_predictions(stored, "FusedCellTypes")
    assert read.labels == result.labels == [PYRAMIDAL, NOISE, NOISE]
    assert [read.classifiers[index].name for index in read.classifier_index] == ["B", "A", "B"]
    assert read.parameters["fusion"]["log"] == log
    assert read_cell_type_predictions(stored, "A").labels == [INTERNEURON, NOISE]


@pytest.mark.parametrize("mode", ["copy", "standalone"])
def test_predictions_of_several_files_are_fused_into_a_new_one(stored, tmp_path, mode):
    files = [stored, tmp_path / "other.nwb"]
    options = OutputOptions(tmp_path / "out.nwb", mode, "Mine")
    result, _ = fuse_files(files, ["A", "CellTypePredictions"], options)
    read = read_cell_type_predictions(tmp_path / "out.nwb", "Mine")
    assert read.labels == result.labels == [NOISE, NOISE]
    assert list(read.parameters["fusion"]["predictions"]) == ["A", "CellTypePredictions"]


def test_files_without_the_movie_are_fused_too(stored, tmp_path):
    alone = [tmp_path / "a.nwb", tmp_path / "b.nwb"]
    for path, name in zip(alone, "AB", strict=True):
        result = read_cell_type_predictions(stored, name)
        write_predictions(result, OutputOptions(path, "standalone"), stored)
    fused, _ = fuse_files(alone, [], tmp_path / "out.nwb")
    assert fused.labels == [PYRAMIDAL, NOISE, NOISE]
    log = read_cell_type_predictions(tmp_path / "out.nwb", "FusedCellTypes").parameters["fusion"]["log"]
    assert log[0].endswith("'b.nwb' replaces 'a.nwb'")


@pytest.mark.parametrize(
    ("files", "names", "message"),
    [
        ([], [], "No file is given"),
        (["session.nwb"], ["A"], "One file and one prediction cannot be fused"),
        (["session.nwb", "other.nwb"], ["A", "B", "C"], "2 files and 3 names do not go together"),
        (["session.nwb"], ["A", "A"], "A prediction is given twice"),
    ],
)
def test_files_and_names_that_do_not_go_together_are_refused(stored, tmp_path, files, names, message):
    with pytest.raises(ConfigError, match=message):
        fuse_files([tmp_path / file for file in files], names)


def test_missing_predictions_and_existing_output_are_refused(stored, tmp_path):
    with pytest.raises(ReadingError, match=r"no cell type predictions named 'C'.*Choose one of: A, B"):
        fuse_files([stored], ["A", "C"], tmp_path / "out.nwb")
    with pytest.raises(OutputError, match="already holds 'A'"):
        fuse_files([stored], ["A", "B"], OutputOptions(mode="in-place", name="A"))
    assert not (tmp_path / "out.nwb").exists()


def test_the_command_prints_what_changed_and_why(stored, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ndx_cinac.cli.program._configure", lambda options: vars(options).update(quiet=False))
    out = str(tmp_path / "out.nwb")
    assert main(["fuse", str(stored), "--names", "A", "B", "--keep", "noise", "-o", out]) == 0
    printed = capsys.readouterr().out
    assert "ROI row 0: interneuron (0.80) -> pyramidal (0.80): 'B' replaces 'A'" in printed
    assert "after fusion: 0 interneuron, 1 pyramidal, 2 noise" in printed
    assert json.dumps(read_cell_type_predictions(out, "FusedCellTypes").labels) == json.dumps(
        [PYRAMIDAL, NOISE, NOISE]
    )
    trust = ["--trust", "pyramidal=B", "--name", "Trusted", "--overwrite"]
    assert main(["fuse", str(stored), "--names", "A", "B", *trust, "-o", out]) == 0
    assert "'B' is trusted for pyramidal" in capsys.readouterr().out
