"""What `ndx-cinac train --task cell-type` takes beyond other trainings, and what it does."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .arguments import rate

if TYPE_CHECKING:
    from ..training import CellTypeTrainingConfig

OPTIONS = {
    "label_column": "--label-column",
    "cell_types": "--cell-types",
    "frame_rate": "--frame-rate",
    "pixel_size": "--pixel-size",
    "split_by": "--split-by",
    "folds": "--folds",
    "class_weights": "--class-weights",
}
"""Fields of the config that the command line sets, and how."""


def add_cell_type_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that are for cell types alone."""
    group = parser.add_argument_group("cell types")
    group.add_argument(
        "--label-column",
        metavar="COLUMN",
        help="column of the ROI table with the types (CellTypeAnnotations)",
    )
    group.add_argument(
        "--cell-types", metavar="TYPES.yaml", help="the types and their other names (those that come along)"
    )
    group.add_argument("--frame-rate", type=rate, metavar="HZ", help="frames per second of .cinac files")
    group.add_argument(
        "--pixel-size", type=rate, metavar="MICROMETRES", help="size of a pixel, for files that do not say"
    )
    group.add_argument(
        "--split-by",
        choices=("auto", "animal", "recording", "roi"),
        help="what cross-validation holds out together (auto: animals, else recordings, else ROIs)",
    )
    group.add_argument("--folds", type=int, metavar="K", help="parts of the cross-validation, at most (5)")
    group.add_argument(
        "--class-weights", choices=("balanced", "none"), help="whether rare types count more (balanced)"
    )


def refuse_cell_type_options(options: Namespace) -> None:
    """Refuse options that are for cell types, where something else is trained.

    Raises
    ------
    ConfigError
        If there is one.
    """
    given = [flag for name, flag in OPTIONS.items() if getattr(options, name) is not None]
    if given:
        what = f"{given[0]} is for classifiers of cell types"
        raise ConfigError(what, fix="Add --task cell-type, or leave it out")


def train_cell_types_task(options: Namespace) -> None:
    """Train a classifier of cell types and show its card."""
    from ..training import CellTypeTrainingConfig, train_cell_types
    from ..training.checkpoints import check_output
    from .commands import _load_networks, _progress, _say

    check_output(Path(options.output), overwrite=options.overwrite)  # before TensorFlow is loaded
    config = (
        CellTypeTrainingConfig()
        if options.config is None
        else CellTypeTrainingConfig.from_yaml(options.config)
    )
    config = with_options(config, options)
    _say(options, f"training on {_load_networks(options)}")
    card = train_cell_types(
        config, options.output, _progress(options), overwrite=options.overwrite, resume=options.resume
    )
    _say(options, card.describe())
    _say(options, f"\nnext: ndx-cinac predict FILE --task cell-type --classifier {options.output}")


def with_options(config: CellTypeTrainingConfig, options: Namespace) -> CellTypeTrainingConfig:
    """Return the config with what the command line says."""
    given: dict[str, Any] = {name: getattr(options, name) for name in (*OPTIONS, "seed", "parent")}
    given = {name: value for name, value in given.items() if value is not None}
    given |= {"sources": tuple(options.sources)} if options.sources else {}
    return replace(config, **given)
