"""The verb `train`: its options, and what it does with them."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import add_overwrite, verb
from .train_cell_types import add_cell_type_options, refuse_cell_type_options, train_cell_types_task

if TYPE_CHECKING:
    from ..training import TrainingConfig

EXAMPLE = """\
  ndx-cinac train annotated.nwb more.cinac --output my-activity
  ndx-cinac train annotated.nwb --from activity-sim --output my-activity   (a few labelled cells)
  ndx-cinac train simulation:two-photon-dense --seed 1 --output dense
  ndx-cinac train --config training.yaml --output my-activity --resume
  ndx-cinac train --task cell-type labelled.nwb more.nwb --output my-types"""

TASKS = ("activity", "cell-type")


def add_train(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb."""
    summary = "train a classifier on annotated recordings, .cinac files and simulated movies"
    parser = verb(verbs, common, "train", summary, EXAMPLE)
    parser.set_defaults(run="train:train")
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="annotated NWB files, .cinac files, simulation:PRESET or simulation:FILE.yaml; without any, "
        "those of the config, else its simulation",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the new classifier")
    parser.add_argument(
        "--task", choices=TASKS, default="activity", help="what it is to predict (%(default)s)"
    )
    parser.add_argument("--config", metavar="FILE", help="a YAML file with your own settings")
    parser.add_argument(
        "--from", dest="parent", metavar="CLASSIFIER", help="a classifier to train further: name or folder"
    )
    parser.add_argument("--seed", type=int, help="the same seed gives the same classifier (the config's)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with a training that was interrupted, if there is one"
    )
    add_cell_type_options(parser)
    add_overwrite(parser, "replace the classifier if it exists, and begin an interrupted training again")


def train(options: Namespace) -> None:
    """Train a classifier for the task."""
    if options.task == "cell-type":
        train_cell_types_task(options)
        return
    refuse_cell_type_options(options)
    train_activity_task(options)


def train_activity_task(options: Namespace) -> None:
    """Train a classifier of activity and show its card."""
    from ..training import TrainingConfig, train_activity
    from ..training.checkpoints import check_output
    from .commands import _load_networks, _progress, _say

    check_output(Path(options.output), overwrite=options.overwrite)  # before TensorFlow is loaded
    config = TrainingConfig() if options.config is None else TrainingConfig.from_yaml(options.config)
    config = with_options(config, options)
    _say(options, f"training on {_load_networks(options)}")
    card = train_activity(
        config, options.output, _progress(options), overwrite=options.overwrite, resume=options.resume
    )
    _say(options, card.describe())
    _say(options, f"\nnext: ndx-cinac predict FILE --classifier {options.output}")


def with_options(config: TrainingConfig, options: Namespace) -> TrainingConfig:
    """Return the config with what the command line says; sources keep the config's weights."""
    from ..training import SourceSettings

    known = {source.path: source for source in config.sources}
    sources = tuple(known.get(path) or SourceSettings(path) for path in options.sources) or config.sources
    given: dict[str, Any] = {"sources": sources}
    given |= {} if options.seed is None else {"seed": options.seed}
    given |= {} if options.parent is None else {"parent": options.parent}
    return replace(config, **given)
