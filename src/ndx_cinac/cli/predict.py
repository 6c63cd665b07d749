"""`ndx-cinac predict`: activity, cell types, or both, into an NWB file."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from ..errors import ConfigError
from .arguments import add_overwrite, add_source, positive, probability, seconds, verb
from .predict_many import add_many, is_many, predict_many
from .prediction_options import TASKS, activity_options, cell_type_options, recipe_of
from .records import record_of

EXAMPLE = (
    "  ndx-cinac predict session.nwb\n"
    "  ndx-cinac predict session.nwb --roi-column iscell --output predicted/session.nwb\n"
    "  ndx-cinac predict session.nwb --mode standalone   (no movie: small, fit for sharing)\n"
    "  ndx-cinac predict session.nwb --task all   (activity and cell types)\n"
    "  ndx-cinac predict session.nwb --activity-by-cell-type map.yaml\n"
    "  ndx-cinac predict recordings --output-dir predicted --workers 4\n"
    "  ndx-cinac predict session.nwb --classifier model.json --weights weights.h5   (DeepCINAC's)\n"
    "  ndx-cinac predict session.nwb --task cell-type --classifier model.json --weights weights.h5 \\\n"
    "      --cell-type-yaml types.yaml   (DeepCINAC's)"
)


def add_predict(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = (
        "predict the activity of each ROI in each frame, or its cell type, and write it into an NWB file"
    )
    parser = verb(verbs, common, "predict", summary, EXAMPLE)
    parser.set_defaults(run="predict:predict")
    add_source(parser, several=True)
    add_what(parser)
    _add_output(parser)
    add_many(parser)


def add_what(parser: argparse.ArgumentParser) -> None:
    """Add what is predicted, and with which classifiers."""
    parser.add_argument(
        "--task",
        choices=("activity", "cell-type", "all"),
        help="what to predict (activity)",
    )
    parser.add_argument(
        "--classifier",
        help="name of a classifier that comes along, or its folder (activity-sim; for cell types "
        "cell-type-sim)",
    )
    parser.add_argument(
        "--weights", metavar="WEIGHTS.h5", help="weights of DeepCINAC's, whose .json is given as --classifier"
    )
    parser.add_argument(
        "--threshold",
        type=probability,
        help="probability that counts as active, or as the type of a classifier with one output (the "
        "classifier's)",
    )
    parser.add_argument(
        "--batch-size", type=positive, help="stretches of traces that the network is given at once"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        help="of activity, where the device has it; reduced ones change probabilities (float32)",
    )
    _add_cell_types(parser)


def _add_cell_types(parser: argparse.ArgumentParser) -> None:
    """Add what is about cell types alone."""
    group = parser.add_argument_group("cell types")
    group.add_argument(
        "--cell-type-yaml",
        metavar="TYPES.yaml",
        help="names of the classifier's types; `ndx-cinac cell-types check` checks it",
    )
    group.add_argument(
        "--segments", type=positive, help="for classifiers of DeepCINAC: most active segments of each ROI (2)"
    )
    group.add_argument(
        "--combine",
        choices=("mean", "median", "max", "min"),
        help="what makes one prediction of these segments' (mean)",
    )
    group.add_argument(
        "--activity-by-cell-type",
        metavar="MAP.yaml",
        help="predict types first, then each type with its own activity classifier; both are written",
    )
    group.add_argument(
        "--cell-type-classifier", help="with activity: the classifier of cell types (cell-type-sim)"
    )
    group.add_argument(
        "--cell-type-weights", metavar="WEIGHTS.h5", help="weights of DeepCINAC's --cell-type-classifier"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    """Add where predictions go."""
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
        "--name",
        help="name of the predictions in the file (ActivityPredictions, CellTypePredictions)",
    )
    add_overwrite(group, "replace an output file, or predictions of that name, that exist")
    group.add_argument("--json", action="store_true", help="print what was done as JSON")
    add_resuming(parser, "120")


def add_resuming(parser: argparse.ArgumentParser, usual: str) -> None:
    """Add what happens to work that an interrupted run has finished; `usual` is said to be the limit."""
    group = parser.add_argument_group(
        "resuming",
        "Finished work is kept beside the output; after an interruption the same command goes on from there. "
        "`ndx-cinac resume list` shows what is kept.",
    )
    group.add_argument(
        "--no-resume", action="store_true", help="begin anew, and keep nothing for another run"
    )
    group.add_argument(
        "--resume-from",
        type=seconds,
        metavar="SECONDS",
        help=f"keep finished work of runs that are expected to take so long or longer ({usual})",
    )


def predict(options: argparse.Namespace) -> None:
    """Predict a file's ROIs and write that."""
    from ..reading.opening import check_path
    from ..writing import OutputOptions, check_output
    from .commands import _say

    started = time.perf_counter()
    task = task_of(options)
    if is_many(options):
        predict_many(options, recipe_of(options, task))
        return
    (options.file,) = options.files
    tasks = TASKS[task]
    output = OutputOptions(options.output, options.mode, options.name, options.overwrite)
    check_output(output, check_path(options.file), tasks)  # before TensorFlow is loaded: that takes seconds
    run = {"activity": _activity, "cell-type": _cell_types, "all": _both}[task]
    results = run(options, output)
    seconds = time.perf_counter() - started
    if options.json:
        records = {result.task: record_of(result, options.mode, seconds) for result in results}
        print(json.dumps(records if len(records) > 1 else next(iter(records.values())), indent=2))
        return
    _say(options, "\n\n".join(result.summary() for result in results))
    done = {
        "copy": "copied the file and added",
        "standalone": "wrote, without the movie,",
        "in-place": "added to the file",
    }
    names, path = output.names(tasks), results[0].output
    shown = " and ".join(f"'{name}'" for name in names.values())
    _say(options, f"\n{done[options.mode]} {shown}: {path} ({seconds:.1f} s in all)")
    if "activity" in names:
        _say(options, f"next: ndx-cinac plot {path}{_named(options)}")
    else:
        _say(options, f"next: ndx-cinac export {path} --task cell-type{_named(options)}")


def _named(options: argparse.Namespace) -> str:
    return "" if options.name is None else f" --name {options.name}"


def task_of(options: argparse.Namespace) -> str:
    """Return what is predicted, after refusing options that do not go together.

    Raises
    ------
    ConfigError
        If an option has no meaning beside another.
    """
    by_type = options.activity_by_cell_type is not None
    task: str = options.task or ("all" if by_type else "activity")
    if by_type and task != "all":
        what = f"--activity-by-cell-type predicts both, and --task {task} asks for one"
        raise ConfigError(what, fix="Leave --task out")
    if by_type and (options.classifier is not None or options.weights is not None):
        what = "--activity-by-cell-type names the classifiers of activity, and so does --classifier"
        raise ConfigError(what, fix="Name that of cell types with --cell-type-classifier")
    if options.precision is not None and task == "cell-type":
        what = "--precision has no meaning with --task cell-type: cell types are predicted in float32"
        raise ConfigError(what, fix="Leave it out")
    given = {
        "all": ("cell_type_classifier", "cell_type_weights"),
        "all or cell-type": ("cell_type_yaml", "segments", "combine"),
    }
    for needed, names in given.items():
        wrong = [name for name in names if getattr(options, name) is not None]
        if wrong and task not in needed.split(" or "):
            what = f"--{wrong[0].replace('_', '-')} has no meaning with --task {task}"
            fix = "Use --classifier and --weights" if task == "cell-type" else f"Add --task {needed}"
            raise ConfigError(what, fix=fix)
    return task


def _activity(options: argparse.Namespace, output: Any) -> tuple[Any, ...]:
    """Predict activity."""
    from ..prediction import predict_activity
    from .commands import _progress, _reading, load_any

    classifier = load_any(options.classifier or "activity-sim", options.weights)
    introduce(options, classifier)
    result = predict_activity(
        options.file,
        classifier,
        output,
        reading=_reading(options),
        options=activity_options(options),
        progress=_progress(options),
    )
    return (result,)


def _cell_types(options: argparse.Namespace, output: Any) -> tuple[Any, ...]:
    """Predict cell types."""
    from ..prediction import predict_cell_types
    from ..prediction.cell_types import check_classifier
    from .commands import _progress, _reading, load_any

    chosen = cell_type_options(options, options.threshold)
    classifier = load_any(options.classifier or "cell-type-sim", options.weights)
    check_classifier(classifier, chosen)
    introduce(options, classifier)
    result = predict_cell_types(
        options.file,
        classifier,
        output,
        reading=_reading(options),
        options=chosen,
        progress=_progress(options),
    )
    return (result,)


def _both(options: argparse.Namespace, output: Any) -> tuple[Any, ...]:
    """Predict cell types and activity, the latter by the former if that is asked for."""
    from ..prediction import BothOptions, predict_activity_and_cell_types, read_activity_by_cell_type
    from ..prediction.cell_types import check_classifier
    from .commands import _progress, _reading, load_any

    chosen = BothOptions(activity_options(options), cell_type_options(options, None))
    typing = load_any(options.cell_type_classifier or "cell-type-sim", options.cell_type_weights)
    _, types = check_classifier(typing, chosen.cell_types)
    if options.activity_by_cell_type is None:
        activity = load_any(options.classifier or "activity-sim", options.weights)
        shown = [typing, activity]
    else:
        activity = read_activity_by_cell_type(options.activity_by_cell_type)
        activity.check(types, chosen.activity)
        shown = [typing, *activity.classifiers]
    for classifier in shown:
        introduce(options, classifier)
    return predict_activity_and_cell_types(
        options.file,
        activity,
        typing,
        output,
        reading=_reading(options),
        options=chosen,
        progress=_progress(options),
    )


def introduce(options: argparse.Namespace, classifier: Any) -> None:
    """Say which classifier is used, where it runs, and what must be known of it first."""
    from .commands import _load_networks, _say

    card, device = classifier.card, _load_networks(options)
    first = ""
    if card.task == "cell_type":
        from ..cell_types.card_inputs import starting_point

        first = "".join(f"; {text}" for text in starting_point(card))
    _say(options, f"{card.name} {card.version} (sha256 {card.sha256[:12]}), on {device}{first}")
