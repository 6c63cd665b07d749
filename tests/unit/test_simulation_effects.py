"""Every effect that a simulation is said to have shows in its movies, and truth stays right under it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from ndx_cinac.simulation import (
    ActivitySettings,
    BackgroundSettings,
    CameraSettings,
    CellSettings,
    MaskSettings,
    MovieSettings,
    OnePhotonSettings,
    SimulatedField,
    SimulationConfig,
    simulate_field,
)
from ndx_cinac.simulation.activity import Activity, simulate_activity
from ndx_cinac.simulation.background import draw_background
from ndx_cinac.simulation.camera import blur_frames, displace_lines
from ndx_cinac.simulation.defects import Defects, draw_defects
from ndx_cinac.simulation.labels import Convention, draw_convention

PLAIN = SimulationConfig(
    movie=MovieSettings(shape=(48, 52), n_frames=(300, 300), frame_rate=(10, 10)),
    cells=CellSettings(
        diameter=(9, 9),
        number=(6, 6),
        adjoining_fraction=0,
        border_fraction=0,
        resting=(0.3, 0.3),
        crossed=(0, 0),
        unlisted=(0, 0),
    ),
    activity=ActivitySettings(
        rise=(0.3, 0.3),
        decay=(0.8, 0.8),
        event_rate=(0.2, 0.2),
        rate_spread=(0, 0),
        event_spread=(0.1, 0.1),
        heavy_tailed_fraction=0,
        silent_fraction=(0, 0),
        burst_probability=0,
        network_probability=0,
        plateau_fraction=0,
        subthreshold_probability=0,
        saturation_fraction=0,
        smallest_transient=(0.25, 0.25),
        tallest_probability=0.0,
    ),
    background=BackgroundSettings(
        level=(2, 2),
        texture=(0, 0),
        vessel_probability=0,
        vignette_probability=0,
        neuropil_probability=0,
        process_probability=0,
        out_of_focus_probability=0,
        drift_probability=0,
        bleaching_probability=0,
        flicker_probability=0,
    ),
    camera=CameraSettings(
        motion_probability=0,
        focus_probability=0,
        bidirectional_probability=0,
        clean_probability=1,
        clean_snr=(1000, 1000),
        shot_noise=(0, 0),
        smoothed_probability=0,
        averaged_probability=0,
        counts=(10, 10),
        offset=(100, 100),
        stretched_probability=0,
        saturated_probability=0,
        dead_line_probability=0,
        missing_probability=0,
    ),
    masks=MaskSettings(exact_probability=1, soft_probability=0, non_cell=(0, 0), doublet=(0, 0)),
    one_photon=OnePhotonSettings(probability=0),
)
"""Six lone cells on an even background, almost free of noise."""


def field_with(seed: int = 1, **changes: dict[str, Any]) -> SimulatedField:
    """Simulate the plain field with some settings changed, section by section."""
    sections = {name: replace(getattr(PLAIN, name), **values) for name, values in changes.items()}
    return simulate_field(replace(PLAIN, **sections), seed)


def trace_of(field: SimulatedField, roi: int) -> np.ndarray:
    """Mean of an ROI's pixels in the movie, over time."""
    pixels = field.rois.pixels(roi)
    return field.movie[:, pixels[:, 0], pixels[:, 1]].mean(axis=1)


def onsets(active: np.ndarray) -> np.ndarray:
    """Frames in which active periods start."""
    return np.flatnonzero(np.diff(active.astype(int)) == 1) + 1


SILENT = {"silent_fraction": (1, 1)}


def test_transients_ride_on_one_another():
    field = field_with(
        activity={
            "burst_probability": 1,
            "burst_fraction": 1,
            "burst_interval": (0.6, 0.9),
            "decay": (2, 2),
        }
    )
    riding = 0
    for roi in range(len(field.rois)):
        trace = trace_of(field, roi) - trace_of(field, roi).min()
        riding += (trace[onsets(field.active[:, roi])] > 0.3 * trace.max()).sum()
    assert riding > 10


def test_plateaus_stay_up_long_after_their_active_frames():
    field = field_with(
        activity={
            "plateau_fraction": 1,
            "plateau_part": 1,
            "plateau_duration": (5, 5),
            "event_rate": (0.03, 0.03),
        }
    )
    roi = int(np.argmax(field.active.any(axis=0)))
    onset = next(t for t in onsets(field.active[:, roi]) if t < 230)
    trace = trace_of(field, roi)
    height = trace[onset : onset + 20].max() - trace[onset]
    assert (trace[onset + 10 : onset + 45] > trace[onset] + 0.6 * height).all()
    assert not field.active[onset + 15 : onset + 40, roi].all()


def test_synchronous_events_light_up_most_cells_at_once():
    together = {
        "event_rate": (1e-6, 1e-6),
        "network_probability": 1,
        "network_rate": (0.1, 0.1),
        "network_participation": (1, 1),
        "network_cells": 1,
        "network_jitter": 0,
    }
    field = field_with(activity=together)
    frame = int(np.argmax(field.active.sum(axis=1)))
    assert field.active[frame].all()
    before = max(frame - 4, 0)
    assert all(
        trace_of(field, roi)[frame : frame + 4].max() > trace_of(field, roi)[before]
        for roi in range(len(field.rois))
    )


def test_cells_that_never_fire_are_seen_and_do_not_change():
    field = field_with(activity=SILENT)
    assert not field.active.any()
    for roi in range(len(field.rois)):
        trace = trace_of(field, roi)
        assert trace.mean() > np.median(field.movie) + 3 * trace.std()
        assert trace.std() < 0.01 * trace.mean()


def test_rates_of_events_differ_more_than_tenfold_between_fields():
    rng = np.random.default_rng(0)
    events = [
        (simulate_activity(rng, ActivitySettings(), 12, 300, 10.0).spikes > 0).sum() / 12 / 30
        for _ in range(60)
    ]
    low, high = np.percentile(events, [10, 90])
    assert high > 10 * low


def test_rates_differ_between_the_cells_of_a_field():
    settings = replace(PLAIN.activity, rate_spread=(1, 1))
    activity = simulate_activity(np.random.default_rng(0), settings, 200, 1000, 10.0)
    counts = np.log((activity.spikes > 0).sum(axis=1) + 0.5)
    assert 0.7 < counts.std() < 1.3


def test_what_lies_beneath_rois_without_a_cell_is_said_and_shown():
    seen: set[str] = set()
    for seed in range(6):
        field = field_with(
            seed,
            masks={"non_cell": (1, 1), "smallest": 6},
            background={"process_probability": 1, "process_brightness": (0.6, 0.6), "vessel_probability": 1},
        )
        background = np.median(field.movie)
        for roi, kind in enumerate(field.kinds):
            seen.add(kind)
            if kind == "cell":
                continue
            assert not field.active[:, roi].any()
            assert not field.fluorescence[:, roi].any()
            if kind == "vessel":
                assert trace_of(field, roi).mean() < background
            if kind == "process" and field.ignored[:, roi].any():
                rising = field.ignored[1:, roi] & field.ignored[:-1, roi]
                steps = np.diff(trace_of(field, roi))
                assert steps[rising].mean() > 5 * abs(steps[~rising].mean())
    assert seen == {"cell", "process", "vessel", "neuropil"}


@pytest.mark.parametrize("seed", range(4))
def test_a_doublet_is_active_when_either_of_its_cells_is(seed):
    pair = {
        "number": (2, 2),
        "adjoining_fraction": 1,
        "adjoining_distance": (0.8, 1.0),
        "brightness_spread": (0, 0),
    }
    apart = field_with(seed, cells=pair)
    field = field_with(seed, cells=pair, masks={"doublet": (1, 1)})
    assert apart.kinds == ("cell", "cell")
    assert field.kinds == ("doublet",)
    np.testing.assert_array_equal(field.active[:, 0], apart.active.any(axis=1))
    np.testing.assert_array_equal(field.spikes[:, 0], apart.spikes.sum(axis=1))
    both = {tuple(pixel) for roi in (0, 1) for pixel in apart.rois.pixels(roi).tolist()}
    assert {tuple(pixel) for pixel in field.rois.pixels(0).tolist()} == both
    assert np.corrcoef(trace_of(field, 0), field.fluorescence[:, 0])[0, 1] > 0.95


def test_rises_of_the_dimmer_cell_of_a_doublet_count_beside_those_of_the_brighter():
    from ndx_cinac.simulation.truth import _either

    calcium = np.zeros((2, 60), np.float32)
    calcium[0, 11:30] = np.exp(-np.arange(19) / 5)
    calcium[1, 41:60] = np.exp(-np.arange(19) / 5)

    class Cells:
        activity = Activity(calcium, calcium, calcium > 2, calcium > 2, Convention(0.25, 0.13))
        height = np.array([1.0, 0.5])

    active, ignored = _either((0, 1), Cells)  # type: ignore[arg-type]
    assert list(np.flatnonzero(active)) == [10, 11, 40, 41]
    Cells.height = np.array([1.0, 0.2])
    active, ignored = _either((0, 1), Cells)  # type: ignore[arg-type]
    assert list(np.flatnonzero(active)) == [10, 11]
    assert list(np.flatnonzero(ignored)) == [40, 41]
    Cells.height = np.array([1.0, 0.1])
    active, ignored = _either((0, 1), Cells)  # type: ignore[arg-type]
    assert not ignored.any()


def test_a_bright_neighbour_crosses_silent_cells():
    found = 0
    for seed in range(4):
        field = field_with(
            seed,
            cells={
                "number": (10, 10),
                "crossed": (1, 1),
                "adjoining_fraction": 1,
                "adjoining_distance": (0.5, 0.7),
            },
        )
        quiet = ~field.spikes.any(axis=0)
        for roi in np.flatnonzero(quiet):
            assert not field.active[:, roi].any()
            others = [
                np.corrcoef(trace_of(field, roi), field.fluorescence[:, o])[0, 1]
                for o in np.flatnonzero(~quiet)
            ]
            found += max(others) > 0.9
    assert found >= 6


def test_offset_is_what_the_detector_reads_in_the_dark():
    field = field_with(camera={"offset": (250, 250)}, background={"level": (0.001, 0.001)})
    assert abs(np.percentile(field.movie, 20) - 250) < 25


def test_gain_scales_what_is_above_the_offset():
    single, double = field_with(camera={"counts": (10, 10)}), field_with(camera={"counts": (20, 20)})
    ratio = (double.movie.astype(float) - 100).mean() / (single.movie.astype(float) - 100).mean()
    assert ratio == pytest.approx(2, rel=0.01)


def test_brightness_changes_from_frame_to_frame():
    steady = field_with(activity=SILENT, camera={"offset": (0, 0)})
    field = field_with(
        activity=SILENT,
        camera={"offset": (0, 0)},
        background={"flicker_probability": 1, "flicker": (0.03, 0.03)},
    )
    means = field.movie.mean(axis=(1, 2))
    assert means.std() / means.mean() == pytest.approx(0.03, rel=0.2)
    assert steady.movie.mean(axis=(1, 2)).std() / steady.movie.mean() < 0.003


def test_a_field_that_bleaches_ends_darker():
    field = field_with(
        activity=SILENT,
        camera={"offset": (0, 0)},
        background={"bleaching_probability": 1, "bleaching": (0.4, 0.4), "bleaching_time": (0.2, 0.2)},
    )
    means = field.movie.mean(axis=(1, 2))
    assert means[-1] / means[0] == pytest.approx(0.6, abs=0.02)


def test_a_detector_that_saturates_cuts_the_brightest_pixels():
    free, field = field_with(), field_with(camera={"saturated_probability": 1, "saturation": (0.5, 0.5)})
    assert (free.movie == free.movie.max()).sum() < 5
    assert (field.movie == field.movie.max()).sum() > 50


def test_dead_lines_do_not_change():
    for seed in range(6):
        field = field_with(seed, camera={"dead_line_probability": 1, "dead_lines": (2, 2)})
        images = [field.movie.mean(axis=(0, axis)) for axis in (2, 1)]
        dead = [(image < 0.8 * np.median(image)).sum() for image in images]
        assert sorted(dead) == [0, 2]


def missing_field(kind: str) -> tuple[SimulatedField, Defects]:
    """Simulate fields with missing frames until one is of a kind."""
    for seed in range(40):
        settings = {"missing_probability": 1.0, "missing": (0.05, 0.05)}
        field = field_with(seed, camera=settings)
        rng = np.random.default_rng(seed)
        rng.random()
        rng.uniform(), rng.uniform()  # what is drawn before: kind of microscope, frame rate, length
        defects = draw_defects(rng, replace(PLAIN.camera, **settings), PLAIN.movie.shape, 300)
        found = "black" if defects.black.any() else "repeated" if defects.repeated.any() else "left out"
        if found == kind:
            return field, defects
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["black", "repeated", "left out"])
def test_missing_frames_do_not_shift_truth_against_the_movie(kind):
    field, defects = missing_field(kind)
    np.testing.assert_array_equal(field.unseen, defects.unseen)
    assert len(field.movie) == len(field.active) == 300
    seen = ~field.unseen
    for roi in np.flatnonzero(field.active.any(axis=0)):
        by_lag = [
            np.corrcoef(trace_of(field, roi)[5:-5][seen[5:-5]], np.roll(truth, lag)[5:-5][seen[5:-5]])[0, 1]
            for truth in [field.fluorescence[:, roi]]
            for lag in range(-4, 5)
        ]
        assert int(np.argmax(by_lag)) - 4 == 0
    if kind == "left out":
        assert (np.diff(defects.kept) > 1).any()
        assert defects.n_scene_frames == 315


def test_black_frames_show_nothing():
    field, defects = missing_field("black")
    means = field.movie.mean(axis=(1, 2))
    assert defects.black.sum() == 15
    assert means[defects.black].max() < means[~defects.black].min()


def test_repeated_frames_show_the_one_before():
    field, defects = missing_field("repeated")
    same = np.r_[False, (field.movie[1:] == field.movie[:-1]).all(axis=(1, 2))]
    np.testing.assert_array_equal(same, defects.repeated)


def test_events_of_frames_left_out_belong_to_the_next_frame():
    spikes = np.array([[0, 1, 0, 2, 0, 3.0]], np.float32)
    activity = Activity(spikes, spikes, spikes > 0, spikes > 9, Convention(0.25, 0.13))
    activity = activity.of_frames(np.array([0, 2, 3, 5]))
    np.testing.assert_array_equal(activity.spikes, [[0, 1, 2, 3]])
    np.testing.assert_array_equal(activity.active, [[False, False, True, True]])


def test_rises_that_no_frame_shows_are_doubtful():
    unseen = np.zeros(20, bool)
    unseen[[3, 4, 11]] = True
    none = np.zeros(0, np.int64)
    defects = Defects(np.arange(20), unseen, np.zeros(20, bool), none, 1, empty=True)
    active = np.zeros((1, 20), bool)
    active[0, [3, 4, 10, 11, 12]] = True
    seen, doubtful = defects.hide_unseen(active, np.zeros((1, 20), bool))
    assert list(np.flatnonzero(seen)) == [10, 11, 12]
    assert list(np.flatnonzero(doubtful)) == [3, 4]


def test_leaving_the_focus_dims_cells_together_and_blurs_frames():
    moving = {"focus_probability": 1, "focus": (0.1, 0.1), "defocus": (1.5, 1.5), "focus_time": (5, 5)}
    still, field = field_with(activity=SILENT), field_with(activity=SILENT, camera=moving)
    assert trace_of(field, 0).std() > 5 * trace_of(still, 0).std()

    def sharpness(movie):
        return np.abs(np.diff(movie.astype(float), axis=2)).mean(axis=(1, 2))

    assert sharpness(field.movie).std() > 5 * sharpness(still.movie).std()


def test_frames_blur_each_by_its_own_width():
    scene = np.zeros((3, 21, 21), np.float32)
    scene[:, 10, 10] = 1
    blur_frames(scene, np.array([0.0, 0.7, 1.4]))
    assert scene[0, 10, 10] == 1
    assert scene[0, 10, 10] > scene[1, 10, 10] > scene[2, 10, 10]
    np.testing.assert_allclose(scene.sum(axis=(1, 2)), 1, rtol=1e-4)


def test_every_other_line_is_off_by_the_offset_of_a_bidirectional_scan():
    frame = np.tile(np.arange(10, dtype=np.float32), (1, 4, 1))
    by_rows, by_columns = frame.copy(), np.swapaxes(frame, 1, 2).copy()
    displace_lines(by_rows, 1.5, 1)
    np.testing.assert_array_equal(by_rows[0, 0], np.arange(10))
    np.testing.assert_allclose(by_rows[0, 1, 2:], np.arange(2, 10) - 1.5)
    displace_lines(by_columns, 1.5, 2)
    np.testing.assert_array_equal(np.swapaxes(by_columns, 1, 2), by_rows)


def test_a_bidirectional_scan_combs_the_movie():
    def comb(field):
        image = field.movie.mean(axis=0)
        return max(
            np.abs(np.diff(image, axis=axis)).sum() / np.abs(np.diff(image, axis=1 - axis)).sum()
            for axis in (0, 1)
        )

    scanned = {"bidirectional_probability": 1, "bidirectional": (2, 2)}
    assert comb(field_with(camera=scanned)) > 1.3 > comb(field_with())


def test_residual_motion_moves_the_picture():
    still = field_with(activity=SILENT)
    field = field_with(activity=SILENT, camera={"motion_probability": 1, "motion": (1, 1)})
    assert field.movie.std(axis=0).max() > 5 * still.movie.std(axis=0).max()


def test_neuropil_leaks_into_cells_that_are_silent():
    still = field_with(activity=SILENT)
    field = field_with(activity=SILENT, background={"neuropil_probability": 1, "neuropil": (0.5, 0.5)})
    assert trace_of(field, 0).std() > 5 * trace_of(still, 0).std()


def test_cells_out_of_focus_are_wide_and_have_transients_of_their_own():
    activity = simulate_activity(np.random.default_rng(0), PLAIN.activity, 12, 300, 10.0)
    settings = replace(PLAIN.background, out_of_focus_probability=1, out_of_focus=(4, 4))
    cells, others = activity.of_cells(slice(4)), activity.of_cells(slice(4, None))
    rng = np.random.default_rng(1)
    background = draw_background(rng, settings, (56, 56), cells, others, frame_rate=10.0, diameter=9.0)
    assert len(background.images) == 4
    assert all(
        any(np.corrcoef(course, other)[0, 1] > 0.999 for other in others.calcium)
        for course in background.courses
    )
    assert max((image > 0.5).sum() for image in background.images) > 2 * np.pi / 4 * 9**2 * 0.5


def test_a_vignette_darkens_cells_and_background_away_from_its_centre():
    field = field_with(
        activity=SILENT,
        camera={"offset": (0, 0)},
        background={"vignette_probability": 1, "vignette": (0.7, 0.7)},
    )
    image = np.median(field.movie, axis=0)
    corners = [image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]]
    assert min(corners) < 0.5 * np.median(image)
    brightest = [field.movie[0][tuple(field.rois.pixels(roi).T)].max() for roi in range(len(field.rois))]
    assert np.corrcoef(brightest, field.snr)[0, 1] > 0


def test_true_fluorescence_is_as_bright_as_the_movie_under_a_vignette():
    field = field_with(background={"vignette_probability": 1, "vignette": (0.7, 0.7)})
    for roi in range(len(field.rois)):
        rows, columns = field.rois.pixels(roi).T
        brightest = np.ptp(field.movie[:, rows, columns].astype(float), axis=0).max()
        assert brightest == pytest.approx(np.ptp(field.fluorescence[:, roi]), rel=0.15)


@pytest.fixture(scope="module")
def one_photon_fields() -> list[SimulatedField]:
    config = replace(
        SimulationConfig(),
        one_photon=OnePhotonSettings(probability=1),
        movie=MovieSettings(n_frames=(150, 150)),
        camera=CameraSettings(stretched_probability=0, offset=(0, 0), clean_probability=1),
    )
    return [simulate_field(config, seed) for seed in range(6)]


def test_one_photon_fields_follow_their_own_ranges(one_photon_fields):
    settings = OnePhotonSettings()
    for field in one_photon_fields:
        assert field.one_photon
        assert settings.frame_rate[0] <= field.frame_rate <= settings.frame_rate[1]
        assert field.pixel_size >= CellSettings().soma_size[0] / settings.diameter[1]


def test_transients_of_one_photon_fields_are_small_beside_the_background(one_photon_fields):
    contrasts = []
    for field in one_photon_fields:
        for roi in np.flatnonzero(field.active.any(axis=0)):
            baseline = np.median(trace_of(field, roi))
            contrasts.append(np.ptp(field.fluorescence[:, roi]) / baseline)
    assert 0.02 < np.median(contrasts) < 0.5


def test_the_background_of_one_photon_fields_changes_more_than_most_cells(one_photon_fields):
    for field in one_photon_fields:
        outside = np.ones(field.rois.shape, bool)
        for roi in range(len(field.rois)):
            outside[tuple(field.rois.pixels(roi).T)] = False
        background = field.movie[:, outside].mean(axis=1)
        assert background.std() > 0.1 * np.median(np.ptp(field.fluorescence, axis=0)) / 6


def test_every_one_photon_setting_takes_the_place_of_another():
    used = PLAIN.as_one_photon()
    for entry in fields(OnePhotonSettings):
        homes = [s for s in (used.movie, used.cells, used.background, used.camera) if hasattr(s, entry.name)]
        assert len(homes) == (entry.name != "probability"), entry.name
        assert all(getattr(home, entry.name) == getattr(PLAIN.one_photon, entry.name) for home in homes)


def test_one_photon_fields_are_as_frequent_as_the_config_says():
    movie = MovieSettings(shape=(32, 32), n_frames=(5, 5))
    config = replace(PLAIN, movie=movie, one_photon=OnePhotonSettings(probability=0.25))
    kinds = [simulate_field(config, seed).one_photon for seed in range(80)]
    assert 8 <= sum(kinds) <= 34


def test_what_counts_as_a_transient_is_set_in_the_config():
    trace = np.array([0, 0, 1.0, 0.5, 0, 0, 0.3, 0.1, 0, 0])
    settings = ActivitySettings(smallest_transient=(0.25, 0.25), tallest_probability=0.0)
    active, _ = draw_convention(np.random.default_rng(0), settings).label(trace)
    assert active[6]
    settings = ActivitySettings(smallest_transient=(0.4, 0.4), tallest_probability=0.0)
    strict, doubtful = draw_convention(np.random.default_rng(0), settings).label(trace)
    assert doubtful[6]
    assert not strict[6]
