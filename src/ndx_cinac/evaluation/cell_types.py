"""How right predicted cell types are: counts, metrics, and the distribution of the probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require

LEVEL = 0.5
"""At or above it a type counts as predicted, as in DeepCINAC."""


@dataclass(frozen=True)
class ClassScores:
    """One cell type: NaN where a figure is not defined.

    Attributes
    ----------
    name : str
        The type.
    n_cells : int
        Cells annotated as such.
    precision, recall, f1 : float
        From 0 to 1.
    """

    name: str
    n_cells: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class CellTypeEvaluation:
    """Predicted cell types beside the annotated ones.

    Attributes
    ----------
    names : tuple of str
        Name of each cell type; a type's code is its place here.
    segments : tuple of str
        File and segment, or file and ROI, of each prediction.
    true : ndarray of int, shape (n,)
        Code of the annotated type.
    probabilities : ndarray of float, shape (n, n_types), or (n,) from a binary classifier
        Predictions; those of a binary classifier are for the type of code 1.
    left_out : tuple of str
        What was not counted, with the reason: no cell type, or one that cannot be predicted.
    labels : ndarray of int, shape (n,), or None
        Code of the type that was predicted, where that was written down; else it follows from the
        probabilities.
    notes : tuple of str
        What a reader should know.
    """

    names: tuple[str, ...]
    segments: tuple[str, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    left_out: tuple[str, ...] = ()
    labels: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether the classifier is binary."""
        return self.probabilities.ndim == 1

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Code of the predicted type, shape (n,): as written down, else the most probable one."""
        if self.labels is not None:
            return self.labels
        if self.binary:
            return np.asarray(self.probabilities >= LEVEL, dtype=np.int64)
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def accuracy(self) -> float:
        """Share of cells whose type is right; NaN if there are none."""
        return _share(int((self.predicted == self.true).sum()), len(self.true))

    @property
    def binary_metrics(self) -> dict[str, float]:
        """Sensitivity, specificity and predictive values for the type of code 1; NaN where nothing counts."""
        yes, predicted = self.true == 1, self.predicted == 1
        hits, correct_rejections = int((yes & predicted).sum()), int((~yes & ~predicted).sum())
        return {
            "sensitivity": _share(hits, int(yes.sum())),
            "specificity": _share(correct_rejections, int((~yes).sum())),
            "positive predictive value": _share(hits, int(predicted.sum())),
            "negative predictive value": _share(correct_rejections, int((~predicted).sum())),
        }

    @property
    def n_without_type(self) -> int:
        """Number of cells of which no type reaches 0.5, from a classifier of several types."""
        return 0 if self.binary else int((self.probabilities < LEVEL).all(axis=1).sum())

    @property
    def n_with_several_types(self) -> int:
        """Number of cells of which more than one type reaches 0.5."""
        return 0 if self.binary else int(((self.probabilities >= LEVEL).sum(axis=1) > 1).sum())

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Cells by annotated type (rows) and predicted type (columns), in the order of `names`."""
        counted = _metrics().confusion_matrix(self.true, self.predicted, labels=self._codes)
        return np.asarray(counted, np.int64)

    @property
    def classes(self) -> tuple[ClassScores, ...]:
        """Precision, recall and F1 of each type."""
        figures = _metrics().precision_recall_fscore_support(
            self.true, self.predicted, labels=self._codes, zero_division=np.nan
        )
        return tuple(
            ClassScores(name, int(n), float(precision), float(recall), float(f1))
            for name, precision, recall, f1, n in zip(self.names, *figures, strict=True)
        )

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the types that were annotated, however rare; NaN if there are no cells."""
        recalls = [each.recall for each in self.classes if each.n_cells]
        return float(np.mean(recalls)) if recalls else math.nan

    @property
    def _codes(self) -> list[int]:
        return list(range(len(self.names)))

    def report(self) -> str:
        """Return precision, recall and F1 of each type as text.

        Raises
        ------
        MissingExtraError
            If scikit-learn is not installed.
        """
        options = {"target_names": list(self.names), "digits": 3, "zero_division": np.nan}
        return str(_metrics().classification_report(self.true, self.predicted, labels=self._codes, **options))

    def own_probabilities(self) -> dict[str, NDArray[np.float64]]:
        """Return for each annotated type the probability that its cells were given for it.

        From a binary classifier, it is the probability of the type of code 1 throughout.
        """
        values = (
            self.probabilities if self.binary else self.probabilities[np.arange(len(self.true)), self.true]
        )
        return {
            name: values[self.true == code]
            for code, name in enumerate(self.names)
            if (self.true == code).any()
        }

    def summary(self) -> str:
        """Return everything as one screen of text."""
        lines = [f"{len(self.true)} cells: {self._counts()}", f"accuracy {self.accuracy:.3f}"]
        behind = [*self.notes, *(f"left out: {reason}" for reason in self.left_out)]
        if not len(self.true):
            return "\n".join([*lines, *behind])
        lines.append(f"balanced accuracy {self.balanced_accuracy:.3f}")
        lines += [f"{name} {value:.3f}" for name, value in self._binary_figures()]
        lines += list(self._uncertain())
        lines += ["annotated (rows) and predicted (columns):", str(self.confusion), self.report()]
        lines += list(self._spreads())
        return "\n".join([*lines, *behind])

    def to_dict(self) -> dict[str, Any]:
        """Return all figures and cells as JSON types; None for what is not defined."""
        return {
            "task": "cell-type",
            "cell_types": list(self.names),
            "n_cells": len(self.true),
            "accuracy": _number(self.accuracy),
            "balanced_accuracy": _number(self.balanced_accuracy),
            "binary": {name: _number(value) for name, value in self._binary_figures()},
            "n_without_type": self.n_without_type,
            "n_with_several_types": self.n_with_several_types,
            "confusion": self.confusion.tolist(),
            "classes": [
                {
                    "name": each.name,
                    "n_cells": each.n_cells,
                    "precision": _number(each.precision),
                    "recall": _number(each.recall),
                    "f1": _number(each.f1),
                }
                for each in self.classes
            ],
            "cells": [
                {
                    "cell": cell,
                    "annotated": self.names[true],
                    "predicted": self.names[predicted],
                    "probability": np.round(probability, 4).tolist(),
                }
                for cell, true, predicted, probability in zip(
                    self.segments, self.true, self.predicted, self.probabilities, strict=True
                )
            ],
            "left_out": list(self.left_out),
            "notes": list(self.notes),
        }

    def to_markdown(self) -> str:
        """Return all figures as lists and tables."""
        return "\n".join(self._markdown()) + "\n"

    def _markdown(self) -> Iterator[str]:
        yield from ("# Predicted against annotated cell types", "")
        yield f"- {len(self.true)} cells: {self._counts()}"
        yield f"- accuracy {self.accuracy:.3f}, balanced accuracy {self.balanced_accuracy:.3f}"
        yield from (f"- {name} {value:.3f}" for name, value in self._binary_figures())
        yield from (f"- {line}" for line in (*self._uncertain(), *self._spreads(), *self.notes))
        yield from (f"- left out: {reason}" for reason in self.left_out)
        yield from ("", "| type | cells | precision | recall | F1 |", "| --- | --- | --- | --- | --- |")
        for each in self.classes:
            figures = (each.precision, each.recall, each.f1)
            shown = " | ".join("-" if math.isnan(value) else f"{value:.3f}" for value in figures)
            yield f"| {each.name} | {each.n_cells} | {shown} |"
        yield from ("", "| annotated as, predicted as | " + " | ".join(self.names) + " |")
        yield "| --- " * (1 + len(self.names)) + "|"
        for name, row in zip(self.names, self.confusion.tolist(), strict=True):
            yield f"| {name} | " + " | ".join(str(count) for count in row) + " |"

    def _counts(self) -> str:
        counts = np.bincount(self.true, minlength=len(self.names))
        return ", ".join(f"{n} {name}" for name, n in zip(self.names, counts, strict=True))

    def _binary_figures(self) -> list[tuple[str, float]]:
        """Return the figures that DeepCINAC prints for two types, of the second one."""
        return list(self.binary_metrics.items()) if len(self.names) == 2 else []

    def _uncertain(self) -> Iterator[str]:
        """Count cells that are not clearly of one type; with one probability there are none."""
        if not self.binary:
            yield f"{self.n_without_type} cells without a type of {LEVEL} or more"
            yield f"{self.n_with_several_types} cells with several such types"

    def _spreads(self) -> Iterator[str]:
        """Say how the probabilities of each annotated type are distributed."""
        for name, values in self.own_probabilities().items():
            spread = f"mean {values.mean():.2f}, std {values.std():.2f}"
            yield f"probability in {name} cells: {spread}, {values.min():.2f} to {values.max():.2f}"

    def save_distributions(self, folder: Path, kind: str = "png") -> list[Path]:
        """Draw a histogram of the probabilities of each annotated type, and return the files.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from ..plotting.cell_type_evaluation import plot_distribution

        stamp = datetime.now().strftime("%Y_%m_%d.%H-%M-%S")
        files = []
        for name in self.own_probabilities():
            files.append(folder / f"hist_prediction_distribution_{name}_{stamp}.{kind}")
            plot_distribution(self, name).savefig(files[-1], dpi=150)
        return files


def _metrics() -> Any:
    return require("sklearn.metrics", extra="train", feature="An evaluation of cell types")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
