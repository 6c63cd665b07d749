"""Draw the pictures of docs/classifiers.md: where a classifier of activity fails, and its reliability.

Fields of several presets, none of which it was trained on, are predicted and compared with their truth. Run
it from anywhere, with the extras ``predict``, ``train`` and ``plot``, when the bundled classifier changes::

    python docs/make_classifier_figures.py [CLASSIFIER] [--folder docs/images]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ndx_cinac.classifiers import Classifier, load_classifier
from ndx_cinac.evaluation import ActivityReport, AnnotatedPredictions, EvaluationOptions, evaluate_activity
from ndx_cinac.evaluation.truth import ActivityTruth
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.plotting.activity_evaluation import plot_calibration, plot_examples
from ndx_cinac.prediction import predict_recording
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.simulation import load_config, simulate_field

IMAGES = Path(__file__).parent / "images"
PRESETS = ("two-photon-dense", "hippocampus-pup", "one-photon", "small-field-fast")
SEED = 301
N_FRAMES = 1000
DPI = 80


def main() -> None:
    """Draw the figures of the classifier that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument(
        "classifier", nargs="?", default="activity-sim", help="a name or a folder (%(default)s)"
    )
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where they go (%(default)s)")
    options = parser.parse_args()
    classifier = load_classifier(options.classifier)
    for path in draw(classifier, options.folder):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def draw(classifier: Classifier, folder: Path) -> list[Path]:
    """Draw the worst misses, the worst false alarms and the reliability; return the files."""
    report = evaluate(classifier)
    figures = {
        "misses": plot_examples(report.misses),
        "false_alarms": plot_examples(report.false_alarms),
        "reliability": plot_calibration(report),
    }
    folder.mkdir(exist_ok=True)
    name = classifier.card.name.replace("-", "_")
    paths = {key: folder / f"{name}_{key}.png" for key in figures}
    for key, figure in figures.items():
        figure.savefig(paths[key], dpi=DPI)
    return list(paths.values())


def evaluate(classifier: Classifier) -> ActivityReport:
    """Compare predictions with the truth of a field of each preset."""
    return evaluate_activity([predicted(preset, classifier) for preset in PRESETS], EvaluationOptions())


def predicted(preset: str, classifier: Classifier) -> AnnotatedPredictions:
    """Predict a field of a preset, shorter than usual."""
    config = load_config(preset)
    movie = replace(config.movie, n_frames=(N_FRAMES, N_FRAMES))
    field = simulate_field(replace(config, movie=movie), SEED)
    times = Times(N_FRAMES, rate=field.frame_rate)
    frames = ArrayMovie(field.movie)
    recording = CinacRecording(identifier=preset, movie=frames, rois=field.rois, times=times)
    truth = ActivityTruth(field.active, field.ignored, np.ones_like(field.active), ("simulation",))
    found = AnnotatedPredictions.from_result(predict_recording(recording, classifier), truth, preset)
    return replace(found, rois=field.rois, movie=frames)


if __name__ == "__main__":
    main()
