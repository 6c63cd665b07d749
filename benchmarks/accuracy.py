"""Score an activity classifier on movies with ground truth, beside trace-based methods.

    python benchmarks/accuracy.py FOLDER [--classifier activity-sim] [--json FILE]
    python benchmarks/accuracy.py            (the presets of ndx_cinac.simulation)

FOLDER holds one ``.npz`` file per movie: ``movie`` (frames, first, second), ``masks_yx`` with
``masks_start`` (pixels of ROI r: rows ``masks_start[r]`` to ``masks_start[r + 1]``), ``raster_dur`` (ROIs x
frames, 1 from onset to peak of a transient) and ``cells_of_interest`` (rows that are scored; all ROIs are
given to the predictor).

The classifier is scored at the threshold of its card; where a movie has one, the bar that it is to reach
stands below it. Each trace-based method gets the threshold that suits the very movie best, chosen by the same
figure that is shown, on the mean within each mask and after demixing; OASIS where oasis-deconv is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ndx_cinac.classifiers import Classifier, load_classifier
from ndx_cinac.evaluation import best_threshold, score_activity
from ndx_cinac.evaluation.baselines import METHODS, oasis_is_installed
from ndx_cinac.evaluation.signals import change_traces
from ndx_cinac.movies import ArrayMovie, Movie
from ndx_cinac.prediction import predict_recording
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.rois import Rois
from ndx_cinac.simulation import list_presets, load_config, simulate_field

PRESET_SEEDS = (101, 102)
FIGURES = ("average_precision", "frame_f1", "event_f1")
BAR = {
    "deepcinac_sim": {"average_precision": 0.985, "event_f1": 0.96},
    "minian_sim": {"average_precision": 0.86, "event_f1": 0.83},
    "semireal": {"average_precision": 0.79, "event_f1": 0.80},
}
"""What a classifier worth shipping reaches on movies that others' simulators made."""


@dataclass(frozen=True)
class Benchmark:
    """A movie with its ROIs, truth and doubtful frames (n_frames, n_scored), and the rows that are scored."""

    name: str
    movie: Movie
    rois: Rois
    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_] | None
    rows: NDArray[np.int64]
    frame_rate: float | None = None


def load(path: Path) -> Benchmark:
    with np.load(path, allow_pickle=False) as stored:
        movie, starts, pixels = stored["movie"], stored["masks_start"], stored["masks_yx"]
        rows = np.asarray(stored["cells_of_interest"], np.int64)
        active = stored["raster_dur"][rows].T.astype(bool)
    masks = [pixels[a:b] for a, b in pairwise(starts)]
    return Benchmark(
        path.stem, ArrayMovie(movie), Rois.from_pixels(masks, movie.shape[1:]), active, None, rows
    )


def simulate(preset: str, seed: int) -> Benchmark:
    field = simulate_field(load_config(preset), seed)
    name, rows = f"{preset}, seed {seed}", np.arange(len(field.rois))
    return Benchmark(
        name, ArrayMovie(field.movie), field.rois, field.active, field.ignored, rows, field.frame_rate
    )


def benchmarks(folder: Path | None) -> Iterator[Benchmark]:
    if folder is not None:
        yield from (load(path) for path in sorted(folder.glob("*.npz")))
        return
    for preset in list_presets():
        if not preset.endswith("training"):
            yield from (simulate(preset, seed) for seed in PRESET_SEEDS)


def predict(benchmark: Benchmark, classifier: Classifier) -> NDArray[np.float32]:
    """Predict a movie as it is, and return the probabilities of the ROIs that are scored."""
    recording = CinacRecording(
        identifier=benchmark.name,
        movie=benchmark.movie,
        rois=benchmark.rois,
        times=Times(benchmark.movie.n_frames, rate=benchmark.frame_rate),
    )
    result = predict_recording(recording, classifier)
    return result.probabilities[:, np.searchsorted(result.roi_rows, benchmark.rows)]


def score_classifier(benchmark: Benchmark, classifier: Classifier) -> dict[str, Any]:
    started = time.perf_counter()
    probabilities = predict(benchmark, classifier)
    seconds = time.perf_counter() - started
    scores = score_activity(
        probabilities, benchmark.active, benchmark.ignored, threshold=classifier.card.threshold
    )
    best = best_threshold(probabilities, benchmark.active, benchmark.ignored, n_candidates=60)
    at_best = score_activity(probabilities, benchmark.active, benchmark.ignored, threshold=best)
    return {
        **scores.to_dict(),
        "seconds": round(seconds, 1),
        "own_best_threshold": round(best, 3),
        "own_best_event_f1": round(at_best.event_f1, 4),
    }


def score_baselines(benchmark: Benchmark) -> dict[str, dict[str, float]]:
    traces = change_traces(benchmark.movie, benchmark.rois, benchmark.rows)
    found = {}
    for kind in ("mean", "demixed"):
        for name, method in METHODS.items():
            if name == "OASIS" and not oasis_is_installed():
                continue
            label = (
                f"{name}, its best threshold" if kind == "mean" else f"{name}, demixed, its best threshold"
            )
            found[label] = score_baseline(benchmark, method(getattr(traces, kind)))
    return found


def score_baseline(benchmark: Benchmark, values: NDArray[np.float64]) -> dict[str, float]:
    truth = benchmark.active, benchmark.ignored
    figures = {"average_precision": score_activity(values, *truth).average_precision}
    for figure in ("frame_f1", "event_f1"):
        threshold = best_threshold(values, *truth, figure=figure, n_candidates=60)
        figures[figure] = getattr(score_activity(values, *truth, threshold=threshold), figure)
    return figures


def table(results: dict[str, dict[str, dict[str, Any]]]) -> Iterator[str]:
    yield "| movie | method | average precision | frame F1 | event F1 |"
    yield "| --- | --- | --- | --- | --- |"
    for movie, methods in results.items():
        for method, figures in methods.items():
            shown = (f"{figures[name]:.3f}" if name in figures else "" for name in FIGURES)
            yield f"| {movie} | {method} | " + " | ".join(shown) + " |"


def verdicts(results: dict[str, dict[str, dict[str, Any]]], own: str) -> Iterator[str]:
    for movie, bar in BAR.items():
        if movie in results:
            missed = [name for name, least in bar.items() if results[movie][own][name] < least]
            words = "reached" if not missed else f"missed in {' and '.join(missed).replace('_', ' ')}"
            yield f"{movie}: the bar is {words}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="movies; simulated ones, where not given")
    parser.add_argument("--classifier", default="activity-sim", help="a name or a folder (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    classifier = load_classifier(options.classifier)
    own = f"{classifier.card.name} {classifier.card.version}, sha256 {classifier.fingerprint}"
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for benchmark in benchmarks(options.folder):
        results[benchmark.name] = {own: score_classifier(benchmark, classifier)}
        if benchmark.name in BAR:
            results[benchmark.name]["the bar"] = dict(BAR[benchmark.name])
        results[benchmark.name] |= score_baselines(benchmark)
    if not results:
        sys.exit(f"There is no .npz file in {options.folder}")
    print("\n".join([*table(results), "", *verdicts(results, own)]).rstrip())
    if not oasis_is_installed():
        print('OASIS was left out: pip install "ndx-cinac[baselines]"')
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
