"""Simulated NWB files: complete, clean to NWB Inspector, and the same when read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pynwb
import pytest

from ndx_cinac.errors import OutputError
from ndx_cinac.evaluation import truth_from_nwb
from ndx_cinac.reading import read_recording
from ndx_cinac.simulation import list_presets, load_config, simulate_field, write_nwb


@pytest.fixture(scope="module")
def field():
    config = load_config("two-photon-sparse")
    return simulate_field(
        replace(config, movie=replace(config.movie, shape=(64, 72), n_frames=(300, 300))), 1
    )


@pytest.fixture(scope="module")
def path(field, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nwb(field, tmp_path_factory.mktemp("simulated") / "field.nwb")


def test_nwb_inspector_reports_nothing_at_all_for_dandi(path: Path):
    from nwbinspector import inspect_nwbfile, load_config

    assert list(inspect_nwbfile(nwbfile_path=path, config=load_config("dandi"))) == []


def test_the_file_is_valid(path: Path):
    assert pynwb.validate(path=str(path)) == []


@pytest.fixture(scope="module")
def one_photon_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = load_config("one-photon")
    field = simulate_field(replace(config, movie=replace(config.movie, n_frames=(100, 100))), 1)
    return write_nwb(field, tmp_path_factory.mktemp("one_photon") / "field.nwb")


def test_a_one_photon_field_is_written_as_one(one_photon_path: Path):
    with pynwb.NWBHDF5IO(str(one_photon_path), "r") as io:
        nwbfile = io.read()
        movie = nwbfile.acquisition["OnePhotonSeries"]
        assert type(movie) is pynwb.ophys.OnePhotonSeries
        assert movie.imaging_plane.excitation_lambda < movie.imaging_plane.optical_channel[0].emission_lambda
        assert movie.imaging_plane.indicator == "GCaMP6f"
        assert movie.imaging_plane.location == "CA1"
        assert "one-photon" in movie.imaging_plane.device.description
    assert pynwb.validate(path=str(one_photon_path)) == []


def test_a_one_photon_movie_is_found_where_it_is(one_photon_path: Path):
    with read_recording(one_photon_path) as recording:
        assert recording.require_movie().shape[0] == 100


@pytest.mark.parametrize("name", list_presets())
def test_nwb_inspector_reports_nothing_for_any_preset(name: str, tmp_path: Path):
    from nwbinspector import inspect_nwbfile
    from nwbinspector import load_config as load_checks

    config = load_config(name)
    small = replace(config.movie, shape=(48, 56), n_frames=(220, 220))
    field = simulate_field(replace(config, movie=small), 2)
    path = write_nwb(field, tmp_path / "field.nwb")
    assert list(inspect_nwbfile(nwbfile_path=path, config=load_checks("dandi"))) == []


def test_the_table_says_what_lies_beneath_each_roi(field, path: Path):
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        table = io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert tuple(table["kind"][:]) == field.kinds
        assert "cell" in field.kinds


def test_the_recording_read_back_is_the_one_simulated(field, path: Path):
    with read_recording(path) as recording:
        assert recording.axes.masks == "matching"
        np.testing.assert_array_equal(recording.require_movie().read(0, 300), field.movie)
        rois = recording.require_rois()
        assert len(rois) == len(field.rois)
        for row in range(len(rois)):
            mine = {tuple(pixel) for pixel in field.rois.pixels(row).tolist()}
            assert {tuple(pixel) for pixel in rois.pixels(row).tolist()} == mine
        assert recording.times.frame_rate == pytest.approx(field.frame_rate)
        assert recording.pixel_size == pytest.approx(field.pixel_size)


def test_the_truth_read_back_is_the_one_simulated(field, path: Path):
    with read_recording(path) as recording, pynwb.NWBHDF5IO(str(path), "r") as io:
        truth = truth_from_nwb(io.read(), recording.times)
    np.testing.assert_array_equal(truth.active, field.active)
    np.testing.assert_array_equal(truth.ignored, field.ignored)
    assert truth.examined.all()
    assert truth.annotators == ("simulation",)


def test_true_fluorescence_and_spikes_lie_beside_the_rois(field, path: Path):
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        series = io.read().processing["ophys"]["Fluorescence"].roi_response_series
        np.testing.assert_array_equal(series["TrueFluorescence"].data[:], field.fluorescence)
        np.testing.assert_array_equal(series["TrueSpikes"].data[:], field.spikes)
        assert len(series["TrueSpikes"].rois) == len(field.rois)


def test_the_notes_hold_the_config_that_makes_the_field_again(field, path: Path, tmp_path: Path):
    from ndx_cinac.simulation import SimulationConfig

    config = tmp_path / "config.yaml"
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwbfile = io.read()
        config.write_text(nwbfile.notes, encoding="utf-8")
        assert "seed 1 " in nwbfile.experiment_description
    np.testing.assert_array_equal(simulate_field(SimulationConfig.from_yaml(config), 1).movie, field.movie)


def test_the_movie_is_stored_compressed_in_chunks_of_whole_frames(path: Path):
    import h5py

    with h5py.File(path) as file:
        data = file["acquisition/TwoPhotonSeries/data"]
        assert data.dtype == np.uint16
        assert data.compression == "gzip"
        assert data.chunks[1:] == data.shape[1:]


def test_a_file_that_exists_is_left_alone(field, path: Path):
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_nwb(field, path)
    assert path.read_bytes() == before


def test_a_missing_folder_is_named(field, tmp_path: Path):
    with pytest.raises(OutputError, match="folder does not exist"):
        write_nwb(field, tmp_path / "nowhere" / "field.nwb")


def test_a_write_that_fails_leaves_nothing_behind(field, tmp_path: Path, monkeypatch):
    from ndx_cinac.simulation import nwb

    def fail(self, *args, **kwargs):
        message = "disk full"
        raise OSError(message)

    monkeypatch.setattr(nwb.NWBHDF5IO, "write", fail)
    with pytest.raises(OutputError, match="disk full"):
        write_nwb(field, tmp_path / "field.nwb")
    assert list(tmp_path.iterdir()) == []
