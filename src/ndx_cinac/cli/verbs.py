"""The verbs of the command line: what each takes, and an example of it."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from .export import add_export

DEFAULT_CLASSIFIER = "activity-sim"
DEFAULT_NAME = "ActivityPredictions"


def add_verbs(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add every verb's parser to `verbs`; all share the options of `common`."""
    for add in (_demo, _simulate, _inspect, _predict, _plot, _train, _classifiers, _convert, _info):
        add(verbs, common)
    add_export(verbs, common)


def _verb(
    verbs: Any, common: argparse.ArgumentParser, name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    """Add one verb; the function of the same name in `commands` runs it."""
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


def _demo(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = (
        "  ndx-cinac demo cinac-demo\n  (simulates, predicts, scores and draws in the folder cinac-demo)"
    )
    summary = "simulate a recording, predict it, say how right that was, and draw it"
    parser = _verb(verbs, common, "demo", summary, example)
    parser.add_argument(
        "folder", nargs="?", default="cinac-demo", help="where to put everything (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed makes another recording (%(default)s)"
    )
    _add_overwrite(parser, "replace the files of an earlier demo in that folder")


def _simulate(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac simulate simulated.nwb --seed 3"
    summary = "make an NWB file with a simulated movie, its ROIs and their true activity"
    parser = _verb(verbs, common, "simulate", summary, example)
    parser.add_argument("output", metavar="OUT.nwb", help="the file to make")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--preset", default="two-photon-sparse", help="settings that come along (%(default)s)")
    kind.add_argument("--config", metavar="FILE", help="a YAML file with your own settings")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same movie (%(default)s)"
    )
    _add_overwrite(parser, "replace the file if it exists")


def _inspect(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac inspect session.nwb\n  ndx-cinac inspect session.nwb --json > session.json"
    summary = "show what is in an NWB file and how it would be predicted, without predicting"
    parser = _verb(verbs, common, "inspect", summary, example)
    _add_source(parser)
    _add_classifier(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _predict(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = (
        "  ndx-cinac predict session.nwb\n"
        "  ndx-cinac predict session.nwb --roi-column iscell --output predicted/session.nwb\n"
        "  ndx-cinac predict session.nwb --mode standalone   (no movie: small, fit for sharing)\n"
        "  ndx-cinac predict session.nwb --classifier model.json --weights weights.h5   (DeepCINAC's)"
    )
    summary = "predict the activity of each ROI in each frame, and write it into an NWB file"
    parser = _verb(verbs, common, "predict", summary, example)
    _add_source(parser)
    _add_classifier(parser)
    parser.add_argument(
        "--weights", metavar="WEIGHTS.h5", help="weights of DeepCINAC's, whose .json is given as --classifier"
    )
    parser.add_argument(
        "--threshold", type=_probability, help="probability that counts as active (the classifier's)"
    )
    parser.add_argument(
        "--batch-size", type=_positive, help="stretches of traces that the network is given at once"
    )
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", "--output", metavar="OUT.nwb", help="the file to write (NAME_cinac.nwb beside the source)"
    )
    group.add_argument(
        "--mode",
        choices=("copy", "standalone", "in-place"),
        default="copy",
        help="copy: source and predictions; standalone: session, ROIs and predictions without the movie; "
        "in-place: into the source itself (%(default)s)",
    )
    group.add_argument(
        "--name", default=DEFAULT_NAME, help="name of the predictions in the file (%(default)s)"
    )
    _add_overwrite(group, "replace an output file, or predictions of that name, that exist")
    group.add_argument("--json", action="store_true", help="print what was done as JSON")


def _plot(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac plot session_cinac.nwb --rois 0 3 5 --output-dir figures"
    summary = "draw the field of view, the probabilities and some ROIs' traces from a file with predictions"
    parser = _verb(verbs, common, "plot", summary, example)
    parser.add_argument("file", metavar="FILE", help="an NWB file with predictions")
    parser.add_argument(
        "--rois", type=int, nargs="+", metavar="ROW", help="rows of the ROIs whose traces are drawn"
    )
    parser.add_argument("--output-dir", default=".", help="folder of the figures (the current one)")
    parser.add_argument(
        "--format", choices=("png", "pdf", "svg"), default="png", help="kind of file (%(default)s)"
    )
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help="name of the predictions in the file (%(default)s)"
    )


def _train(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac train my-classifier --config training.yaml --seed 1"
    summary = "train an activity classifier on simulated movies"
    parser = _verb(verbs, common, "train", summary, example)
    parser.add_argument("output", metavar="FOLDER", help="folder of the new classifier")
    parser.add_argument("--config", metavar="FILE", help="a YAML file with your own settings")
    parser.add_argument(
        "--seed", type=int, help="the same seed gives the same classifier (the settings' own)"
    )
    _add_overwrite(parser, "replace the classifier if it exists")


def _classifiers(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac classifiers list\n  ndx-cinac classifiers show activity-sim"
    parser = _verb(
        verbs,
        common,
        "classifiers",
        "list the classifiers that come along, show one's card, convert one",
        example,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        help="list the classifiers that come along",
        parents=[common],
        epilog="example: ndx-cinac classifiers list",
    )
    listing.set_defaults(run="classifiers_list")
    listing.add_argument("--json", action="store_true", help="print their cards as JSON")
    show = actions.add_parser(
        "show",
        help="show a classifier's card",
        parents=[common],
        epilog="example: ndx-cinac classifiers show activity-sim",
    )
    show.set_defaults(run="classifiers_show")
    show.add_argument("classifier", help="name of a classifier that comes along, or a classifier's folder")
    show.add_argument("--json", action="store_true", help="print the card as JSON")
    convert = actions.add_parser(
        "convert",
        help="make a classifier of DeepCINAC's .json and .h5 files",
        parents=[common],
        epilog="example: ndx-cinac classifiers convert model.json weights.h5 my-classifier",
    )
    convert.set_defaults(run="classifiers_convert")
    convert.add_argument("model", metavar="MODEL.json", help="the architecture that DeepCINAC wrote")
    convert.add_argument("weights", metavar="WEIGHTS.h5", help="the weights that DeepCINAC wrote")
    convert.add_argument("output", metavar="FOLDER", help="folder of the new classifier")
    convert.add_argument("--name", help="what it is to be called (the weights' file name)")
    convert.add_argument("--classes", nargs="+", metavar="CLASS", help="names of its outputs, in order")
    _add_overwrite(convert, "replace the classifier if it exists")


def _convert(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac convert session.cinac session.nwb --frame-rate 8 --annotator JD"
    summary = "convert a .cinac file of DeepCINAC to NWB, and say what could not be kept"
    parser = _verb(verbs, common, "convert", summary, example)
    parser.add_argument("file", metavar="FILE.cinac", help="annotated segments")
    parser.add_argument("output", metavar="OUT.nwb", help="the file to write")
    parser.add_argument("--frame-rate", type=_rate, metavar="HZ", help="frames per second (one, and said so)")
    parser.add_argument(
        "--session-start",
        type=_moment,
        metavar="TIME",
        help="when the movie began, e.g. 2024-05-06T10:30+02:00 (1970, and said so)",
    )
    parser.add_argument("--annotator", default="unknown", help="who annotated (%(default)s)")
    _add_overwrite(parser, "replace the file if it exists")


def _info(verbs: Any, common: argparse.ArgumentParser) -> None:
    summary = "print versions, devices and installed extras, for a bug report"
    parser = _verb(verbs, common, "info", summary, "  ndx-cinac info")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _add_source(parser: argparse.ArgumentParser) -> None:
    """Add what says which movie and which ROIs of which file."""
    parser.add_argument(
        "file", metavar="FILE", help="an NWB file with a movie and ROIs (HDF5, or a Zarr folder)"
    )
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


def _add_classifier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classifier",
        default=DEFAULT_CLASSIFIER,
        help="name of a classifier that comes along, or its folder (%(default)s)",
    )


def _add_overwrite(parser: Any, words: str) -> None:
    parser.add_argument("--overwrite", action="store_true", help=words)


def _probability(text: str) -> float:
    """Read a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        what = f"{text} is not within 0 to 1"
        raise argparse.ArgumentTypeError(what)
    return value


def _rate(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        what = f"{text} is not above 0"
        raise argparse.ArgumentTypeError(what)
    return value


def _moment(text: str) -> datetime:
    """Read a time with its time zone."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if value.tzinfo is None:
        what = f"{text} has no time zone, such as +02:00"
        raise argparse.ArgumentTypeError(what)
    return value


def _positive(text: str) -> int:
    """Read a whole number above 0."""
    value = int(text)
    if value < 1:
        what = f"{text} is not above 0"
        raise argparse.ArgumentTypeError(what)
    return value
