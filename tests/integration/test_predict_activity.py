"""From an NWB file to one with predictions: the right numbers in it, nothing left behind on failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac import OutputOptions, PredictionOptions, predict_activity, read_recording
from ndx_cinac.errors import ClassifierError, OutputError, PredictionError, ReadingError
from ndx_cinac.reading import ReadingOptions, RoiSelection
from ndx_cinac.rois import Rois
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie, mock_recording

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

N_ROIS, N_FRAMES = 4, 150


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files") / "session.nwb"
    nwbfile = mock_nwbfile_with_movie(N_ROIS, N_FRAMES, layout=MockLayout(stored_traces=True))
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


@pytest.fixture
def source(stored, tmp_path) -> Path:
    """A file that a test may change."""
    path = tmp_path / "session.nwb"
    path.write_bytes(stored.read_bytes())
    return path


@pytest.fixture(scope="module")
def expected(stored, tiny_classifier):
    return predict_activity(stored, tiny_classifier)


def test_nothing_is_written_by_default(source, tiny_classifier, expected):
    before = source.read_bytes()
    result = predict_activity(source, tiny_classifier)
    np.testing.assert_array_equal(result.probabilities, expected.probabilities)
    assert result.output is None
    assert source.read_bytes() == before
    assert [path.name for path in source.parent.iterdir()] == ["session.nwb"]


def test_file_and_arrays_give_the_same_numbers(expected, tiny_classifier):
    in_memory = predict_activity(mock_recording(N_ROIS, N_FRAMES).recording, tiny_classifier)
    np.testing.assert_allclose(expected.probabilities, in_memory.probabilities, atol=1e-5)


def test_source_and_axes_are_in_the_result(expected, stored):
    assert expected.source is not None
    assert expected.source.path == stored
    assert expected.source.movie_path == "acquisition/TwoPhotonSeries"
    assert expected.parameters["axes"]["masks"] == "matching"
    assert expected.parameters["axes"]["evidence"] != "arrays"


def test_copy_holds_what_the_result_holds(source, tiny_classifier, tmp_path):
    goal = tmp_path / "out.nwb"
    result = predict_activity(source, tiny_classifier, goal, options=PredictionOptions(threshold=0.5))
    assert result.output == goal
    with NWBHDF5IO(goal, "r") as io:
        module = io.read().processing["cinac"]
        predictions = module["ActivityPredictions"]
        np.testing.assert_array_equal(predictions.data[:], result.probabilities)
        np.testing.assert_array_equal(predictions.rois.data[:], result.roi_rows)
        assert predictions.threshold == 0.5
        assert module["classifiers"]["sha256"][0] == result.classifiers[0].sha256
        assert len(module["PredictedTransients"]) == len(result.transients)


def test_output_can_go_into_the_file_itself_when_asked(source, tiny_classifier):
    result = predict_activity(source, tiny_classifier, OutputOptions(mode="in-place", name="Mine"))
    assert result.output == source
    with NWBHDF5IO(source, "r") as io:
        np.testing.assert_array_equal(io.read().processing["cinac"]["Mine"].data[:], result.probabilities)


def test_nwbfile_in_memory_is_predicted_and_written(tiny_classifier, tmp_path, expected):
    nwbfile = mock_nwbfile_with_movie(N_ROIS, N_FRAMES, layout=MockLayout(stored_traces=True))
    result = predict_activity(nwbfile, tiny_classifier, tmp_path / "out.nwb")
    np.testing.assert_allclose(result.probabilities, expected.probabilities, atol=1e-5)
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        written = io.read().processing["cinac"]["ActivityPredictions"]
        np.testing.assert_array_equal(written.data[:], result.probabilities)


def test_open_recording_is_predicted_written_and_stays_open(source, tiny_classifier, tmp_path, expected):
    with read_recording(source) as recording:
        result = predict_activity(recording, tiny_classifier, tmp_path / "out.nwb")
        assert recording.movie.read(0, 1).shape == (1, 40, 48)
    np.testing.assert_allclose(result.probabilities, expected.probabilities, atol=1e-5)
    assert (tmp_path / "out.nwb").exists()


def test_reading_options_choose_the_rows(source, tiny_classifier, expected):
    reading = ReadingOptions(rois=RoiSelection(rows=(0, 2)))
    result = predict_activity(source, tiny_classifier, reading=reading)
    np.testing.assert_array_equal(result.roi_rows, [0, 2])
    assert set(result.skipped) == {1, 3}
    np.testing.assert_allclose(result.probabilities, expected.probabilities[:, [0, 2]], atol=1e-5)


def test_existing_output_is_refused_before_the_source_is_read(source, tiny_classifier, tmp_path, monkeypatch):
    goal = tmp_path / "out.nwb"
    goal.write_text("precious")
    monkeypatch.setattr("ndx_cinac.reading.recordings.read_recording", lambda *a, **k: pytest.fail("read"))
    with pytest.raises(OutputError, match="exists already"):
        predict_activity(source, tiny_classifier, goal)
    assert goal.read_text() == "precious"


def test_existing_name_in_the_file_is_refused_before_the_source_is_read(source, tiny_classifier, monkeypatch):
    predict_activity(source, tiny_classifier, OutputOptions(mode="in-place"))
    monkeypatch.setattr("ndx_cinac.reading.recordings.read_recording", lambda *a, **k: pytest.fail("read"))
    with pytest.raises(OutputError, match="already holds"):
        predict_activity(source, tiny_classifier, OutputOptions(mode="in-place"))


def test_unknown_classifier_is_refused_before_anything_else(tmp_path, monkeypatch):
    monkeypatch.setattr("ndx_cinac.prediction.activity.check_goal", lambda *a: pytest.fail("checked"))
    with pytest.raises(ClassifierError, match="There is no classifier 'nobody'"):
        predict_activity(tmp_path / "none.nwb", "nobody", tmp_path / "out.nwb")


def test_missing_source_is_an_error_that_names_it(tiny_classifier, tmp_path):
    with pytest.raises(ReadingError, match=r"none\.nwb"):
        predict_activity(tmp_path / "none.nwb", tiny_classifier)


def open_files() -> set[str]:
    """Paths of the files that this process has open."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("open files can be listed on Linux only")
    return {str(link.readlink()) for link in folder.iterdir() if link.is_symlink()}


@pytest.mark.parametrize("stage", ["sampling", "predicting activity"])
def test_interrupted_prediction_leaves_nothing_behind_and_closes_its_files(
    source, tiny_classifier, tmp_path, monkeypatch, stage
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = source.read_bytes()

    def interrupt(now, done, total):
        if stage == "sampling" or now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_activity(source, tiny_classifier, tmp_path / "out.nwb", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["session.nwb"]
    assert source.read_bytes() == before
    assert str(source) not in open_files()


def test_refused_prediction_closes_its_files(source, tiny_classifier):
    with pytest.raises(PredictionError, match="None of the 4 ROIs can be predicted"):
        predict_activity(source, tiny_classifier, reading=ReadingOptions(rois=RoiSelection(rows=())))
    assert str(source) not in open_files()


@pytest.fixture(scope="module")
def bundled():
    """A mock recording, and what the classifier that comes along makes of it."""
    mock = mock_recording(n_rois=6, n_frames=600, seed=2)
    return mock, predict_activity(mock.recording)


def test_bundled_classifier_finds_the_transients_of_a_mock_recording(bundled):
    mock, result = bundled
    active, truth = result.active, mock.active
    recall = (active & truth).sum() / truth.sum()
    precision = (active & truth).sum() / max(1, active.sum())
    assert recall > 0.6
    assert precision > 0.6


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 1}, {"block_frames": 265}, {"block_bytes": 16 * 4 * 40 * 48}, {"channel_bytes": 1}],
    ids=str,
)
def test_numbers_of_the_bundled_classifier_do_not_depend_on_blocks_and_batches(bundled, options):
    mock, result = bundled
    got = predict_activity(mock.recording, options=PredictionOptions(**options))
    np.testing.assert_allclose(got.probabilities, result.probabilities, atol=1e-5)


def test_numbers_of_the_bundled_classifier_do_not_depend_on_the_order_of_rois(bundled):
    mock, result = bundled
    order, rois = [3, 0, 5, 4, 1, 2], mock.recording.rois
    shuffled = Rois.from_pixels(
        [rois.pixels(row) for row in order],
        rois.shape,
        weights=[rois.pixel_weights(row) for row in order],
        ids=np.array(order),
    )
    got = predict_activity(replace(mock.recording, rois=shuffled))
    np.testing.assert_allclose(got.probabilities, result.probabilities[:, order], atol=1e-5)
