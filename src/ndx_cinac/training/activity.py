"""Train an activity classifier on simulated movies, calibrate it, measure it and save it with its card."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifiers import ModelCard, save_classifier
from ..errors import OutputError
from ..evaluation import best_threshold, score_activity
from ..extras import require
from ..progress import Progress, silent
from ..traces import CHANNELS
from .calibration import Calibration, calibrate, reliability
from .config import TrainingConfig
from .data import Example, FieldJob, Part, make_examples

_log = logging.getLogger(__name__)

DEFINITION = "from the onset to the peak of a calcium transient"
SNR_GROUPS = ((0.0, 4.0), (4.0, 10.0), (10.0, 30.0), (30.0, float("inf")))
KNOWN_FAILURES = (
    "It has seen no real labels: what counts as a transient is what the simulation calls one.",
    "Rises below about a fifth of an ROI's tallest transients are left out, or found with less certainty.",
    "Transients whose height is below 3 to 4 times the noise of the demixed trace are often missed.",
    "Activity of cells that are not among the ROIs can be taken for that of an ROI that they overlap.",
    "In ROIs over dendrites, neuropil or vessels, what rises and decays like a transient counts as active.",
    "The ends of slow plateaus and network events that light up the whole field are uncertain.",
)


def train_activity(
    config: TrainingConfig, output: str | Path, progress: Progress = silent, *, overwrite: bool = False
) -> ModelCard:
    """Train an activity classifier on simulated movies alone, and save it.

    The same config gives the same classifier on one machine, whatever the number of workers.

    Parameters
    ----------
    config : TrainingConfig
        Everything that shapes the classifier.
    output : str or Path
        The classifier's folder: ``model.keras`` and ``card.json`` are written there.
    progress : Progress
        Told of simulated fields, training steps and what follows.
    overwrite : bool
        Whether a classifier that is there already is replaced.

    Returns
    -------
    ModelCard
        The card, with figures on simulated fields that the network has not seen.

    Raises
    ------
    OutputError
        If the folder exists and is not to be replaced; said before anything is computed.
    MissingExtraError
        If TensorFlow or scikit-learn is not installed.
    """
    output = Path(output)
    config = replace(config, name=config.name or output.resolve().name)
    if output.exists() and not overwrite:
        what = f"The folder '{output}' exists"
        raise OutputError(what, fix="Choose another one, or overwrite it")
    require("tensorflow", extra="train", feature="Training a classifier")
    from ..networks import BLOCK_FRAMES, CompiledNetwork, receptive_field, with_probability

    started = time.monotonic()
    examples = _examples(config, "training", config.n_fields, progress)
    made = time.monotonic()
    network = fit(config, examples, progress)
    trained = time.monotonic()
    run = CompiledNetwork(network, block=BLOCK_FRAMES)
    held_out = _examples(config, "calibration", config.n_calibration_fields, progress)
    calibration = calibrate(
        [run.predict(e.channels.astype(np.float32)) for e in held_out],
        [e.active for e in held_out],
        [e.judged for e in held_out],
    )
    calibrated = with_probability(network, shift=calibration.shift, temperature=calibration.temperature)
    unseen = _examples(config, "test", config.n_test_fields, progress)
    run = CompiledNetwork(calibrated, block=BLOCK_FRAMES)
    probabilities = [run.predict(e.channels.astype(np.float32)) for e in unseen]
    seconds = {"fields": made - started, "network": trained - made, "all": time.monotonic() - started}
    card = _card(
        config,
        examples,
        metrics=_metrics(unseen, probabilities),
        inputs={
            "kind": "traces",
            "channels": list(CHANNELS),
            "options": config.traces.to_dict(),
            "block": BLOCK_FRAMES,
            "halo": receptive_field(network) // 2,
        },
        training=_training_record(config, calibration, network.count_params(), seconds),
    )
    return save_classifier(calibrated, card, output, overwrite=overwrite)


def fit(config: TrainingConfig, examples: Sequence[Example], progress: Progress = silent) -> Any:
    """Train a network on examples.

    Returns
    -------
    keras.Model
        Gives logits.
    """
    from ..networks import build_activity_network, keras

    pieces = _Pieces(examples, config)
    keras.utils.set_random_seed(config.seed)
    network = build_activity_network(len(CHANNELS), width=config.width, dilations=config.dilations)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate * 0.01,
        decay_steps=max(1, config.steps - config.warm_up_steps),
        alpha=0.005,
        warmup_target=config.learning_rate,
        warmup_steps=config.warm_up_steps,
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=config.gradient_norm)
    optimizer.build(network.trainable_variables)  # else the first step is traced twice
    network.compile(optimizer=optimizer, loss=_frame_loss(keras), jit_compile=False)
    for step in range(1, config.steps + 1):
        loss = network.train_on_batch(*pieces.draw())
        if step % 50 == 0 or step == config.steps:
            progress("training", step, config.steps)
        if step % 1000 == 0:
            _log.info("Step %d of %d: loss %.4f.", step, config.steps, float(loss))
    return network


class _Pieces:
    """Random pieces of the examples' ROIs: each ROI as often as any other, wherever it starts."""

    def __init__(self, examples: Sequence[Example], config: TrainingConfig) -> None:
        self._examples, self._config = examples, config
        self._first_rows = np.cumsum([0, *(len(example.channels) for example in examples)])
        self._rng = np.random.default_rng([config.seed, len(examples)])

    def draw(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return a batch: channels, labels, and the weight of each frame."""
        length = self._config.crop_frames
        parts: tuple[list[NDArray[Any]], ...] = ([], [], [])
        for row in self._rng.integers(0, self._first_rows[-1], self._config.batch_size):
            place = int(np.searchsorted(self._first_rows, row, side="right")) - 1
            example, roi = self._examples[place], row - self._first_rows[place]
            start = self._rng.integers(0, example.channels.shape[1] - length + 1)
            for part, source in zip(parts, (example.channels, example.active, example.judged), strict=True):
                part.append(source[roi, start : start + length])
        channels, active, judged = (np.stack(part).astype(np.float32) for part in parts)
        return channels, active, judged


def _frame_loss(keras: Any) -> Any:
    """Cross-entropy of every frame by itself, so that each frame has its own weight."""

    class FrameLoss(keras.losses.Loss):  # type: ignore[misc]
        """Binary cross-entropy of logits, averaged over the frames that count."""

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return keras.ops.softplus(y_pred) - y_true * y_pred

    return FrameLoss(reduction="mean_with_sample_weight")


def _examples(config: TrainingConfig, part: Part, number: int, progress: Progress) -> list[Example]:
    jobs = [FieldJob(config.simulation, config.traces, config.seed, part, index) for index in range(number)]
    cache = Path(config.cache) if config.cache else None
    return make_examples(jobs, workers=config.workers, cache=cache, progress=progress)


def _metrics(examples: Sequence[Example], probabilities: Sequence[NDArray[np.float32]]) -> dict[str, Any]:
    """Score unseen simulated fields, all ROIs together, beside the trace-based method at its own best."""
    values, baseline = _side_by_side(probabilities), _side_by_side([e.baseline for e in examples])
    active, ignored = (
        _side_by_side([e.active for e in examples]),
        ~_side_by_side([e.judged for e in examples]),
    )
    snr = np.concatenate([e.snr for e in examples])
    at_best = best_threshold(baseline, active, ignored, n_candidates=40)
    by_snr = {}
    for low, high in SNR_GROUPS:
        inside = (snr >= low) & (snr < high) & (snr > 0)
        if active[:, inside].any():
            scores = score_activity(values[:, inside], active[:, inside], ignored[:, inside])
            by_snr[f"{low:g} to {high:g}"] = scores.to_dict()
    return {
        "data": f"{len(examples)} simulated fields that were not trained on ({active.shape[1]} ROIs)",
        "classifier": score_activity(values, active, ignored).to_dict(),
        "smoothed trace, its best threshold": score_activity(
            baseline, active, ignored, threshold=at_best
        ).to_dict(),
        "by signal-to-noise": by_snr,
        "reliability": reliability(values[~ignored], active[~ignored]),
    }


def _side_by_side(fields: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Put fields (n_rois, n_frames) side by side, shape (longest, all ROIs); shorter ones end in zeros."""
    longest = max(field.shape[1] for field in fields)
    padded = [np.pad(field, ((0, 0), (0, longest - field.shape[1]))) for field in fields]
    return np.ascontiguousarray(np.concatenate(padded).T)


def _training_record(
    config: TrainingConfig, calibration: Calibration, n_parameters: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """Say on the card how it was trained."""
    settings = config.to_dict()
    del settings["cache"], settings["traces"]
    return {
        "data": f"{config.n_fields} simulated fields; no real recording and no real label was used",
        "seed": config.seed,
        "parameters": n_parameters,
        "seconds": {name: round(value) for name, value in seconds.items()},
        "calibration": {
            "data": f"{config.n_calibration_fields} further simulated fields",
            "temperature": round(calibration.temperature, 4),
            "shift": round(calibration.shift, 4),
            "moved to 0.5": calibration.best_probability,
        },
        "settings": settings,
    }


def _card(
    config: TrainingConfig,
    examples: Sequence[Example],
    *,
    metrics: dict[str, Any],
    inputs: dict[str, Any],
    training: dict[str, Any],
) -> ModelCard:
    """Write the card from what was trained on."""
    rates = [example.frame_rate for example in examples]
    sizes = [example.pixel_size for example in examples]
    low, high = np.percentile(np.concatenate([example.diameters for example in examples]), [1, 99])
    return ModelCard(
        name=config.name,
        version=config.version,
        task="activity",
        description=(
            "Predicts, frame by frame, whether an ROI of a calcium-imaging movie is in the rising phase of a "
            "transient, from demixed traces and their companions. Trained on simulated movies only."
        ),
        definition=DEFINITION,
        inputs=inputs,
        frame_rates=(round(min(rates), 1), round(max(rates), 1)),
        pixel_sizes=(round(min(sizes), 2), round(max(sizes), 2)),
        roi_diameters=(round(float(low), 1), round(float(high), 1)),
        training=training,
        metrics=metrics,
        known_failures=KNOWN_FAILURES,
    )
