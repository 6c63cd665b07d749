"""ClassifierTable: which classifiers made the predictions of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self, Unpack

from hdmf.common import DynamicTable
from pynwb import register_class

from ..errors import InvalidTypeError
from . import checks
from .constructors import TableArguments, TableNaming, columns_of, typed
from .namespace import NAMESPACE
from .tables import CheckedTable, Columns

TASKS = ("activity", "cell_type")
_SHA256 = re.compile("[0-9a-f]{64}")


@register_class("ClassifierTable", NAMESPACE)
class ClassifierTable(CheckedTable, DynamicTable):  # type: ignore[misc]
    """The classifiers used, one in each row.

    Columns: `classifier_name`, `task` ("activity" or "cell_type"), `version`, `sha256` of the weights,
    `classifier_description` and `model_card` (a JSON object). Predictions point to its rows.
    """

    __columns__ = columns_of("ClassifierTable")

    @typed("ClassifierTable", DynamicTable)
    def __init__(self, **table: Unpack[TableArguments]) -> None:
        """Make a table, empty or of `columns`; `from_arrays` is easier."""
        super().__init__(**table)
        self.check_new()

    def check_values(self, columns: Columns) -> None:
        """Check tasks, hashes and model cards.

        Raises
        ------
        InvalidTypeError
            If a task is unknown, a hash is not 64 lower-case hexadecimal digits, or a card is no JSON object.
        """
        where = f"table '{self.name}'"
        checks.check_choices(columns.get("task"), TASKS, what="Column 'task'", where=where)
        for row, sha256 in enumerate(_texts(columns.get("sha256"))):
            if not _SHA256.fullmatch(sha256):
                what = f"Column 'sha256' is '{sha256}' in row {row}: not 64 lower-case hexadecimal digits"
                raise InvalidTypeError(what, where=where)
        for row, card in enumerate(_texts(columns.get("model_card"))):
            checks.check_json_object(card, what=f"Column 'model_card' in row {row}", where=where)

    def add_classifier(
        self, *, name: str, task: str, version: str, sha256: str, description: str, model_card: str = "{}"
    ) -> int:
        """Add a classifier and return its row; one that is there, by name and `sha256`, is not added again.

        Parameters
        ----------
        name, version : str
            Name and version of the classifier.
        task : {"activity", "cell_type"}
            What it predicts.
        sha256 : str
            SHA-256 of the file with its weights: 64 lower-case hexadecimal digits.
        description : str
            What it is and what it was trained on.
        model_card : str
            The whole card as a JSON object.
        """
        known = list(
            zip(_texts(self["classifier_name"].data[:]), _texts(self["sha256"].data[:]), strict=True)
        )
        if (name, sha256) in known:
            return known.index((name, sha256))
        self.add_row(
            classifier_name=name,
            task=task,
            version=version,
            sha256=sha256,
            classifier_description=description,
            model_card=model_card,
        )
        return len(known)

    @classmethod
    def from_arrays(
        cls,
        *,
        names: Sequence[str],
        tasks: Sequence[str],
        versions: Sequence[str],
        sha256: Sequence[str],
        descriptions: Sequence[str],
        model_cards: Sequence[str] | None = None,
        **table: Unpack[TableNaming],
    ) -> Self:
        """Make a table of whole columns, one entry for each classifier; see `add_classifier`."""
        columns = {
            "classifier_name": names,
            "task": tasks,
            "version": versions,
            "sha256": sha256,
            "classifier_description": descriptions,
            "model_card": ["{}"] * len(names) if model_cards is None else model_cards,
        }
        return cls._from_columns(columns, {}, table)


def _texts(values: Any) -> list[str]:
    array = checks.in_memory(values)
    return [] if array is None else [str(value) for value in array]
