"""Where output goes: every refusal before any work, and a goal that appears whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import CinacError, ConfigError, OutputError
from .exchanging import replace_whole
from .unfinished import UnfinishedFolder, remove

OutputMode = Literal["copy", "standalone", "in-place"]
Task = Literal["activity", "cell_type"]

MODULE = "cinac"
"""Name of the processing module that holds everything that ndx-cinac writes."""

CLASSIFIERS = "classifiers"
"""Name of the ClassifierTable in that module."""

DEFAULT_NAME = "ActivityPredictions"
DEFAULT_CELL_TYPES_NAME = "CellTypePredictions"
DEFAULT_NAMES: Mapping[Task, str] = {"activity": DEFAULT_NAME, "cell_type": DEFAULT_CELL_TYPES_NAME}


@dataclass(frozen=True)
class OutputOptions:
    """Where predictions are written, and how.

    Attributes
    ----------
    path : str, Path or None
        The file to write; None for ``NAME_cinac.nwb`` beside the source, and always None in mode "in-place".
    mode : {"copy", "standalone", "in-place"}
        "copy": the source's content plus the predictions. "standalone": session, subject, imaging plane, ROI
        table and predictions, without the movie and without links to other files. "in-place": the source
        gets the predictions.
    name : str or None
        Name of the predictions in the file; None for "ActivityPredictions" and "CellTypePredictions". Where
        both are written, it is that of activity, and cell types are called ``NAMECellTypes``.
    overwrite : bool
        Replace an output file that exists, and predictions of that name in the source.
    subject : mapping of str
        Values, by field of `pynwb.file.Subject`, for what the source does not say of its subject; taken in
        mode "standalone" only, as the other modes change nothing that was there.
    """

    path: str | Path | None = None
    mode: OutputMode = "copy"
    name: str | None = None
    overwrite: bool = False
    subject: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode not in get_args(OutputMode):
            what = f"Output mode '{self.mode}' does not exist"
            raise ConfigError(what, fix=f"Choose one of: {', '.join(get_args(OutputMode))}")
        name = self.name
        if name is not None and (
            not name.strip() or any(sign in name for sign in "/:") or name == CLASSIFIERS
        ):
            what = f"Predictions cannot be named '{name}'"
            raise ConfigError(
                what, fix=f"Choose a name without '/' and ':' that is not empty and not '{CLASSIFIERS}'"
            )
        if self.mode == "in-place" and self.path is not None:
            what = "In-place output goes to the source file and takes no output path"
            raise ConfigError(what, fix="Leave the output path out, or choose mode 'copy'")

    def names(self, tasks: Sequence[Task]) -> dict[Task, str]:
        """Names of the predictions of each task that is written."""
        if self.name is None:
            return {task: DEFAULT_NAMES[task] for task in tasks}
        together = len(tasks) > 1
        return {
            task: f"{self.name}CellTypes" if together and task == "cell_type" else self.name for task in tasks
        }


def all_names(options: OutputOptions, tasks: Sequence[Task]) -> set[str]:
    """Names of all objects that predictions of these tasks are written as."""
    named = options.names(tasks)
    found = set(object_names(named["activity"])) if "activity" in named else set()
    return found | (set(cell_type_names(named["cell_type"])) if "cell_type" in named else set())


def cell_type_names(name: str) -> tuple[str, str]:
    """Names in the file of the cell types called `name` and of their provenance."""
    return name, f"{name}Provenance"


def object_names(name: str) -> tuple[str, str, str]:
    """Names in the file of the activity called `name`, of its transients and of its provenance."""
    if name == DEFAULT_NAME:
        return name, "PredictedTransients", "PredictionProvenance"
    return name, f"{name}Transients", f"{name}Provenance"


def goal_path(options: OutputOptions, source: Path | None) -> Path:
    """Return the file that will be written, as an absolute path.

    Raises
    ------
    OutputError
        If no path is given and there is no source file to derive it from.
    """
    if options.mode == "in-place" and source is not None:
        return source.resolve()  # a link stays a link: what it leads to is replaced
    if options.path is not None and options.mode != "in-place":
        path = Path(options.path).expanduser()
        return path.parent.resolve() / path.name
    if source is None:
        what = "There is no source file that the output could go to or lie beside"
        raise OutputError(what, fix="Give an output path")
    stem, _, ending = source.name.partition(".nwb")
    name = (
        f"{stem}_cinac.nwb{ending}"
        if ".nwb" in source.name
        else f"{source.stem}_cinac{source.suffix or '.nwb'}"
    )
    return source.parent.resolve() / name


def check_output(options: OutputOptions, source: Path | None, tasks: Sequence[Task] = ("activity",)) -> Path:
    """Refuse an output that cannot or must not be written, before any work is done.

    Parameters
    ----------
    options : OutputOptions
        Where and how.
    source : Path or None
        The NWB file that is predicted; None for one that lives only in memory.
    tasks : sequence of {"activity", "cell_type"}
        What will be written.

    Returns
    -------
    Path
        The file that will be written.

    Raises
    ------
    OutputError
        If the output or the name exists, would overwrite the source, or has no place to go.
    ReadingError
        If the source does not exist, or is no NWB file.
    """
    from ..reading.opening import check_path
    from .stored import stored_names

    if source is not None:
        check_path(source)
    goal = goal_path(options, source)
    _check_goal(goal, options, source)
    _check_folder(goal, source, options)
    if source is not None and options.mode != "standalone" and not options.overwrite:
        present = sorted(all_names(options, tasks) & set(stored_names(source)))
        if present:
            what = f"The file already holds '{present[0]}' in its module '{MODULE}'"
            raise OutputError(
                what, where=str(source), fix="Choose another name (--name), or overwrite it (--overwrite)"
            )
    return goal


def _check_goal(goal: Path, options: OutputOptions, source: Path | None) -> None:
    """Refuse a goal that is the source, that exists, or whose kind of file differs from the source's."""
    from ..reading.opening import is_zarr_store

    if options.mode == "in-place":
        if not os.access(goal, os.W_OK):
            what = "The file is read-only and cannot get predictions in place"
            raise OutputError(what, where=str(goal), fix="Make it writable, or choose mode 'copy'")
        return
    if source is not None and goal.exists() and goal.samefile(source):
        what = "The output would replace its own source"
        raise OutputError(what, where=str(goal), fix="Choose another output path, or mode 'in-place'")
    if goal.is_dir() and not is_zarr_store(goal):  # not even --overwrite may replace what is in there
        what = "The output is a folder, not a file"
        raise OutputError(
            what, where=str(goal), fix=f"Name the file in it, such as {goal.name}/predicted.nwb"
        )
    if goal.exists() and not options.overwrite:
        what = "The output exists already"
        fix = (
            "Choose another path (--output), or overwrite it (--overwrite); to add further predictions to "
            "it, predict that file with --mode in-place and another --name"
        )
        raise OutputError(what, where=str(goal), fix=fix)
    if source is not None and options.mode == "copy" and source.is_dir() != is_zarr(goal):
        kinds = ("a Zarr folder, ending in '.zarr'", "an HDF5 file, not ending in '.zarr'")
        what = f"A copy is of its source's kind: {kinds[0] if source.is_dir() else kinds[1]}"
        raise OutputError(
            what, where=str(goal), fix="Choose an output path of that kind, or mode 'standalone'"
        )


def _check_folder(goal: Path, source: Path | None, options: OutputOptions) -> None:
    """Refuse a folder that is not there, cannot be written to, or has too little room."""
    folder = goal.parent
    if not folder.is_dir():
        what = "The output's folder does not exist"
        raise OutputError(
            what, where=str(folder), fix="Make it first, or choose another output path (--output)"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        what = "The output's folder cannot be written to"
        raise OutputError(what, where=str(folder), fix="Choose an output path elsewhere (--output)")
    if source is not None and options.mode != "standalone":
        needed, free = size_of(source), shutil.disk_usage(folder).free
        if needed > free:
            what = f"The output needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
            fix = (
                "Choose an output path elsewhere (--output), or mode 'standalone', which leaves the movie out"
            )
            raise OutputError(what, where=str(folder), fix=fix)


def is_zarr(path: Path) -> bool:
    """Whether `path` is, or by its name will be, a Zarr folder rather than an HDF5 file."""
    return path.is_dir() if path.exists() else path.suffix == ".zarr"


def size_of(path: Path) -> int:
    """Bytes that a file, or all files of a folder, take."""
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


@contextmanager
def written_whole(goal: Path, folder: UnfinishedFolder | None = None) -> Iterator[Path]:
    """Give a temporary path that takes the place of `goal` when the block ends well, or is removed.

    It lies in a folder beside the goal, so that the last step is a rename. `folder` is given where that is
    held already.
    """
    with nullcontext(folder) if folder is not None else UnfinishedFolder(goal) as held:
        partial = held.partial(".zarr" if is_zarr(goal) else ".nwb")
        try:
            yield partial
            _flush(partial)
            replace_whole(partial, goal)
            held.finished = True
        except CinacError:
            raise
        except Exception as error:
            reason = failure_of_disk(error)
            if reason is None:
                raise
            what = f"Writing failed: {reason}"
            fix = "The source is as it was; free some room, or choose an output path elsewhere"
            raise OutputError(what, where=str(goal), fix=fix) from error
        finally:
            remove(partial)


def failure_of_disk(error: BaseException) -> str | None:
    """Return what the system says where it is behind an exception; None where it is not.

    HDF5 says so in text (``errno = 28``), not always in an OSError, and hdmf wraps it in other exceptions.
    """
    step: BaseException | None = error
    while step is not None:
        number = re.search(r"errno = (\d+)", str(step))
        if number is not None:
            return os.strerror(int(number[1]))
        if isinstance(step, OSError) and (step is error or step.errno is not None):
            return str(step)
        step = step.__cause__ or step.__context__
    return None


def _flush(path: Path) -> None:
    """Make the operating system put a file, or all files of a folder, on the disk."""
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())
