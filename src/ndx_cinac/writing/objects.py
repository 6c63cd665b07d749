"""A result as objects of the extension in an NWBFile: predictions, transients, classifiers and provenance."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTableRegion
from pynwb import NWBFile, ProcessingModule
from pynwb.image import ImageSeries
from pynwb.ophys import PlaneSegmentation

from ..neurodata import ActivityPredictions, ClassifierTable, PredictedTransients, PredictionProvenance
from ..results import ActivityResult, ClassifierInfo, Result
from .output import CLASSIFIERS, MODULE, object_names

CHUNK = (4096, 64)
"""Frames and ROIs that are compressed together (1 MiB): one trace and one moment both read fast."""

PACKAGES = ("ndx-cinac", "pynwb", "hdmf", "numpy", "scipy", "keras", "tensorflow")
"""Packages whose versions can shape the numbers."""


@dataclass(frozen=True)
class Place:
    """Where in an NWBFile predictions go, and what they point to.

    Attributes
    ----------
    nwbfile : NWBFile
        The file.
    name : str
        Name of the predictions.
    segmentation : PlaneSegmentation
        The ROI table.
    movie : ImageSeries or None
        The movie, if the file holds it.
    compress : bool
        Whether to compress for HDF5.
    folder : Path or None
        Folder in which the file will lie; the source's path is written relative to it. None: only its name.
    """

    nwbfile: NWBFile
    name: str
    segmentation: PlaneSegmentation
    movie: ImageSeries | None = None
    compress: bool = True
    folder: Path | None = None


def add_objects(result: ActivityResult, place: Place) -> ActivityPredictions:
    """Put predicted activity into the module `cinac`, which is made where it is absent; no name may be taken.

    Where no frame is above threshold there is no table of transients: NWB wants no tables without rows, and
    checks of the NWB Inspector fail on them.
    """
    module = cinac_module(place.nwbfile)
    rows = classifier_rows(module, result.classifiers)
    predictions = _predictions(result, place, module.data_interfaces[CLASSIFIERS], rows)
    module.add(predictions)
    _, transients, provenance_name = object_names(place.name)
    if result.active.any():
        module.add(_transients(result, transients, place.segmentation))
    module.add(provenance(result, provenance_name, place.folder))
    return predictions


def cinac_module(nwbfile: NWBFile) -> ProcessingModule:
    """Return the module `cinac`; it is made where it is absent."""
    module = nwbfile.processing.get(MODULE)
    if module is not None:
        return module
    description = "Activity and cell types of the regions of interest, predicted from the movie by ndx-cinac"
    return nwbfile.create_processing_module(MODULE, description)


def classifier_rows(module: ProcessingModule, classifiers: tuple[ClassifierInfo, ...]) -> list[int]:
    """Rows of the classifiers in the module's ClassifierTable; one that is there is used again."""
    table = module.data_interfaces.get(CLASSIFIERS)
    if table is None:
        table = ClassifierTable(
            name=CLASSIFIERS, description="The classifiers that made the predictions of this file"
        )
        module.add(table)
    return [table.add_classifier(**asdict(info)) for info in classifiers]


def _predictions(
    result: ActivityResult, place: Place, table: ClassifierTable, classifier_rows: list[int]
) -> ActivityPredictions:
    """Make the series of probabilities."""
    frames, rois = result.probabilities.shape
    data: Any = np.ascontiguousarray(result.probabilities, dtype=np.float32)
    if place.compress and data.size:
        chunks = (min(frames, CHUNK[0]), min(rois, CHUNK[1]))
        data = H5DataIO(data, compression="gzip", compression_opts=4, shuffle=True, chunks=chunks)
    rows = np.asarray(classifier_rows, dtype=np.int64)[result.classifier_index]
    return ActivityPredictions(
        name=place.name,
        description="Probability that each region of interest is active in each frame",
        data=data,
        rois=DynamicTableRegion(
            name="rois",
            data=[int(row) for row in result.roi_rows],
            description="the region of interest of each column",
            table=place.segmentation,
        ),
        classifier=DynamicTableRegion(
            name="classifier",
            data=[int(row) for row in rows],
            description="the classifier that predicted each column",
            table=table,
        ),
        threshold=float(result.threshold),
        definition=result.definition,
        movie=place.movie,
        **_timing(result, place.movie),
    )


def _timing(result: ActivityResult, movie: ImageSeries | None) -> dict[str, Any]:
    """Return the frames' times as a series takes them; timestamps of the movie are linked, not copied."""
    times = result.times
    if times.timestamps is not None:
        shared = (
            movie is not None and movie.timestamps is not None and len(movie.timestamps) == times.n_frames
        )
        return {"timestamps": movie if shared else times.seconds()}
    timing: dict[str, Any] = {"rate": 1.0 / times.frame_interval, "starting_time": float(times.starting_time)}
    if not times.frame_rate > 0:
        timing["comments"] = "The movie's file gives neither frame rate nor timestamps: times count frames."
    return timing


def _transients(result: ActivityResult, name: str, segmentation: PlaneSegmentation) -> PredictedTransients:
    """Make the table of periods above threshold."""
    table: PredictedTransients = PredictedTransients.from_arrays(
        rois=segmentation,
        columns=result.transients.rename(columns={"roi_row": "roi"}),
        name=name,
        description=f"Unbroken runs of frames whose probability of activity is at least {result.threshold:g}",
    )
    return table


def provenance(result: Result, name: str, folder: Path | None) -> PredictionProvenance:
    """Make the record of how the predictions came about."""
    source = result.source
    of_result = {
        "skipped": dict(result.skipped),
        "notes": list(result.notes),
        "seconds": round(result.seconds, 3),
        "definition": result.definition,
    }
    parameters = {**result.parameters, "result": of_result}
    given = {} if source is None or source.path is None else {"source_path": source_path(source.path, folder)}
    if source is not None:
        origin = {"dandi_asset": source.dandi_asset, "source_digest": source.digest}
        given |= {name: value for name, value in origin.items() if value}
    return PredictionProvenance(
        name=name,
        software=f"ndx-cinac {version('ndx-cinac')}",
        device=result.device,
        created=datetime.now().astimezone(),
        source_file_identifier="" if source is None else source.file_identifier,
        source_movie_id="" if source is None else source.movie_id,
        source_movie_path="" if source is None else source.movie_path,
        source_segmentation_id="" if source is None else source.segmentation_id,
        source_segmentation_path="" if source is None else source.segmentation_path,
        versions=json.dumps(versions()),
        parameters=json.dumps(plain(parameters), allow_nan=False),
        **given,
    )


def plain(value: Any) -> Any:
    """Return a value in JSON's types: text keys, lists, Python numbers; None for what is no finite number."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def source_path(path: Path, folder: Path | None) -> str:
    """Return the source's path from `folder`: its name alone without a folder, or from another drive."""
    if folder is None:
        return path.name
    try:
        return Path(os.path.relpath(path.parent.resolve() / path.name, folder.resolve())).as_posix()
    except ValueError:
        return path.name


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can shape the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
