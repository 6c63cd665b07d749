"""Checkpoints: what a killed training needs to go on, in a folder beside its output that lasts until then."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifiers.files import CARD_FILE
from ..errors import ConfigError, OutputError

SUFFIX = "-in-progress"
SETTINGS_FILE = "settings.json"
STATE_FILE = "state.npz"
RECORD = "record"
SMALL_FILE = 2**16
"""Bytes up to which files in a folder are read to tell whether it is still the same."""


class Checkpoints:
    """The folder of a training in progress: ``OUTPUT-in-progress``.

    It holds the settings that the training was begun with, the last checkpoint, and whatever else the
    training keeps there (`folder`). A checkpoint replaces the one before it whole or not at all.

    Parameters
    ----------
    output : Path
        The folder that the finished classifier will have.
    settings : mapping
        Everything that shapes the result, as JSON types: a training goes on only with the same.
    resume : bool
        Go on where a killed training was; begin where there is none.
    overwrite : bool
        Delete what a killed training has left, and begin.

    Raises
    ------
    OutputError
        If a killed training has left a folder and is neither to be resumed nor to be deleted, or the folder
        cannot be made.
    ConfigError
        If it was begun with other settings.
    """

    def __init__(
        self, output: Path, settings: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
    ) -> None:
        self.folder, self.file = output.with_name(output.name + SUFFIX), STATE_FILE
        text = json.dumps(settings, indent=1, sort_keys=True)
        if self.folder.exists() and resume:
            self._check_settings(text)
            return
        if self.folder.exists():
            if not overwrite:
                what = f"A training of '{output.name}' was begun and has not ended"
                fix = "Go on with it (--resume), or delete it and begin again (--overwrite)"
                raise OutputError(what, where=str(self.folder), fix=fix)
            self.remove()
        try:
            self.folder.mkdir(parents=True)
            (self.folder / SETTINGS_FILE).write_text(text, encoding="utf-8")
        except OSError as error:
            what = f"No training can be kept in '{self.folder}': {error}"
            raise OutputError(what, fix="Choose another output") from error

    def of(self, part: str) -> Checkpoints:
        """Return the checkpoints of one of several networks that a training makes, in the same folder."""
        others = copy.copy(self)
        others.file = f"{Path(STATE_FILE).stem}-{part}{Path(STATE_FILE).suffix}"
        return others

    @property
    def begun(self) -> bool:
        """Whether there is any checkpoint to go on from."""
        return any(self.folder.glob(f"{Path(STATE_FILE).stem}*{Path(STATE_FILE).suffix}"))

    def save(self, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a checkpoint: `record` of JSON types, and arrays by name (none of them "record")."""
        partial = self.folder / f"{self.file}.partial"
        with partial.open("wb") as file:
            stored: dict[str, Any] = {RECORD: np.array(json.dumps(record)), **arrays}
            np.savez(file, **stored)
        partial.replace(self.folder / self.file)

    def load(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """Return the last checkpoint's record and arrays; None where there is none.

        Raises
        ------
        OutputError
            If it cannot be read.
        """
        path = self.folder / self.file
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return json.loads(str(arrays.pop(RECORD))), arrays
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            what = f"The checkpoint cannot be read: {error}"
            raise OutputError(what, where=str(path), fix="Begin again (--overwrite)") from error

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check_settings(self, text: str) -> None:
        """Refuse to go on with other settings, and name one that differs."""
        path = self.folder / SETTINGS_FILE
        try:
            before, now = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
        except (OSError, ValueError) as error:
            what = f"The settings of the training in progress cannot be read: {error}"
            raise OutputError(what, where=str(path), fix="Begin again (--overwrite)") from error
        changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if changed:
            what = f"The training in progress was begun with other settings: '{changed[0]}' differs"
            fix = "Go on with the settings that it was begun with, or begin again (--overwrite)"
            raise ConfigError(what, where=str(self.folder), fix=fix)


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, before anything is computed.

    Raises
    ------
    OutputError
        If it exists and is not to be replaced, or is no classifier.
    """
    if not output.exists():
        return
    if not overwrite:
        what = f"The folder '{output}' exists"
        raise OutputError(what, fix="Choose another one, or overwrite it")
    if not (output / CARD_FILE).is_file():
        what = f"'{output}' exists and is no classifier; it is left alone"
        raise OutputError(what, fix="Choose another folder")


def fingerprint(path: Path) -> str:
    """Tell a file, or a folder of files, from a changed one of the same name, within moments.

    Of a file, size and SHA-256 of its first and last mebibyte; of a folder, names and sizes of its files, and
    the content of the small ones.
    """
    if path.is_dir():
        return _fingerprint_of_folder(path)
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(2**20))
        if size > 2**20:
            file.seek(max(2**20, size - 2**20))
            digest.update(file.read(2**20))
    return f"{size}-{digest.hexdigest()}"


def _fingerprint_of_folder(path: Path) -> str:
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    sizes = [file.stat().st_size for file in files]
    digest = hashlib.sha256()
    for file, size in zip(files, sizes, strict=True):
        digest.update(f"{file.relative_to(path)}\0{size}\0".encode())
        digest.update(file.read_bytes() if size <= SMALL_FILE else b"")
    return f"{sum(sizes)}-{digest.hexdigest()}"
