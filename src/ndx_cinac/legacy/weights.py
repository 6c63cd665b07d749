"""A DeepCINAC classifier's weights, read from the H5 files of Keras 2 by the names of the layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import ClassifierError

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
        file = h5py.File(path, "r")
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = f"The classifier's weights {'do not exist' if missing else 'are no HDF5 file'}"
        raise ClassifierError(what, where=where, fix="Give the .h5 file that DeepCINAC wrote") from error
    with file:
        group = file.get("model_weights", file)
        if _attribute(group, "layer_names") is None:
            what = "The file holds no weights as Keras 2 writes them: it has no list of layers"
            raise ClassifierError(what, where=where, fix="Give the .h5 file that DeepCINAC wrote")
        yield WeightFile(group, where)


class WeightFile:
    """An open file of weights.

    Attributes
    ----------
    layer_names : tuple of str
        Layers that have weights.
    where : str
        The file, for messages.
    """

    def __init__(self, group: Any, where: str) -> None:
        self._group, self.where = group, where
        names = _attribute(group, "layer_names") or []
        self.layer_names = tuple(n for n in names if n in group and _attribute(group[n], "weight_names"))

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
        group, found = self._group[name], dict[str, list[NDArray[np.float32]]]()
        for path in _attribute(group, "weight_names") or []:
            found.setdefault(path.split("/")[-1].split(":")[0], []).append(self._array(group, path))
        return found

    def _array(self, group: Any, path: str) -> NDArray[np.float32]:
        data = group.get(path)
        # A dataset may point into other files; those are none of this classifier's business.
        outside = isinstance(data, h5py.Dataset) and (
            data.external or data.is_virtual or data.file.filename != group.file.filename
        )
        if not isinstance(data, h5py.Dataset) or outside or data.dtype.kind != "f":
            what = f"The weights lack the array '{path}' of layer '{group.name.strip('/')}'"
            raise ClassifierError(what, where=self.where)
        return np.asarray(data, dtype=np.float32)


def _attribute(group: Any, name: str) -> list[str] | None:
    """Read a list of names among a group's attributes; Keras cuts long ones into pieces that it numbers."""
    pieces = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(pieces)}" in group.attrs and name not in group.attrs:
        pieces.append(group.attrs[f"{name}{len(pieces)}"])
    if not pieces:
        return None
    return [n.decode() if isinstance(n, bytes) else str(n) for piece in pieces for n in piece]
