"""The model card: the contract between a classifier and whoever predicts with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from .errors import ClassifierError

Task = Literal["activity", "cell_type"]
CARD_FORMAT = 1


@dataclass(frozen=True)
class ModelCard:
    """What a classifier is, what it must be given and what its output means; stored as ``card.json``.

    Attributes
    ----------
    name, version, description, licence : str
        For people. `name` and `version` name the classifier in files.
    task : {"activity", "cell_type"}
        What it predicts.
    definition : str
        What a probability of 1 means.
    inputs : mapping
        What the network is given: ``kind`` ("traces" or "legacy patches") and that kind's settings.
    classes : tuple of str
        Names of the outputs, in order ("active" for a binary activity classifier).
    threshold : float
        Probability at or above which a frame counts as active.
    frame_rates : tuple of float or None
        Lowest and highest frame rate (Hz) it was trained on.
    pixel_sizes : tuple of float or None
        Smallest and largest pixel (micrometres) it was trained on.
    roi_diameters : tuple of float or None
        Smallest and largest ROI diameter (pixels) it was trained on.
    training : mapping
        Data, seed, time, settings.
    metrics : mapping
        Figures on data that it was not trained on, with how they were made.
    known_failures : tuple of str
        Where it is known to be wrong.
    versions : mapping of str to str
        Keras, TensorFlow and ndx-cinac when it was saved.
    sha256 : str
        SHA-256 of ``model.keras``.
    """

    name: str
    version: str
    task: Task
    description: str
    definition: str
    inputs: Mapping[str, Any]
    classes: tuple[str, ...] = ("active",)
    threshold: float = 0.5
    frame_rates: tuple[float, float] | None = None
    pixel_sizes: tuple[float, float] | None = None
    roi_diameters: tuple[float, float] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    known_failures: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    licence: str = "BSD-3-Clause"
    sha256: str = ""
    card_format: int = CARD_FORMAT

    def to_json(self) -> str:
        """Return the card as JSON text, keys in the order of the fields."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> ModelCard:
        """Read a card; `where` names it in errors.

        Raises
        ------
        ClassifierError
            If the text is no JSON object, a field is unknown, missing or of the wrong type.
        """
        raise NotImplementedError


__all__ = ["CARD_FORMAT", "ModelCard", "Task", "Path", "fields", "ClassifierError"]
