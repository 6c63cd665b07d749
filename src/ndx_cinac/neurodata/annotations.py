"""Ground truth: ActivityAnnotations, AnnotatedSegments and CellTypeAnnotations."""

from __future__ import annotations

from typing import Any, NotRequired, Self, TypedDict, Unpack

from hdmf.common import DynamicTable
from numpy.typing import ArrayLike
from pynwb import register_class
from pynwb.epoch import TimeIntervals
from pynwb.event import EventsTable

from . import checks
from .constructors import TableArguments, TableNaming, columns_of, typed
from .namespace import NAMESPACE
from .tables import CheckedTable, Columns

STATES = ("active", "doubtful")
"""What a period of an ActivityAnnotations can be."""


class AnnotationColumns(TypedDict):
    """Columns of an ActivityAnnotations, one entry for each period."""

    timestamp: ArrayLike
    """Time of the first frame, in seconds."""
    duration: ArrayLike
    """Duration to the end of the last frame, in seconds."""
    roi: ArrayLike
    """Row of the PlaneSegmentation."""
    state: ArrayLike
    """"active" or "doubtful"."""
    annotator: ArrayLike
    """Who said so."""
    first_frame: NotRequired[ArrayLike]
    """First frame, from 0."""
    last_frame: NotRequired[ArrayLike]
    """Last frame; it belongs to the period."""


class SegmentColumns(TypedDict):
    """Columns of an AnnotatedSegments, one entry for each stretch of time and ROI."""

    start_time: ArrayLike
    """Beginning, in seconds."""
    stop_time: ArrayLike
    """End, in seconds."""
    roi: ArrayLike
    """Row of the PlaneSegmentation."""
    annotator: NotRequired[ArrayLike]
    """Who examined it."""
    first_frame: NotRequired[ArrayLike]
    """First frame, from 0."""
    last_frame: NotRequired[ArrayLike]
    """Last frame; it belongs to the segment."""


class CellTypeColumns(TypedDict):
    """Columns of a CellTypeAnnotations, one entry for each judgement."""

    roi: ArrayLike
    """Row of the PlaneSegmentation."""
    cell_type: ArrayLike
    """Name of the cell type."""
    annotator: ArrayLike
    """Who said so."""


@register_class("ActivityAnnotations", NAMESPACE)
class ActivityAnnotations(CheckedTable, EventsTable):  # type: ignore[misc]
    """Periods in which ROIs are known to be active, or in which that is doubtful; see `AnnotationColumns`."""

    __columns__ = columns_of("ActivityAnnotations")

    @typed("ActivityAnnotations", EventsTable)
    def __init__(self, **table: Unpack[TableArguments]) -> None:
        """Make a table, empty or of `columns`; `from_arrays` is easier."""
        super().__init__(**table)
        self.check_new()

    def check_values(self, columns: Columns) -> None:
        """Check ROIs, states, frames and durations.

        Raises
        ------
        InvalidTypeError
            If an ROI is not in the table, a state is unknown, or a period ends before it begins.
        """
        super().check_values(columns)
        where = f"table '{self.name}'"
        checks.check_choices(columns.get("state"), STATES, what="Column 'state'", where=where)
        checks.check_order(columns.get("first_frame"), columns.get("last_frame"), what="frame", where=where)
        checks.check_not_negative(columns.get("duration"), what="Column 'duration'", where=where)

    def add_event(self, **row: Any) -> None:
        """Add a period after checking its values, given by column name."""
        self.add_row(**row)

    @classmethod
    def from_arrays(cls, *, rois: Any, columns: AnnotationColumns, **table: Unpack[TableNaming]) -> Self:
        """Make a table of whole columns; `rois` is the PlaneSegmentation that column `roi` points to."""
        return cls._from_columns(columns, {"roi": rois}, table)


@register_class("AnnotatedSegments", NAMESPACE)
class AnnotatedSegments(CheckedTable, TimeIntervals):  # type: ignore[misc]
    """Stretches of time in which ROIs were examined for activity; see `SegmentColumns`."""

    __columns__ = columns_of("AnnotatedSegments")

    @typed("AnnotatedSegments", TimeIntervals)
    def __init__(self, **table: Unpack[TableArguments]) -> None:
        """Make a table, empty or of `columns`; `from_arrays` is easier."""
        super().__init__(**table)
        self.check_new()

    def check_values(self, columns: Columns) -> None:
        """Check ROIs, times and frames.

        Raises
        ------
        InvalidTypeError
            If an ROI is not in the table, or a segment ends before it begins.
        """
        super().check_values(columns)
        where = f"table '{self.name}'"
        checks.check_order(columns.get("start_time"), columns.get("stop_time"), what="second", where=where)
        checks.check_order(columns.get("first_frame"), columns.get("last_frame"), what="frame", where=where)

    def add_interval(self, **row: Any) -> None:
        """Add a segment after checking its values, given by column name."""
        self.check_values({name: [row[name]] for name in self.colnames if name in row})
        super().add_interval(**row)

    @classmethod
    def from_arrays(cls, *, rois: Any, columns: SegmentColumns, **table: Unpack[TableNaming]) -> Self:
        """Make a table of whole columns; `rois` is the PlaneSegmentation that column `roi` points to."""
        return cls._from_columns(columns, {"roi": rois}, table)


@register_class("CellTypeAnnotations", NAMESPACE)
class CellTypeAnnotations(CheckedTable, DynamicTable):  # type: ignore[misc]
    """Known cell types of ROIs, one judgement in each row; see `CellTypeColumns`."""

    __columns__ = columns_of("CellTypeAnnotations")

    @typed("CellTypeAnnotations", DynamicTable)
    def __init__(self, **table: Unpack[TableArguments]) -> None:
        """Make a table, empty or of `columns`; `from_arrays` is easier."""
        super().__init__(**table)
        self.check_new()

    @classmethod
    def from_arrays(cls, *, rois: Any, columns: CellTypeColumns, **table: Unpack[TableNaming]) -> Self:
        """Make a table of whole columns; `rois` is the PlaneSegmentation that column `roi` points to."""
        return cls._from_columns(columns, {"roi": rois}, table)
