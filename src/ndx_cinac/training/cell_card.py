"""The card of a classifier of cell types: what it was taught, how right it is, and where it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cell_types.card_inputs import SIMULATED
from ..classifiers import ModelCard
from .cell_config import CLASS_WEIGHTS
from .cell_examples import CellExamples
from .cell_run import CellRun

SIMULATED_FAILURES = (
    "It has seen no real cell: its types differ as papers report, over wide ranges where papers give only a "
    "direction. On a real recording, check some of its types by hand before using any.",
    "Interneurons are one type. Those with somata, rates and transients like pyramidal cells' (many that "
    "express VIP or CCK) are called pyramidal; pyramidal cells that fire as much are called interneurons.",
    "Cells that hardly fire in the recording are told by size and brightness alone, and often called noise.",
    "Pieces of dendrites and of neuropil that carry a neuron's transients can be called pyramidal; cells out "
    "of focus that someone has circled were in no class that it was taught.",
    "Where the pixel size is not known, sizes are judged against the median ROI: types are less certain.",
    "It was taught two-photon fields at 4 to 20 Hz and indicators as fast as GCaMP6; one-photon movies, "
    "voltage or nuclear indicators and other species were not among them.",
    "Synchrony, relative size and relative amplitude compare an ROI with the others: they change with the "
    "ROIs that are chosen.",
)
LABELLED_FAILURES = (
    "It knows what its annotators knew: figures say how well it repeats their labels on other {groups}, not "
    "how right these are.",
    "Other regions, ages, indicators or microscopes than those of its recordings were not tried.",
)
BALANCED_FAILURE = (
    "Types that are rare in the recording are called too often: its probabilities hold where all types are "
    "equally frequent, and types were weighted so in its training.",
)


@dataclass(frozen=True)
class Trained:
    """What a training has made.

    Attributes
    ----------
    network : keras.Model
        Gives logits.
    temperature : float
        What makes probabilities of them.
    calibrated_on : str
        What the temperature was fitted to.
    examples : CellExamples
        What the network learnt from.
    metrics : mapping
        Figures on ROIs that it had not seen, as JSON types.
    """

    network: Any
    temperature: float
    calibrated_on: str
    examples: CellExamples
    metrics: Mapping[str, Any]


def write_cell_card(
    run: CellRun, trained: Trained, seconds: Mapping[str, float], *, inputs: Mapping[str, Any]
) -> ModelCard:
    """Write the card from what was trained on."""
    config, plan, examples = run.config, run.plan, trained.examples
    weighted = config.class_weights == CLASS_WEIGHTS[0]
    parent = None if run.parent is None else run.parent.card
    low, high = np.percentile(examples.diameters, [1, 99])
    return ModelCard(
        name=config.name,
        version=config.version,
        task="cell_type",
        description=_description(run),
        definition="probability that what lies beneath the ROI is of the type"
        + (", were all types equally frequent" if weighted else ""),
        inputs=inputs,
        classes=plan.names,
        cell_types=plan.types.to_dict(),
        frame_rates=_both(_limits(examples.frame_rates, 1), parent.frame_rates if parent else None),
        pixel_sizes=_both(_limits(examples.pixel_sizes, 2), parent.pixel_sizes if parent else None),
        roi_diameters=_both(
            (round(float(low), 1), round(float(high), 1)), parent.roi_diameters if parent else None
        ),
        training=_record(run, trained, seconds),
        metrics=dict(trained.metrics),
        known_failures=(*_failures(run, trained), *(BALANCED_FAILURE if weighted else ())),
    )


_GROUPS = {"animal": "animals", "recording": "recordings", "roi": "ROIs of the same recordings"}


def _only_simulated(run: CellRun) -> bool:
    """Whether no real recording was used, for its parent neither."""
    return not run.plan.jobs and (run.parent is None or SIMULATED in run.parent.card.training)


def _failures(run: CellRun, trained: Trained) -> tuple[str, ...]:
    """Say what is known of where it fails."""
    if not run.plan.jobs:
        return SIMULATED_FAILURES
    plan, parent = run.plan, run.parent
    found = [failure.format(groups=_GROUPS[plan.split_by]) for failure in LABELLED_FAILURES]
    labels = {job.types[label] for job in plan.jobs for label in job.types}
    unlabelled = [name for name in plan.names if name not in labels]
    if unlabelled:
        knows = "simulated cells" if run.config.simulated else "what its parent was taught"
        found.append(f"Nothing was labelled as {', '.join(unlabelled)}: of that it knows {knows}.")
    before = trained.metrics.get("parent", {}).get("balanced_accuracy")
    if parent is not None and before is not None and trained.metrics["balanced_accuracy"] <= before:
        found.append(
            f"In the cross-validation it was no better than '{parent.card.name}', which it was trained from: "
            f"balanced accuracy {trained.metrics['balanced_accuracy']:g}, and {before:g}."
        )
    return tuple(found)


def _both(
    limits: tuple[float, float] | None, parents: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return the range that holds its own and its parent's."""
    known = [value for pair in (limits, parents) if pair is not None for value in pair]
    return (min(known), max(known)) if known else None


def _description(run: CellRun) -> str:
    config, plan = run.config, run.plan
    types = ", ".join(plan.names)
    what = f"Predicts the type of each ROI ({types}) from its trace, its surroundings and named features."
    origin = "" if run.parent is None else f", from {run.parent.card.name} {run.parent.card.version}"
    if _only_simulated(run):
        start = "Trained on simulated populations: a starting point, not a finding."
        return f"{start} {what} No real recording was used."
    files = [f"{len(plan.jobs)} labelled recording{'s' if len(plan.jobs) > 1 else ''}"] if plan.jobs else []
    files += ["simulated fields"] if config.simulated else []
    return f"{what} Trained on {' and '.join(files)}{origin}."


def _limits(values: Any, digits: int) -> tuple[float, float] | None:
    known = values[np.isfinite(values)]
    return (round(float(known.min()), digits), round(float(known.max()), digits)) if len(known) else None


def _record(run: CellRun, trained: Trained, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Say on the card how it was trained."""
    config, plan, parent = run.config, run.plan, run.parent
    settings = config.to_dict()
    unused = ("width", "dropout", "epochs", "fewest_steps") if parent else ("fine_tuning", "calibrate_from")
    for name in ("inputs", "workers", "checkpoint_every", "parent", *unused):
        del settings[name]
    settings["sources"] = [source.rsplit("/", 1)[-1] for source in settings["sources"]]
    if not config.simulated:
        del settings["simulation"]
    counts = Counter(plan.names[code] for code in run.codes(trained.examples))
    fields = f"{config.n_fields} simulated fields"
    files = f"{len(plan.jobs)} labelled recordings"
    both = [files] if plan.jobs else []
    both += [fields] if config.simulated else []
    only_simulated = _only_simulated(run)
    nothing_real = "; no real recording and no real label was used" if only_simulated else ""
    record: dict[str, Any] = {
        "data": " and ".join(both) + nothing_real,
        **({} if parent is None else {"parent": parent.record}),
        "ROIs": dict(sorted(counts.items())),
        "seed": config.seed,
        "parameters": int(trained.network.count_params()),
        "temperature": round(trained.temperature, 4),
        "calibrated on": trained.calibrated_on,
        "class weights": config.class_weights,
        "seconds": {name: round(value) for name, value in seconds.items()},
        "settings": settings,
    }
    listed = {"files": [dict(each) for each in plan.about]} if plan.jobs else {}
    return {**({SIMULATED: True} if only_simulated else {}), **record, **listed}
