"""From a file with predictions to all figures that it allows, as image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..extras import require
from ..progress import Progress, silent
from ..reading.opening import open_nwbfile
from ..writing.output import DEFAULT_CELL_TYPES_NAME, DEFAULT_NAME
from .activity_by_type import plot_raster_by_type, plot_transients_by_type
from .cell_type_data import choose_name, prediction_names, read_cell_type_data
from .cell_types import plot_cell_type_field, plot_cell_type_probabilities
from .data import read_figure_data
from .field import plot_field
from .figures import plot_probabilities, plot_traces

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_file(
    path: str | Path,
    folder: str | Path = ".",
    *,
    rois: Sequence[int] | None = None,
    name: str = DEFAULT_NAME,
    cell_types: str | None = None,
    kind: str = "png",
    progress: Progress = silent,
) -> list[Path]:
    """Draw the figures of a file with predictions into a folder, which is made where it is absent.

    Parameters
    ----------
    path : str or Path
        An NWB file with predicted activity, cell types or both.
    folder : str or Path
        Where the figures go; figures of the same name are replaced.
    rois : sequence of int, optional
        Rows of the ROIs whose traces are drawn; those with the most transients by default.
    name : str
        Name of the predicted activity.
    cell_types : str, optional
        Name of the predicted cell types; the usual name, or the only one in the file, by default.
    kind : {"png", "pdf", "svg"}
        Kind of file.
    progress : Progress
        Told of the movie's frames as they are read.

    Returns
    -------
    list of Path
        Of activity: ``NAME_field``, ``NAME_probabilities``, ``NAME_traces``. Of cell types:
        ``NAME_cell_types``, ``NAME_cell_type_probabilities``. Where the file holds both of the same ROIs:
        ``NAME_transients_by_type``, ``NAME_raster_by_type``.

    Raises
    ------
    ReadingError
        If the file holds no such predictions.
    AmbiguousSourceError
        If it holds several predictions of cell types and none is chosen.
    ConfigError
        If an ROI asked for was not predicted.
    OutputError
        If the folder cannot be made or written to.
    """
    require("matplotlib", extra="plot", feature="Drawing figures")
    active, types = _present(path, name, cell_types)
    stem = Path(path).name.removesuffix(".zarr").removesuffix(".nwb")
    figures: dict[str, Figure] = {}
    if active or types is None or rois is not None:  # what is asked for and not there is said
        data = read_figure_data(path, rois, name, progress)
        label = stem if name == DEFAULT_NAME else f"{stem}_{name}"
        figures[f"{label}_field"] = plot_field(data)
        figures[f"{label}_probabilities"] = plot_probabilities(data.result)
        figures[f"{label}_traces"] = plot_traces(data)
    if types is not None:
        of_types = read_cell_type_data(path, types, name, progress=progress)
        label = stem if types == DEFAULT_CELL_TYPES_NAME else f"{stem}_{types}"
        figures[f"{label}_cell_types"] = plot_cell_type_field(of_types)
        figures[f"{label}_cell_type_probabilities"] = plot_cell_type_probabilities(of_types)
        if of_types.activity is not None:
            figures[f"{label}_transients_by_type"] = plot_transients_by_type(of_types)
            figures[f"{label}_raster_by_type"] = plot_raster_by_type(of_types)
    return _save(figures, Path(folder).expanduser(), kind)


def _present(path: str | Path, name: str, cell_types: str | None) -> tuple[bool, str | None]:
    """Whether the file holds activity of that name, and the name of its cell types; None without any.

    Raises
    ------
    ReadingError
        If cell types are asked for by a name that is not there.
    AmbiguousSourceError
        If there are several predictions of cell types and none is chosen.
    """
    opened = open_nwbfile(path)
    try:
        active = name in prediction_names(opened.nwbfile, "ActivityPredictions")
        types = prediction_names(opened.nwbfile, "CellTypePredictions")
    finally:
        if opened.close is not None:
            opened.close()
    if not types and cell_types is None:
        return active, None
    if not active and name != DEFAULT_NAME:
        return active, None  # what was asked for by name is not there: that is said, not passed over
    return active, choose_name(types, cell_types, str(path))


def _save(figures: Mapping[str, Figure], folder: Path, kind: str) -> list[Path]:
    """Write figures into a folder."""
    paths = [folder / f"{name}.{kind}" for name in figures]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for figure, path in zip(figures.values(), paths, strict=True):
            figure.savefig(path, dpi=150)
    except OSError as error:
        what = f"The figures cannot be written: {error.strerror or error}"
        raise OutputError(what, where=str(folder), fix="Choose another folder (--output-dir)") from error
    return paths
