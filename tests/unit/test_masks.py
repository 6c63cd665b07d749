"""Masks: every kind of mask column gives the same sparse pixels, and odd rows say what is wrong with them."""

from __future__ import annotations

import time
from typing import Any

import h5py
import numpy as np
import pytest
from hdmf.common import VectorData, VectorIndex
from nwb_builders import SHAPE, FileBuilder, boxes
from pynwb import NWBHDF5IO

from ndx_cinac.errors import ConfigError, ReadingError
from ndx_cinac.reading import RoiSelection
from ndx_cinac.reading.image_masks import image_entries
from ndx_cinac.reading.masks import FAIR_PART, MaskPixels, read_masks

BOXES = boxes()


def pixels_of(masks: MaskPixels, row: int) -> set[tuple[int, int]]:
    part = slice(masks.starts[row], masks.starts[row + 1])
    return set(zip(masks.a[part].tolist(), masks.b[part].tolist(), strict=True))


def as_set(box: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in box}


def table(rois: list | None = None, **options: Any) -> Any:
    return FileBuilder().segmentation(rois, **options)


def pixel_table(*rows: list[tuple]) -> Any:
    made = FileBuilder().segmentation([])
    for row in rows:
        made.add_roi(pixel_mask=row)
    return made


@pytest.mark.parametrize("kind", ["image_mask", "pixel_mask", "voxel_mask"])
@pytest.mark.parametrize("written", [False, True])
def test_all_kinds_of_masks_give_the_same_pixels_in_memory_and_from_a_file(tmp_path, kind, written):
    builder = FileBuilder()
    made = builder.segmentation(BOXES, kind=kind)
    if written:
        builder.write(tmp_path / "a.nwb")
        io = NWBHDF5IO(str(tmp_path / "a.nwb"), "r")
        made = io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
    masks = read_masks(made)
    assert masks.column == kind
    assert [pixels_of(masks, row) for row in range(len(BOXES))] == [as_set(box) for box in BOXES]
    assert masks.image_shape == (SHAPE if kind == "image_mask" else None)
    assert masks.faults == {}


def test_the_image_mask_is_preferred_and_the_next_column_used_where_it_is_empty():
    made = FileBuilder().segmentation([])
    image = np.zeros(SHAPE)
    image[3, 4] = 1
    made.add_roi(image_mask=image, pixel_mask=[(9, 9, 1.0)])
    assert pixels_of(read_masks(made), 0) == {(3, 4)}
    made = FileBuilder().segmentation([])
    made.add_roi(image_mask=np.zeros(SHAPE), pixel_mask=[(9, 9, 1.0)])
    assert pixels_of(read_masks(made), 0) == {(9, 9)}


@pytest.mark.parametrize("kind", ["image_mask", "pixel_mask"])
def test_a_pixel_belongs_where_its_weight_is_a_fair_part_of_the_maximum(kind):
    weights = [np.array([50, 50 * FAIR_PART, 49 * FAIR_PART, 0.001])]
    masks = read_masks(table([np.array([[1, 1], [1, 2], [1, 3], [1, 4]])], kind=kind, weights=weights))
    assert pixels_of(masks, 0) == {(1, 1), (1, 2)}
    np.testing.assert_allclose(masks.weights, [50, 50 * FAIR_PART], rtol=1e-6)


@pytest.mark.parametrize("kind", ["image_mask", "pixel_mask"])
def test_nan_infinite_and_negative_weights_are_left_out(kind):
    weights = [np.array([np.nan, -5, np.inf, 1])]
    masks = read_masks(table([np.array([[1, 1], [1, 2], [1, 3], [1, 4]])], kind=kind, weights=weights))
    assert pixels_of(masks, 0) == {(1, 4)}


@pytest.mark.parametrize("kind", ["image_mask", "pixel_mask"])
@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan])
def test_a_row_without_a_weight_above_0_is_faulty_and_the_others_are_read(kind, weight):
    masks = read_masks(table(BOXES[:2], kind=kind, weights=[np.full(12, weight), np.ones(12)]))
    assert masks.faults == {0: "its mask is empty: no pixel has a weight above 0"}
    assert pixels_of(masks, 1) == as_set(BOXES[1])


def test_a_row_without_entries_is_faulty():
    entries = VectorData(name="pixel_mask", description="x", data=[(2, 3, 1.0)])
    index = VectorIndex(name="pixel_mask_index", data=np.array([0, 1, 1], np.uint8), target=entries)

    class Table:
        name, colnames = "T", ("pixel_mask",)
        id = VectorData(name="id", description="x", data=[4, 5, 6])

        def __getitem__(self, name: str) -> Any:
            return index

    masks = read_masks(Table())
    assert set(masks.faults) == {0, 2}
    assert pixels_of(masks, 1) == {(2, 3)}
    assert masks.ids.tolist() == [4, 5, 6]


def test_unsigned_ends_do_not_wrap_around(tmp_path):
    builder = FileBuilder()
    builder.segmentation([box for _ in range(30) for box in boxes(n_rois=1, size=(4, 3))])
    path = builder.write(tmp_path / "a.nwb")
    with h5py.File(path) as file:
        assert file["processing/ophys/ImageSegmentation/PlaneSegmentation/pixel_mask_index"].dtype.kind == "u"
    with NWBHDF5IO(str(path), "r") as io:
        masks = read_masks(io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"])
    assert np.diff(masks.starts).tolist() == [12] * 30


def test_a_coordinate_that_is_no_whole_number_makes_its_row_faulty():
    masks = read_masks(pixel_table([(1.5, 2, 1.0), (3, 4, 1.0)], [(5.0, 6.0, 1.0)]))
    assert masks.faults == {0: "pixel_mask has a coordinate that is no whole number"}
    assert pixels_of(masks, 1) == {(5, 6)}


def test_voxels_of_one_plane_are_read_and_rows_that_span_planes_are_faulty():
    made = FileBuilder().segmentation([])
    made.add_roi(voxel_mask=[(1, 2, 5, 1.0), (1, 3, 5, 1.0)])
    made.add_roi(voxel_mask=[(1, 2, 5, 1.0), (1, 3, 6, 1.0)])
    masks = read_masks(made)
    assert pixels_of(masks, 0) == {(1, 2), (1, 3)}
    assert masks.faults == {1: "voxel_mask spans several planes (z from 5 to 6)"}


def test_voxel_masks_on_different_planes_are_refused():
    made = FileBuilder().segmentation([])
    made.add_roi(voxel_mask=[(1, 2, 5, 1.0)])
    made.add_roi(voxel_mask=[(1, 2, 7, 1.0)])
    with pytest.raises(ReadingError, match=r"lie on 2 planes \(z = 5, 7\), the movie on one"):
        read_masks(made)


def test_a_segmentation_without_rois_is_refused():
    with pytest.raises(ReadingError, match="has no ROIs"):
        read_masks(table([]))


def test_a_segmentation_without_masks_is_refused():
    made = FileBuilder().segmentation([])
    made.id.extend([0])

    class Table:
        name, colnames, id = "T", ("accepted",), made.id

    with pytest.raises(ReadingError, match=r"no mask column \(image_mask, pixel_mask, voxel_mask\)"):
        read_masks(Table())


def test_image_masks_of_several_planes_are_refused():
    with pytest.raises(ReadingError, match=r"image_mask has shape \(2, 4, 5, 3\)"):
        image_entries(np.zeros((2, 4, 5, 3)), "segmentation 'S'", 0.2)


@pytest.mark.parametrize("chunks", [(3, 7, 5), (50, 4, 4), (1, 20, 28)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "?", ">i2"])
def test_tiles_smaller_than_the_masks_change_nothing(tmp_path, monkeypatch, chunks, dtype):
    monkeypatch.setattr("ndx_cinac.reading.image_masks.BLOCK_BYTES", 3000)
    rng = np.random.default_rng(0)
    masks = (rng.random((50, *SHAPE)) * 40 * (rng.random((50, *SHAPE)) < 0.02)).astype(dtype)
    data = h5py.File(tmp_path / "m.h5", "w").create_dataset("m", data=masks, chunks=chunks)
    row, first, second, weights = image_entries(data, "S", 0.0001)
    found = np.zeros(masks.shape)
    found[row, first, second] = weights
    np.testing.assert_allclose(found, masks.astype(float), rtol=1e-6)
    assert (np.diff(row) >= 0).all()


def test_a_thousand_image_masks_of_512_x_512_are_read_in_seconds(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        data = file.create_dataset("m", (1000, 512, 512), "f4", chunks=(16, 128, 128), compression="gzip")
        for row in range(0, 1000, 250):
            data[row, 100:112, 100:112] = 1
        started = time.process_time()
        row, *_ = image_entries(data, "S", 0.2)
        assert time.process_time() - started < 5
    assert np.unique(row).tolist() == [0, 250, 500, 750]


def selectable() -> Any:
    made = FileBuilder().segmentation(BOXES[:3])
    made.add_column(name="Accepted", description="x", data=[1, 0, 1])
    made.add_column(name="iscell", description="x", data=[[1.0, 0.9], [1.0, 0.6], [0.0, 0.2]])
    made.add_column(name="quality", description="x", data=[0.3, 0.2, 0.5])
    return made


@pytest.mark.parametrize(
    ("selection", "unselected"),
    [
        (RoiSelection(), {}),
        (RoiSelection(rows=(0, 2)), {1: "its row was not chosen"}),
        (RoiSelection(ids=(1,)), {0: "its id was not chosen", 2: "its id was not chosen"}),
        (RoiSelection(column="Accepted"), {1: "column 'Accepted' says no"}),
        (RoiSelection(column="iscell"), {2: "column 'iscell' says no"}),
        (
            RoiSelection(rows=(0, 1), column="Accepted"),
            {1: "column 'Accepted' says no", 2: "its row was not chosen"},
        ),
    ],
)
def test_rows_ids_and_columns_select(selection, unselected):
    assert selection.unselected(selectable()) == unselected


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (RoiSelection(rows=(0, 9)), "has no ROI with row 9"),
        (RoiSelection(ids=(77,)), "has no ROI with id 77"),
        (RoiSelection(column="cells"), "has no column 'cells'.*It has .*iscell"),
        (RoiSelection(column="quality"), "does not say yes or no"),
    ],
)
def test_a_selection_that_the_table_cannot_follow_is_refused(selection, words):
    with pytest.raises(ConfigError, match=words):
        selection.unselected(selectable())
