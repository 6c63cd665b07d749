"""Measure what reduced precision of the network saves, and what it changes, on simulated recordings.

    python benchmarks/precision.py [--classifier activity-sim] [--presets NAME ...] [--seed 101]

Traces are extracted once per recording; the network then runs on them in each precision that this machine
has. Processor time is the least of three runs. F1 is that at the threshold of the classifier's card.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from accuracy import Benchmark, simulate
from measuring import describe_machine
from numpy.typing import NDArray

from ndx_cinac.classifiers import Classifier, load_classifier
from ndx_cinac.errors import PredictionError
from ndx_cinac.evaluation import score_activity
from ndx_cinac.networks import CompiledNetwork, device_description
from ndx_cinac.prediction.options import Precision
from ndx_cinac.prediction.traces import read_trace_options
from ndx_cinac.simulation import list_presets
from ndx_cinac.traces import extract_traces

REPEATS = 3
LEAST = 1e-3
"""A reduced precision could become the default if it changed no probability by so much."""


@dataclass(frozen=True)
class Found:
    """One recording in one precision: probabilities (n_frames, n_rois), and the network's processor time."""

    probabilities: NDArray[np.float32]
    seconds: float
    scores: Any


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classifier", default="activity-sim", help="a name or a folder (%(default)s)")
    presets = [name for name in list_presets() if not name.endswith("training")]
    parser.add_argument("--presets", nargs="+", default=presets, choices=presets)
    parser.add_argument("--seed", type=int, default=101)
    arguments = parser.parse_args()
    classifier = load_classifier(arguments.classifier)
    print(f"{describe_machine()}; the network runs on {device_description()}\n")
    networks = dict(available(classifier))
    print(
        "\n| recording | precision | cell-frames per processor s | largest | mean | frame F1 | transient F1 |"
    )
    print("|---|---|---|---|---|---|---|")
    largest = dict.fromkeys(networks, 0.0)
    for preset in arguments.presets:
        benchmark = simulate(preset, arguments.seed)
        found = dict(run(benchmark, classifier, networks))
        exact = found["float32"].probabilities
        for name, each in found.items():
            off = np.abs(each.probabilities - exact)
            rate = exact.size / each.seconds
            largest[name] = max(largest[name], float(off.max()))
            print(
                f"| {preset} | {name} | {rate:,.0f} | {off.max():.1e} | {off.mean():.1e} "
                f"| {each.scores.frame_f1:.4f} | {each.scores.event_f1:.4f} |",
                flush=True,
            )
    for name, off in largest.items():
        if name != "float32":
            words = "below" if off < LEAST else "not below"
            print(f"\n{name}: the largest difference is {off:.1e}, {words} {LEAST:g} everywhere")


def available(classifier: Classifier) -> Iterator[tuple[str, CompiledNetwork]]:
    """Give the network in each precision that the device has; of the others, print why not."""
    inputs = classifier.card.inputs
    for name in get_args(Precision):
        try:
            yield name, CompiledNetwork(classifier.network(), inputs["block"], inputs["halo"], precision=name)
        except PredictionError as error:
            print(f"{name} is left out. {error}")


def run(
    benchmark: Benchmark, classifier: Classifier, networks: dict[str, CompiledNetwork]
) -> Iterator[tuple[str, Found]]:
    """Give probabilities, processor time and scores of one recording in each precision."""
    with extract_traces(benchmark.movie, benchmark.rois, read_trace_options(classifier.card)) as traces:
        channels = traces.channels()
    columns = np.searchsorted(benchmark.rois.kept, benchmark.rows)
    for name, network in networks.items():
        network.predict(channels[: network.batch_size])  # compiled
        seconds = []
        for _ in range(REPEATS):
            started = time.process_time()
            probabilities = network.predict(channels).T
            seconds.append(time.process_time() - started)
        truth, threshold = (benchmark.active, benchmark.ignored), classifier.card.threshold
        scores = score_activity(probabilities[:, columns], *truth, threshold=threshold)
        yield name, Found(probabilities, min(seconds), scores)


if __name__ == "__main__":
    main()
