"""Classifiers that DeepCINAC trained: read from JSON and H5, converted to a card and a ``.keras`` file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..cell_types.categories import read_cell_types
from ..classifiers import Classifier, ModelCard, save_classifier
from ..classifiers.files import sha256_of
from ..deepcinac.patches import ACTIVITY_INPUTS, CELL_TYPE_INPUTS
from ..errors import ClassifierError
from .architecture import LAYERS_WITH_WEIGHTS, Architecture, read_architecture
from .weights import open_weights

ACTIVITY_CLASSES = {1: ("active",), 2: ("active", "fake transient"), 3: ("active", "fake transient", "other")}
"""Names of an activity classifier's outputs, by their number."""

DEFAULT_OVERLAP = 0.5

MOST_CLASSES = 1000
"""Outputs beyond which a network is no classifier of cells; one per frame of a window is far less."""

MASKS = (
    "The cell's pixels are those of its drawn outline (its convex hull). The first input shows the cell. The "
    "others show what DeepCINAC computed for them, not what it meant: its masks of overlapping cells and of "
    "neuropil are used as row numbers, so that these inputs are the whole patch but for its first two rows."
)


@dataclass
class LegacyClassifier(Classifier):
    """A classifier in DeepCINAC's own files; `folder` is its architecture JSON.

    Attributes
    ----------
    weights : Path
        Its H5 file.
    """

    weights: Path = Path()

    def network(self) -> Any:
        """Return the Keras model; built when first asked for, with nothing from its files run.

        Raises
        ------
        ClassifierError
            If a file cannot be read, is refused, or the two do not belong together.
        MissingExtraError
            If TensorFlow is not installed.
        """
        return _built(_version(self.folder), _version(self.weights))


def load_legacy(
    model_json: str | Path,
    weights_h5: str | Path,
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
) -> LegacyClassifier:
    """Read a classifier that DeepCINAC trained, with Keras 2.2 to 2.15.

    Parameters
    ----------
    model_json, weights_h5 : str or Path
        Its two files. Nothing in them is run: the Lambdas that DeepCINAC writes (its swish, and the mean over
        time steps of the single attention vector) are recognised by where they stand and replaced by layers
        of Keras.
    name : str, optional
        What the classifier is to be called; the weights' file name if not given.
    classes : sequence of str, optional
        Names of its outputs, in order; they are not in its files.

    Raises
    ------
    ClassifierError
        If a file is missing or damaged, holds any other Lambda or custom object, or is no classifier of
        DeepCINAC.
    """
    model_json, weights_h5 = Path(model_json), Path(weights_h5)
    architecture = read_architecture(model_json)
    with open_weights(weights_h5) as weights:
        weights.require([spec.name for spec in architecture.layers if spec.kind in LAYERS_WITH_WEIGHTS])
    card = _card(architecture, name or _name_from(weights_h5), classes, where=str(model_json))
    card = replace(card, sha256=_sha256(_version(weights_h5)))
    return LegacyClassifier(card, model_json, weights=weights_h5)


def convert(
    model_json: str | Path,
    weights_h5: str | Path,
    folder: str | Path,
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    cell_types: str | Path | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Write a classifier of DeepCINAC as a card and a ``.keras`` file that gives the same predictions.

    Parameters
    ----------
    model_json, weights_h5, name, classes
        As in `load_legacy`.
    folder : str or Path
        The classifier's folder, made here.
    cell_types : str or Path, optional
        The YAML file of a cell-type classifier's types: their names, keywords and meanings go on the card,
        and the file is not needed again.
    overwrite : bool
        Whether a classifier that is there already is replaced.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    ClassifierError
        As `load_legacy`, and if types of cells are named for a classifier of activity.
    ConfigError
        If the YAML file is refused, or names another number of types than the classifier has.
    OutputError
        If `folder` exists and is not to be replaced, or is no classifier.
    """
    classifier = load_legacy(model_json, weights_h5, name=name, classes=classes)
    card = (
        classifier.card if cell_types is None else _with_types(classifier.card, cell_types, str(model_json))
    )
    return save_classifier(classifier.network(), card, folder, overwrite=overwrite)


def _with_types(card: ModelCard, cell_types: str | Path, where: str) -> ModelCard:
    """Return a card that knows what its types are called."""
    if card.task != "cell_type":
        what = f"Classifier '{card.name}' predicts {card.task}: there are no cell types to name"
        raise ClassifierError(what, where=where, fix="Leave the file of cell types out")
    n_outputs = len(card.classes)
    types = read_cell_types(cell_types, 1 if n_outputs == 1 else 2).fit(n_outputs, card.name)
    return replace(card, classes=types.ordered[-n_outputs:], cell_types=types.to_dict())


@dataclass(frozen=True)
class _Version:
    """A file as it is now: what was made of it is used again as long as the file stays the same."""

    path: Path
    size: int
    modified: int


def _version(path: Path) -> _Version:
    try:
        state = path.stat()
    except OSError as error:
        what = f"The classifier's file cannot be read: {error.strerror}"
        raise ClassifierError(what, where=str(path)) from error
    return _Version(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _built(architecture: _Version, weights: _Version) -> Any:
    """Build a network, once for all predictions with the same files."""
    from .networks import build_network

    with open_weights(weights.path) as file:
        return build_network(read_architecture(architecture.path), file)


@lru_cache(maxsize=64)
def _sha256(weights: _Version) -> str:
    return sha256_of(weights.path)


def _card(architecture: Architecture, name: str, classes: Sequence[str] | None, *, where: str) -> ModelCard:
    """Write the card that a classifier of DeepCINAC never had."""
    shapes = set(architecture.inputs.values())
    n_inputs, (window, height, width, _) = len(architecture.inputs), next(iter(shapes))
    if len(shapes) != 1 or not 1 <= n_inputs <= len(ACTIVITY_INPUTS) or len(architecture.outputs) != 1:
        what = f"The network has inputs of {sorted(shapes)}; those of DeepCINAC are one to three of one shape"
        raise ClassifierError(what, where=where)
    activity = n_inputs == len(ACTIVITY_INPUTS)
    n_classes, per_frame = _outputs(architecture, activity=activity, where=where)
    usual = ACTIVITY_CLASSES if activity else {1: ("predicted type",)}
    names = tuple(classes or usual.get(n_classes) or (f"class {number}" for number in range(n_classes)))
    if len(names) != n_classes:
        what = f"The classifier has {n_classes} outputs, {len(names)} names are given"
        raise ClassifierError(what, where=where)
    definition = (
        "the cell is active: from the onset to the peak of a calcium transient"
        if activity
        else "the cell is of this type"
    )
    return ModelCard(
        name=name,
        version=f"Keras {architecture.keras_version}",
        task="activity" if activity else "cell_type",
        description="A classifier of DeepCINAC, read from its architecture (JSON) and weights (H5).",
        definition=definition,
        inputs={
            "kind": "legacy patches",
            "window": window,
            "height": height,
            "width": width,
            "inputs": list((ACTIVITY_INPUTS if activity else CELL_TYPE_INPUTS)[:n_inputs]),
            "rules": "legacy",
            "masks": MASKS,
            "normalization": "mean and standard deviation of the whole movie",
            "outputs": "frames" if per_frame else "windows",
            "overlap": DEFAULT_OVERLAP,
        },
        classes=names,
        training={"software": "DeepCINAC", "keras": architecture.keras_version},
        known_failures=(
            "What its overlapping and neuropil inputs should have shown it was never trained on.",
        ),
        licence="",
    )


def _outputs(architecture: Architecture, *, activity: bool, where: str) -> tuple[int, bool]:
    """Return the number of classes, and whether the network decides on every frame of a window."""
    layers = {spec.name: spec for spec in architecture.layers}
    last = layers.get(architecture.outputs[0])
    found = None if last is None else (last.inner[0] if last.inner else last).settings.get("units")
    if last is None or type(found) is not int or not 1 <= found <= MOST_CLASSES:
        what = f"The network's output '{architecture.outputs[0]}' is no layer with a number of units"
        raise ClassifierError(what, where=where, fix="Give the .json that DeepCINAC wrote when it trained")
    units = found
    spec, flat = last, False
    while not flat and len(spec.sources) == 1 and spec.sources[0] in layers:
        spec = layers[spec.sources[0]]
        flat = spec.kind == "Flatten"
    if activity and flat:
        return 1, True  # one output per frame of the window, side by side
    return units, not flat


def _name_from(path: Path) -> str:
    """Make a classifier's name of a file's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:100]
    return name or "legacy"
