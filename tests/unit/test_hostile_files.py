"""NWB files that lie: each is refused in one sentence, or read as far as it can be trusted."""

from __future__ import annotations

import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py._objects import phil as h5py_lock
from nwb_builders import FileBuilder, noise

from ndx_cinac import movies
from ndx_cinac.cli import main
from ndx_cinac.errors import CinacError, ReadingError
from ndx_cinac.hdf5_links import link_fault
from ndx_cinac.reading import read_recording
from ndx_cinac.reading.opening import readable

MOVIE = "acquisition/TwoPhotonSeries"
TABLE = "processing/ophys/ImageSegmentation/PlaneSegmentation"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    builder = FileBuilder()
    builder.movie()
    builder.segmentation()
    return builder.write(tmp_path_factory.mktemp("good") / "good.nwb")


@pytest.fixture
def path(good, tmp_path) -> Path:
    """A file that a test may spoil."""
    path = tmp_path / "session.nwb"
    path.write_bytes(good.read_bytes())
    return path


def replace(parent: h5py.Group, name: str, **settings) -> h5py.Dataset:
    """Put another dataset in the place of one, with its attributes."""
    attributes = dict(parent[name].attrs)
    del parent[name]
    dataset = parent.create_dataset(name, **settings)
    dataset.attrs.update(attributes)
    return dataset


def truncated(file: h5py.File) -> None:
    """The rest is done when the file is closed."""


def circle(file: h5py.File) -> None:
    del file[MOVIE]
    file[MOVIE] = h5py.SoftLink(f"/{MOVIE}")


def circle_of_groups(file: h5py.File) -> None:
    file["processing/ophys/again"] = h5py.SoftLink("/processing")


def circle_of_two(file: h5py.File) -> None:
    file["processing/ophys/there"] = h5py.SoftLink("/scratch")
    file.require_group("scratch")["back"] = h5py.SoftLink("/processing/ophys")


def hard_circle(file: h5py.File) -> None:
    file["processing/ophys/again"] = file["/"]


def too_deep(file: h5py.File) -> None:
    file.create_group("scratch/" + "/".join("a" * 200))


def deleted(file: h5py.File) -> None:
    del file["general/optophysiology/Plane"]


def wrong_type(file: h5py.File) -> None:
    del file[f"{TABLE}/imaging_plane"]
    file[f"{TABLE}/imaging_plane"] = h5py.SoftLink(f"/{MOVIE}")


def wrong_reference(file: h5py.File) -> None:
    file[f"{TABLE}/pixel_mask_index"].attrs["target"] = file[MOVIE].ref


def null_reference(file: h5py.File) -> None:
    file[f"{TABLE}/pixel_mask_index"].attrs["target"] = h5py.Reference()


def never_written(file: h5py.File) -> None:
    replace(file[MOVIE], "data", shape=(2**40, 20, 28), dtype="u2", chunks=(1, 20, 28))


def mostly_not_written(file: h5py.File) -> None:
    data = replace(file[MOVIE], "data", shape=(2**40, 20, 28), dtype="u2", chunks=(1, 20, 28))
    data[2**39] = 1


def no_movie(file: h5py.File) -> None:
    replace(file[MOVIE], "data", data=np.zeros((3, 3), "u2"))


def text_for_pixels(file: h5py.File) -> None:
    replace(file[MOVIE], "data", data=np.full((5, 20, 28), b"abc"))


def huge_masks(file: h5py.File) -> None:
    table = file[TABLE]
    masks = table.create_dataset("image_mask", (8, 2**20, 2**20), "f4", chunks=(1, 64, 64))
    masks.attrs.update({**table["pixel_mask"].attrs, "neurodata_type": "VectorData"})
    table.attrs["colnames"] = ["image_mask"]


def index_beyond(file: h5py.File) -> None:
    file[f"{TABLE}/pixel_mask_index"][-1] = 200


def index_falls(file: h5py.File) -> None:
    file[f"{TABLE}/pixel_mask_index"][3] = 1


def attribute_of_another_type(file: h5py.File) -> None:
    file[TABLE].attrs["colnames"] = 7


def no_type(file: h5py.File) -> None:
    file[TABLE].attrs["neurodata_type"] = np.arange(3)


def weights_that_are_none(file: h5py.File) -> None:
    masks = file[f"{TABLE}/pixel_mask"]
    values = masks[()]
    values["weight"] = np.resize([np.nan, np.inf, -np.inf, 0, -1], len(values))
    masks[...] = values


def outside(file: h5py.File) -> None:
    masks = file[f"{TABLE}/pixel_mask"]
    values = masks[()]
    values["x"] = 2**32 - 1  # -1, stored without a sign
    masks[...] = values


def rate_of_another_type(file: h5py.File) -> None:
    file[f"{MOVIE}/starting_time"].attrs["rate"] = "fast"


FAULTS = {
    circle: "cannot be read as an NWB file",
    circle_of_groups: "the link '/processing/ophys/again' leads back to '/processing', inside which it lies",
    circle_of_two: "leads back to '/processing/ophys', inside which it lies",
    hard_circle: "the link '/processing/ophys/again' leads back to '/', inside which it lies",
    too_deep: "lies more than 100 groups deep",
    deleted: "cannot be read as an NWB file",
    wrong_type: "cannot be read as an NWB file",
    wrong_reference: "cannot be read as an NWB file",
    null_reference: "cannot be read as an NWB file",
    never_written: r"The movie was never written, .*claims 1,231,453,023,109,120 bytes, and the file holds 0",
    mostly_not_written: r"The movie was never written, or for the least part: .*holds 1,120 bytes",
    no_movie: r"cannot be read as an NWB file: ConstructError: .*",
    text_for_pixels: "no whole or real numbers",
    huge_masks: "The masks of shape .* were never written",
    index_beyond: "pixel_mask's index does not divide its 96 entries among the 8 ROIs",
    index_falls: "pixel_mask's index does not divide its 96 entries among the 8 ROIs",
    attribute_of_another_type: "cannot be read as an NWB file",
    no_type: "cannot be read as an NWB file",
    weights_that_are_none: "None of the .*ROIs can be predicted",
    outside: "None of the .*ROIs can be predicted",
    rate_of_another_type: "cannot be read as an NWB file",
}
"""What spoils a file, and the sentence that the user sees; empty where the file can be read."""


@pytest.mark.parametrize("verb", ["inspect", "predict"])
@pytest.mark.parametrize(
    ("spoil", "sentence"), FAULTS.items(), ids=lambda each: getattr(each, "__name__", None)
)
def test_each_fault_is_one_sentence(path, capsys, monkeypatch, verb, spoil, sentence):
    import re

    with h5py.File(path, "r+") as file:
        spoil(file)
    before = path.read_bytes()
    if verb == "predict":  # as far as the network, which takes seconds to load
        monkeypatch.setattr("ndx_cinac.prediction.activity.engine_of", lambda *_: stop)
        monkeypatch.setattr("ndx_cinac.cli.predict.introduce", lambda *_: None)
    status = main([verb, str(path)])
    said = capsys.readouterr().err
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["session.nwb"]
    assert "Traceback" not in said
    assert "unexpected" not in said
    if sentence:
        assert status == 1
        assert said.count("\n") == 1, said
        assert re.search(sentence, said), said


def test_no_circle_leaves_the_lock_of_h5py_taken(path):
    """Python's limit of recursion, met inside h5py, did so: all other threads waited for ever."""
    with h5py.File(path, "r+") as file:
        circle_of_groups(file)
    with pytest.raises(ReadingError, match="leads back to"):
        read_recording(path)
    taken = []

    def take() -> None:
        with h5py_lock:
            taken.append(True)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(10)
    assert taken


def test_two_links_to_one_group_are_no_circle(path):
    with h5py.File(path, "r+") as file:
        file["processing/ophys/shared"] = h5py.SoftLink("/general/optophysiology")
        file["scratch/nowhere"] = h5py.SoftLink("/nothing/here")
        file["scratch/elsewhere"] = h5py.ExternalLink("missing.h5", "/")
        assert link_fault(file) == ""


def stop(*_):
    """Stand in for the engine: the file was read."""
    what = "The file was read"
    raise CinacError(what)


def test_a_truncated_file_says_so(path, capsys):
    path.write_bytes(path.read_bytes()[:-2000])
    for verb in ("inspect", "predict"):
        assert main([verb, str(path)]) == 1
        assert "is truncated: part of it is missing" in capsys.readouterr().err


def test_names_with_zero_bytes_or_escapes_are_shown_harmless(path, capsys):
    with h5py.File(path, "r+") as file:
        file.move(MOVIE, "acquisition/a\x1b[2J%s{0}")
        file["identifier"][()] = "a"
        file["session_description"][()] = b"\x1b]0;x"
    assert main(["inspect", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert r"a\x1b[2J%s{0}" in printed


def test_chunks_that_fail_their_checksum_are_named_by_their_frames(path):
    frames = noise(n_frames=60)
    with h5py.File(path, "r+") as file:
        data = replace(file[MOVIE], "data", data=frames, chunks=(10, 20, 28), fletcher32=True)
        place = data.id.get_chunk_info(3)
    with path.open("r+b") as file:
        file.seek(place.byte_offset + 100)
        file.write(b"\xff\x00\xff")
    with read_recording(path) as recording:
        np.testing.assert_array_equal(recording.movie.read(0, 30), frames[:30])
        with pytest.raises(ReadingError, match=rf"Frames 30 to 39 of the movie cannot be read: .*{MOVIE}"):
            recording.movie.read(0, 60)
        np.testing.assert_array_equal(recording.movie.read(40, 60), frames[40:])


def test_masks_partly_outside_or_without_a_number_are_used_without_those_pixels(path):
    with h5py.File(path, "r+") as file:
        masks = file[f"{TABLE}/pixel_mask"]
        values = masks[()]
        values["x"][0], values["weight"][12], values["weight"][13] = 2**32 - 1, np.nan, np.inf
        masks[...] = values
    with read_recording(path, axes="matching") as recording:
        assert recording.rois.n_pixels[:3].tolist() == [11, 10, 12]
        assert np.isfinite(recording.rois.weights).all()
        assert any("row 0: 1 of 12 pixels" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("shape", "chunks", "sentence"),
    [
        ((2**30, 2, 2), (1, 2, 2), "The movie has 1,073,741,824 frames, more than 100,000,000"),
        ((4, 2**16, 2**16), (1, 64, 64), "frames of 65536 x 65536 pixels have 4,294,967,296 bytes each"),
        ((2**22, 32, 32), (2**22, 32, 32), "chunks of .* have 4,294,967,296 bytes"),
    ],
)
def test_absurd_sizes_are_refused_with_their_numbers(monkeypatch, shape, chunks, sentence):
    monkeypatch.setattr(movies, "empty_claim", lambda _: "")

    class Dataset:
        dtype = np.dtype("u1")

    Dataset.shape, Dataset.chunks = shape, chunks
    with pytest.raises(ReadingError, match=sentence):
        movies.StoredMovie(Dataset(), "acquisition/a")


def test_a_movie_on_another_computer_is_not_opened(tmp_path):
    builder = FileBuilder()
    external = {"external_file": ["//elsewhere/share/a.tif"], "format": "external", "starting_frame": [0]}
    builder.movie(**external, rate=None, timestamps=[0.0, 0.1])
    builder.segmentation()
    with pytest.raises(ReadingError, match="lies on another computer"):
        read_recording(builder.write(tmp_path / "a.nwb"))


def test_any_other_exception_of_a_damaged_file_becomes_one_sentence():
    with pytest.raises(ReadingError, match=r"NWB file: RecursionError: deep"), readable(None):
        raise RecursionError("deep")
    with pytest.raises(CinacError, match=r"^ours"), readable(None):
        raise CinacError("ours")
