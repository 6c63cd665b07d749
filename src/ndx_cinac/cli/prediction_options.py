"""What the options of `ndx-cinac predict` mean to the library: tasks, how each is predicted, recipes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..batch import Recipe
    from ..classifiers.cards import Task

TASKS: Mapping[str, tuple[Task, ...]] = {
    "activity": ("activity",),
    "cell-type": ("cell_type",),
    "all": ("activity", "cell_type"),
}
"""What each choice of --task writes."""


def activity_options(options: argparse.Namespace) -> Any:
    """Return how activity is predicted."""
    from ..prediction import PredictionOptions

    return PredictionOptions(
        **_given(
            threshold=options.threshold,
            batch_size=options.batch_size,
            precision=options.precision,
            resume=not options.no_resume,
            resume_seconds=options.resume_from,
        )
    )


def cell_type_options(options: argparse.Namespace, threshold: float | None) -> Any:
    """Return how cell types are predicted."""
    from ..prediction import CellTypeOptions

    return CellTypeOptions(
        **_given(
            threshold=threshold,
            batch_size=options.batch_size,
            cell_types=options.cell_type_yaml,
            n_segments=options.segments,
            combine=options.combine,
            resume=not options.no_resume,
            resume_seconds=options.resume_from,
        )
    )


def _given(**values: Any) -> dict[str, Any]:
    """Return the values that were given; the others keep their defaults."""
    return {name: value for name, value in values.items() if value is not None}


def recipe_of(options: argparse.Namespace, task: str) -> Recipe:
    """Return what is predicted of each of several recordings."""
    from ..batch import Recipe
    from ..prediction import BothOptions
    from .commands import _reading

    typing = ("cell_type_classifier", "cell_type_weights")
    first = typing if task == "cell-type" else ("classifier", "weights")
    named = dict(zip(first, (options.classifier, options.weights), strict=True))
    if task == "all":
        named |= {name: getattr(options, name) for name in typing}
    threshold = options.threshold if task == "cell-type" else None
    return Recipe(
        tasks=TASKS[task],
        activity_by_cell_type=options.activity_by_cell_type,
        reading=_reading(options),
        options=BothOptions(activity_options(options), cell_type_options(options, threshold)),
        **_given(**named),
    )
