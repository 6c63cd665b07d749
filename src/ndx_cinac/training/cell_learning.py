"""How a network learns cell types: batches, steps, temperature, and figures on ROIs that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ..cell_types.features import CellInputs
from ..evaluation import CellTypeEvaluation
from ..progress import Progress, silent
from .cell_config import CellTypeTrainingConfig
from .checkpoints import Checkpoints
from .loop import LoopSettings, Training

TEMPERATURES = (0.2, 10.0)
"""Where the temperature is sought."""


def class_weights(codes: NDArray[np.int64], n_types: int, kind: str) -> NDArray[np.float32]:
    """Return the weight of each type: 1 for "none", what makes all types count alike for "balanced"."""
    counts = np.bincount(codes, minlength=n_types).astype(np.float64)
    if kind == "none":
        return np.ones(n_types, np.float32)
    present = counts > 0
    weights = np.zeros(n_types)
    weights[present] = len(codes) / (present.sum() * counts[present])
    return weights.astype(np.float32)


class CellBatches:
    """Random ROIs, each as often as any other; patches are turned and mirrored, pieces keep their order."""

    def __init__(
        self, inputs: CellInputs, codes: NDArray[np.int64], weights: NDArray[np.float32], size: int, seed: int
    ) -> None:
        self._inputs, self._codes, self._weights, self._size = inputs, codes, weights[codes], size
        self._rng = np.random.default_rng([seed, len(codes)])

    def draw(self) -> tuple[Any, NDArray[np.int64], NDArray[np.float32]]:
        """Return a batch: inputs, codes of types, and the weight of each ROI."""
        rows = self._rng.integers(0, len(self._codes), self._size)
        patches = self._inputs.patches[rows]
        turned = np.stack(
            [
                np.rot90(patch, turns)
                for patch, turns in zip(patches, self._rng.integers(0, 4, len(rows)), strict=True)
            ]
        )
        mirrored = self._rng.random(len(rows)) < 0.5
        turned[mirrored] = turned[mirrored, :, ::-1]
        inputs = [self._inputs.pieces[rows], turned, self._inputs.features[rows]]
        return inputs, self._codes[rows], self._weights[rows]

    def state(self) -> dict[str, Any]:
        """Return the state of the generator."""
        return dict(self._rng.bit_generator.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Put the state of the generator back."""
        self._rng.bit_generator.state = state


def new_network(config: CellTypeTrainingConfig, inputs: CellInputs, n_types: int) -> Any:
    """Build an untrained network that gives logits; the seed decides its weights."""
    from ..cell_types.network import build_cell_type_network

    return build_cell_type_network(inputs, n_types, width=config.width, dropout=config.dropout)


def fit(
    config: CellTypeTrainingConfig,
    network: Any,
    inputs: CellInputs,
    codes: NDArray[np.int64],
    checkpoints: Checkpoints | None = None,
    progress: Progress = silent,
) -> None:
    """Train a network in place for a fixed number of steps.

    Parameters
    ----------
    config : CellTypeTrainingConfig
        How.
    network : keras.Model
        Gives logits.
    inputs : CellInputs
        Of the ROIs to learn from.
    codes : ndarray of int64, shape (n_rois,)
        Their types.
    checkpoints : Checkpoints, optional
        What the training goes on from, if it was interrupted, and what it keeps.
    progress : Progress
        Told of the steps.
    """
    from ..networks import keras

    weights = class_weights(codes, int(network.output_shape[-1]), config.class_weights)
    steps = max(config.fewest_steps, math.ceil(config.epochs * len(codes) / config.batch_size))
    if config.parent:
        steps = config.fine_tuning.steps
    training = Training(
        network,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        CellBatches(inputs, codes, weights, config.batch_size, config.seed),
        LoopSettings(
            steps=steps,
            learning_rate=config.learning_rate,
            warm_up_steps=min(100, steps // 4),
            validate_every=max(1, steps // 10),
            checkpoint_every=config.checkpoint_every,
        ),
        None,
    )
    training.run(checkpoints, progress)


def fit_temperature(
    logits: NDArray[np.float32], codes: NDArray[np.int64], weights: NDArray[np.float32]
) -> float:
    """Return the temperature that makes the known types most likely; `weights` has one per type."""
    own = weights[codes].astype(np.float64)

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(logits.astype(np.float64) / math.exp(log_temperature), axis=1)
        return -float((own * likelihood[np.arange(len(codes)), codes]).sum() / own.sum())

    found = minimize_scalar(loss, bounds=tuple(math.log(t) for t in TEMPERATURES), method="bounded")
    return float(math.exp(found.x))


def probabilities_of(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return what softmax makes of logits at a temperature."""
    return np.asarray(softmax(logits.astype(np.float64) / temperature, axis=1), np.float32)


def figures(
    names: Sequence[str],
    codes: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> dict[str, Any]:
    """Measure probabilities (n_rois, n_types) against known types, for a card.

    Reliability compares the probability of the predicted type with how often it was right, and the
    calibration error is the mean difference of both; ROIs weigh as their types do, as in training.
    """
    evaluation = CellTypeEvaluation(tuple(names), (), codes, probabilities.astype(np.float64))
    confidence, right = probabilities.max(axis=1), evaluation.predicted == codes
    rows = reliability(confidence, right, weights[codes])
    error = sum(row["part"] * abs(row["predicted"] - row["true"]) for row in rows)
    return {
        "balanced_accuracy": round(evaluation.balanced_accuracy, 4),
        "accuracy": round(evaluation.accuracy, 4),
        "calibration_error": round(error, 4),
        "types": {
            each.name: {
                "ROIs": each.n_cells,
                **{k: _rounded(getattr(each, k)) for k in ("precision", "recall", "f1")},
            }
            for each in evaluation.classes
        },
        "confusion (known by predicted)": evaluation.confusion.tolist(),
        "reliability": rows,
    }


def reliability(
    confidence: NDArray[np.floating],
    right: NDArray[np.bool_],
    weights: NDArray[np.floating],
    n_bins: int = 10,
) -> list[dict[str, float]]:
    """Compare confidence with how often it was right, in equal steps; empty ones are left out."""
    place = np.minimum((np.asarray(confidence) * n_bins).astype(int), n_bins - 1)
    rows = []
    for step in range(n_bins):
        inside = place == step
        if inside.any():
            own = weights[inside]
            rows.append(
                {
                    "predicted": round(float(np.average(confidence[inside], weights=own)), 4),
                    "true": round(float(np.average(right[inside], weights=own)), 4),
                    "part": round(float(own.sum() / weights.sum()), 4),
                    "ROIs": int(inside.sum()),
                }
            )
    return rows


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
