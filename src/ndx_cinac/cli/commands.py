"""What each verb of the command line does: thin, one function per verb, all work is done by the library."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from ..errors import MissingExtraError, ReadingError
from ..quiet_loading import load_networks, native_messages_aside
from ..writing import OutputOptions, check_output
from .printing import printable


def demo(options: Namespace) -> None:
    """Simulate, predict, score and draw in one folder."""
    from .demo import require_packages, run_demo

    with native_messages_aside(show=options.verbose or options.debug):
        require_packages()
    _load_networks(options)
    run_demo(
        options.folder,
        seed=options.seed,
        overwrite=options.overwrite,
        say=lambda text: _say(options, text),
        progress=_progress(options),
    )


def simulate(options: Namespace) -> None:
    """Make an NWB file with a simulated recording and its truth."""
    from ..simulation import load_config, simulate_field
    from ..simulation.nwb import write_nwb
    from ..writing.output import written_whole

    path = check_output(OutputOptions(path=options.output, overwrite=options.overwrite), None)
    config = load_config(options.config or options.preset)
    field = simulate_field(config, options.seed)
    with written_whole(path) as partial:
        write_nwb(field, partial)
    frames, rois = field.active.shape
    _say(options, f"simulated {frames} frames of {rois} ROIs (seed {options.seed}): {path}")


def inspect(options: Namespace) -> None:
    """Show what a file holds and how it would be predicted."""
    from ..inspection import inspect_file

    reading = _reading(options)
    asked = (reading.movie, reading.segmentation, reading.axes, options.classifier)
    report = inspect_file(options.file, *asked, rois=reading.rois)
    print(json.dumps(report.to_dict(), indent=2) if options.json else printable(report.to_text()))
    if report.problem is not None:
        raise ReadingError(report.problem)


def classifiers_list(options: Namespace) -> None:
    """List the classifiers that come along."""
    from ..classifiers import list_classifiers

    cards = list_classifiers()
    if options.json:
        print(json.dumps([asdict(card) for card in cards], indent=2))
        return
    for card in cards:
        print(f"{card.name:20} {card.version:8} {card.task:10} {card.description}")


def classifiers_show(options: Namespace) -> None:
    """Show a classifier's card."""
    from ..classifiers import load_classifier

    card = load_classifier(options.classifier).card
    print(card.to_json() if options.json else card.describe())


def classifiers_convert(options: Namespace) -> None:
    """Make a classifier of DeepCINAC's files."""
    from ..legacy import convert as convert_classifier

    _load_networks(options)
    card = convert_classifier(
        options.model,
        options.weights,
        options.output,
        name=options.name,
        classes=options.classes,
        cell_types=options.cell_type_yaml,
        overwrite=options.overwrite,
    )
    _say(options, card.describe())
    task = " --task cell-type" if card.task == "cell_type" else ""
    _say(options, f"next: ndx-cinac predict FILE{task} --classifier {options.output}")


def convert(options: Namespace) -> None:
    """Convert a .cinac file to NWB; what could not be kept is logged."""
    from ..cinac_files import ConversionOptions, convert_cinac

    assumed = ConversionOptions(
        options.frame_rate, options.session_start, options.annotator, options.overwrite
    )
    _say(options, f"wrote {convert_cinac(options.file, options.output, assumed)}")


def info(options: Namespace) -> None:
    """Print versions, devices and extras."""
    from .environment import describe_environment, environment_text

    print(json.dumps(describe_environment(), indent=2) if options.json else environment_text())


def load_any(classifier: str, weights: str | None) -> Any:
    """Load a classifier: one of ndx-cinac, or DeepCINAC's two files."""
    if weights is None:
        from ..classifiers import load_classifier

        return load_classifier(classifier)
    from ..legacy import load_legacy

    return load_legacy(classifier, weights)


def _reading(options: Namespace) -> Any:
    """Return what the options say about which movie and which ROIs are read."""
    from ..reading import ReadingOptions, RoiSelection

    rows = None if options.rois is None else tuple(options.rois)
    selection = (
        None
        if rows is None and options.roi_column is None
        else RoiSelection(rows=rows, column=options.roi_column)
    )
    return ReadingOptions(options.movie, options.segmentation, options.axes, selection)


def _progress(options: Namespace) -> Any:
    """Return bars on a terminal; they draw nothing elsewhere, nor when told to be quiet."""
    from ..progress import ProgressBars, silent

    if options.quiet:
        return silent
    try:
        return ProgressBars()
    except MissingExtraError:  # figures can be drawn without tqdm
        return silent


def _load_networks(options: Namespace) -> str:
    """Load TensorFlow and return the device; what its C++ code says is shown on request or failure."""
    return load_networks(show=options.verbose or options.debug)


def _say(options: Namespace, text: str) -> None:
    """Print for people: not when told to be quiet, nor among JSON."""
    if text and not options.quiet and not getattr(options, "json", False):
        print(text, flush=True)
