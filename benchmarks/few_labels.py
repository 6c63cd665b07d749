"""Measure what a threshold wins that is chosen by a few annotated ROIs, on the other ROIs of the recording.

    python benchmarks/few_labels.py [FOLDER] [--rois 3 5 10 20] [--draws 100] [--seed 0]

Recordings are those of `accuracy.py`: two of each preset, or the movies of FOLDER. Each is predicted once.
Then ROIs are drawn, and choose a threshold as in `ndx-cinac evaluate`: taken always, or only where it is
advised. Printed is the event F1 of all other ROIs, its mean over draws; "best" is the threshold that suits
all ROIs together. The last row is the mean of recordings that have ROIs enough for every column.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from accuracy import benchmarks, predict
from numpy.typing import NDArray

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.evaluation.thresholds import choose, count_by_roi, event_f1, nearest_first


def others_judge(
    counts: NDArray[np.int64], thresholds: Sequence[float], number: int, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean event F1 of ROIs that did not choose: the chosen threshold always taken, or as it is advised."""
    always, advised = [], []
    for _ in range(draws):
        order = rng.permutation(counts.shape[1])
        advice = choose(counts[:, order[:number]], thresholds)
        values, best = event_f1(counts[:, order[number:]].sum(axis=1)), thresholds.index(advice.threshold)
        always.append(values[best])
        advised.append(values[best if advice.worth_it else 0])
    return float(np.nanmean(always)), float(np.nanmean(advised))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="movies; simulated ones, where not given")
    parser.add_argument("--classifier", default="activity-sim", help="a name or a folder (%(default)s)")
    parser.add_argument("--rois", type=int, nargs="+", default=[3, 5, 10, 20], help="annotated ROIs")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    classifier = load_classifier(options.classifier)
    thresholds = nearest_first(classifier.card.threshold)
    heads = [f"{number} ROIs{how}" for number in options.rois for how in ("", ", as advised")]
    print("| recording | ROIs | transients | own threshold | " + " | ".join(heads) + " | best |")
    print("| --- " * (5 + len(heads)) + "|")
    rows = []
    for benchmark in benchmarks(options.folder):
        judged = np.ones(benchmark.active.shape, bool) if benchmark.ignored is None else ~benchmark.ignored
        counts = count_by_roi([(predict(benchmark, classifier), benchmark.active, judged)], thresholds)
        rng, values = np.random.default_rng(options.seed), event_f1(counts.sum(axis=1))
        few: list[float] = []
        for number in options.rois:
            enough = number < counts.shape[1]
            few += (
                others_judge(counts, thresholds, number, options.draws, rng) if enough else (np.nan, np.nan)
            )
        rows.append([values[0], *few, float(np.nanmax(values))])
        at = thresholds[int(np.nanargmax(values))]
        shown = " | ".join("-" if np.isnan(value) else f"{value:.3f}" for value in rows[-1])
        sizes = f"{counts.shape[1]} | {counts[0, :, 0].sum()}"
        print(f"| {benchmark.name} | {sizes} | {shown} at {at:g} |", flush=True)
    whole = [row for row in rows if np.isfinite(row).all()]
    if whole:
        means = " | ".join(f"{value:.3f}" for value in np.mean(whole, axis=0))
        print(f"| mean of {len(whole)} | | | {means} |")


if __name__ == "__main__":
    main()
