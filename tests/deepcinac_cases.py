"""DeepCINAC's reference recording and classifiers, and a prediction of them in one line."""

from pathlib import Path

import numpy as np

from ndx_cinac.cinac_predictor import CinacPredictor
from ndx_cinac.cinac_structures import CinacRecording

DATA = Path(__file__).parent / "data" / "deepcinac"
VARIANTS = DATA.parent / "deepcinac_variants"
ACTIVITY = (str(DATA / "activity_w40.json"), str(DATA / "activity_w40.h5"), "w40")
PLAIN = (
    str(DATA / "activity_unidirectional_relu_bn_w40.json"),
    str(DATA / "activity_unidirectional_relu_bn_w40.h5"),
    "plain",
)
THREE = (str(DATA / "activity_3class_w40.json"), str(DATA / "activity_3class_w40.h5"), "three")
LATE = (
    str(DATA / "activity_attention_after_lstm_w40.json"),
    str(DATA / "activity_attention_after_lstm_w40.h5"),
    "late",
)
CELL_TYPE = (str(DATA / "cell_type_w50.json"), str(DATA / "cell_type_w50.h5"), "types")


def make_recording():
    """Make the recording that the reference outputs were computed on."""
    with np.load(DATA / "recording.npz") as stored:
        made = CinacRecording("reference")
        made.set_movie(stored["movie"].astype(np.float64))
        made.set_rois_using_pixel_mask(np.split(stored["pixels"], stored["pixels_index"][:-1]))
    return made


def predict(recording, models, results_path=None, removed_cells_mapping=None, **options):
    """Predict one recording as a script for DeepCINAC would."""
    predictor = CinacPredictor()
    predictor.add_recording(recording, models, removed_cells_mapping)
    return predictor.predict(results_path, **({"time_verbose": False} | options))
