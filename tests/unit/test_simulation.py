"""Simulated fields: exact, within their config, and true to their labels."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from ndx_cinac.errors import ConfigError
from ndx_cinac.simulation import (
    BackgroundSettings,
    CameraSettings,
    CellSettings,
    MaskSettings,
    MovieSettings,
    SimulationConfig,
    list_presets,
    load_config,
    simulate_field,
)
from ndx_cinac.simulation.activity import (
    SHAPES,
    simulate_activity,
    transient,
)
from ndx_cinac.simulation.labels import (
    LEAST_TYPICAL,
    Convention,
    conventions,
    draw_convention,
    typical_rise,
)
from ndx_cinac.simulation.settings import ActivitySettings

SMALL = SimulationConfig(movie=MovieSettings(shape=(40, 48), n_frames=(150, 150)))


@pytest.fixture(scope="module")
def small_field():
    return simulate_field(SMALL, 3)


def test_the_same_seed_gives_the_same_field_to_the_last_bit(small_field):
    again = simulate_field(SMALL, 3)
    np.testing.assert_array_equal(again.movie, small_field.movie)
    np.testing.assert_array_equal(again.active, small_field.active)
    np.testing.assert_array_equal(again.rois.first, small_field.rois.first)


def test_another_seed_gives_another_field(small_field):
    assert not np.array_equal(simulate_field(SMALL, 4).movie, small_field.movie)


def test_arrays_have_the_shapes_that_the_field_promises(small_field):
    n_rois = len(small_field.rois)
    assert small_field.movie.shape == (150, 40, 48)
    assert small_field.movie.dtype == np.uint16
    assert small_field.rois.shape == (40, 48)
    for name in ("active", "ignored", "fluorescence", "spikes"):
        assert getattr(small_field, name).shape == (150, n_rois), name
    assert small_field.snr.shape == (n_rois,)
    assert small_field.rois.n_pixels.min() > 0


def test_no_frame_is_both_active_and_ignored(small_field):
    assert not (small_field.active & small_field.ignored).any()


@pytest.mark.parametrize("seed", range(6))
def test_frame_rate_and_pixel_size_stay_within_the_config(seed):
    field = simulate_field(replace(SMALL, movie=replace(SMALL.movie, n_frames=(20, 20))), seed)
    low, high = SMALL.movie.frame_rate
    assert low <= field.frame_rate <= high
    assert SMALL.cells.soma_size[0] / SMALL.cells.diameter[1] <= field.pixel_size
    assert field.pixel_size <= SMALL.cells.soma_size[1] / SMALL.cells.diameter[0]


def test_a_clean_cell_brightens_under_its_mask_where_it_is_active():
    config = replace(
        SMALL,
        movie=replace(SMALL.movie, frame_rate=(10, 10)),
        cells=CellSettings(
            number=(1, 1), diameter=(8, 8), border_fraction=0, unlisted=(0, 0), resting=(0, 0)
        ),
        camera=CameraSettings(
            clean_probability=1, motion_probability=0, stretched_probability=0, focus_probability=0
        ),
        masks=MaskSettings(exact_probability=1, non_cell=(0, 0)),
        activity=ActivitySettings(event_rate=(0.5, 0.5), silent_fraction=(0, 0)),
        background=BackgroundSettings(
            neuropil_probability=0, drift_probability=0, process_probability=0, bleaching_probability=0
        ),
    )
    field = simulate_field(config, 1)
    assert field.active.any()
    pixels = field.rois.pixels(0)
    trace = field.movie[:, pixels[:, 0], pixels[:, 1]].mean(axis=1)
    assert np.corrcoef(trace, field.fluorescence[:, 0])[0, 1] > 0.95
    rises = np.diff(trace)[field.active[1:, 0] & field.active[:-1, 0]]
    assert rises.mean() > 5 * np.diff(trace)[~field.active[1:, 0]].mean()


def test_rois_without_a_cell_are_never_active():
    config = replace(SMALL, masks=MaskSettings(non_cell=(0.5, 0.5)), cells=CellSettings(density=(0.25, 0.25)))
    fields = [simulate_field(config, seed) for seed in range(4)]
    without = [(field, roi) for field in fields for roi in np.flatnonzero(field.snr == 0)]
    assert without
    assert not any(field.active[:, roi].any() or field.fluorescence[:, roi].any() for field, roi in without)


def test_labels_run_from_the_last_frame_before_a_rise_to_its_peak():
    trace = np.array([0, 0, 0.5, 1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.1])
    active, ignored = Convention(0.2, 0.1).label(trace)
    np.testing.assert_array_equal(np.flatnonzero(active), [1, 2, 3])
    assert not ignored.any()


def test_small_rises_are_doubtful_and_tiny_ones_inactive():
    def rise(height):
        return [0, 0, height, height / 2, 0, 0]

    active, ignored = Convention(0.25, 0.13).label(np.array(rise(1.0) + rise(0.2) + rise(0.05)))
    np.testing.assert_array_equal(np.flatnonzero(active), [1, 2])
    np.testing.assert_array_equal(np.flatnonzero(ignored), [7, 8])


def test_a_rise_is_compared_with_rises_and_not_with_the_height_that_they_reach_together():
    stairs = np.repeat(np.arange(6.0), 2)
    trace = np.concatenate([[0.0], stairs, 5 - stairs, [0.0, 0.3, 0.0]])
    assert typical_rise(trace) == 1
    active, _ = Convention(0.25, 0.13).label(trace)
    assert active[-2]
    assert not Convention(0.25, 0.13, tallest=True).label(trace)[0][-2]
    for calm in (np.zeros(9), np.tile([0.0, 0.1], 50)):
        assert Convention(0.25, 0.13).size_of(calm) == LEAST_TYPICAL


def test_annotators_differ_and_the_movie_does_not():
    def labelled(smallest):
        activity = ActivitySettings(smallest_transient=(smallest, smallest), tallest_probability=0.0)
        return simulate_field(replace(SMALL, activity=activity), 3)

    one, other = labelled(0.1), labelled(0.9)
    np.testing.assert_array_equal(one.movie, other.movie)
    assert one.active.sum() > other.active.sum() > 0
    drawn = [draw_convention(np.random.default_rng(seed), ActivitySettings()) for seed in range(40)]
    assert {convention.tallest for convention in drawn} == {True, False}
    assert all(0.12 <= c.smallest <= 0.45 and c.doubtful == 0.5 * c.smallest for c in drawn)


def labelled_by(lowest, highest, *, opinions=True, tallest=0.0):
    activity = ActivitySettings(smallest_transient=(lowest, highest), tallest_probability=tallest)
    return simulate_field(replace(SMALL, activity=activity), 3, opinions=opinions)


def test_the_opinion_of_a_single_annotator_is_the_truth():
    field = labelled_by(0.2, 0.2)
    shown = slice(30, -5)  # rises that begin or end outside of the movie are judged by what is shown of them
    judged = ~field.ignored[shown]
    np.testing.assert_array_equal(field.opinions.judging[shown] > 0.5, judged)
    np.testing.assert_array_equal(field.opinions.called[shown][judged] > 0.5, field.active[shown][judged])
    assert set(np.unique(field.opinions.called)) <= {0, 1}


def test_opinions_lie_between_those_of_the_strictest_and_of_the_most_generous():
    field, strict, generous = labelled_by(0.1, 0.9), labelled_by(0.9, 0.9), labelled_by(0.1, 0.1)
    called = field.opinions.called * field.opinions.judging
    assert (called >= strict.opinions.called * strict.opinions.judging - 1e-6).all()
    assert (called <= generous.opinions.called + 1e-6).all()
    assert ((called > 0.1) & (called < 0.9)).any()


def test_asking_all_annotators_changes_nothing_else():
    asked, alone = labelled_by(0.1, 0.9, tallest=0.5), labelled_by(0.1, 0.9, tallest=0.5, opinions=False)
    assert alone.opinions is None
    for name in ("movie", "active", "ignored", "spikes", "snr"):
        np.testing.assert_array_equal(getattr(asked, name), getattr(alone, name), err_msg=name)


def test_the_annotators_that_are_asked_stand_for_those_that_are_drawn():
    settings = ActivitySettings(tallest_probability=0.3)
    asked = conventions(settings)
    weights = [probability for _, probability in asked]
    assert sum(weights) == pytest.approx(1)
    drawn = [draw_convention(np.random.default_rng(seed), settings) for seed in range(2000)]
    for figure in (lambda c: np.log(c.smallest), lambda c: c.doubtful, lambda c: float(c.tallest)):
        expected = float(np.mean([figure(convention) for convention in drawn]))
        assert np.average([figure(c) for c, _ in asked], weights=weights) == pytest.approx(expected, rel=0.05)


def test_a_transient_that_rides_on_another_is_labelled_by_itself():
    first = transient("linear", 3, 30, 0, 80)
    trace = np.concatenate([np.zeros(5), first])
    trace[20:] += first[:65]
    active, _ = Convention(0.25, 0.13).label(trace)
    starts = np.flatnonzero(np.diff(active.astype(int)) == 1) + 1
    assert list(starts) == [5, 20]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rise", [0.4, 1.0, 5.0])
def test_a_transient_rises_to_one_and_falls(shape, rise):
    curve = transient(shape, rise, 8.0, 0.3, 60)
    assert curve.max() == 1
    peak = int(np.argmax(curve))
    assert peak <= rise + 2 or shape == "exponential"
    assert (np.diff(curve[: peak + 1]) >= 0).all()
    assert (np.diff(curve[peak:]) <= 0).all()
    assert curve[0] == 0


def test_silent_cells_have_neither_spikes_nor_activity():
    settings = ActivitySettings(silent_fraction=(1, 1), subthreshold_probability=0)
    activity = simulate_activity(np.random.default_rng(0), settings, 5, 200, 10.0)
    assert not activity.spikes.any()
    assert not activity.calcium.any()
    assert not activity.active.any()


def test_events_come_at_about_the_rate_of_the_config():
    settings = ActivitySettings(
        event_rate=(0.2, 0.2), burst_probability=0, network_probability=0, silent_fraction=(0, 0)
    )
    activity = simulate_activity(np.random.default_rng(0), settings, 200, 1000, 10.0)
    per_second = (activity.spikes > 0).sum() / 200 / 100
    assert 0.15 < per_second < 0.4  # cells differ evenly on a logarithmic scale: their mean is 0.24


def test_yaml_brings_a_config_back(tmp_path: Path):
    config = replace(SMALL, camera=CameraSettings(snr=(3.0, 4.0)))
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert SimulationConfig.from_yaml(path) == config


def test_a_yaml_file_keeps_defaults_for_what_it_leaves_out(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("movie: {n_frames: [77, 88]}\n", encoding="utf-8")
    assert SimulationConfig.from_yaml(path) == replace(
        SimulationConfig(), movie=replace(SimulationConfig().movie, n_frames=(77, 88))
    )


def test_the_training_preset_is_the_default():
    assert load_config("training") == SimulationConfig()


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_can_be_simulated(name):
    config = load_config(name)
    field = simulate_field(replace(config, movie=replace(config.movie, n_frames=(10, 10))), 0)
    assert field.movie.shape[0] == 10
    assert len(field.rois) >= 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"camera": {"noise": 1}}, "Unknown setting 'noise' (test: camera)"),
        ({"optics": {}}, "Unknown setting 'optics'"),
        ({"camera": 3}, "A mapping was expected, not int"),
        ({"camera": {"snr": [9, 3]}}, "The lowest value comes first, not [9, 3]"),
        ({"camera": {"snr": 3}}, "A pair of numbers was expected, not 3"),
        ({"movie": {"n_frames": [10, 10.5]}}, "A whole number of at least 0 was expected, not 10.5"),
        ({"movie": {"frame_rate": [-1, 3]}}, "A number of at least 0 was expected, not -1"),
        ({"session": {"age": 3}}, "A text was expected, not 3"),
        ({"movie": {"frame_rate": ["a", 3]}}, "A number of at least 0 was expected, not 'a'"),
    ],
)
def test_a_wrong_config_is_refused_with_its_place(values, message):
    with pytest.raises(ConfigError) as error:
        SimulationConfig.from_dict(values, where="test")
    assert message in str(error.value)


def test_a_file_that_is_missing_is_named():
    with pytest.raises(ConfigError, match=r"cannot be read.*nowhere\.yaml"):
        SimulationConfig.from_yaml("nowhere.yaml")


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path):
    path = tmp_path / "broken.yaml"
    path.write_text("movie: [1, 2", encoding="utf-8")
    with pytest.raises(ConfigError, match="The simulation config cannot be read"):
        SimulationConfig.from_yaml(path)


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"Presets are: .*two-photon-sparse"):
        load_config("three-photon")


def test_a_logarithmic_range_from_0_is_refused():
    config = replace(SMALL, activity=ActivitySettings(event_rate=(0, 0.1)))
    with pytest.raises(ConfigError, match=r"logarithmic scale cannot start at 0: \[0, 0.1\]"):
        simulate_field(config, 0)


def test_a_rate_of_0_leaves_cells_without_events():
    settings = ActivitySettings(event_rate=(0, 0), network_probability=0)
    assert not simulate_activity(np.random.default_rng(0), settings, 5, 100, 10.0).spikes.any()


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_comes_back_from_plain_mappings(name):
    config = load_config(name)
    assert SimulationConfig.from_dict(config.to_dict()) == config


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="cannot start from the seed -1"):
        simulate_field(SMALL, -1)


def test_a_field_without_room_for_a_cell_is_refused():
    config = replace(SMALL, movie=replace(SMALL.movie, shape=(3, 3)))
    with pytest.raises(ConfigError, match="has room in a field of 3 x 3 pixels"):
        simulate_field(config, 0)


def test_without_scipy_the_error_names_what_to_install():
    program = (
        "import sys; sys.modules['scipy'] = None\n"
        "from ndx_cinac.errors import MissingExtraError\n"
        "try:\n    import ndx_cinac.simulation\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Simulating movies needs the package 'scipy'" in run.stdout


def test_yaml_is_read_without_running_anything(tmp_path: Path):
    path = tmp_path / "unsafe.yaml"
    path.write_text(
        yaml.dump({"movie": {1, 2}}), encoding="utf-8"
    )  # a Python set: a tag that safe_load refuses or maps
    with pytest.raises(ConfigError):
        SimulationConfig.from_yaml(path)
