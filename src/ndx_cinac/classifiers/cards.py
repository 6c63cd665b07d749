"""The model card: the contract between a classifier and whoever predicts with it."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, NoReturn

from ..cell_types.categories import cell_types_of
from ..errors import ClassifierError, ConfigError
from .card_fields import FIELDS, integer

Task = Literal["activity", "cell_type"]
CARD_FORMAT = 1
LARGEST_CARD = 1_000_000
"""Characters of JSON beyond which a card is refused."""

LONGEST_NUMBER = 20
"""Digits of a whole number; more would not be a number everywhere."""

SHOWN_FIGURES = (
    "balanced_accuracy",
    "average_precision",
    "event_f1",
    "event_recall",
    "event_precision",
    "accuracy",
    "calibration_error",
)
"""Of many figures, those that a description shows."""


@dataclass(frozen=True)
class ModelCard:
    """What a classifier is, what it must be given and what its output means; stored as ``card.json``.

    Attributes
    ----------
    name, version, description : str
        For people. `name` and `version` name the classifier in files.
    task : {"activity", "cell_type"}
        What it predicts.
    definition : str
        What a probability of 1 means.
    inputs : mapping
        What the network is given: ``kind`` ("traces" or "legacy patches") and that kind's settings.
    classes : tuple of str
        Names of the outputs, in order ("active" for a binary activity classifier).
    cell_types : mapping
        For a classifier of cell types: what its YAML categories hold (``config``, ``cell_type_categories``),
        from which names, keywords, meanings and Cell Ontology ids come; `CellTypeConfig.to_dict` makes it.
        Their names are `classes`, of one output the name of the predicted type. May be empty.
    threshold : float
        Probability at or above which a frame counts as active, or a cell is of a binary classifier's type.
    frame_rates : tuple of float or None
        Lowest and highest frame rate (Hz) it was trained on.
    pixel_sizes : tuple of float or None
        Smallest and largest pixel (micrometres) it was trained on.
    roi_diameters : tuple of float or None
        Smallest and largest ROI diameter (pixels) it was trained on.
    training : mapping
        Data, seed, time, settings.
    metrics : mapping
        Figures on data that it was not trained on, with how they were made.
    known_failures : tuple of str
        Where it is known to be wrong.
    versions : mapping of str to str
        Keras, TensorFlow and ndx-cinac when it was saved.
    licence : str
        SPDX identifier of the licence of the weights.
    sha256 : str
        SHA-256 of ``model.keras`` in lower-case hexadecimal digits; empty before the classifier is saved.
    card_format : int
        Version of this format.
    """

    name: str
    version: str
    task: Task
    description: str
    definition: str
    inputs: Mapping[str, Any]
    classes: tuple[str, ...] = ("active",)
    cell_types: Mapping[str, Any] = field(default_factory=dict)
    threshold: float = 0.5
    frame_rates: tuple[float, float] | None = None
    pixel_sizes: tuple[float, float] | None = None
    roi_diameters: tuple[float, float] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    known_failures: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    licence: str = "BSD-3-Clause"
    sha256: str = ""
    card_format: int = CARD_FORMAT

    def to_json(self) -> str:
        """Return the card as JSON text, keys in the order of the fields."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> ModelCard:
        """Read and check a card.

        Parameters
        ----------
        text : str
            What ``card.json`` holds.
        where : str
            The file, named in errors.

        Raises
        ------
        ClassifierError
            If the text is too long or no JSON object, the format is another one, or a field is unknown,
            missing, of the wrong type or out of its range.
        """
        values = _parse(text, where)
        _check_format(values, where)
        known = {f.name: f for f in fields(cls)}
        for name in values:
            if name not in known:
                _refuse(
                    f"The model card has an unknown field '{name}'", where, f"Known are {', '.join(known)}"
                )
        for name, f in known.items():
            if name not in values and f.default is MISSING and f.default_factory is MISSING:
                _refuse(f"The model card lacks the field '{name}'", where)
        for name, value in values.items():
            must_be = FIELDS[name](value)
            if must_be:
                shown = textwrap.shorten(json.dumps(value), 80, placeholder=" ...")
                _refuse(f"The model card's field '{name}' is {shown}, not {must_be}", where)
        _check_cell_types(values, where)
        tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **tuples})

    def check(self, *, where: str) -> None:
        """Check a card made in Python as `from_json` checks a file.

        Raises
        ------
        ClassifierError
            As `from_json`, and if a value cannot be stored as JSON.
        """
        try:
            text = self.to_json()
        except (TypeError, ValueError) as error:
            _refuse(f"The model card cannot be stored as JSON: {error}", where)
        self.from_json(text, where=where)

    def describe(self) -> str:
        """Return the card as text for people, about one screen of it."""
        rows: list[tuple[str, object]] = [
            ("task", self.task),
            ("classes", ", ".join(self.classes)),
            ("means", self.definition),
            ("threshold", f"{self.threshold:g}"),
            ("frame rates", _range_text(self.frame_rates, "Hz")),
            ("pixel sizes", _range_text(self.pixel_sizes, "micrometres")),
            ("ROI diameters", _range_text(self.roi_diameters, "pixels")),
            ("inputs", _listed(self.inputs)),
            ("training", _listed(self.training)),
            *(("metrics" if i == 0 else "", text) for i, text in enumerate(_figures(self.metrics))),
            *(("known failure", failure) for failure in self.known_failures),
            ("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
            ("licence", self.licence),
            ("sha256", self.sha256),
            ("further", "all settings and figures are in card.json"),
        ]
        lines = [f"{self.name} {self.version}", *textwrap.wrap(self.description, 100), ""]
        for label, value in rows:
            lines += textwrap.wrap(
                str(value) or "-",
                100,
                initial_indent=f"{label:15}",
                subsequent_indent=" " * 15,
                break_on_hyphens=False,
            )
        return "\n".join(lines)


def _refuse(what: str, where: str, fix: str | None = None) -> NoReturn:
    raise ClassifierError(what, where=where, fix=fix)


def _no_constant(name: str) -> NoReturn:
    what = f"{name} is not a number of JSON"
    raise ValueError(what)


def _finite(digits: str) -> float:
    """Return a number, unless it is too large to be one."""
    value = float(digits)
    return value if math.isfinite(value) else _no_constant(digits)


def _sensible(digits: str) -> int:
    """Return a whole number of no more than twenty digits."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else _no_constant(f"{digits[:LONGEST_NUMBER]}...")


def _parse(text: str, where: str) -> dict[str, Any]:
    """Return the JSON object that `text` holds."""
    if len(text) > LARGEST_CARD:
        _refuse(f"The model card has {len(text):,} characters, more than {LARGEST_CARD:,}", where)
    try:
        values = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_sensible)
    except (ValueError, RecursionError) as error:
        _refuse(f"The model card is not JSON: {error}", where)
    if not isinstance(values, dict):
        _refuse(f"The model card is a JSON {type(values).__name__}, not an object of fields", where)
    return values


def _check_format(values: Mapping[str, Any], where: str) -> None:
    """Refuse a card of another format before its fields are judged by this one."""
    number = values.get("card_format", CARD_FORMAT)
    if integer(number):
        _refuse(f"The model card's field 'card_format' is {number!r}, not {integer(number)}", where)
    if number > CARD_FORMAT:
        what = f"The model card has format {number}, this version of ndx-cinac reads format {CARD_FORMAT}"
        _refuse(what, where, "Update ndx-cinac")


def _check_cell_types(values: Mapping[str, Any], where: str) -> None:
    """Refuse cell types that are faulty or not those of the classes."""
    content, classes = values.get("cell_types"), tuple(values.get("classes", ()))
    if not content:
        return
    try:
        types = cell_types_of(content, f"{where}, field 'cell_types'", 1 if len(classes) == 1 else 2)
        types = types.fit(len(classes), str(values["name"]))
    except ConfigError as error:
        raise ClassifierError(error.what, where=error.where, fix=error.fix) from error
    named = types.ordered if types.n_outputs > 1 else types.ordered[1:]
    if named != classes:
        what = f"The model card names the types {', '.join(named)} and the classes {', '.join(classes)}"
        _refuse(what, where, "Name the same in both, in the same order")


def _range_text(limits: tuple[float, float] | None, unit: str) -> str:
    return "not stated" if limits is None else f"{limits[0]:g} to {limits[1]:g} {unit}"


def _listed(values: Mapping[str, Any]) -> str:
    """Name every plain value; what is nested is left to the JSON."""
    return "; ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in _own(values).items())


def _figures(values: Mapping[str, Any], of: str = "") -> list[str]:
    """One line for each mapping in `values`, outer ones first, with the figures that matter most."""
    own = _own(values)
    chosen = _listed({name: own[name] for name in SHOWN_FIGURES if name in own} or own)
    lines = [f"{of}: {chosen}" if of else chosen] if chosen else []
    reliability = _reliability(values.get("reliability"))
    lines += [f"{of} {reliability}".strip()] if reliability else []
    for name, part in values.items():
        if isinstance(part, Mapping):
            lines += _figures(part, f"{of} {name}".strip())
    return lines


def _reliability(rows: Any) -> str:
    """Predicted probabilities beside how often they were true; empty where a card does not say."""
    known = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list | tuple) else []
    pairs = [(row.get("predicted"), row.get("true")) for row in known]
    texts = [
        f"{p:.2f} {t:.2f}" for p, t in pairs if isinstance(p, int | float) and isinstance(t, int | float)
    ]
    return f"reliability: predicted, and true: {'; '.join(texts)}" if texts else ""


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that hold no further mappings."""
    return {
        name: value
        for name, value in values.items()
        if not isinstance(value, Mapping)
        and not (isinstance(value, list | tuple) and any(isinstance(part, Mapping) for part in value))
    }


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
