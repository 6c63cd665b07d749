"""What is written is read back: types, attributes, links and values, through HDF5, Zarr and export."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hdmf.backends.hdf5 import H5DataIO
from hdmf.common import DynamicTable, DynamicTableRegion
from hdmf.data_utils import DataChunkIterator
from pynwb import NWBHDF5IO, NWBFile, validate

import ndx_cinac
from ndx_cinac.testing.mock import (
    MockLayout,
    mock_ActivityPredictions,
    mock_ClassifierTable,
    mock_nwbfile_with_movie,
    mock_nwbfile_with_predictions,
    mock_PredictedTransients,
    rois_of,
)

TYPES = {
    "classifiers": ndx_cinac.ClassifierTable,
    "ActivityPredictions": ndx_cinac.ActivityPredictions,
    "CellTypePredictions": ndx_cinac.CellTypePredictions,
    "PredictedTransients": ndx_cinac.PredictedTransients,
    "ActivityAnnotations": ndx_cinac.ActivityAnnotations,
    "AnnotatedSegments": ndx_cinac.AnnotatedSegments,
    "CellTypeAnnotations": ndx_cinac.CellTypeAnnotations,
    "PredictionProvenance": ndx_cinac.PredictionProvenance,
}


def assert_tables_equal(read: DynamicTable, written: DynamicTable, nwbfile: NWBFile) -> None:
    assert read.colnames == written.colnames
    assert read.description == written.description
    np.testing.assert_array_equal(read.id[:], written.id[:])
    for name in written.colnames:
        assert type(read[name]) is type(written[name]), name
        assert read[name].description == written[name].description
        np.testing.assert_array_equal(np.asarray(read[name].data[:]), np.asarray(written[name].data[:]))
        if isinstance(written[name], DynamicTableRegion):
            expected = rois_of(nwbfile) if name == "roi" else nwbfile.processing["cinac"]["classifiers"]
            assert read[name].table is expected


def assert_same_content(nwbfile: NWBFile) -> None:
    """Compare module "cinac" of a file that was read with a fresh mock."""
    written = mock_nwbfile_with_predictions().processing["cinac"]
    read = nwbfile.processing["cinac"]
    assert {name: type(each) for name, each in read.data_interfaces.items()} == TYPES
    for name, kind in TYPES.items():
        if issubclass(kind, DynamicTable):
            assert_tables_equal(read[name], written[name], nwbfile)
    series, expected = read["ActivityPredictions"], written["ActivityPredictions"]
    assert series.movie is nwbfile.acquisition["TwoPhotonSeries"]
    assert series.rois.table is rois_of(nwbfile)
    assert series.classifier.table is read["classifiers"]
    assert series.data.dtype == np.float32
    np.testing.assert_array_equal(series.data[:], expected.data)
    for name in ("rois", "classifier"):
        np.testing.assert_array_equal(getattr(series, name).data[:], getattr(expected, name).data)
    for name in ("threshold", "definition", "unit", "rate", "starting_time", "description", "comments"):
        assert getattr(series, name) == getattr(expected, name), name
    assert list(read["CellTypePredictions"].cell_types[:]) == ["pyramidal", "interneuron"]
    meanings = read["CellTypePredictions"]["cell_type"].get_meanings().to_dataframe()
    assert meanings["cell_ontology_id"].tolist() == ["CL:0000598", ""]
    assert meanings["synonyms"].tolist() == ["excitatory", ""]
    provenance = read["PredictionProvenance"]
    for name in ndx_cinac.PredictionProvenance.__nwbfields__:
        assert getattr(provenance, name) == getattr(written["PredictionProvenance"], name), name
    assert provenance.created == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def write(path: Path, nwbfile: NWBFile) -> Path:
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "all.nwb", mock_nwbfile_with_predictions())


def test_all_types_come_back_from_hdf5(path):
    with NWBHDF5IO(path, "r") as io:
        assert_same_content(io.read())


def test_files_are_valid(path):
    assert validate(path=str(path)) == []
    with NWBHDF5IO(path, "r") as io:
        assert validate(io=io) == []


def test_all_types_come_back_from_zarr(tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    with hdmf_zarr.NWBZarrIO(str(tmp_path / "all.zarr"), "w") as io:
        io.write(mock_nwbfile_with_predictions())
    with hdmf_zarr.NWBZarrIO(str(tmp_path / "all.zarr"), "r") as io:
        assert_same_content(io.read())


def test_all_types_come_back_after_export(path, tmp_path):
    with NWBHDF5IO(path, "r") as source, NWBHDF5IO(tmp_path / "export.nwb", "w") as io:
        io.export(src_io=source, nwbfile=source.read())
    with NWBHDF5IO(tmp_path / "export.nwb", "r") as io:
        assert_same_content(io.read())


def test_all_types_come_back_after_export_from_hdf5_to_zarr(path, tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    with NWBHDF5IO(path, "r") as source, hdmf_zarr.NWBZarrIO(str(tmp_path / "all.zarr"), "w") as io:
        io.export(src_io=source, write_args={"link_data": False})
    with hdmf_zarr.NWBZarrIO(str(tmp_path / "all.zarr"), "r") as io:
        assert_same_content(io.read())


@pytest.mark.parametrize("first", ["ndx_cinac, pynwb", "pynwb, ndx_cinac"])
def test_types_come_back_in_either_import_order(path, first):
    code = f"""
import {first}
with pynwb.NWBHDF5IO({str(path)!r}, "r") as io:
    for each in io.read().processing["cinac"].data_interfaces.values():
        print(type(each).__module__.startswith("ndx_cinac"))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True"] * 8


def test_predictions_are_appended_to_a_file_that_exists(tmp_path):
    path = write(tmp_path / "movie.nwb", mock_nwbfile_with_movie())
    with NWBHDF5IO(path, "r+") as io:
        nwbfile = io.read()
        module = nwbfile.create_processing_module("cinac", "Predictions.")
        classifiers = mock_ClassifierTable()
        module.add(classifiers)
        module.add(
            mock_ActivityPredictions(
                rois_of(nwbfile), classifiers, movie=nwbfile.acquisition["TwoPhotonSeries"]
            )
        )
        io.write(nwbfile)
    with NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        series = nwbfile.processing["cinac"]["ActivityPredictions"]
        assert type(series) is ndx_cinac.ActivityPredictions
        assert series.movie is nwbfile.acquisition["TwoPhotonSeries"]
        assert series.rois.table is rois_of(nwbfile)


def test_a_second_run_and_a_second_classifier_are_appended_to_a_file_with_predictions(path):
    with NWBHDF5IO(path, "r+") as io:
        nwbfile = io.read()
        module = nwbfile.processing["cinac"]
        row = module["classifiers"].add_classifier(
            name="new", task="activity", version="2", sha256="a" * 64, description="New."
        )
        assert row == 2
        module.add(mock_ActivityPredictions(rois_of(nwbfile), module["classifiers"], name="second"))
        io.write(nwbfile)
    with NWBHDF5IO(path, "r") as io:
        module = io.read().processing["cinac"]
        assert module["classifiers"]["classifier_name"].data[:].tolist() == [
            "activity-mock",
            "cell-type-mock",
            "new",
        ]
        assert module["second"].data.shape == module["ActivityPredictions"].data.shape


def test_timestamps_shared_with_the_movie_stay_shared(tmp_path):
    nwbfile = mock_nwbfile_with_movie(layout=MockLayout(timestamps=True))
    classifiers = mock_ClassifierTable()
    movie = nwbfile.acquisition["TwoPhotonSeries"]
    module = nwbfile.create_processing_module("cinac", "Predictions.")
    module.add(classifiers)
    module.add(mock_ActivityPredictions(rois_of(nwbfile), classifiers, movie=movie))
    with NWBHDF5IO(write(tmp_path / "times.nwb", nwbfile), "r") as io:
        series = io.read().processing["cinac"]["ActivityPredictions"]
        assert series.timestamps == series.movie.timestamps
        np.testing.assert_allclose(series.seconds()[:3], [0, 0.1, 0.2])


def test_data_from_an_iterator_is_written_in_chunks(tmp_path):
    nwbfile = mock_nwbfile_with_movie(n_frames=50)
    classifiers = mock_ClassifierTable()
    values = np.linspace(0, 1, 150, dtype=np.float32).reshape(50, 3)
    data = DataChunkIterator(data=iter(values), maxshape=(None, 3), dtype=np.dtype("float32"), buffer_size=10)
    series = ndx_cinac.ActivityPredictions(
        data=H5DataIO(data, compression="gzip"),
        rois=rois_of(nwbfile).create_roi_table_region(region=[0, 1, 2], description="All."),
        classifier=classifiers.create_region("classifier", [0, 0, 0], "Each."),
        threshold=0.5,
        definition="active",
        rate=10.0,
    )
    module = nwbfile.create_processing_module("cinac", "Predictions.")
    module.add(classifiers)
    module.add(series)
    with NWBHDF5IO(write(tmp_path / "chunks.nwb", nwbfile), "r") as io:
        np.testing.assert_array_equal(io.read().processing["cinac"]["ActivityPredictions"].data[:], values)


def test_tables_without_rows_come_back(tmp_path):
    nwbfile = mock_nwbfile_with_movie()
    nothing = {
        name: []
        for name in (
            "timestamp",
            "duration",
            "roi",
            "first_frame",
            "last_frame",
            "peak_probability",
            "mean_probability",
        )
    }
    transients = ndx_cinac.PredictedTransients.from_arrays(rois=rois_of(nwbfile), columns=nothing)
    nwbfile.create_processing_module("cinac", "Predictions.").add(transients)
    path = write(tmp_path / "none.nwb", nwbfile)
    with NWBHDF5IO(path, "r") as io:
        read = io.read().processing["cinac"]["PredictedTransients"]
        assert len(read) == 0
        assert set(read.colnames) == set(nothing)
    assert validate(path=str(path)) == []


def test_rows_added_one_by_one_come_back(tmp_path):
    nwbfile = mock_nwbfile_with_movie()
    rois = rois_of(nwbfile)
    table = ndx_cinac.PredictedTransients(target_tables={"roi": rois})
    for row in mock_PredictedTransients(rois).to_dataframe(index=True).to_dict("records"):
        table.add_event(**row)
    nwbfile.create_processing_module("cinac", "Predictions.").add(table)
    with NWBHDF5IO(write(tmp_path / "rows.nwb", nwbfile), "r") as io:
        read = io.read().processing["cinac"]["PredictedTransients"]
        assert read["last_frame"].data[:].tolist() == [14, 34, 54]
