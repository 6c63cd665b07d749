"""Predictions in files: copy, standalone and in-place, HDF5 and Zarr, read back; and interruptions."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from output_builders import classifier_info, file_bytes, random_result, write_source
from pynwb import NWBHDF5IO, validate
from pynwb.ophys import TwoPhotonSeries

from ndx_cinac import ActivityPredictions, ClassifierTable, PredictedTransients, PredictionProvenance
from ndx_cinac.errors import OutputError
from ndx_cinac.reading import read_recording
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie, mock_recording
from ndx_cinac.writing import OutputOptions, read_predictions, write_predictions
from ndx_cinac.writing.stored import opened, stored_names

MODES = ("copy", "standalone", "in-place")

# What the layout makes inevitable: our objects lie in a module of our name, and one classifier is one row.
KNOWN_SUGGESTIONS = {("check_processing_module_name", "cinac"), ("check_single_row", "classifiers")}


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    layout = MockLayout(stored_traces=True, mask="pixel", timestamps=True)
    return write_source(tmp_path_factory.mktemp("source") / "session.nwb", layout)


@pytest.fixture
def source(stored, tmp_path) -> Path:
    """A file that a test may change."""
    return Path(shutil.copyfile(stored, tmp_path / "session.nwb"))


def zarr_source(folder: Path) -> Path:
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    path = folder / "session.nwb.zarr"
    with hdmf_zarr.NWBZarrIO(str(path), "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=60))
    return path


def assert_holds(path: Path, result, name: str = "ActivityPredictions") -> None:
    """Compare all four objects in a file with what the API returned."""
    stored = read_predictions(path, name)
    np.testing.assert_array_equal(stored.probabilities, result.probabilities)
    np.testing.assert_array_equal(stored.roi_rows, result.roi_rows)
    np.testing.assert_array_equal(stored.roi_ids, result.roi_ids)
    np.testing.assert_allclose(stored.times.seconds(), result.times.seconds())
    for field in (
        "threshold",
        "classifiers",
        "definition",
        "skipped",
        "parameters",
        "device",
        "notes",
        "seconds",
    ):
        assert getattr(stored, field) == getattr(result, field), field
    assert stored.source.movie_id == result.source.movie_id
    assert stored.source.segmentation_path == result.source.segmentation_path
    assert (stored.source.path).resolve() == result.source.path.resolve()
    suffix = "" if name == "ActivityPredictions" else name
    with opened(path) as (nwbfile, _):
        module = nwbfile.processing["cinac"]
        predictions = module[name]
        assert type(predictions) is ActivityPredictions
        assert predictions.unit == "probability"
        assert type(module["classifiers"]) is ClassifierTable
        transients = module[f"{suffix}Transients" if suffix else "PredictedTransients"]
        assert type(transients) is PredictedTransients
        assert (
            type(module[f"{suffix}Provenance" if suffix else "PredictionProvenance"]) is PredictionProvenance
        )
        assert predictions.rois.table.name == "PlaneSegmentation"
        table, expected = transients.to_dataframe(index=True), result.transients
        np.testing.assert_array_equal(table["roi"], expected["roi_row"])
        for column in (
            "timestamp",
            "duration",
            "first_frame",
            "last_frame",
            "peak_probability",
            "mean_probability",
        ):
            np.testing.assert_allclose(table[column], expected[column], rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_all_objects_read_back_as_the_api_returned_them(source, mode):
    result, before = random_result(source), file_bytes(source)
    output = write_predictions(result, OutputOptions(mode=mode), source)
    assert_holds(output, result)
    assert validate(path=str(output)) == []
    if mode == "in-place":
        assert output == source.resolve()
    else:
        assert output.name == "session_cinac.nwb"
        assert file_bytes(source) == before
    assert sorted(p.name for p in source.parent.iterdir()) == sorted({source.name, output.name})


def test_copy_keeps_everything_and_links_to_its_own_movie(source):
    output = write_predictions(random_result(source), None, source)
    with h5py.File(source) as old, h5py.File(output) as new:
        paths: list[str] = []
        old.visit(paths.append)
        for path in paths:
            if path.startswith("specifications"):
                continue
            assert dict(old[path].attrs).keys() == dict(new[path].attrs).keys()
            if isinstance(old[path], h5py.Dataset):
                assert old[path].dtype == new[path].dtype
                if old[path].dtype.kind in "biufV":
                    np.testing.assert_array_equal(old[path][()], new[path][()])
        assert old.attrs["object_id"] == new.attrs["object_id"]
        link = new["processing/cinac/ActivityPredictions"].get("movie", getlink=True)
        assert isinstance(link, h5py.SoftLink)
        assert link.path == "/acquisition/TwoPhotonSeries"
    with opened(output) as (nwbfile, _):
        predictions = nwbfile.processing["cinac"]["ActivityPredictions"]
        assert predictions.movie is nwbfile.acquisition["TwoPhotonSeries"]
    with h5py.File(output) as file:  # the movie's timestamps are shared, not copied
        series = file["processing/cinac/ActivityPredictions"]
        assert series.get("timestamps", getlink=True).path == "/acquisition/TwoPhotonSeries/timestamps"


def test_movies_with_a_rate_give_predictions_with_that_rate(tmp_path):
    source = write_source(tmp_path / "session.nwb")
    result = random_result(source)
    output = write_predictions(result, None, source)
    assert_holds(output, result)
    with opened(output) as (nwbfile, _):
        assert nwbfile.processing["cinac"]["ActivityPredictions"].rate == 10.0


def test_standalone_file_holds_session_and_rois_but_neither_movie_nor_links(source):
    output = write_predictions(random_result(source), OutputOptions(mode="standalone"), source)
    with h5py.File(output) as file:
        paths: list[str] = []
        file.visit(paths.append)
        links = [
            file[p].get(n, getlink=True) for p in paths if isinstance(file[p], h5py.Group) for n in file[p]
        ]
        assert not any(isinstance(link, h5py.ExternalLink) for link in links)
    with opened(source) as (old, _), opened(output) as (new, _):
        assert len(new.acquisition) == 0
        assert new.identifier != old.identifier
        assert new.object_id != old.object_id
        assert (new.session_id, new.session_start_time) == (old.session_id, old.session_start_time)
        assert new.subject.subject_id == old.subject.subject_id
        assert new.subject.species == old.subject.species
        assert list(new.devices) == ["Microscope"]
        plane = new.imaging_planes["ImagingPlane"]
        assert plane.device is new.devices["Microscope"]
        assert plane.optical_channel[0].emission_lambda == 520.0
        np.testing.assert_array_equal(
            plane.grid_spacing[:], old.imaging_planes["ImagingPlane"].grid_spacing[:]
        )
        tables = [f.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"] for f in (old, new)]
        assert tables[0].to_dataframe().equals(tables[1].to_dataframe())
        assert new.processing["cinac"]["ActivityPredictions"].movie is None
    assert output.stat().st_size < source.stat().st_size


def test_standalone_copies_large_masks_and_all_columns_row_by_row(tmp_path, monkeypatch):
    monkeypatch.setattr("ndx_cinac.writing.standalone.LARGE", 100)
    source = tmp_path / "session.nwb"
    nwbfile = mock_nwbfile_with_movie(n_frames=60)
    table = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
    table.add_column("iscell", "yes or no", data=[True, False, True])
    table.add_column("label", "text", data=["a", "b", "ä"])
    with NWBHDF5IO(source, "w") as io:
        io.write(nwbfile)
    output = write_predictions(random_result(source), OutputOptions(mode="standalone"), source)
    with opened(source) as (old, _), opened(output) as (new, _):
        tables = [f.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"] for f in (old, new)]
        np.testing.assert_array_equal(tables[0]["image_mask"].data[:], tables[1]["image_mask"].data[:])
        assert tables[1].colnames == tables[0].colnames
        assert list(tables[1]["label"].data[:]) == ["a", "b", "ä"]
        np.testing.assert_array_equal(tables[1]["iscell"].data[:], [True, False, True])


def test_second_run_lies_beside_the_first_and_shares_the_classifiers_row(source):
    first, second = random_result(source, 1), random_result(source, 2)
    third = random_result(source, 3, classifier="other")
    output = write_predictions(first, None, source)
    write_predictions(second, OutputOptions(mode="in-place", name="Second"), output)
    write_predictions(third, OutputOptions(mode="in-place", name="Third"), output)
    for result, name in ((first, "ActivityPredictions"), (second, "Second"), (third, "Third")):
        assert_holds(output, result, name)
    with opened(output) as (nwbfile, _):
        table = nwbfile.processing["cinac"]["classifiers"]
        assert list(table["classifier_name"].data[:]) == ["tiny", "other"]
        assert table["sha256"].data[1] == classifier_info("other").sha256


def test_overwriting_a_name_replaces_only_that_name(source):
    first, second, third = (random_result(source, seed) for seed in (1, 2, 3))
    output = write_predictions(first, None, source)
    write_predictions(second, OutputOptions(mode="in-place", name="Second"), output)
    write_predictions(third, OutputOptions(mode="in-place", name="Second", overwrite=True), output)
    assert_holds(output, first)
    assert_holds(output, third, "Second")
    write_predictions(third, OutputOptions(mode="in-place", overwrite=True), output)
    assert_holds(output, third)
    assert validate(path=str(output)) == []


def test_existing_output_is_replaced_when_asked(source):
    result = random_result(source, 1)
    write_predictions(random_result(source, 2), None, source)
    assert_holds(write_predictions(result, OutputOptions(overwrite=True), source), result)


@pytest.mark.parametrize("mode", MODES)
def test_zarr_files_are_written_as_zarr(tmp_path, mode):
    source = zarr_source(tmp_path)
    result, before = random_result(source), file_bytes(source)
    output = write_predictions(result, OutputOptions(mode=mode), source)
    assert_holds(output, result)
    assert output.is_dir()
    if mode != "in-place":
        assert file_bytes(source) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({source.name, output.name})


def test_zarr_names_are_overwritten_and_lie_beside_each_other(tmp_path):
    source = zarr_source(tmp_path)
    first, second, third = (random_result(source, seed) for seed in (1, 2, 3))
    write_predictions(first, OutputOptions(mode="in-place"), source)
    write_predictions(second, OutputOptions(mode="in-place", name="B"), source)
    write_predictions(third, OutputOptions(mode="in-place", overwrite=True), source)
    assert_holds(source, third)
    assert_holds(source, second, "B")


def test_standalone_of_a_zarr_file_can_be_hdf5(tmp_path):
    source = zarr_source(tmp_path)
    result = random_result(source)
    output = write_predictions(result, OutputOptions(tmp_path / "alone.nwb", "standalone"), source)
    assert output.is_file()
    assert_holds(output, result)


@pytest.mark.parametrize("mode", ["copy", "standalone"])
def test_nwbfile_in_memory_is_written_and_stays_as_it_is(tmp_path, mode):
    nwbfile = mock_nwbfile_with_movie(n_frames=60)
    result = random_result(nwbfile)
    output = write_predictions(result, OutputOptions(tmp_path / "new.nwb", mode), nwbfile)
    stored = read_predictions(output)
    np.testing.assert_array_equal(stored.probabilities, result.probabilities)
    assert "cinac" not in nwbfile.processing
    assert nwbfile.container_source is None
    with NWBHDF5IO(tmp_path / "again.nwb", "w") as io:  # it can still be written elsewhere
        io.write(nwbfile)
    with opened(output) as (written, _):
        assert ("TwoPhotonSeries" in written.acquisition) == (mode == "copy")


def test_open_nwbfile_is_copied_from_its_file(source):
    result = random_result(source)
    with NWBHDF5IO(source, "r") as io:
        output = write_predictions(result, None, io.read())
    assert_holds(output, result)


def external_source(folder: Path) -> tuple[Path, np.ndarray]:
    """Write a file whose movie lies in two TIFF stacks beside it, named by relative paths."""
    mock = mock_recording(n_frames=60)
    nwbfile = mock_nwbfile_with_movie(n_frames=60, mock=mock)
    plane = nwbfile.imaging_planes["ImagingPlane"]
    (folder / "raw").mkdir(parents=True)
    for name, frames in (("a.tif", mock.frames[:40]), ("b.tif", mock.frames[40:])):
        tifffile.imwrite(folder / "raw" / name, frames, photometric="minisblack")
    series = TwoPhotonSeries(
        name="External",
        description="A movie in TIFF files.",
        external_file=["raw/a.tif", "raw/b.tif"],
        format="external",
        starting_frame=[0, 40],
        num_samples=60,
        rate=10.0,
        imaging_plane=plane,
        unit="n.a.",
    )
    nwbfile.acquisition.pop("TwoPhotonSeries")
    nwbfile.add_acquisition(series)
    with NWBHDF5IO(folder / "session.nwb", "w") as io:
        io.write(nwbfile)
    return folder / "session.nwb", mock.frames


def test_copy_in_another_folder_still_finds_its_external_movie(tmp_path):
    source, frames = external_source(tmp_path / "here")
    (tmp_path / "there" / "deep").mkdir(parents=True)
    result = random_result(source)
    output = write_predictions(result, OutputOptions(tmp_path / "there" / "deep" / "out.nwb"), source)
    assert_holds(output, result)
    with opened(output) as (nwbfile, _):
        files = list(nwbfile.acquisition["External"].external_file[:])
        assert files == ["../../here/raw/a.tif", "../../here/raw/b.tif"]
        assert list(nwbfile.acquisition["External"].starting_frame[:]) == [0, 40]
    with read_recording(output) as recording:
        np.testing.assert_array_equal(recording.movie.read(0, 60), frames)


def test_copy_in_the_same_folder_keeps_the_relative_paths(tmp_path):
    source, _ = external_source(tmp_path)
    output = write_predictions(random_result(source), None, source)
    with opened(output) as (nwbfile, _):
        assert list(nwbfile.acquisition["External"].external_file[:]) == ["raw/a.tif", "raw/b.tif"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_copy_of_a_linked_source_finds_the_movie_beside_the_real_file(tmp_path):
    source, frames = external_source(tmp_path / "store")
    link = tmp_path / "linked.nwb"
    link.symlink_to(source)
    output = write_predictions(random_result(link), None, link)
    assert output == tmp_path.resolve() / "linked_cinac.nwb"
    assert not output.is_symlink()
    with read_recording(output) as recording:
        np.testing.assert_array_equal(recording.movie.read(0, 60), frames)


def test_zarr_copy_in_another_folder_still_finds_its_external_movie(tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    hdf5, frames = external_source(tmp_path / "here")
    source = tmp_path / "here" / "session.nwb.zarr"
    with NWBHDF5IO(hdf5, "r") as old, hdmf_zarr.NWBZarrIO(str(source), "w") as io:
        io.export(src_io=old, write_args={"link_data": False})
    (tmp_path / "there").mkdir()
    output = write_predictions(
        random_result(source), OutputOptions(tmp_path / "there" / "out.nwb.zarr"), source
    )
    with read_recording(output) as recording:
        np.testing.assert_array_equal(recording.movie.read(0, 60), frames)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_in_the_middle_of_writing_changes_nothing(tmp_path, monkeypatch, mode, error):
    source = write_source(tmp_path / "session.nwb")
    result, before = random_result(source), file_bytes(source)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("ndx_cinac.writing.objects._transients", fail)  # after the predictions
    with pytest.raises(error):
        write_predictions(result, OutputOptions(mode=mode), source)
    assert file_bytes(source) == before
    assert [p.name for p in tmp_path.iterdir()] == ["session.nwb"]


def test_failed_check_of_what_was_written_changes_nothing(tmp_path, monkeypatch):
    source = write_source(tmp_path / "session.nwb")
    result, before = random_result(source), file_bytes(source)
    monkeypatch.setattr(
        "ndx_cinac.writing.objects.object_names", lambda name: ("Other", "OtherTransients", "OtherProvenance")
    )
    monkeypatch.setattr("ndx_cinac.writing.objects.Place.name", "Other", raising=False)
    monkeypatch.setattr("ndx_cinac.writing.checking.per_roi_hashes", lambda result: object())
    with pytest.raises(OutputError, match="reads back differently"):
        write_predictions(result, None, source)
    assert file_bytes(source) == before
    assert [p.name for p in tmp_path.iterdir()] == ["session.nwb"]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from output_builders import random_result
from ndx_cinac.writing import predictions as writing
source = Path({source!r})
result = random_result(source)
def hang(*args, **kwargs):
    print("writing", flush=True)
    time.sleep(60)
writing.check_written = hang
writing.write_predictions(result, writing.OutputOptions(mode={mode!r}), source)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
@pytest.mark.parametrize("mode", ["copy", "in-place"])
def test_killed_run_leaves_the_source_and_no_output(tmp_path, mode):
    source = write_source(tmp_path / "session.nwb")
    before = file_bytes(source)
    tests = str(Path(__file__).parents[1])
    script = KILLED.format(tests=tests, source=str(source), mode=mode)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert (
        process.stdout.readline() == "writing\n"
    )  # everything is in the temporary file, the rename is not done
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert file_bytes(source) == before
    left = [p.name for p in tmp_path.iterdir() if p.name != "session.nwb"]
    assert len(left) == 1
    assert left[0].startswith(".session")
    assert left[0].endswith(".unfinished")
    result = random_result(source)
    assert_holds(
        write_predictions(result, OutputOptions(mode=mode), source), result
    )  # and the next run succeeds


def test_inspector_reports_nothing_but_what_the_layout_makes_inevitable(tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    config = nwbinspector.load_config("dandi")
    source = write_source(tmp_path / "session.nwb", MockLayout(mask="pixel"), n_frames=120)
    result = random_result(source)
    of_source = {
        (m.check_function_name, m.object_name)
        for m in nwbinspector.inspect_nwbfile(nwbfile_path=source, config=config)
    }
    for mode in ("copy", "standalone"):
        path = write_predictions(result, OutputOptions(tmp_path / f"{mode}.nwb", mode), source)
        messages = nwbinspector.inspect_nwbfile(nwbfile_path=path, config=config)
        found = {(m.check_function_name, m.object_name) for m in messages}
        assert found - of_source == KNOWN_SUGGESTIONS


def test_predictions_without_transients_have_no_table_of_them(tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    source = write_source(tmp_path / "session.nwb", n_frames=120)
    some = random_result(source)
    none = replace(some, probabilities=some.probabilities * 0.5)
    path = write_predictions(some, OutputOptions(), source)
    assert "PredictedTransients" in stored_names(path)
    assert write_predictions(none, OutputOptions(mode="in-place", overwrite=True), path) == path
    assert stored_names(path) == ["ActivityPredictions", "PredictionProvenance", "classifiers"]
    assert len(read_predictions(path).transients) == 0
    messages = list(nwbinspector.inspect_nwbfile(nwbfile_path=path))
    assert not [m for m in messages if m.importance is nwbinspector.Importance.ERROR]
    assert "check_empty_table" not in {m.check_function_name for m in messages}


def test_provenance_says_how_and_from_what(source):
    output = write_predictions(random_result(source), OutputOptions(mode="standalone"), source)
    with opened(output) as (nwbfile, _), opened(source) as (old, _):
        provenance = nwbfile.processing["cinac"]["PredictionProvenance"]
        assert provenance.software.startswith("ndx-cinac ")
        assert provenance.source_path == "session.nwb"
        assert provenance.source_file_identifier == old.identifier
        assert provenance.source_movie_id == old.acquisition["TwoPhotonSeries"].object_id
        assert {"python", "pynwb", "numpy"} <= set(json.loads(provenance.versions))
        assert json.loads(provenance.parameters)["options"] == {"batch_size": 16}
        assert provenance.created.tzinfo is not None


def test_output_modes_keep_permissions_sensible(tmp_path):
    if sys.platform == "win32":
        pytest.skip("permissions of POSIX")
    source = write_source(tmp_path / "session.nwb")
    source.chmod(0o640)
    write_predictions(random_result(source), OutputOptions(mode="in-place"), source)
    assert source.stat().st_mode & 0o777 == 0o640
    source.chmod(0o400)
    result = random_result(source, 1)
    output = write_predictions(result, OutputOptions(overwrite=True), source)
    assert output.stat().st_mode & 0o200  # a copy of a read-only file can be written to
