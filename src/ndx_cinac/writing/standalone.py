"""A new NWB file with a session's metadata and one ROI table, for predictions without their movie."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np
from hdmf.common import DynamicTable, DynamicTableRegion, VectorData, VectorIndex
from hdmf.container import AbstractContainer
from hdmf.utils import get_docval
from pynwb import NWBFile
from pynwb.file import Subject
from pynwb.ophys import ImageSegmentation, PlaneSegmentation

SESSION_FIELDS = (
    "session_description",
    "session_start_time",
    "timestamps_reference_time",
    "experimenter",
    "experiment_description",
    "session_id",
    "institution",
    "keywords",
    "notes",
    "pharmacology",
    "protocol",
    "related_publications",
    "slices",
    "data_collection",
    "surgery",
    "virus",
    "stimulus_notes",
    "lab",
)

LARGE = 2**26
"""Numeric columns of more bytes than this (64 MiB), as image masks, are copied without being loaded."""


def standalone_file(
    source: NWBFile, segmentation: PlaneSegmentation, subject: Mapping[str, Any] | None = None
) -> tuple[NWBFile, PlaneSegmentation]:
    """Make an NWB file of a session with its subject, one imaging plane with its device, and one ROI table.

    Written with ``link_data=False``, nothing in it points to another file. Its identifier and object ids are
    its own.

    Parameters
    ----------
    source : NWBFile
        The file to take them from; it stays as it is, and open until the new file is written.
    segmentation : PlaneSegmentation
        The ROI table, with all its columns except regions of tables that do not come along.
    subject : mapping of str, optional
        Values for fields of the subject that the source leaves empty.

    Returns
    -------
    NWBFile, PlaneSegmentation
        The new file and the ROI table in it.
    """
    session = {
        name: _plain(getattr(source, name)) for name in SESSION_FIELDS if getattr(source, name) is not None
    }
    clones = _Clones()
    plane = segmentation.imaging_plane
    if source.subject is not None or subject:
        session["subject"] = Subject() if source.subject is None else clones.of(source.subject)
        for name, value in (subject or {}).items():
            if not getattr(session["subject"], name):
                session["subject"].fields[name] = value
    table = clones.of(segmentation)
    target = NWBFile(identifier=str(uuid.uuid4()), **session)
    for model in filter(None, [getattr(plane.device, "model", None)]):
        target.add_device_model(clones.of(model))
    if plane.device is not None:
        target.add_device(clones.of(plane.device))
    target.add_imaging_plane(clones.of(plane))
    container = (
        segmentation.parent.name
        if isinstance(segmentation.parent, ImageSegmentation)
        else "ImageSegmentation"
    )
    module = target.create_processing_module("ophys", "the regions of interest that were predicted")
    module.add(ImageSegmentation(name=container, plane_segmentations=[table]))
    return target, table


class _Clones:
    """New objects with the values of old ones; an object that is met twice is cloned once."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def of(self, old: Any) -> Any:
        """Return the clone of a container or a column, or a value as it can be written anew."""
        if isinstance(old, (list, tuple)) and any(isinstance(item, AbstractContainer) for item in old):
            return [self.of(item) for item in old]
        if hasattr(old, "values") and callable(old.values) and not isinstance(old, AbstractContainer):
            return [self.of(item) for item in old.values()]
        if not isinstance(old, AbstractContainer):
            return _plain(old)
        if id(old) not in self._made:
            make: Callable[[Any], Any] = self._table if isinstance(old, DynamicTable) else self._container
            self._made[id(old)] = make(old)
        return self._made[id(old)]

    def _container(self, old: AbstractContainer) -> Any:
        """Clone a device, plane, channel, subject or column through its constructor."""
        names = {argument["name"] for argument in get_docval(type(old).__init__)}
        column = isinstance(old, VectorData)
        values = {name: getattr(old, name, None) for name in names - ({"data"} if column else set())}
        given = {name: self.of(value) for name, value in values.items() if value is not None}
        if column:
            given["data"] = _column_data(old)
        return type(old)(**given)

    def _table(self, old: DynamicTable) -> Any:
        """Clone a table with those of its columns that point to nothing outside of what is cloned."""
        columns = [column for column in old.columns if _comes_along(column)]
        special = {"columns", "colnames", "id", "target_tables", "meanings_tables", "reference_images"}
        arguments = [
            argument["name"] for argument in get_docval(type(old).__init__) if argument["name"] not in special
        ]
        values = {name: getattr(old, name, None) for name in arguments}
        given = {name: self.of(value) for name, value in values.items() if value is not None}
        kept = {column.name for column in columns}
        colnames = [name for name in old.colnames if name in kept]
        ids = np.asarray(old.id.data[:])
        return type(old)(**given, id=ids, columns=[self.of(column) for column in columns], colnames=colnames)


def _comes_along(column: VectorData) -> bool:
    """Whether a column can be cloned without the table that it points to; an index goes with its column."""
    while isinstance(column, VectorIndex):
        column = column.target
    return not isinstance(column, DynamicTableRegion)


def _column_data(column: VectorData) -> Any:
    """Return a column's values; those of a large HDF5 column as the dataset, to be copied unloaded."""
    data = column.data
    if isinstance(data, h5py.Dataset) and data.dtype.kind in "biuf" and data.nbytes > LARGE:
        return data
    return _plain(data)


def _plain(value: Any) -> Any:
    """Return a value that was read from a file as one that does not need the file."""
    if isinstance(value, (str, bytes, int, float, bool)) or not hasattr(value, "__getitem__"):
        return value
    if isinstance(value, (list, tuple)):
        return value
    array = np.asarray(value[()] if getattr(value, "shape", None) == () else value[:])
    return array.tolist() if array.dtype.hasobject or array.dtype.kind in "SU" else array
