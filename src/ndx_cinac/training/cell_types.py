"""Train a classifier of cell types on simulated populations or labelled recordings, and save it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..cell_types.card_inputs import describe_inputs
from ..classifiers import ModelCard, save_classifier
from ..errors import OutputError
from ..extras import require
from ..progress import Progress, silent
from .cell_card import Trained, write_cell_card
from .cell_config import SIMULATION, CellTypeTrainingConfig
from .cell_examples import PARTS, CellExamples, CellFieldJob, join
from .cell_learning import class_weights, figures, fit, fit_temperature, probabilities_of
from .cell_sources import LabelledPlan, plan_labelled
from .data import make_examples

_log = logging.getLogger(__name__)


def train_cell_types(
    config: CellTypeTrainingConfig,
    output: str | Path,
    progress: Progress = silent,
    *,
    overwrite: bool = False,
) -> ModelCard:
    """Train a classifier of cell types and save it.

    On simulations alone, further fields give temperature and figures. On labelled recordings a
    cross-validation gives both: every labelled ROI is predicted once by a network that has seen nothing of
    its animal (or recording); then one network learns from all. Simulated fields among the sources are only
    learnt from. The same config gives the same classifier on one machine, whatever the number of workers.

    Parameters
    ----------
    config : CellTypeTrainingConfig
        Everything that shapes the classifier.
    output : str or Path
        The classifier's folder: ``model.keras`` and ``card.json`` are written there.
    progress : Progress
        Told of examples, training steps and what follows.
    overwrite : bool
        Whether a classifier that is there already is replaced.

    Returns
    -------
    ModelCard
        The card, with figures on ROIs that the network has not seen.

    Raises
    ------
    OutputError
        If the folder exists and is not to be replaced; said before anything is computed.
    ReadingError
        If a source cannot be read, or says nothing of cell types.
    ConfigError
        If labels are not among the types, or fewer than two types are left.
    MissingExtraError
        If TensorFlow or scikit-learn is not installed.
    """
    output = Path(output)
    config = replace(config, name=config.name or output.resolve().name)
    if output.exists() and not overwrite:
        what = f"The folder '{output}' exists"
        raise OutputError(what, fix="Choose another one, or overwrite it")
    require("keras", extra="train", feature="Training a classifier")
    from ..cell_types.network import with_type_probability

    started = time.monotonic()
    plan = plan_labelled(config)
    simulated = _simulated(config, "training", progress) if SIMULATION in config.sources else None
    labelled = join(_make(config, plan.jobs, progress)) if plan.jobs else None
    made = time.monotonic()
    if labelled is None:
        assert simulated is not None
        trained = _from_simulation(config, plan.names, simulated, progress)
    else:
        trained = _from_recordings(config, plan, labelled, simulated, progress)
    seconds = {"examples": made - started, "all": time.monotonic() - started}
    card = write_cell_card(config, plan, trained, seconds, inputs=describe_inputs(config.inputs))
    network = with_type_probability(trained.network, trained.temperature)
    return save_classifier(network, card, output, overwrite=overwrite)


def _from_simulation(
    config: CellTypeTrainingConfig, names: Sequence[str], simulated: CellExamples, progress: Progress
) -> Trained:
    """Learn from simulated fields, calibrate and measure on further ones."""
    network, _ = _learn(config, names, simulated, progress)
    weights = class_weights(_codes(simulated, names), len(names), config.class_weights)
    held_out, unseen = (_simulated(config, part, progress) for part in PARTS[1:])
    temperature = fit_temperature(_run(network, held_out), _codes(held_out, names), weights)
    codes, found = _codes(unseen, names), probabilities_of(_run(network, unseen), temperature)
    metrics: dict[str, Any] = {
        "data": f"{config.n_test_fields} simulated fields that were not trained on ({len(unseen)} ROIs)",
        **figures(names, codes, found, weights),
    }
    for name, which in _groups(unseen).items():
        if which.any() and len(set(codes[which])) == len(names):
            metrics[name] = _short(figures(names, codes[which], found[which], weights))
    return Trained(network, temperature, simulated, metrics)


def _groups(examples: CellExamples) -> dict[str, NDArray[np.bool_]]:
    """Divide ROIs by what makes them easy or hard."""
    features = examples.inputs.features
    from ..cell_types.features import FEATURES

    ratio = np.exp(features[:, FEATURES.index("log amplitude over noise")])
    seconds = np.exp(features[:, FEATURES.index("log duration (s)")])
    unknown = np.isnan(examples.pixel_sizes)
    return {
        "without pixel size": unknown,
        "with pixel size": ~unknown,
        "up to 60 s": seconds <= 60,
        "more than 60 s": seconds > 60,
        "amplitude up to 6 times the noise": ratio <= 6,
        "amplitude 6 to 20 times the noise": (ratio > 6) & (ratio <= 20),
        "amplitude more than 20 times the noise": ratio > 20,
    }


def _short(values: dict[str, Any]) -> dict[str, Any]:
    """Keep the figures that fit in a line."""
    return {name: values[name] for name in ("balanced_accuracy", "accuracy", "calibration_error")}


def _from_recordings(
    config: CellTypeTrainingConfig,
    plan: LabelledPlan,
    labelled: CellExamples,
    simulated: CellExamples | None,
    progress: Progress,
) -> Trained:
    """Cross-validate, calibrate on what that gives, then learn from everything."""
    names, codes = plan.names, _codes(labelled, plan.names)
    folds = plan.folds(labelled.groups, codes)
    weights = class_weights(codes, len(names), config.class_weights)
    logits = np.zeros((len(labelled), len(names)), np.float32)
    for fold in range(folds.max() + 1):
        held_out = folds == fold
        learnt = labelled.take(~held_out)
        network, _ = _learn(
            config, names, learnt if simulated is None else join([learnt, simulated]), progress
        )
        logits[held_out] = _run(network, labelled.take(held_out))
        _log.info("Cross-validation: part %d of %d is done.", fold + 1, folds.max() + 1)
    temperature = fit_temperature(logits, codes, weights)
    found = probabilities_of(logits, temperature)
    by_fold = [
        {
            "ROIs": int((folds == fold).sum()),
            **_short(figures(names, codes[folds == fold], found[folds == fold], weights)),
        }
        for fold in range(folds.max() + 1)
    ]
    metrics = {
        "data": (
            f"cross-validation in {folds.max() + 1} parts by {plan.split_by}: {len(labelled)} labelled ROIs, "
            "each predicted by a network that was trained on the other parts"
        ),
        **figures(names, codes, found, weights),
        "parts": by_fold,
    }
    everything = labelled if simulated is None else join([labelled, simulated])
    network, _ = _learn(config, names, everything, progress)
    return Trained(network, temperature, everything, metrics)


def _learn(
    config: CellTypeTrainingConfig, names: Sequence[str], examples: CellExamples, progress: Progress
) -> tuple[Any, NDArray[np.int64]]:
    codes = _codes(examples, names)
    return fit(config, examples.inputs, codes, len(names), progress), codes


def _run(network: Any, examples: CellExamples) -> NDArray[np.float32]:
    from ..cell_types.network import run_network

    return run_network(network, examples.inputs)


def _codes(examples: CellExamples, names: Sequence[str]) -> NDArray[np.int64]:
    places = {name: code for code, name in enumerate(names)}
    return np.array([places[str(name)] for name in examples.cell_types], np.int64)


def _simulated(config: CellTypeTrainingConfig, part: str, progress: Progress) -> CellExamples:
    number = {
        "training": config.n_fields,
        "calibration": config.n_calibration_fields,
        "test": config.n_test_fields,
    }[part]
    place = PARTS.index(part)
    jobs = [
        CellFieldJob(config.simulation, config.inputs, config.seed, place, i, config.unknown_scale)
        for i in range(number)
    ]
    return join(_make(config, jobs, progress))


def _make(config: CellTypeTrainingConfig, jobs: Sequence[Any], progress: Progress) -> list[CellExamples]:
    made = make_examples(list(jobs), workers=config.workers, progress=progress)
    return cast("list[CellExamples]", made)
