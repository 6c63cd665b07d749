"""A .cinac file becomes NWB: every value is found again there, and what is not is named."""

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, validate

from ndx_cinac import ActivityAnnotations, AnnotatedSegments, CellTypeAnnotations, read_recording
from ndx_cinac.cinac_files import (
    CinacFile,
    CinacFullData,
    CinacSegment,
    ConversionOptions,
    SegmentKey,
    convert_cinac,
    write_cinac,
)
from ndx_cinac.errors import OutputError, ReadingError

SESSION = Path(__file__).parents[1] / "data" / "deepcinac" / "cinac" / "session_a.cinac"
RATE = 8.0
OPTIONS = ConversionOptions(
    frame_rate=RATE, session_start_time=datetime(2024, 5, 6, tzinfo=UTC), annotator="JD"
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    return convert_cinac(SESSION, tmp_path_factory.mktemp("nwb") / "session_a.nwb", OPTIONS)


@pytest.fixture
def nwbfile(converted):
    with NWBHDF5IO(converted, "r") as io:
        yield io.read()


@pytest.fixture
def session():
    with CinacFile(SESSION) as file:
        yield file


def a_segment(cell=0, **changes):
    usual = {
        "movie": np.arange(5 * 8 * 9, dtype=np.float32).reshape(5, 8, 9),
        "active": np.array([0, 1, 1, 0, 1]),
        "contours": (np.array([[1, 4, 4, 1], [1, 1, 3, 3]]),),
    }
    return CinacSegment(SegmentKey(cell, 10, 14), **(usual | changes))


def convert(tmp_path, segments, full_data=None, options=OPTIONS):
    source = write_cinac(tmp_path / "some.cinac", segments, full_data)
    return convert_cinac(source, tmp_path / "some.nwb", options)


def test_file_is_valid_and_its_types_survive(converted, nwbfile):
    assert validate(path=str(converted)) == []
    module = nwbfile.processing["cinac"]
    assert type(module["ActivityAnnotations"]) is ActivityAnnotations
    assert type(module["AnnotatedSegments"]) is AnnotatedSegments
    assert type(module["CellTypeAnnotations"]) is CellTypeAnnotations


def test_movie_patches_hold_the_same_pixels_at_the_same_times(nwbfile, session):
    assert set(nwbfile.acquisition) == {key.name for key in session.segments}
    for key in session.segments:
        series, stored = nwbfile.acquisition[key.name], session.read_segment(key).movie
        assert series.data.dtype == stored.dtype
        np.testing.assert_array_equal(series.data[:].transpose(0, 2, 1), stored)
        assert (series.rate, series.starting_time) == (RATE, key.first_frame / RATE)


def test_annotations_give_back_every_active_and_doubtful_frame(nwbfile, session):
    table = nwbfile.processing["cinac"]["ActivityAnnotations"]
    columns = ("segment", "state", "first_frame", "last_frame", "timestamp", "duration", "annotator")
    rows = list(zip(*(table[name].data[:] for name in columns), strict=True))
    assert np.all(np.diff(table["timestamp"].data[:]) >= 0)
    for key in session.segments:
        found = {"active": np.zeros(key.n_frames, int), "doubtful": np.zeros(key.n_frames, int)}
        for segment, state, first, last, timestamp, duration, annotator in rows:
            if segment == key.name:
                found[state][first - key.first_frame : last - key.first_frame + 1] = 1
                assert (timestamp, duration) == (first / RATE, (last - first + 1) / RATE)
                assert annotator == "JD"
        np.testing.assert_array_equal(found["active"], session.read_segment(key).active)
        np.testing.assert_array_equal(found["doubtful"], session.read_segment(key).doubtful)


def test_segments_lead_to_their_cell_their_frames_and_their_patch(nwbfile, session):
    table = nwbfile.processing["cinac"]["AnnotatedSegments"]
    rows = {table["segment"][row]: row for row in range(len(table))}
    assert set(rows) == {key.name for key in session.segments}
    for key in session.segments:
        row, segment = rows[key.name], session.read_segment(key)
        assert table["roi"].data[row] == key.cell
        assert (table["first_frame"][row], table["last_frame"][row]) == (key.first_frame, key.last_frame)
        assert (table["start_time"][row], table["stop_time"][row]) == (
            key.first_frame / RATE,
            (key.last_frame + 1) / RATE,
        )
        assert table["cell_type"][row] == (segment.cell_type or "")
        assert (table["pixels_around"][row], table["buffer"][row]) == (segment.pixels_around, segment.buffer)
        reference = table["timeseries"][row][0]
        assert (reference.idx_start, reference.count) == (0, key.n_frames)
        assert reference.timeseries is nwbfile.acquisition[key.name]


def test_contours_masks_and_invalid_cells_are_kept(nwbfile, session):
    segmentations = nwbfile.processing["ophys"]["ImageSegmentation"]
    assert len(segmentations["PlaneSegmentation"]) == 8
    tables = {"PlaneSegmentation": (session.full_data.contours, None)}
    for key in session.segments:
        segment = session.read_segment(key)
        tables[f"PlaneSegmentation_{key.name}"] = (segment.contours, segment.invalid_cells)
    for name, (contours, invalid) in tables.items():
        table = segmentations[name]
        assert len(table) == len(contours)
        for row, (x, y) in enumerate(contours):
            np.testing.assert_array_equal(table["contour_x"][row], x)
            np.testing.assert_array_equal(table["contour_y"][row], y)
            mask = {(int(a), int(b)) for a, b, _ in table["pixel_mask"][row]}
            assert set(zip(x.tolist(), y.tolist(), strict=True)) <= mask
        if invalid is not None:
            assert [bool(value) for value in table["invalid"][:]] == [bool(value) for value in invalid]


def test_traces_are_kept(nwbfile, session):
    traces = nwbfile.processing["ophys"]["Fluorescence"].roi_response_series
    np.testing.assert_array_equal(traces["raw_traces"].data[:].T, session.full_data.raw_traces)
    np.testing.assert_array_equal(traces["smooth_traces"].data[:].T, session.full_data.smooth_traces)
    for key in session.segments:
        segment = session.read_segment(key)
        raw = traces[f"{key.name}_raw_traces"]
        np.testing.assert_array_equal(raw.data[:, 0], segment.raw_trace)
        np.testing.assert_array_equal(traces[f"{key.name}_smooth_traces"].data[:, 0], segment.smooth_trace)
        assert raw.rois.table.name == f"PlaneSegmentation_{key.name}"
        assert raw.starting_time == key.first_frame / RATE


def test_cell_types_are_kept(nwbfile, session):
    table = nwbfile.processing["cinac"]["CellTypeAnnotations"]
    found = dict(zip(table["roi"].data[:], table["cell_type"].data[:], strict=True))
    assert found == session.cell_types


def test_each_patch_can_be_read_as_a_recording_with_its_own_rois(converted, session):
    for key in session.segments:
        with read_recording(converted, movie=key.name) as recording:
            segment = session.read_segment(key)
            assert len(recording.require_rois()) == len(segment.contours)
            assert recording.require_rois().shape == segment.movie.shape[:0:-1]
            assert recording.axes.masks == "matching"


def test_what_had_to_be_assumed_and_what_is_missing_is_named(tmp_path, caplog):
    path = convert_cinac(SESSION, tmp_path / "plain.nwb")
    with NWBHDF5IO(path, "r") as io:
        notes = io.read().notes.split("\n")
    assert notes == [
        "A .cinac file has no frame rate: one frame counts as one second",
        "A .cinac file does not say when the movie was taken: its session starts in 1970",
        "The whole movie is not in the file, which names it: session_a.tif",
        "The whole movie has 230 frames",
    ]
    assert [record.message for record in caplog.records] == [f"session_a.cinac: {note}" for note in notes]


def test_unknown_contents_and_odd_values_are_named(tmp_path):
    source = write_cinac(tmp_path / "odd.cinac", [a_segment(active=np.array([0, 2, 0, 0, 1]))])
    with h5py.File(source, "a") as file:
        file["cell_0_10_14/extra"] = [1]
    with NWBHDF5IO(convert_cinac(source, tmp_path / "odd.nwb", OPTIONS), "r") as io:
        notes = io.read().notes
    assert "'cell_0_10_14/extra' is not known in a .cinac file and was left out" in notes
    assert "cell_0_10_14/raster_dur holds other values than 0 and 1; they became 1" in notes


def test_whole_movie_and_invalid_cells_of_the_full_data_are_kept(tmp_path):
    movie = np.arange(130 * 8 * 9, dtype=np.uint16).reshape(130, 8, 9)
    full = CinacFullData(
        contours=(np.array([[1, 4, 4], [1, 1, 3]]), np.array([[5, 7, 7], [2, 2, 5]])),
        n_frames=130,
        n_cells=3,
        invalid_cells=np.array([0, 1]),
        movie=movie,
    )
    with NWBHDF5IO(convert(tmp_path, [a_segment()], full), "r") as io:
        nwbfile = io.read()
        series = nwbfile.acquisition["TwoPhotonSeries"]
        np.testing.assert_array_equal(series.data[:].transpose(0, 2, 1), movie)
        table = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert table["invalid"][:].tolist() == [False, True]
        assert "The file speaks of 3 cells and has contours of 2" in nwbfile.notes


def test_file_without_full_data_gets_a_row_for_each_annotated_cell(tmp_path):
    path = convert(tmp_path, [a_segment(cell=7), a_segment(cell=3, cell_type="pyr")])
    with NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        table = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert table.id[:].tolist() == [3, 7]
        assert nwbfile.processing["cinac"]["CellTypeAnnotations"]["roi"].data[:].tolist() == [0]
        assert "There are no contours in the whole frame: cells lie as in their first patch" in nwbfile.notes
        assert np.isnan(nwbfile.processing["cinac"]["AnnotatedSegments"]["buffer"][0])


def test_masks_stay_within_the_patch_where_contours_leave_it(tmp_path):
    contours = ([[1, 4, 4, 1], [1, 1, 3, 3]], [[7, 12, 12, 7], [6, 6, 11, 11]], [[-3, 1, 1], [6, 6, 7]])
    contours = (*contours, [[20, 22, 22], [6, 6, 7]])
    segment = a_segment(contours=tuple(np.array(corners) for corners in contours))
    path = convert(tmp_path, [segment])
    with NWBHDF5IO(path, "r") as io:
        table = io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation_cell_0_10_14"]
        assert table["contour_x"][2].tolist() == [-3, 1, 1]
        assert [len(table["pixel_mask"][row]) for row in range(4)][1:] == [4, 3, 0]
    with read_recording(path, movie="cell_0_10_14") as recording:
        assert list(recording.rois.skipped) == [3]
        assert recording.rois.pixels(1).tolist() == [[7, 6], [7, 7], [8, 6], [8, 7]]


def test_file_without_any_cell_is_refused(tmp_path):
    with pytest.raises(ReadingError, match=r"neither segments nor contours of cells.*some\.cinac"):
        convert(tmp_path, [], CinacFullData(n_frames=130))


def test_invalid_cells_that_fit_no_contours_are_refused_or_named(tmp_path):
    full = CinacFullData(contours=(np.array([[1, 4, 4], [1, 1, 3]]),), invalid_cells=np.array([0, 1]))
    with pytest.raises(ReadingError, match=r"'invalid_cells' of \(2,\) does not fit 1 contours.*/full_data"):
        convert(tmp_path, [a_segment()], full)
    source = write_cinac(
        tmp_path / "other.cinac", [a_segment()], CinacFullData(invalid_cells=np.array([1, 1]))
    )
    with NWBHDF5IO(convert_cinac(source, tmp_path / "other.nwb", OPTIONS), "r") as io:
        assert "full_data/invalid_cells speaks of cells without contours and was left out" in io.read().notes


def test_segment_of_a_cell_without_contour_is_refused(tmp_path):
    full = CinacFullData(contours=(np.array([[1, 4, 4], [1, 1, 3]]),))
    with pytest.raises(ReadingError, match=r"of cell 4, but the file has contours of 1.*/cell_4_10_14"):
        convert(tmp_path, [a_segment(cell=4)], full)
    assert not (tmp_path / "some.nwb").exists()


def test_traces_that_fit_no_contours_are_refused(tmp_path):
    full = CinacFullData(contours=(np.array([[1, 4, 4], [1, 1, 3]]),), raw_traces=np.zeros((2, 20)))
    with pytest.raises(ReadingError, match=r"'raw_traces' of \(2, 20\) does not fit 1 contours.*/full_data"):
        convert(tmp_path, [a_segment()], full)


def test_output_that_exists_is_replaced_only_if_asked(tmp_path):
    path = convert(tmp_path, [a_segment()])
    with pytest.raises(OutputError, match=r"exists already.*some\.nwb"):
        convert_cinac(tmp_path / "some.cinac", path)
    before = path.read_bytes()
    convert_cinac(tmp_path / "some.cinac", path, ConversionOptions(overwrite=True))
    assert path.read_bytes() != before
