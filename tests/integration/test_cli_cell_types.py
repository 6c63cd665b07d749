"""Cell types on the command line: DeepCINAC's classifiers end to end, both tasks, YAML files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deepcinac_cases import DATA
from output_builders import write_source

from ndx_cinac.cell_types import default_cell_types
from ndx_cinac.cli import main
from ndx_cinac.testing.mock import MockLayout
from ndx_cinac.writing import read_cell_type_predictions, read_predictions

pytestmark = pytest.mark.tensorflow

TYPING = ["--classifier", str(DATA / "cell_type_w50.json"), "--weights", str(DATA / "cell_type_w50.h5")]
TYPES = str(DATA / "cell_types.yaml")
MODEL, WEIGHTS = DATA / "activity_w40.json", DATA / "activity_w40.h5"


@pytest.fixture(autouse=True)
def leave_logging_alone(monkeypatch):
    def only_defaults(options):
        for name in ("debug", "quiet", "verbose"):
            setattr(options, name, getattr(options, name, False))

    monkeypatch.setattr("ndx_cinac.cli.program._configure", only_defaults)


@pytest.fixture
def source(tmp_path) -> Path:
    return write_source(tmp_path / "session.nwb", MockLayout(mask="pixel"), n_frames=80)


def test_legacy_cell_types_go_from_nwb_to_nwb(source, tmp_path, capsys):
    out = tmp_path / "out.nwb"
    arguments = ["predict", str(source), "--task", "cell-type", *TYPING, "--cell-type-yaml", TYPES]
    assert main([*arguments, "--combine", "max", "--segments", "3", "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("cell_type_w50 Keras 2.15")
    assert f"added 'CellTypePredictions': {out}" in printed
    result = read_cell_type_predictions(out)
    assert result.cell_types == ("interneuron", "pyramidal", "noise")
    assert result.meanings["pyramidal"].synonyms == ("pyr", "pyramidal cell")
    options = result.parameters["options"]
    assert (options["combine"], options["n_segments"], options["cell_types"]) == ("max", 3, "cell_types.yaml")
    assert main([*arguments, "-o", str(out), "--overwrite", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["cell_type_of_roi"] == read_cell_type_predictions(out).labels
    assert record["classifier_of_roi"] == ["cell_type_w50"] * 3


def test_each_type_has_its_own_classifier_of_activity(source, tmp_path, capsys):
    (tmp_path / "map.yaml").write_text(
        f"cell_type_to_classifier: {{pyr: {{model: {MODEL}, weights: {WEIGHTS}, name: mine}}}}\n"
        f"default_classifier: {{model: {MODEL}, weights: {WEIGHTS}, name: usual}}\n"
        "unknown_cell_type_action: default\n"
    )
    out = tmp_path / "out.nwb"
    arguments = ["predict", str(source), "--activity-by-cell-type", str(tmp_path / "map.yaml")]
    arguments += ["--cell-type-classifier", TYPING[1], "--cell-type-weights", TYPING[3]]
    assert main([*arguments, "--cell-type-yaml", TYPES, "-o", str(out)]) == 0
    assert "added 'ActivityPredictions' and 'CellTypePredictions'" in capsys.readouterr().out
    labels, found = read_cell_type_predictions(out).labels, read_predictions(out)
    names = [found.classifiers[index].name for index in found.classifier_index]
    assert names == ["mine" if label == "pyramidal" else "usual" for label in labels]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell-type-yaml", TYPES], "--cell-type-yaml has no meaning with --task activity"),
        (
            ["--task", "cell-type", "--cell-type-classifier", "a"],
            "no meaning with --task cell-type. Use --cl",
        ),
        (["--task", "activity", "--activity-by-cell-type", "m.yaml"], "--task activity asks for one"),
        (["--activity-by-cell-type", "m.yaml", "--classifier", "a"], "and so does --classifier"),
        (
            ["--activity-by-cell-type", "none.yaml", "--cell-type-classifier", "nobody"],
            "no classifier 'nobody'",
        ),
        (["--task", "cell-type", "--classifier", "activity-sim"], "predicts activity, not cell types"),
        (
            ["--task", "cell-type", *TYPING, "--cell-type-yaml", str(DATA / "cell_types_binary.yaml")],
            "for a classifier of 1 output; 'cell_type_w50' has 3",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_any_work(source, arguments, message, capsys):
    assert main(["predict", str(source), *arguments]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "unexpected" not in printed
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def test_a_converted_classifier_keeps_the_names_and_meanings_of_its_types(source, tmp_path, capsys):
    folder, out = tmp_path / "mine", tmp_path / "out.nwb"
    files = [TYPING[1], TYPING[3]]
    binary = str(DATA / "cell_types_binary.yaml")
    assert main(["classifiers", "convert", *files, str(folder), "--cell-type-yaml", binary]) == 1
    assert "for a classifier of 1 output; 'cell_type_w50' has 3" in capsys.readouterr().err
    activity = [str(MODEL), str(WEIGHTS), str(folder), "--cell-type-yaml", TYPES]
    assert main(["classifiers", "convert", *activity]) == 1
    assert "predicts activity: there are no cell types to name" in capsys.readouterr().err
    assert not folder.exists()
    assert main(["classifiers", "convert", *files, str(folder), "--cell-type-yaml", TYPES]) == 0
    assert f"next: ndx-cinac predict FILE --task cell-type --classifier {folder}" in capsys.readouterr().out
    arguments = ["predict", str(source), "--task", "cell-type", "--classifier", str(folder)]
    assert main([*arguments, "-o", str(out)]) == 0
    result = read_cell_type_predictions(out)
    assert result.cell_types == ("interneuron", "pyramidal", "noise")
    assert result.meanings["pyramidal"].synonyms == ("pyr", "pyramidal cell")


def test_files_of_cell_types_are_checked(tmp_path, capsys):
    assert main(["cell-types", "check", TYPES, *TYPING]) == 0
    printed = capsys.readouterr().out
    assert "fits 'cell_type_w50'" in printed
    assert "3 types, for a classifier with 3 outputs" in printed
    assert main(["cell-types", "check", str(DATA / "cell_types_binary.yaml"), *TYPING]) == 1
    assert "'cell_type_w50' has 3" in capsys.readouterr().err
    (tmp_path / "types.yaml").write_text("cell_type_categories: [{a: {keywords: [b]}}, b]")
    assert main(["cell-types", "check", str(tmp_path / "types.yaml")]) == 1
    assert "'b' under cell_type_categories stands for more than one thing" in capsys.readouterr().err


def test_the_file_that_comes_along_is_shown(tmp_path, capsys):
    assert main(["cell-types", "show"]) == 0
    printed = capsys.readouterr().out
    assert "CL:0000099" in printed
    assert "CL:0000598" in printed
    assert main(["cell-types", "show", "--yaml"]) == 0
    assert capsys.readouterr().out == default_cell_types().read_text()
    assert main(["cell-types", "show", TYPES, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"] == {"multi_class": True}
