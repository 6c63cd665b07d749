"""Corrections by hand: they lie beside the predictions, and a file keeps both."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from pynwb import NWBHDF5IO

import ndx_cinac
from ndx_cinac import AmbiguousSourceError, CellTypeAnnotations, ConfigError, OutputError, ReadingError
from ndx_cinac.evaluation.truth import annotation_tables
from ndx_cinac.testing.mock import (
    MockLayout,
    mock_nwbfile_with_movie,
    mock_nwbfile_with_predictions,
    rois_of,
)
from ndx_cinac.writing.annotations import annotate_cell_types


def judgements(table):
    return list(
        zip(table["roi"].data[:], table["cell_type"].data[:], table["annotator"].data[:], strict=True)
    )


def test_the_function_is_public():
    assert ndx_cinac.annotate_cell_types is annotate_cell_types


def test_a_first_judgement_makes_a_table_of_its_own():
    nwbfile = mock_nwbfile_with_movie()
    made = annotate_cell_types(nwbfile, {2: "interneuron", 0: "pyramidal"}, "JD")
    assert type(made) is CellTypeAnnotations
    assert nwbfile.processing["cinac"]["CellTypeAnnotations"] is made
    assert made["roi"].table is rois_of(nwbfile)
    assert judgements(made) == [(2, "interneuron", "JD"), (0, "pyramidal", "JD")]


def test_corrections_are_added_to_a_file_and_predictions_stay(tmp_path):
    path = tmp_path / "session.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_predictions())
    with NWBHDF5IO(path, "r") as io:
        module = io.read().processing["cinac"]
        before, earlier = (
            module["CellTypePredictions"].to_dataframe(),
            judgements(module["CellTypeAnnotations"]),
        )
    for correction, who in (({1: "interneuron"}, "JD"), ({1: "pyramidal", 2: "pyramidal"}, "MK")):
        with NWBHDF5IO(path, "a") as io:
            nwbfile = io.read()
            annotate_cell_types(nwbfile, correction, annotator=who)
            annotate_cell_types(nwbfile, correction, annotator=who, name="SecondLook")
            io.write(nwbfile)
    with NWBHDF5IO(path, "r") as io:
        module = io.read().processing["cinac"]
        assert module["CellTypePredictions"].to_dataframe().equals(before)
        added = [(1, "interneuron", "JD"), (1, "pyramidal", "MK"), (2, "pyramidal", "MK")]
        assert judgements(module["CellTypeAnnotations"]) == earlier + added
        assert type(module["SecondLook"]) is CellTypeAnnotations
        assert judgements(module["SecondLook"]) == added
        assert module["SecondLook"].id[:].tolist() == [0, 1, 2]


def test_rois_can_be_given_by_their_ids():
    nwbfile = mock_nwbfile_with_movie()
    rois_of(nwbfile).id.data[:] = [10, 20, 30]
    made = annotate_cell_types(nwbfile, {30: "interneuron"}, "JD", by="id")
    assert np.asarray(made["roi"].data).tolist() == [2]
    with pytest.raises(ConfigError, match=r"has no ROI with id 2\. It has 3 ROIs"):
        annotate_cell_types(nwbfile, {2: "interneuron"}, "JD", by="id")


def test_the_table_whose_cells_were_predicted_is_meant():
    nwbfile = mock_nwbfile_with_predictions()
    other = mock_nwbfile_with_movie(layout=MockLayout(n_planes=2))
    assert annotate_cell_types(nwbfile, {0: "pyramidal"}, "JD")["roi"].table is rois_of(nwbfile)
    with pytest.raises(AmbiguousSourceError, match="PlaneSegmentation, PlaneSegmentation2"):
        annotate_cell_types(other, {0: "pyramidal"}, "JD")
    second = other.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation2"]
    assert annotate_cell_types(other, {0: "pyramidal"}, "JD", segmentation=second)["roi"].table is second


def test_other_names_of_predicted_types_are_known_in_capitals_or_not(caplog):
    nwbfile = mock_nwbfile_with_predictions()
    (meanings,) = nwbfile.processing["cinac"]["CellTypePredictions"].meanings_tables.values()
    words = [word for text in meanings["synonyms"].data[:] for word in text.split(";") if word.strip()]
    assert words
    with caplog.at_level(logging.WARNING):
        annotate_cell_types(nwbfile, {0: words[0].strip().upper(), 1: "Pyramidal"}, "JD")
    assert "none of the predicted" not in caplog.text


@pytest.mark.parametrize("name", ["CellTypeAnnotations", "ZMarkers"])
def test_a_correction_counts_after_annotations_of_other_modules_whatever_these_are_called(name):
    nwbfile = mock_nwbfile_with_predictions()
    columns = {"roi": [0], "cell_type": ["pyramidal"], "annotator": ["marker"]}
    own = CellTypeAnnotations.from_arrays(rois=rois_of(nwbfile), columns=columns, name=name)
    nwbfile.processing["ophys"].add(own)
    corrected = annotate_cell_types(nwbfile, {0: "interneuron"}, "JD")
    assert annotation_tables(nwbfile, "CellTypeAnnotations")[-1] is corrected


def test_a_type_that_was_not_among_the_predicted_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        annotate_cell_types(mock_nwbfile_with_predictions(), {0: "pyramidl"}, "JD")
    assert "'pyramidl' is none of the predicted cell types: interneuron, pyramidal" in caplog.text


@pytest.mark.parametrize(
    ("cell_types", "options", "message"),
    [
        ({5: "a"}, {}, "has no ROI with row 5. It has 3 ROIs"),
        ({-1: "a"}, {}, "has no ROI with row -1"),
        ({}, {}, "A judgement needs an ROI, its cell type"),
        ({0: " "}, {}, "A judgement needs an ROI, its cell type"),
        ({0: "a"}, {"annotator": ""}, "and the annotator's name"),
        ({0: "a"}, {"by": "name"}, "ROIs cannot be given by 'name'. Choose one of: row, id"),
    ],
)
def test_judgements_without_a_cell_a_type_or_a_name_are_refused(cell_types, options, message):
    nwbfile = mock_nwbfile_with_movie()
    with pytest.raises(ConfigError, match=message):
        annotate_cell_types(nwbfile, cell_types, **{"annotator": "JD", **options})
    assert "cinac" not in nwbfile.processing


def test_a_name_of_something_else_is_refused():
    nwbfile = mock_nwbfile_with_predictions()
    with pytest.raises(OutputError, match="'ActivityPredictions' in module 'cinac' holds no cell types of"):
        annotate_cell_types(nwbfile, {0: "pyramidal"}, "JD", name="ActivityPredictions")


def test_a_file_without_rois_is_refused():
    from pynwb.testing.mock.file import mock_NWBFile

    with pytest.raises(ReadingError, match="holds no ROI table"):
        annotate_cell_types(mock_NWBFile(), {0: "pyramidal"}, "JD")
