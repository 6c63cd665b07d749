"""A DeepCINAC classifier's weights, read from the H5 files of Keras 2 by the names of the layers."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import ClassifierError
from ..hdf5_files import LARGEST_ARRAY, FilePart, empty_claim
from ..hdf5_heaps import heap_fault
from ..hdf5_probe import crash_fault

LayerWeights = Mapping[str, list[NDArray[np.float32]]]
"""The arrays of one layer by what they are ("kernel", "bias", ...), in the order of the layers inside it."""


@contextmanager
def open_weights(path: str | Path) -> Iterator[WeightFile]:
    """Open an H5 file of weights, or of a whole model, for reading.

    Raises
    ------
    ClassifierError
        If it is missing or no such file.
    """
    where = str(path)
    try:
        fault = heap_fault(Path(path)) or crash_fault(Path(path))
        if fault:
            what = f"The classifier's weights are damaged: {fault}"
            raise ClassifierError(what, where=where, fix="Copy them again from where they were trained")
        file = h5py.File(path, "r")
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = f"The classifier's weights {'do not exist' if missing else 'are no HDF5 file'}"
        raise ClassifierError(what, where=where, fix="Give the .h5 file that DeepCINAC wrote") from error
    with file:
        root = FilePart(file, where, ClassifierError)
        part = root.part("model_weights") if "model_weights" in root else root
        if _names(part, "layer_names") is None:
            what = "The file holds no weights as Keras 2 writes them: it has no list of layers"
            raise ClassifierError(what, where=where, fix="Give the .h5 file that DeepCINAC wrote")
        yield WeightFile(part, where)


class WeightFile:
    """An open file of weights.

    Attributes
    ----------
    layer_names : tuple of str
        Layers that have weights.
    where : str
        The file, for messages.
    """

    def __init__(self, part: FilePart, where: str) -> None:
        self._part, self.where = part, where
        names = [name for name in _names(part, "layer_names") or [] if name in part]
        self.layer_names = tuple(name for name in names if _names(part.part(name), "weight_names"))

    def require(self, names: Iterable[str]) -> None:
        """Refuse the file unless it has weights for these layers.

        Raises
        ------
        ClassifierError
            If one is missing.
        """
        for name in names:
            if name not in self.layer_names:
                what = f"The weights have no layer '{name}'"
                raise ClassifierError(
                    what, where=self.where, fix="Give the .json and the .h5 of one classifier"
                )

    def layer(self, name: str) -> LayerWeights:
        """Read the weights of one layer.

        Raises
        ------
        ClassifierError
            If the file has none for it, or an array is missing, elsewhere, or not of numbers.
        """
        self.require([name])
        part, found = self._part.part(name), dict[str, list[NDArray[np.float32]]]()
        for path in _names(part, "weight_names") or []:
            found.setdefault(path.split("/")[-1].split(":")[0], []).append(self._array(part.group, path))
        return found

    def _array(self, group: Any, path: str) -> NDArray[np.float32]:
        try:
            return self._checked_array(group, path)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:  # of HDF5
            what = f"The weights' array '{path}' cannot be read: {error}"
            raise ClassifierError(what, where=self.where) from error

    def _checked_array(self, group: Any, path: str) -> NDArray[np.float32]:
        data = group.get(path)
        # A dataset may point into other files; those are none of this classifier's business.
        outside = isinstance(data, h5py.Dataset) and (
            data.external or data.is_virtual or data.file.filename != group.file.filename
        )
        if not isinstance(data, h5py.Dataset) or outside or data.dtype.kind != "f":
            what = f"The weights lack the array '{path}' of layer '{group.name.strip('/')}'"
            raise ClassifierError(what, where=self.where)
        if data.nbytes > LARGEST_ARRAY or empty_claim(data):
            what = f"The weights' array '{path}' has the shape {data.shape}, which is no layer's"
            raise ClassifierError(what, where=self.where)
        array = np.asarray(data, dtype=np.float32)
        if not np.isfinite(array).all():
            what = f"The weights' array '{path}' holds what is no number"
            raise ClassifierError(what, where=self.where, fix="Copy the file again from where it was trained")
        return array


def _names(part: FilePart, name: str) -> list[str] | None:
    """Read a list of names among a group's attributes; Keras cuts long ones into pieces that it numbers."""
    attributes = part.group.attrs
    pieces = [part.attribute(name)] if name in attributes else []
    while f"{name}{len(pieces)}" in attributes and name not in attributes:
        pieces.append(part.attribute(f"{name}{len(pieces)}"))
    if not pieces:
        return None
    names = [n.decode("utf-8", "replace") if isinstance(n, bytes) else n for p in pieces for n in np.ravel(p)]
    for each in names:
        if not isinstance(each, str) or not each or "\0" in each or each.startswith(("/", ".")):
            part.refuse(f"@{name}", f"holds {reprlib.repr(each)}, which is no name")
    return names
