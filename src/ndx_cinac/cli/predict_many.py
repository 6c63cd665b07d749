"""`ndx-cinac predict` of several files or a folder: outputs in one folder, a summary, an exit status."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, PredictionError
from .arguments import positive

if TYPE_CHECKING:
    from ..batch import BatchOptions, Recipe

GIGABYTE = 1_000_000_000


def add_many(parser: argparse.ArgumentParser) -> None:
    """Add what is about several recordings to the parser of `predict`."""
    group = parser.add_argument_group(
        "several recordings",
        "One that fails does not stop the others; the summary says which did, and why. With workers, whoever "
        "has nothing left to do helps with the recordings that are left.",
    )
    group.add_argument(
        "--output-dir",
        metavar="OUT",
        help="folder for NAME_cinac.nwb of each NAME.nwb; folders are searched, and their subfolders kept",
    )
    who = group.add_mutually_exclusive_group()
    who.add_argument(
        "--workers", type=positive, metavar="N", help="processes on this machine (this one alone)"
    )
    who.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://HOST:8786, and its workers"
    )
    group.add_argument(
        "--worker-memory",
        type=gigabytes,
        metavar="GB",
        help="memory of each of the N workers (an equal share of the machine's)",
    )
    group.add_argument(
        "--skip-existing", action="store_true", help="leave outputs that exist, and predict the others"
    )


def gigabytes(text: str) -> int:
    """Read a number of gigabytes; return bytes."""
    value = float(text)
    if not 0 < value < float("inf"):
        what = f"{text} is not above 0"
        raise argparse.ArgumentTypeError(what)
    return int(value * GIGABYTE)


def is_many(options: argparse.Namespace) -> bool:
    """Whether several recordings are meant.

    Raises
    ------
    ConfigError
        If they are, and no folder is given for their outputs; or if one is, with options for several.
    """
    from pathlib import Path

    from ..reading.opening import is_zarr_store

    if options.output_dir is not None:
        if options.output is not None:
            what = "--output names one file, and --output-dir a folder for several"
            raise ConfigError(what, fix="Leave one of them out")
        return True
    path = Path(options.files[0]).expanduser()
    if len(options.files) > 1 or (path.is_dir() and not is_zarr_store(path)):
        what = "Several recordings need a folder for their outputs"
        raise ConfigError(what, fix="Give one with --output-dir")
    for name in ("workers", "scheduler", "worker_memory", "skip_existing"):
        if getattr(options, name):
            what = f"--{name.replace('_', '-')} is for outputs in a folder"
            raise ConfigError(what, fix="Give the folder with --output-dir")
    return False


def predict_many(options: argparse.Namespace, recipe: Recipe) -> None:
    """Predict several recordings, and say what became of each.

    Raises
    ------
    PredictionError
        If one of them failed, after the summary.
    """
    from .. import batch
    from ..batch.goals import check_goals, find_goals
    from .commands import _load_networks, _progress, _say

    chosen = _batch_options(options)
    if chosen.workers is not None or chosen.scheduler is not None:
        _hush_dask(options)
    goals = find_goals(options.files, options.output_dir)
    check_goals(goals, chosen.output, recipe.tasks, skip_existing=chosen.skip_existing)
    pinned = recipe.pinned()
    used = ", ".join(f"{name} (sha256 {sha[:12]})" for name, sha in pinned.fingerprints.items())
    _say(options, f"{used}, {_place(options) or f'on {_load_networks(options)}'}")
    result = batch.predict_many(
        options.files, options.output_dir, pinned, options=chosen, progress=_progress(options)
    )
    if options.json:
        print(json.dumps(result.to_dict(), indent=2))
    _say(options, result.summary())
    if options.debug:
        print("\n".join(each.traceback for each in result.failed), file=sys.stderr)
    if result.failed:
        what = f"{len(result.failed)} of {len(result.outcomes)} recordings failed"
        if options.quiet or options.json:
            what += "".join(f"\n  {each.source}: {each.error}" for each in result.failed)
        fix = "The same command with --skip-existing does these alone"
        raise PredictionError(what, fix=fix)
    verb = "plot" if "activity" in recipe.tasks else "export --task cell-type"
    _say(options, f"next: ndx-cinac {verb} {result.outcomes[0].output}")


def _hush_dask(options: argparse.Namespace) -> None:
    """Let Dask tell of workers that die, and no more unless that is asked for."""
    from ..extras import require

    require("distributed", extra="cluster", feature="Predicting on several workers")  # sets its own levels
    level = logging.INFO if options.verbose or options.debug else logging.WARNING
    logging.getLogger("distributed").setLevel(logging.ERROR if options.quiet else level)


def _place(options: argparse.Namespace) -> str:
    """Say which workers predict; nothing where this process does."""
    if options.workers is not None:
        return f"on {options.workers} workers of this machine"
    return "" if options.scheduler is None else f"on the workers of {options.scheduler}"


def _batch_options(options: argparse.Namespace) -> BatchOptions:
    """Return who predicts, and what happens to outputs."""
    from ..batch import BatchOptions
    from ..writing import OutputOptions

    output: Any = OutputOptions(None, options.mode, options.name, options.overwrite)
    return BatchOptions(
        options.workers, options.scheduler, options.worker_memory, options.skip_existing, output
    )
