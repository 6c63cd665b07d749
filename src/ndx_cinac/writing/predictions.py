"""Predictions into NWB files: beside the source, without its movie, or into it; whole or not at all."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, get_manager
from pynwb.image import ImageSeries
from pynwb.ophys import PlaneSegmentation

from ..errors import OutputError
from ..extras import require
from ..results import ActivityResult
from .objects import Place, add_objects
from .output import (
    DEFAULT_NAME,
    MODULE,
    OutputOptions,
    check_output,
    is_zarr,
    object_names,
    written_whole,
)
from .relocation import relocate
from .standalone import standalone_file
from .stored import opened, read_predictions, remove_stored

logger = logging.getLogger(__name__)


def write_predictions(
    result: ActivityResult,
    output: OutputOptions | str | Path | None = None,
    source: str | Path | NWBFile | None = None,
) -> Path:
    """Write predictions into an NWB file that appears whole or not at all.

    The file is made under a temporary name beside its goal, closed, read back, compared with the result, and
    renamed. Whatever happens, the source keeps its content and no half-written file takes the goal's name.

    Parameters
    ----------
    result : ActivityResult
        What to write.
    output : OutputOptions, str, Path or None
        Where and how; a path alone means a copy of the source at that path, None a copy beside it.
    source : str, Path, NWBFile or None
        The file that was predicted; None for the one that the result names.

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
    path, in_memory = resolve_source(source, result)
    if path is None and in_memory is None:
        what = "The predictions come from arrays: there is no NWB file to add them to"
        raise OutputError(what, fix="Give the NWB file as source, or put them into one with add_to_nwbfile")
    goal = check_output(options, path)
    with written_whole(goal) as partial:
        if options.mode == "standalone":
            _write_standalone(result, options.name, partial, path if path is not None else in_memory)
        else:
            _write_copy(partial, goal, path if path is not None else in_memory)
            _append(result, options, partial)
        if options.mode == "in-place":
            shutil.copymode(goal, partial)
        check_written(partial, result, options)
    logger.info("Wrote %s to %s.", options.name, goal)
    return goal


def resolve_source(
    source: str | Path | NWBFile | None, result: ActivityResult | None = None
) -> tuple[Path | None, NWBFile | None]:
    """Return the source's path, or the NWBFile where that lives only in memory.

    Raises
    ------
    OutputError
        If the NWBFile was read from a file and changed since.
    """
    if isinstance(source, NWBFile):
        if source.container_source is None:
            return None, source
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
    result: ActivityResult,
    nwbfile: NWBFile,
    name: str = DEFAULT_NAME,
    *,
    segmentation: PlaneSegmentation | None = None,
    movie: ImageSeries | None = None,
    compress: bool = True,
    folder: Path | None = None,
) -> Any:
    """Put predictions, their transients, provenance and classifiers into module `cinac` of an NWBFile.

    Parameters
    ----------
    result : ActivityResult
        What to put in.
    nwbfile : NWBFile
        The file, in memory or open for appending; write it afterwards.
    name : str
        Name of the predictions.
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
    ActivityPredictions
        The predictions in the file.

    Raises
    ------
    OutputError
        If the name exists, or the ROI table cannot be found.
    """
    module = nwbfile.processing.get(MODULE)
    taken = set(object_names(name)) & set(module.data_interfaces if module is not None else {})
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
    series = movie if movie is not None else _find(nwbfile, result, "movie", ImageSeries)
    return add_objects(result, Place(nwbfile, name, table, series, compress, folder))


def _find(nwbfile: NWBFile, result: ActivityResult, what: str, kind: type) -> Any | None:
    """Return the object that the result's source names by its id, if the file holds it."""
    object_id = getattr(result.source, f"{what}_id", None)
    found = nwbfile.objects.get(object_id) if object_id else None
    return found if isinstance(found, kind) else None


def _write_copy(partial: Path, goal: Path, source: Path | NWBFile | None) -> None:
    """Make the file without predictions: the source's bytes, or those of an NWBFile in memory."""
    if isinstance(source, NWBFile):
        _export(source, partial)
    elif source is not None and source.is_dir():
        shutil.copytree(source, partial)
        relocate(partial, source, goal.parent)
    elif source is not None:
        shutil.copyfile(source, partial)  # not its mode: a copy of a read-only file can be written to
        relocate(partial, source, goal.parent)


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


def _append(result: ActivityResult, options: OutputOptions, partial: Path) -> None:
    """Add predictions to the copy; those that it holds under the same name are taken out first."""
    if options.overwrite:
        remove_stored(partial, object_names(options.name))
    with opened(partial, "r+") as (nwbfile, io):
        add_to_nwbfile(result, nwbfile, options.name, compress=not partial.is_dir(), folder=partial.parent)
        io.write(nwbfile)


def _write_standalone(
    result: ActivityResult, name: str, partial: Path, source: Path | NWBFile | None
) -> None:
    """Write session, subject, imaging plane, ROI table and predictions into a new file."""
    if isinstance(source, Path):
        with opened(source) as (nwbfile, _):
            _write_standalone(result, name, partial, nwbfile)
        return
    assert source is not None
    table = _find(source, result, "segmentation", PlaneSegmentation)
    if table is None:
        what = "The ROI table that the predictions belong to is not in the source"
        raise OutputError(what, fix="Give the file that was predicted as source")
    nwbfile, new_table = standalone_file(source, table)
    compress, folder = not is_zarr(partial), partial.parent
    add_to_nwbfile(result, nwbfile, name, segmentation=new_table, compress=compress, folder=folder)
    with _new_file(partial) as io:
        io.write(nwbfile, link_data=False)


def check_written(path: Path, result: ActivityResult, options: OutputOptions) -> None:
    """Compare what a file holds with what it should hold.

    Raises
    ------
    OutputError
        If a type, a link or a value differs.
    """
    with opened(path) as (nwbfile, _):
        same = _types_hold(nwbfile, options.name, transients=bool(result.active.any()))
        _refuse_differences(path, same)
        same |= _links_hold(nwbfile, result, options)
        stored = read_predictions(nwbfile, options.name)
        table = nwbfile.processing[MODULE].data_interfaces.get(object_names(options.name)[1])
        expected = result.transients
        transients = expected.iloc[:0] if table is None else table.to_dataframe()
    same |= {
        "probabilities": np.array_equal(stored.probabilities, result.probabilities, equal_nan=True),
        "ROI rows": np.array_equal(stored.roi_rows, result.roi_rows),
        "ROI ids": np.array_equal(stored.roi_ids, result.roi_ids),
        "times": np.allclose(stored.times.seconds(), result.times.seconds(), rtol=0, atol=1e-9),
        "threshold": stored.threshold == result.threshold,
        "classifiers": per_roi_hashes(stored) == per_roi_hashes(result),
        "transients": all(
            np.array_equal(transients[key], expected[key]) for key in ("first_frame", "last_frame")
        ),
    }
    _refuse_differences(path, same)


def _refuse_differences(path: Path, same: dict[str, bool]) -> None:
    """Raise where something that was written reads back differently."""
    wrong = [what for what, holds in same.items() if not holds]
    if wrong:
        what = f"What was written reads back differently: {', '.join(wrong)}"
        raise OutputError(what, where=str(path), fix="Nothing was changed; please report this as a bug")


def per_roi_hashes(result: ActivityResult) -> list[str]:
    """Hash of the classifier of each predicted ROI."""
    return [result.classifiers[index].sha256 for index in result.classifier_index]


def _types_hold(nwbfile: NWBFile, name: str, *, transients: bool) -> dict[str, bool]:
    """Whether the objects came back as the extension's own types; no `transients`, no table of them."""
    found = nwbfile.processing[MODULE].data_interfaces
    types = ("ActivityPredictions", "PredictedTransients", "PredictionProvenance")
    return {
        kind: type(found.get(key)).__name__ == kind
        if transients or kind != "PredictedTransients"
        else key not in found
        for key, kind in zip(object_names(name), types, strict=True)
    }


def _links_hold(nwbfile: NWBFile, result: ActivityResult, options: OutputOptions) -> dict[str, bool]:
    """Whether the links lead to the ROI table and the movie that were predicted."""
    if options.mode == "standalone" or result.source is None:
        return {}
    predictions = nwbfile.processing[MODULE][options.name]
    holds = {"ROI table": predictions.rois.table.object_id == result.source.segmentation_id}
    if result.source.movie_id in nwbfile.objects:
        holds["movie"] = (
            predictions.movie is not None and predictions.movie.object_id == result.source.movie_id
        )
    return holds
