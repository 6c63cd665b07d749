"""Networks in ``.keras`` files: one network gives the same bytes, and loading runs nothing from a file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from .backend import keras
from .classifiers.keras_files import check_network_file
from .errors import ClassifierError


def save_network(model: Any, path: Path) -> None:
    """Write a network without its optimizer's state to `path` (``.keras``).

    The same network gives the same bytes: the hours at which Keras and zip archives say that they were
    written are left out, and the addresses in memory by which Keras numbers what layers share.
    """
    saved = path.with_name(f".{path.name}.keras")
    try:
        keras.Model(model.input, model.output, name=model.name).save(saved)
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as goal:
            for member in source.namelist():
                data = source.read(member)
                if member == "metadata.json":
                    data = json.dumps({**json.loads(data), "date_saved": "not kept"}).encode()
                if member == "config.json":
                    data = json.dumps(_without_addresses(json.loads(data), {})).encode()
                goal.writestr(zipfile.ZipInfo(member), data)
    finally:
        saved.unlink(missing_ok=True)


def _without_addresses(config: Any, numbers: dict[int, int]) -> Any:
    """Put numbers in the place of addresses: 1, 2 and so on, in the order in which they are met."""
    if isinstance(config, dict):
        return {
            key: numbers.setdefault(value, len(numbers) + 1)
            if key == "shared_object_id"
            else _without_addresses(value, numbers)
            for key, value in config.items()
        }
    if isinstance(config, list):
        return [_without_addresses(value, numbers) for value in config]
    return config


def load_network(path: str | Path) -> Any:
    """Load a ``.keras`` file in Keras' safe mode, after `check_network_file`; nothing from the file is run.

    Raises
    ------
    ClassifierError
        If the file is refused, or Keras cannot read it.
    """
    check_network_file(Path(path))
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise
        what = f"Keras {keras.__version__} cannot load this network: {error}"
        raise ClassifierError(what, where=str(path)) from error
