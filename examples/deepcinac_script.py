"""A script in DeepCINAC's style: cell types, then activity with a classifier for each type, all saved.

    python deepcinac_script.py MOVIE.tif ROIS.json CLASSIFIERS RESULTS

ROIS.json lists for each cell its pixels as [x, y]. CLASSIFIERS is a folder with DeepCINAC's classifiers:
each a .json (architecture) and a .h5 (weights). Only the imports differ from a script for DeepCINAC.
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np

from ndx_cinac.cinac_predictor import (
    CinacPredictor,
    read_cell_type_categories_yaml_file,
    select_activity_classifier_on_cell_type_outputs,
)
from ndx_cinac.cinac_structures import CinacRecording, CinacTiffMovie


def load_recording(movie_file, rois_file):
    recording = CinacRecording(identifier=Path(movie_file).stem)
    recording.set_movie(CinacTiffMovie(tiff_file_name=movie_file))
    recording.set_rois_using_pixel_mask(pixel_masks=json.loads(Path(rois_file).read_text()))
    # Other sources of ROIs: set_rois_from_suite_2p, set_rois_2d_array (contours), set_rois_from_nwb.
    return recording


def predict_cell_types(recording, classifier, results_path):
    predictor = CinacPredictor(verbose=1)
    predictor.add_recording(recording, model_files_dict={classifier: None})  # None: all cells
    results = predictor.predict(
        results_path,
        overlap_value=0,
        cell_type_classifier_mode=True,
        n_segments_to_use_for_prediction=2,
        create_dir_for_results=False,
        time_verbose=False,
    )
    return results[recording.identifier, classifier[2]]


def predict_activity(recording, classifier_by_cells, results_path):
    predictor = CinacPredictor(verbose=1)
    predictor.add_recording(recording, model_files_dict=classifier_by_cells)
    results = predictor.predict(
        results_path,
        overlap_value=0.5,
        output_file_formats=["npz", "mat", "nwb"],
        create_dir_for_results=False,
        time_verbose=False,
    )
    return next(iter(results.values()))


def main(movie_file, rois_file, classifiers, results_path):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = Path(classifiers)

    def classifier(name):
        return str(folder / f"{name}.json"), str(folder / f"{name}.h5"), name

    recording = load_recording(movie_file, rois_file)
    cell_types = predict_cell_types(recording, classifier("cell_type_w50"), results_path)

    names, _, _ = read_cell_type_categories_yaml_file(folder / "cell_types.yaml")
    for cell, probabilities in enumerate(cell_types):
        print(f"Cell {cell}: {names[int(np.argmax(probabilities))]} {np.round(probabilities, 2)}")

    by_type = {"interneuron": classifier("activity_unidirectional_relu_bn_w40")}
    chosen = select_activity_classifier_on_cell_type_outputs(
        cell_type_config_file=folder / "cell_types.yaml",
        cell_type_predictions=cell_types,
        cell_type_to_classifier=by_type,
        default_classifier=classifier("activity_w40"),
        unknown_cell_type_action="default",
    )
    activity = predict_activity(recording, chosen, results_path)
    raster = activity > 0.5
    print(f"{raster.shape[0]} cells, {raster.shape[1]} frames, active in {100 * raster.mean():.1f} %")
    return activity


if __name__ == "__main__":
    main(*sys.argv[1:5])
