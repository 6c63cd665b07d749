"""Train an activity classifier, calibrate it, measure it and save it with its card."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..classifiers import ModelCard, save_classifier
from ..errors import CinacError, ConfigError, MissingExtraError
from ..extras import require
from ..progress import Progress, silent
from ..threads import n_cores
from ..traces import TraceOptions
from .calibration import Calibration, calibrate
from .card import Look, Made, write_card
from .checkpoints import Checkpoints, check_output
from .config import TrainingConfig
from .examples import MadeExamples
from .labelled import Example
from .loop import Course, LoopSettings, Training, restore_finished
from .measures import describe_sources, validate
from .network import finish, frame_loss, inputs, new_network, predictor
from .parents import Parent, freeze_statistics, load_parent
from .pieces import Pieces, Share
from .side_by_side import run_side_by_side
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
    apart = config.networks > 1 and parent is None and config.side_by_side and _on_several_cores()
    if apart:
        looks = examples.look("training", Look.at)
        examples.look("validation", Look.at)
    else:
        examples.make("training", "validation")
        looks = [Look.at(e) for _, _, several in examples.of("training") for e in several]
    made = time.monotonic()
    if apart:
        run_side_by_side(_train_member, _members(config, sources, checkpoints), progress)
    network, courses = _networks(config, parent, examples, checkpoints, progress)
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


def _networks(
    config: TrainingConfig,
    parent: Parent | None,
    examples: MadeExamples,
    checkpoints: Checkpoints,
    progress: Progress,
) -> tuple[Any, list[Course]]:
    """Train one network, or several, and return their average, and how each training went."""
    if parent is not None:
        return parent.network, [_train(config, parent.network, examples, checkpoints, progress)]
    from ..networks import average_networks

    networks, courses = [], []
    for number, member in enumerate(_members(config, examples.sources, checkpoints)):
        networks.append(new_network(member.config))
        course = restore_finished(networks[-1], member.checkpoints, _loop(config))
        if course is None:
            told = _part_of(progress, number, config.networks)
            course = _train(member.config, networks[-1], examples, member.checkpoints, told)
        courses.append(course)
    return average_networks(networks), courses


@dataclass(frozen=True)
class Member:
    """One of several networks, as the process that trains it is told of it."""

    config: TrainingConfig
    """With the seed that is this network's own."""
    sources: Sequence[Source]
    """What it is trained on."""
    checkpoints: Checkpoints
    """Where its training is kept."""
    threads: int
    """Its share of the cores."""


def _members(config: TrainingConfig, sources: Sequence[Source], checkpoints: Checkpoints) -> list[Member]:
    """Say how each of several networks is trained."""
    return [
        Member(
            replace(config, seed=config.seed + number),
            sources,
            checkpoints.of(str(number + 1)) if number else checkpoints,
            max(1, n_cores() // config.networks),
        )
        for number in range(config.networks)
    ]


def _on_several_cores() -> bool:
    """Whether there are cores to share, and no GPU, which several processes would fight for."""
    from ..backend import BACKEND, device_description

    return BACKEND == "tensorflow" and n_cores() > 1 and device_description().startswith("CPU")


def _train_member(member: Member, progress: Progress) -> None:
    """Train one of several networks, in a process of its own, and leave it among its checkpoints."""
    from ..quiet_loading import load_networks

    load_networks()
    from ..backend import use_threads

    use_threads(member.threads)
    config = replace(member.config, workers=0)
    examples = MadeExamples(config, member.sources, member.checkpoints.folder, silent)
    examples.make("training", "validation")  # they are there already
    _train(config, new_network(config), examples, member.checkpoints, progress)


def _part_of(progress: Progress, number: int, total: int) -> Progress:
    """Tell of the steps of one of several networks as of those of all."""
    return lambda stage, done, steps: progress(stage, number * steps + done, total * steps)


def fit(config: TrainingConfig, examples: Sequence[Example], progress: Progress = silent) -> Any:
    """Train a new network on examples, all its steps, and return it; it gives logits."""
    network = new_network(config)
    Training(network, frame_loss(), _pieces(config, [Share(examples)]), _loop(config), None).run(
        None, progress
    )
    return network


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
    )


def _shape(config: TrainingConfig, sources: Sequence[Source], parent: Parent | None) -> dict[str, Any]:
    """All that shapes the result, for a training that goes on."""
    settings = {name: value for name, value in config.to_dict().items() if name not in UNSHAPING}
    jobs = [job for source in sources for several in source.jobs.values() for job in several[:1]]
    files = {job.label: job.settings.get("fingerprint", "") for job in jobs}
    return {**settings, "files": files, "parent sha256": "" if parent is None else parent.card.sha256}


def _loop(config: TrainingConfig) -> LoopSettings:
    return LoopSettings(
        steps=config.steps,
        learning_rate=config.learning_rate,
        warm_up_steps=config.warm_up_steps,
        gradient_norm=config.gradient_norm,
        validate_every=config.validate_every,
        patience=config.patience,
        checkpoint_every=config.checkpoint_every,
        validate_first=bool(config.parent),
    )


def _pieces(config: TrainingConfig, shares: Sequence[Share]) -> Pieces:
    return Pieces(
        shares,
        config.crop_frames,
        config.batch_size,
        seed=config.seed,
        kinds=config.pieces,
        augmentation=config.augmentation,
    )


def _train(
    config: TrainingConfig,
    network: Any,
    examples: MadeExamples,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Course:
    """Train a network in place and leave its best weights."""
    held_out = examples.of("validation")
    predict = predictor(network)
    if config.parent:
        freeze_statistics(network, frozen=True)
    training = Training(
        network,
        frame_loss(),
        _pieces(config, examples.shares()),
        _loop(config),
        (lambda: validate(predict, held_out)) if held_out else None,
    )
    course = training.run(checkpoints, progress)
    if config.parent:
        freeze_statistics(network, frozen=False)
    return course


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
