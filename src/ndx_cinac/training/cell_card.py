"""The card of a classifier of cell types: what it was taught, how right it is, and where it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cell_types.card_inputs import SIMULATED
from ..classifiers import ModelCard
from .cell_config import CLASS_WEIGHTS, CellTypeTrainingConfig
from .cell_examples import CellExamples
from .cell_sources import LabelledPlan

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
    examples : CellExamples
        What the network learnt from.
    metrics : mapping
        Figures on ROIs that it had not seen, as JSON types.
    """

    network: Any
    temperature: float
    examples: CellExamples
    metrics: Mapping[str, Any]


def write_cell_card(
    config: CellTypeTrainingConfig,
    plan: LabelledPlan,
    trained: Trained,
    seconds: Mapping[str, float],
    *,
    inputs: Mapping[str, Any],
) -> ModelCard:
    """Write the card from what was trained on."""
    examples, simulated = trained.examples, not plan.jobs
    weighted = config.class_weights == CLASS_WEIGHTS[0]
    failures = (
        SIMULATED_FAILURES
        if simulated
        else tuple(failure.format(groups=_GROUPS[plan.split_by]) for failure in LABELLED_FAILURES)
    )
    low, high = np.percentile(examples.diameters, [1, 99])
    return ModelCard(
        name=config.name,
        version=config.version,
        task="cell_type",
        description=_description(config, plan),
        definition="probability that what lies beneath the ROI is of the type"
        + (", were all types equally frequent" if weighted else ""),
        inputs=inputs,
        classes=plan.names,
        cell_types=plan.types.to_dict(),
        frame_rates=_limits(examples.frame_rates, 1),
        pixel_sizes=_limits(examples.pixel_sizes, 2),
        roi_diameters=(round(float(low), 1), round(float(high), 1)),
        training=_record(config, plan, trained, seconds),
        metrics=dict(trained.metrics),
        known_failures=(*failures, *(BALANCED_FAILURE if weighted else ())),
    )


_GROUPS = {"animal": "animals", "recording": "recordings", "roi": "ROIs of the same recordings"}


def _description(config: CellTypeTrainingConfig, plan: LabelledPlan) -> str:
    types = ", ".join(plan.names)
    what = f"Predicts the type of each ROI ({types}) from its trace, its surroundings and named features."
    if not plan.jobs:
        start = "Trained on simulated populations: a starting point, not a finding."
        return f"{start} {what} No real recording was used."
    files = f"{len(plan.jobs)} labelled recording{'s' if len(plan.jobs) > 1 else ''}"
    more = " and simulated fields" if len(config.recordings) < len(config.sources) else ""
    return f"{what} Trained on {files}{more}."


def _limits(values: Any, digits: int) -> tuple[float, float] | None:
    known = values[np.isfinite(values)]
    return (round(float(known.min()), digits), round(float(known.max()), digits)) if len(known) else None


def _record(
    config: CellTypeTrainingConfig, plan: LabelledPlan, trained: Trained, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Say on the card how it was trained."""
    settings = config.to_dict()
    del settings["inputs"], settings["workers"]
    settings["sources"] = [source.rsplit("/", 1)[-1] for source in settings["sources"]]
    if plan.jobs and len(config.recordings) == len(config.sources):
        del settings["simulation"]
    counts = Counter(str(name) for name in trained.examples.cell_types)
    fields = f"{config.n_fields} simulated fields"
    files = f"{len(plan.jobs)} labelled recordings"
    both = [files] if plan.jobs else []
    both += [fields] if len(config.recordings) < len(config.sources) else []
    record: dict[str, Any] = {
        "data": " and ".join(both) + ("" if plan.jobs else "; no real recording and no real label was used"),
        "ROIs": dict(sorted(counts.items())),
        "seed": config.seed,
        "parameters": int(trained.network.count_params()),
        "temperature": round(trained.temperature, 4),
        "class weights": config.class_weights,
        "seconds": {name: round(value) for name, value in seconds.items()},
        "settings": settings,
    }
    if plan.jobs:
        return {**record, "files": [dict(each) for each in plan.about]}
    return {SIMULATED: True, **record}
