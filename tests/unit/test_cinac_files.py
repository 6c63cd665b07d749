"""Reading and writing .cinac files, against a file that DeepCINAC wrote and what its reader says of it."""

import json
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ndx_cinac.cinac_files import CinacFile, CinacFullData, CinacSegment, SegmentKey, write_cinac
from ndx_cinac.errors import OutputError, ReadingError

SESSION = Path(__file__).parents[1] / "data" / "deepcinac" / "cinac" / "session_a.cinac"


def make_segment(cell=3, first=10, last=14, **changes):
    key = SegmentKey(cell, first, last)
    n = key.n_frames
    usual = {
        "movie": np.arange(n * 12, dtype=np.uint16).reshape(n, 3, 4),
        "active": np.array([0, 1, 1, 0, 1][:n], np.int8),
        "contours": (np.array([[0, 2, 2], [0, 0, 2]]), np.array([[1, 3, 3, 1], [1, 1, 2, 2]])),
        "raw_trace": np.linspace(0, 1, n),
        "smooth_trace": np.linspace(1, 0, n),
        "doubtful": np.array([1, 0, 0, 0, 0][:n], np.int8),
        "invalid_cells": np.array([0, 1], np.int8),
        "cell_type": "interneuron",
        "pixels_around": 0,
        "buffer": 1,
    }
    return CinacSegment(key, **(usual | changes))


def assert_same(found, expected):
    for field in fields(expected):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(other, tuple) and not isinstance(other, SegmentKey):
            assert len(one) == len(other), field.name
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)
        elif isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one[()], other, err_msg=field.name)
            assert one.dtype == other.dtype, field.name
        else:
            assert one == other, field.name


@pytest.fixture
def session():
    with CinacFile(SESSION) as file:
        yield file


def test_file_that_deepcinac_wrote_is_read_as_its_own_reader_reads_it(session):
    expected = json.loads(SESSION.with_suffix(".json").read_text())
    assert [list(key) for key in session.segments] == expected["segments"]
    assert [str(cell) for cell in session.cell_types] == expected["cell_types"]
    assert session.full_data.n_frames == expected["n_frames"]
    assert session.n_cells == expected["n_cells"]
    assert session.n_active_frames == expected["n_active_frames"]
    assert session.n_annotated_frames == expected["n_frames_gt"]
    assert session.unknown == ()
    assert session.name == "session_a"


def test_every_array_of_a_segment_is_read(session):
    segment = session.read_segment((2, 50, 199))
    with h5py.File(SESSION) as file:
        group = file["cell_2_50_199"]
        stored = {
            "ci_movie": segment.movie,
            "raster_dur": segment.active,
            "raw_traces": segment.raw_trace,
            "smooth_traces": segment.smooth_trace,
            "doubtful_frames": segment.doubtful,
            "invalid_cells": segment.invalid_cells,
        }
        assert set(group) == {*stored, "cells_contour"}
        for name, values in stored.items():
            np.testing.assert_array_equal(values, group[name][()])
        for contour, (x, y) in zip(segment.contours, group["cells_contour"][()], strict=True):
            np.testing.assert_array_equal(contour, [x, y])
    assert (segment.cell_type, segment.pixels_around, segment.buffer) == ("pyr", 0, 1)
    assert session.read_segment((7, 100, 229)).cell_type is None


def test_full_data_is_read(session):
    full = session.full_data
    assert len(full.contours) == 8
    assert full.movie_file_name == "session_a.tif"
    assert full.raw_traces.shape == full.smooth_traces.shape == (8, 230)
    assert full.invalid_cells is None
    assert full.movie is None


def test_written_file_holds_what_was_read_from_the_original(session, tmp_path):
    segments = (session.read_segment(key) for key in session.segments)
    path = write_cinac(tmp_path / "copy.cinac", segments, session.full_data)
    with CinacFile(path) as copy:
        assert copy.segments == session.segments
        for key in session.segments:
            assert_same(copy.read_segment(key), session.read_segment(key))
        full, original = copy.full_data, session.full_data
        assert full.movie_file_name == original.movie_file_name
        np.testing.assert_array_equal(full.raw_traces, original.raw_traces)
        for one, other in zip(full.contours, original.contours, strict=True):
            np.testing.assert_array_equal(one, other)


def test_full_data_with_its_movie_survives_writing_and_reading(tmp_path):
    full = CinacFullData(
        contours=(np.array([[0, 2, 2], [0, 0, 2]], np.int32),),
        n_frames=20,
        n_cells=1,
        raw_traces=np.ones((1, 20)),
        smooth_traces=np.zeros((1, 20)),
        invalid_cells=np.array([1], np.int8),
        movie_file_name="movie.tif",
        movie=np.arange(240, dtype=np.float32).reshape(20, 3, 4),
    )
    with CinacFile(write_cinac(tmp_path / "full.cinac", [], full)) as file:
        assert_same(file.full_data, full)


def test_segment_without_optional_parts_survives_writing_and_reading(tmp_path):
    names = ("raw_trace", "smooth_trace", "doubtful", "invalid_cells", "cell_type", "pixels_around", "buffer")
    bare = make_segment(**dict.fromkeys(names))
    with CinacFile(write_cinac(tmp_path / "bare.cinac", [bare])) as file:
        assert_same(file.read_segment(bare.key), bare)
        assert file.full_data is None
        assert file.n_cells is None
        assert file.cell_types == {}


def test_segments_come_in_the_order_of_cell_and_frame_as_numbers(tmp_path):
    keys = [(10, 0, 4), (9, 100, 104), (9, 20, 24)]
    with CinacFile(write_cinac(tmp_path / "x.cinac", [make_segment(*key) for key in keys])) as file:
        assert [tuple(key) for key in file.segments] == [(9, 20, 24), (9, 100, 104), (10, 0, 4)]


def test_cells_take_the_type_of_their_first_segment_that_has_one(tmp_path):
    segments = [
        make_segment(1, 0, 4, cell_type=None),
        make_segment(1, 5, 9, cell_type="pyr"),
        make_segment(1, 10, 14, cell_type="in"),
    ]
    with CinacFile(write_cinac(tmp_path / "x.cinac", segments)) as file:
        assert file.cell_types == {1: "pyr"}


def test_invalid_contours_are_left_out_of_the_valid_ones():
    segment = make_segment()
    assert len(segment.valid_contours) == 1
    np.testing.assert_array_equal(segment.valid_contours[0], segment.contours[0])
    assert len(replace(segment, invalid_cells=None).valid_contours) == 2


def test_text_attributes_stored_as_bytes_are_read_as_text(tmp_path):
    path = write_cinac(tmp_path / "x.cinac", [make_segment()])
    with h5py.File(path, "a") as file:
        file["cell_3_10_14"].attrs["cell_type"] = np.bytes_(b"pyr")
    with CinacFile(path) as file:
        assert file.read_segment((3, 10, 14)).cell_type == "pyr"


def test_what_no_cinac_file_has_is_named(tmp_path):
    path = write_cinac(tmp_path / "x.cinac", [make_segment()], CinacFullData())
    with h5py.File(path, "a") as file:
        file.attrs["author"] = "me"
        file["cell_3_10_14"].attrs["mood"] = "good"
        file["cell_3_10_14/extra"] = [1]
        file["full_data/extra"] = [1]
        file["cell_3_10"] = [1]
    with CinacFile(path) as file:
        assert set(file.unknown) == {
            "@author",
            "cell_3_10_14/@mood",
            "cell_3_10_14/extra",
            "full_data/extra",
            "cell_3_10",
        }
        assert len(file.segments) == 1


def test_file_that_is_no_hdf5_is_refused_by_name(tmp_path):
    path = tmp_path / "text.cinac"
    path.write_text("no HDF5")
    with pytest.raises(ReadingError, match=r"cannot be opened.*text\.cinac"):
        CinacFile(path)


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ReadingError, match=r"does not exist.*none\.cinac"):
        CinacFile(tmp_path / "none.cinac")


def test_hdf5_file_of_another_kind_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["acquisition/movie"] = [1]
    with pytest.raises(ReadingError, match=r"neither segments nor a whole movie.*other\.h5"):
        CinacFile(tmp_path / "other.h5")


def test_corners_between_pixels_are_refused_rather_than_cut_off(tmp_path):
    segment = make_segment(contours=(np.array([[0, 2.5, 2], [0, 0, 2]]),), invalid_cells=None)
    with pytest.raises(OutputError, match=r"Contour 0 has corners between pixels.*Round them"):
        write_cinac(tmp_path / "x.cinac", [segment])
    assert list(tmp_path.iterdir()) == []


numbers = st.integers(0, 1)
kinds = st.sampled_from([np.uint8, np.int16, np.uint16, np.float32, np.float64])


@st.composite
def any_segment(draw):
    first, n_frames = draw(st.integers(0, 500)), draw(st.integers(1, 6))

    def maybe(strategy):
        return draw(st.none() | strategy)

    def array(shape, dtype):
        elements = numbers if np.dtype(dtype).kind in "iu" else st.floats(-5, 5, width=32)
        return arrays(dtype, shape, elements=elements)

    shape = (n_frames, draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    corners = [draw(st.integers(1, 5)) for _ in range(draw(st.integers(1, 3)))]
    contours = tuple(draw(arrays(np.int32, (2, n), elements=st.integers(-3, 40))) for n in corners)
    return CinacSegment(
        SegmentKey(draw(st.integers(0, 12)), first, first + n_frames - 1),
        movie=draw(array(shape, draw(kinds))),
        active=draw(array(n_frames, np.int8)),
        contours=contours,
        raw_trace=maybe(array(n_frames, np.float64)),
        smooth_trace=maybe(array(n_frames, np.float32)),
        doubtful=maybe(array(n_frames, np.int8)),
        invalid_cells=maybe(array(len(contours), np.int8)),
        cell_type=maybe(st.text("abé ñ", min_size=1, max_size=5)),
        pixels_around=maybe(st.integers(0, 9)),
        buffer=maybe(st.floats(0, 3)),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(any_segment(), max_size=3, unique_by=lambda segment: segment.key), st.booleans())
def test_whatever_segments_hold_survives_writing_and_reading(segments, with_full):
    full = CinacFullData(n_frames=600, n_cells=13) if with_full or not segments else None
    with tempfile.TemporaryDirectory() as folder:
        path = write_cinac(Path(folder) / "any.cinac", segments, full)
        with CinacFile(path) as file:
            assert set(file.segments) == {segment.key for segment in segments}
            assert file.unknown == ()
            for segment in segments:
                assert_same(file.read_segment(segment.key), segment)
            assert (file.full_data is None) == (full is None)


def test_segment_that_is_not_there_is_refused_with_those_that_are(session):
    with pytest.raises(ReadingError, match=r"no segment cell_1_0_5; there are \['cell_0_0_119'"):
        session.read_segment((1, 0, 5))


@pytest.mark.parametrize("name", ["ci_movie", "raster_dur", "cells_contour"])
def test_segment_that_lacks_what_all_have_is_refused(tmp_path, name):
    path = write_cinac(tmp_path / "x.cinac", [make_segment()])
    with h5py.File(path, "a") as file:
        del file[f"cell_3_10_14/{name}"]
    with CinacFile(path) as file, pytest.raises(ReadingError, match=f"no '{name}'.*/cell_3_10_14"):
        file.read_segment((3, 10, 14))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contours": ()}, "has no contour"),
        ({"active": np.zeros(4)}, r"'active' has shape \(4,\), but the segment has 5"),
        ({"doubtful": np.zeros((5, 1))}, r"'doubtful' has shape \(5, 1\)"),
        ({"movie": np.zeros((5, 3))}, r"'movie' has shape \(5, 3\)"),
        ({"invalid_cells": np.zeros(3)}, r"'invalid_cells' has shape \(3,\), but the segment has 2"),
    ],
)
def test_segment_whose_parts_do_not_fit_is_refused(changes, message):
    with pytest.raises(ReadingError, match=message):
        make_segment(**changes)


def test_existing_file_is_overwritten_only_if_asked(tmp_path):
    path = write_cinac(tmp_path / "x.cinac", [make_segment()])
    with pytest.raises(OutputError, match=r"exists already.*x\.cinac"):
        write_cinac(path, [make_segment(cell=4)])
    write_cinac(path, [make_segment(cell=4)], overwrite=True)
    with CinacFile(path) as file:
        assert file.segments == ((4, 10, 14),)


def test_failed_writing_leaves_nothing_behind(tmp_path):
    with pytest.raises(OutputError, match="Two segments are called cell_3_10_14"):
        write_cinac(tmp_path / "x.cinac", [make_segment(), make_segment()])
    assert list(tmp_path.iterdir()) == []
