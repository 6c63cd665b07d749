"""The demonstration: simulate a recording, predict it, score it against the truth, draw it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..extras import require
from ..progress import Progress, silent
from ..writing import OutputOptions

if TYPE_CHECKING:
    from ..evaluation import ActivityScores
    from ..results import ActivityResult
    from ..simulation import SimulatedField

PRESET = "two-photon-sparse"
RECORDING = "simulated.nwb"
PREDICTED = "simulated_cinac.nwb"

NEEDED = ("matplotlib", "scipy", "sklearn", "tensorflow")
"""What the demonstration imports: asked for before anything is done, what imports slowly last."""

EXTRAS = "train,plot"
"""The extras that install all of it, so that one command is enough."""


def run_demo(
    folder: str | Path,
    *,
    seed: int = 1,
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
    progress: Progress = silent,
) -> ActivityResult:
    """Make a simulated recording with predictions and figures in a folder, and say how right they are.

    Parameters
    ----------
    folder : str or Path
        Where everything goes; made where it is absent. What else it holds is left alone.
    seed : int
        The same seed gives the same recording.
    overwrite : bool
        Replace the files of an earlier demonstration.
    say : callable, optional
        Given lines for people as the work goes on.
    progress : callable
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    ActivityResult
        The predictions, as they were written.

    Raises
    ------
    OutputError
        If the folder holds an earlier demonstration that is not to be replaced, or cannot be made.
    MissingExtraError
        If a package that is needed is not installed.
    """
    require_packages()
    from ..plotting import plot_file
    from ..prediction import predict_activity
    from ..simulation import load_config, simulate_field
    from ..simulation.nwb import write_nwb

    started, tell = time.perf_counter(), say or (lambda _: None)
    recording, predicted = prepare_folder(Path(folder).expanduser(), overwrite=overwrite)
    field = simulate_field(load_config(PRESET), seed)
    write_nwb(field, recording)
    tell(f"simulated    a two-photon recording with known activity, seed {seed}: {recording}")
    result = predict_activity(recording, output=OutputOptions(predicted), progress=progress)
    tell(result.summary())
    tell("\n" + score_table(result, field))
    figures = plot_file(predicted, predicted.parent)
    tell("\nfigures\n" + "\n".join(f"  {path}" for path in figures))
    tell(next_steps(recording, predicted))
    tell(f"\n{time.perf_counter() - started:.0f} s in all")
    return result


def require_packages() -> None:
    """Import what the demonstration needs.

    Raises
    ------
    MissingExtraError
        If a package is not installed.
    """
    for package in NEEDED:
        require(package, extra=EXTRAS, feature="The demonstration")


def prepare_folder(folder: Path, *, overwrite: bool) -> tuple[Path, Path]:
    """Make the folder and return the paths of the recording and of the file with predictions; neither exists.

    Raises
    ------
    OutputError
        If one of them exists and is not to be replaced, or the folder cannot be made.
    """
    goals = folder / RECORDING, folder / PREDICTED
    present = [goal for goal in goals if goal.exists()]
    if present and not overwrite:
        what = f"The folder holds an earlier demonstration: {present[0].name}"
        raise OutputError(what, where=str(folder), fix="Choose another folder, or replace it (--overwrite)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for goal in present:
            goal.unlink()
    except OSError as error:
        what = f"The folder cannot be used: {error.strerror or error}"
        raise OutputError(what, where=str(folder), fix="Choose another folder") from error
    return goals


def score_table(result: ActivityResult, field: SimulatedField) -> str:
    """Return how right predictions are, beside two trace-based methods, as a few lines of text.

    Each of them has the threshold that suits this very recording best: an advantage that no user has.
    """
    from ..evaluation import best_threshold, score_activity, smoothed_rise_scores, smoothed_trace_scores
    from ..movies import ArrayMovie

    rows = result.roi_rows
    active, ignored = field.active[:, rows], field.ignored[:, rows]
    scored = {
        result.classifiers[0].name: score_activity(
            result.probabilities, active, ignored, threshold=result.threshold
        )
    }
    methods = {"rises of the trace": smoothed_rise_scores, "smoothed trace": smoothed_trace_scores}
    for name, method in methods.items():
        values = method(ArrayMovie(field.movie), field.rois)[:, rows]
        best = best_threshold(values, active, ignored)
        scored[name] = score_activity(values, active, ignored, threshold=best)
    head = f"{'against the truth':20}{'average precision':>19}{'event F1':>11}{'found':>15}{'wrong':>8}"
    note = (
        "(traces have their best thresholds; a smoothed trace stays up in its decay, which is not activity)"
    )
    return "\n".join([head, *(_score_line(name, scores) for name, scores in scored.items()), note])


def _score_line(name: str, scores: ActivityScores) -> str:
    found = f"{scores.n_matched} of {scores.n_transients}"
    wrong = scores.n_predicted - scores.n_matched
    return f"{name:20}{scores.average_precision:19.2f}{scores.event_f1:11.2f}{found:>15}{wrong:8d}"


def next_steps(recording: Path, predicted: Path) -> str:
    """Return what to look at and to try after the demonstration."""
    return (
        "\nnext\n"
        f"  open the figures, or {predicted} in any NWB viewer (module 'cinac')\n"
        f"  ndx-cinac inspect {recording}\n"
        f"  ndx-cinac evaluate {predicted} --output-dir {predicted.parent / 'evaluation'}\n"
        f"  ndx-cinac plot {predicted} --rois 0 1 2 --output-dir {predicted.parent}\n"
        "  ndx-cinac predict YOUR.nwb"
    )
