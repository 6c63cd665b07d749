"""From an NWB file to one with cell types: right labels and meanings in it, and the user's own left alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from cell_type_cases import KIND, TYPES, predict_row_numbers, save_cell_type_classifier, write_annotated
from deepcinac_cases import DATA, VARIANTS
from pynwb import NWBHDF5IO, validate

import ndx_cinac
from ndx_cinac import (
    CellTypeOptions,
    OutputOptions,
    predict_activity,
    predict_activity_and_cell_types,
    predict_cell_types,
    read_recording,
)
from ndx_cinac.cinac_predictor import CinacPredictor
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import ClassifierError, ConfigError, OutputError, PredictionError, ReadingError
from ndx_cinac.legacy import load_legacy
from ndx_cinac.prediction import cell_types as module
from ndx_cinac.prediction.options import Predicted
from ndx_cinac.testing.mock import mock_nwbfile_with_movie, mock_recording
from ndx_cinac.writing import read_cell_type_predictions, read_predictions

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

N_ROIS = 6
EXPECTED = [TYPES[row % 3] for row in range(N_ROIS)]
LEGACY = (DATA / "cell_type_w50.json", DATA / "cell_type_w50.h5")
BINARY = (VARIANTS / "cell_type_binary_all_pixels.json", VARIANTS / "cell_type_binary_all_pixels.h5")
MULTI_YAML, BINARY_YAML = DATA / "cell_types.yaml", DATA / "cell_types_binary.yaml"


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setitem(module._ENGINES, KIND, predict_row_numbers)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    return save_cell_type_classifier(tmp_path_factory.mktemp("classifiers") / "rows")


@pytest.fixture(scope="module")
def binary(tmp_path_factory) -> Path:
    return save_cell_type_classifier(
        tmp_path_factory.mktemp("classifiers") / "odd", ("interneuron",), types=False, name="odd"
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    return write_annotated(tmp_path_factory.mktemp("files") / "session.nwb", N_ROIS)


@pytest.fixture
def source(stored, tmp_path) -> Path:
    shutil.copyfile(stored, tmp_path / "session.nwb")
    return tmp_path / "session.nwb"


def test_nothing_is_written_by_default(source, classifier):
    before = source.read_bytes()
    result = predict_cell_types(source, classifier)
    assert result.labels == EXPECTED
    assert result.output is None
    assert source.read_bytes() == before
    assert [path.name for path in source.parent.iterdir()] == ["session.nwb"]


@pytest.mark.parametrize("mode", ["copy", "standalone", "in-place"])
def test_file_holds_what_the_result_holds(source, classifier, tmp_path, mode):
    goal = source if mode == "in-place" else tmp_path / "out.nwb"
    options = OutputOptions(None if mode == "in-place" else goal, mode)
    result = predict_cell_types(source, classifier, options)
    assert result.output == goal
    stored = read_cell_type_predictions(goal)
    assert stored.labels == result.labels == EXPECTED
    assert stored.cell_types == TYPES
    assert stored.probabilities.dtype == stored.confidence.dtype == np.float32
    np.testing.assert_array_equal(stored.probabilities, result.probabilities)
    np.testing.assert_array_equal(stored.confidence, result.probabilities.max(axis=1))
    np.testing.assert_array_equal(stored.roi_rows, np.arange(N_ROIS))
    np.testing.assert_array_equal(stored.roi_ids, result.roi_ids)
    assert stored.classifiers == result.classifiers
    assert stored.notes == result.notes == ("A note.",)
    assert stored.definition == "the cell is of this type"
    assert stored.parameters["kind"] == KIND
    assert stored.parameters["options"]["n_segments"] == 2
    assert stored.source is not None
    assert stored.source.path.resolve() == source.resolve()
    assert validate(path=str(goal)) == []


def test_objects_are_of_the_extension_and_say_what_the_types_mean(source, classifier, tmp_path):
    predict_cell_types(source, classifier, tmp_path / "out.nwb")
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        nwbfile = io.read()
        found = nwbfile.processing["cinac"]
        table = found["CellTypePredictions"]
        assert type(table) is ndx_cinac.CellTypePredictions
        assert type(found["CellTypePredictionsProvenance"]) is ndx_cinac.PredictionProvenance
        assert type(found["classifiers"]) is ndx_cinac.ClassifierTable
        assert found["classifiers"]["classifier_name"].data[:].tolist() == ["rows"]
        assert table["roi"].table is nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        meanings = table["cell_type"].get_meanings().to_dataframe().set_index("value")
    assert meanings["cell_ontology_id"].to_dict() == {
        "interneuron": "CL:0000099",
        "pyramidal": "CL:0000598",
        "noise": "",
    }
    assert "pyramidal cell; " in meanings["synonyms"]["pyramidal"]
    assert meanings["meaning"]["noise"].startswith("Not a cell")


def test_cell_types_come_back_from_zarr(source, classifier, tmp_path):
    pytest.importorskip("hdmf_zarr")
    options = OutputOptions(tmp_path / "out.nwb.zarr", "standalone")
    result = predict_cell_types(source, classifier, options)
    stored = read_cell_type_predictions(tmp_path / "out.nwb.zarr")
    np.testing.assert_array_equal(stored.probabilities, result.probabilities)
    assert (stored.labels, stored.cell_types) == (EXPECTED, TYPES)
    assert dict(stored.meanings) == dict(result.meanings)
    assert stored.classifiers == result.classifiers


@pytest.mark.parametrize("mode", ["copy", "in-place"])
def test_zarr_files_get_cell_types_of_the_extension_beside_what_they_hold(classifier, tmp_path, mode):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    session, out = str(tmp_path / "session.nwb.zarr"), str(tmp_path / "out.nwb.zarr")
    with hdmf_zarr.NWBZarrIO(session, "w") as io:
        io.write(mock_nwbfile_with_movie(N_ROIS, 60))
    goal = OutputOptions(out if mode == "copy" else None, mode)
    result = predict_cell_types(session, classifier, goal)
    stored = read_cell_type_predictions(out if mode == "copy" else session)
    np.testing.assert_array_equal(stored.probabilities, result.probabilities)
    assert (stored.labels, dict(stored.meanings)) == (EXPECTED, dict(result.meanings))
    with hdmf_zarr.NWBZarrIO(out if mode == "copy" else session, "r") as io:
        nwbfile = io.read()
        table = nwbfile.processing["cinac"]["CellTypePredictions"]
        assert type(table) is ndx_cinac.CellTypePredictions
        assert table["roi"].table is nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert "TwoPhotonSeries" in nwbfile.acquisition


def test_rows_that_are_asked_for_are_predicted_and_the_others_named(source, classifier, tmp_path):
    from ndx_cinac.reading import ReadingOptions, RoiSelection

    reading = ReadingOptions(rois=RoiSelection(rows=(4, 1)))
    result = predict_cell_types(source, classifier, tmp_path / "out.nwb", reading=reading)
    stored = read_cell_type_predictions(tmp_path / "out.nwb")
    np.testing.assert_array_equal(stored.roi_rows, [1, 4])
    assert stored.labels == result.labels == ["pyramidal", "pyramidal"]
    assert set(stored.skipped) == {0, 2, 3, 5}


def test_nwbfile_in_memory_and_open_recording_are_predicted(source, classifier, tmp_path):
    nwbfile = mock_nwbfile_with_movie(N_ROIS, 60)
    assert predict_cell_types(nwbfile, classifier, tmp_path / "memory.nwb").labels == EXPECTED
    with read_recording(source) as recording:
        assert predict_cell_types(recording, classifier, tmp_path / "open.nwb").labels == EXPECTED
    for name in ("memory.nwb", "open.nwb"):
        assert read_cell_type_predictions(tmp_path / name).labels == EXPECTED


@pytest.mark.parametrize(("threshold", "expected"), [(None, [0, 1] * 3), (0.2, [1] * 6), (0.9, [0] * 6)])
def test_threshold_decides_for_one_output(source, binary, threshold, expected):
    result = predict_cell_types(
        source, binary, options=CellTypeOptions(threshold=threshold, cell_types=BINARY_YAML)
    )
    assert result.cell_types == ("pyramidal", "interneuron")
    assert result.codes.tolist() == expected
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-6)
    chosen = result.probabilities[np.arange(N_ROIS), expected]
    np.testing.assert_array_equal(result.confidence, chosen)


def test_types_are_named_by_the_classes_where_nobody_names_them(source, binary):
    assert predict_cell_types(source, binary).cell_types == ("not interneuron", "interneuron")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "cell_type_categories: [a, b]",
            "2 cell types are named (a, b), for a classifier of 1 output; 'rows' has 3",
        ),
        ("cell_type_categories: [a]", "Name at least two types"),
        (
            "config: {multi_class: false}\ncell_type_categories: [a, b]",
            "for a classifier of 1 output; 'rows' has 3",
        ),
        (
            "cell_type_categories: [pyr, in, noise]",
            "'pyr' stands in place 1, but the types of 'rows' are interneuron",
        ),
        ("cell_type_categories: [a, b, a]", "'a' under cell_type_categories stands for more than one thing"),
        ("cell_type_categories: [{a: {colour: red}}]", "'colour' in cell_type_categories/a is not known"),
    ],
)
def test_types_unlike_the_classifiers_are_refused_before_the_source_is_read(
    classifier, tmp_path, text, message
):
    path = tmp_path / "types.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        predict_cell_types(tmp_path / "none.nwb", classifier, options=CellTypeOptions(cell_types=path))
    assert message in str(caught.value)
    assert "types.yaml" in str(caught.value)


def test_own_names_replace_the_cards_in_the_same_order(source, classifier, tmp_path):
    path = tmp_path / "types.yaml"
    path.write_text("cell_type_categories: [{sst: {cell_ontology_id: 'CL:0000617'}}, pyramidal, glia]")
    result = predict_cell_types(source, classifier, options=CellTypeOptions(cell_types=path))
    assert result.cell_types == ("sst", "pyramidal", "glia")
    assert result.meanings["sst"].ontology_id == "CL:0000617"


def test_two_outputs_with_types_of_a_binary_classifier_say_what_to_write(source, tmp_path):
    folder = save_cell_type_classifier(tmp_path / "two", ("a", "b"), types=False)
    with pytest.raises(ConfigError, match="Say 'multi_class: true' under config"):
        predict_cell_types(source, folder, options=CellTypeOptions(cell_types=BINARY_YAML))


def test_threshold_for_several_outputs_is_refused(source, classifier):
    with pytest.raises(ConfigError, match="has an output for each type, and the most probable type is taken"):
        predict_cell_types(source, classifier, options=CellTypeOptions(threshold=0.7))


def test_classifier_of_activity_is_refused(source):
    with pytest.raises(ClassifierError, match="'activity-sim' predicts activity, not cell types"):
        predict_cell_types(source, "activity-sim")


def test_classifier_of_cell_types_is_refused_for_activity(source, classifier):
    with pytest.raises(ClassifierError, match="'rows' predicts cell type, not activity"):
        predict_activity(source, classifier)


def test_unknown_kind_of_inputs_is_refused(source, classifier):
    loaded = load_classifier(classifier)
    odd = replace(loaded, card=replace(loaded.card, inputs={"kind": "smells"}))
    with pytest.raises(ClassifierError, match="asks for inputs of kind 'smells'; known are cell features"):
        predict_cell_types(source, odd)


@pytest.mark.parametrize("name", [None, "Mine"])
def test_output_that_exists_is_refused_before_the_source_is_read(source, classifier, monkeypatch, name):
    predict_cell_types(source, classifier, OutputOptions(mode="in-place", name=name))
    monkeypatch.setattr("ndx_cinac.reading.recordings.read_recording", lambda *a, **k: pytest.fail("read"))
    with pytest.raises(OutputError, match=f"already holds '{name or 'CellTypePredictions'}'"):
        predict_cell_types(source, classifier, OutputOptions(mode="in-place", name=name))
    (source.parent / "session_cinac.nwb").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        predict_cell_types(source, classifier, OutputOptions())


def test_overwriting_replaces_predictions_of_that_name_alone(source, classifier, binary):
    predict_cell_types(source, classifier, OutputOptions(mode="in-place", name="A"))
    predict_cell_types(source, classifier, OutputOptions(mode="in-place"))
    predict_cell_types(source, binary, OutputOptions(mode="in-place", overwrite=True))
    assert read_cell_type_predictions(source).classifiers[0].name == "odd"
    assert read_cell_type_predictions(source, "A").classifiers[0].name == "rows"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((N_ROIS, 2)), r"gave an array of shape \(6, 2\) in place of \(6, 3\)"),
        (np.full((N_ROIS, 3), np.nan), "no probabilities from 0 to 1"),
        (np.full((N_ROIS, 3), 1.5), "no probabilities from 0 to 1"),
    ],
)
def test_what_is_no_probability_is_refused_and_nothing_written(
    source, classifier, tmp_path, monkeypatch, values, message
):
    monkeypatch.setitem(module._ENGINES, KIND, lambda *args: Predicted(values, "CPU"))
    with pytest.raises(PredictionError, match=message):
        predict_cell_types(source, classifier, tmp_path / "out.nwb")
    assert [path.name for path in tmp_path.iterdir()] == ["session.nwb"]


def test_a_difference_in_what_was_written_leaves_nothing(source, classifier, tmp_path, monkeypatch):
    real = read_cell_type_predictions

    def other(nwbfile, name):
        return replace(real(nwbfile, name), confidence=np.zeros(N_ROIS, np.float32))

    monkeypatch.setattr("ndx_cinac.writing.checking.read_cell_type_predictions", other)
    with pytest.raises(OutputError, match="reads back differently: confidence"):
        predict_cell_types(source, classifier, tmp_path / "out.nwb")
    assert [path.name for path in tmp_path.iterdir()] == ["session.nwb"]


def test_cell_types_that_are_not_there_are_an_error_that_lists_those_that_are(source, classifier):
    with pytest.raises(ReadingError, match="Make some with: ndx-cinac predict FILE --task"):
        read_cell_type_predictions(source)
    predict_cell_types(source, classifier, OutputOptions(mode="in-place", name="Mine"))
    with pytest.raises(ReadingError, match=r"Choose one of: Mine \(--name\)"):
        read_cell_type_predictions(source)


def values_of(path: Path, place: str) -> dict[str, object]:
    """Values and attributes of every dataset and group below a place of an HDF5 file."""
    found: dict[str, object] = {}
    with h5py.File(path, "r") as file:

        def visit(name, item):
            found[f"{name}@"] = {key: str(value) for key, value in item.attrs.items()}
            if isinstance(item, h5py.Dataset):
                found[name] = (str(item.dtype), np.asarray(item[()]).tolist())

        file[place].visititems(visit)
    return found


@pytest.mark.parametrize("mode", ["copy", "in-place", "standalone"])
def test_the_users_own_cell_types_stay_as_they_are(source, stored, classifier, tmp_path, mode):
    goal = source if mode == "in-place" else tmp_path / "out.nwb"
    predict_cell_types(source, classifier, OutputOptions(None if mode == "in-place" else goal, mode))
    annotations, table = "processing/cinac/CellTypeAnnotations", "processing/ophys/ImageSegmentation"
    if mode == "standalone":
        with NWBHDF5IO(goal, "r") as io:
            rois = io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
            assert list(rois["my_cell_type"].data[:]) == ["int", "pyr"] * 3
        return
    for place in (annotations, table):
        before, after = values_of(stored, place), values_of(goal, place)
        assert before
        assert {key: after[key] for key in before if "reference" not in str(before[key])} == {
            key: value for key, value in before.items() if "reference" not in str(value)
        }
        assert set(after) == set(before)
    with NWBHDF5IO(goal, "r") as io:
        nwbfile = io.read()
        kept = nwbfile.processing["cinac"]["CellTypeAnnotations"]
        assert type(kept) is ndx_cinac.CellTypeAnnotations
        assert list(kept["cell_type"].data[:]) == ["pyramidal", "interneuron"] * 3
        assert set(kept["annotator"].data[:]) == {"mock"}
        assert kept["roi"].table is nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]


@pytest.mark.parametrize(
    ("files", "yaml_file", "n_segments", "combine"),
    [(LEGACY, MULTI_YAML, 2, np.mean), (BINARY, BINARY_YAML, 3, np.max)],
)
def test_legacy_classifier_gives_what_cinac_predictor_gives(files, yaml_file, n_segments, combine):
    recording = mock_recording(2, 100).recording
    predictor = CinacPredictor()
    predictor.add_recording(recording, {(str(files[0]), str(files[1]), "types"): None})
    ((_, expected),) = predictor.predict(
        None,
        n_segments_to_use_for_prediction=n_segments,
        cell_type_pred_fct=combine,
        cell_type_classifier_mode=True,
        time_verbose=False,
    ).items()
    chosen = CellTypeOptions(cell_types=yaml_file, n_segments=n_segments, combine=combine)
    result = predict_cell_types(recording, load_legacy(*files), options=chosen)
    found = result.probabilities[:, 1] if expected.ndim == 1 else result.probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_legacy_classifier_refuses_a_movie_shorter_than_its_window(tmp_path, monkeypatch):
    recording = mock_recording(3, 40).recording
    monkeypatch.setattr(type(recording), "get_smooth_traces", lambda *a, **k: pytest.fail("read"))
    with pytest.raises(PredictionError, match="has 40 frames, fewer than the 50 of one window"):
        predict_cell_types(recording, load_legacy(*LEGACY))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_segments": 0}, "'n_segments' is 0, not a whole number of 1 or more"),
        ({"combine": "mode"}, "'combine' is 'mode'. Use a function, or one of: mean, median, max, min"),
        ({"overlap": 1}, "'overlap' is 1, not a number from 0 to below 1"),
        ({"threshold": 2}, "'threshold' is 2, not a number from 0 to 1"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        CellTypeOptions(**options)
    assert message in str(caught.value)


def test_activity_and_cell_types_come_into_one_file(source, classifier, tiny_classifier, tmp_path):
    goal = tmp_path / "out.nwb"
    activity, types = predict_activity_and_cell_types(source, tiny_classifier, classifier, goal)
    assert activity.output == types.output == goal
    np.testing.assert_array_equal(read_predictions(goal).probabilities, activity.probabilities)
    assert read_cell_type_predictions(goal).labels == types.labels == EXPECTED
    with NWBHDF5IO(goal, "r") as io:
        names = list(io.read().processing["cinac"]["classifiers"]["classifier_name"].data[:])
    assert names == ["tiny", "rows"]


def test_both_have_names_of_their_own(source, classifier, tiny_classifier, tmp_path):
    goal = OutputOptions(tmp_path / "out.nwb", name="Run")
    predict_activity_and_cell_types(source, tiny_classifier, classifier, goal)
    assert read_predictions(goal.path, "Run").classifiers[0].name == "tiny"
    assert read_cell_type_predictions(goal.path, "RunCellTypes").labels == EXPECTED


def test_either_name_that_exists_is_refused_for_both(source, classifier, tiny_classifier, monkeypatch):
    predict_cell_types(source, classifier, OutputOptions(mode="in-place"))
    monkeypatch.setattr("ndx_cinac.reading.recordings.read_recording", lambda *a, **k: pytest.fail("read"))
    with pytest.raises(OutputError, match="already holds 'CellTypePredictions'"):
        predict_activity_and_cell_types(source, tiny_classifier, classifier, OutputOptions(mode="in-place"))
