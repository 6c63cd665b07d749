"""Cell types that lie in one or several files, fused into a new CellTypePredictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..cell_types.merging import FusionOptions, fuse_cell_types
from ..errors import ConfigError
from ..recording import Source
from ..results import CellTypeResult
from .cell_types import read_cell_type_predictions
from .output import DEFAULT_CELL_TYPES_NAME, MODULE, OutputOptions, check_output
from .predictions import write_predictions
from .stored import opened

FUSED_NAME = "FusedCellTypes"
"""What fused predictions are called where no name is given."""


def fuse_files(
    files: Sequence[str | Path],
    names: Sequence[str] = (),
    output: OutputOptions | str | Path | None = None,
    options: FusionOptions | None = None,
) -> tuple[CellTypeResult, list[str]]:
    """Fuse predicted cell types of one or several files and write them beside those of the first file.

    Parameters
    ----------
    files : sequence of str or Path
        One file, with two predictions or more; or several files with predictions of the same ROIs.
    names : sequence of str
        Names of the predictions: those to fuse in the one file, or that of each file. By default
        "CellTypePredictions" in each of several files.
    output : OutputOptions, str, Path or None
        Where and how; a path alone means a copy of the first file at that path, None a copy beside it. Its
        name is "FusedCellTypes" unless it has another.
    options : FusionOptions, optional
        How they are fused. Predictions are called by their names, or, where those are not different, by
        their files' names.

    Returns
    -------
    CellTypeResult
        What was written.
    list of str
        What changed and why, a line each.

    Raises
    ------
    ConfigError
        If files and names do not go together, or `fuse_cell_types` refuses the predictions.
    ReadingError
        If there are no predictions of a name.
    OutputError
        If the output must not or cannot be written.
    """
    goal = output if isinstance(output, OutputOptions) else OutputOptions(path=output)
    goal = replace(goal, name=goal.name or FUSED_NAME)
    paths = [Path(file).expanduser() for file in files]
    given = _pairs(paths, list(names))
    check_output(goal, paths[0], ("cell_type",))
    predictions = {label: read_cell_type_predictions(path, name) for label, path, name in given}
    fused, log = fuse_cell_types(predictions, options)
    fused = replace(fused, source=_source(fused, paths[0], given[0][2]))
    return replace(fused, output=write_predictions(fused, goal, paths[0])), log


def _pairs(paths: list[Path], names: list[str]) -> list[tuple[str, Path, str]]:
    """Return label, file and name of each prediction."""
    if not paths:
        what = "No file is given"
        raise ConfigError(what, fix="Give a file with predicted cell types")
    if len(paths) == 1 and len(names) < 2:
        what = "One file and one prediction cannot be fused"
        raise ConfigError(
            what, where=str(paths[0]), fix="Name two predictions in it (--names), or give files"
        )
    if len(paths) > 1 and len(names) not in (0, 1, len(paths)):
        what = f"{len(paths)} files and {len(names)} names do not go together"
        raise ConfigError(what, fix="Give one name for all files, or one for each (--names)")
    if len(paths) == 1:
        pairs = [(paths[0], name) for name in names]
    else:
        names = names or [DEFAULT_CELL_TYPES_NAME]
        pairs = list(zip(paths, names if len(names) == len(paths) else names * len(paths), strict=True))
    labels = [name for _, name in pairs]
    if len(set(labels)) < len(labels):
        labels = [path.name for path, _ in pairs]
    if len(set(labels)) < len(labels):
        labels = [f"{path}: {name}" for path, name in pairs]
    if len(set(labels)) < len(labels):
        what = f"A prediction is given twice: {', '.join(labels)}"
        raise ConfigError(what, fix="Give each once")
    return [(label, path, name) for label, (path, name) in zip(labels, pairs, strict=True)]


def _source(fused: CellTypeResult, path: Path, name: str) -> Source:
    """Return where the first prediction lies: its file and its own ROI table."""
    with opened(path) as (nwbfile, _):
        table = nwbfile.processing[MODULE][name]["roi"].table
        known = fused.source or Source(path, "", "", "", "", "")
        return replace(
            known, path=path, file_identifier=str(nwbfile.identifier), segmentation_id=table.object_id
        )
