"""Files in the layouts of other writers: movie, ROIs and axes are found, frames are the stored ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from nwb_builders import SHAPE, FileBuilder, boxes, noise
from pynwb import NWBHDF5IO, H5DataIO

from ndx_cinac import read_recording
from ndx_cinac.errors import ReadingError
from ndx_cinac.recording import CinacRecording

SQUARE = (26, 26)


def zarr_io() -> Any:
    return pytest.importorskip("hdmf_zarr").NWBZarrIO


def assert_true(recording: CinacRecording, movie: np.ndarray, rois: list) -> None:
    """Frames as stored, each ROI on its pixels."""
    np.testing.assert_array_equal(recording.movie.read(3, 17), movie[3:17])
    assert recording.movie.shape == movie.shape
    for row, pixels in enumerate(rois):
        assert sorted(map(tuple, recording.rois.pixels(row).tolist())) == sorted(map(tuple, pixels.tolist()))


@pytest.mark.parametrize("storage", ["hdf5", "zarr"])
@pytest.mark.parametrize("kind", ["image_mask", "pixel_mask", "voxel_mask"])
@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("shape", [SHAPE, SQUARE])
def test_movie_and_masks_are_brought_together(tmp_path, storage, kind, exchanged, shape):
    rois, movie = boxes(shape, 8), noise(shape)
    builder = FileBuilder(grid_spacing=[1.5e-6, 1.5e-6], grid_spacing_unit="meters")
    builder.movie(movie)
    table = builder.segmentation(rois, kind=kind, exchanged=exchanged, shape=shape)
    builder.traces(table, movie, rois)
    path = builder.write(tmp_path / "a.nwb", zarr_io() if storage == "zarr" else NWBHDF5IO)
    with read_recording(path) as recording:
        assert_true(recording, movie, rois)
        assert recording.axes.masks == ("exchanged" if exchanged else "matching")
        assert recording.axes.evidence == ("stored traces" if shape == SQUARE else "bounds")
        assert recording.pixel_size == pytest.approx(1.5)
        assert recording.notes == []
        assert recording.source.path == path
        assert recording.source.segmentation_id == table.object_id
        assert recording.identifier == "a"


@pytest.mark.parametrize("dtype", [">u2", "<i2", ">f4", "f8", "u1"])
@pytest.mark.parametrize("chunks", [(1, 20, 28), (60, 4, 4), (7, 11, 13)])
def test_any_type_byte_order_and_chunking_of_hdf5_is_read(tmp_path, dtype, chunks):
    movie = noise().astype(dtype)
    builder = FileBuilder()
    builder.movie(H5DataIO(movie, chunks=chunks, compression="gzip", shuffle=True))
    builder.segmentation()
    with read_recording(builder.write(tmp_path / "a.nwb")) as recording:
        assert recording.movie.dtype == np.dtype(dtype).newbyteorder("=")
        assert_true(recording, movie, boxes())


def test_conversion_and_offset_are_not_applied(tmp_path):
    builder = FileBuilder()
    builder.movie(noise(), conversion=0.5, offset=3.0)
    builder.segmentation()
    with read_recording(builder.write(tmp_path / "a.nwb")) as recording:
        assert_true(recording, noise(), boxes())


def test_a_corrected_stack_is_read_with_the_raw_movie_beside_it(tmp_path):
    builder = FileBuilder()
    builder.corrected(builder.movie(noise(seed=5)), noise())
    builder.segmentation()
    with read_recording(builder.write(tmp_path / "a.nwb")) as recording:
        assert_true(recording, noise(), boxes())
        assert recording.source.movie_path.endswith("CorrectedImageStack/corrected")


def external_file(folder: Path, names: list[str], starts: list[int]) -> Path:
    builder = FileBuilder()
    builder.movie(external_file=names, format="external", starting_frame=starts, num_samples=60)
    table = builder.segmentation()
    builder.traces(table, noise(), boxes())
    return builder.write(folder / "a.nwb")


def test_tiff_files_beside_the_nwb_file_are_read_from_anywhere(tmp_path, monkeypatch):
    folder = tmp_path / "session"
    (folder / "movies").mkdir(parents=True)
    for name, part in (("one.tif", noise()[:25]), ("two.tif", noise()[25:])):
        tifffile.imwrite(folder / "movies" / name, part, photometric="minisblack", byteorder=">")
    path = external_file(folder, ["movies/one.tif", "./movies/two.tif"], [0, 25])
    monkeypatch.chdir(tmp_path)
    with read_recording(path.relative_to(tmp_path)) as recording:
        assert_true(recording, noise(), boxes())


def test_an_absolute_tiff_path_and_a_windows_one_are_found(tmp_path):
    (tmp_path / "movies").mkdir()
    tifffile.imwrite(tmp_path / "movies" / "m.tif", noise(), photometric="minisblack")
    for name in (str(tmp_path / "movies" / "m.tif"), "movies\\m.tif"):
        with read_recording(external_file(tmp_path, [name], [0])) as recording:
            assert_true(recording, noise(), boxes())


def test_a_missing_external_file_is_named_with_where_it_was_looked_for(tmp_path):
    with pytest.raises(
        ReadingError, match=r"external_file 'gone\.tif' does not exist at .*gone\.tif"
    ) as error:
        read_recording(external_file(tmp_path, ["gone.tif"], [0]))
    assert "acquisition/TwoPhotonSeries" in str(error.value)


def test_a_suite2p_layout_takes_its_movie_from_the_user(tmp_path):
    rois = boxes(SQUARE)
    builder = FileBuilder()
    builder.movie(external_file=[""], format="external", starting_frame=[0], num_samples=60)
    table = builder.segmentation(rois, exchanged=True)
    table.add_column(name="iscell", description="x", data=[[1.0, 0.9]] * 8)
    builder.traces(table, noise(SQUARE), rois, transposed=True)
    path = builder.write(tmp_path / "a.nwb")
    with pytest.raises(ReadingError, match=r"external_file is empty"):
        read_recording(path)
    tifffile.imwrite(tmp_path / "m.tif", noise(SQUARE), photometric="minisblack")
    with read_recording(path, movie=tmp_path / "m.tif") as recording:
        assert_true(recording, noise(SQUARE), rois)
        assert recording.axes.evidence == "stored traces"


def test_hdf5_soft_and_external_links_are_followed(tmp_path):
    builder = FileBuilder()
    builder.movie()
    builder.segmentation()
    path = builder.write(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "movie.h5", "w") as other, h5py.File(path, "a") as file:
        series = file["acquisition/TwoPhotonSeries"]
        attributes = dict(series["data"].attrs)
        other["data"] = series["data"][:]
        other["data"].attrs.update(attributes)
        del series["data"]
        series["data"] = h5py.ExternalLink("movie.h5", "/data")
    with read_recording(path) as recording:
        assert_true(recording, noise(), boxes())


def test_closing_the_recording_closes_its_file_but_not_the_callers(tmp_path):
    builder = FileBuilder()
    builder.movie()
    builder.segmentation()
    path = builder.write(tmp_path / "a.nwb")
    with read_recording(path) as recording:
        pass
    with pytest.raises(ReadingError, match=r"The movie's file is closed .*inside its 'with' block"):
        recording.movie.read(0, 1)
    h5py.File(path, "a").close()  # possible only when nothing holds it open
    with NWBHDF5IO(str(path), "r") as io:
        with read_recording(io.read()) as recording:
            pass
        assert recording.movie.read(0, 1).shape == (1, *SHAPE)


def test_a_file_that_cannot_be_read_is_closed_again(tmp_path):
    builder = FileBuilder()
    builder.segmentation()
    path = builder.write(tmp_path / "a.nwb")
    with pytest.raises(ReadingError, match="no movie"):
        read_recording(path)
    h5py.File(path, "a").close()


def test_a_movie_of_one_plane_in_four_axes_is_read_and_of_several_refused(tmp_path):
    for planes in (1, 3):
        builder = FileBuilder()
        builder.movie(np.repeat(noise()[..., None], planes, axis=3))
        builder.segmentation()
        path = builder.write(tmp_path / f"{planes}.nwb")
        if planes == 1:
            with read_recording(path) as recording:
                assert_true(recording, noise(), boxes())
        else:
            with pytest.raises(ReadingError, match=r"\(60, 20, 28, 3\): it holds several planes, or colours"):
                read_recording(path)


@pytest.mark.parametrize("movie", ["nan", "constant", "short"])
def test_odd_movies_are_read_as_they_are(tmp_path, movie):
    frames = {"nan": noise().astype(np.float32), "constant": np.ones((60, *SHAPE)), "short": noise()[:20]}[
        movie
    ]
    if movie == "nan":
        frames[7] = np.nan
        frames[:, :2] = np.nan
    builder = FileBuilder()
    builder.movie(frames)
    builder.traces(builder.segmentation(), frames, boxes())
    with read_recording(builder.write(tmp_path / "a.nwb")) as recording:
        assert_true(recording, frames, boxes())
