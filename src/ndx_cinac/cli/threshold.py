"""`ndx-cinac threshold`: another threshold for predictions that lie in a file."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import ConfigError
from .arguments import DEFAULT_NAME, add_overwrite, probability, verb

EXAMPLE = (
    "  ndx-cinac threshold session_cinac.nwb 0.35 --output session_035.nwb\n"
    "  ndx-cinac threshold session_cinac.nwb 0.35 --mode in-place --new-name Sensitive"
)


def add_threshold(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = "give predicted activity in a file another threshold, without predicting again"
    parser = verb(verbs, common, "threshold", summary, EXAMPLE)
    parser.set_defaults(run="threshold:threshold")
    parser.add_argument("file", metavar="FILE", help="an NWB file with predicted activity")
    parser.add_argument(
        "value",
        metavar="THRESHOLD",
        type=probability,
        help="at this probability or above a frame counts as active",
    )
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help="name of the predictions in the file (%(default)s)"
    )
    parser.add_argument(
        "--new-name", metavar="NAME", help="keep the old ones, and put the new ones beside them as NAME"
    )
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="OUT.nwb", help="the file to write")
    group.add_argument(
        "--mode",
        choices=("copy", "in-place"),
        default="copy",
        help="a copy of the file, or into the file itself (%(default)s)",
    )
    add_overwrite(group, "replace an output file, or predictions of the new name, that exist")


def threshold(options: argparse.Namespace) -> None:
    """Cut a file's predictions at another threshold, and write that."""
    from ..writing import OutputOptions, change_threshold
    from .commands import _say

    if options.mode == "copy" and options.output is None:
        what = "Where the copy goes is not said"
        raise ConfigError(what, fix="Give --output OUT.nwb, or change the file itself with --mode in-place")
    goal = OutputOptions(options.output, options.mode, options.new_name, options.overwrite)
    _say(options, change_threshold(options.file, options.value, goal, name=options.name).summary())
