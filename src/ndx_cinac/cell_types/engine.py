"""The engine for classifiers of cell features: from a recording to the probability of each cell type."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..classifiers import Classifier, ModelCard
from ..errors import CinacError, ClassifierError
from ..networks import device_description
from ..prediction.options import Predicted, PredictionOptions
from ..progress import Progress
from ..recording import CinacRecording
from .features import FEATURES, PATCH_CHANNELS, PIECE_CHANNELS, CellInputOptions, make_cell_inputs
from .network import run_network

KIND = "cell features"
"""What the card of such a classifier says of its inputs."""
SIMULATED = "simulated"
"""Entry of a card's ``training`` that is true where no real recording was used."""


def predict(
    recording: CinacRecording, classifier: Classifier, options: PredictionOptions, progress: Progress
) -> Predicted:
    """Predict the types of all ROIs that are to be predicted.

    Returns
    -------
    Predicted
        Probabilities of shape (n_kept, n_types), types as the card's `classes`; the first note says so where
        the classifier was trained on simulations.

    Raises
    ------
    ClassifierError
        If the card asks for inputs that this version does not make, or does not fit its network.
    PredictionError
        If the recording is too short, its frame rate is not known, or no ROI can be used.
    """
    card = classifier.card
    chosen = read_input_options(card)
    network = classifier.network()
    _check_network(network, card, chosen, str(classifier.folder))
    inputs = make_cell_inputs(recording, chosen, progress=progress)
    probabilities = run_network(network, inputs, max(1, options.batch_size))
    progress("predicting cell types", len(inputs), len(inputs))
    return Predicted(
        probabilities,
        device=device_description(),
        parameters={"cell_inputs": chosen.to_dict()},
        notes=(*starting_point(card), *inputs.notes),
    )


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


def _check_network(network: Any, card: ModelCard, options: CellInputOptions, where: str) -> None:
    """Refuse a network of other inputs or outputs than its card names, before any frame is read."""
    length = round(options.piece_seconds * options.rate)
    expected = [
        (options.n_pieces, length, len(PIECE_CHANNELS)),
        (options.patch_pixels, options.patch_pixels, len(PATCH_CHANNELS)),
        (len(FEATURES),),
    ]
    found = [tuple(shape[1:]) for shape in (tensor.shape for tensor in network.inputs)]
    if found != expected:
        what = f"The network reads arrays of shapes {found}, its card describes {expected}"
        raise ClassifierError(what, where=where)
    n_outputs = int(np.prod(network.output_shape[1:]))
    if n_outputs != len(card.classes):
        what = f"The network has {n_outputs} outputs, its card names {len(card.classes)} cell types"
        raise ClassifierError(what, where=where)
