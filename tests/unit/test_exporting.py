"""Exported predictions: the values that NumPy, MATLAB and R read are those of the file, to the last digit."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from output_builders import write_source
from pynwb import NWBHDF5IO

from ndx_cinac.cli import main
from ndx_cinac.errors import ConfigError, MissingExtraError, OutputError, ReadingError
from ndx_cinac.exporting import export_predictions, formats
from ndx_cinac.exporting.content import Table
from ndx_cinac.exporting.formats import matlab_names, write_csv
from ndx_cinac.testing.mock import (
    MockLayout,
    mock_ActivityPredictions,
    mock_nwbfile_with_movie,
    mock_nwbfile_with_predictions,
    rois_of,
)

TYPES = "session_CellTypePredictions.csv"
ACTIVITY = "session_ActivityPredictions.csv"
TRANSIENTS = "session_ActivityPredictions_transients.csv"
NOTES = ["a # b", 'said "no"', ""]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A file with all kinds of predictions, and text in the ROI table that a bad reader trips over."""
    nwbfile = mock_nwbfile_with_predictions(n_frames=50)
    rois_of(nwbfile).add_column(name="Accepted", description="By hand.", data=[True, False, True])
    rois_of(nwbfile).add_column(name="note", description="By hand.", data=NOTES)
    path = tmp_path_factory.mktemp("export") / "session.nwb"
    with NWBHDF5IO(path, "w") as file:
        file.write(nwbfile)
    return path


@pytest.fixture(scope="module")
def stored(source):
    """What the file holds, read by pynwb."""
    with NWBHDF5IO(source, "r") as file:
        module = file.read().processing["cinac"]
        activity, types = module["ActivityPredictions"], module["CellTypePredictions"]
        yield {"activity": activity.data[:], "times": activity.seconds(), "types": types.to_dataframe()}


@pytest.fixture
def copy(source, tmp_path) -> Path:
    return Path(shutil.copy(source, tmp_path / "session.nwb"))


def r_table(path: Path) -> pd.DataFrame:
    """Read a CSV file as ``read.csv(comment.char = "#")`` of R does."""
    return pd.read_csv(path, comment="#", keep_default_na=False)


def header(path: Path) -> dict[str, str]:
    lines = [line[2:].rstrip("\n") for line in path.open(encoding="utf-8") if line.startswith("# ")]
    return dict(line.split(": ", 1) for line in lines)


def test_csv_holds_probabilities_by_time_and_roi_id(copy, stored):
    paths = export_predictions(copy)
    assert [path.name for path in paths] == [ACTIVITY, TRANSIENTS, TYPES]
    table = r_table(paths[0])
    assert table.columns.tolist() == ["time_s", "roi_0", "roi_1", "roi_2"]
    np.testing.assert_array_equal(table["time_s"], stored["times"])
    np.testing.assert_array_equal(table.iloc[:, 1:].to_numpy(np.float32), stored["activity"])


def test_csv_explains_ids_times_and_units_before_the_table(copy):
    about = header(export_predictions(copy)[0])
    assert about["units"].startswith("what ends in _s in seconds; probabilities without unit")
    assert about["times"] == "50 frames at 10 Hz, from 0 to 4.9 s"
    assert about["time 0"] == "2024-01-01T12:00:00+00:00: times count seconds from there"
    assert about["ROI ids"] == "0, 1, 2"
    assert about["threshold"].startswith("0.5")
    assert about["definition"] == "1 means: From the onset to the peak of a transient."
    assert about["ROI table"] == "processing/ophys/ImageSegmentation/PlaneSegmentation"
    assert about["classifier"] == "activity-mock 1.0 (sha256 000000000000)"
    assert str(copy.parent) not in str(about)  # whose computer it was is nobody's business


def test_csv_of_transients_follows_from_the_probabilities(copy, stored):
    table = r_table(export_predictions(copy)[1])
    assert {"timestamp_s", "duration_s", "roi_id", "first_frame", "last_frame"} <= set(table)
    for row in table.itertuples():
        values = stored["activity"][row.first_frame : row.last_frame + 1, row.roi_row]
        assert values.min() >= 0.5
        assert row.duration_s == pytest.approx(len(values) / 10)


def test_csv_of_cell_types_joins_the_roi_table(copy, stored):
    table = r_table(export_predictions(copy, task="cell-type")[0])
    assert table["cell_type"].tolist() == stored["types"]["cell_type"].tolist()
    assert table["note"].tolist() == NOTES
    assert table["Accepted"].tolist() == [True, False, True]
    np.testing.assert_array_equal(
        table["probability_pyramidal"].to_numpy(np.float32), stored["types"]["probability pyramidal"]
    )


def test_csv_says_what_the_types_mean(copy):
    about = header(export_predictions(copy, task="cell-type")[0])
    assert "pyramidal: Excitatory neuron [CL:0000598] (also: excitatory)" in about["cell types"]
    assert about["classifier"].startswith("cell-type-mock 1.0 (sha256 ")
    assert about["not predicted"] == "none"


def test_csv_of_r_is_that_of_pandas(copy, tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    export_predictions(copy)
    script = (
        f't <- read.csv("{TYPES}", comment.char = "#"); a <- read.csv("{ACTIVITY}", comment.char = "#");'
        "stopifnot(is.logical(t$Accepted), is.numeric(a$time_s), nrow(a) == 50);"
        "cat(t$note, sep = '|'); cat('\\n'); cat(sprintf('%.9g', a$roi_1[3]))"
    )
    shown = subprocess.run(
        ["Rscript", "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown[0].split("|") == NOTES
    assert np.float32(shown[1]) == np.float32(r_table(tmp_path / ACTIVITY)["roi_1"][2])


def test_npz_is_read_without_pickle(copy, stored):
    (path,) = export_predictions(copy, "npz")
    assert path == copy.with_suffix(".npz")
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    assert found["ActivityPredictions/probability"].dtype == np.float32
    np.testing.assert_array_equal(found["ActivityPredictions/probability"], stored["activity"])
    np.testing.assert_array_equal(found["ActivityPredictions/time_s"], stored["times"])
    assert found["CellTypePredictions/cell_types"].tolist() == ["pyramidal", "interneuron"]
    assert found["CellTypePredictions/roi_columns/note"].tolist() == NOTES
    assert json.loads(str(found["ActivityPredictions/about"]))["ROI ids"] == "0, 1, 2"
    assert len(found["ActivityPredictions/transients/first_frame"]) > 0


def test_mat_is_read_by_scipy_as_matlab_does(copy, stored):
    scipy_io = pytest.importorskip("scipy.io")
    (path,) = export_predictions(copy, "mat")
    found = scipy_io.loadmat(path, simplify_cells=True)
    activity, types = found["ActivityPredictions"], found["CellTypePredictions"]
    assert activity["probability"].dtype == np.float32
    np.testing.assert_array_equal(activity["probability"], stored["activity"])
    np.testing.assert_array_equal(activity["time_s"], stored["times"])
    assert activity["roi_id"].tolist() == [0, 1, 2]
    assert activity["about"]["times"] == "50 frames at 10 Hz, from 0 to 4.9 s"
    assert types["cell_type"].tolist() == stored["types"]["cell_type"].tolist()
    assert types["roi_columns"]["Accepted"].tolist() == [1, 0, 1]
    assert types["about"]["cell_types"].startswith("pyramidal: Excitatory neuron [CL:0000598]")
    raw = scipy_io.loadmat(path)["ActivityPredictions"][0, 0]
    assert raw["time_s"].shape == (50, 1)


def test_mat_of_octave_is_that_of_scipy(copy, tmp_path):
    if shutil.which("octave-cli") is None:
        pytest.skip("Octave is not installed")
    export_predictions(copy, "mat")
    script = (
        "m = load('session.mat'); assert(iscell(m.CellTypePredictions.cell_type));"
        "assert(size(m.ActivityPredictions.probability), [50 3]);"
        "printf('%s', m.CellTypePredictions.cell_type{3})"
    )
    done = subprocess.run(
        ["octave-cli", "--eval", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "interneuron"


def test_zarr_files_give_the_same_tables(copy, tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    folder = tmp_path / "session.nwb.zarr"
    with NWBHDF5IO(copy, "r") as read, hdmf_zarr.NWBZarrIO(str(folder), "w") as write:
        write.export(src_io=read, write_args={"link_data": False})
    expected = [r_table(path) for path in export_predictions(copy)]
    found = [r_table(path) for path in export_predictions(folder, output=tmp_path / "zarr.csv")]
    for table, other in zip(expected, found, strict=True):
        pd.testing.assert_frame_equal(table, other)
    (path,) = export_predictions(folder, "npz")
    assert path == tmp_path / "session.npz"


def test_names_are_such_as_matlab_takes():
    names = matlab_names(["2nd run", "a-b", "a b", "ok", "x" * 70, "é"])
    assert list(names.values()) == ["x2nd_run", "a_b", "a_b_2", "ok", "x" * 63, "x_"]
    long = matlab_names(["y" * 80, "y" * 81])
    assert len(set(long.values())) == 2
    assert all(len(name) <= 63 for name in long.values())


def test_numbers_of_a_csv_table_are_exact_and_short(tmp_path):
    values = np.array([0.1, 1 / 3, 1e-12, 1, np.nan], np.float32)
    texts = ["plain", 'q"', "a,b", "two\nlines", "é"]
    frame = pd.DataFrame({"p": values, "a,b": np.arange(5), "t": texts, "yes": [True] * 5})
    write_csv(tmp_path / "t.csv", Table({"about": "one\nline"}, frame))
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert text.startswith('# about: one line\np,"a,b",t,yes\n0.1,0,"plain",TRUE\n')
    rows = list(csv.reader(io.StringIO(text.split("\n", 1)[1])))
    assert [row[2] for row in rows[1:]] == texts
    assert [row[0] for row in rows[1:]][-1] == ""
    np.testing.assert_array_equal(np.array([row[0] or "nan" for row in rows[1:]], np.float32), values)


def test_tables_longer_than_a_block_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "CSV_ROWS", 3)
    write_csv(tmp_path / "t.csv", Table({}, pd.DataFrame({"n": np.arange(10)})))
    assert pd.read_csv(tmp_path / "t.csv")["n"].tolist() == list(range(10))


def test_rois_whose_ids_repeat_are_named_by_their_rows(tmp_path):
    nwbfile = mock_nwbfile_with_movie(n_frames=20)
    rois_of(nwbfile).id.data[:] = [5, 5, 6]
    nwbfile.create_processing_module("cinac", "x").add(
        mock_ActivityPredictions(rois_of(nwbfile), n_frames=20)
    )
    nwbfile.processing["cinac"].add(nwbfile.processing["cinac"]["ActivityPredictions"].classifier.table)
    (path, _) = export_predictions(nwbfile, output=tmp_path / "out.csv")
    assert r_table(path).columns.tolist() == ["time_s", "roi_row_0", "roi_row_1", "roi_row_2"]


def test_output_is_the_file_asked_for(copy, tmp_path):
    (path,) = export_predictions(copy, output=tmp_path / "types.csv", task="cell-type")
    assert path == tmp_path / "types.csv"
    paths = export_predictions(copy, output=tmp_path / "run", name="ActivityPredictions")
    assert [each.name for each in paths] == ["run.csv", "run_transients.csv"]
    paths = export_predictions(copy, output=tmp_path / "all.csv")
    assert [each.name for each in paths] == [ACTIVITY.replace("session", "all"),
                                             TRANSIENTS.replace("session", "all"),
                                             TYPES.replace("session", "all")]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "npz", "mat"])
def test_nothing_is_overwritten_unless_asked(copy, kind):
    paths = export_predictions(copy, kind)
    paths[-1].write_text("mine")
    with pytest.raises(OutputError, match=r"The output exists already .* overwrite it \(--overwrite\)"):
        export_predictions(copy, kind)
    assert paths[-1].read_text() == "mine"
    export_predictions(copy, kind, overwrite=True)
    assert paths[-1].stat().st_size > 200


def test_a_failure_half_way_leaves_no_file(copy, monkeypatch):
    written = []

    def failing(path, table):
        if written:
            message = "disk full"
            raise OSError(message)
        written.append(path)
        write_csv(path, table)

    monkeypatch.setattr("ndx_cinac.exporting.export.write_csv", failing)
    with pytest.raises(OutputError, match="Writing failed: disk full"):
        export_predictions(copy)
    assert [path.name for path in copy.parent.iterdir()] == ["session.nwb"]


def test_an_array_too_large_for_matlab_is_refused(copy, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr(formats, "MAT_BYTES", 100)
    with pytest.raises(OutputError, match=r"does not fit into a MATLAB file.* Export as npz or csv"):
        export_predictions(copy, "mat")
    assert not copy.with_suffix(".mat").exists()


def test_matlab_files_need_an_extra(copy, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(MissingExtraError, match=re.escape('pip install "ndx-cinac[export]"')):
        export_predictions(copy, "mat")


def test_predictions_that_are_not_there_are_named(copy, tmp_path):
    with pytest.raises(ReadingError, match=r"no predictions named 'x'.*ActivityPredictions \(activity\)"):
        export_predictions(copy, name="x")
    with pytest.raises(ReadingError, match=r"no cell-type predictions named 'ActivityPredictions'"):
        export_predictions(copy, name="ActivityPredictions", task="cell-type")
    plain = write_source(tmp_path / "plain.nwb", MockLayout())
    with pytest.raises(ReadingError, match="Make some with: ndx-cinac predict FILE"):
        export_predictions(plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "xls"}, "Format 'xls' does not exist. Choose one of: csv, npz, mat"),
     ({"task": "x"}, "Task 'x' does not exist. Choose one of: activity, cell-type, all")],
)  # fmt: skip
def test_unknown_choices_are_refused(copy, options, message):
    with pytest.raises(ConfigError, match=message):
        export_predictions(copy, **options)


def test_a_file_in_memory_needs_an_output():
    with pytest.raises(ConfigError, match=r"no place .* Give an output path"):
        export_predictions(mock_nwbfile_with_predictions())


def test_folders_that_cannot_take_the_output_are_named(copy, tmp_path):
    with pytest.raises(OutputError, match=r"The folder does not exist .*nowhere"):
        export_predictions(copy, output=tmp_path / "nowhere" / "out.csv")
    (tmp_path / "out.npz").mkdir()
    with pytest.raises(OutputError, match="The output is a folder, not a file"):
        export_predictions(copy, "npz", tmp_path / "out.npz")


def test_the_command_line_exports_and_names_the_files(copy, capsys):
    assert main(["export", str(copy), "--format", "npz", "--task", "cell-type"]) == 0
    assert capsys.readouterr().out.strip() == str(copy.with_suffix(".npz"))
    assert main(["export", str(copy), "--format", "npz"]) == 1
    assert "exists already" in capsys.readouterr().err


def test_the_verb_has_help_with_an_example(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["export", "--help"])
    assert stopped.value.code == 0
    assert "example:\n  ndx-cinac export" in capsys.readouterr().out
