"""Write an evaluation into a folder: Markdown, JSON and figures, all of them or none."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..evaluation import ActivityReport, CellTypeEvaluation
from ..extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIX = "Choose another folder (--output-dir)"


def check_folder(folder: str | Path) -> Path:
    """Refuse a folder that cannot be written to, before any work; it is not made yet.

    Raises
    ------
    OutputError
        If it is a file, or it or the nearest folder above it cannot be written to.
    MissingExtraError
        If matplotlib is not installed.
    """
    require("matplotlib", extra="plot", feature="Drawing figures")
    path = Path(folder).expanduser()
    present = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not present.is_dir():
        what = "The output's folder would lie in a file" if present != path.absolute() else "It is a file"
        raise OutputError(what, where=str(present), fix=FIX)
    if not os.access(present, os.W_OK | os.X_OK):
        what = "The output's folder cannot be written to"
        raise OutputError(what, where=str(present), fix=FIX)
    return path


def write_evaluation(
    evaluation: ActivityReport | CellTypeEvaluation, folder: str | Path, *, kind: str = "png"
) -> list[Path]:
    """Write ``evaluation.md``, ``evaluation.json`` and the figures, replacing files of these names.

    Parameters
    ----------
    evaluation : ActivityReport or CellTypeEvaluation
        What `evaluate_activity` or `evaluate_cell_types` returned.
    folder : str or Path
        Made where it is absent.
    kind : {"png", "pdf", "svg"}
        Kind of figures.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    MissingExtraError
        If matplotlib is not installed.
    """
    goal = check_folder(folder)
    figures = figures_of(evaluation)
    text = evaluation.to_markdown() + "\n" + "".join(f"\n![{_words(n)}]({n}.{kind})\n" for n in figures)
    try:
        goal.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".evaluation", dir=goal) as aside:
            whole = Path(aside)
            (whole / "evaluation.md").write_text(text, encoding="utf-8")
            data = json.dumps(evaluation.to_dict(), indent=1, allow_nan=False)
            (whole / "evaluation.json").write_text(data, encoding="utf-8")
            for name, figure in figures.items():
                figure.savefig(whole / f"{name}.{kind}", dpi=150)
            names = ["evaluation.md", "evaluation.json", *(f"{name}.{kind}" for name in figures)]
            return [(whole / name).replace(goal / name) for name in names]
    except OSError as error:
        what = f"The evaluation cannot be written: {error.strerror or error}"
        raise OutputError(what, where=str(goal), fix=FIX) from error


def figures_of(evaluation: ActivityReport | CellTypeEvaluation) -> dict[str, Figure]:
    """Draw all figures of an evaluation, by name."""
    if isinstance(evaluation, ActivityReport):
        from .activity_evaluation import activity_figures

        return activity_figures(evaluation)
    from .cell_type_evaluation import plot_confusion, plot_distributions

    drawn = {"confusion": plot_confusion(evaluation)}
    if len(evaluation.true):
        drawn["cell_type_probabilities"] = plot_distributions(evaluation)
    return drawn


def _words(name: str) -> str:
    return name.replace("_", " ")
