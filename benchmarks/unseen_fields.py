"""Score activity classifiers on simulated fields that none of them was trained, calibrated or measured on.

    python benchmarks/unseen_fields.py [CLASSIFIER ...] [--first 100] [--number 200] [--cache FOLDER]

A classifier is a name or a folder, and all are given the same fields: those of the whole simulation that
follow the ones that a card's figures come from. Labels are those of one annotator for each field, and the
threshold is 0.5, as on the card.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.networks import CompiledNetwork
from ndx_cinac.training import TrainingConfig
from ndx_cinac.training.data import FieldJob, make_examples
from ndx_cinac.training.labelled import Example
from ndx_cinac.training.measures import score_examples

FIGURES = ("average_precision", "frame_f1", "event_f1", "event_recall", "event_precision")


def make_fields(first: int, number: int, *, workers: int, cache: Path | None) -> list[Example]:
    """Simulate fields and extract their traces as a prediction would."""
    config = TrainingConfig()
    numbers = range(first, first + number)
    jobs = [FieldJob(config.simulation, config.traces, config.seed, "test", i) for i in numbers]
    return make_examples(jobs, workers=workers, cache=cache)


def score(name: str, fields: list[Example]) -> tuple[str, dict[str, float]]:
    """Return what a classifier is called, and its figures."""
    classifier = load_classifier(name)
    card = classifier.card
    run = CompiledNetwork(classifier.network(), block=int(card.inputs["block"]))
    probabilities = [run.predict(field.channels.astype(np.float32)) for field in fields]
    figures = score_examples(fields, probabilities)["classifier"]
    return f"{card.name} {card.version}, sha256 {classifier.fingerprint}", figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("classifiers", nargs="*", default=["activity-sim"], help="names or folders")
    parser.add_argument("--first", type=int, default=100, help="number of the first field (%(default)s)")
    parser.add_argument("--number", type=int, default=200, help="fields (%(default)s)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="folder that keeps the fields")
    options = parser.parse_args()
    fields = make_fields(options.first, options.number, workers=options.workers, cache=options.cache)
    print(f"fields {options.first} to {options.first + options.number - 1}\n")
    names = " | ".join(figure.replace("_", " ").replace("f1", "F1") for figure in FIGURES)
    print(f"| classifier | {names} |\n| --- |" + " --- |" * len(FIGURES))
    for name in options.classifiers:
        called, figures = score(name, fields)
        values = " | ".join(f"{figures[figure]:.3f}" for figure in FIGURES)
        print(f"| {called} | {values} |", flush=True)


if __name__ == "__main__":
    main()
