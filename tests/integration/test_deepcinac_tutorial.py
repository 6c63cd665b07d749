"""Scripts as DeepCINAC's tutorials have them, with star imports, for every kind of movie and of ROIs."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest
import tifffile
from deepcinac_cases import ACTIVITY, CELL_TYPE, DATA
from pynwb import NWBFile
from pynwb.ophys import ImageSegmentation
from scipy.io import loadmat

from ndx_cinac.cinac_files.nwb_objects import imaging_plane
from ndx_cinac.deepcinac.polygons import convex_hull

pytestmark = pytest.mark.tensorflow

IMPORTS = """
from ndx_cinac.cinac_predictor import *
from ndx_cinac.cinac_structures import *
"""

# What a tutorial imports by its stars alone (os, np) is used without another import.
SCRIPT = """
movie_file = os.path.join(root, "movie.tif")
cinac_recording = CinacRecording(identifier="demo")
cinac_recording.set_movie({movie})
cinac_recording.{rois}
model_files_dict = dict()
model_files_dict[(model, weights, "w40")] = np.arange(2)
cinac_predictor = CinacPredictor()
cinac_predictor.add_recording(
    cinac_recording=cinac_recording, removed_cells_mapping=None, model_files_dict=model_files_dict
)
predictions_dict = cinac_predictor.predict(
    results_path=root, output_file_formats={formats}, overlap_value=0.5, cell_type_classifier_mode=False
)
rasters = dict()
for identifier, predictions in predictions_dict.items():
    raster = np.zeros((len(predictions), len(predictions[0])), dtype="int8")
    raster[predictions > 0.5] = 1
    rasters[identifier] = raster
"""

CELL_TYPES = """
import numpy
cinac_recording = CinacRecording(identifier="demo")
cinac_recording.set_movie(CinacTiffMovie(tiff_movie=movie))
cinac_recording.set_rois_using_pixel_mask(pixel_masks=pixels)
cinac_predictor = CinacPredictor(verbose=1)
cinac_predictor.add_recording(cinac_recording, {(model, weights, "types"): None})
predictions_dict = cinac_predictor.predict(
    results_path=root, output_file_formats="mat", overlap_value=0, cell_type_classifier_mode=True
)
names, codes, multi_class = read_cell_type_categories_yaml_file(yaml_file=types, using_multi_class=2)
found = [names[numpy.argmax(row)] for row in predictions_dict[("demo", "types")] if numpy.sum(row) != 0]
"""

MOVIES = {
    "tiff file": "CinacTiffMovie(tiff_file_name=movie_file)",
    "tiff array": "CinacTiffMovie(tiff_movie=movie)",
    "array": "CinacDataMovie(movie)",
    "standard scores": "CinacDataMovie(movie=scores, already_normalized=True)",
}
ROIS = {
    "pixels": "set_rois_using_pixel_mask(pixel_masks=pixels)",
    "contours": "set_rois_2d_array(coord=contours, from_matlab=False)",
    "contours of Matlab": "set_rois_2d_array(coord=[contour + 1 for contour in contours], from_matlab=True)",
    "suite2p": "set_rois_from_suite_2p(is_cell_file_name=os.path.join(root, 'iscell.npy'), "
    "stat_file_name=os.path.join(root, 'stat.npy'))",
    "nwb": "set_rois_from_nwb(nwb_data=nwb, name_module='ophys', name_segmentation='cells', "
    "name_seg_plane='plane')",
}


@pytest.fixture(scope="module")
def data():
    with np.load(DATA / "recording.npz") as stored:
        movie, pixels = stored["movie"], np.split(stored["pixels"], stored["pixels_index"][:-1])
    return {
        "movie": movie.astype(np.float64),
        "scores": (movie - movie.mean()) / movie.std(),
        "pixels": pixels,
        "contours": [convex_hull(xy).T for xy in pixels],
        "nwb": nwb_with(pixels),
        "types": str(DATA / "cell_types.yaml"),
    }


@pytest.fixture
def root(tmp_path, data):
    tifffile.imwrite(tmp_path / "movie.tif", data["movie"].astype(np.uint16))
    entries = [{"xpix": xy[:, 0], "ypix": xy[:, 1], "lam": np.ones(len(xy))} for xy in data["pixels"]]
    np.save(tmp_path / "stat.npy", np.array(entries, dtype=object))
    np.save(tmp_path / "iscell.npy", np.array([[1, 0.9]] * len(entries)))
    return tmp_path


@pytest.fixture(scope="module")
def reference():
    with np.load(DATA / "predictions.npz") as stored:
        return dict(stored)


def nwb_with(pixels):
    made = NWBFile("ROIs", "rois", datetime(2024, 5, 6, tzinfo=UTC))
    images = ImageSegmentation(name="cells")
    plane = imaging_plane(made, "ImagingPlane", "The field of view", 8.0)
    table = images.create_plane_segmentation(name="plane", description="Cells", imaging_plane=plane)
    for xy in pixels:
        table.add_roi(pixel_mask=[(x, y, 1.0) for x, y in xy.tolist()])
    made.create_processing_module("ophys", "Segmentation").add(images)
    return made


def run(script, root, data, files):
    names = data | {"root": str(root), "model": files[0], "weights": files[1]}
    exec(IMPORTS + script, names)
    return names


@pytest.mark.parametrize(
    ("movie", "rois"),
    [("tiff file", rois) for rois in ROIS] + [(movie, "pixels") for movie in MOVIES if movie != "tiff file"],
)
def test_tutorial_gives_deepcinacs_predictions_and_files(root, data, reference, movie, rois):
    script = SCRIPT.format(movie=MOVIES[movie], rois=ROIS[rois], formats=["npy", "mat"])
    names = run(script, root, data, ACTIVITY)
    assert list(names["predictions_dict"]) == [("demo", "w40")]
    found, expected = names["predictions_dict"]["demo", "w40"], np.zeros((8, 230))
    expected[:2] = reference["activity/overlap0.5"][:2]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(names["rasters"]["demo", "w40"], expected > 0.5)
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    assert re.fullmatch(r"\d{4}_\d\d_\d\d\.\d\d-\d\d-\d\d", folder.name)
    assert sorted(path.name for path in folder.iterdir()) == [
        "demo_predictions_w40.mat",
        "demo_predictions_w40.npz",
    ]
    with np.load(folder / "demo_predictions_w40.npz") as saved:
        assert set(saved) == {"predictions", "cells"}
        np.testing.assert_array_equal(saved["predictions"], found)
        np.testing.assert_array_equal(saved["cells"], [0, 1])
    saved = loadmat(folder / "demo_predictions_w40.mat")
    np.testing.assert_array_equal(saved["predictions"], found)
    np.testing.assert_array_equal(saved["cells"], [[0, 1]])


def test_tutorial_for_cell_types_gives_deepcinacs_predictions_and_file(root, data, reference):
    names = run(CELL_TYPES, root, data, CELL_TYPE)
    expected = reference["cell_type/n2"]
    np.testing.assert_allclose(names["predictions_dict"]["demo", "types"], expected, rtol=0, atol=1e-5)
    assert names["found"] == [("interneuron", "pyramidal", "noise")[code] for code in expected.argmax(axis=1)]
    (file,) = root.glob("*/*")
    assert file.name == "demo_cell_type_predictions_types.mat"
    np.testing.assert_array_equal(loadmat(file)["predictions"], names["predictions_dict"]["demo", "types"])
