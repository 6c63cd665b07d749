"""The engine for classifiers of cell features: from a recording to the probability of each cell type."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..classifiers import Classifier, ModelCard
from ..errors import ClassifierError
from ..journal import Journal
from ..networks import device_description
from ..prediction.options import Predicted, PredictionOptions
from ..progress import Progress
from ..recording import CinacRecording
from .card_inputs import read_input_options, starting_point
from .features import FEATURES, PATCH_CHANNELS, PIECE_CHANNELS, CellInputOptions, make_cell_inputs
from .network import run_network


def predict(
    recording: CinacRecording,
    classifier: Classifier,
    options: PredictionOptions,
    progress: Progress,
    journal: Journal | None = None,
) -> Predicted:
    """Predict the types of all ROIs that are to be predicted; finished work goes to the journal.

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
    inputs = make_cell_inputs(recording, chosen, progress=progress, journal=journal)
    probabilities = run_network(network, inputs, max(1, options.batch_size))
    progress("predicting cell types", len(inputs), len(inputs))
    return Predicted(
        probabilities,
        device=device_description(),
        parameters={"cell_inputs": chosen.to_dict()},
        notes=(*starting_point(card), *inputs.notes),
    )


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
