"""Which recordings are meant, and the output of each: found and checked before any work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, OutputError, ReadingError
from ..reading.opening import is_zarr_store
from ..writing import OutputOptions
from ..writing.output import Task, goal_path, size_of
from ..writing.stored import stored_names

SHOWN = 5
"""So many paths are shown in an error, and the others counted."""


@dataclass(frozen=True)
class Goal:
    """A recording and the file that its predictions go to.

    Attributes
    ----------
    source, output : Path
        Both absolute.
    exists : bool
        Whether the output was there before the work.
    """

    source: Path
    output: Path
    exists: bool


def find_goals(sources: str | Path | Iterable[str | Path], output_dir: str | Path) -> tuple[Goal, ...]:
    """Find the recordings, and name the output of each.

    A file's output is ``NAME_cinac.nwb`` in `output_dir`. A folder is searched with the folders in it, and
    its recordings' outputs lie in folders of the same names. Hidden files, `output_dir` itself, and
    ``NAME_cinac.nwb`` beside its ``NAME.nwb`` are passed over.

    Parameters
    ----------
    sources : str, Path, or iterable of them
        NWB files (HDF5, or Zarr folders), and folders that hold some.
    output_dir : str or Path
        The folder that all outputs go to.

    Raises
    ------
    ReadingError
        If there is no recording at all.
    OutputError
        If two recordings would have the same output, or an output would be a source.
    """
    folder = Path(output_dir).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        what = "The folder for the outputs is a file"
        raise OutputError(what, where=str(folder), fix="Give a folder (--output-dir)")
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    goals: dict[Path, Goal] = {}
    for each in named:
        root = Path(each).expanduser()
        root = root.parent.resolve() / root.name  # a link keeps its name
        searched = root.is_dir() and not is_zarr_store(root)
        for source in sorted(_recordings(root, folder)) if searched else [root]:
            inside = source.parent.relative_to(root) if searched else Path()
            output = folder / inside / goal_path(OutputOptions(), source).name
            _refuse_clash(goals.get(output), source, output)
            goals[output] = Goal(source, output, output.exists())
    if not goals:
        what = f"There is no NWB file in {_shown([Path(each) for each in named]) or 'an empty list'}"
        raise ReadingError(what, fix="Give NWB files, or folders that hold some")
    taken = {goal.source for goal in goals.values()} & set(goals)
    if taken:
        what = f"The output of one recording would replace another one: {_shown(taken)}"
        raise OutputError(what, fix="Choose another folder for the outputs (--output-dir)")
    return tuple(goals.values())


def _refuse_clash(other: Goal | None, source: Path, output: Path) -> None:
    if other is not None and other.source != source:
        what = f"'{other.source}' and '{source}' would both be predicted into one file"
        fix = "Give the folder that holds both, so that its subfolders tell them apart, or rename one"
        raise OutputError(what, where=str(output), fix=fix)


def _recordings(folder: Path, outputs: Path) -> Iterator[Path]:
    """NWB files and Zarr stores in a folder and the folders in it."""
    for name, folders, files in os.walk(folder):
        here = Path(name)
        for each in [*folders]:
            path = here / each
            store = is_zarr_store(path)
            if store or each.startswith(".") or path.resolve() == outputs:
                folders.remove(each)
            if store and not each.startswith("."):
                yield path
        names = {each for each in files if each.endswith(".nwb") and not each.startswith(".")}
        derived = {f"{each.removesuffix('.nwb')}_cinac.nwb" for each in names}
        yield from (here / each for each in names - derived)


def check_goals(
    goals: Sequence[Goal], output: OutputOptions, tasks: Sequence[Task], *, skip_existing: bool
) -> set[Goal]:
    """Refuse outputs that must not be written; return the goals that are left as they are.

    Raises
    ------
    ConfigError
        If options contradict each other.
    OutputError
        If an output exists and is neither to be replaced nor left, or there is too little room for all.
    """
    if output.mode == "in-place" or output.path is not None:
        what = "Outputs of several recordings go to a folder, each under its source's name"
        raise ConfigError(what, fix="Leave the mode 'in-place' and the output path out")
    if skip_existing and output.overwrite:
        what = "Outputs that exist cannot be both replaced and left as they are"
        raise ConfigError(what, fix="Choose one of --overwrite and --skip-existing")
    present = [goal for goal in goals if goal.exists]
    left = set(present) if skip_existing else set()
    if present and not (skip_existing or output.overwrite):
        what = f"{len(present)} of {len(goals)} outputs exist: {_shown(goal.output for goal in present)}"
        fix = "Leave them (--skip-existing), replace them (--overwrite), or choose another --output-dir"
        raise OutputError(what, fix=fix)
    foreign = [goal.output for goal in left if not _holds(goal.output, set(output.names(tasks).values()))]
    if foreign:
        what = f"What is to be left as it is does not hold these predictions: {_shown(sorted(foreign))}"
        raise OutputError(what, fix="Move it away, or choose another folder (--output-dir)")
    if output.mode == "copy":
        _check_room([goal for goal in goals if goal not in left])
    return left


def _holds(path: Path, names: set[str]) -> bool:
    """Whether a file holds predictions of these names."""
    try:
        return names <= set(stored_names(path))
    except OSError:
        return False


def _check_room(goals: Sequence[Goal]) -> None:
    """Refuse copies of all sources where they do not fit; a missing source is its own recording's failure."""
    needed = sum(size_of(goal.source) for goal in goals if goal.source.exists() and not goal.exists)
    folder = next(parent for parent in goals[0].output.parents if parent.exists()) if goals else Path()
    free = shutil.disk_usage(folder).free
    if needed > free:
        what = f"The outputs need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
        fix = "Choose a folder elsewhere (--output-dir), or mode 'standalone', which leaves the movies out"
        raise OutputError(what, where=str(folder), fix=fix)


def _shown(paths: Iterable[Path]) -> str:
    every = [str(path) for path in paths]
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
