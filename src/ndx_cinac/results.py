"""What a prediction returns: plain arrays with their rows, times and origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from .recording import Source, Times

if TYPE_CHECKING:
    import pandas

    from .neurodata import CellTypeMeaning

SHOWN_SKIPPED = 5
SHOWN_NOTES = 8
"""A summary shows so many skipped ROIs and notes, and counts the others."""


@dataclass(frozen=True)
class ClassifierInfo:
    """Which classifier made a prediction: a row of the file's ClassifierTable."""

    name: str
    task: str
    version: str
    sha256: str
    description: str
    model_card: str
    """The whole card as JSON."""


@dataclass(frozen=True)
class ActivityResult:
    """Probability that each ROI is active, frame by frame.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_frames, n_predicted)
        From 0 to 1; time first, one column per predicted ROI.
    roi_rows, roi_ids : ndarray of int64, shape (n_predicted,)
        Row in the plane segmentation, and that row's id, of each column.
    times : Times
        When each frame was taken.
    threshold : float
        At or above it a frame counts as active.
    classifiers : tuple of ClassifierInfo
        The classifiers used.
    classifier_index : ndarray of int64, shape (n_predicted,)
        Which of them predicted each column.
    definition : str
        What the probability means.
    skipped : mapping of int to str
        Rows that were not predicted, with the reason.
    parameters : mapping
        Everything that shaped the numbers, as JSON types.
    device : str
        Where the network ran.
    source : Source or None
        The NWB objects that were read.
    notes : tuple of str
        What a user should know.
    output : Path or None
        The file that was written.
    seconds : float
        How long the prediction took, without reading the source and writing; NaN where it is not known.
    """

    task: ClassVar[Literal["activity"]] = "activity"
    probabilities: NDArray[np.float32]
    roi_rows: NDArray[np.int64]
    roi_ids: NDArray[np.int64]
    times: Times
    threshold: float
    classifiers: tuple[ClassifierInfo, ...]
    classifier_index: NDArray[np.int64]
    definition: str
    skipped: Mapping[int, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    source: Source | None = None
    notes: tuple[str, ...] = ()
    output: Path | None = None
    seconds: float = float("nan")

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.probabilities.shape[0])

    @property
    def active(self) -> NDArray[np.bool_]:
        """Whether each ROI is active in each frame, shape (n_frames, n_predicted)."""
        return self.probabilities >= self.threshold

    @property
    def transients(self) -> pandas.DataFrame:
        """Unbroken runs of active frames, one row each, in the order of the columns and of their frames.

        Columns: roi_row, roi_id, first_frame, last_frame (inclusive), timestamp (seconds, of the first
        frame), duration (seconds, from the first frame to the end of the last one, which lasts one usual
        frame interval), peak_probability, mean_probability.
        """
        import pandas as pd

        bordered = np.zeros((self.n_frames + 2, self.probabilities.shape[1]), np.int8)
        bordered[1:-1] = self.active
        change = np.diff(bordered, axis=0).T
        column, first = np.nonzero(change == 1)
        last = np.nonzero(change == -1)[1] - 1
        seconds = self.times.seconds()
        runs = [self.probabilities[a : b + 1, c] for a, b, c in zip(first, last, column, strict=True)]
        return pd.DataFrame(
            {
                "roi_row": self.roi_rows[column],
                "roi_id": self.roi_ids[column],
                "first_frame": first,
                "last_frame": last,
                "timestamp": seconds[first],
                "duration": seconds[last] - seconds[first] + self.times.frame_interval,
                "peak_probability": np.array([run.max() for run in runs], np.float32),
                "mean_probability": np.array([run.mean() for run in runs], np.float32),
            }
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """Probabilities as a table: index "time (s)", one column per ROI id."""
        import pandas as pd

        return pd.DataFrame(
            self.probabilities,
            index=pd.Index(self.times.seconds(), name="time (s)"),
            columns=pd.Index(self.roi_ids, name="ROI id"),
        )

    def summary(self) -> str:
        """One screen of text: what was predicted, with what, and what came of it."""
        transients = self.transients
        per_roi = transients.groupby("roi_row").size().reindex(self.roi_rows, fill_value=0)
        rate = self.times.frame_rate
        minutes = self.n_frames * self.times.frame_interval / 60
        counts = (
            f"; per ROI: median {per_roi.median():g}, most {per_roi.max()}, none in {(per_roi == 0).sum()}"
            if len(per_roi)
            else ""
        )
        share = float(self.active.mean()) if self.active.size else 0.0
        lines = [
            f"{len(self.roi_rows)} ROIs, {self.n_frames} frames"
            + (f" ({minutes:.1f} min at {rate:.3g} Hz)" if rate > 0 else ""),
            *_classifier_lines(self),
            f"device       {self.device or 'unknown'}",
            f"threshold    {self.threshold:g}: {self.definition}",
            f"active       {share:.2%} of all frames of all ROIs",
            f"transients   {len(transients)}{counts}",
        ]
        return "\n".join(lines + _closing_lines(self))


@dataclass(frozen=True)
class CellTypeResult:
    """Probability of each cell type, ROI by ROI.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_predicted, n_types)
        From 0 to 1; one row per predicted ROI.
    cell_types : tuple of str
        Names of the types, in the order of the columns.
    codes : ndarray of int64, shape (n_predicted,)
        The column of each ROI's predicted type.
    confidence : ndarray of float32, shape (n_predicted,)
        Probability of the predicted type.
    roi_rows, roi_ids : ndarray of int64, shape (n_predicted,)
        Row in the plane segmentation, and that row's id, of each ROI.
    classifiers : tuple of ClassifierInfo
        The classifiers used.
    classifier_index : ndarray of int64, shape (n_predicted,)
        Which of them predicted each ROI.
    meanings : mapping of str to CellTypeMeaning
        What each type means, with its synonyms and its term of the Cell Ontology.
    definition : str
        What the probability means.
    skipped, parameters, device, source, notes, output, seconds
        As in `ActivityResult`.
    """

    task: ClassVar[Literal["cell_type"]] = "cell_type"
    probabilities: NDArray[np.float32]
    cell_types: tuple[str, ...]
    codes: NDArray[np.int64]
    confidence: NDArray[np.float32]
    roi_rows: NDArray[np.int64]
    roi_ids: NDArray[np.int64]
    classifiers: tuple[ClassifierInfo, ...]
    classifier_index: NDArray[np.int64]
    meanings: Mapping[str, CellTypeMeaning] = field(default_factory=dict)
    definition: str = ""
    skipped: Mapping[int, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    source: Source | None = None
    notes: tuple[str, ...] = ()
    output: Path | None = None
    seconds: float = float("nan")

    @property
    def labels(self) -> list[str]:
        """Name of each ROI's predicted type."""
        return [self.cell_types[code] for code in self.codes]

    @property
    def counts(self) -> dict[str, int]:
        """Number of ROIs of each type, in the order of `cell_types`."""
        numbers = np.bincount(self.codes, minlength=len(self.cell_types))
        return dict(zip(self.cell_types, numbers.tolist(), strict=True))

    def to_dataframe(self) -> pandas.DataFrame:
        """Predictions as a table: one row per ROI.

        Columns: roi_row, roi_id, cell_type, confidence, "probability NAME" for each type, classifier.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "roi_row": self.roi_rows,
                "roi_id": self.roi_ids,
                "cell_type": self.labels,
                "confidence": self.confidence,
                **{f"probability {name}": self.probabilities[:, k] for k, name in enumerate(self.cell_types)},
                "classifier": [self.classifiers[index].name for index in self.classifier_index],
            }
        )

    def summary(self) -> str:
        """One screen of text: what was predicted, with what, and what came of it."""
        lines = [
            f"{len(self.roi_rows)} ROIs",
            *_classifier_lines(self),
            f"device       {self.device or 'unknown'}",
        ]
        for code, (name, number) in enumerate(self.counts.items()):
            sure = self.confidence[self.codes == code]
            shown = (
                f", confidence: median {np.median(sure):.2f}, lowest {sure.min():.2f}" if len(sure) else ""
            )
            lines.append(f"{'cell types' if code == 0 else '':13}{name}: {number}{shown}")
        return "\n".join(lines + _closing_lines(self))


Result = ActivityResult | CellTypeResult


def _classifier_lines(result: Result) -> list[str]:
    """Return a line for each classifier; of several, with the number of its ROIs."""
    numbers = np.bincount(result.classifier_index, minlength=len(result.classifiers))
    several = len(result.classifiers) > 1
    return [
        f"classifier   {c.name} {c.version} (sha256 {c.sha256[:12]})" + (f": {n} ROIs" if several else "")
        for c, n in zip(result.classifiers, numbers, strict=True)
    ]


def _closing_lines(result: Result) -> list[str]:
    """Return what every summary ends with: what was left out, notes, the file, the time."""
    lines = []
    if result.skipped:
        reasons = [f"row {row}: {why}" for row, why in result.skipped.items()]
        shown = "; ".join(reasons[:SHOWN_SKIPPED]) + (
            f"; and {len(reasons) - SHOWN_SKIPPED} more" if len(reasons) > SHOWN_SKIPPED else ""
        )
        lines.append(f"left out     {len(reasons)} ROI{'s' if len(reasons) > 1 else ''} ({shown})")
    lines += [f"note         {note}" for note in result.notes[:SHOWN_NOTES]]
    if len(result.notes) > SHOWN_NOTES:
        lines.append(f"             and {len(result.notes) - SHOWN_NOTES} more")
    if result.output is not None:
        lines.append(f"written to   {result.output}")
    if np.isfinite(result.seconds):
        lines.append(f"time         {result.seconds:.1f} s")
    return lines
