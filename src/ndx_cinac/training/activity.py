"""Train an activity classifier, calibrate it, measure it and save it with its card."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..classifiers import ModelCard, save_classifier
from ..errors import CinacError, ConfigError, MissingExtraError
from ..extras import require
from ..progress import Progress, silent
from ..traces import TraceOptions
from .calibration import Calibration, calibrate
from .card import Look, Made, write_card
from .checkpoints import Checkpoints, check_output
from .config import TrainingConfig
from .examples import MadeExamples
from .learning import learn, trains_apart
from .measures import describe_sources
from .network import finish, inputs, predictor
from .parents import Parent, load_parent
from .sources import Source, plan_sources

_log = logging.getLogger(__name__)

UNSHAPING = ("workers", "cache", "figures")
"""Options of a training that do not shape its result."""


def train_activity(
    config: TrainingConfig,
    output: str | Path,
    progress: Progress = silent,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> ModelCard:
    """Train an activity classifier on annotated recordings, simulated movies or both, and save it.

    The same config and files give the same classifier on one machine, whatever the number of workers, and
    whether or not it was interrupted.

    Parameters
    ----------
    config : TrainingConfig
        Everything that shapes the classifier; without `sources` it is trained on simulated movies alone.
    output : str or Path
        The classifier's folder: ``model.keras``, ``card.json`` and figures are written there. Until then,
        what a killed training needs to go on lies in ``OUTPUT-in-progress``.
    progress : Progress
        Told of examples, training steps and what follows.
    overwrite : bool
        Whether a classifier that is there already is replaced, and a training in progress begun again.
    resume : bool
        Whether a training in progress goes on; where there is none, one begins.

    Returns
    -------
    ModelCard
        The card, with figures on what was held out.

    Raises
    ------
    OutputError
        If the folder exists, or a training of it is in progress, and is not to be replaced; said before
        anything is computed.
    ReadingError, ConfigError, ClassifierError
        If a source cannot be read, an option cannot be used, or the parent cannot be trained further.
    MissingExtraError
        If TensorFlow (or JAX) or scikit-learn is not installed.
    """
    output = Path(output)
    config = replace(config, name=config.name or output.resolve().name)
    check_output(output, overwrite=overwrite)
    from .. import networks  # noqa: F401 - a missing package is named before anything is made

    parent = load_parent(config.parent) if config.parent else None
    config = _as_parent(config, parent)
    sources = plan_sources(config)
    checkpoints = Checkpoints(output, _shape(config, sources, parent), resume=resume, overwrite=overwrite)
    try:
        finished, card = _make(config, sources, parent, checkpoints, progress)
    except CinacError:
        if not checkpoints.begun:  # there is nothing to go on from
            checkpoints.remove()
        raise
    card = save_classifier(finished, card, output, overwrite=overwrite)
    if config.figures:
        _draw(card, output)
    checkpoints.remove()
    return card


def _make(
    config: TrainingConfig,
    sources: Sequence[Source],
    parent: Parent | None,
    checkpoints: Checkpoints,
    progress: Progress,
) -> tuple[Any, ModelCard]:
    """Make examples, train, calibrate and measure; return the finished network and its card."""
    started = time.monotonic()
    examples = MadeExamples(config, sources, checkpoints.folder, progress)
    looks = _make_examples(config, parent, examples)
    made = time.monotonic()
    network, courses = learn(config, parent, examples, checkpoints, progress)
    trained = time.monotonic()
    calibration, words = _calibrate(config, network, examples, parent)
    finished = finish(network, calibration)
    metrics = describe_sources(predictor(finished), examples.of("test"), _words(sources))
    seconds = {"examples": made - started, "network": trained - made, "all": time.monotonic() - started}
    card = write_card(
        Made(
            config=config,
            sources=sources,
            looks=looks,
            parent=parent,
            inputs=inputs(config.traces, network),
            metrics=metrics,
            calibration=calibration,
            calibrated_on=words,
            courses=courses,
            facts={
                "parameters": network.count_params(),
                "seconds": {name: round(value) for name, value in seconds.items()},
            },
        )
    )
    return finished, card


def _make_examples(config: TrainingConfig, parent: Parent | None, examples: MadeExamples) -> list[Look]:
    """Make what is learnt from, where it is needed, and say what it is like."""
    if trains_apart(config, parent):  # each process reads them by itself: this one needs no memory for them
        looks = examples.look("training", Look.at)
        examples.look("validation", Look.at)
        return looks
    examples.make("training", "validation")
    return [Look.at(example) for _, _, several in examples.of("training") for example in several]


def _as_parent(config: TrainingConfig, parent: Parent | None) -> TrainingConfig:
    """Give a classifier that is trained further its parent's inputs, and the numbers for that."""
    if parent is None:
        return config
    if config.traces not in (TraceOptions(), parent.traces):
        what = f"The config asks for other traces than '{parent.card.name}' was trained on"
        raise ConfigError(what, fix="Leave 'traces' out: they are the parent's")
    tuning = config.fine_tuning
    return replace(
        config,
        traces=parent.traces,
        learning_rate=tuning.learning_rate,
        steps=tuning.steps,
        warm_up_steps=tuning.warm_up_steps,
        batch_size=tuning.batch_size,
        validate_every=tuning.validate_every,
        patience=tuning.patience,
        average_steps=0,
    )


def _shape(config: TrainingConfig, sources: Sequence[Source], parent: Parent | None) -> dict[str, Any]:
    """All that shapes the result, for a training that goes on."""
    settings = {name: value for name, value in config.to_dict().items() if name not in UNSHAPING}
    jobs = [job for source in sources for several in source.jobs.values() for job in several[:1]]
    files = {job.label: job.settings.get("fingerprint", "") for job in jobs}
    return {**settings, "files": files, "parent sha256": "" if parent is None else parent.card.sha256}


def _calibrate(
    config: TrainingConfig, network: Any, examples: MadeExamples, parent: Parent | None
) -> tuple[Calibration, str]:
    """Calibrate on recordings where enough of them is held out, else on simulations, else not anew."""
    recordings = [s for s in examples.sources if not s.simulated]
    transients = sum(source.held_out_transients() for source in recordings)
    names = {source.name for source in recordings}
    if transients >= config.calibrate_from:
        chosen = [several for name, _, several in examples.of("validation") if name in names]
        words = f"{transients} transients held out of recordings"
    elif len(recordings) < len(examples.sources):
        chosen = [several for _, _, several in examples.of("calibration")]
        words = f"{sum(map(len, chosen))} further simulated fields"
    elif parent is not None:
        words = f"that of '{parent.card.name}': only {transients} transients were held out"
        return parent.calibration, words
    else:
        _log.warning("Probabilities are not calibrated: only %d transients were held out.", transients)
        return Calibration(1.0, 0.0, 0.5), f"none: only {transients} transients were held out"
    held_out = [example for several in chosen for example in several]
    predict = predictor(network)
    logits = [predict(e.channels.astype(np.float32)) for e in held_out]
    each = [e.by_annotator for e in held_out] if all(len(e.by_annotator) for e in held_out) else []
    found = calibrate(logits, [e.active for e in held_out], [e.judged for e in held_out], each)
    return found, words + (f", by {len(each[0])} annotators" if each else "")


def _words(sources: Sequence[Source]) -> str:
    """Say what the card's figures are made on."""
    if all(source.simulated for source in sources):
        number = sum(len(source.jobs["test"]) for source in sources)
        return f"{number} simulated fields that were not trained on"
    recordings = next(source for source in sources if not source.simulated)
    what = "recordings" if recordings.about["split by"] == "recording" else "ROIs of the recordings"
    return f"{what} that were not trained on"


def _draw(card: ModelCard, folder: Path) -> None:
    """Draw the training's figures, where Matplotlib is installed; a classifier is whole without them."""
    try:
        require("matplotlib", extra="plot", feature="Figures of the training")
    except MissingExtraError as error:
        _log.warning("%s", error)
        return
    from ..plotting.training import plot_training

    plot_training(card, folder)
