"""Our NWB Inspector checks fire on wrong files and are silent on right ones; so are the Inspector's own."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.testing.mock import mock_nwbfile_with_predictions

nwbinspector = pytest.importorskip("nwbinspector")
inspector = pytest.importorskip("ndx_cinac.inspector")


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "sub-mock_ses-mock_image.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_predictions())
    return path


def inspect(path: Path, **options) -> dict[str, str]:
    messages = nwbinspector.inspect_nwbfile(nwbfile_path=path, **options)
    return {message.check_function_name: message.message for message in messages}


def spoil(path: Path, name: str, value, at=0) -> None:
    with h5py.File(path, "r+") as file:
        file[f"processing/cinac/{name}"][at] = value


def resize(path: Path, name: str, values) -> None:
    with h5py.File(path, "r+") as file:
        old = file[f"processing/cinac/{name}"]
        attributes = dict(old.attrs)
        del file[f"processing/cinac/{name}"]
        file.create_dataset(f"processing/cinac/{name}", data=values).attrs.update(attributes)


def test_a_right_file_with_all_types_gives_no_message_under_the_dandi_config(path):
    """But one: the Inspector suggests a name of its list for any processing module that has another."""
    assert set(inspect(path, config=nwbinspector.load_config("dandi"))) == {"check_processing_module_name"}


def test_a_right_file_gives_none_of_our_messages_under_any_config(path):
    assert not any(hasattr(inspector, name) for name in inspect(path))


@pytest.mark.parametrize(
    ("column", "value", "at", "check", "words"),
    [
        (
            "ActivityPredictions/rois",
            99,
            0,
            "check_predictions_match_rois",
            "'rois' points outside 'PlaneSegmentation', which has 3 rows",
        ),
        (
            "ActivityPredictions/classifier",
            2,
            1,
            "check_predictions_match_rois",
            "'classifier' points outside 'classifiers', which has 2 rows",
        ),
        ("CellTypePredictions/roi", 3, 0, "check_cell_types_match_rois", "Column 'roi' points outside"),
        (
            "ActivityPredictions/data",
            1.5,
            (4, 2),
            "check_activity_probabilities",
            "Frame 4, column [2]: 1.5 is no probability",
        ),
        ("ActivityPredictions/data", np.nan, (4, 2), "check_activity_probabilities", "nan is no probability"),
        (
            "CellTypePredictions/confidence",
            -0.5,
            1,
            "check_cell_type_probabilities",
            "Column 'confidence', row 1: -0.5",
        ),
        (
            "classifiers/sha256",
            "",
            1,
            "check_classifier_hash",
            "Classifier 'cell-type-mock' (row 1) has no SHA-256",
        ),
        (
            "PredictedTransients/last_frame",
            200,
            2,
            "check_transients_inside_series",
            "Row 2, frames 50 to 200: not inside the 200 frames",
        ),
    ],
)
def test_each_fault_is_found_and_named(path, column, value, at, check, words):
    spoil(path, column, value, at)
    found = inspect(path, skip_validate=True)
    assert words in found[check]
    assert [name for name in found if hasattr(inspector, name)] == [check]


def test_an_roi_count_that_differs_is_found(path):
    resize(path, "ActivityPredictions/rois", np.arange(2))
    assert "'rois' has 2 rows for 3 columns of data" in inspect(path)["check_predictions_match_rois"]


def test_checks_have_importance_levels():
    Importance = nwbinspector.Importance
    assert inspector.check_activity_probabilities.importance is Importance.CRITICAL
    assert inspector.check_classifier_hash.importance is Importance.BEST_PRACTICE_VIOLATION


def test_transients_belong_to_the_predictions_of_their_name():
    module = mock_nwbfile_with_predictions().processing["cinac"]
    assert inspector.predictions_of(module["PredictedTransients"]) is module["ActivityPredictions"]
