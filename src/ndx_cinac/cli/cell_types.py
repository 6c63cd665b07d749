"""`ndx-cinac cell-types`: YAML files that name cell types, checked and shown."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from .arguments import verb

CHECK = "  ndx-cinac cell-types check types.yaml --classifier my-classifier"
SHOW = "  ndx-cinac cell-types show\n  ndx-cinac cell-types show --yaml > types.yaml   (to start from)"


def add_cell_types(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser to `verbs`."""
    summary = "check or show a YAML file that names cell types, as classifiers of DeepCINAC need it"
    parser = verb(verbs, common, "cell-types", summary, f"{SHOW}\n{CHECK}")
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    checking = actions.add_parser(
        "check",
        help="say whether a file can be used, and with which classifiers",
        parents=[common],
        epilog=f"example: {CHECK.strip()}",
    )
    checking.set_defaults(run="cell_types:check")
    checking.add_argument("file", metavar="FILE", help="a YAML file of cell types")
    checking.add_argument("--classifier", help="a classifier that the file is meant for")
    checking.add_argument("--weights", metavar="WEIGHTS.h5", help="weights of DeepCINAC's classifier")
    showing = actions.add_parser(
        "show",
        help="show the types of a file: names, keywords, meanings, Cell Ontology ids",
        parents=[common],
        epilog="example: ndx-cinac cell-types show --yaml > types.yaml",
    )
    showing.set_defaults(run="cell_types:show")
    showing.add_argument("file", metavar="FILE", nargs="?", help="a YAML file (the one that comes along)")
    kind = showing.add_mutually_exclusive_group()
    kind.add_argument("--yaml", action="store_true", help="print the file as it is")
    kind.add_argument("--json", action="store_true", help="print the types as JSON")


def check(options: argparse.Namespace) -> None:
    """Check a file of cell types, and whether it fits a classifier."""
    from ..cell_types import read_cell_types
    from ..prediction import CellTypeOptions
    from ..prediction.cell_types import check_classifier
    from .commands import _say, load_any

    types = read_cell_types(options.file)
    if options.classifier is not None or options.weights is not None:
        classifier = load_any(options.classifier or "cell-type-sim", options.weights)
        _, types = check_classifier(classifier, CellTypeOptions(cell_types=options.file))
        _say(
            options,
            f"fits '{classifier.card.name}' and its number of outputs, {len(classifier.card.classes)}",
        )
    _say(options, _table(types))
    wanted = {1: "one output"}.get(types.n_outputs, f"{types.n_outputs} outputs")
    _say(options, f"\n{options.file} can be used: {len(types.names)} types, for a classifier with {wanted}")


def show(options: argparse.Namespace) -> None:
    """Show the types of a file."""
    from pathlib import Path

    from ..cell_types import default_cell_types, read_cell_types

    path = Path(options.file) if options.file is not None else default_cell_types()
    types = read_cell_types(path)
    if options.yaml:
        print(path.read_text(encoding="utf-8"), end="")
    elif options.json:
        print(json.dumps(types.to_dict(), indent=2))
    else:
        print(_table(types))


def _table(types: Any) -> str:
    """Return the types as lines for people."""
    lines = []
    for code, name in enumerate(types.ordered):
        known = types.meanings[name]
        said = [f"means {known.meaning}"] if known.meaning != name else []
        said += [f"also called {', '.join(known.synonyms)}"] if known.synonyms else []
        said += [f"Cell Ontology {known.ontology_id}"] if known.ontology_id else []
        if types.n_outputs == 1 and code == 1:
            said.insert(0, "the type that a binary classifier predicts")
        start = f"{code}  {name:15} "
        lines += textwrap.wrap("; ".join(said) or "-", 105, initial_indent=start, subsequent_indent=" " * 19)
    return "\n".join(lines)
