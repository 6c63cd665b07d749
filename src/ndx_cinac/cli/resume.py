"""`ndx-cinac resume`: what interrupted runs have kept for the next one, and deleting it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from .arguments import verb

EXAMPLE = (
    "  ndx-cinac resume list\n"
    "  ndx-cinac resume list --recursive /data\n"
    "  ndx-cinac resume clear predicted/session_cinac.nwb"
)


def add_resume(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    parser = verb(
        verbs,
        common,
        "resume",
        "list or delete what interrupted predictions have kept to go on from",
        EXAMPLE,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        help="list what is kept, and for which output",
        parents=[common],
        epilog="example: ndx-cinac resume list /data",
    )
    listing.set_defaults(run="resume:resume_list")
    listing.add_argument("--json", action="store_true", help="print it as JSON")
    clear = actions.add_parser(
        "clear",
        help="delete what is kept; runs that are under way are left alone",
        parents=[common],
        epilog="example: ndx-cinac resume clear predicted/session_cinac.nwb",
    )
    clear.set_defaults(run="resume:resume_clear")
    for action in (listing, clear):
        action.add_argument(
            "paths",
            nargs="*",
            metavar="PATH",
            default=["."],
            help="folders to look in, or the outputs of interrupted runs (this folder)",
        )
        action.add_argument("--recursive", action="store_true", help="look in folders within them, too")


def resume_list(options: argparse.Namespace) -> None:
    """List what interrupted runs have kept."""
    from ..prediction.kept_work import find_kept_work
    from .commands import _say

    found = find_kept_work(options.paths, recursive=options.recursive)
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=2, default=str))
        return
    for each in found:
        _say(options, each.to_text())
    if not found:
        _say(options, "nothing is kept here")


def resume_clear(options: argparse.Namespace) -> None:
    """Delete what interrupted runs have kept."""
    from ..prediction.kept_work import clear_kept_work, find_kept_work
    from .commands import _say

    found = find_kept_work(options.paths, recursive=options.recursive)
    for each in found:
        cleared = clear_kept_work(each)
        _say(options, f"deleted {each.folder}" if cleared else f"left alone, a run uses it: {each.folder}")
    if not found:
        _say(options, "nothing is kept here")
