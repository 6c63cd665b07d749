"""Old files are read by this version, new ones without ndx-cinac, and those with faults still open."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, validate

import ndx_cinac
from ndx_cinac.testing.mock import mock_nwbfile_with_predictions

FILES = Path(__file__).resolve().parents[1] / "back_compat"

WITHOUT_THE_PACKAGE = """
import json, sys
sys.modules["ndx_cinac"] = None  # importing it now raises ImportError
import pynwb
with pynwb.NWBHDF5IO(sys.argv[1], "r") as io:
    nwbfile = io.read()
    module = nwbfile.processing["cinac"]
    series = module["ActivityPredictions"]
    print(json.dumps({
        "types": sorted(each.neurodata_type for each in module.data_interfaces.values()),
        "is_series": isinstance(series, pynwb.ophys.RoiResponseSeries),
        "shape": list(series.data.shape),
        "first": float(series.data[0, 0]),
        "rate": series.rate,
        "rois": [int(row) for row in series.rois.data[:]],
        "table": series.rois.table is nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"],
        "classifiers": module["classifiers"].to_dataframe()["classifier_name"].tolist(),
        "transients": len(module["PredictedTransients"]),
        "is_events": isinstance(module["PredictedTransients"], pynwb.event.EventsTable),
        "threshold": series.threshold,
        "movie": series.movie.name,
    }))
"""


@pytest.mark.parametrize("path", sorted(FILES.glob("*.nwb")), ids=lambda path: path.stem)
def test_files_of_earlier_versions_are_read(path):
    assert validate(path=str(path)) == []
    with NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        module = nwbfile.processing["cinac"]
        assert {type(each) for each in module.data_interfaces.values()} == {
            ndx_cinac.ActivityAnnotations,
            ndx_cinac.ActivityPredictions,
            ndx_cinac.AnnotatedSegments,
            ndx_cinac.CellTypeAnnotations,
            ndx_cinac.CellTypePredictions,
            ndx_cinac.ClassifierTable,
            ndx_cinac.PredictedTransients,
            ndx_cinac.PredictionProvenance,
        }
        series = module["ActivityPredictions"]
        assert series.data.shape == (40, 2)
        assert series.movie is nwbfile.acquisition["TwoPhotonSeries"]
        assert series.threshold == 0.5
        assert module["classifiers"]["classifier_name"].data[0] == "activity-mock"
        assert module["CellTypePredictions"].to_dataframe()["cell_type"].tolist() == [
            "pyramidal",
            "interneuron",
        ]
        assert module["PredictedTransients"]["last_frame"].data[:].tolist() == [14, 34]
        assert module["ActivityAnnotations"]["state"].data[:].tolist() == ["active", "doubtful"] * 2
        assert module["AnnotatedSegments"]["stop_time"].data[:].tolist() == [10, 10, 20, 20]
        provenance = module["PredictionProvenance"]
        assert provenance.parameters_dict() == {"threshold": 0.5}
        assert provenance.created == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_there_is_a_file_of_this_version_of_the_namespace():
    """Whoever changes the schema adds a file, and the script that made it."""
    with h5py.File(sorted(FILES.glob("*.nwb"))[-1]) as file:
        from pynwb import get_type_map

        version = get_type_map(copy=False).namespace_catalog.get_namespace("ndx-cinac").version
        assert version in file["specifications/ndx-cinac"]


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "new.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_predictions())
    return path


def test_a_file_read_without_ndx_cinac_still_shows_predictions_as_a_response_series(path):
    import json

    command = [sys.executable, "-c", WITHOUT_THE_PACKAGE, str(path)]
    seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    written = mock_nwbfile_with_predictions().processing["cinac"]["ActivityPredictions"]
    assert len(seen["types"]) == 8
    assert seen["is_series"]
    assert seen["shape"] == [200, 3]
    assert seen["first"] == pytest.approx(float(written.data[0, 0]))
    assert seen["rate"] == 10.0
    assert seen["rois"] == [0, 1, 2]
    assert seen["table"]
    assert seen["classifiers"] == ["activity-mock", "cell-type-mock"]
    assert seen["transients"] == 3
    assert seen["is_events"]
    assert seen["threshold"] == 0.5
    assert seen["movie"] == "TwoPhotonSeries"


def test_a_file_with_faults_still_opens(path):
    """Checks are for what is made, not for what is read: the NWB Inspector checks find these."""
    with h5py.File(path, "r+") as file:
        module = file["processing/cinac"]
        module["ActivityPredictions/data"][0, 0] = np.nan
        module["CellTypePredictions/confidence"][0] = 7
        module["PredictedTransients/last_frame"][0] = 0
        module["ActivityAnnotations/state"][0] = "asleep"
        module["AnnotatedSegments/stop_time"][0] = -1
        module["classifiers/sha256"][0] = "?"
        module["PredictionProvenance/versions"][()] = "?"
        module["ActivityPredictions"].attrs["threshold"] = 9.0
    with NWBHDF5IO(path, "r") as io:
        module = io.read().processing["cinac"]
        assert np.isnan(module["ActivityPredictions"].data[0, 0])
        assert module["ActivityPredictions"].threshold == 9.0
        assert module["PredictionProvenance"].versions == "?"
