"""Today's files read by others: by h5py alone, and by an older pynwb where a Python that has it is named.

python -m venv old && old/bin/pip install "pynwb==3.1.*"
NDX_CINAC_OLD_PYTHON=$PWD/old/bin/python pytest tests/integration/test_other_readers.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.testing.mock import mock_nwbfile_with_predictions

SCRIPT = Path(__file__).resolve().parents[1] / "back_compat" / "read_elsewhere.py"
TYPES = {
    "ActivityAnnotations",
    "ActivityPredictions",
    "AnnotatedSegments",
    "CellTypeAnnotations",
    "CellTypePredictions",
    "ClassifierTable",
    "PredictedTransients",
    "PredictionProvenance",
}


@pytest.fixture(scope="module")
def nwbfile():
    return mock_nwbfile_with_predictions()


@pytest.fixture(scope="module")
def path(nwbfile, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files") / "today.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def seen_by(python: str, reader: str, path: Path) -> dict:
    """Run the script in a Python that need not have ndx-cinac; what it prints last."""
    command = [python, "-I", str(SCRIPT), reader, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check(seen: dict, nwbfile) -> None:
    """Compare values with those in memory."""
    module = nwbfile.processing["cinac"]
    series = module["ActivityPredictions"]
    assert seen["shape"] == list(series.data.shape)
    assert seen["sum"] == pytest.approx(float(series.data[:].sum()), rel=1e-5)
    assert seen["threshold"] == series.threshold
    assert seen["cell_types"] == list(module["CellTypePredictions"]["cell_type"].data)
    assert seen["parameters"] == module["PredictionProvenance"].parameters
    for name, count in seen["rows"].items():
        assert count == len(module[name]), name


def test_h5py_alone_finds_every_object_and_value(path, nwbfile):
    seen = seen_by(sys.executable, "h5py", path)
    assert set(seen["types"].values()) == TYPES
    check(seen, nwbfile)
    assert seen["movie"] == list(nwbfile.acquisition["TwoPhotonSeries"].data.shape)
    transients = nwbfile.processing["cinac"]["PredictedTransients"]
    assert seen["first_frames"] == [int(frame) for frame in transients["first_frame"].data]


def test_an_older_pynwb_reads_all_but_the_tables_of_events(path, nwbfile):
    python = os.environ.get("NDX_CINAC_OLD_PYTHON")
    if not python:
        pytest.skip("NDX_CINAC_OLD_PYTHON names no Python with pynwb 3.1")
    seen = seen_by(python, "pynwb", path)
    assert seen["version"].startswith("3.1.")
    assert set(seen["types"].values()) == TYPES - {"PredictedTransients", "ActivityAnnotations"}
    assert seen["is_series"]
    assert seen["movie"] == "TwoPhotonSeries"
    check(seen, nwbfile)
