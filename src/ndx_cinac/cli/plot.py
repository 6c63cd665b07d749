"""`ndx-cinac plot`: the figures that a file with predictions allows."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import DEFAULT_NAME, verb

EXAMPLE = (
    "  ndx-cinac plot session_cinac.nwb --rois 0 3 5 --output-dir figures\n"
    "  ndx-cinac plot session_cinac.nwb --cell-types SecondRun --format pdf"
)


def add_plot(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = "draw activity, cell types and activity by cell type from a file with predictions"
    parser = verb(verbs, common, "plot", summary, EXAMPLE)
    parser.set_defaults(run="plot:plot")
    parser.add_argument("file", metavar="FILE", help="an NWB file with predictions")
    parser.add_argument(
        "--rois", type=int, nargs="+", metavar="ROW", help="rows of the ROIs whose traces are drawn"
    )
    parser.add_argument("--output-dir", default=".", help="folder of the figures (the current one)")
    parser.add_argument(
        "--format", choices=("png", "pdf", "svg"), default="png", help="kind of file (%(default)s)"
    )
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help="name of the predicted activity in the file (%(default)s)"
    )
    parser.add_argument(
        "--cell-types", metavar="NAME", help="name of the predicted cell types (the usual or only one)"
    )


def plot(options: argparse.Namespace) -> None:
    """Draw figures from a file with predictions."""
    from ..plotting import plot_file
    from .commands import _progress, _say

    for path in plot_file(
        options.file,
        options.output_dir,
        rois=options.rois,
        name=options.name,
        cell_types=options.cell_types,
        kind=options.format,
        progress=_progress(options),
    ):
        _say(options, str(path))
