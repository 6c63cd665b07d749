"""What a card says of the inputs of a classifier of cell features, and what users are told first."""

from __future__ import annotations

from typing import Any

from ..classifiers import ModelCard
from ..errors import CinacError, ClassifierError
from .features import FEATURES, PATCH_CHANNELS, PIECE_CHANNELS, CellInputOptions

KIND = "cell features"
"""What the card of such a classifier says of its inputs."""
SIMULATED = "simulated"
"""Entry of a card's ``training`` that is true where no real recording was used."""


def starting_point(card: ModelCard) -> tuple[str, ...]:
    """Return what a user must be told first of a classifier that has seen no real cell; nothing of others."""
    if not card.training.get(SIMULATED):
        return ()
    return (f"'{card.name}' was trained on simulations: its types are a starting point, not a finding",)


def describe_inputs(options: CellInputOptions) -> dict[str, Any]:
    """Return what a card's ``inputs`` hold."""
    return {
        "kind": KIND,
        "features": list(FEATURES),
        "piece channels": list(PIECE_CHANNELS),
        "patch channels": list(PATCH_CHANNELS),
        "options": options.to_dict(),
    }


def read_input_options(card: ModelCard) -> CellInputOptions:
    """Return how the inputs are made for a classifier.

    Raises
    ------
    ClassifierError
        If the card's inputs are not those that this version of ndx-cinac can make.
    """
    given = {"features": FEATURES, "piece channels": PIECE_CHANNELS, "patch channels": PATCH_CHANNELS}
    for name, values in given.items():
        asked = card.inputs.get(name)
        if asked != list(values):
            odd = sorted(set(map(str, asked or ())) ^ set(values)) or ["their order"]
            what = (
                f"Classifier '{card.name}' reads other {name} than this version of ndx-cinac makes: {odd[0]}"
            )
            raise ClassifierError(what, fix="Use the version that it was trained with, or train it again")
    try:
        return CellInputOptions.from_dict(card.inputs.get("options", {}))
    except (CinacError, TypeError, ValueError) as error:
        what = f"Classifier '{card.name}' asks for inputs that cannot be made: {error}"
        raise ClassifierError(what) from error
