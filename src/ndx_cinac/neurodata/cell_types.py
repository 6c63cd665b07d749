"""CellTypePredictions: predicted cell types of ROIs, with the meaning of each type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack, cast

import numpy as np
from hdmf.common import DynamicTable, MeaningsTable
from numpy.typing import ArrayLike
from pynwb import register_class

from ..errors import InvalidTypeError
from . import checks
from .constructors import TableArguments, TableNaming, columns_of, typed
from .namespace import NAMESPACE
from .tables import CheckedTable, Columns, scalar_columns

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class CellTypeMeaning:
    """What a cell type's name means."""

    meaning: str
    """The type in words."""
    synonyms: Sequence[str] = ()
    """Other names of it."""
    ontology_id: str = ""
    """Its term of the Cell Ontology, e.g. "CL:0000598"; empty where none is known."""


class CellTypePredictionColumns(TypedDict):
    """Columns of a CellTypePredictions, one entry for each ROI."""

    roi: ArrayLike
    """Row of the PlaneSegmentation."""
    cell_type: ArrayLike
    """The predicted type, one of `cell_types`."""
    probability: ArrayLike
    """Probability of each type, from 0 to 1, shape (n_rows, n_types), in the order of `cell_types`."""
    confidence: ArrayLike
    """Confidence in `cell_type`, from 0 to 1."""
    classifier: ArrayLike
    """Row of the ClassifierTable."""


@register_class("CellTypePredictions", NAMESPACE)
class CellTypePredictions(CheckedTable, DynamicTable):  # type: ignore[misc]
    """Predicted cell types, one ROI in each row; columns as in `CellTypePredictionColumns`.

    Attributes
    ----------
    cell_types : sequence of str
        Names of the types, in the order of the columns of `probability`.
    """

    __fields__ = ("cell_types",)
    __columns__ = columns_of("CellTypePredictions")

    @typed("CellTypePredictions", DynamicTable, {"cell_types": "array_data"})
    def __init__(self, *, cell_types: Sequence[str], **table: Unpack[TableArguments]) -> None:
        """Make a table, empty or of `columns`.

        Raises
        ------
        InvalidTypeError
            If `cell_types` names a type twice, or values contradict each other.
        """
        super().__init__(**table)
        self.cell_types = cell_types
        if not self._in_construct_mode and len(set(cell_types)) != len(cell_types):
            what = f"'cell_types' names a type twice: {', '.join(cell_types)}"
            raise InvalidTypeError(what, where=f"table '{self.name}'")
        self.check_new()

    def check_values(self, columns: Columns) -> None:
        """Check ROIs, types, probabilities, confidence and classifiers.

        Raises
        ------
        InvalidTypeError
            If an ROI or a classifier is not in its table, a classifier does not predict cell types, a type
            is not one of `cell_types`, or a probability or confidence is not within 0 to 1.
        """
        super().check_values(columns)
        where = f"table '{self.name}'"
        types = [str(name) for name in self.cell_types]
        checks.check_choices(columns.get("cell_type"), types, what="Column 'cell_type'", where=where)
        probability = checks.in_memory(columns.get("probability"))
        if probability is not None and probability.size and probability.shape[1:] != (len(types),):
            what = (
                f"Column 'probability' has shape {probability.shape}, but there are {len(types)} cell types"
            )
            raise InvalidTypeError(what, where=where, fix=f"Its columns are, in order: {', '.join(types)}")
        for name in ("probability", "confidence"):
            checks.check_probabilities(columns.get(name), what=f"Column '{name}'", where=where)
        classifier, classifiers = columns.get("classifier"), self.target("classifier")
        checks.check_rows(classifier, classifiers, what="Column 'classifier'", where=where)
        checks.check_task(classifier, classifiers, task="cell_type", where=where)

    @classmethod
    def from_arrays(
        cls,
        *,
        rois: Any,
        classifiers: Any,
        cell_types: Sequence[str],
        columns: CellTypePredictionColumns,
        meanings: Mapping[str, CellTypeMeaning] | None = None,
        **table: Unpack[TableNaming],
    ) -> Self:
        """Make a table of whole columns.

        Parameters
        ----------
        rois, classifiers : PlaneSegmentation, ClassifierTable
            The tables that columns `roi` and `classifier` point to.
        cell_types : sequence of str
            Names of the types, in the order of the columns of `probability`.
        columns : mapping
            As `CellTypePredictionColumns` says.
        meanings : mapping of str to CellTypeMeaning
            What each type means; types without one mean their name.
        **table
            See `TableNaming`.
        """
        targets = {"roi": rois, "classifier": classifiers}
        made = cls._from_columns(columns, targets, table, cell_types=list(cell_types))
        made.add_meanings(meanings or {})
        return made

    def add_meanings(self, meanings: Mapping[str, CellTypeMeaning]) -> MeaningsTable:
        """Say what each of `cell_types` means, in a MeaningsTable of the column `cell_type`.

        Its columns: `value`, `meaning`, `synonyms` (separated by "; ") and `cell_ontology_id`.
        """
        table = MeaningsTable(target=self["cell_type"], description="Meanings of the cell types.")
        table.add_column(name="synonyms", description="Other names of the type, separated by '; '.")
        table.add_column(
            name="cell_ontology_id", description="Term of the Cell Ontology; empty if not known."
        )
        for name in self.cell_types:
            known = meanings.get(str(name), CellTypeMeaning(meaning=str(name)))
            table.add_row(
                value=str(name),
                meaning=known.meaning,
                synonyms="; ".join(known.synonyms),
                cell_ontology_id=known.ontology_id,
            )
        self.add_meanings_table(table)
        return table

    def to_dataframe(self, **options: Any) -> pandas.DataFrame:
        """Predictions as a table joined with the ROIs' own columns.

        Columns: `roi` (row), `roi_id`, `cell_type`, `confidence`, "probability NAME" for each type,
        `classifier` (its name), then those columns of the ROI table that hold one value per ROI; one whose
        name is taken is called `roi_NAME`. Left out is what holds several values per ROI: masks, ragged
        columns and columns of vectors. With options of `DynamicTable.to_dataframe` (`exclude`, `index`) the
        plain table is returned instead.
        """
        if options:
            return cast("pandas.DataFrame", super().to_dataframe(**options))
        import pandas as pd

        rows, regions = np.asarray(self["roi"].data[:], np.int64), self["roi"].table
        names = self["classifier"].table["classifier_name"].data
        probability = np.asarray(self["probability"].data[:]).reshape(len(rows), len(self.cell_types))
        columns = {
            "roi": rows,
            "roi_id": np.asarray(regions.id[:])[rows],
            "cell_type": list(self["cell_type"].data[:]),
            "confidence": np.asarray(self["confidence"].data[:]),
            **{f"probability {name}": probability[:, k] for k, name in enumerate(self.cell_types)},
            "classifier": [names[int(row)] for row in self["classifier"].data[:]],
        }
        for name, values in scalar_columns(regions).items():
            free = name
            while free in columns:
                free = f"roi_{free}"
            columns[free] = [values[row] for row in rows] if isinstance(values, list) else values[rows]
        return pd.DataFrame(columns, index=pd.Index(np.asarray(self.id[:]), name="id"))
