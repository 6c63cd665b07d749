"""Predicted cell types joined with the ROIs' own columns: which come along, and under which names."""

from __future__ import annotations

import numpy as np
from pynwb import NWBHDF5IO

from ndx_cinac import CellTypePredictions
from ndx_cinac.testing.mock import mock_ClassifierTable, mock_nwbfile_with_predictions, mock_segmentation


def cell_types(rois, rows) -> CellTypePredictions:
    """Predict "a" for the first of `rows`, "b" for the second."""
    probability = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)[: len(rows)]
    return CellTypePredictions.from_arrays(
        rois=rois,
        classifiers=mock_ClassifierTable(),
        cell_types=["a", "b"],
        columns={
            "roi": np.array(rows, int),
            "cell_type": ["a", "b"][: len(rows)],
            "probability": probability,
            "confidence": probability.max(axis=1, initial=0),
            "classifier": [1] * len(rows),
        },
    )


def test_joined_columns_of_the_rois_are_those_with_one_value_each():
    rois = mock_segmentation(2)
    rois.add_column(name="plane", description="Text.", data=["L2", "L5"])
    rois.add_column(name="depth", description="µm.", data=np.array([150.0, 380.0]))
    rois.add_column(name="layer", description="Few values.", data=np.array([0, 1], np.uint8), enum=["a", "b"])
    rois.add_column(name="iscell", description="suite2p's.", data=np.array([[1, 0.9], [0, 0.1]]))
    rois.add_column(name="events", description="Ragged.", data=[1, 2, 3], index=[1, 3])
    rois.add_column(name="partner", description="Rows.", data=[1, 0], table=mock_segmentation(2))
    table = cell_types(rois, [1, 0]).to_dataframe()
    joined = table.columns.tolist()[table.columns.get_loc("classifier") + 1 :]
    assert joined == ["plane", "depth", "layer", "partner"]
    assert table["plane"].tolist() == ["L5", "L2"]
    assert table["depth"].tolist() == [380.0, 150.0]
    assert table["layer"].tolist() == ["b", "a"]
    assert table["partner"].tolist() == [0, 1]


def test_columns_of_the_rois_do_not_hide_the_predictions_columns():
    rois = mock_segmentation(2)
    rois.add_column(name="cell_type", description="The user's own.", data=["mine 0", "mine 1"])
    rois.add_column(name="roi_id", description="Another number.", data=[70, 71])
    table = cell_types(rois, [1, 0]).to_dataframe()
    assert table["cell_type"].tolist() == ["a", "b"]
    assert table["roi_cell_type"].tolist() == ["mine 1", "mine 0"]
    assert (table["roi_id"].tolist(), table["roi_roi_id"].tolist()) == ([1, 0], [71, 70])


def test_joined_tables_read_no_masks(tmp_path, monkeypatch):
    nwbfile = mock_nwbfile_with_predictions()
    with NWBHDF5IO(tmp_path / "file.nwb", "w") as io:
        io.write(nwbfile)
    with NWBHDF5IO(tmp_path / "file.nwb", "r") as io:
        table = io.read().processing["cinac"]["CellTypePredictions"]
        masks = type("Masks", (), {"shape": (3, 40, 48)})()  # nothing can be taken out of it
        monkeypatch.setitem(table["roi"].table["image_mask"].fields, "data", masks)
        assert table.to_dataframe()["roi_id"].tolist() == [0, 1, 2]


def test_tables_without_rows_can_be_joined():
    rois = mock_segmentation(2)
    table = cell_types(rois, [])
    assert table.to_dataframe().shape[0] == 0
