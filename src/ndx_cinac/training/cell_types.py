"""Train a classifier of cell types on simulated populations or labelled recordings, and save it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cell_types.card_inputs import describe_inputs
from ..classifiers import ModelCard, save_classifier
from ..errors import CinacError
from ..extras import require
from ..progress import Progress, silent
from .cell_card import Trained, write_cell_card
from .cell_config import CellTypeTrainingConfig
from .cell_examples import PARTS, CellExamples, join
from .cell_learning import class_weights, figures, fit_temperature, probabilities_of
from .cell_parents import CellParent, as_parent, load_cell_parent
from .cell_run import CellRun
from .cell_sources import LabelledPlan, plan_labelled
from .checkpoints import Checkpoints, check_output

_log = logging.getLogger(__name__)

UNSHAPING = ("workers", "checkpoint_every")
"""Options of a training that do not shape its result."""


def train_cell_types(
    config: CellTypeTrainingConfig,
    output: str | Path,
    progress: Progress = silent,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> ModelCard:
    """Train a classifier of cell types and save it.

    On simulations alone, further fields give temperature and figures. On labelled recordings a
    cross-validation gives both: every labelled ROI is predicted once by a network that has seen nothing of
    its animal (or recording); then one network learns from all. Simulated fields among the sources are only
    learnt from. With a parent every network begins as the parent. The same config and files give the same
    classifier on one machine, whatever the number of workers, and whether or not it was interrupted.

    Parameters
    ----------
    config : CellTypeTrainingConfig
        Everything that shapes the classifier.
    output : str or Path
        The classifier's folder: ``model.keras`` and ``card.json`` are written there. Until then, what a
        killed training needs to go on lies in ``OUTPUT-in-progress``.
    progress : Progress
        Told of examples, training steps and what follows.
    overwrite : bool
        Whether a classifier that is there already is replaced, and a training in progress begun again.
    resume : bool
        Whether a training in progress goes on; where there is none, one begins.

    Returns
    -------
    ModelCard
        The card, with figures on ROIs that the network has not seen.

    Raises
    ------
    OutputError
        If the folder exists, or a training of it is in progress, and is not to be replaced; said before
        anything is computed.
    ReadingError
        If a source cannot be read, or says nothing of cell types.
    ConfigError
        If labels are not among the types, fewer than two types are left, or a training in progress was begun
        with other settings.
    ClassifierError
        If the parent cannot be trained further.
    MissingExtraError
        If TensorFlow or scikit-learn is not installed.
    """
    output = Path(output)
    config = replace(config, name=config.name or output.resolve().name)
    check_output(output, overwrite=overwrite)
    require("keras", extra="train", feature="Training a classifier")
    parent = load_cell_parent(config.parent) if config.parent else None
    config = as_parent(config, parent)
    plan = plan_labelled(config, parent)
    checkpoints = Checkpoints(output, _shape(config, plan, parent), resume=resume, overwrite=overwrite)
    try:
        network, card = _make(CellRun(config, plan, parent, checkpoints, progress))
    except CinacError:
        if not checkpoints.begun:  # there is nothing to go on from
            checkpoints.remove()
        raise
    card = save_classifier(network, card, output, overwrite=overwrite)
    checkpoints.remove()
    return card


def _shape(config: CellTypeTrainingConfig, plan: LabelledPlan, parent: CellParent | None) -> dict[str, Any]:
    """All that shapes the result, for a training that goes on."""
    settings = {name: value for name, value in config.to_dict().items() if name not in UNSHAPING}
    files = {f"source {n} ({job.file.name})": job.settings for n, job in enumerate(plan.jobs, start=1)}
    sha256 = "" if parent is None else parent.card.sha256
    return {**settings, **files, "types": plan.types.to_dict(), "parent sha256": sha256}


def _make(run: CellRun) -> tuple[Any, ModelCard]:
    """Make examples, train, calibrate and measure; return the finished network and its card."""
    from ..cell_types.network import with_type_probability

    started = time.monotonic()
    simulated = run.simulated("training") if run.config.simulated else None
    labelled = run.labelled() if run.plan.jobs else None
    made = time.monotonic()
    if labelled is None:
        assert simulated is not None
        trained = _from_simulation(run, simulated)
    else:
        trained = _from_recordings(run, labelled, simulated)
    seconds = {"examples": made - started, "all": time.monotonic() - started}
    card = write_cell_card(run, trained, seconds, inputs=describe_inputs(run.config.inputs))
    return with_type_probability(trained.network, trained.temperature), card


def _from_simulation(run: CellRun, simulated: CellExamples) -> Trained:
    """Learn from simulated fields, calibrate and measure on further ones."""
    names = run.plan.names
    network = run.learn(simulated, "whole")
    weights = class_weights(run.codes(simulated), len(names), run.config.class_weights)
    held_out, unseen = (run.simulated(part) for part in PARTS[1:])
    temperature = fit_temperature(_logits(network, held_out), run.codes(held_out), weights)
    codes, found = run.codes(unseen), probabilities_of(_logits(network, unseen), temperature)
    metrics: dict[str, Any] = {
        "data": f"{run.config.n_test_fields} simulated fields that were not trained on ({len(unseen)} ROIs)",
        **figures(names, codes, found, weights),
    }
    for name, which in _groups(unseen).items():
        if which.any() and len(set(codes[which])) == len(names):
            metrics[name] = _short(figures(names, codes[which], found[which], weights))
    words = f"{run.config.n_calibration_fields} further simulated fields"
    return Trained(network, temperature, words, simulated, metrics)


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


def _from_recordings(run: CellRun, labelled: CellExamples, simulated: CellExamples | None) -> Trained:
    """Cross-validate, calibrate on what that gives, then learn from everything."""
    names, codes = run.plan.names, run.codes(labelled)
    folds = run.plan.folds(labelled.groups, codes)
    n_folds = int(folds.max()) + 1
    weights = class_weights(codes, len(names), run.config.class_weights)
    logits = np.zeros((len(labelled), len(names)), np.float32)
    for fold in range(n_folds):
        held_out = folds == fold
        network = run.learn(_with(labelled.take(~held_out), simulated), f"part-{fold + 1}")
        logits[held_out] = _logits(network, labelled.take(held_out))
        _log.info("Cross-validation: part %d of %d is done.", fold + 1, n_folds)
    temperature, words = _calibrate(run, logits, codes, weights)
    found = probabilities_of(logits, temperature)

    def short(which: NDArray[np.bool_]) -> dict[str, Any]:
        return {"ROIs": int(which.sum()), **_short(figures(names, codes[which], found[which], weights))}

    metrics = {
        "data": (
            f"cross-validation in {n_folds} parts by {run.plan.split_by}: {len(labelled)} labelled ROIs, "
            "each predicted by a network that was trained on the other parts"
        ),
        **figures(names, codes, found, weights),
        "parts": [short(folds == fold) for fold in range(n_folds)],
        **_of_parent(run, labelled, codes, weights),
    }
    everything = _with(labelled, simulated)
    return Trained(run.learn(everything, "whole"), temperature, words, everything, metrics)


def _calibrate(
    run: CellRun, logits: NDArray[np.float32], codes: NDArray[np.int64], weights: NDArray[np.float32]
) -> tuple[float, str]:
    """Return the temperature and what it was fitted to: too few labels leave a parent's as it is."""
    parent = run.parent
    if parent is not None and len(codes) < run.config.calibrate_from and parent.has_all(run.plan.types):
        return parent.temperature, f"that of '{parent.card.name}': only {len(codes)} ROIs are labelled"
    return fit_temperature(logits, codes, weights), f"{len(codes)} ROIs of the cross-validation"


def _of_parent(
    run: CellRun, labelled: CellExamples, codes: NDArray[np.int64], weights: NDArray[np.float32]
) -> dict[str, Any]:
    """Measure the parent on the labelled ROIs, where it tells the same types apart."""
    parent, types = run.parent, run.plan.types
    if parent is None or not parent.has_all(types):
        return {}
    found = probabilities_of(_logits(parent.new_network(types), labelled), parent.temperature)
    return {"parent": _short(figures(types.ordered, codes, found, weights))}


def _with(labelled: CellExamples, simulated: CellExamples | None) -> CellExamples:
    return labelled if simulated is None else join([labelled, simulated])


def _logits(network: Any, examples: CellExamples) -> NDArray[np.float32]:
    from ..cell_types.network import run_network

    return run_network(network, examples.inputs)
