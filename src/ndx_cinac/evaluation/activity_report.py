"""Evaluate predicted activity: from files or arrays to a report, with trace-based methods beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..extras import require
from ..progress import Progress, silent
from ..writing.output import DEFAULT_NAME
from .activity import ActivityCounts, ActivityScores, average_precision, count_activity
from .baselines import METHODS, oasis_is_installed
from .curves import calibration, distribution, precision_recall
from .examples import find_examples, worst
from .recordings import AnnotatedPredictions, annotated_predictions
from .report import ActivityReport, BaselineScores, GroupScores, RecordingScores, RoiScores
from .signals import ChangeTraces, change_traces, overlap, overlap_groups, signal_groups, signal_to_noise
from .thresholds import Known, ThresholdAdvice, advise, best_common_threshold


@dataclass(frozen=True)
class EvaluationOptions:
    """How activity is evaluated.

    Attributes
    ----------
    annotations : str, Path or None
        Another NWB file with the annotations of the same ROIs; each file's own by default.
    name : str
        Name of the predictions in the files.
    threshold : float or None
        At or above it a frame is predicted active, from 0 to 1; None: as the predictions say.
    baselines : bool
        Whether trace-based methods are scored, too, and ROIs grouped by signal-to-noise; the movie is read
        for that.
    n_examples : int
        Misses, and false alarms, that are shown; at least 0.
    """

    annotations: str | Path | None = None
    name: str = DEFAULT_NAME
    threshold: float | None = None
    baselines: bool = True
    n_examples: int = 4

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            what = f"The threshold {self.threshold:g} is not within 0 to 1"
            raise ConfigError(what)
        if self.n_examples < 0:
            what = f"There cannot be {self.n_examples} examples"
            raise ConfigError(what, fix="Give a number of at least 0")


def evaluate_activity(
    sources: str | Path | AnnotatedPredictions | Iterable[str | Path | AnnotatedPredictions],
    options: EvaluationOptions | None = None,
    progress: Progress = silent,
) -> ActivityReport:
    """Compare predicted activity with annotations, inside examined segments and outside doubtful frames.

    Parameters
    ----------
    sources : str, Path, AnnotatedPredictions, or several of them
        NWB files with predictions, or predictions beside their truth as arrays.
    options : EvaluationOptions, optional
        How.
    progress : callable
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    ActivityReport
        Scores over all, by recording, by ROI and by groups of ROIs, curves, baselines and examples.

    Raises
    ------
    ReadingError
        If a file holds no predictions or no annotations, or they are of different ROIs.
    ConfigError
        If there is nothing to evaluate.
    MissingExtraError
        If scikit-learn is not installed.
    """
    require("sklearn.metrics", extra="train", feature="An evaluation")
    options = options or EvaluationOptions()
    single = isinstance(sources, (str, Path, AnnotatedPredictions))
    given: list[Any] = [sources] if single else list(sources)  # type: ignore[arg-type]
    if not given:
        what = "There is nothing to evaluate"
        raise ConfigError(what, fix="Give at least one file with predictions")
    with ExitStack() as stack:
        recordings = [
            each
            if isinstance(each, AnnotatedPredictions)
            else stack.enter_context(annotated_predictions(each, options.annotations, options.name))
            for each in given
        ]
        if options.threshold is not None:
            recordings = [replace(each, threshold=options.threshold) for each in recordings]
        return _report(recordings, options, progress)


def _report(
    recordings: Sequence[AnnotatedPredictions], options: EvaluationOptions, progress: Progress
) -> ActivityReport:
    """Evaluate recordings that are open."""
    traces = [_traces(each, options, progress) for each in recordings]
    rois, counts = [], []
    for recording, trace in zip(recordings, traces, strict=True):
        scored, counted = _by_roi(recording, trace)
        rois += scored
        counts += counted
    examples = [
        find_examples(recording, None if trace is None else trace.demixed, options.n_examples)
        for recording, trace in zip(recordings, traces, strict=True)
    ]
    values = np.concatenate([each.probabilities[each.judged] for each in recordings])
    active = np.concatenate([each.active[each.judged] for each in recordings])
    columns = _Columns(recordings, counts)
    scores, advice = columns.scores(np.ones(len(rois), bool)), _advice(recordings)
    return ActivityReport(
        scores=scores,
        advice=advice,
        at_best=_at(advice.threshold, _known(recordings), scores.average_precision),
        recordings=tuple(_recording(each) for each in recordings),
        rois=tuple(rois),
        by_signal_to_noise=columns.groups(signal_groups, [roi.signal_to_noise for roi in rois])
        if any(trace is not None for trace in traces)
        else (),
        by_overlap=columns.groups(overlap_groups, [roi.overlap for roi in rois]),
        baselines=_baselines(recordings, traces, progress),
        curve=precision_recall(active, values),
        calibration=calibration(active, values),
        distribution=distribution(active, values),
        misses=tuple(worst([one for misses, _ in examples for one in misses], options.n_examples)),
        false_alarms=tuple(worst([one for _, alarms in examples for one in alarms], options.n_examples)),
        notes=tuple(_notes(recordings, traces, options)),
    )


def _traces(
    recording: AnnotatedPredictions, options: EvaluationOptions, progress: Progress
) -> ChangeTraces | None:
    """Extract the traces of a recording's ROIs, where there is a movie and they are wanted."""
    if recording.movie is None or recording.rois is None or not options.baselines:
        return None
    return change_traces(recording.movie, recording.rois, recording.roi_rows, progress)


def _calls(recording: AnnotatedPredictions) -> Known:
    return recording.probabilities >= recording.threshold, recording.active, recording.judged


def _area(recordings: Sequence[Known]) -> float:
    """Average precision of all frames that count."""
    values = np.concatenate([scores[judged] for scores, _, judged in recordings])
    return average_precision(np.concatenate([active[judged] for _, active, judged in recordings]), values)


def _known(recordings: Sequence[AnnotatedPredictions]) -> list[Known]:
    return [(each.probabilities, each.active, each.judged) for each in recordings]


def _at(threshold: float, known: Sequence[Known], area: float) -> ActivityScores:
    """Score all recordings together at one threshold; their average precision is known."""
    counts = sum((count_activity(p >= threshold, a, j) for p, a, j in known), ActivityCounts())
    return counts.scores(threshold, area)


def _advice(recordings: Sequence[AnnotatedPredictions]) -> ThresholdAdvice:
    """Let the annotations choose one threshold; old ones that differ leave nothing to compare it with."""
    own = {each.threshold for each in recordings}
    advice = advise(_known(recordings), min(own))
    return advice if len(own) == 1 else replace(advice, gain=math.nan)


def _recording(recording: AnnotatedPredictions) -> RecordingScores:
    area = _area([(recording.probabilities, recording.active, recording.judged)])
    return RecordingScores(
        name=recording.name,
        n_rois=len(recording.roi_rows),
        n_left_out=recording.n_left_out,
        classifiers=recording.classifiers,
        annotators=recording.annotators,
        superseded=recording.superseded,
        scores=count_activity(*_calls(recording)).scores(recording.threshold, area),
    )


def _by_roi(
    recording: AnnotatedPredictions, traces: ChangeTraces | None
) -> tuple[list[RoiScores], list[ActivityCounts]]:
    """Score each ROI of a recording by itself."""
    rows = recording.roi_rows
    unknown = np.full(len(rows), np.nan)
    strength = unknown if traces is None else signal_to_noise(recording, traces.demixed)
    shared = unknown if recording.rois is None else overlap(recording.rois, rows)
    scored, counted = [], []
    for column, row in enumerate(rows):
        one = slice(column, column + 1)
        calls, active, judged = (array[:, one] for array in _calls(recording))
        counts = count_activity(calls, active, judged)
        area = _area([(recording.probabilities[:, one], active, judged)])
        figures = counts.scores(recording.threshold, area)
        scored.append(
            RoiScores(recording.name, int(row), float(strength[column]), float(shared[column]), figures)
        )
        counted.append(counts)
    return scored, counted


class _Columns:
    """The columns of all recordings, one after another, of which any can be scored together."""

    def __init__(self, recordings: Sequence[AnnotatedPredictions], counts: Sequence[ActivityCounts]) -> None:
        self._recordings, self._counts = recordings, counts
        thresholds = {each.threshold for each in recordings}
        self._threshold = thresholds.pop() if len(thresholds) == 1 else math.nan
        self._ends = np.cumsum([len(each.roi_rows) for each in recordings])

    def scores(self, chosen: NDArray[np.bool_]) -> ActivityScores:
        """Score some columns; `chosen` has an entry per column of all recordings."""
        parts = np.split(chosen, self._ends[:-1])
        known = [
            (each.probabilities[:, part], each.active[:, part], each.judged[:, part])
            for each, part in zip(self._recordings, parts, strict=True)
        ]
        total = sum(
            (counts for counts, wanted in zip(self._counts, chosen, strict=True) if wanted), ActivityCounts()
        )
        return total.scores(self._threshold, _area(known))

    def groups(
        self,
        split: Callable[[NDArray[np.float64]], list[tuple[str, NDArray[np.bool_]]]],
        values: Sequence[float],
    ) -> tuple[GroupScores, ...]:
        """Score groups of columns, leaving out those without any."""
        named = split(np.asarray(values, np.float64))
        return tuple(
            GroupScores(name, int(chosen.sum()), self.scores(chosen))
            for name, chosen in named
            if chosen.any()
        )


def _baselines(
    recordings: Sequence[AnnotatedPredictions], traces: Sequence[ChangeTraces | None], progress: Progress
) -> tuple[BaselineScores, ...]:
    """Score trace-based methods on the recordings that have a movie: only where all have one."""
    if any(each is None for each in traces):
        return ()
    methods = {name: method for name, method in METHODS.items() if name != "OASIS" or oasis_is_installed()}
    jobs = [(name, kind) for kind in ("mean", "demixed") for name in methods]
    found = []
    for done, (name, kind) in enumerate(jobs, 1):
        known: list[Known] = [
            (methods[name](getattr(trace, kind)), recording.active, recording.judged)
            for recording, trace in zip(recordings, traces, strict=True)
        ]
        threshold = best_common_threshold(known, n_candidates=60)
        values = np.concatenate([scores[judged] for scores, _, judged in known])
        active = np.concatenate([truth[judged] for _, truth, judged in known])
        curve = precision_recall(active, values)
        found.append(BaselineScores(name, kind, _at(threshold, known, _area(known)), curve))
        progress("scoring trace-based methods", done, len(jobs))
    return tuple(found)


def _notes(
    recordings: Sequence[AnnotatedPredictions],
    traces: Sequence[ChangeTraces | None],
    options: EvaluationOptions,
) -> list[str]:
    """Say what was left out, and why."""
    notes = []
    superseded = sum(each.superseded for each in recordings)
    if superseded:
        rows = "row of annotations was" if superseded == 1 else "rows of annotations were"
        notes.append(f"{superseded} {rows} superseded by later ones, which count")
    left_out = sum(each.n_left_out for each in recordings)
    if left_out:
        rois = "predicted ROI was" if left_out == 1 else "predicted ROIs were"
        notes.append(f"{left_out} {rois} never examined and left out")
    without = [each.name for each, trace in zip(recordings, traces, strict=True) if trace is None]
    if not options.baselines:
        notes.append("trace-based methods and signal-to-noise were not asked for")
    elif without:
        notes.append(f"no trace-based methods: there is no movie at hand of {', '.join(without)}")
    elif not oasis_is_installed():
        notes.append('OASIS is not installed and was left out: pip install "ndx-cinac[baselines]"')
    return notes
