"""Train small activity classifiers with and without movie patches beside the traces, and score them alike.

    python benchmarks/patch_ablation.py [--fields 200] [--steps 1500] [--test-fields 60] [--seeds 0 1]

A patch is what lies around an ROI in one frame, averaged to 12 x 12 points of a square 2.2 times as wide as
the ROI: the corrected movie without background, the same without the other ROIs, the ROI's own footprint,
and those of the others. Three convolutions make 32 features of each, which join the eleven channels of the
traces in the network that is trained without patches, too. Fields, labels, seeds and steps are the same;
with patches there are more weights. The numbers are those of small trainings, for comparison with one
another only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ndx_cinac.activity_network import build_activity_network
from ndx_cinac.backend import keras
from ndx_cinac.movies import Movie
from ndx_cinac.rois import Rois
from ndx_cinac.threads import linear_algebra_in_one_thread
from ndx_cinac.traces import N_CHANNELS, TraceOptions
from ndx_cinac.traces.channels import AMPLITUDE_PERCENTILE, LEAST_AMPLITUDE
from ndx_cinac.traces.demixing import Demixer
from ndx_cinac.traces.frame_statistics import fit_frame_model
from ndx_cinac.traces.plan import prepare
from ndx_cinac.traces.refinement import MeasuredSample, difference_noise
from ndx_cinac.traces.sampling import take_sample
from ndx_cinac.training import TrainingConfig
from ndx_cinac.training.calibration import calibrate
from ndx_cinac.training.data import FieldJob, make_examples
from ndx_cinac.training.labelled import Example, example_of
from ndx_cinac.training.learning import fit
from ndx_cinac.training.measures import score_examples
from ndx_cinac.training.network import finish

POINTS = 12
"""Points of a patch along each axis."""
REACH = 1.1
"""Half the width of a patch, in diameters of its ROI."""
HALF_WIDTHS = (6.0, 24.0)
"""Half the width of a patch in pixels, at least and at most."""
DILATIONS = (1, 2, 4, 8, 16, 32, 1, 2, 4)
"""Of both networks, which see 72 frames on either side, as the classifiers up to version 2.3 do."""
PLANES = 4
PATCH_FEATURES = 32
LARGEST = 6.0
"""Brightness is cut off at so many amplitudes of the ROI."""


@dataclass(frozen=True)
class PatchFieldJob(FieldJob):
    """A simulated field whose examples hold patches behind the channels of the traces."""

    def make(self) -> Example:
        """Simulate the field, extract its traces, and cut its patches."""
        labelled = self.labelled()
        made = example_of(labelled, self.traces)
        patches = cut_patches(labelled.movie, labelled.rois, self.traces)
        channels = np.concatenate([made.channels, patches], axis=2)
        return replace(made, channels=channels, by_annotator=made.by_annotator[:0])

    @property
    def settings(self) -> dict[str, object]:  # noqa: D102 - as its parent's
        return {**super().settings, "patches": [POINTS, REACH, LARGEST]}


def cut_patches(movie: Movie, rois: Rois, options: TraceOptions) -> NDArray[np.float16]:
    """Cut the patches of all ROIs that are kept, shape (n_rois, n_frames, 4 * 12 * 12)."""
    with linear_algebra_in_one_thread():
        sample = take_sample(movie, movie.n_frames, 1 << 40)
        model = fit_frame_model(sample.frames)
        measured = MeasuredSample(sample, model, 256)
        plan, _ = prepare(measured, rois, options)
        grid, pixels, n_usable = plan.layout.grid, plan.layout.pixels, len(rois.usable)
        refined = plan.rows[n_usable:]
        heights = _heights(measured, plan.layout, refined, options)
        traces = heights[:n_usable]
        background = grid.along_first.T @ heights[n_usable:].T.reshape(
            -1, len(grid.along_first), len(grid.along_second)
        )
        flat = np.arange(model.median.size)
        corrected = np.zeros((movie.n_frames, model.median.size), np.float32)
        corrected[measured.present] = measured.corrected(np.arange(len(measured.present)), flat)
        picture = corrected.reshape(movie.n_frames, *rois.shape) - background @ grid.along_second
        footprints = np.zeros((n_usable, model.median.size), np.float32)
        footprints[:, pixels] = refined.toarray()
        rest = picture - (traces.T.astype(np.float32) @ footprints).reshape(picture.shape)
        footprints = footprints.reshape(n_usable, *rois.shape)
        return np.stack(
            [
                _patches_of(row, rois, picture.astype(np.float32), rest.astype(np.float32), footprints, trace)
                for row, trace in zip(plan.kept, traces[plan.kept], strict=True)
            ]
        )


def _heights(measured: MeasuredSample, layout: Any, refined: Any, options: TraceOptions) -> NDArray[Any]:
    """Heights of all refined footprints and bumps in all frames; 0 in those without a picture."""
    sums, bumps, _ = measured.sums(layout, refined, grid=True)
    solved = Demixer(refined, layout, options.ridge).solve(np.concatenate([sums, bumps]))
    heights = np.zeros((len(solved), len(measured.missing)))
    heights[:, measured.present] = solved
    return heights


def _patches_of(
    row: int,
    rois: Rois,
    picture: NDArray[np.float32],
    rest: NDArray[np.float32],
    footprints: NDArray[np.float32],
    trace: NDArray[np.float64],
) -> NDArray[np.float16]:
    """Cut the patches of one ROI, shape (n_frames, 4 * 12 * 12)."""
    roi = int(rois.usable[row])
    start = int(rois.n_pixels[:roi].sum())
    part = slice(start, start + int(rois.n_pixels[roi]))
    half = float(np.clip(REACH * np.sqrt(4 * rois.n_pixels[roi] / np.pi), *HALF_WIDTHS))
    along = [
        _averaging(float(places[part].mean()), half, length)
        for places, length in zip((rois.first, rois.second), rois.shape, strict=True)
    ]

    def cut(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(along[0] @ images @ along[1].T, np.float32)

    above = trace - np.percentile(trace, 30)
    noise = float(difference_noise(above[None])[0])
    amplitude = max(float(np.percentile(above, AMPLITUDE_PERCENTILE)), LEAST_AMPLITUDE * noise, 1e-6)
    own, everybody = cut(footprints[row]), cut(footprints.sum(axis=0))
    shown = cut(picture) / amplitude
    alone = (cut(rest) + trace[:, None, None] * own) / amplitude
    planes = np.empty((len(trace), PLANES, POINTS, POINTS), np.float16)
    planes[:, 0], planes[:, 1] = np.clip(shown, -LARGEST, LARGEST), np.clip(alone, -LARGEST, LARGEST)
    planes[:, 2], planes[:, 3] = own, everybody - own
    return planes.reshape(len(trace), -1)


def _averaging(centre: float, half: float, length: int) -> NDArray[np.float32]:
    """Weights that average `length` pixels to the points of a patch; what lies outside counts as 0."""
    edges = centre + 0.5 + np.linspace(-half, half, POINTS + 1)
    left, right = np.arange(length), np.arange(length) + 1
    shared = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
    return (np.maximum(shared, 0) * POINTS / (2 * half)).astype(np.float32)


class PatchFeatures(keras.layers.Layer):  # type: ignore[misc]
    """Three convolutions over each patch; what they make of it stands behind the channels of the traces."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        shapes = ((16, 1), (24, 2), (32, 2))
        self.stages = [
            *(
                keras.layers.Conv2D(n, 3, strides=strides, padding="same", activation="relu")
                for n, strides in shapes
            ),
            keras.layers.Flatten(),
            keras.layers.Dense(PATCH_FEATURES, activation="relu"),
        ]

    def build(self, shape: Any) -> None:
        """Make the weights."""
        shape = (None, POINTS, POINTS, PLANES)
        for stage in self.stages:
            stage.build(shape)
            shape = stage.compute_output_shape(shape)

    def call(self, channels: Any) -> Any:
        """Turn patches into features."""
        ops = keras.ops
        x = ops.reshape(channels[..., N_CHANNELS:], (-1, PLANES, POINTS, POINTS))
        x = ops.transpose(x, (0, 2, 3, 1))
        for stage in self.stages:
            x = stage(x)
        x = ops.reshape(x, (-1, ops.shape(channels)[1], PATCH_FEATURES))
        return ops.concatenate([channels[..., :N_CHANNELS], x], axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        """As many frames, and the features beside the channels of the traces."""
        return (*shape[:-1], N_CHANNELS + PATCH_FEATURES)


def build_network(width: int, dilations: tuple[int, ...], *, patches: bool, seed: int) -> Any:
    """Build the network with or without patches, from (batch, time, channels) to logits."""
    keras.utils.set_random_seed(seed)
    if not patches:
        return build_activity_network(N_CHANNELS, width=width, dilations=dilations)
    inputs = keras.layers.Input((None, N_CHANNELS + PLANES * POINTS**2), name="channels")
    joined = PatchFeatures(name="patches")(inputs)
    body = build_activity_network(N_CHANNELS + PATCH_FEATURES, width=width, dilations=dilations)
    return keras.Model(inputs, body(joined), name="activity")


def run_over(network: Any, example: Example, *, patches: bool) -> NDArray[np.float32]:
    """Run a network over a whole field, one ROI at a time."""
    channels = example.channels if patches else example.channels[..., :N_CHANNELS]
    rows = [network(row[None].astype(np.float32), training=False) for row in channels]
    return np.concatenate([keras.ops.convert_to_numpy(row) for row in rows])


def measure(parts: dict[str, list[Example]], *, patches: bool, steps: int, seed: int) -> dict[str, Any]:
    """Train, calibrate, and score."""
    config = replace(TrainingConfig(), width=48, dilations=DILATIONS, steps=steps, seed=seed, average_steps=0)
    network = build_network(config.width, tuple(config.dilations), patches=patches, seed=seed)
    shown = [
        each if patches else replace(each, channels=each.channels[..., :N_CHANNELS])
        for each in parts["training"]
    ]
    started = time.monotonic()
    fit(config, shown, network)
    seconds = time.monotonic() - started
    held_out = parts["calibration"]
    logits = [run_over(network, each, patches=patches) for each in held_out]
    finished = finish(network, calibrate(logits, [e.active for e in held_out], [e.judged for e in held_out]))
    unseen = parts["test"]
    probabilities = [run_over(finished, each, patches=patches) for each in unseen]
    scores = score_examples(unseen, probabilities)["classifier"]
    figures = {name: round(scores[name], 4) for name in ("average_precision", "frame_f1", "event_f1")}
    return {
        "given": "traces and patches" if patches else "traces",
        "seed": seed,
        "weights": int(finished.count_params()),
        **figures,
        "training s": round(seconds),
    }


def rows_of(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Make the fields once, and measure with and without patches for each seed."""
    base = TrainingConfig()
    simulation = replace(base.simulation, movie=replace(base.simulation.movie, n_frames=(300, 900)))
    numbers = {
        "training": options.fields,
        "calibration": options.test_fields,
        "test": options.test_fields,
    }
    parts = {
        part: make_examples(
            [PatchFieldJob(simulation, TraceOptions(), 0, part, i, part == "training") for i in range(n)],
            workers=options.workers,
            cache=options.cache,
        )
        for part, n in numbers.items()
    }
    for seed in options.seeds:
        for patches in (False, True):
            yield measure(parts, patches=patches, steps=options.steps, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--test-fields", type=int, default=60)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="folder that keeps fields")
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    print(f"{options.fields} fields, {options.steps} steps, {options.test_fields} test fields")
    rows = []
    for row in rows_of(options):
        rows.append(row)
        if len(rows) == 1:
            print("| " + " | ".join(row) + " |\n|" + " --- |" * len(row))
        print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
