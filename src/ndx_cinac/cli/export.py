"""`ndx-cinac export`: predictions as CSV, npz or mat."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import verb

EXAMPLE = (
    "  ndx-cinac export session_cinac.nwb\n"
    "  ndx-cinac export session_cinac.nwb --format mat --output for_matlab.mat\n"
    "  ndx-cinac export session_cinac.nwb --task cell-type --output types.csv"
)


def add_export(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = "write the predictions of a file as CSV, npz (NumPy) or mat (MATLAB)"
    parser = verb(verbs, common, "export", summary, EXAMPLE)
    parser.set_defaults(run="export:export")
    parser.add_argument("file", metavar="FILE", help="an NWB file with predictions")
    parser.add_argument(
        "--format", choices=("csv", "npz", "mat"), default="csv", help="kind of file (%(default)s)"
    )
    parser.add_argument(
        "--task",
        choices=("activity", "cell-type", "all"),
        default="all",
        help="which predictions (%(default)s)",
    )
    parser.add_argument("--name", help="name of the predictions in the file (all of them)")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the file to write (the name of FILE, beside it)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def export(options: argparse.Namespace) -> None:
    """Write a file's predictions in another format."""
    from ..exporting import export_predictions
    from .commands import _say

    for path in export_predictions(
        options.file,
        options.format,
        options.output,
        name=options.name,
        task=options.task,
        overwrite=options.overwrite,
    ):
        _say(options, str(path))
