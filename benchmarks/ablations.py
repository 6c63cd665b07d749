"""Train small activity classifiers with something left out, and score them on the same whole simulations.

    python benchmarks/ablations.py [--fields 200] [--steps 1500] [--test-fields 60] [--json FILE]

Each row is a network trained anew from the same seed for the same number of steps. What is left out of the
*inputs* is left out of the test as well; what is left out of the *simulation* is left out of the training
alone: the test fields are always those of the whole simulation. The numbers are those of small trainings, for
comparison with the first row only; differences of 0.01 are within the noise of one seed. But for the rows
that say so, networks see 72 frames on either side, as the classifiers up to version 2.3 do, and keep the
weights of the last step, as those up to 2.4 do. With ``--json`` rows are kept as they are finished, and a
later run goes on from them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ndx_cinac.rois import Rois
from ndx_cinac.simulation import SimulationConfig
from ndx_cinac.traces import CHANNELS, TraceOptions
from ndx_cinac.training import TrainingConfig
from ndx_cinac.training.calibration import calibrate
from ndx_cinac.training.data import FieldJob, make_examples
from ndx_cinac.training.labelled import Example, example_of
from ndx_cinac.training.learning import fit
from ndx_cinac.training.measures import score_examples
from ndx_cinac.training.network import finish, predictor

PLAIN_CHANNELS = ("log(amplitude / noise)", "mean within the mask / amplitude")
WHOLE_TRACES = TraceOptions()
ROWS = (
    *("channels", "active", "judged", "taught", "weight"),
    *("neighbours", "snr", "baseline", "diameters"),
)
"""What an example has a row of for each ROI."""
NARROW, WIDE = (1, 2, 4, 8, 16, 32, 1, 2, 4), TrainingConfig().dilations
"""Dilations of networks that see 72 and 132 frames on either side; they have as many weights."""
OTHER_CHANNELS = tuple(name for name in CHANNELS if not name.endswith("of the frame"))


@dataclass(frozen=True)
class LonelyFieldJob(FieldJob):
    """A field whose ROIs are extracted one by one, as if the others had no masks."""

    def make(self) -> Example:
        """Simulate the field and extract each ROI's traces alone."""
        whole = self.labelled()
        parts = []
        for row in range(len(whole.rois)):
            labelled = replace(
                whole,
                rois=Rois.from_pixels([_pixels(whole.rois, row)], whole.rois.shape),
                active=whole.active[:, row : row + 1],
                judged=whole.judged[:, row : row + 1],
                snr=whole.snr[row : row + 1],
            )
            parts.append(example_of(labelled, self.traces))
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ROWS}
        nobody = np.zeros((0, *joined["active"].shape), np.int8)
        return Example(
            **joined, by_annotator=nobody, frame_rate=whole.frame_rate, pixel_size=whole.pixel_size
        )

    @property
    def settings(self) -> dict[str, object]:  # noqa: D102 - as its parent's
        return {**super().settings, "masks": "one by one"}


def _pixels(rois: Rois, row: int) -> NDArray[np.int64]:
    start = int(rois.n_pixels[:row].sum())
    part = slice(start, start + int(rois.n_pixels[row]))
    return np.stack([rois.first[part], rois.second[part]], axis=1)


@dataclass(frozen=True)
class Ablation:
    """What is left out: of the simulation, of the traces, of the channels, or the neighbours' masks.

    Fields are taught with what one annotator says; `all_annotators` adds the others. `dilations` decide
    how far the network sees, `averaged` whether its weights are averaged over the last steps.
    """

    name: str
    simulation: Callable[[SimulationConfig], SimulationConfig] = lambda config: config
    traces: TraceOptions = WHOLE_TRACES
    channels: tuple[str, ...] = CHANNELS
    job: type[FieldJob] = FieldJob
    all_annotators: bool = False
    dilations: tuple[int, ...] = NARROW
    averaged: bool = False


def _without_background(config: SimulationConfig) -> SimulationConfig:
    background = replace(
        config.background, neuropil_probability=0, process_probability=0, out_of_focus_probability=0
    )
    return replace(_two_photon(config), background=background)


def _apart(config: SimulationConfig) -> SimulationConfig:
    cells = replace(
        config.cells, density=(0.1, 0.3), adjoining_fraction=0.0, crossed=(0.0, 0.0), unlisted=(0.0, 0.0)
    )
    return replace(config, cells=cells)


def _exact_masks(config: SimulationConfig) -> SimulationConfig:
    masks = replace(config.masks, exact_probability=1.0, non_cell=(0.0, 0.0), doublet=(0.0, 0.0))
    return replace(config, masks=masks)


def _still(config: SimulationConfig) -> SimulationConfig:
    camera = replace(
        config.camera,
        motion_probability=0,
        focus_probability=0,
        bidirectional_probability=0,
        stretched_probability=0,
        dead_line_probability=0,
        missing_probability=0,
    )
    background = replace(
        config.background, flicker_probability=0, bleaching_probability=0, drift_probability=0
    )
    one_photon = replace(config.one_photon, motion_probability=0, bleaching_probability=0)
    return replace(config, camera=camera, background=background, one_photon=one_photon)


def _single_transients(config: SimulationConfig) -> SimulationConfig:
    activity = replace(
        config.activity,
        burst_probability=0,
        network_probability=0,
        plateau_fraction=0,
        subthreshold_probability=0,
        heavy_tailed_fraction=0,
    )
    return replace(config, activity=activity)


def _two_photon(config: SimulationConfig) -> SimulationConfig:
    return replace(config, one_photon=replace(config.one_photon, probability=0))


ABLATIONS = (
    Ablation("nothing left out"),
    Ablation("inputs: neighbours' masks", job=LonelyFieldJob),
    Ablation("inputs: all but the plain mean of the mask and its noise", channels=PLAIN_CHANNELS),
    Ablation("inputs: refinement of footprints", traces=TraceOptions(refinements=0)),
    Ablation("inputs: gain and shift of frames", channels=OTHER_CHANNELS),
    Ablation("simulation: neuropil, processes, cells out of focus", simulation=_without_background),
    Ablation("simulation: one-photon fields", simulation=_two_photon),
    Ablation("simulation: overlap, and cells without an ROI", simulation=_apart),
    Ablation("simulation: wrong masks and ROIs without one cell", simulation=_exact_masks),
    Ablation("simulation: motion, drift, flicker, lost frames", simulation=_still),
    Ablation("simulation: bursts, network events, plateaus, small rises", simulation=_single_transients),
    Ablation("nothing; labels of all annotators in place of one", all_annotators=True),
    Ablation("nothing; 132 frames seen on either side in place of 72", dilations=WIDE),
    Ablation("nothing; weights averaged over the last steps", averaged=True),
)


def measure(ablation: Ablation, options: argparse.Namespace) -> dict[str, object]:
    """Train with something left out, calibrate, and score."""
    base = TrainingConfig()
    whole = replace(base.simulation, movie=replace(base.simulation.movie, n_frames=(300, 900)))
    average_steps = base.average_steps if ablation.averaged else 0
    shape = {"width": 48, "dilations": ablation.dilations, "average_steps": average_steps}
    config = replace(base, **shape, steps=options.steps, seed=options.seed, traces=ablation.traces)
    cache = None if options.cache is None else Path(options.cache)

    def made(part: str, number: int, simulation: SimulationConfig) -> list[Example]:
        asked = ablation.all_annotators
        jobs = [
            ablation.job(simulation, ablation.traces, options.seed, part, i, asked) for i in range(number)
        ]
        return [
            _only(e, ablation.channels) for e in make_examples(jobs, workers=options.workers, cache=cache)
        ]

    started = time.monotonic()
    network = fit(config, made("training", options.fields, ablation.simulation(whole)))
    run = predictor(network)
    held_out = made("calibration", options.test_fields, whole)
    logits = [run(e.channels.astype(np.float32)) for e in held_out]
    calibration = calibrate(logits, [e.active for e in held_out], [e.judged for e in held_out])
    finished = predictor(finish(network, calibration))
    unseen = made("test", options.test_fields, whole)
    scores = score_examples(unseen, [finished(e.channels.astype(np.float32)) for e in unseen])["classifier"]
    figures = {name: round(scores[name], 4) for name in ("average_precision", "frame_f1", "event_f1")}
    return {"left out": ablation.name, **figures, "seconds": round(time.monotonic() - started)}


def _only(example: Example, channels: Sequence[str]) -> Example:
    """Set the channels that are left out to zero, so that the network has as many weights."""
    kept = np.isin(CHANNELS, channels)
    return replace(example, channels=np.where(kept, example.channels, np.float16(0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--test-fields", type=int, default=60)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", help="folder that keeps fields, which rows share")
    parser.add_argument("--json", type=Path, help="file that keeps finished rows")
    parser.add_argument("--only", default="", help="only rows whose name contains this, such as inputs:")
    options = parser.parse_args()
    rows = json.loads(options.json.read_text()) if options.json and options.json.exists() else []
    for ablation in ABLATIONS:
        if options.only in ablation.name and ablation.name not in {row["left out"] for row in rows}:
            rows.append(measure(ablation, options))
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1))
    print(
        f"{options.fields} fields, {options.steps} steps, {options.test_fields} test fields, "
        f"seed {options.seed}"
    )
    print("| left out | average precision | frame F1 | event F1 |\n| --- | --- | --- | --- |")
    for row in rows:
        print("| {left out} | {average_precision:.3f} | {frame_f1:.3f} | {event_f1:.3f} |".format(**row))


if __name__ == "__main__":
    main()
