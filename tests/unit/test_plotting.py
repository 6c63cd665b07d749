"""Figures: what they draw, for files with and without a movie, with gaps and without any activity."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from output_builders import random_result, write_source

from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.plotting.data import FigureData, mean_image, mean_traces, read_figure_data, relative_change
from ndx_cinac.recording import Times
from ndx_cinac.rois import Rois
from ndx_cinac.testing.mock import MockLayout
from ndx_cinac.writing import OutputOptions, write_predictions

pytest.importorskip("matplotlib")

from ndx_cinac.plotting import plot_field, plot_file, plot_probabilities, plot_traces
from ndx_cinac.plotting.field import outline
from ndx_cinac.plotting.figures import binned


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a copy and a standalone file."""
    folder = tmp_path_factory.mktemp("figures")
    source = write_source(folder / "session.nwb", MockLayout(mask="pixel"))
    result = random_result(source)
    write_predictions(result, OutputOptions(folder / "copy.nwb"), source)
    write_predictions(result, OutputOptions(folder / "alone.nwb", "standalone"), source)
    return folder


@pytest.fixture(scope="module")
def data(folder) -> FigureData:
    return read_figure_data(folder / "copy.nwb")


def texts(figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "get_text")))


@pytest.mark.parametrize(("name", "kind"), [("copy", "png"), ("alone", "svg"), ("copy", "pdf")])
def test_three_figures_are_written(folder, tmp_path, name, kind):
    paths = plot_file(folder / f"{name}.nwb", tmp_path / "new" / "deep", kind=kind)
    assert [path.name for path in paths] == [
        f"{name}_{what}.{kind}" for what in ("field", "probabilities", "traces")
    ]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_figures_need_no_display_and_leave_pyplot_alone(data):
    import sys

    plot_field(data)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_roi_without_predictions_is_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match=re.escape("ROI row 0 has no predictions: its mask is empty")):
        plot_file(folder / "copy.nwb", tmp_path, rois=[0])
    with pytest.raises(ConfigError, match=r"ROI row 99 .* Predicted are 2 rows: 1, 2"):
        plot_file(folder / "copy.nwb", tmp_path, rois=[99])


def test_file_without_predictions_is_refused(folder, tmp_path):
    with pytest.raises(ReadingError, match="holds no activity predictions named 'ActivityPredictions'"):
        plot_file(folder / "session.nwb", tmp_path)


def test_folder_that_cannot_be_made_is_named(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="The figures cannot be written"):
        plot_file(folder / "copy.nwb", tmp_path / "file")


def test_movie_gives_image_and_traces(folder, data):
    assert data.image is not None
    assert data.image.shape == (40, 48)
    assert data.traces is not None
    assert data.traces.shape == (60, 2)
    assert data.pixel_size == pytest.approx(2.0)
    alone = read_figure_data(folder / "alone.nwb")
    assert (alone.image, alone.traces) == (None, None)
    for row in range(3):
        np.testing.assert_array_equal(alone.rois.pixels(row), data.rois.pixels(row))


def test_rows_are_those_asked_for_or_the_busiest(folder, data):
    assert read_figure_data(folder / "copy.nwb", [2]).rows == (2,)
    assert data.rows == (1, 2)


def test_field_labels_axes_and_rois(data):
    figure = plot_field(data)
    assert {"second axis of the movie (pixels)", "first axis of the movie (pixels)"} <= set(
        texts(figure).split(" | ")
    )
    assert "2 predicted ROIs on the mean image" in texts(figure)
    assert len(figure.axes[0].images) == 1
    figure = plot_field(replace(data, image=None))
    assert "2 predicted ROIs (no movie at hand)" in texts(figure)
    assert not figure.axes[0].images


def test_labels_of_rois_that_lie_on_each_other_do_not_overlap(data):
    pixels = [np.array([[10, 10], [10, 11]])] * 3
    figure = plot_field(replace(data, rois=Rois.from_pixels(pixels, (40, 48)), rows=(1, 2)))
    places = np.array([text.get_position() for text in figure.axes[0].texts if text.get_text() in "12"])
    assert np.hypot(*(places[0] - places[1])) > 1


def test_outline_of_a_pixel_is_its_four_edges():
    edges = outline(np.array([[3, 5]]))
    assert sorted(map(tuple, edges.reshape(-1, 4).tolist())) == [
        (4.5, 2.5, 4.5, 3.5),
        (4.5, 2.5, 5.5, 2.5),
        (4.5, 3.5, 5.5, 3.5),
        (5.5, 2.5, 5.5, 3.5),
    ]
    assert len(outline(np.array([[3, 5], [3, 6]]))) == 6  # the edge between two pixels is none


def test_probabilities_have_units_and_rows(data):
    figure = plot_probabilities(data.result)
    shown = texts(figure)
    assert "time (s)" in shown
    assert "probability of activity" in shown
    assert "ROI (row of the table)" in shown
    image = figure.axes[1].collections[0].get_array()
    np.testing.assert_array_equal(np.asarray(image).reshape(2, 60), data.result.probabilities.T)


def test_long_recordings_keep_their_shortest_peaks(data):
    values = np.zeros((100_000, 1), np.float32)
    values[77_777] = 1
    result = replace(
        data.result, probabilities=values, roi_rows=np.array([1]), times=Times(100_000, rate=10.0)
    )
    edges, columns = binned(result)
    assert len(columns) == 1500
    column = int(np.flatnonzero(columns[:, 0])[0])
    assert edges[column] <= 7777.7 < edges[column + 1]


def test_gaps_of_a_recording_stay_empty(data):
    seconds = np.concatenate([np.arange(30) * 0.1, 10 + np.arange(30) * 0.1])
    _, columns = binned(replace(data.result, times=Times(60, timestamps=seconds)))
    assert np.isnan(columns[len(columns) // 2]).all()
    assert np.isfinite(columns[[0, -1]]).all()


def test_traces_show_predicted_periods_and_threshold(data):
    figure = plot_traces(data)
    assert len(figure.axes) == 4
    assert "ΔF/F" in texts(figure)
    assert "ROI 1" in texts(figure)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["predicted active", "probability (p)", "threshold 0.8"]
    alone = plot_traces(replace(data, traces=None))
    assert len(alone.axes) == 2


def test_silent_recordings_can_be_drawn(data):
    result = replace(data.result, probabilities=np.zeros_like(data.result.probabilities))
    plot_probabilities(result).canvas.draw()
    plot_traces(replace(data, result=result)).canvas.draw()


def test_mean_traces_leave_nan_pixels_out():
    frames = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    frames[1, 0, 0] = np.nan
    frames[2] = np.nan
    movie = ArrayMovie(frames)
    rois = Rois.from_pixels([np.array([[0, 0], [0, 1]])], (2, 3), weights=[np.array([1.0, 3.0])])
    traces = mean_traces(movie, rois, [0])[:, 0]
    np.testing.assert_allclose(traces, [0.75, 7.0, np.nan, 18.75])
    np.testing.assert_allclose(mean_image(movie)[0, :2], [(0 + 18) / 2, (1 + 7 + 19) / 3])
    assert np.isnan(relative_change(traces[:, None])[2, 0])


def test_exchanged_axes_of_the_prediction_are_used(folder, tmp_path):
    source = Path(shutil.copyfile(folder / "session.nwb", tmp_path / "session.nwb"))
    result = random_result(source)
    parameters = {**result.parameters, "axes": {"masks": "exchanged"}}
    path = write_predictions(replace(result, parameters=parameters), None, source)
    exchanged, matching = read_figure_data(path).rois, read_figure_data(folder / "copy.nwb").rois
    np.testing.assert_array_equal(np.sort(exchanged.pixels(1)[:, 0]), np.sort(matching.pixels(1)[:, 1]))
