"""The verbs of the command line: what each takes, and an example of it."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_classifier, add_overwrite, add_source, moment, rate, verb
from .cell_types import add_cell_types
from .dandi import add_dandi
from .evaluate import add_evaluate
from .export import add_export
from .fuse import add_fuse
from .plot import add_plot
from .predict import add_predict
from .resume import add_resume
from .threshold import add_threshold
from .train import add_train


def add_verbs(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add every verb's parser to `verbs`; all share the options of `common`."""
    for add in (_demo, _simulate, _inspect, add_predict, add_plot, add_train, _classifiers, _convert, _info):
        add(verbs, common)
    add_evaluate(verbs, common)
    add_dandi(verbs, common)
    add_export(verbs, common)
    add_cell_types(verbs, common)
    add_fuse(verbs, common)
    add_threshold(verbs, common)
    add_resume(verbs, common)


def _demo(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = (
        "  ndx-cinac demo cinac-demo\n  (simulates, predicts, scores and draws in the folder cinac-demo)"
    )
    summary = "simulate a recording, predict it, say how right that was, and draw it"
    parser = verb(verbs, common, "demo", summary, example)
    parser.add_argument(
        "folder", nargs="?", default="cinac-demo", help="where to put everything (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed makes another recording (%(default)s)"
    )
    add_overwrite(parser, "replace the files of an earlier demo in that folder")


def _simulate(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac simulate simulated.nwb --seed 3"
    summary = "make an NWB file with a simulated movie, its ROIs and their true activity"
    parser = verb(verbs, common, "simulate", summary, example)
    parser.add_argument("output", metavar="OUT.nwb", help="the file to make")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--preset", default="two-photon-sparse", help="settings that come along (%(default)s)")
    kind.add_argument("--config", metavar="FILE", help="a YAML file with your own settings")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same movie (%(default)s)"
    )
    add_overwrite(parser, "replace the file if it exists")


def _inspect(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac inspect session.nwb\n  ndx-cinac inspect session.nwb --json > session.json"
    summary = "show what is in an NWB file and how it would be predicted, without predicting"
    parser = verb(verbs, common, "inspect", summary, example)
    add_source(parser)
    add_classifier(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _classifiers(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac classifiers list\n  ndx-cinac classifiers show activity-sim"
    parser = verb(
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
    named = convert.add_mutually_exclusive_group()
    named.add_argument("--classes", nargs="+", metavar="CLASS", help="names of its outputs, in order")
    named.add_argument(
        "--cell-type-yaml", metavar="TYPES.yaml", help="names, keywords and meanings of its cell types"
    )
    add_overwrite(convert, "replace the classifier if it exists")


def _convert(verbs: Any, common: argparse.ArgumentParser) -> None:
    example = "  ndx-cinac convert session.cinac session.nwb --frame-rate 8 --annotator JD"
    summary = "convert a .cinac file of DeepCINAC to NWB, and say what could not be kept"
    parser = verb(verbs, common, "convert", summary, example)
    parser.add_argument("file", metavar="FILE.cinac", help="annotated segments")
    parser.add_argument("output", metavar="OUT.nwb", help="the file to write")
    parser.add_argument("--frame-rate", type=rate, metavar="HZ", help="frames per second (one, and said so)")
    parser.add_argument(
        "--session-start",
        type=moment,
        metavar="TIME",
        help="when the movie began, e.g. 2024-05-06T10:30+02:00 (1970, and said so)",
    )
    parser.add_argument("--annotator", default="unknown", help="who annotated (%(default)s)")
    add_overwrite(parser, "replace the file if it exists")


def _info(verbs: Any, common: argparse.ArgumentParser) -> None:
    summary = "print versions, devices and installed extras, for a bug report"
    parser = verb(verbs, common, "info", summary, "  ndx-cinac info")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
