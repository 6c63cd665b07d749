"""What is predicted of an asset, and with which classifiers: refused before it is opened, or run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..classifiers import Classifier, load_classifier
from ..errors import ConfigError
from ..progress import Progress

if TYPE_CHECKING:
    from ..prediction import ActivityByCellType, BothOptions
    from ..reading import ReadingOptions
    from ..results import Result
    from ..writing import OutputOptions
    from .streaming import OpenAsset

WhatTask = Literal["activity", "cell-type", "all"]
DEFAULT_ACTIVITY = "activity-sim"
DEFAULT_CELL_TYPES = "cell-type-sim"


@dataclass(frozen=True)
class Predictors:
    """Classifiers of activity, of cell types, or both, and how they are used.

    Attributes
    ----------
    activity : Classifier, ActivityByCellType or None
        None: activity is not predicted.
    cell_types : Classifier or None
        None: cell types are not predicted.
    options : BothOptions
        Thresholds, memory and speed.
    """

    activity: Classifier | ActivityByCellType | None
    cell_types: Classifier | None
    options: BothOptions

    def __post_init__(self) -> None:
        from ..prediction import ActivityByCellType
        from ..prediction.activity import engine_of
        from ..prediction.cell_types import check_classifier

        types = None
        if self.cell_types is not None:
            _, types = check_classifier(self.cell_types, self.options.cell_types)
        if isinstance(self.activity, ActivityByCellType):
            assert types is not None
            self.activity.check(types, self.options.activity)
        elif self.activity is not None:
            engine_of(self.activity, self.options.activity)

    @property
    def task(self) -> WhatTask:
        """What is predicted."""
        if self.activity is None:
            return "cell-type"
        return "activity" if self.cell_types is None else "all"

    @property
    def first(self) -> Classifier | ActivityByCellType | None:
        """The classifier of activity, or of cell types where these alone are predicted."""
        return self.cell_types if self.activity is None else self.activity

    @property
    def classifiers(self) -> list[Classifier]:
        """Every classifier, in the order in which they are used."""
        activity = self.activity
        of_activity = [activity] if isinstance(activity, Classifier) else getattr(activity, "classifiers", [])
        return [*([] if self.cell_types is None else [self.cell_types]), *of_activity]

    def predict(
        self,
        source: OpenAsset,
        output: OutputOptions,
        reading: ReadingOptions | None,
        progress: Progress,
    ) -> tuple[Result, ...]:
        """Predict an asset into a file; the activity comes first, where both are predicted."""
        from ..prediction import predict_activity, predict_activity_and_cell_types, predict_cell_types

        given: dict[str, Any] = {"reading": reading, "progress": progress}
        if self.activity is not None and self.cell_types is not None:
            return predict_activity_and_cell_types(
                source, self.activity, self.cell_types, output, options=self.options, **given
            )
        if self.cell_types is not None:
            found = predict_cell_types(
                source, self.cell_types, output, options=self.options.cell_types, **given
            )
            return (found,)
        assert isinstance(self.activity, Classifier)
        return (predict_activity(source, self.activity, output, options=self.options.activity, **given),)


def choose_predictors(
    task: WhatTask | None,
    classifier: str | Path | Classifier | ActivityByCellType | None,
    cell_type_classifier: str | Path | Classifier | None,
    options: BothOptions,
) -> Predictors:
    """Load the classifiers of a task, and check that they are for it.

    Parameters
    ----------
    task : {"activity", "cell-type", "all"}, optional
        What to predict; by default what `classifier` is for, and activity without one.
    classifier : str, Path, Classifier or ActivityByCellType, optional
        That of activity, or of cell types if these alone are predicted; by default a bundled one.
    cell_type_classifier : str, Path or Classifier, optional
        That of cell types where both are predicted; by default a bundled one.
    options : BothOptions
        How they are used.

    Raises
    ------
    ClassifierError
        If one cannot be found, or is for something else.
    ConfigError
        If the task is unknown, or these do not go together.
    """
    from ..prediction import ActivityByCellType

    loaded: Classifier | ActivityByCellType | None
    if classifier is None or isinstance(classifier, ActivityByCellType):
        loaded = classifier
    else:
        loaded = load_classifier(classifier)
    by_type = isinstance(loaded, ActivityByCellType)
    if task is None:
        of_types = isinstance(loaded, Classifier) and loaded.card.task == "cell_type"
        task = "all" if by_type else "cell-type" if of_types else "activity"
    if task not in get_args(WhatTask):
        what = f"The task '{task}' is not one of: {', '.join(get_args(WhatTask))}"
        raise ConfigError(what)
    if by_type and task != "all":
        what = f"Activity by cell type predicts both, and the task '{task}' asks for one"
        raise ConfigError(what, fix="Leave the task out")
    if task != "all" and cell_type_classifier is not None:
        what = f"A second classifier has no meaning with the task '{task}'"
        raise ConfigError(what, fix="Give the one classifier alone, or the task 'all'")
    if task == "cell-type":
        types = loaded if isinstance(loaded, Classifier) else load_classifier(DEFAULT_CELL_TYPES)
        return Predictors(None, types, options)
    activity = load_classifier(DEFAULT_ACTIVITY) if loaded is None else loaded
    typing = load_classifier(cell_type_classifier or DEFAULT_CELL_TYPES) if task == "all" else None
    return Predictors(activity, typing, options)
