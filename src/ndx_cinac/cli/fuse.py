"""`ndx-cinac fuse`: several predictions of cell types made one."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_overwrite, verb

EXAMPLE = (
    "  ndx-cinac fuse session_cinac.nwb --names First Second\n"
    "  ndx-cinac fuse mine.nwb other.nwb --keep noise --output fused.nwb\n"
    "  ndx-cinac fuse session_cinac.nwb --names Default Ins Pyr --trust interneuron=Ins pyramidal=Pyr"
)


def add_fuse(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = "make one prediction of cell types of several, and say what changed and why"
    parser = verb(verbs, common, "fuse", summary, EXAMPLE)
    parser.set_defaults(run="fuse:fuse")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="one file with several predictions, or several files"
    )
    parser.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        default=(),
        help="the predictions in the file, or that of each file (CellTypePredictions); without --trust each "
        "replaces the ones before it",
    )
    parser.add_argument(
        "--trust",
        nargs="+",
        type=_trusted,
        metavar="TYPE=NAME",
        default=(),
        help="who decides on a type; the first prediction decides where nobody or several claim a cell",
    )
    parser.add_argument(
        "--skip-in-conflict",
        metavar="TYPE",
        help="with --trust: of two that claim a cell, the one that claims it as this type yields",
    )
    parser.add_argument(
        "--keep", nargs="+", metavar="TYPE", default=(), help="cells of these types stay as the first says"
    )
    parser.add_argument(
        "--exchange",
        nargs=2,
        action="append",
        metavar=("TYPE", "TYPE"),
        default=[],
        help="exchange two types in the further predictions; the second may be a new one",
    )
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", "--output", metavar="OUT.nwb", help="the file to write (NAME_cinac.nwb beside the first file)"
    )
    group.add_argument(
        "--mode",
        choices=("copy", "standalone", "in-place"),
        default="copy",
        help="a copy of the first file, a file without the movie, or into the first file (%(default)s)",
    )
    group.add_argument("--name", help="name of the fused predictions (FusedCellTypes)")
    add_overwrite(group, "replace an output file, or predictions of that name, that exist")


def fuse(options: argparse.Namespace) -> None:
    """Fuse predictions of cell types and write the result."""
    from ..cell_types.merging import FusionOptions
    from ..writing import OutputOptions
    from ..writing.fusing import fuse_files
    from .commands import _say

    result, log = fuse_files(
        options.files,
        options.names,
        OutputOptions(options.output, options.mode, options.name, options.overwrite),
        FusionOptions(
            trusted=dict(options.trust),
            skipped_in_conflict=options.skip_in_conflict,
            kept=tuple(options.keep),
            exchanged=tuple((first, second) for first, second in options.exchange),
        ),
    )
    for line in log:
        _say(options, line)
    _say(options, f"\n{result.summary()}")


def _trusted(text: str) -> tuple[str, str]:
    """Read TYPE=NAME."""
    name, sign, prediction = text.partition("=")
    if not sign or not name or not prediction:
        what = f"{text} is not TYPE=NAME, such as interneuron=Second"
        raise argparse.ArgumentTypeError(what)
    return name, prediction
