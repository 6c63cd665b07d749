"""From a file with predictions to files in another format: everything is checked first, then written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, get_args

from pynwb import NWBFile

from ..errors import ConfigError, OutputError, ReadingError
from ..extras import require
from ..reading.opening import open_nwbfile
from ..writing.output import MODULE, written_whole
from .content import Exported, exported_activity, exported_cell_types
from .formats import write_csv, write_mat, write_npz

ExportFormat = Literal["csv", "npz", "mat"]
Task = Literal["activity", "cell-type", "all"]

FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
TASKS = {"ActivityPredictions": "activity", "CellTypePredictions": "cell-type"}
"""The task of each type of predictions."""


def export_predictions(
    source: str | Path | NWBFile,
    kind: ExportFormat = "csv",
    output: str | Path | None = None,
    *,
    name: str | None = None,
    task: Task = "all",
    overwrite: bool = False,
) -> list[Path]:
    """Write the predictions of an NWB file as CSV, npz or mat files, which appear whole or not at all.

    CSV: for activity a table of probabilities (column ``time_s`` and one per ROI) and, in a file that ends in
    ``_transients.csv``, a row per transient; for cell types a row per ROI. Lines with ``#`` before the table
    explain it. npz and mat: one file with all arrays.

    Parameters
    ----------
    source : str, Path or NWBFile
        A file with predictions, or an open one.
    kind : {"csv", "npz", "mat"}
        Format.
    output : str or Path, optional
        The file to write. By default it lies beside the source and has its name: ``session.npz``, and for CSV
        ``session_PREDICTIONS.csv``. Where several predictions are written as CSV, their names are put
        behind that of `output`: ``output_PREDICTIONS.csv``.
    name : str, optional
        Name of the predictions; all of them by default.
    task : {"activity", "cell-type", "all"}
        Which kind of predictions.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    ReadingError
        If the file holds no such predictions.
    OutputError
        If a file exists, or cannot be written; nothing was written.
    ConfigError
        If `kind` or `task` does not exist, or an NWBFile in memory comes without `output`.
    MissingExtraError
        If a MATLAB file is asked for and SciPy is not installed.
    """
    _check_choice("Format", kind, FORMATS)
    _check_choice("Task", task, get_args(Task))
    if kind == "mat":
        require("scipy.io", extra="export", feature="Writing MATLAB files")
    opened = open_nwbfile(source)
    try:
        found = _chosen(opened.nwbfile, name, task, str(opened.path or "in memory"))
        base = _base(opened.path, output, kind)
        goals = _goals(found, base, kind, split=output is None or len(found) > 1)
        _check_goals(goals, overwrite=overwrite)
        exported: list[Exported] = [
            (exported_activity if each == "activity" else exported_cell_types)(opened.nwbfile, key)
            for key, each in found.items()
        ]
        return _write(exported, goals, kind)
    finally:
        if opened.close is not None:
            opened.close()


def _check_choice(what: str, given: str, choices: Sequence[str]) -> None:
    """Refuse what is not one of the choices."""
    if given not in choices:
        message = f"{what} '{given}' does not exist"
        raise ConfigError(message, fix=f"Choose one of: {', '.join(choices)}")


def _chosen(nwbfile: NWBFile, name: str | None, task: Task, where: str) -> dict[str, str]:
    """Return the names of the predictions asked for, in the file's order, with their tasks."""
    module = nwbfile.processing.get(MODULE)
    present = {
        key: TASKS[kind]
        for key, each in ({} if module is None else module.data_interfaces).items()
        if (kind := type(each).__name__) in TASKS
    }
    chosen = {key: each for key, each in present.items() if task in ("all", each) and name in (None, key)}
    if not chosen:
        kinds = "" if task == "all" else f"{task} "
        named = "" if name is None else f" named '{name}'"
        what = f"The file holds no {kinds}predictions{named}"
        there = ", ".join(f"{key} ({each})" for key, each in present.items())
        fix = f"It holds: {there}" if there else "Make some with: ndx-cinac predict FILE"
        raise ReadingError(what, where=where, fix=fix)
    return chosen


def _base(source: Path | None, output: str | Path | None, kind: str) -> Path:
    """Return the file to write where there is only one."""
    if output is not None:
        path = Path(output).expanduser()
        return path if path.suffix == f".{kind}" else path.with_name(f"{path.name}.{kind}")
    if source is None:
        what = "An NWBFile in memory has no place that exported files could lie beside"
        raise ConfigError(what, fix="Give an output path")
    stem = source.name.removesuffix(".zarr").removesuffix(".nwb")
    return source.parent / f"{stem}.{kind}"


def _goals(found: dict[str, str], base: Path, kind: str, *, split: bool) -> list[Path]:
    """Return the files to write; for CSV one or two for each of the predictions, in their order."""
    if kind != "csv":
        return [base]
    goals = []
    for name, task in found.items():
        stem = f"{base.stem}_{name}" if split else base.stem
        ends = ("", "_transients") if task == "activity" else ("",)
        goals += [base.with_name(f"{stem}{end}.csv") for end in ends]
    return goals


def _check_goals(goals: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse files that exist, and a folder that cannot be written to."""
    folder = goals[0].parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = "The folder does not exist" if not folder.is_dir() else "The folder cannot be written to"
        raise OutputError(what, where=str(folder), fix="Choose another output path (--output)")
    for goal in goals:
        if goal.is_dir():
            what = "The output is a folder, not a file"
            raise OutputError(what, where=str(goal), fix="Choose another output path (--output)")
        if goal.exists() and not overwrite:
            what = "The output exists already"
            raise OutputError(
                what, where=str(goal), fix="Choose another path (--output), or overwrite it (--overwrite)"
            )


def _write(exported: Sequence[Exported], goals: Sequence[Path], kind: str) -> list[Path]:
    """Write all files beside their goals; they take their names when all are complete."""
    with ExitStack() as stack:
        partial = [stack.enter_context(written_whole(goal)) for goal in goals]
        if kind == "csv":
            tables = (table for each in exported for table in each.tables())
            for path, table in zip(partial, tables, strict=True):
                write_csv(path, table)
        else:
            (write_npz if kind == "npz" else write_mat)(partial[0], exported)
    return list(goals)
