"""Traces and channels: right on small scenes, finite on odd ones, and the same however the movie is read."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndx_cinac.errors import ConfigError, PredictionError
from ndx_cinac.movies import ArrayMovie, Movie
from ndx_cinac.rois import Rois
from ndx_cinac.traces import CHANNELS, N_CHANNELS, TraceOptions, extract_traces
from ndx_cinac.traces.channels import baseline

SHAPE = (48, 40)
DEFAULT = TraceOptions()
CENTRES = np.array([(12, 10), (16, 14), (30, 28), (34, 24), (40, 8)])


def disk(centre, radius=5, shape=SHAPE):
    first, second = np.mgrid[: shape[0], : shape[1]]
    return np.argwhere((first - centre[0]) ** 2 + (second - centre[1]) ** 2 <= radius**2)


def make_scene(n_frames=400, seed=0, noise=6.0):
    """Five cells, some overlapping, over a changing background: movie, ROIs and true activity."""
    rng = np.random.default_rng(seed)
    events = rng.random((len(CENTRES), n_frames)) < 0.015
    kernel = np.exp(-np.arange(60) / 8) * (1 - np.exp(-np.arange(60) / 1.5))
    activity = np.stack([np.convolve(row, kernel)[:n_frames] for row in events.astype(float)])
    first, second = np.mgrid[: SHAPE[0], : SHAPE[1]]
    movie = np.broadcast_to(200 + 30 * np.sin(first / 5) * np.cos(second / 4), (n_frames, *SHAPE)).copy()
    glow = np.convolve(rng.normal(size=n_frames), np.ones(15) / 15, mode="same") * 30
    movie += glow[:, None, None] * np.exp(-((first - 20) ** 2 + (second - 15) ** 2) / 400)
    rois = Rois.from_pixels([disk(centre) for centre in CENTRES], SHAPE)
    for k in range(len(CENTRES)):
        i, j = rois.pixels(k).T
        movie[:, i, j] += 40 * activity[k][:, None]
    movie += rng.normal(0, noise, movie.shape)
    return np.round(movie).astype(np.uint16), rois, activity


@pytest.fixture(scope="module")
def scene():
    return make_scene()


def channels_of(movie, rois, options=DEFAULT):
    source = movie if isinstance(movie, Movie) else ArrayMovie(movie)
    with extract_traces(source, rois, options) as traces:
        return traces.channels()


def take(rois, rows):
    return Rois.from_pixels([rois.pixels(row) for row in rows], rois.shape)


class CountingMovie(ArrayMovie):
    """Counts how often each frame is read."""

    def __init__(self, frames, chunk_frames=1):
        super().__init__(frames)
        self.chunk_frames = chunk_frames
        self.calls = []

    def read(self, start, stop):
        self.calls.append((start, stop))
        return super().read(start, stop)

    def counts(self):
        counts = np.zeros(self.n_frames, int)
        for start, stop in self.calls:
            counts[start:stop] += 1
        return counts


STREAMED = TraceOptions(sample_bytes=300 * SHAPE[0] * SHAPE[1] * 2, block_bytes=4 * SHAPE[0] * SHAPE[1] * 64)
"""Makes a small movie be sampled and then read in blocks, as a large one."""


def test_channels_have_their_shape_type_and_names(scene):
    movie, rois, _ = scene
    with extract_traces(ArrayMovie(movie), rois) as traces:
        assert traces.channels().shape == (5, 400, N_CHANNELS)
        assert traces.channels().dtype == np.float32
        assert traces.n_frames == 400
        assert len(CHANNELS) == N_CHANNELS == len(set(CHANNELS)) == 11
        np.testing.assert_array_equal(traces.roi_rows, np.arange(5))
        assert not len(traces.missing_frames)
        assert traces.notes == ()


def test_channels_of_some_rois_are_those_of_all(scene):
    movie, rois, _ = scene
    with extract_traces(ArrayMovie(movie), rois) as traces:
        every = traces.channels()
        np.testing.assert_array_equal(traces.channels(slice(1, 3)), every[1:3])
        np.testing.assert_array_equal(traces.channels(np.array([4, 0])), every[[4, 0]])


def test_demixed_traces_follow_the_truth_better_than_means_within_masks(scene):
    movie, rois, activity = scene
    channels = channels_of(movie, rois)
    for k, truth in enumerate(activity):
        demixed = np.corrcoef(channels[k, :, 0], truth)[0, 1]
        assert demixed > 0.93
        assert demixed > np.corrcoef(channels[k, :, 10], truth)[0, 1]


def test_peaks_are_near_one_and_rest_near_zero(scene):
    movie, rois, activity = scene
    channels = channels_of(movie, rois)
    for k, truth in enumerate(activity):
        assert channels[k, :, 0].max() == pytest.approx(1.0, abs=0.35)
        assert abs(np.median(channels[k, truth < 0.01, 0])) < 0.15


@pytest.mark.parametrize("block_frames", [1, 7, 64, 333, 1000])
def test_channels_do_not_depend_on_the_block(scene, block_frames):
    movie, rois, _ = scene
    options = [
        TraceOptions(sample_bytes=STREAMED.sample_bytes, block_bytes=4 * movie[0].size * n)
        for n in (100, block_frames)
    ]
    expected, found = (channels_of(movie, rois, option) for option in options)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_channels_do_not_depend_on_the_movies_chunks_when_it_is_kept_whole(scene):
    movie, rois, _ = scene
    found = channels_of(CountingMovie(movie, chunk_frames=37), rois)
    np.testing.assert_allclose(found, channels_of(movie, rois), rtol=1e-5, atol=1e-5)


def test_channels_in_a_temporary_file_equal_those_in_memory(scene):
    movie, rois, _ = scene
    np.testing.assert_array_equal(
        channels_of(movie, rois, TraceOptions(store_bytes=0)), channels_of(movie, rois)
    )


def test_a_streamed_movie_gives_nearly_the_channels_of_one_kept_whole(scene):
    movie, rois, activity = scene
    whole, streamed = channels_of(movie, rois), channels_of(movie, rois, STREAMED)
    for k in range(len(activity)):
        assert np.corrcoef(whole[k, :, 0], streamed[k, :, 0])[0, 1] > 0.99


def test_permuted_rois_give_permuted_channels(scene):
    movie, rois, _ = scene
    order = [3, 0, 4, 2, 1]
    np.testing.assert_allclose(
        channels_of(movie, take(rois, order)), channels_of(movie, rois)[order], rtol=1e-4, atol=1e-4
    )


@settings(max_examples=8, deadline=None)
@given(factor=st.sampled_from([0.01, 0.5, 3.0, 1000.0]), offset=st.sampled_from([0.0, -100.0, 1000.0]))
def test_channels_do_not_depend_on_the_scale_of_brightness(factor, offset):
    movie, rois, _ = make_scene(150)
    scaled = movie.astype(np.float64) * factor + offset * factor
    np.testing.assert_allclose(channels_of(scaled, rois), channels_of(movie, rois), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u2"])
def test_channels_do_not_depend_on_the_type_of_pixels(scene, dtype):
    movie, rois, _ = scene
    np.testing.assert_allclose(
        channels_of(movie.astype(dtype), rois), channels_of(movie, rois), rtol=1e-4, atol=1e-4
    )


def test_channels_do_not_depend_on_the_order_of_the_axes(scene):
    movie, rois, _ = scene
    turned = Rois.from_pixels([rois.pixels(row)[:, ::-1] for row in range(5)], SHAPE[::-1])
    expected, found = channels_of(movie, rois), channels_of(movie.transpose(0, 2, 1).copy(), turned)
    for k in range(5):
        assert np.corrcoef(expected[k, :, 0], found[k, :, 0])[0, 1] > 0.999


def test_a_far_roi_hardly_changes_a_rois_channels(scene):
    movie, rois, _ = scene
    near = channels_of(movie, take(rois, [0, 1]))[:, :, 0]
    with_far = channels_of(movie, take(rois, [0, 1, 3]))[:2, :, 0]
    assert np.abs(near - with_far).max() < 0.05


def test_an_unselected_neighbour_is_demixed_but_gets_no_channels(scene):
    movie, rois, _ = scene
    marked = Rois(
        rois.first, rois.second, rois.weights, rois.starts, rois.shape, rois.ids, unselected={1: "not a cell"}
    )
    with extract_traces(ArrayMovie(movie), marked) as traces:
        np.testing.assert_array_equal(traces.roi_rows, [0, 2, 3, 4])
        np.testing.assert_allclose(traces.channels(), channels_of(movie, rois)[[0, 2, 3, 4]], atol=1e-5)


def test_skipped_rois_take_no_part(scene):
    movie, rois, _ = scene
    pixels = [rois.pixels(0), np.zeros((0, 2)), rois.pixels(2)]
    marked = Rois.from_pixels(pixels, SHAPE, skipped={1: "empty"})
    with extract_traces(ArrayMovie(movie), marked) as traces:
        np.testing.assert_array_equal(traces.roi_rows, [0, 2])
        np.testing.assert_allclose(traces.channels(), channels_of(movie, take(rois, [0, 2])), atol=1e-5)


@pytest.mark.parametrize("chunk_frames", [1, 16, 50, 5000])
def test_a_long_movie_is_read_once_after_a_sample_of_a_fifth(chunk_frames):
    frames = np.random.default_rng(0).integers(90, 110, (5000, 6, 7)).astype(np.uint8)
    rois = Rois.from_pixels([[[2, 2], [2, 3], [3, 2]]], (6, 7))
    movie = CountingMovie(frames, chunk_frames)
    extract_traces(movie, rois, TraceOptions(block_bytes=4 * 42 * 100))
    counts = movie.counts()
    assert counts.min() == 1
    assert counts.max() <= 2
    assert 0.02 * 5000 <= (counts == 2).sum() <= 0.2 * 5000
    assert max(stop - start for start, stop in movie.calls) <= 1600  # four blocks of float32
    if chunk_frames <= 100:
        assert all(start % chunk_frames == 0 for start, _ in movie.calls)


def test_a_short_movie_is_read_once_in_all(scene):
    movie, rois, _ = scene
    counting = CountingMovie(movie, chunk_frames=10)
    extract_traces(counting, rois)
    assert (counting.counts() == 1).all()


def test_memory_is_bounded_by_the_block_and_not_by_the_movie():
    rng = np.random.default_rng(0)
    pool = rng.integers(90, 110, (500, 32, 32)).astype(np.uint16)

    class Endless(Movie):
        shape, dtype, chunk_frames = (12000, 32, 32), pool.dtype, 10

        def read(self, start, stop):
            return pool[np.arange(start, stop) % 500]

    rois = Rois.from_pixels([disk(centre, 3, (32, 32)) for centre in rng.integers(4, 28, (8, 2))], (32, 32))
    options = TraceOptions(sample_bytes=2**20, block_bytes=2**20, store_bytes=0)
    tracemalloc.start()
    extract_traces(Endless(), rois, options).close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 2**20 < 12000 * pool[0].nbytes


def test_progress_is_told_and_ends_at_the_total(scene):
    movie, rois, _ = scene
    calls = []
    extract_traces(ArrayMovie(movie), rois, STREAMED, progress=lambda *call: calls.append(call))
    assert calls[0][0] == "sampling the movie"
    assert calls[-1] == ("extracting traces", 400, 400)


def test_an_error_while_reading_ahead_reaches_the_caller(scene):
    movie, rois, _ = scene

    class Broken(CountingMovie):
        def read(self, start, stop):
            if len(self.calls) > 40:
                raise OSError("disk gone")
            return super().read(start, stop)

    with pytest.raises(OSError, match="disk gone"):
        extract_traces(Broken(movie), rois, STREAMED)


@pytest.mark.parametrize("options", [TraceOptions(), STREAMED])
@pytest.mark.parametrize("empty", [np.nan, 0.0])
def test_missing_frames_are_reported_and_bridged(scene, options, empty):
    movie, rois, _ = scene
    holed = movie.astype(np.float32)
    gone = [0, 1, 50, 51, 52, 399]
    holed[gone] = empty
    with extract_traces(ArrayMovie(holed), rois, options) as traces:
        np.testing.assert_array_equal(traces.missing_frames, gone)
        assert "6 of 400 frames" in traces.notes[0]
        channels, raw = traces.channels(), traces.raw(slice(None))
    np.testing.assert_allclose(raw[..., 51], (raw[..., 49] + raw[..., 53]) / 2, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(raw[..., 0], raw[..., 2])
    np.testing.assert_array_equal(raw[..., 399], raw[..., 398])
    expected = channels_of(movie, rois, options)
    for k in range(5):
        assert np.corrcoef(channels[k, 60:, 0], expected[k, 60:, 0])[0, 1] > 0.97


@pytest.mark.parametrize("options", [TraceOptions(), STREAMED])
def test_a_moving_nan_border_hardly_changes_rois_beneath_it(scene, options):
    movie, rois, _ = scene
    bordered = movie.astype(np.float32)
    for t in range(400):
        bordered[t, : t % 4] = np.nan
        bordered[t, :, SHAPE[1] - t % 3 :] = np.nan
    found, expected = channels_of(bordered, rois, options), channels_of(movie, rois, options)
    assert np.isfinite(found).all()
    for k in range(5):
        assert np.corrcoef(found[k, :, 0], expected[k, :, 0])[0, 1] > 0.98


def test_a_roi_under_a_lasting_nan_border_is_flat_and_noted(scene):
    movie, rois, _ = scene
    bordered = movie.astype(np.float32)
    bordered[:, :4] = np.nan
    hidden = Rois.from_pixels([rois.pixels(2), [[0, 3], [1, 3]], rois.pixels(3)], SHAPE)
    with extract_traces(ArrayMovie(bordered), hidden) as traces:
        assert any("ROI row 1 " in note for note in traces.notes)
        channels = traces.channels()
    assert np.isfinite(channels).all()
    assert not channels[1, :, 0].any()
    assert np.corrcoef(channels[0, :, 0], channels_of(movie, take(rois, [2, 3]))[0, :, 0])[0, 1] > 0.98


ODD_MOVIES = {
    "constant": lambda m: np.full_like(m, 7),
    "zero": np.zeros_like,
    "without noise": lambda m: np.broadcast_to(m[0], m.shape).copy(),
    "two values in turn": lambda m: np.where(np.arange(len(m))[:, None, None] % 2, m[:1], m[:1] + 5).astype(
        m.dtype
    ),
    "near 65535": lambda m: np.minimum(m.astype(np.uint32) + 65000, 65535).astype(np.uint16),
    "saturated": lambda m: np.minimum(m, 200),
    "boolean-like": lambda m: (m > 200).astype(np.uint8),
    "infinite pixels": lambda m: np.where(np.random.default_rng(0).random(m.shape) < 0.01, np.inf, m),
    "half NaN": lambda m: np.where(np.arange(len(m))[:, None, None] % 2, np.nan, m),
    "tiny numbers": lambda m: m.astype(np.float32) * 1e-30,
    "huge numbers": lambda m: m.astype(np.float64) * 1e30,
    "negative": lambda m: -m.astype(np.int32),
    "flicker": lambda m: m * (0.2 + np.random.default_rng(0).random((len(m), 1, 1)) * 5),
}


@pytest.mark.parametrize("kind", ODD_MOVIES)
@pytest.mark.parametrize("options", [TraceOptions(), STREAMED])
def test_odd_movies_give_finite_channels(kind, options):
    movie, rois, _ = make_scene(310)
    assert np.isfinite(channels_of(ODD_MOVIES[kind](movie), rois, options)).all()


def test_a_constant_movie_shows_no_activity():
    movie, rois, _ = make_scene(50)
    channels = channels_of(np.full_like(movie, 7), rois)
    assert not channels[..., :9].any()


@pytest.mark.parametrize("n_frames", [1, 2, 3, 10, 199, 201, 400])
def test_short_movies_give_finite_channels(scene, n_frames):
    movie, rois, _ = scene
    channels = channels_of(movie[:n_frames], rois)
    assert channels.shape == (5, n_frames, N_CHANNELS)
    assert np.isfinite(channels).all()


ODD_ROIS = {
    "one pixel": [[[0, 0]]],
    "corners": [[[0, 0], [0, 1]], [[47, 39], [46, 39]], [[0, 39]], [[47, 0]]],
    "identical": [disk((12, 10))] * 4,
    "the whole field": [np.argwhere(np.ones(SHAPE)), disk((12, 10))],
    "one within another": [disk((12, 10), 6), disk((12, 10), 2)],
}


@pytest.mark.parametrize("kind", ODD_ROIS)
@pytest.mark.parametrize("options", [TraceOptions(), STREAMED])
def test_odd_rois_give_finite_channels(scene, kind, options):
    channels = channels_of(scene[0], Rois.from_pixels(ODD_ROIS[kind], SHAPE), options)
    assert np.isfinite(channels).all()
    assert np.abs(channels).max() < 50


def test_hundreds_of_overlapping_rois_give_finite_channels(scene):
    centres = np.random.default_rng(0).integers(0, SHAPE, (300, 2))
    rois = Rois.from_pixels([disk(centre) for centre in centres], SHAPE)
    assert np.isfinite(channels_of(scene[0][:120], rois)).all()


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from(["u1", "f4", "i2"]),
)
def test_any_tiny_movie_gives_finite_channels(shape, seed, dtype):
    rng = np.random.default_rng(seed)
    movie = rng.integers(0, 100, shape).astype(dtype)
    if dtype == "f4":
        movie[rng.random(shape) < 0.2] = np.nan
        movie[0, 0, 0] = 1
    rois = Rois.from_pixels([rng.integers(0, shape[1:], (3, 2)) for _ in range(3)], shape[1:])
    assert np.isfinite(channels_of(movie, rois)).all()


def test_the_baseline_follows_drift_and_ignores_transients():
    drift = np.linspace(0, 100, 2000, dtype=np.float32)
    trace = drift + 50 * (np.arange(2000) % 100 < 10)
    found = baseline(trace[None].astype(np.float32), 200)[0]
    assert np.abs(found - drift)[100:-100].max() < 8


def test_a_movie_that_is_all_nan_is_refused(scene):
    _, rois, _ = scene
    with pytest.raises(PredictionError, match="shows nothing"):
        extract_traces(ArrayMovie(np.full((20, *SHAPE), np.nan, np.float32)), rois)


def test_rois_on_another_field_are_refused(scene):
    movie, rois, _ = scene
    with pytest.raises(
        PredictionError, match=r"ROIs lie on a field of \(48, 40\), the movie's frames are \(40, 48\)"
    ):
        extract_traces(ArrayMovie(movie.transpose(0, 2, 1)), rois)


def test_a_recording_without_rois_to_predict_is_refused(scene):
    rois = Rois.from_pixels([np.zeros((0, 2))], SHAPE, skipped={0: "empty"})
    with pytest.raises(PredictionError, match="No ROI can be predicted"):
        extract_traces(ArrayMovie(scene[0]), rois)


def test_options_survive_json():
    options = TraceOptions(ridge=0.02, spacing_range=(10, 30), refinements=1)
    assert TraceOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert TraceOptions.from_dict({}) == TraceOptions()


def test_unknown_options_are_named():
    with pytest.raises(ConfigError, match="Unknown trace options: rigde"):
        TraceOptions.from_dict({"rigde": 1})


@pytest.mark.parametrize(
    "values", [{"ridge": 0}, {"refinements": -1}, {"spacing_range": (30, 10)}, {"sample_frames": 0}]
)
def test_options_out_of_range_are_named(values):
    with pytest.raises(ConfigError, match=f"out of range: {next(iter(values))}="):
        TraceOptions(**values)


def test_a_movie_that_never_changes_is_named_as_such() -> None:
    frames = np.full((30, 20, 24), 7, np.uint16)
    rois = Rois.from_pixels([[(5, 5), (5, 6), (6, 5), (6, 6)]], (20, 24))
    with extract_traces(ArrayMovie(frames), rois) as traces:
        assert any("is the same in all frames" in note for note in traces.notes)
    frames[10, 5, 5] += 1
    with extract_traces(ArrayMovie(frames), rois) as traces:
        assert not any("is the same in all frames" in note for note in traces.notes)
