"""What the parsers of several verbs share: sources, classifiers, and kinds of values."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

DEFAULT_CLASSIFIER = "activity-sim"
DEFAULT_NAME = "ActivityPredictions"


def verb(
    verbs: Any, common: argparse.ArgumentParser, name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    """Add one verb; the function of the same name in `commands` runs it, unless its parser names another."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n{example}",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=name)
    return parser


def add_source(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add what says which movie and which ROIs of which file, or of which files."""
    what = "an NWB file with a movie and ROIs (HDF5, or a Zarr folder)"
    if several:
        parser.add_argument(
            "files", metavar="FILE", nargs="+", help=f"{what}; or several, or folders of them"
        )
    else:
        parser.add_argument("file", metavar="FILE", help=what)
    group = parser.add_argument_group("source")
    group.add_argument("--movie", help="path, name or object id of the movie in the file, or a TIFF stack")
    group.add_argument("--segmentation", help="path, name or object id of the ROI table")
    group.add_argument(
        "--axes",
        choices=("auto", "matching", "exchanged"),
        default="auto",
        help="whether the masks' axes are the movie's or exchanged against them (%(default)s: by evidence)",
    )
    rois = group.add_mutually_exclusive_group()
    rois.add_argument("--rois", type=int, nargs="+", metavar="ROW", help="predict only these rows")
    rois.add_argument(
        "--roi-column",
        metavar="COLUMN",
        help="predict only ROIs where this column says yes, such as iscell or Accepted",
    )


def add_classifier(parser: argparse.ArgumentParser) -> None:
    """Add which classifier is meant."""
    parser.add_argument(
        "--classifier",
        default=DEFAULT_CLASSIFIER,
        help="name of a classifier that comes along, or its folder (%(default)s)",
    )


def add_overwrite(parser: Any, words: str) -> None:
    """Add whether something that exists is replaced."""
    parser.add_argument("--overwrite", action="store_true", help=words)


def probability(text: str) -> float:
    """Read a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        what = f"{text} is not within 0 to 1"
        raise argparse.ArgumentTypeError(what)
    return value


def rate(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        what = f"{text} is not above 0"
        raise argparse.ArgumentTypeError(what)
    return value


def seconds(text: str) -> float:
    """Read a number of 0 or more."""
    value = float(text)
    if not 0 <= value < float("inf"):
        what = f"{text} is not 0 or more"
        raise argparse.ArgumentTypeError(what)
    return value


def moment(text: str) -> datetime:
    """Read a time with its time zone."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if value.tzinfo is None:
        what = f"{text} has no time zone, such as +02:00"
        raise argparse.ArgumentTypeError(what)
    return value


def positive(text: str) -> int:
    """Read a whole number above 0."""
    value = int(text)
    if value < 1:
        what = f"{text} is not above 0"
        raise argparse.ArgumentTypeError(what)
    return value
