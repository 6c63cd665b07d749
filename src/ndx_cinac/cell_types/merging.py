"""Several predictions of the same cells' types made one, with a line for whatever changed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..results import CellTypeResult, ClassifierInfo
from .fusion import find_deciders, taken_from_second


@dataclass(frozen=True)
class FusionOptions:
    """How predictions are fused; types are given by name.

    Without `trusted`, each further prediction replaces the ones before it for every cell that it knows, as
    `fusion_cell_type_predictions` does. With it, the first prediction is the default one, and others decide
    on the types that they are trusted for, as `fusion_cell_type_predictions_by_type` does.

    Attributes
    ----------
    trusted : mapping of str to str
        Cell type, and the name of the prediction that is trusted for it.
    skipped_in_conflict : str or None
        With `trusted`: where two claim a cell and one of them does so for this type, the other one has it.
    kept : tuple of str
        Without `trusted`: cells of these types stay as they are.
    exchanged : tuple of (str, str)
        Without `trusted`: pairs of types that are exchanged in each further prediction. The second of a pair
        may be a new type, which takes the first one's probability.
    """

    trusted: Mapping[str, str] = field(default_factory=dict)
    skipped_in_conflict: str | None = None
    kept: tuple[str, ...] = ()
    exchanged: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.trusted and (self.kept or self.exchanged):
            what = (
                "Types are kept or exchanged where predictions replace each other, not where they are trusted"
            )
            raise ConfigError(what, fix="Leave out 'trusted', or 'kept' and 'exchanged'")
        if self.skipped_in_conflict is not None and not self.trusted:
            what = f"There is no conflict that '{self.skipped_in_conflict}' could be skipped in"
            raise ConfigError(what, fix="Say which prediction is trusted for which type")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return {
            "trusted": dict(self.trusted),
            "skipped_in_conflict": self.skipped_in_conflict,
            "kept": list(self.kept),
            "exchanged": [list(pair) for pair in self.exchanged],
        }


def fuse_cell_types(
    predictions: Mapping[str, CellTypeResult], options: FusionOptions | None = None
) -> tuple[CellTypeResult, list[str]]:
    """Fuse predictions of the same cells.

    Parameters
    ----------
    predictions : mapping of str to CellTypeResult
        Two or more, by a name for each; the first one is the default, or is replaced first.
    options : FusionOptions, optional
        By default each replaces the ones before it.

    Returns
    -------
    CellTypeResult
        Each cell has the probabilities, type, confidence and classifier of one of the predictions.
    list of str
        What changed against the first prediction, and why: a line for each cell and for the counts. It is
        also in the result's `parameters`.

    Raises
    ------
    ConfigError
        If there are fewer than two predictions, they are of different recordings, or a type or prediction is
        unknown.
    """
    options = options or FusionOptions()
    if len(predictions) < 2:
        what = f"{len(predictions)} predictions cannot be fused"
        raise ConfigError(what, fix="Give at least two")
    check_same_cells(predictions)
    aligned = _Aligned(predictions, options)
    origin, log = aligned.by_type() if options.trusted else aligned.one_after_the_other()
    return _fused(aligned, origin, log, options)


def check_same_cells(predictions: Mapping[str, CellTypeResult]) -> None:
    """Refuse predictions of different ROI tables.

    Raises
    ------
    ConfigError
        If a row has different ROI ids, or the tables that were predicted are different ones.
    """
    (first_name, first), *others = predictions.items()
    known = dict(zip(first.roi_rows.tolist(), first.roi_ids.tolist(), strict=True))
    for name, other in others:
        rows = zip(other.roi_rows.tolist(), other.roi_ids.tolist(), strict=True)
        odd = [row for row, identifier in rows if known.get(row, identifier) != identifier]
        tables = {each.source.segmentation_id for each in (first, other) if each.source is not None} - {""}
        if odd or len(tables) > 1:
            what = f"Predictions '{first_name}' and '{name}' are of different ROI tables"
            where = f"row {odd[0]}" if odd else None
            raise ConfigError(what, where=where, fix="Fuse predictions of the same ROIs")


class _Aligned:
    """Predictions on the same rows and types; who says nothing of a cell has zeros there."""

    def __init__(self, predictions: Mapping[str, CellTypeResult], options: FusionOptions) -> None:
        self.predictions, self.options = predictions, options
        self.names = list(predictions)
        results = list(predictions.values())
        self.rows = np.unique(np.concatenate([each.roi_rows for each in results]))
        known = list(dict.fromkeys(name for each in results for name in each.cell_types))
        new = [second for _, second in options.exchanged if second not in known]
        self.types = (*known, *dict.fromkeys(new))
        for name in (*options.trusted, *options.kept, *(pair[0] for pair in options.exchanged)):
            self.code(name)
        self.skipped = None if options.skipped_in_conflict is None else self.code(options.skipped_in_conflict)
        n_cells, n_types = len(self.rows), len(self.types)
        self.tables = [np.zeros((n_cells, n_types), np.float32) for _ in results]
        self.codes = [np.full(n_cells, -1, np.int64) for _ in results]
        self.confidence = [np.zeros(n_cells, np.float32) for _ in results]
        for number, each in enumerate(results):
            places = np.searchsorted(self.rows, each.roi_rows)
            columns = np.array([self.code(name) for name in each.cell_types], dtype=np.int64)
            if number > 0:
                columns = self._exchange(columns)
            self.tables[number][places[:, None], columns] = each.probabilities
            self.codes[number][places] = columns[each.codes]
            self.confidence[number][places] = each.confidence

    def code(self, name: str) -> int:
        """Return the number of a type."""
        if name not in self.types:
            what = f"No prediction knows the cell type '{name}'"
            raise ConfigError(what, fix=f"Known are: {', '.join(self.types)}")
        return self.types.index(name)

    def _exchange(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Exchange pairs of types, one pair after the other."""
        for pair in self.options.exchanged:
            first, second = (self.code(name) for name in pair)
            columns = np.where(columns == first, second, np.where(columns == second, first, columns))
        return columns

    def label(self, number: int, cell: int) -> str:
        """Type of a cell in a prediction, with its confidence."""
        code = self.codes[number][cell]
        return "not predicted" if code < 0 else f"{self.types[code]} ({self.confidence[number][cell]:.2f})"

    def roi(self, cell: int) -> str:
        """How a line of the log calls a cell."""
        return f"ROI row {self.rows[cell]}"

    def one_after_the_other(self) -> tuple[NDArray[np.int64], list[str]]:
        """Let each prediction replace those before it; return which one each cell has, and the log."""
        origin, log = np.zeros(len(self.rows), np.int64), []
        kept = [self.code(name) for name in self.options.kept]
        for number in range(1, len(self.names)):
            current = self.of(self.tables, origin)
            taken = taken_from_second(current, self.tables[number], kept)
            differs = self.of(self.codes, origin) != self.codes[number]
            for cell in np.flatnonzero(differs & (self.codes[number] >= 0)).tolist():
                before, after = self.label(int(origin[cell]), cell), self.label(number, cell)
                log.append(
                    f"{self.roi(cell)}: {before} -> {after}: '{self.names[number]}' replaces "
                    f"'{self.names[origin[cell]]}'"
                    if taken[cell]
                    else f"{self.roi(cell)}: stays {before}, a type that is kept; "
                    f"'{self.names[number]}' says {after}"
                )
            same = int((taken & ~differs).sum())
            if same:
                log.append(
                    f"{same} ROIs keep their type and take the probabilities of '{self.names[number]}'"
                )
            origin[taken] = number
        return origin, log

    def by_type(self) -> tuple[NDArray[np.int64], list[str]]:
        """Let predictions decide on the types that they are trusted for; return origins and the log."""
        places = {self.code(name): self._place(given) for name, given in self.options.trusted.items()}
        tables = {code: self.tables[number] for code, number in places.items()}
        deciders, conflicts = find_deciders(tables, len(self.rows), self.skipped)
        origin, log = np.zeros(len(self.rows), np.int64), []
        for cell, code in enumerate(deciders):
            claims = [
                f"{self.types[each]} by '{self.names[places[each]]}'" for each in conflicts.get(cell, ())
            ]
            why = f"'{self.names[0]}' is the default"
            if code is not None:
                origin[cell] = places[code]
                why = f"'{self.names[places[code]]}' is trusted for {self.types[code]}"
            before, after = self.label(0, cell), self.label(int(origin[cell]), cell)
            if claims:
                log.append(f"{self.roi(cell)}: {before} -> {after}: claimed as {' and '.join(claims)}; {why}")
            elif self.codes[0][cell] != self.codes[origin[cell]][cell]:
                log.append(f"{self.roi(cell)}: {before} -> {after}: {why}")
        return origin, log

    def _place(self, name: str) -> int:
        if name not in self.names:
            what = f"There is no prediction '{name}' to be trusted"
            raise ConfigError(what, fix=f"Given are: {', '.join(self.names)}")
        return self.names.index(name)

    def of(self, values: Sequence[NDArray[Any]], origin: NDArray[np.int64]) -> NDArray[Any]:
        """Take each cell's values from the prediction that it has."""
        return np.stack(values)[origin, np.arange(len(origin))]


def _fused(
    aligned: _Aligned, origin: NDArray[np.int64], log: list[str], options: FusionOptions
) -> tuple[CellTypeResult, list[str]]:
    """Put the fused predictions together."""
    results = list(aligned.predictions.values())
    codes = aligned.of(aligned.codes, origin)
    known = codes >= 0  # a cell that the default lacks and nobody claims stays out
    rows = aligned.rows[known]
    places = [{int(row): place for place, row in enumerate(each.roi_rows)} for each in results]
    ids = {int(row): int(i) for each in results for row, i in zip(each.roi_rows, each.roi_ids, strict=True)}
    infos: list[ClassifierInfo] = []
    index = []
    for row, number in zip(rows, origin[known], strict=True):
        info = results[number].classifiers[results[number].classifier_index[places[number][int(row)]]]
        infos += [] if info in infos else [info]
        index.append(infos.index(info))
    changed = int((codes != aligned.codes[0])[known].sum())
    log = [*log, _counts("before", aligned, aligned.codes[0]), _counts("after", aligned, codes)]
    note = (
        f"Fused from {', '.join(aligned.names)}: {changed} of {len(rows)} ROIs have another type than in "
        f"'{aligned.names[0]}'"
    )
    meanings = {name: value for each in reversed(results) for name, value in each.meanings.items()}
    made = {
        "predictions": {
            name: [info.name for info in each.classifiers] for name, each in aligned.predictions.items()
        },
        **options.to_dict(),
        "log": log,
    }
    fused = replace(
        results[0],
        probabilities=aligned.of(aligned.tables, origin)[known],
        cell_types=aligned.types,
        codes=codes[known],
        confidence=aligned.of(aligned.confidence, origin)[known],
        roi_rows=rows,
        roi_ids=np.array([ids[int(row)] for row in rows], dtype=np.int64),
        classifiers=tuple(infos),
        classifier_index=np.array(index, dtype=np.int64),
        meanings={name: meanings[name] for name in aligned.types if name in meanings},
        skipped={row: why for row, why in results[0].skipped.items() if row not in rows},
        parameters={"fusion": made, "fused": {n: dict(r.parameters) for n, r in aligned.predictions.items()}},
        notes=tuple(dict.fromkeys([note, *(each for result in results for each in result.notes)])),
        output=None,
        seconds=float("nan"),
    )
    return fused, log


def _counts(when: str, aligned: _Aligned, codes: NDArray[np.int64]) -> str:
    numbers = np.bincount(codes[codes >= 0], minlength=len(aligned.types))
    shown = ", ".join(f"{n} {name}" for name, n in zip(aligned.types, numbers, strict=True))
    return f"{when} fusion: {shown}"
