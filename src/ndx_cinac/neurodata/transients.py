"""PredictedTransients: periods of predicted activity as an EventsTable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from numpy.typing import ArrayLike
from pynwb import register_class
from pynwb.event import EventsTable

from . import checks
from .constructors import TableArguments, TableNaming, columns_of, typed
from .namespace import NAMESPACE
from .tables import CheckedTable, Columns

if TYPE_CHECKING:
    import pandas


class TransientColumns(TypedDict):
    """Columns of a PredictedTransients, one entry for each period."""

    timestamp: ArrayLike
    """Time of the first frame, in seconds."""
    duration: ArrayLike
    """Duration to the end of the last frame, in seconds."""
    roi: ArrayLike
    """Row of the PlaneSegmentation."""
    first_frame: ArrayLike
    """First frame, from 0."""
    last_frame: ArrayLike
    """Last frame; it belongs to the period."""
    peak_probability: ArrayLike
    """Highest probability, from 0 to 1."""
    mean_probability: ArrayLike
    """Mean probability, from 0 to 1."""


@register_class("PredictedTransients", NAMESPACE)
class PredictedTransients(CheckedTable, EventsTable):  # type: ignore[misc]
    """Unbroken runs of frames whose probability is at or above the threshold, one in each row.

    Columns as in `TransientColumns`. All of it follows from an ActivityPredictions and its threshold.
    """

    __columns__ = columns_of("PredictedTransients")

    @typed("PredictedTransients", EventsTable)
    def __init__(self, **table: Unpack[TableArguments]) -> None:
        """Make a table, empty or of `columns`; `from_arrays` is easier."""
        super().__init__(**table)
        self.check_new()

    def check_values(self, columns: Columns) -> None:
        """Check ROIs, frames, durations and probabilities.

        Raises
        ------
        InvalidTypeError
            If an ROI is not in the table, a period ends before it begins, or a probability is not within
            0 to 1.
        """
        super().check_values(columns)
        where = f"table '{self.name}'"
        checks.check_order(columns.get("first_frame"), columns.get("last_frame"), what="frame", where=where)
        checks.check_not_negative(columns.get("duration"), what="Column 'duration'", where=where)
        for name in ("peak_probability", "mean_probability"):
            checks.check_probabilities(columns.get(name), what=f"Column '{name}'", where=where)

    def add_event(self, **row: Any) -> None:
        """Add a period after checking its values, given by column name."""
        self.add_row(**row)

    @classmethod
    def from_arrays(
        cls, *, rois: Any, columns: TransientColumns | pandas.DataFrame, **table: Unpack[TableNaming]
    ) -> Self:
        """Make a table of whole columns.

        Parameters
        ----------
        rois : PlaneSegmentation
            The table that column `roi` points to.
        columns : mapping or DataFrame
            As `TransientColumns` says; further columns of a DataFrame are left out.
        **table
            See `TableNaming`.
        """
        return cls._from_columns(columns, {"roi": rois}, table)  # type: ignore[arg-type]
