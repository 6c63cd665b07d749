"""What a classifier of cell types is given: free of brightness, field and order of the ROIs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ndx_cinac.cell_types.features import (
    FEATURES,
    PATCH_CHANNELS,
    PIECE_CHANNELS,
    CellInputOptions,
    make_cell_inputs,
)
from ndx_cinac.cell_types.trace_features import (
    at_common_rate,
    cut_pieces,
    describe_traces,
    resample,
    synchrony,
)
from ndx_cinac.errors import ConfigError, PredictionError
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.rois import Rois
from ndx_cinac.testing.mock import mock_recording
from ndx_cinac.traces import N_CHANNELS

RATE = 10.0


@pytest.fixture(scope="module")
def scene():
    """A small recording of 60 s in double precision, so that scaling it is exact to rounding."""
    made = mock_recording(n_rois=5, n_frames=600, rate=RATE, seed=4).recording
    frames = made.require_movie().read(0, 600).astype(np.float64)
    return frames, made.require_rois()


def recording(frames, rois, pixel_size=1.2, rate=RATE):
    return CinacRecording(
        "scene", ArrayMovie(frames), rois, Times(len(frames), rate=rate), pixel_size=pixel_size
    )


def reordered(rois: Rois, order) -> Rois:
    return Rois.from_pixels([rois.pixels(row) for row in order], rois.shape)


def moved(rois: Rois, step: tuple[int, int], shape: tuple[int, int]) -> Rois:
    return Rois.from_pixels([rois.pixels(row) + np.array(step) for row in range(len(rois))], shape)


def column(inputs, name):
    return inputs.features[:, FEATURES.index(name)]


@pytest.fixture(scope="module")
def inputs(scene):
    return make_cell_inputs(recording(*scene))


def test_there_is_a_row_of_finite_numbers_for_each_roi(inputs):
    assert inputs.pieces.shape == (5, 4, 128, len(PIECE_CHANNELS))
    assert inputs.patches.shape == (5, 20, 20, len(PATCH_CHANNELS))
    assert inputs.features.shape == (5, len(FEATURES))
    for values in (inputs.pieces, inputs.patches, inputs.features):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert inputs.notes == ()


def test_brightness_and_offset_of_the_movie_do_not_matter(scene, inputs):
    frames, rois = scene
    other = make_cell_inputs(recording(37.0 * frames + 5000.0, rois))
    np.testing.assert_allclose(other.features, inputs.features, atol=2e-2)
    np.testing.assert_allclose(other.patches, inputs.patches, atol=2e-2)
    np.testing.assert_allclose(other.pieces, inputs.pieces, atol=2e-2)


def test_the_order_of_rois_does_not_matter(scene, inputs):
    frames, rois = scene
    order = [3, 0, 4, 1, 2]
    other = make_cell_inputs(recording(frames, reordered(rois, order)))
    np.testing.assert_allclose(other.features, inputs.features[order], atol=2e-2)
    np.testing.assert_allclose(other.patches, inputs.patches[order], atol=2e-2)


def test_empty_field_around_the_cells_does_not_matter(scene, inputs):
    frames, rois = scene
    rng = np.random.default_rng(0)
    edge = 24
    shape = (rois.shape[0] + 2 * edge, rois.shape[1] + 2 * edge)
    quiet = np.concatenate([frames[:, :2].ravel(), frames[:, -2:].ravel()])
    padded = rng.choice(quiet[:100_000], (len(frames), *shape))
    padded[:, edge:-edge, edge:-edge] = frames
    other = make_cell_inputs(recording(padded, moved(rois, (edge, edge), shape)))
    for name in ("log area (µm²)", "elongation", "compactness", "log duration (s)"):
        np.testing.assert_allclose(column(other, name), column(inputs, name), atol=1e-5)
    for name in ("events per second", "skewness", "correlation within the mask"):
        np.testing.assert_allclose(column(other, name), column(inputs, name), atol=0.15)


def test_areas_are_in_square_micrometres(scene, inputs):
    frames, rois = scene
    area = np.exp(column(inputs, "log area (µm²)"))
    np.testing.assert_allclose(area, rois.n_pixels * 1.2**2, rtol=1e-5)
    finer = make_cell_inputs(recording(frames, rois, pixel_size=0.6))
    np.testing.assert_allclose(np.exp(column(finer, "log area (µm²)")), area / 4, rtol=1e-5)


def test_an_unknown_pixel_size_is_assumed_from_the_median_roi_and_said(scene):
    frames, rois = scene
    made = make_cell_inputs(recording(frames, rois, pixel_size=None))
    median = np.exp(np.median(column(made, "log area (µm²)")))
    assert median == pytest.approx(np.pi * 36, rel=0.05)
    assert any("pixel size is not known" in note and "micrometres are assumed" in note for note in made.notes)


def test_a_short_recording_is_described_with_a_note(scene):
    frames, rois = scene
    made = make_cell_inputs(recording(frames[:120], rois))
    assert made.pieces.shape == (5, 4, 128, 3)
    assert any("12.0 s" in note and "hardly be judged" in note for note in made.notes)


def test_a_recording_of_a_few_frames_is_refused(scene):
    frames, rois = scene
    with pytest.raises(PredictionError, match=r"lasts 2\.0 s.*less than 4 s.*Use a longer recording"):
        make_cell_inputs(recording(frames[:20], rois))


def test_an_unknown_frame_rate_is_refused(scene):
    frames, rois = scene
    with pytest.raises(PredictionError, match=r"frame rate is not known.*Give the movie's series a rate"):
        make_cell_inputs(recording(frames, rois, rate=None))


def test_rows_that_are_not_selected_are_neighbours_and_get_no_inputs(scene, inputs):
    frames, rois = scene
    made = make_cell_inputs(recording(frames, replace(rois, unselected={0: "no", 3: "no"})))
    np.testing.assert_allclose(
        column(made, "log area (µm²)"), column(inputs, "log area (µm²)")[[1, 2, 4]], atol=1e-6
    )
    assert len(made) == 3


@pytest.mark.parametrize("rate", [3.0, 8.0, 25.0, 60.0])
def test_resampling_keeps_means_and_slow_waves(rate):
    seconds = np.arange(round(40 * rate)) / rate
    wave = np.sin(2 * np.pi * 0.2 * seconds).astype(np.float32)
    result = resample(wave[None], rate, 8.0)
    assert result.shape == (1, 320)
    expected = np.sin(2 * np.pi * 0.2 * ((np.arange(320) + 0.5) / 8 - 0.5 / rate))
    assert np.abs(result[0, 8:-8] - expected[8:-8]).max() < 0.06


def channels_of(trace: np.ndarray, noise: float) -> np.ndarray:
    made = np.zeros((1, len(trace), N_CHANNELS), np.float32)
    made[0, :, 0] = trace
    made[0, :, 9] = np.log(1 / noise) / 2
    return made


def train_of_transients(rate: float, starts, decay: float = 0.8, seconds: float = 100.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    trace = np.zeros(len(time))
    for start in starts:
        since = np.maximum(time - start, 0)
        trace += np.where(time >= start, (1 - np.exp(-since / 0.1)) * np.exp(-since / decay), 0)
    return trace / trace.max() + np.random.default_rng(1).normal(0, 0.02, len(time))


def named(trace, rate):
    values = describe_traces(at_common_rate(channels_of(trace, 0.02), rate, 8.0))[0]
    return dict(zip(FEATURES, values, strict=False))


@pytest.mark.parametrize("rate", [10.0, 30.0])
def test_events_rise_and_decay_are_found_in_seconds_whatever_the_frame_rate(rate):
    found = named(train_of_transients(rate, np.arange(5, 95, 5)), rate)
    assert found["events per second"] == pytest.approx(0.18, abs=0.011)
    assert found["decay time (s)"] == pytest.approx(0.95, abs=0.3)
    assert found["burstiness"] < -0.8
    slow = named(train_of_transients(rate, np.arange(5, 95, 5), decay=2.0), rate)
    assert slow["decay time (s)"] > found["decay time (s)"] + 0.5


def test_bursts_are_burstier_than_regular_events():
    bursts = np.concatenate([start + np.array([0.0, 1.2, 2.4, 3.6]) for start in (5, 30, 55, 80)])
    assert named(train_of_transients(10.0, bursts), 10.0)["burstiness"] > 0.2


def test_a_silent_trace_has_no_events_and_neutral_numbers():
    found = named(np.random.default_rng(0).normal(0, 0.02, 800), 10.0)
    assert found["events per second"] == 0
    assert found["rise time (s)"] == found["decay time (s)"] == found["burstiness"] == 0


def test_pieces_surround_the_highest_peaks_and_do_not_repeat_where_there_is_room():
    trace = train_of_transients(8.0, [20.0, 70.0])
    pieces = cut_pieces(at_common_rate(channels_of(trace, 0.02), 8.0, 8.0), 2, 16.0)
    peaks = pieces[0, :, :, 0].argmax(axis=1)
    assert (np.abs(peaks - 64) <= 4).all()
    assert np.abs(pieces[0, 0] - pieces[0, 1]).max() > 0.05


def test_synchrony_is_with_the_others_not_with_oneself():
    rng = np.random.default_rng(0)
    common = rng.normal(size=200)
    traces = np.stack([common, common, rng.normal(size=200)]) + 0.1 * rng.normal(size=(3, 200))
    found = synchrony(traces.astype(np.float32))
    assert found[0] > 0.5
    assert abs(found[2]) < 0.3
    assert (synchrony(traces[:1].astype(np.float32)) == 0).all()


def test_options_come_back_from_a_card():
    options = CellInputOptions(n_pieces=2, patch_pixels=12)
    assert CellInputOptions.from_dict(options.to_dict()) == options


def test_unknown_and_impossible_options_are_refused():
    with pytest.raises(ConfigError, match=r"Unknown options of cell inputs: speed\. Known are: rate"):
        CellInputOptions.from_dict({"speed": 1})
    with pytest.raises(ConfigError, match=r"'n_pieces' of cell inputs cannot be 0\. Give a number above 0"):
        CellInputOptions(n_pieces=0)
