"""What is predicted of each recording, in names and paths that another process or machine understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from ..classifiers import Classifier, load_classifier
from ..errors import ClassifierError, ConfigError
from ..prediction import (
    BothOptions,
    predict_activity,
    predict_activity_and_cell_types,
    predict_cell_types,
    read_activity_by_cell_type,
)
from ..prediction.activity import DEFAULT_CLASSIFIER, engine_of
from ..prediction.cell_types import DEFAULT_CLASSIFIER as DEFAULT_CELL_TYPES
from ..prediction.cell_types import check_classifier
from ..progress import Progress
from ..reading import ReadingOptions
from ..reading.tiff_movies import is_tiff
from ..results import Result
from ..writing import OutputOptions
from ..writing.output import Task


@dataclass(frozen=True)
class Recipe:
    """What is predicted of each recording, and with what.

    Classifiers are named, not loaded: each worker loads them where it runs, and refuses to go on if it finds
    other weights than `pinned` saw.

    Attributes
    ----------
    tasks : tuple of {"activity", "cell_type"}
        One or both.
    classifier : str or Path
        Of activity: the name of a bundled one, a folder, a zip, or DeepCINAC's .json file.
    weights : str, Path or None
        DeepCINAC's .h5 file that belongs to `classifier`.
    cell_type_classifier, cell_type_weights
        The same for cell types.
    activity_by_cell_type : str, Path or None
        A YAML file with a classifier of activity for each cell type, in place of `classifier`.
    reading : ReadingOptions
        Which movie and segmentation of each file, by name; and which rows.
    options : BothOptions
        Thresholds, memory and speed.
    fingerprints : mapping of str
        SHA-256 of each classifier's weights, by the classifier's name; filled by `pinned`.
    """

    tasks: tuple[Task, ...] = ("activity",)
    classifier: str | Path = DEFAULT_CLASSIFIER
    weights: str | Path | None = None
    cell_type_classifier: str | Path = DEFAULT_CELL_TYPES
    cell_type_weights: str | Path | None = None
    activity_by_cell_type: str | Path | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    options: BothOptions = field(default_factory=BothOptions)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks) or set(self.tasks) - set(get_args(Task)):
            what = f"The tasks {self.tasks} are not one or both of {get_args(Task)}"
            raise ConfigError(what)
        if self.activity_by_cell_type is not None and len(self.tasks) < 2:
            what = "Activity by cell type predicts both, and one task was given"
            raise ConfigError(what, fix="Give both tasks, 'activity' and 'cell_type'")
        movie = self.reading.movie
        if not (movie is None or isinstance(movie, str)) or (isinstance(movie, str) and is_tiff(movie)):
            what = "One movie from outside of the files cannot be that of several recordings"
            raise ConfigError(what, fix="Predict that recording alone, or name a series that each file holds")

    def pinned(self) -> Recipe:
        """Load every classifier's card and check it; return the recipe with absolute paths and fingerprints.

        Raises
        ------
        ClassifierError, ConfigError
            As `predict_activity` and `predict_cell_types` before they begin.
        """
        loaded = self.load()
        names = (
            "classifier",
            "weights",
            "cell_type_classifier",
            "cell_type_weights",
            "activity_by_cell_type",
        )
        absolute: dict[str, Any] = {name: _absolute(getattr(self, name)) for name in names}
        types = self.options.cell_types
        if types.cell_types is not None:
            types = replace(types, cell_types=Path(types.cell_types).expanduser().resolve())
        absolute["options"] = replace(self.options, cell_types=types)
        return replace(self, **absolute, fingerprints={each.card.name: each.card.sha256 for each in loaded})

    def load(self) -> tuple[Classifier, ...]:
        """Load the cards of all classifiers, those of cell types first; networks come when they are used.

        Raises
        ------
        ClassifierError
            If one cannot be found, is damaged, is of another kind, or is not the one that was pinned.
        """
        found: list[Classifier] = []
        if "cell_type" in self.tasks:
            found.append(_load(self.cell_type_classifier, self.cell_type_weights))
            _, types = check_classifier(found[0], self.options.cell_types)
        if self.activity_by_cell_type is not None:
            by_type = read_activity_by_cell_type(self.activity_by_cell_type)
            by_type.check(types, self.options.activity)
            found.extend(by_type.classifiers)
        elif "activity" in self.tasks:
            found.append(_load(self.classifier, self.weights))
            engine_of(found[-1])
        for each in found:
            pinned = self.fingerprints.get(each.card.name, each.card.sha256)
            if pinned != each.card.sha256:
                what = (
                    f"Classifier '{each.card.name}' has the SHA-256 {each.fingerprint} here, and "
                    f"{pinned[:12]} where the work was handed out"
                )
                raise ClassifierError(
                    what, where=str(each.folder), fix="Install the same one on all machines"
                )
        return tuple(found)

    def predict(self, source: Path, output: OutputOptions, progress: Progress) -> tuple[Result, ...]:
        """Predict one file and write that; errors are those of `predict_activity_and_cell_types`."""
        loaded = self.load()
        given: dict[str, Any] = {"reading": self.reading, "progress": progress}
        if self.tasks == ("activity",):
            return (predict_activity(source, loaded[0], output, options=self.options.activity, **given),)
        if self.tasks == ("cell_type",):
            return (predict_cell_types(source, loaded[0], output, options=self.options.cell_types, **given),)
        activity: Any = loaded[-1]
        if self.activity_by_cell_type is not None:
            activity = read_activity_by_cell_type(self.activity_by_cell_type)
        return predict_activity_and_cell_types(
            source, activity, loaded[0], output, options=self.options, **given
        )


def _load(classifier: str | Path, weights: str | Path | None) -> Classifier:
    """Load a classifier's card: one of ndx-cinac, or of DeepCINAC's two files."""
    if weights is None:
        return load_classifier(classifier)
    from ..legacy import load_legacy

    return load_legacy(classifier, weights)


def _absolute(path: str | Path | None) -> str | Path | None:
    """Return what is a path as an absolute one; the name of a bundled classifier stays a name."""
    if path is None or (isinstance(path, str) and not Path(path).expanduser().exists()):
        return path
    from ..classifiers import list_classifiers

    if isinstance(path, str) and path in {card.name for card in list_classifiers()}:
        return path
    return Path(path).expanduser().resolve()
