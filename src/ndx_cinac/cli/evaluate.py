"""`ndx-cinac evaluate`: predictions against annotations, as tables, JSON and figures."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .arguments import verb

EXAMPLE = (
    "  ndx-cinac evaluate session_cinac.nwb\n"
    "  ndx-cinac evaluate session_cinac.nwb --annotations annotated.nwb --output-dir evaluation\n"
    "  ndx-cinac evaluate a_cinac.nwb b_cinac.nwb --output-dir evaluation --format pdf\n"
    "  ndx-cinac evaluate session_cinac.nwb --task cell-type"
)


def add_evaluate(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = "say how well predictions agree with annotations, beside trace-based methods"
    parser = verb(verbs, common, "evaluate", summary, EXAMPLE)
    parser.set_defaults(run="evaluate:evaluate")
    parser.add_argument("files", metavar="FILE", nargs="+", help="NWB files with predictions")
    parser.add_argument(
        "--task",
        choices=("activity", "cell-type"),
        default="activity",
        help="which predictions (%(default)s)",
    )
    parser.add_argument(
        "--annotations", metavar="OTHER.nwb", help="a file with annotations of the same ROIs (FILE itself)"
    )
    parser.add_argument("--name", help="name of the predictions in the files (the usual one)")
    group = parser.add_argument_group("activity")
    group.add_argument(
        "--threshold", type=float, help="probability that counts as active (the predictions' own)"
    )
    group.add_argument(
        "--no-baselines",
        dest="baselines",
        action="store_false",
        help="leave out the trace-based methods and groups by signal-to-noise: the movie is not read",
    )
    group.add_argument(
        "--examples",
        type=int,
        default=4,
        metavar="N",
        help="worst misses and false alarms to show (%(default)s)",
    )
    group = parser.add_argument_group("output")
    group.add_argument(
        "--output-dir",
        metavar="FOLDER",
        help="write evaluation.md, evaluation.json and figures there, replacing those of an earlier time",
    )
    group.add_argument(
        "--format", choices=("png", "pdf", "svg"), default="png", help="kind of figures (%(default)s)"
    )
    group.add_argument("--json", action="store_true", help="print JSON in place of tables")


def evaluate(options: argparse.Namespace) -> None:
    """Compare predictions with annotations, print the figures and write them."""
    from ..plotting.evaluation_files import check_folder, write_evaluation
    from .commands import _say

    if options.output_dir is not None:
        check_folder(options.output_dir)
    found = _cell_types(options) if options.task == "cell-type" else _activity(options)
    if options.json:
        print(json.dumps(found.to_dict(), indent=1))
    _say(options, found.to_markdown())
    if options.output_dir is not None:
        for path in write_evaluation(found, options.output_dir, kind=options.format):
            _say(options, str(path))


def _activity(options: argparse.Namespace) -> Any:
    from ..evaluation import EvaluationOptions, evaluate_activity
    from ..writing.output import DEFAULT_NAME
    from .commands import _progress

    how = EvaluationOptions(
        annotations=options.annotations,
        name=options.name or DEFAULT_NAME,
        threshold=options.threshold,
        baselines=options.baselines,
        n_examples=options.examples,
    )
    return evaluate_activity(options.files, how, _progress(options))


def _cell_types(options: argparse.Namespace) -> Any:
    from ..evaluation import CellTypeEvaluationOptions, evaluate_cell_types

    return evaluate_cell_types(options.files, CellTypeEvaluationOptions(options.annotations, options.name))
