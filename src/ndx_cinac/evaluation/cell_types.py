"""How right predicted cell types are: counts, metrics, and the distribution of the probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..plotting.style import BLUE, new_figure

LEVEL = 0.5
"""At or above it a type counts as predicted, as in DeepCINAC."""


@dataclass(frozen=True)
class CellTypeEvaluation:
    """Predicted cell types beside the annotated ones.

    Attributes
    ----------
    names : tuple of str
        Name of each cell type; a type's code is its place here.
    segments : tuple of str
        File and segment of each prediction.
    true : ndarray of int, shape (n,)
        Code of the annotated type.
    probabilities : ndarray of float, shape (n, n_types), or (n,) from a binary classifier
        Predictions; those of a binary classifier are for the type of code 1.
    left_out : tuple of str
        Segments without a cell type, or with one that the configuration does not have, with the reason.
    """

    names: tuple[str, ...]
    segments: tuple[str, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    left_out: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether the classifier is binary."""
        return self.probabilities.ndim == 1

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Code of the predicted type, shape (n,): the most probable one, or by 0.5 if binary."""
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
        counts: NDArray[np.int64] = np.zeros((len(self.names), len(self.names)), np.int64)
        np.add.at(counts, (self.true, self.predicted), 1)
        return counts

    def report(self) -> str:
        """Return precision, recall and F1 of each type as text.

        Raises
        ------
        MissingExtraError
            If scikit-learn is not installed.
        """
        metrics = require("sklearn.metrics", extra="train", feature="A report on cell types")
        codes = list(range(len(self.names)))
        names = list(self.names)
        options = {"labels": codes, "target_names": names, "digits": 3, "zero_division": np.nan}
        return str(metrics.classification_report(self.true, self.predicted, **options))

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
        counts = ", ".join(
            f"{n} {name}" for name, n in zip(self.names, self.confusion.sum(axis=1), strict=True)
        )
        lines = [f"{len(self.true)} cells: {counts}", f"accuracy {self.accuracy:.3f}"]
        if not len(self.true):
            return "\n".join([*lines, *(f"left out: {reason}" for reason in self.left_out)])
        if self.binary:
            lines += [f"{name} {value:.3f}" for name, value in self.binary_metrics.items()]
        else:
            lines += [
                f"{self.n_without_type} cells without a type of {LEVEL} or more",
                f"{self.n_with_several_types} cells with several such types",
            ]
        lines += ["annotated (rows) and predicted (columns):", str(self.confusion), self.report()]
        for name, values in self.own_probabilities().items():
            figures = (
                f"mean {values.mean():.2f}, std {values.std():.2f}, {values.min():.2f} to {values.max():.2f}"
            )
            lines.append(f"probability in {name} cells: {figures}")
        return "\n".join([*lines, *(f"left out: {reason}" for reason in self.left_out)])

    def save_distributions(self, folder: Path) -> list[Path]:
        """Draw a histogram of the probabilities of each annotated type, and return the files.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        stamp = datetime.now().strftime("%Y_%m_%d.%H-%M-%S")
        files = []
        for name, values in self.own_probabilities().items():
            figure = new_figure(5, 3)
            axes = figure.add_subplot()
            axes.hist(100 * values, bins=20, range=(0, 100), color=BLUE)
            axes.locator_params(axis="y", integer=True)
            about = self.names[1] if self.binary else name
            axes.set(
                xlim=(0, 100), xlabel=f"Probability of {about} (%)", ylabel="Cells", title=f"{name} cells"
            )
            files.append(folder / f"hist_prediction_distribution_{name}_{stamp}.png")
            figure.savefig(files[-1], dpi=150)
        return files


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
