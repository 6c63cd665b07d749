"""Predictions into NWB files: beside the source, without its movie, or into it; whole or not at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynwb import NWBHDF5IO, NWBFile, get_manager
from pynwb.image import ImageSeries
from pynwb.ophys import PlaneSegmentation

from ..errors import OutputError
from ..extras import require
from ..reading.opening import OpenedFile
from ..results import ActivityResult, CellTypeResult, Result
from .cell_types import add_cell_types
from .checking import check_written
from .copying import copy_content
from .objects import Place, add_objects
from .output import (
    DEFAULT_NAMES,
    MODULE,
    OutputOptions,
    all_names,
    cell_type_names,
    check_output,
    is_zarr,
    object_names,
    written_whole,
)
from .relocation import relocate
from .room import bytes_for, reserve
from .standalone import standalone_file
from .stored import opened, remove_stored
from .unfinished import UnfinishedFolder

logger = logging.getLogger(__name__)


def write_predictions(
    result: Result | Sequence[Result],
    output: OutputOptions | str | Path | None = None,
    source: str | Path | NWBFile | OpenedFile | None = None,
    *,
    folder: UnfinishedFolder | None = None,
) -> Path:
    """Write predictions into an NWB file that appears whole or not at all.

    The file is made in a temporary folder beside its goal, closed, read back, compared with the result, and
    renamed. Whatever happens, the source keeps its content and no half-written file takes the goal's name.

    Parameters
    ----------
    result : ActivityResult, CellTypeResult, or a sequence of them
        What to write; of several, at most one of activity and one of cell types, from the same source.
    output : OutputOptions, str, Path or None
        Where and how; a path alone means a copy of the source at that path, None a copy beside it.
    source : str, Path, NWBFile, OpenedFile or None
        The file that was predicted; None for the one that the result names.
    folder : UnfinishedFolder, optional
        The temporary folder of the goal, where the caller holds it already.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OutputError
        If the output must not or cannot be written, or does not hold what it should; nothing was changed.
    """
    options = output if isinstance(output, OutputOptions) else OutputOptions(path=output)
    results = (result,) if isinstance(result, (ActivityResult, CellTypeResult)) else tuple(result)
    tasks = [each.task for each in results]
    if not results or len(set(tasks)) < len(tasks):
        what = f"One output takes activity, cell types or both, not {len(results)} results of {tasks}"
        raise OutputError(what, fix="Write them one after the other, under different names")
    path, in_memory = resolve_source(source, results[0])
    if path is None and in_memory is None:
        what = "The predictions come from arrays: there is no NWB file to add them to"
        raise OutputError(what, fix="Give the NWB file as source, or put them into one with add_to_nwbfile")
    goal = check_output(options, path, tasks)
    with written_whole(goal, folder) as partial:
        place, relocated = _Place(partial, goal.parent), False
        if options.mode == "standalone":
            _write_standalone(results, options, place, path if path is not None else in_memory)
        else:
            relocated = _write_copy(place, path if path is not None else in_memory)
            _append(results, options, place)
        if options.mode == "in-place":
            shutil.copymode(goal, partial)
        check_written(partial, results, options)
        if relocated:
            relocate(partial, partial, goal.parent, refuse=False)
    logger.info("Wrote %s to %s.", " and ".join(options.names(tasks).values()), goal)
    return goal


def resolve_source(
    source: str | Path | NWBFile | OpenedFile | None, result: Result | None = None
) -> tuple[Path | None, NWBFile | None]:
    """Return the source's path, or the NWBFile where that lives only in memory.

    Raises
    ------
    OutputError
        If the NWBFile was read from a file and changed since.
    """
    if isinstance(source, OpenedFile):
        return (None, source.nwbfile) if source.path is None else (source.path, None)
    if isinstance(source, NWBFile):
        if source.container_source is None or not Path(source.container_source).exists():
            return None, source  # made in memory, or read from an address
        if source.modified:
            what = "The NWBFile was changed after it was read, and its file lacks the changes"
            fix = "Write the changes to the file first, or use add_to_nwbfile and write it yourself"
            raise OutputError(what, where=str(source.container_source), fix=fix)
        return Path(source.container_source), None
    if source is not None:
        return Path(source).expanduser(), None
    if result is not None and result.source is not None:
        return result.source.path, None
    return None, None


def add_to_nwbfile(
    result: Result,
    nwbfile: NWBFile,
    name: str | None = None,
    *,
    segmentation: PlaneSegmentation | None = None,
    movie: ImageSeries | None = None,
    compress: bool = True,
    folder: Path | None = None,
) -> Any:
    """Put predictions, their provenance and classifiers, and transients, into module `cinac` of an NWBFile.

    Parameters
    ----------
    result : ActivityResult or CellTypeResult
        What to put in.
    nwbfile : NWBFile
        The file, in memory or open for appending; write it afterwards.
    name : str, optional
        Name of the predictions; "ActivityPredictions" or "CellTypePredictions" by default.
    segmentation : PlaneSegmentation, optional
        The ROI table; the one that the result names where not given.
    movie : ImageSeries, optional
        The movie; the one that the result names where not given, and none where the file does not hold it.
    compress : bool
        Compress for HDF5; False for a file that will be written as Zarr, which compresses by itself.
    folder : Path, optional
        Folder in which the file will lie, so that the provenance can name the source by a relative path.

    Returns
    -------
    ActivityPredictions or CellTypePredictions
        The predictions in the file.

    Raises
    ------
    OutputError
        If the name exists, or the ROI table cannot be found.
    """
    module = nwbfile.processing.get(MODULE)
    name = DEFAULT_NAMES[result.task] if name is None else name
    made = cell_type_names(name) if isinstance(result, CellTypeResult) else object_names(name)
    taken = set(made) & set(module.data_interfaces if module is not None else {})
    if taken:
        what = f"The file already holds '{min(taken)}' in its module '{MODULE}'"
        raise OutputError(what, fix="Choose another name")
    table = (
        segmentation
        if segmentation is not None
        else _find(nwbfile, result, "segmentation", PlaneSegmentation)
    )
    if table is None:
        what = "The ROI table that the predictions belong to is not in the file"
        raise OutputError(what, fix="Give it as segmentation")
    if isinstance(result, CellTypeResult):
        return add_cell_types(result, Place(nwbfile, name, table, folder=folder))
    series = movie if movie is not None else _find(nwbfile, result, "movie", ImageSeries)
    return add_objects(result, Place(nwbfile, name, table, series, compress, folder))


def _find(nwbfile: NWBFile, result: Result, what: str, kind: type) -> Any | None:
    """Return the object that the result's source names by its id, if the file holds it."""
    object_id = getattr(result.source, f"{what}_id", None)
    found = nwbfile.objects.get(object_id) if object_id else None
    return found if isinstance(found, kind) else None


@dataclass(frozen=True)
class _Place:
    """Where a file lies while it is written, and the folder that it will lie in."""

    partial: Path
    folder: Path


def _write_copy(place: _Place, source: Path | NWBFile | None) -> bool:
    """Make the file without predictions, of the source's bytes or of an NWBFile in memory.

    Returns
    -------
    bool
        Whether it holds relative paths, which lead from the temporary folder until it is moved.
    """
    if isinstance(source, NWBFile) or source is None:
        if source is not None:
            _export(source, place.partial)
        return False
    if source.is_dir():
        shutil.copytree(source, place.partial)
    else:
        copy_content(source, place.partial)  # not its mode: a copy of a read-only file can be written to
    stays = {source.parent.resolve(), source.resolve().parent} == {place.folder.resolve()}
    return relocate(place.partial, source, place.partial.parent, refuse=not stays)


def _export(nwbfile: NWBFile, partial: Path) -> None:
    """Write an NWBFile that lives in memory, without binding the object to this file."""
    manager = get_manager()
    manager.build(nwbfile, source=str(partial), root=True, export=True)
    with _new_file(partial, manager=manager) as io:
        io.export(src_io=io, nwbfile=nwbfile)


def _new_file(path: Path, **options: Any) -> Any:
    """Return an io that writes a new file of the kind that its path names."""
    if is_zarr(path):
        zarr_io = require("hdmf_zarr", extra="zarr", feature="A Zarr file").NWBZarrIO
        return zarr_io(str(path), "w", **options)
    return NWBHDF5IO(str(path), "w", **options)


def _append(results: Sequence[Result], options: OutputOptions, place: _Place) -> None:
    """Add predictions to the copy; those that it holds under the same names are taken out first."""
    names, partial = options.names([each.task for each in results]), place.partial
    if options.overwrite:
        remove_stored(partial, tuple(all_names(options, tuple(names))))
    compress = not partial.is_dir()
    if not partial.is_dir():
        reserve(partial, bytes_for(results))
    with opened(partial, "r+") as (nwbfile, io):
        for each in results:
            add_to_nwbfile(each, nwbfile, names[each.task], compress=compress, folder=place.folder)
        io.write(nwbfile)


def _write_standalone(
    results: Sequence[Result], options: OutputOptions, place: _Place, source: Path | NWBFile | None
) -> None:
    """Write session, subject, imaging plane, ROI table and predictions into a new file."""
    if isinstance(source, Path):
        with opened(source) as (nwbfile, _):
            _write_standalone(results, options, place, nwbfile)
        return
    assert source is not None
    table = _find(source, results[0], "segmentation", PlaneSegmentation)
    if table is None:
        what = "The ROI table that the predictions belong to is not in the source"
        raise OutputError(what, fix="Give the file that was predicted as source")
    nwbfile, new_table = standalone_file(source, table, options.subject)
    names = options.names([each.task for each in results])
    for each in results:
        add_to_nwbfile(
            each,
            nwbfile,
            names[each.task],
            segmentation=new_table,
            compress=not is_zarr(place.partial),
            folder=place.folder,
        )
    if not is_zarr(place.partial):
        reserve(place.partial, bytes_for(results, table))
    with _new_file(place.partial) as io:
        io.write(nwbfile, link_data=False)
