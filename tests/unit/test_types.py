"""Constructors of the types: what they accept, and that each fault is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hdmf.common import DynamicTableRegion
from hdmf.data_utils import DataChunkIterator

from ndx_cinac import (
    ActivityPredictions,
    AnnotatedSegments,
    CellTypePredictions,
    ClassifierTable,
    InvalidTypeError,
    PredictedTransients,
)
from ndx_cinac.neurodata import CellTypeMeaning, checks
from ndx_cinac.testing.mock import (
    mock_ActivityAnnotations,
    mock_ActivityPredictions,
    mock_AnnotatedSegments,
    mock_CellTypeAnnotations,
    mock_CellTypePredictions,
    mock_ClassifierTable,
    mock_nwbfile_with_movie,
    mock_PredictedTransients,
    mock_PredictionProvenance,
    mock_segmentation,
    rois_of,
)


@pytest.fixture(scope="module")
def rois():
    return mock_segmentation(3)


def predictions(segmentation, /, **changes: Any) -> ActivityPredictions:
    n_rois = changes.pop("n_rois", 3)
    rows = changes.pop("classifier_rows", [0] * n_rois)
    arguments: dict[str, Any] = {
        "data": np.full((20, 3), 0.5, np.float32),
        "rois": DynamicTableRegion(
            name="rois", data=list(range(n_rois)), description="ROIs.", table=segmentation
        ),
        "classifier": mock_ClassifierTable().create_region("classifier", rows, "Classifiers."),
        "threshold": 0.5,
        "definition": "active",
        "rate": 10.0,
    }
    arguments.update(changes)
    return ActivityPredictions(**{key: value for key, value in arguments.items() if value is not None})


def cell_types(rois, **changes: Any) -> CellTypePredictions:
    columns: dict[str, Any] = {
        "roi": [0, 1],
        "cell_type": ["a", "b"],
        "probability": np.array([[0.9, 0.1], [0.2, 0.8]], np.float32),
        "confidence": [0.9, 0.8],
        "classifier": [1, 1],
    }
    types = changes.pop("cell_types", ["a", "b"])
    classifiers = mock_ClassifierTable()
    return CellTypePredictions.from_arrays(
        rois=rois, classifiers=classifiers, cell_types=types, columns={**columns, **changes}
    )


def test_predictions_say_which_value_is_no_probability(rois):
    data = np.full((20, 3), 0.5)
    data[7, 1] = 1.25
    with pytest.raises(
        InvalidTypeError, match=r"A probability is 1\.25 at index \(7, 1\): not within 0 to 1 \(1 such"
    ):
        predictions(rois, data=data)


def test_predictions_refuse_nan(rois):
    data = np.full((20, 3), np.nan)
    with pytest.raises(InvalidTypeError, match=r"A probability is nan at index \(0, 0\).*\(60 such values\)"):
        predictions(rois, data=data)


def test_predictions_refuse_another_number_of_rois(rois):
    with pytest.raises(InvalidTypeError, match="Data has 3 columns, 'rois' has 2: each column needs its ROI"):
        predictions(rois, n_rois=2)


def test_predictions_refuse_transposed_data_and_say_so(rois):
    with pytest.raises(
        InvalidTypeError, match=r"Data has 20 columns, 'rois' has 3.* Data is frames x ROIs: transpose it"
    ):
        predictions(rois, data=np.zeros((3, 20)))


def test_predictions_refuse_another_number_of_classifier_rows(rois):
    with pytest.raises(
        InvalidTypeError, match="Data has 3 columns, 'classifier' has 1: each column needs its classifier"
    ):
        predictions(rois, classifier_rows=[0])


def test_predictions_refuse_data_of_one_axis(rois):
    with pytest.raises(InvalidTypeError, match=r"Data has shape \(20,\): predictions have two axes"):
        predictions(rois, data=np.zeros(20))


def test_predictions_refuse_rois_without_table(rois):
    region = DynamicTableRegion(name="rois", data=[0, 1, 2], description="ROIs.", table=None)
    with pytest.raises(InvalidTypeError, match="'rois' does not say which table its rows are of"):
        predictions(rois, rois=region)


def test_predictions_refuse_rows_outside_the_roi_table(rois):
    region = DynamicTableRegion(name="rois", data=[0, 1, 2], description="ROIs.", table=rois)
    region.data[2] = 7
    with pytest.raises(
        InvalidTypeError, match="'rois' points to row 7, which does not exist: 'PlaneSegmentation' has 3"
    ):
        predictions(rois, rois=region)


def test_predictions_refuse_an_unknown_classifier_row(rois):
    region = mock_ClassifierTable().create_region("classifier", [0, 0, 0], "Classifiers.")
    region.data[1] = 5
    with pytest.raises(
        InvalidTypeError, match="'classifier' points to row 5, which does not exist: 'classifiers' has 2"
    ):
        predictions(rois, classifier=region)


def test_predictions_refuse_a_classifier_of_another_task(rois):
    message = r"Classifier 'cell-type-mock' \(row 1\) is for the task 'cell_type', not 'activity'"
    with pytest.raises(InvalidTypeError, match=message):
        predictions(rois, classifier_rows=[0, 1, 0])


def test_predictions_refuse_a_table_that_is_no_classifier_table(rois):
    region = DynamicTableRegion(name="classifier", data=[0, 1, 2], description="Wrong.", table=rois)
    with pytest.raises(
        InvalidTypeError, match="'classifier' points into 'PlaneSegmentation', which is not a Classif"
    ):
        predictions(rois, classifier=region)


def test_predictions_refuse_a_threshold_above_one(rois):
    with pytest.raises(InvalidTypeError, match="The threshold is 50 at index 0"):
        predictions(rois, threshold=50.0)


def test_predictions_refuse_timestamps_that_do_not_match(rois):
    with pytest.raises(InvalidTypeError, match="There are 19 timestamps for 20 frames of data"):
        predictions(rois, rate=None, timestamps=np.arange(19.0))


@pytest.mark.parametrize("times", [{"rate": None}, {"timestamps": np.arange(20.0)}])
def test_predictions_need_either_rate_or_timestamps(rois, times):
    with pytest.raises(InvalidTypeError, match="Times are given by 'rate' or by 'timestamps': one of them"):
        predictions(rois, **times)


def test_predictions_refuse_a_movie_of_another_length(rois):
    movie = mock_nwbfile_with_movie(n_frames=30).acquisition["TwoPhotonSeries"]
    with pytest.raises(InvalidTypeError, match="There are 20 frames of data, movie 'TwoPhotonSeries' has 30"):
        predictions(rois, movie=movie)


def test_predictions_refuse_a_movie_of_another_rate(rois):
    movie = mock_nwbfile_with_movie(n_frames=20).acquisition["TwoPhotonSeries"]
    with pytest.raises(InvalidTypeError, match="The rate is 5 Hz, that of movie 'TwoPhotonSeries' is 10 Hz"):
        predictions(rois, movie=movie, rate=5.0)


def test_predictions_in_memory_become_float32_and_have_their_unit(rois):
    series = predictions(rois, data=np.full((20, 3), 0.1))
    assert series.data.dtype == np.float32
    assert series.unit == "probability"


def test_predictions_do_not_use_up_an_iterator(rois):
    taken = []

    def frames():
        for frame in np.full((20, 3), 2.0):
            taken.append(1)
            yield frame

    data = DataChunkIterator(data=frames(), maxshape=(None, 3), dtype=np.dtype("float32"), buffer_size=1)
    before = len(taken)
    predictions(rois, data=data)
    assert len(taken) == before


def test_predictions_become_a_table_by_time_and_roi_id(rois):
    table = predictions(rois).to_dataframe()
    assert table.shape == (20, 3)
    assert table.columns.tolist() == [0, 1, 2]
    np.testing.assert_allclose(table.index[:3], [0, 0.1, 0.2])


def test_cell_types_refuse_a_name_that_is_not_listed(rois):
    with pytest.raises(InvalidTypeError, match="Column 'cell_type' is 'c' in row 1: not one of 'a', 'b'"):
        cell_types(rois, cell_type=["a", "c"])


def test_cell_types_refuse_probabilities_of_another_number_of_types(rois):
    message = r"'probability' has shape \(2, 2\), but there are 3 cell types.* in order: a, b, c"
    with pytest.raises(InvalidTypeError, match=message):
        cell_types(rois, cell_types=["a", "b", "c"])


def test_cell_types_refuse_a_confidence_above_one(rois):
    with pytest.raises(InvalidTypeError, match=r"Column 'confidence' is 90 at index 0: not within 0 to 1"):
        cell_types(rois, confidence=[90.0, 0.8])


def test_cell_types_refuse_a_probability_below_zero(rois):
    with pytest.raises(InvalidTypeError, match=r"Column 'probability' is -0\.1 at index \(0, 1\)"):
        cell_types(rois, probability=np.array([[0.9, -0.1], [0.2, 0.8]]))


def test_cell_types_refuse_a_classifier_of_another_task(rois):
    with pytest.raises(
        InvalidTypeError, match=r"'activity-mock' .row 0. is for the task 'activity', not 'cell_type'"
    ):
        cell_types(rois, classifier=[0, 1])


def test_cell_types_refuse_a_type_that_is_named_twice(rois):
    with pytest.raises(InvalidTypeError, match="'cell_types' names a type twice: a, a"):
        cell_types(rois, cell_types=["a", "a"])


def test_cell_types_refuse_an_roi_outside_the_table(rois):
    with pytest.raises(
        InvalidTypeError, match="Column 'roi' points to row 3, which does not exist: 'PlaneSegm"
    ):
        cell_types(rois, roi=[0, 3])


def test_cell_types_become_a_table_joined_with_the_columns_of_the_rois():
    rois = mock_segmentation(2)
    rois.add_column(name="Accepted", description="By a person.", data=[True, False])
    table = cell_types(rois, roi=[1, 0]).to_dataframe()
    assert table["Accepted"].tolist() == [False, True]
    assert table["roi_id"].tolist() == [1, 0]
    assert table["probability b"].tolist() == pytest.approx([0.1, 0.8])
    assert table["classifier"].tolist() == ["cell-type-mock"] * 2


def test_types_without_a_given_meaning_mean_their_name(rois):
    table = mock_CellTypePredictions(rois)
    meanings = table["cell_type"].get_meanings().to_dataframe().set_index("value")
    assert meanings.loc["interneuron", "meaning"] == "interneuron"
    assert meanings.loc["pyramidal", "meaning"] == "Excitatory neuron"
    assert CellTypeMeaning("a").ontology_id == ""


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("roi", [0, 1, 9], "Column 'roi' points to row 9, which does not exist"),
        ("roi", [0, 1, -1], "Column 'roi' points to row -1, which does not exist"),
        ("roi", [0.0, 1.0, 2.0], "Column 'roi' is of type float64, not of whole numbers"),
        ("last_frame", [14, 2, 54], "Period 1 runs from frame 30 to frame 2"),
        ("first_frame", [-1, 30, 50], "Period 0 runs from frame -1 to frame 14"),
        ("duration", [0.5, 0.5, -1.0], "Column 'duration' is -1 in row 2: it must not be negative"),
        ("peak_probability", [0.5, 0.5, 2.0], "Column 'peak_probability' is 2 at index 2"),
        ("mean_probability", [np.nan, 0.5, 0.5], "Column 'mean_probability' is nan at index 0"),
    ],
)
def test_transients_name_the_column_and_the_row_of_a_fault(rois, column, values, message):
    columns = mock_PredictedTransients(rois).to_dataframe(index=True).to_dict("list")
    with pytest.raises(InvalidTypeError, match=message):
        PredictedTransients.from_arrays(rois=rois, columns={**columns, column: values})


def test_a_row_that_is_added_is_checked_like_a_whole_column(rois):
    table = mock_PredictedTransients(rois)
    row = table.to_dataframe(index=True).iloc[0].to_dict()
    with pytest.raises(InvalidTypeError, match="Period 0 runs from frame 10 to frame 3"):
        table.add_event(**{**row, "roi": 0, "first_frame": 10, "last_frame": 3})
    assert len(table) == 3


def test_annotations_refuse_an_unknown_state(rois):
    table = mock_ActivityAnnotations(rois)
    row = {"timestamp": 1.0, "duration": 0.5, "roi": 0, "annotator": "x", "first_frame": 1, "last_frame": 2}
    with pytest.raises(
        InvalidTypeError, match="Column 'state' is 'asleep' in row 0: not one of 'active', 'doubtful'"
    ):
        table.add_row(**row, state="asleep")


def test_segments_refuse_an_end_before_the_beginning(rois):
    columns = {"start_time": [0.0, 5.0], "stop_time": [1.0, 4.0], "roi": [0, 1]}
    with pytest.raises(InvalidTypeError, match="Period 1 runs from second 5 to second 4"):
        AnnotatedSegments.from_arrays(rois=rois, columns=columns)


def test_a_segment_that_is_added_is_checked(rois):
    with pytest.raises(InvalidTypeError, match="Column 'roi' points to row 8"):
        mock_AnnotatedSegments(rois).add_interval(start_time=0.0, stop_time=1.0, roi=8, annotator="x")


def test_cell_type_annotations_refuse_an_roi_outside_the_table(rois):
    with pytest.raises(InvalidTypeError, match="Column 'roi' points to row 8"):
        mock_CellTypeAnnotations(rois).add_row(roi=8, cell_type="a", annotator="x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "sorting"}, "Column 'task' is 'sorting' in row 0: not one of 'activity', 'cell_type'"),
        ({"sha256": "abc"}, "Column 'sha256' is 'abc' in row 0: not 64 lower-case hexadecimal digits"),
        ({"model_card": "{"}, "Column 'model_card' in row 0 is not JSON"),
        ({"model_card": "[]"}, "Column 'model_card' in row 0 is a JSON list, not an object"),
    ],
)
def test_classifiers_name_the_fault(change, message):
    classifier = {"name": "a", "task": "activity", "version": "1", "sha256": "0" * 64, "description": "A."}
    with pytest.raises(InvalidTypeError, match=message):
        ClassifierTable().add_classifier(**{**classifier, **change})


def test_a_classifier_that_is_there_is_not_added_again():
    table = ClassifierTable()
    classifier = {"name": "a", "task": "activity", "version": "1", "sha256": "0" * 64, "description": "A."}
    assert table.add_classifier(**classifier) == 0
    assert table.add_classifier(**{**classifier, "sha256": "1" * 64}) == 1
    assert table.add_classifier(**classifier) == 0
    assert len(table) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"versions": "3.12"}, "'versions' is a JSON float, not an object"),
        ({"parameters": "threshold"}, "'parameters' is not JSON"),
        ({"created": datetime(2024, 1, 1)}, "'created' has no time zone: 2024-01-01 00:00:00"),
    ],
)
def test_provenance_names_the_fault(change, message):
    mock = mock_PredictionProvenance()
    arguments = {name: getattr(mock, name) for name in mock.__nwbfields__}
    with pytest.raises(InvalidTypeError, match=message):
        type(mock)(**{**arguments, **change})


def test_provenance_gives_its_json_as_dictionaries():
    assert mock_PredictionProvenance().versions_dict() == {"keras": "3.12.0"}
    assert mock_PredictionProvenance().parameters_dict() == {"threshold": 0.5}
    assert mock_PredictionProvenance().created == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_mock_predictions_take_the_times_of_their_movie():
    nwbfile = mock_nwbfile_with_movie(n_frames=50)
    movie = nwbfile.acquisition["TwoPhotonSeries"]
    series = mock_ActivityPredictions(rois_of(nwbfile), movie=movie)
    assert series.data.shape == (50, 3)
    assert series.rate == movie.rate


def test_values_in_a_file_are_left_alone_by_checks(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "big.h5", "w") as file:
        data = file.create_dataset("data", data=[5.0, 6.0])
        assert checks.in_memory(data) is None
        assert checks.shape_of(data) == (2,)
        checks.check_probabilities(data, what="A probability", where="file")
