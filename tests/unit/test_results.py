"""What a prediction returns: transients by hand, tables, and a summary that fits one screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.recording import Times
from ndx_cinac.results import ActivityResult, ClassifierInfo

INFO = ClassifierInfo("tiny", "activity", "0.1", "0123456789abcdef" * 4, "For tests.", "{}")
COLUMNS = [
    "roi_row",
    "roi_id",
    "first_frame",
    "last_frame",
    "timestamp",
    "duration",
    "peak_probability",
    "mean_probability",
]


def result(columns, times: Times | None = None, **changes) -> ActivityResult:
    """Make a result of these columns of probabilities, on rows 1, 3, 5 ... with ids 101, 103 ..."""
    probabilities = (
        np.array(columns, np.float32).T.reshape(-1, len(columns)) if columns else np.empty((0, 0), np.float32)
    )
    rows = 1 + 2 * np.arange(len(columns))
    values = {
        "probabilities": probabilities,
        "roi_rows": rows,
        "roi_ids": 100 + rows,
        "times": times or Times(len(probabilities), rate=2.0, starting_time=10.0),
        "threshold": 0.5,
        "classifiers": (INFO,),
        "classifier_index": np.zeros(len(rows), np.int64),
        "definition": "from onset to peak",
    }
    return ActivityResult(**{**values, **changes})


def test_transients_are_the_runs_of_frames_above_threshold():
    table = result([[0.1, 0.9, 0.7, 0.1, 0.6, 0.2], [0.0, 0.0, 0.8, 0.0, 0.0, 0.0]]).transients
    assert list(table.columns) == COLUMNS
    expected = [
        (1, 101, 1, 2, 10.5, 1.0, 0.9, 0.8),
        (1, 101, 4, 4, 12.0, 0.5, 0.6, 0.6),
        (3, 103, 2, 2, 11.0, 0.5, 0.8, 0.8),
    ]
    np.testing.assert_allclose(table.to_numpy(float), expected, rtol=1e-6)


def test_frame_at_the_threshold_is_active():
    made = result([[0.5, 0.49999]])
    np.testing.assert_array_equal(made.active, [[True], [False]])
    assert len(made.transients) == 1


def test_threshold_that_single_precision_rounds_is_met_by_its_own_value():
    assert result([[0.3]], threshold=0.3).active.all()


def test_transients_reach_the_first_and_the_last_frame():
    table = result([[0.9, 0.1, 0.1, 0.9], [0.9, 0.9, 0.9, 0.9]]).transients
    np.testing.assert_array_equal(table.first_frame, [0, 3, 0])
    np.testing.assert_array_equal(table.last_frame, [0, 3, 3])
    np.testing.assert_allclose(table.duration, [0.5, 0.5, 2.0])


@pytest.mark.parametrize("columns", [[[0.1, 0.2]], [], [[]]], ids=["nothing active", "no ROI", "no frame"])
def test_result_without_transients_has_an_empty_table_of_the_same_columns_and_types(columns):
    empty, full = result(columns).transients, result([[0.9]]).transients
    assert len(empty) == 0
    assert list(empty.columns) == COLUMNS
    assert list(empty.dtypes) == list(full.dtypes)


def test_duration_spans_a_gap_in_the_timestamps_and_ends_one_usual_interval_after_the_last_frame():
    stamps = np.array([0.0, 1.0, 2.0, 12.0, 13.0, 14.0])
    times = Times(6, timestamps=stamps)
    table = result([[0.1, 0.1, 0.9, 0.9, 0.1, 0.9]], times).transients
    np.testing.assert_allclose(table.timestamp, [2.0, 14.0])
    np.testing.assert_allclose(table.duration, [11.0, 1.0])


def test_times_without_rate_count_frames():
    table = result([[0.1, 0.9, 0.9]], Times(3)).transients
    np.testing.assert_allclose(table[["timestamp", "duration"]], [[1.0, 2.0]])


def test_dataframe_has_times_as_index_and_roi_ids_as_columns():
    table = result([[0.1, 0.2], [0.3, 0.4]]).to_dataframe()
    assert table.index.name == "time (s)"
    assert table.columns.name == "ROI id"
    np.testing.assert_allclose(table.index, [10.0, 10.5])
    np.testing.assert_array_equal(table.columns, [101, 103])
    np.testing.assert_allclose(table[103], [0.3, 0.4], rtol=1e-6)


def test_summary_says_what_was_predicted_with_what_and_what_came_of_it():
    columns = [[0.9, 0.1, 0.9, 0.1], [0.1, 0.1, 0.1, 0.1]]
    made = result(columns, skipped={0: "empty"}, device="CPU, 2 threads", notes=("Odd.",), seconds=1.26)
    lines = replace(made, output=Path("out.nwb")).summary().splitlines()
    assert lines == [
        "2 ROIs, 4 frames (0.0 min at 2 Hz)",
        "classifier   tiny 0.1 (sha256 0123456789ab)",
        "device       CPU, 2 threads",
        "threshold    0.5: from onset to peak",
        "active       25.00% of all frames of all ROIs",
        "transients   2; per ROI: median 1, most 2, none in 1",
        "left out     1 ROI (row 0: empty)",
        "note         Odd.",
        "written to   out.nwb",
        "time         1.3 s",
    ]


def test_summary_of_nothing_is_still_a_summary():
    lines = result([], Times(0)).summary().splitlines()
    assert lines[0] == "0 ROIs, 0 frames"
    assert "transients   0" in lines


def test_summary_fits_one_screen_however_much_was_left_out_and_noted():
    skipped = dict.fromkeys(range(900), "its pixels lie outside of the frame")
    made = result(
        [[0.9, 0.1]] * 50, skipped=skipped, notes=tuple(f"Note {n}" for n in range(40)), seconds=1.0
    )
    text = replace(made, output=Path("out.nwb")).summary()
    assert len(text.splitlines()) <= 24
    assert "900 ROIs" in text
    assert "; and 895 more)" in text
    assert "and 32 more" in text
