"""Which activity classifier predicts the cells of each type: read from YAML, checked, and put to work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..cell_types import CellTypeConfig, ChoiceRules
from ..cell_types.choice import choose, predominant_types
from ..cell_types.schema import check_kind, mapping
from ..classifiers import Classifier, list_classifiers, load_classifier
from ..errors import ConfigError, PredictionError
from ..progress import Progress
from ..recording import CinacRecording
from ..results import ActivityResult, CellTypeResult
from ..yaml_files import load_yaml
from .activity import engine_of, predict_with
from .options import PredictionOptions
from .resumption import Keeping
from .session import describe, left_out

KEYS = {"cell_type_to_classifier", "default_classifier", "unknown_cell_type_action"}
"""What the YAML file may hold: the parameters of `select_activity_classifier_on_cell_type_outputs`."""


@dataclass(frozen=True)
class ActivityByCellType:
    """An activity classifier for each cell type.

    Attributes
    ----------
    cell_type_to_classifier : mapping of str to Classifier
        The classifier of each type, by its name or a keyword.
    default_classifier : Classifier
        For cells without a predominant type, and for types without a classifier where `rules` say so.
    rules : ChoiceRules
        What becomes of cells whose type has no classifier; its threshold is not used: that of the prediction
        of the types is.
    source : str
        The file, for messages.
    """

    cell_type_to_classifier: Mapping[str, Classifier]
    default_classifier: Classifier
    rules: ChoiceRules = field(default_factory=ChoiceRules)
    source: str = ""

    @property
    def classifiers(self) -> list[Classifier]:
        """Every classifier once, the default one last."""
        given = [*self.cell_type_to_classifier.values(), self.default_classifier]
        return list({(each.card.name, each.card.sha256): each for each in given}.values())

    def number(self, classifier: Classifier) -> int:
        """Place of a classifier among `classifiers`."""
        keys = [(each.card.name, each.card.sha256) for each in self.classifiers]
        return keys.index((classifier.card.name, classifier.card.sha256))

    def check(self, types: CellTypeConfig, options: PredictionOptions) -> float:
        """Check everything that can be checked before cells have types; return the threshold of activity.

        Raises
        ------
        ClassifierError
            If a classifier does not predict activity, or asks for unknown inputs.
        ConfigError
            If a type is unknown or stands there twice, or thresholds differ and `options` name none.
        """
        for classifier in self.classifiers:
            engine_of(classifier, options)
        codes = [replace(types, source=self.source).require(name) for name in self.cell_type_to_classifier]
        for name, code in zip(self.cell_type_to_classifier, codes, strict=True):
            if codes.count(code) > 1:
                what = f"Cell type '{types.names[code]}' has several classifiers, one of them as '{name}'"
                raise ConfigError(what, where=self.source, fix="Give each type one")
        if options.threshold is not None:
            return float(options.threshold)
        found = {each.card.name: each.card.threshold for each in self.classifiers}
        if len(set(found.values())) > 1:
            shown = ", ".join(f"{value:g} ({name})" for name, value in found.items())
            what = f"The activity classifiers have different thresholds: {shown}"
            raise ConfigError(what, where=self.source, fix="Give one for all (--threshold)")
        return next(iter(found.values()))


def read_activity_by_cell_type(path: str | PathLike[str]) -> ActivityByCellType:
    """Read which activity classifier each cell type has, and load these classifiers' cards.

    Parameters
    ----------
    path : str or path
        A YAML file with ``cell_type_to_classifier`` (name or keyword of each type: a classifier),
        ``default_classifier``, and an optional ``unknown_cell_type_action`` ("ignore", "default" or
        "exception"). A classifier is the name of a bundled one, a folder, or ``{model: M.json, weights:
        W.h5}`` with files of DeepCINAC; paths are relative to the file's folder.

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is unknown, missing or of the wrong type.
    ClassifierError
        If a classifier cannot be found or is damaged.
    """
    where, folder = str(path), Path(path).parent
    content = mapping(load_yaml(path, "The classifiers of cell types"), "the file", where, KEYS)
    for key in ("cell_type_to_classifier", "default_classifier"):
        if not content.get(key):
            what = f"'{key}' is missing"
            raise ConfigError(what, where=where, fix="Name the classifier of each type, and a default one")
    named = mapping(content["cell_type_to_classifier"], "cell_type_to_classifier", where)
    action = content.get("unknown_cell_type_action", "ignore")
    try:
        rules = ChoiceRules(action)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, fix=error.fix) from error
    return ActivityByCellType(
        {
            name: _classifier(value, f"cell_type_to_classifier/{name}", folder, where)
            for name, value in named.items()
        },
        _classifier(content["default_classifier"], "default_classifier", folder, where),
        rules,
        where,
    )


def _classifier(value: object, key: str, folder: Path, where: str) -> Classifier:
    """Load one classifier of the file."""
    check_kind(key, value, (str, dict), where)
    if isinstance(value, str):
        if value in {card.name for card in list_classifiers()}:
            return load_classifier(value)
        return load_classifier(folder / Path(value).expanduser())
    from ..legacy import load_legacy

    entry = mapping(value, key, where, {"model", "weights", "name"})
    for part in ("model", "weights"):
        check_kind(f"{key}/{part}", entry.get(part), (str,), where)
    model, weights = (folder / Path(entry[part]).expanduser() for part in ("model", "weights"))
    return load_legacy(model, weights, name=entry.get("name"))


def predict_by_cell_type(
    recording: CinacRecording,
    chosen: ActivityByCellType,
    types: tuple[CellTypeResult, CellTypeConfig],
    options: PredictionOptions,
    progress: Progress,
    keeping: Keeping | None = None,
) -> ActivityResult:
    """Predict the activity of each cell with the classifier of its type.

    Parameters
    ----------
    recording : CinacRecording
        The recording whose types were predicted; all its ROIs count as neighbours of each other.
    chosen : ActivityByCellType
        The classifiers.
    types : (CellTypeResult, CellTypeConfig)
        The predicted types, and what they are called.
    options, progress
        As in `predict_activity`.
    keeping : Keeping, optional
        Where finished work is kept.

    Raises
    ------
    ConfigError
        If a cell's type has no classifier and the rules forbid that.
    PredictionError
        If no cell's type has a classifier.
    """
    threshold = chosen.check(types[1], options)
    cells = _choose(chosen, *types)
    rows = types[0].roi_rows
    if not cells:
        what = "No cell is of a type that has an activity classifier"
        fix = "Give those types one, or say 'unknown_cell_type_action: default'"
        raise PredictionError(what, where=chosen.source or recording.identifier, fix=fix)
    used = replace(options, threshold=threshold)
    parts = []
    for number, members in cells.items():
        classifier = chosen.classifiers[number]
        part = _only(recording, rows[members])
        kept = None if keeping is None else replace(keeping, name=f"{keeping.name}-{number}")
        parts.append(predict_with(part, classifier, engine_of(classifier), used, progress, kept))
    return _merge(recording, chosen, parts, types[0])


def _choose(chosen: ActivityByCellType, result: CellTypeResult, types: CellTypeConfig) -> Mapping[int, Any]:
    """Return the cells of each classifier, by its number."""
    codes: list[int | None] = list(result.codes.tolist())  # of one output: a threshold decided
    if types.n_outputs > 1:
        codes = predominant_types(result.probabilities, types, threshold=0.5)
    by_code = {types.require(name): chosen.number(c) for name, c in chosen.cell_type_to_classifier.items()}
    return choose(codes, types, by_code, chosen.number(chosen.default_classifier), chosen.rules)


def _only(recording: CinacRecording, rows: Any) -> CinacRecording:
    """Return the recording with nothing but these rows to predict; the others still count as neighbours."""
    rois = recording.require_rois()
    others = {int(row): "another classifier predicts it" for row in np.setdiff1d(rois.usable, rows)}
    return replace(recording, rois=replace(rois, unselected=others))


def _merge(
    recording: CinacRecording,
    chosen: ActivityByCellType,
    parts: Sequence[ActivityResult],
    types: CellTypeResult,
) -> ActivityResult:
    """Put what several classifiers predicted into one result, columns in the order of their rows."""
    rows = np.concatenate([part.roi_rows for part in parts])
    order = np.argsort(rows, kind="stable")
    index = np.repeat(np.arange(len(parts)), [len(part.roi_rows) for part in parts])
    infos = [part.classifiers[0] for part in parts]
    said = {info.name: part.definition for info, part in zip(infos, parts, strict=True)}
    same = len(set(said.values())) == 1
    skipped = left_out(recording)
    predicted = dict(zip(types.roi_rows.tolist(), types.labels, strict=True))
    for row in set(predicted) - set(rows.tolist()):
        skipped[row] = f"its type, {predicted[row]}, has no activity classifier"
    described = describe(recording, parts[0].times)
    return replace(
        parts[0],
        probabilities=np.concatenate([part.probabilities for part in parts], axis=1)[:, order],
        roi_rows=rows[order],
        roi_ids=recording.require_rois().ids[rows[order]],
        classifiers=tuple(infos),
        classifier_index=index[order].astype(np.int64),
        definition=parts[0].definition if same else "; ".join(f"{n}: {d}" for n, d in said.items()),
        skipped=dict(sorted(skipped.items())),
        parameters={
            **described,
            "activity_by_cell_type": {
                "cell_type_to_classifier": {
                    n: c.card.name for n, c in chosen.cell_type_to_classifier.items()
                },
                "default_classifier": chosen.default_classifier.card.name,
                "unknown_cell_type_action": chosen.rules.unknown_cell_type_action,
                "rois": {info.name: len(p.roi_rows) for info, p in zip(infos, parts, strict=True)},
            },
            "by_classifier": {
                info.name: {key: value for key, value in part.parameters.items() if key not in described}
                for info, part in zip(infos, parts, strict=True)
            },
        },
        device=", ".join(dict.fromkeys(part.device for part in parts)),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        seconds=sum(part.seconds for part in parts),
    )
