"""Simulated populations: types that differ as they should, known for each ROI; none where none are asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ndx_cinac.simulation import (
    ActivitySettings,
    MovieSettings,
    PopulationSettings,
    SimulationConfig,
    load_config,
    simulate_field,
)
from ndx_cinac.simulation.activity import simulate_activity
from ndx_cinac.simulation.nwb import to_nwbfile
from ndx_cinac.simulation.populations import (
    CellTraits,
    Population,
    draw_population,
    draw_traits,
    type_of,
)

SMALL = replace(
    load_config("cell-types-training"),
    movie=MovieSettings(shape=(48, 48), n_frames=(120, 120), frame_rate=(10.0, 10.0)),
)


def test_without_interneurons_cells_have_no_type_and_no_chance_is_used():
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    assert draw_traits(rng, PopulationSettings(), 20) == ()
    assert draw_population(rng, PopulationSettings(), (), 100, 10.0).traits == ()
    assert rng.random() == other.random()


def test_the_part_of_interneurons_is_what_is_asked_for():
    settings = PopulationSettings(interneurons=(0.3, 0.3))
    traits = draw_traits(np.random.default_rng(0), settings, 4000)
    part = np.mean([trait.cell_type == "interneuron" for trait in traits])
    assert part == pytest.approx(0.3, abs=0.03)
    assert {trait.cell_type for trait in traits} == {"interneuron", "pyramidal"}


def test_interneurons_differ_within_the_ranges_and_pyramidal_cells_are_as_their_field():
    settings = PopulationSettings(interneurons=(0.5, 0.5))
    for seed in range(20):
        for trait in draw_traits(np.random.default_rng(seed), settings, 20):
            if trait.cell_type == "pyramidal":
                neutral = replace(trait, cell_type="", roundness=None, bursts=None)
                assert neutral == CellTraits()
                continue
            for name in ("size", "rate", "height", "rise", "decay", "resting", "participation"):
                low, high = getattr(settings, name)
                assert low <= getattr(trait, name) <= high, name
            assert settings.modulation[0] <= abs(trait.modulation) <= settings.modulation[1]


def activity(population: Population, n_cells: int = 30):
    settings = ActivitySettings(
        event_rate=(0.05, 0.05), network_probability=0.0, burst_probability=0.0, silent_fraction=(0.0, 0.0)
    )
    return simulate_activity(np.random.default_rng(3), settings, n_cells, 3000, 10.0, population)


def test_interneurons_fire_more():
    fast = CellTraits("interneuron", rate=10.0, highest_rate=4.0)
    mixed = activity(Population((fast,) * 15, np.ones(3400), 10.0))
    events = (mixed.spikes > 0).sum(axis=1)
    assert np.median(events[:15]) > 5 * np.median(events[15:])


def test_no_median_rate_exceeds_the_highest():
    fast = CellTraits("interneuron", rate=1e4, highest_rate=2.0)
    spikes = activity(Population((fast,) * 30, np.ones(3400), 10.0)).spikes
    assert np.median(spikes.sum(axis=1) / 300) < 4.0


def test_a_modulated_cell_fires_in_its_state_and_an_inverted_one_outside_of_it():
    state = np.repeat([0.0, 1.0, 0.0, 1.0], 850)
    cell = CellTraits("interneuron", rate=20.0, highest_rate=3.0, modulation=0.95)
    traits = (cell,) * 10 + (replace(cell, modulation=-0.95),) * 10
    spikes = activity(Population(traits, state, 10.0), 20).spikes > 0
    on = state[300:3300] > 0.5
    assert spikes[:10, on].mean() > 5 * spikes[:10, ~on].mean()
    assert spikes[10:, ~on].mean() > 5 * spikes[10:, on].mean()


def test_a_population_without_types_changes_no_activity():
    plain, empty = activity(Population()), activity(Population((CellTraits(),) * 5))
    np.testing.assert_array_equal(plain.calcium, empty.calcium)


def test_type_of_an_roi_follows_the_cells_beneath():
    traits = (CellTraits("interneuron"), CellTraits("pyramidal"), CellTraits("pyramidal"))
    assert type_of((0,), traits) == "interneuron"
    assert type_of((1, 2), traits) == "pyramidal"
    assert type_of((0, 1), traits) == ""
    assert type_of((), traits) == "noise"
    assert type_of((0,), ()) == ""


def test_every_roi_of_a_field_has_its_type():
    field = simulate_field(SMALL, 5)
    assert len(field.cell_types) == len(field.rois)
    for kind, name in zip(field.kinds, field.cell_types, strict=True):
        if kind == "cell":
            assert name in ("interneuron", "pyramidal")
        elif kind != "doublet":
            assert name == "noise"


def test_interneurons_somata_are_larger_where_the_config_says_so():
    config = replace(
        SMALL,
        population=PopulationSettings(interneurons=(0.5, 0.5), size=(1.6, 1.6)),
        masks=replace(SMALL.masks, exact_probability=1.0),
    )
    sizes: dict[str, list[float]] = {"interneuron": [], "pyramidal": []}
    for seed in range(8):
        field = simulate_field(config, seed)
        typical = np.median(field.rois.n_pixels)
        for pixels, name in zip(field.rois.n_pixels, field.cell_types, strict=True):
            if name in sizes:
                sizes[name].append(pixels / typical)
    assert np.median(sizes["interneuron"]) > 1.5 * np.median(sizes["pyramidal"])


def test_a_file_holds_the_true_types_where_there_are_any():
    field = simulate_field(SMALL, 5)
    module = to_nwbfile(field).processing["ophys"]
    table = module["CellTypeAnnotations"]
    found = dict(zip(table["roi"].data[:], table["cell_type"].data[:], strict=True))
    assert found == {row: name for row, name in enumerate(field.cell_types) if name}
    assert set(table["annotator"].data[:]) == {"simulation"}
    plain = simulate_field(SimulationConfig(movie=SMALL.movie), 5)
    assert set(plain.cell_types) == {""}
    assert "CellTypeAnnotations" not in to_nwbfile(plain).processing["ophys"].data_interfaces


def test_the_preset_for_users_has_all_three_types():
    config = load_config("cell-types")
    config = replace(config, movie=replace(config.movie, n_frames=(60, 60)))
    assert {"interneuron", "pyramidal", "noise"} <= set(simulate_field(config, 1).cell_types)
