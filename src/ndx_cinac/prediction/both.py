"""Activity and cell types of one recording, in one output; activity by cell type, if that is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..classifiers import Classifier, load_classifier
from ..progress import Progress, silent
from ..recording import CinacRecording
from ..results import ActivityResult, CellTypeResult
from . import activity as of_activity
from . import cell_types as of_types
from .by_cell_type import ActivityByCellType, predict_by_cell_type
from .options import CellTypeOptions, PredictionOptions
from .resumption import Keeping
from .session import check_goal, opened, unfinished

if TYPE_CHECKING:
    from pynwb import NWBFile

    from ..reading import ReadingOptions
    from ..writing import OutputOptions


@dataclass(frozen=True)
class BothOptions:
    """How activity and cell types are predicted.

    Attributes
    ----------
    activity : PredictionOptions
        Of activity.
    cell_types : CellTypeOptions
        Of cell types.
    """

    activity: PredictionOptions = field(default_factory=PredictionOptions)
    cell_types: CellTypeOptions = field(default_factory=CellTypeOptions)


def predict_activity_and_cell_types(
    source: str | Path | NWBFile | CinacRecording,
    activity: str | Path | Classifier | ActivityByCellType = of_activity.DEFAULT_CLASSIFIER,
    cell_types: str | Path | Classifier = of_types.DEFAULT_CLASSIFIER,
    output: str | Path | OutputOptions | None = None,
    *,
    reading: ReadingOptions | None = None,
    options: BothOptions | None = None,
    progress: Progress | None = None,
) -> tuple[ActivityResult, CellTypeResult]:
    """Predict cell types, then activity, and write both to an NWB file if asked, whole or not at all.

    Parameters
    ----------
    source, output, reading, progress
        As in `predict_activity`.
    activity : str, Path, Classifier or ActivityByCellType
        The classifier of activity; or one for each cell type, see `read_activity_by_cell_type`.
    cell_types : str, Path or Classifier
        The classifier of cell types.
    options : BothOptions, optional
        Thresholds, names, memory and speed.

    Returns
    -------
    ActivityResult, CellTypeResult
        The first one's `classifier_index` says which classifier predicted each ROI.

    Raises
    ------
    ClassifierError, OutputError, ReadingError, PredictionError, ConfigError, MissingExtraError
        As `predict_activity` and `predict_cell_types`; what can be known is refused before any work.
    """
    chosen, listen = options or BothOptions(), progress or silent
    typing = load_classifier(cell_types)
    _, names = of_types.check_classifier(typing, chosen.cell_types)
    if isinstance(activity, ActivityByCellType):
        activity.check(names, chosen.activity)
    else:
        activity = load_classifier(activity)
        of_activity.engine_of(activity, chosen.activity)
    goal = check_goal(source, output, ("activity", "cell_type"))
    with unfinished(source, goal) as folder:
        keeping = None if folder is None else Keeping(folder)
        of_typing = None if folder is None else Keeping(folder, of_types.JOURNAL)
        with opened(source, reading) as recording:
            types = of_types.predict_types_with(recording, typing, chosen.cell_types, listen, of_typing)
            if isinstance(activity, ActivityByCellType):
                found = predict_by_cell_type(
                    recording, activity, (types, names), chosen.activity, listen, keeping
                )
            else:
                engine = of_activity.engine_of(activity)
                found = of_activity.predict_with(
                    recording, activity, engine, chosen.activity, listen, keeping
                )
        if goal is None:
            return found, types
        from ..writing import write_predictions

        origin = None if isinstance(source, CinacRecording) else source
        written = write_predictions((found, types), goal, origin, folder=folder)
        return replace(found, output=written), replace(types, output=written)
