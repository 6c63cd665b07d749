"""The classifier that another one is trained from: its network, its inputs and its calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..classifiers import Classifier, ModelCard, load_classifier
from ..classifiers.files import network_path
from ..errors import ClassifierError
from ..traces import TraceOptions
from .calibration import Calibration


@dataclass(frozen=True)
class Parent:
    """A classifier to train further.

    Attributes
    ----------
    card : ModelCard
        Its card.
    network : keras.Model
        Its network, without calibration, for this training alone.
    calibration : Calibration
        Its calibration.
    traces : TraceOptions
        How traces are extracted for it.
    """

    card: ModelCard
    network: Any
    calibration: Calibration
    traces: TraceOptions

    @property
    def record(self) -> dict[str, str]:
        """Name, version and hash, for the card of what is made of it."""
        return {"name": self.card.name, "version": self.card.version, "sha256": self.card.sha256}


def load_parent(classifier: str) -> Parent:
    """Load a classifier to train it further.

    Parameters
    ----------
    classifier : str
        Its name, or its folder.

    Raises
    ------
    ClassifierError
        If there is none, it predicts something else than activity from traces, or ndx-cinac did not train it.
    """
    from ..networks import without_probability
    from ..prediction.traces import read_trace_options

    found, model = load_to_train_further(classifier, "activity", "traces")
    logits, shift, temperature = without_probability(model)
    calibration = Calibration(temperature, shift, best_probability=0.5)
    return Parent(found.card, logits, calibration, read_trace_options(found.card))


def load_to_train_further(classifier: str, task: str, kind: str) -> tuple[Classifier, Any]:
    """Load a classifier, and a copy of its network: the one that predictions use stays as it is.

    Raises
    ------
    ClassifierError
        If there is no such classifier, or it has another task, or inputs of another kind.
    """
    from ..networks import load_network

    found = load_classifier(classifier)
    if found.card.task != task or found.card.inputs.get("kind") != kind:
        tasks = {"activity": "activity", "cell_type": "cell types"}
        what = f"Classifier '{found.card.name}' does not predict {tasks[task]} from {kind}"
        raise ClassifierError(what, fix=f"Only those can be trained further for {tasks[task]}")
    with network_path(found.folder) as path:
        return found, load_network(path)


def freeze_statistics(network: Any, *, frozen: bool) -> None:
    """Let normalisation use what it knows instead of a few cells' statistics, or set it free again."""
    for layer in network.layers:
        if layer.__class__.__name__ == "BatchNormalization":
            layer.trainable = not frozen
