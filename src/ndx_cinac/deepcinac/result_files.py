"""The files that `CinacPredictor.predict` writes: folders with a time stamp, .npz, .mat and NWB."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, OutputError
from ..extras import require

logger = logging.getLogger(__name__)

FORMATS = ("npy", "npz", "mat", "nwb")


def check_formats(output_file_formats: str | Iterable[str]) -> tuple[str, ...]:
    """Return the formats asked for, each once.

    Raises
    ------
    ConfigError
        If one is unknown.
    MissingExtraError
        If one needs a package that is not installed.
    """
    asked = [output_file_formats] if isinstance(output_file_formats, str) else list(output_file_formats)
    formats = tuple(dict.fromkeys(name.strip().lower().removeprefix(".") for name in asked))
    for name in formats:
        if name not in FORMATS:
            what = f"There is no output format '{name}'"
            raise ConfigError(what, fix=f"Use one or more of {', '.join(FORMATS)}")
    if "mat" in formats:
        require("scipy.io", extra="predict", feature="Writing .mat files")
    return formats


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder that files can be written to.

    Raises
    ------
    OutputError
        If it does not exist or cannot be written to.
    """
    path = Path(folder)
    if not path.is_dir() or not os.access(path, os.W_OK):
        what = "The folder for the results does not exist or cannot be written to"
        raise OutputError(what, where=str(path), fix="Make it first")
    return path


class ResultFiles:
    """Where the results of one run go; checked when it is made, before any work.

    Parameters
    ----------
    results_path : str, Path or None
        A folder; None to write nothing.
    output_file_formats : str or iterable of str
        Some of "npz", "npy" (which comes to npz, as in DeepCINAC), "mat" and "nwb".
    dated : bool
        Whether the files go to a new folder in that one, named by the time at which the first is written.

    Raises
    ------
    ConfigError
        If a format is unknown.
    OutputError
        If the folder does not exist or cannot be written to.
    """

    def __init__(
        self,
        results_path: str | os.PathLike[str] | None,
        output_file_formats: str | Iterable[str],
        *,
        dated: bool,
    ) -> None:
        formats = check_formats(output_file_formats)
        self._formats = tuple(dict.fromkeys("npz" if name == "npy" else name for name in formats))
        self._base = None if results_path is None else check_folder(results_path)
        self._dated, self._folder = dated, None if dated else self._base

    def save(self, name: str, arrays: dict[str, Any], write_nwb: Callable[[Path], object]) -> list[Path]:
        """Write one result in all formats and return the files.

        Parameters
        ----------
        name : str
            The files' name, without extension.
        arrays : dict of str to array
            What .npz and .mat files hold.
        write_nwb : callable
            Writes the NWB file, given its path.
        """
        if self._base is None:
            return []
        if self._folder is None:
            self._folder = _dated_folder(self._base)
        written = []
        for kind in self._formats:
            path = self._folder / f"{name}.{kind}"
            if kind == "nwb":
                write_nwb(path)
            else:
                save_arrays(path, arrays)
            if path.exists():
                logger.info("Wrote %s", path)
                written.append(path)
        return written


def save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays by name into a .npz or .mat file, as the extension of `path` says."""
    if path.suffix == ".mat":
        require("scipy.io", extra="predict", feature="Writing .mat files").savemat(path, arrays)
    else:
        np.savez(path, **arrays)


def _dated_folder(base: Path) -> Path:
    """Make a folder named by the time; a second one of the same second gets a number behind its name."""
    stamp = datetime.now().strftime("%Y_%m_%d.%H-%M-%S")
    number = 1
    while True:
        folder = base / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
