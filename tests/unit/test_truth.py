"""Annotations of activity: the latest word counts, of one annotator and of several."""

from __future__ import annotations

import numpy as np
import pytest

from ndx_cinac.errors import ReadingError
from ndx_cinac.evaluation import truth_from_nwb
from ndx_cinac.neurodata import ActivityAnnotations, AnnotatedSegments
from ndx_cinac.recording import Times
from ndx_cinac.testing.mock import mock_nwbfile_with_movie, rois_of

TIMES = Times(40, rate=10.0)


def annotated(periods, segments, later=()):
    """A file with (first, last, state, annotator) of ROI 0, and (first, last, annotator) examined."""
    nwbfile = mock_nwbfile_with_movie(n_rois=2, n_frames=40)
    rois, module = rois_of(nwbfile), nwbfile.processing["ophys"]
    for name, rows in (("ActivityAnnotations", periods), ("Corrections", later)):
        if rows:
            firsts, lasts, states, names = zip(*rows, strict=True)
            columns = {
                "timestamp": np.array(firsts) / 10,
                "duration": (np.array(lasts) - np.array(firsts) + 1) / 10,
                "roi": [0] * len(rows),
                "state": list(states),
                "annotator": list(names),
                "first_frame": list(firsts),
                "last_frame": list(lasts),
            }
            module.add(ActivityAnnotations.from_arrays(name=name, rois=rois, columns=columns))
    if segments:
        firsts, lasts, names = zip(*segments, strict=True)
        columns = {
            "start_time": np.array(firsts) / 10,
            "stop_time": (np.array(lasts) + 1) / 10,
            "roi": [0] * len(segments),
            "annotator": list(names),
            "first_frame": list(firsts),
            "last_frame": list(lasts),
        }
        module.add(AnnotatedSegments.from_arrays(rois=rois, columns=columns))
    return nwbfile


def frames(values):
    return np.flatnonzero(values[:, 0]).tolist()


def test_of_overlapping_periods_the_later_row_counts():
    rows = [(5, 9, "active", "A"), (8, 12, "doubtful", "A")]
    truth = truth_from_nwb(annotated(rows, [(0, 39, "A")]), TIMES)
    assert (frames(truth.active), frames(truth.ignored)) == ([5, 6, 7], [8, 9, 10, 11, 12])
    assert truth.superseded == 1
    truth = truth_from_nwb(annotated(rows[::-1], [(0, 39, "A")]), TIMES)
    assert (frames(truth.active), frames(truth.ignored)) == ([5, 6, 7, 8, 9], [10, 11, 12])
    assert truth.superseded == 1


def test_periods_that_say_the_same_supersede_nothing():
    rows = [(5, 9, "active", "A"), (8, 12, "active", "B"), (20, 22, "doubtful", "A")]
    truth = truth_from_nwb(annotated(rows, [(0, 39, "A")]), TIMES)
    assert frames(truth.active) == list(range(5, 13))
    assert truth.superseded == 0
    assert truth.annotators == ("A", "B")


def test_where_several_examined_the_last_one_counts():
    rows = [(5, 9, "active", "A"), (18, 22, "active", "A"), (30, 32, "active", "A"), (24, 26, "active", "B")]
    truth = truth_from_nwb(annotated(rows, [(0, 39, "A"), (0, 20, "B"), (23, 28, "B")]), TIMES)
    assert frames(truth.active) == [21, 22, 24, 25, 26, 30, 31, 32]  # B saw nothing in frames 0 to 20
    assert truth.superseded == 2
    assert truth.examined[:, 0].all()


def test_an_annotator_who_looks_again_takes_nothing_back():
    rows = [(5, 9, "active", "A"), (12, 14, "active", "A")]
    truth = truth_from_nwb(annotated(rows, [(0, 39, "A"), (10, 20, "A")]), TIMES)
    assert frames(truth.active) == [5, 6, 7, 8, 9, 12, 13, 14]
    assert truth.superseded == 0


def test_later_tables_come_after_earlier_ones_by_name():
    nwbfile = annotated([(5, 9, "active", "A")], [(0, 39, "A")], later=[(7, 9, "doubtful", "A")])
    truth = truth_from_nwb(nwbfile, TIMES)
    assert (frames(truth.active), frames(truth.ignored), truth.superseded) == ([5, 6], [7, 8, 9], 1)


def test_a_file_without_any_annotation_says_so():
    with pytest.raises(ReadingError, match="holds no AnnotatedSegments"):
        truth_from_nwb(annotated([], []), TIMES)
