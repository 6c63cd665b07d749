"""Files that end the process which reads them: found in another process, and refused in a sentence."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac import hdf5_probe, hdf5_walk
from ndx_cinac.cinac_files import CinacFile
from ndx_cinac.classifiers.keras_files import BUNDLED, check_network_file
from ndx_cinac.errors import ClassifierError, ReadingError
from ndx_cinac.hdf5_probe import crash_fault
from ndx_cinac.legacy.weights import open_weights
from ndx_cinac.reading import read_recording
from ndx_cinac.testing.mock import mock_nwbfile_with_predictions

PROBE = hdf5_probe._fault
"""As it is: the other tests do without."""

CORPUS = Path(__file__).parents[2] / "benchmarks" / "fuzz" / "corpus"
CRASHING = sorted((CORPUS / "cinac_crashing").glob("*-*"))
SAID = "is damaged: reading it makes the HDF5 library crash"


@pytest.fixture(autouse=True)
def probe(monkeypatch):
    monkeypatch.setattr(hdf5_probe, "_fault", PROBE)
    PROBE.cache_clear()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files") / "session.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_predictions(n_frames=40))
    return path


@pytest.mark.skipif(h5py.version.hdf5_version_tuple >= (2, 1), reason="later versions may read these files")
@pytest.mark.parametrize("path", CRASHING, ids=lambda path: path.name)
def test_a_file_that_crashes_hdf5_is_refused_in_a_sentence(path):
    with pytest.raises(ReadingError, match=f"The .cinac file {SAID}"):
        CinacFile(path)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_text_that_claims_gigabytes_is_refused_before_anyone_takes_memory_for_it():
    said = "a single text or list in it claims more than 2 GiB"
    with pytest.raises(ReadingError, match=f"The .cinac file is damaged: {said}"):
        CinacFile(CORPUS / "cinac_large" / "text-of-4-gigabytes")


@pytest.mark.skipif(h5py.version.hdf5_version_tuple >= (2, 1), reason="as above")
def test_so_is_one_that_is_given_as_a_recording_or_as_weights():
    with pytest.raises(ReadingError, match=rf"{CRASHING[0].name}' {SAID}\. Copy or download it again"):
        read_recording(CRASHING[0])
    with (
        pytest.raises(ClassifierError, match="weights are damaged: reading it makes the HDF5 library crash"),
        open_weights(CRASHING[0]),
    ):
        pass


@pytest.mark.skipif(h5py.version.hdf5_version_tuple >= (2, 1), reason="as above")
def test_so_are_weights_in_a_network_file(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json"):
            archive.writestr(name, "{}")
        archive.write(CRASHING[0], "model.weights.h5")
    with pytest.raises(ClassifierError, match="weights are damaged: reading it makes the HDF5 library crash"):
        check_network_file(path)
    monkeypatch.setattr("ndx_cinac.classifiers.keras_files.crash_fault", lambda _: pytest.fail("tried"))
    check_network_file(BUNDLED / "activity-sim" / "model.keras")


def test_a_healthy_file_is_tried_once_for_each_of_its_states(healthy, tmp_path, monkeypatch):
    began, run = [], subprocess.run

    def counted(*given, **named):
        began.append(given)
        return run(*given, **named)

    monkeypatch.setattr(subprocess, "run", counted)
    path = tmp_path / "session.nwb"
    path.write_bytes(healthy.read_bytes())
    assert crash_fault(path) == crash_fault(path) == ""
    assert len(began) == 1
    with h5py.File(path, "a") as file:
        file["new"] = [1.0] * 1000
    assert crash_fault(path) == ""
    assert len(began) == 2


def test_a_file_that_hdf5_comes_to_no_end_with_is_refused(healthy, monkeypatch):
    monkeypatch.setattr(hdf5_probe, "LONGEST", 0.0)
    assert crash_fault(healthy) == "the HDF5 library comes to no end with it in 0 s"


def test_where_no_process_can_be_started_files_are_read_all_the_same(healthy, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert crash_fault(healthy) == ""
    for program in (None, "/usr/bin/matlab"):
        PROBE.cache_clear()
        monkeypatch.setattr("sys.executable", program)
        assert crash_fault(healthy) == ""
    assert crash_fault(Path("/nowhere/session.nwb")) == ""


def test_what_ends_for_other_reasons_is_left_to_the_reader(healthy, tmp_path, monkeypatch):
    (tmp_path / "text.nwb").write_text("no HDF5")
    assert crash_fault(tmp_path / "text.nwb") == ""
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *_, **__: subprocess.CompletedProcess([], -15),  # told to end, as we are
    )
    assert crash_fault(healthy) == ""


def test_a_walk_visits_every_object_once_and_keeps_to_the_file(healthy, tmp_path, monkeypatch):
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file["group/below/texts"] = ["one", "two"]
        file["group/below/again"] = file["group"]
        file["elsewhere"] = h5py.ExternalLink(str(healthy), "/")
        file["large"] = [0.0] * 200_000
    seen, real = [], hdf5_walk._read

    def noted(found):
        seen.append(found.name)
        return real(found)

    monkeypatch.setattr(hdf5_walk, "_read", noted)
    hdf5_walk.walk(str(path))
    assert sorted(seen) == ["/", "/group", "/group/below", "/group/below/texts", "/large"]


def test_a_walk_through_a_large_file_stops_in_time(healthy, monkeypatch):
    monkeypatch.setattr(hdf5_walk, "MOST_SECONDS", 0.0)
    monkeypatch.setattr(hdf5_walk, "_read", lambda _: pytest.fail("read"))
    hdf5_walk.walk(str(healthy))
