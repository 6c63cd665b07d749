"""What an evaluation of activity found: figures in all groupings, as text, as Markdown and as JSON types."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .activity import MIN_OVERLAP, ActivityScores
from .curves import Calibration, Distribution, PrecisionRecall
from .examples import Example
from .thresholds import ThresholdAdvice

SHOWN_ROIS = 10
"""Markdown shows so many ROIs, those with the lowest F1 of transients; JSON has all."""

COLUMNS = (
    ("sensitivity", "sensitivity"),
    ("specificity", "specificity"),
    ("precision", "precision"),
    ("NPV", "negative_predictive_value"),
    ("frame F1", "frame_f1"),
    ("average precision", "average_precision"),
    ("event recall", "event_recall"),
    ("event precision", "event_precision"),
    ("event F1", "event_f1"),
)
"""Headings of a table of scores, and the fields of `ActivityScores` below them."""


@dataclass(frozen=True)
class RecordingScores:
    """One recording: its scores, and what they rest on.

    Attributes
    ----------
    name : str
        The file's name.
    n_rois, n_left_out : int
        ROIs that were scored, and predicted ones of which nothing is known.
    classifiers, annotators : tuple of str
        Who predicted and who annotated.
    superseded : int
        Annotations that do not count, because a later one says otherwise.
    scores : ActivityScores
        At the recording's own threshold.
    """

    name: str
    n_rois: int
    n_left_out: int
    classifiers: tuple[str, ...]
    annotators: tuple[str, ...]
    superseded: int
    scores: ActivityScores


@dataclass(frozen=True)
class RoiScores:
    """One ROI: `signal_to_noise` and `overlap` are NaN where they are not known."""

    recording: str
    row: int
    signal_to_noise: float
    overlap: float
    scores: ActivityScores


@dataclass(frozen=True)
class GroupScores:
    """Some ROIs together."""

    group: str
    n_rois: int
    scores: ActivityScores


@dataclass(frozen=True)
class BaselineScores:
    """A trace-based method, at the threshold that suits these very recordings best.

    Attributes
    ----------
    method : str
        What it does with a trace.
    traces : {"mean", "demixed"}
        Which trace: the mean within each mask, or the demixed one.
    scores : ActivityScores
        The threshold is in units of the trace's noise.
    curve : PrecisionRecall
        Of frames.
    """

    method: str
    traces: str
    scores: ActivityScores
    curve: PrecisionRecall

    @property
    def label(self) -> str:
        """Method and traces in words."""
        return self.method if self.traces == "mean" else f"{self.method}, demixed"


@dataclass(frozen=True)
class ActivityReport:
    """How well predicted activity agrees with annotations.

    Attributes
    ----------
    scores : ActivityScores
        All recordings together; the threshold is NaN where theirs differ.
    advice : ThresholdAdvice
        The threshold that these annotations choose, and whether to take it.
    at_best : ActivityScores
        The scores at that threshold.
    recordings, rois : tuple
        One by one.
    by_signal_to_noise, by_overlap : tuple of GroupScores
        ROIs grouped by their typical transient's height over the noise, and by the part of their pixels that
        other ROIs share; groups without ROIs are left out.
    baselines : tuple of BaselineScores
        Trace-based methods; empty where there is no movie.
    curve : PrecisionRecall
    calibration : Calibration
    distribution : Distribution
        Of frames.
    misses, false_alarms : tuple of Example
        The worst first.
    notes : tuple of str
        What a reader should know.
    """

    scores: ActivityScores
    advice: ThresholdAdvice
    at_best: ActivityScores
    recordings: tuple[RecordingScores, ...]
    rois: tuple[RoiScores, ...]
    by_signal_to_noise: tuple[GroupScores, ...]
    by_overlap: tuple[GroupScores, ...]
    baselines: tuple[BaselineScores, ...]
    curve: PrecisionRecall
    calibration: Calibration
    distribution: Distribution
    misses: tuple[Example, ...]
    false_alarms: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures of examples, as JSON types; None for what is not defined."""
        return {
            "task": "activity",
            "overall": self.scores.to_dict(),
            "at_best_threshold": self.at_best.to_dict(),
            "best_threshold_gain_on_other_rois": _number(self.advice.gain),
            "recordings": [
                {
                    "name": each.name,
                    "n_rois": each.n_rois,
                    "n_left_out": each.n_left_out,
                    "classifiers": list(each.classifiers),
                    "annotators": list(each.annotators),
                    "superseded": each.superseded,
                    "scores": each.scores.to_dict(),
                }
                for each in self.recordings
            ],
            "by_signal_to_noise": [_group(each) for each in self.by_signal_to_noise],
            "by_overlap": [_group(each) for each in self.by_overlap],
            "rois": [
                {
                    "recording": each.recording,
                    "row": each.row,
                    "signal_to_noise": _number(each.signal_to_noise),
                    "overlap": _number(each.overlap),
                    "scores": each.scores.to_dict(),
                }
                for each in self.rois
            ],
            "baselines": [
                {"method": each.method, "traces": each.traces, "scores": each.scores.to_dict()}
                for each in self.baselines
            ],
            "precision_recall": {
                "recall": _numbers(self.curve.recall),
                "precision": _numbers(self.curve.precision),
            },
            "calibration": {
                "error": _number(self.calibration.error),
                "mean_probability": _numbers(self.calibration.mean_probability),
                "active_share": _numbers(self.calibration.active_share),
                "n_frames": self.calibration.n_frames.tolist(),
            },
            "distribution": {
                "edges": _numbers(self.distribution.edges),
                "n_active": self.distribution.n_active.tolist(),
                "n_inactive": self.distribution.n_inactive.tolist(),
            },
            "examples": [each.to_dict() for each in (*self.misses, *self.false_alarms)],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_markdown(self) -> str:
        """Return all figures as tables."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from ("# Predicted against annotated activity", "", *self._facts(), "")
        others = self._rows_at_their_best()
        yield from _table("method", [("classifier", self.scores), *others])
        if others:
            yield "\nAll rows but the first have a threshold that was chosen by these very annotations."
        yield from self._advice()
        if len(self.recordings) > 1:
            yield from ("", "## By recording", "")
            yield from _table("recording", [(each.name, each.scores) for each in self.recordings])
        for title, groups in (
            ("Signal-to-noise: height of the ROI's median transient over its noise", self.by_signal_to_noise),
            ("Overlap: part of the ROI's pixels that other ROIs share", self.by_overlap),
        ):
            if groups:
                yield from ("", f"## {title}", "")
                yield from _table(
                    "group", [(f"{g.group} ({_count(g.n_rois, 'ROI')})", g.scores) for g in groups]
                )
        yield from ("", "## ROIs with the lowest event F1", "")
        low = sorted(self.rois, key=lambda roi: (math.isnan(roi.scores.event_f1), roi.scores.event_f1))
        yield from _table("ROI", [(f"{r.recording}, row {r.row}", r.scores) for r in low[:SHOWN_ROIS]])
        for title, examples in (("Worst misses", self.misses), ("Worst false alarms", self.false_alarms)):
            if examples:
                yield from ("", f"## {title}", "")
                yield from (f"- {_example(each)}" for each in examples)

    def _facts(self) -> Iterator[str]:
        """Say what was compared, one line each."""
        total = self.scores
        yield (
            f"- {_count(len(self.recordings), 'recording')}, {_count(len(self.rois), 'ROI')}, "
            f"{total.n_frames} judged frames of ROIs, {total.prevalence:.2%} of them active"
        )
        yield (
            f"- {_count(total.n_transients, 'annotated transient')}, {total.n_predicted} predicted, "
            f"{total.n_matched} matched one to one (intersection over union of at least {MIN_OVERLAP:g})"
        )
        threshold = "each recording's own" if math.isnan(total.threshold) else f"{total.threshold:g}"
        yield f"- threshold: {threshold}; calibration error {self.calibration.error:.3f}"
        for title, field in (("classifiers", "classifiers"), ("annotators", "annotators")):
            names = sorted({name for each in self.recordings for name in getattr(each, field)})
            yield f"- {title}: {', '.join(names) or 'not named'}"
        yield from (f"- {note}" for note in self.notes)

    def _rows_at_their_best(self) -> list[tuple[str, ActivityScores]]:
        rows = [(each.label, each.scores) for each in self.baselines]
        if self.at_best.threshold == self.scores.threshold:
            return rows
        return [(f"classifier, at {self.at_best.threshold:g}", self.at_best), *rows]

    def _advice(self) -> Iterator[str]:
        """Say whether another threshold would win anything on ROIs that did not choose it."""
        if math.isnan(self.advice.gain):
            return
        tested = "When each ROI is given the threshold that the others choose, event F1"
        if not self.advice.worth_it:
            yield f"\n{tested} changes by {self.advice.gain:+.3f}: keep {self.scores.threshold:g}."
            return
        yield (
            f"\n{tested} wins {self.advice.gain:.3f}. `ndx-cinac threshold FILE {self.advice.threshold:g} "
            "--output OUT.nwb` takes the one that all of them choose."
        )


def _table(first: str, rows: Sequence[tuple[str, ActivityScores]]) -> Iterator[str]:
    """Lines of a table with a row of scores for each name."""
    yield f"| {first} | " + " | ".join(title for title, _ in COLUMNS) + " |"
    yield "| --- " * (1 + len(COLUMNS)) + "|"
    for name, scores in rows:
        values = (getattr(scores, field) for _, field in COLUMNS)
        yield f"| {name} | " + " | ".join("-" if math.isnan(v) else f"{v:.3f}" for v in values) + " |"


def _example(example: Example) -> str:
    height = "" if math.isnan(example.height) else f", rises {example.height:.1f} times the noise"
    return (
        f"{example.recording}, ROI {example.row}, frames {example.first_frame} to {example.last_frame}: "
        f"highest probability {example.peak_probability:.2f}{height}"
    )


def _group(group: GroupScores) -> dict[str, Any]:
    return {"group": group.group, "n_rois": group.n_rois, "scores": group.scores.to_dict()}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def _numbers(values: Any) -> list[float | None]:
    return [_number(value) for value in values]
