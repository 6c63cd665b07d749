"""The card of a trained classifier: what it was made from, how, and how right it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifiers import ModelCard
from .calibration import Calibration
from .config import TrainingConfig
from .labelled import Example
from .loop import Course
from .measures import plain
from .parents import Parent
from .sources import Source

NO_REAL_LABEL = "It has seen no real labels: what counts as a transient is what the simulation calls one."
KNOWN_FAILURES = (
    "Rises below about a quarter of an ROI's typical ones are left out, or found with less certainty.",
    "Transients whose height is below 3 to 4 times the noise of the demixed trace are often missed.",
    "Activity of cells that are not among the ROIs can be taken for that of an ROI that they overlap.",
    "In ROIs over dendrites, neuropil or vessels, what rises and decays like a transient counts as active.",
    "The ends of slow plateaus and network events that light up the whole field are uncertain.",
)


@dataclass(frozen=True)
class Look:
    """What a movie that is trained on is like, and its ROIs."""

    frame_rate: float
    """Hz."""
    pixel_size: float
    """Micrometres."""
    diameters: NDArray[np.float32]
    """Of each ROI, pixels."""

    @classmethod
    def at(cls, example: Example) -> Look:
        """Take from an example what is said of it."""
        return cls(example.frame_rate, example.pixel_size, example.diameters)


@dataclass(frozen=True)
class Made:
    """All that a card is written from.

    Attributes
    ----------
    config : TrainingConfig
        The settings.
    sources : sequence of Source
        What was trained on.
    looks : sequence of Look
        One at each example of the training part, for the ranges.
    parent : Parent or None
        What it was trained from.
    inputs, metrics : mapping
        As on the card.
    calibration : Calibration
        How logits become probabilities, and
    calibrated_on : str
        on what that was found.
    courses : sequence of Course
        How the training of each network went.
    facts : mapping
        Further entries of the card's ``training``.
    """

    config: TrainingConfig
    sources: Sequence[Source]
    looks: Sequence[Look]
    parent: Parent | None
    inputs: Mapping[str, Any]
    metrics: Mapping[str, Any]
    calibration: Calibration
    calibrated_on: str
    courses: Sequence[Course]
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_card(made: Made) -> ModelCard:
    """Write the card."""
    config, parent = made.config, None if made.parent is None else made.parent.card
    rates, sizes = zip(*((look.frame_rate, look.pixel_size) for look in made.looks), strict=True)
    diameters = np.concatenate([look.diameters for look in made.looks])
    low, high = (float(v) for v in np.percentile(diameters, [1, 99]))
    return ModelCard(
        name=config.name,
        version=config.version,
        task="activity",
        description=_description(made),
        definition=config.definition,
        inputs=made.inputs,
        frame_rates=_range(rates, 1, parent.frame_rates if parent else None),
        pixel_sizes=_range(sizes, 2, parent.pixel_sizes if parent else None),
        roi_diameters=_range([low, high], 1, parent.roi_diameters if parent else None),
        training=_training(made),
        metrics=made.metrics,
        known_failures=_failures(made),
    )


def data_sentence(sources: Sequence[Source], parent: Parent | None) -> str:
    """Say what was trained on; a classifier that has seen no real label says so."""
    simulated = [s for s in sources if s.simulated]
    recordings = [s for s in sources if not s.simulated]
    fields = sum(s.about["simulated fields"]["training"] for s in simulated)
    if not recordings:
        ending = "" if parent is None else f"; before, what '{parent.card.name}' was trained on"
        return f"{fields} simulated fields; no real recording and no real label was used{ending}"
    rois, transients = (sum(s.about[kind]["training"] for s in recordings) for kind in ("ROIs", "transients"))
    number = len([s for s in recordings if s.about["ROIs"]["training"]])
    parts = [f"{rois} annotated ROIs of {number} recording{'s' * (number != 1)} ({transients} transients)"]
    parts += [f"{fields} simulated fields"] if fields else []
    parts += [f"before, what '{parent.card.name}' was trained on"] if parent is not None else []
    return "; ".join(parts)


def _description(made: Made) -> str:
    start = (
        "Predicts, frame by frame, whether an ROI of a calcium-imaging movie is in the rising phase of a "
        "transient, from demixed traces and their companions."
    )
    recordings = [s for s in made.sources if not s.simulated]
    if made.parent is not None:
        on = "annotated recordings" if recordings else "simulated movies"
        return f"{start} Trained from '{made.parent.card.name}' {made.parent.card.version} on {on}."
    if not recordings:
        return f"{start} Trained on simulated movies only."
    both = " and simulated movies" if len(recordings) < len(made.sources) else ""
    return f"{start} Trained on annotated recordings{both}."


def _failures(made: Made) -> tuple[str, ...]:
    """Where it is known to be wrong: what was labelled decides whether it has seen real labels."""
    parent = () if made.parent is None else made.parent.card.known_failures
    inherited = tuple(failure for failure in parent if failure != NO_REAL_LABEL) or KNOWN_FAILURES
    recordings = [s for s in made.sources if not s.simulated]
    if not recordings:
        return (NO_REAL_LABEL, *inherited)
    learnt = "It calls active what the annotators of its recordings did; on other recordings it is untested."
    return (learnt, *inherited)


def _training(made: Made) -> dict[str, Any]:
    """Say how it was trained."""
    config, calibration = made.config, made.calibration
    settings = config.to_dict()
    for name in ("cache", "traces", "workers", "figures", "sources"):
        del settings[name]
    return {
        "data": data_sentence(made.sources, made.parent),
        "seed": config.seed,
        **made.facts,
        **({} if made.parent is None else {"parent": made.parent.record}),
        "sources": [dict(source.about) for source in made.sources],
        "steps": made.courses[0].step,
        "best step": made.courses[0].kept_step,
        "calibration": {
            "data": made.calibrated_on,
            "temperature": round(calibration.temperature, 4),
            "shift": round(calibration.shift, 4),
            "moved to 0.5": calibration.best_probability,
        },
        "curve": [plain(row) for row in made.courses[0].curve],
        "further networks": [
            {
                "steps": course.step,
                "best step": course.kept_step,
                "curve": [plain(row) for row in course.curve],
            }
            for course in made.courses[1:]
        ],
        "settings": settings,
    }


def _range(
    values: Sequence[float], digits: int, known: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Lowest and highest of values and of a parent's range; None where nothing is known."""
    finite = [value for value in (*values, *(known or ())) if np.isfinite(value)]
    return (round(min(finite), digits), round(max(finite), digits)) if finite else None
