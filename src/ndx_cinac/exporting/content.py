"""What is exported of predictions: their tables, their arrays, and the words that explain both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile

from ..neurodata import CellTypePredictions
from ..reading.file_contents import survey
from ..results import ActivityResult, Result
from ..writing import read_cell_type_predictions, read_predictions
from ..writing.output import MODULE, object_names

if TYPE_CHECKING:
    import pandas

Arrays: TypeAlias = "dict[str, NDArray[Any] | Arrays]"
"""Arrays by name, in groups where they belong together; texts are arrays of str."""

COUNTING = "rows of the ROI table and frames count from 0; add 1 to index with them in MATLAB or R"


@dataclass(frozen=True)
class Table:
    """A table with the words that stand above it."""

    about: Mapping[str, str]
    """What the header says: a subject and its sentence."""
    frame: pandas.DataFrame


class Exported(Protocol):
    """Predictions of one name, as every format takes them."""

    @property
    def name(self) -> str:
        """Name of the predictions."""
        ...

    @property
    def about(self) -> Mapping[str, str]:
        """What the header says: a subject and its sentence."""
        ...

    def tables(self) -> Iterator[Table]:
        """Give each table; of activity, the probabilities and the transients."""
        ...

    def arrays(self) -> Arrays:
        """Return everything as arrays."""
        ...


@dataclass(frozen=True)
class ExportedActivity:
    """Activity predictions and the transients that follow from them."""

    name: str
    about: Mapping[str, str]
    result: ActivityResult

    def tables(self) -> Iterator[Table]:
        """Give the probabilities, a row per frame and a column per ROI, and the transients."""
        import pandas as pd

        result = self.result
        frame = pd.DataFrame(result.probabilities, columns=roi_names(result))
        frame.insert(0, "time_s", result.times.seconds())
        yield Table({"table": "probabilities: a row per frame, a column per ROI", **self.about}, frame)
        words = f"transients: a row per unbroken run of frames at {result.threshold:g} or above"
        yield Table({"table": words, **self.about}, self.transients())

    def transients(self) -> pandas.DataFrame:
        """Return a row per period above threshold, with units in the names of its columns."""
        return self.result.transients.rename(columns={"timestamp": "timestamp_s", "duration": "duration_s"})

    def arrays(self) -> Arrays:
        """Return probabilities, times, ROIs, classifiers and transients."""
        result = self.result
        return {
            "probability": result.probabilities,
            "time_s": result.times.seconds(),
            "roi_id": result.roi_ids,
            "roi_row": result.roi_rows,
            "classifier": np.array([result.classifiers[i].name for i in result.classifier_index], str),
            "threshold": np.array(result.threshold),
            "transients": {str(key): column.to_numpy() for key, column in self.transients().items()},
        }


@dataclass(frozen=True)
class ExportedCellTypes:
    """Cell-type predictions, joined with the columns of the ROI table."""

    name: str
    about: Mapping[str, str]
    frame: pandas.DataFrame
    cell_types: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Give one table: a row per ROI."""
        names = {f"probability {name}": f"probability_{name}" for name in self.cell_types}
        yield Table(self.about, self.frame.rename(columns={"roi": "roi_row", **names}))

    def arrays(self) -> Arrays:
        """Return ROIs, types and probabilities; the columns of the ROI table lie in a group of their own."""
        probabilities = [f"probability {name}" for name in self.cell_types]
        own = ["roi", "roi_id", "cell_type", "confidence", *probabilities, "classifier"]
        frame = self.frame
        return {
            "roi_id": frame["roi_id"].to_numpy(),
            "roi_row": frame["roi"].to_numpy(),
            "cell_type": frame["cell_type"].to_numpy(str),
            "cell_types": np.array(self.cell_types, str),
            "probability": frame[probabilities].to_numpy(np.float32),
            "confidence": frame["confidence"].to_numpy(np.float32),
            "classifier": frame["classifier"].to_numpy(str),
            "roi_columns": {str(name): _plain(frame[name]) for name in frame.columns if name not in own},
        }


def _plain(column: pandas.Series[Any]) -> NDArray[Any]:
    """Return a column's values without Python objects."""
    return column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy(str)


def roi_names(result: ActivityResult) -> list[str]:
    """Name each column after its ROI's id, or after its row where ids repeat."""
    if len(np.unique(result.roi_ids)) == len(result.roi_ids):
        return [f"roi_{roi}" for roi in result.roi_ids]
    return [f"roi_row_{row}" for row in result.roi_rows]


def exported_activity(nwbfile: NWBFile, name: str) -> ExportedActivity:
    """Take activity predictions out of an open file."""
    result = read_predictions(nwbfile, name)
    stored = nwbfile.processing[MODULE][name]
    times, seconds = result.times, result.times.seconds()
    how = "with timestamps" if times.timestamps is not None else f"at {times.frame_rate:g} Hz"
    span = f", from {seconds[0]:g} to {seconds[-1]:g} s" if len(seconds) else ""
    about = {
        "predictions": f"'{name}': probability, from 0 to 1, that each ROI is active in each frame",
        "definition": f"1 means: {result.definition}",
        **_origin(nwbfile, name),
        "units": "what ends in _s in seconds; probabilities without unit; columns roi_ID bear the ROI's id",
        "times": f"{result.n_frames} frames {how}{span}",
        "threshold": f"{result.threshold:g}: at this probability or above a frame counts as active",
        "classifier": _classifiers(result),
        "ROI table": _path(nwbfile, stored.rois.table),
        "ROI ids": _listed(result.roi_ids),
        "ROI rows": _listed(result.roi_rows),
        "not predicted": _skipped(result),
        "counting": COUNTING,
    }
    return ExportedActivity(name, about, result)


def exported_cell_types(nwbfile: NWBFile, name: str) -> ExportedCellTypes:
    """Take cell-type predictions out of an open file."""
    stored: CellTypePredictions = nwbfile.processing[MODULE][name]
    result, frame = read_cell_type_predictions(nwbfile, name), stored.to_dataframe()
    types = tuple(str(each) for each in stored.cell_types)
    about = {
        "predictions": f"'{name}': predicted cell type, one ROI in each row",
        "definition": f"1 means: {result.definition}" if result.definition else "not recorded",
        **_origin(nwbfile, name),
        "units": "probabilities and confidence from 0 to 1, without unit",
        "cell types": "; ".join(_meanings(stored)) or ", ".join(types),
        "classifier": _classifiers(result),
        "ROI table": _path(nwbfile, stored["roi"].table),
        "ROI ids": _listed(frame["roi_id"].to_numpy()),
        "not predicted": _skipped(result),
        "counting": COUNTING,
    }
    return ExportedCellTypes(name, about, frame, types)


def _classifiers(result: Result) -> str:
    """Say which classifiers predicted; of several, which ROIs each of them had, by their ids."""
    several = len(result.classifiers) > 1
    used = [
        f"{each.name} {each.version} (sha256 {each.sha256[:12]})"
        + (f": {_listed(result.roi_ids[result.classifier_index == k])}" if several else "")
        for k, each in enumerate(result.classifiers)
    ]
    return "; ".join(used) or "none"


def _skipped(result: Result) -> str:
    """Say which rows of the ROI table were not predicted, and why."""
    return "; ".join(f"row {row}: {why}" for row, why in result.skipped.items()) or "none"


def _meanings(stored: CellTypePredictions) -> list[str]:
    """Say what each cell type means, with its term of the Cell Ontology and its synonyms."""
    table = stored["cell_type"].get_meanings()
    if table is None:
        return []
    return [
        f"{row['value']}: {row['meaning']}"
        + (f" [{row['cell_ontology_id']}]" if row.get("cell_ontology_id") else "")
        + (f" (also: {row['synonyms']})" if row.get("synonyms") else "")
        for row in table.to_dataframe().to_dict("records")
    ]


def _origin(nwbfile: NWBFile, name: str) -> dict[str, str]:
    """Say which file the predictions come from, when its clock began, and what made them."""
    reference = nwbfile.timestamps_reference_time
    file = Path(nwbfile.container_source).name if nwbfile.container_source else "in memory"
    provenance = nwbfile.processing[MODULE].data_interfaces.get(object_names(name)[2])
    made = "not recorded" if provenance is None else f"{provenance.software}, {provenance.created}"
    return {
        "file": f"{file} (identifier {nwbfile.identifier})",
        "time 0": f"{reference.isoformat()}: times count seconds from there",
        "predicted by": made,
    }


def _path(nwbfile: NWBFile, table: Any) -> str:
    """Return where in the file an ROI table lies."""
    found = (path for path, each in survey(nwbfile).segmentations if each is table)
    return next(found, str(table.name))


def _listed(numbers: NDArray[Any]) -> str:
    return ", ".join(str(number) for number in numbers)
