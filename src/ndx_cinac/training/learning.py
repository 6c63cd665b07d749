"""How the networks of an activity classifier learn: one, or several side by side or in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..progress import Progress, silent
from ..threads import n_cores
from .checkpoints import Checkpoints
from .config import TrainingConfig
from .examples import MadeExamples
from .labelled import Example
from .loop import Course, LoopSettings, Training, restore_finished
from .measures import validate
from .network import frame_loss, new_network, predictor
from .parents import Parent, freeze_statistics
from .pieces import Pieces, Share
from .side_by_side import run_side_by_side
from .sources import Source


def trains_apart(config: TrainingConfig, parent: Parent | None) -> bool:
    """Whether several networks are trained side by side.

    That takes cores to share, and no GPU, which several processes would fight for.
    """
    if config.networks == 1 or parent is not None or not config.side_by_side or n_cores() == 1:
        return False
    from ..backend import BACKEND, device_description

    return BACKEND == "tensorflow" and device_description().startswith("CPU")


def learn(
    config: TrainingConfig,
    parent: Parent | None,
    examples: MadeExamples,
    checkpoints: Checkpoints,
    progress: Progress,
) -> tuple[Any, list[Course]]:
    """Train the network of a classifier, or several, and return their average, and how each training went.

    Trainings go on from their checkpoints, and those that have ended are taken as they are.
    """
    if parent is not None:
        return parent.network, [_train(config, parent.network, examples, checkpoints, progress)]
    from ..networks import average_networks

    members = _members(config, examples.sources, checkpoints)
    if trains_apart(config, parent):
        run_side_by_side(_train_member, members, progress)
    networks, courses = [], []
    for number, member in enumerate(members):
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


def _train_member(member: Member, progress: Progress) -> None:
    """Train one of several networks, in a process of its own, and leave it among its checkpoints."""
    from ..quiet_loading import load_networks

    load_networks()
    from ..backend import use_threads

    use_threads(member.threads)
    config = replace(member.config, workers=0)
    examples = MadeExamples(config, member.sources, member.checkpoints.folder, silent)
    examples.make("training", "validation")  # they are there already
    progress("training", 0, config.steps)  # of one that has ended before nothing else would be told
    _train(config, new_network(config), examples, member.checkpoints, progress)
    progress("training", config.steps, config.steps)


def _part_of(progress: Progress, number: int, total: int) -> Progress:
    """Tell of the steps of one of several networks as of those of all."""
    return lambda stage, done, steps: progress(stage, number * steps + done, total * steps)


def fit(config: TrainingConfig, examples: Sequence[Example], network: Any = None) -> Any:
    """Train a network on examples, all its steps, and return it; it gives logits. None makes a new one."""
    network = new_network(config) if network is None else network
    Training(network, frame_loss(), _pieces(config, [Share(examples)]), _loop(config), None).run()
    return network


def _loop(config: TrainingConfig) -> LoopSettings:
    return LoopSettings(
        steps=config.steps,
        learning_rate=config.learning_rate,
        warm_up_steps=config.warm_up_steps,
        gradient_norm=config.gradient_norm,
        validate_every=config.validate_every,
        patience=config.patience,
        average_steps=config.average_steps,
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
