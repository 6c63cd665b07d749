"""The network of cell types: how it is built, calibrated and run on the inputs of `cell_types.features`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import compiled
from ..errors import ClassifierError, ConfigError
from ..networks import full_precision, keras
from .features import CellInputs

INPUTS = ("pieces", "patches", "features")
"""Names of the network's inputs, in order."""
SMALLEST_DEVIATION = 1e-3
"""Features that hardly change in training are divided by no less than this."""


def build_cell_type_network(
    examples: CellInputs, n_types: int, *, width: int = 16, head: int = 48, dropout: float = 0.3
) -> Any:
    """Build an untrained network for inputs of the shape of `examples`.

    Pieces of the trace pass three convolutions over time and give their largest and their mean features over
    all pieces; the patch passes three convolutions; named features pass one layer after they are brought to
    mean 0 and standard deviation 1 of `examples`. Two layers make one logit per type of all of that. All are
    core layers of Keras, so that the saved network loads in safe mode.

    Parameters
    ----------
    examples : CellInputs
        What it will be trained on: shapes, and mean and deviation of the named features.
    n_types : int
        Cell types, two or more.
    width : int
        Features of the first convolution of each part; later ones have up to twice as many.
    head : int
        Features of the layer before the last.
    dropout : float
        Share of the features dropped in training before the last two layers, from 0 to below 1.

    Returns
    -------
    keras.Model
        From pieces, patches and features to logits (batch, n_types).

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """
    if n_types < 2 or width < 1 or head < 1 or not 0 <= dropout < 1:
        what = f"No network has {n_types} types, width {width}, head {head} and dropout {dropout:g}"
        raise ConfigError(what, fix="Use two types or more, sizes of at least 1, and dropout in [0, 1)")
    layers = keras.layers
    shapes = (examples.pieces.shape[1:], examples.patches.shape[1:], examples.features.shape[1:])
    pieces, patches, features = (
        layers.Input(shape, name=name) for shape, name in zip(shapes, INPUTS, strict=True)
    )
    x = pieces
    for number, (size, kernel) in enumerate(((width, 7), (width + width // 2, 5), (2 * width, 5))):
        # One piece is one line: the convolution runs along it.
        x = layers.Conv2D(
            size, (1, kernel), (1, 2), padding="same", activation="relu", name=f"piece_{number}"
        )(x)
    seen = [
        layers.GlobalMaxPooling2D(name="piece_most")(x),
        layers.GlobalAveragePooling2D(name="piece_mean")(x),
    ]
    y = patches
    for number, size in enumerate((width, width + width // 2, 2 * width)):
        y = layers.Conv2D(
            size, 3, 1 if number == 0 else 2, padding="same", activation="relu", name=f"patch_{number}"
        )(y)
    seen += [
        layers.GlobalMaxPooling2D(name="patch_most")(y),
        layers.GlobalAveragePooling2D(name="patch_mean")(y),
    ]
    deviation = np.maximum(examples.features.std(axis=0), SMALLEST_DEVIATION).astype(np.float64)
    mean = examples.features.mean(axis=0).astype(np.float64)
    z = layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist(), name="standard")(features)
    seen.append(layers.Dense(2 * width, activation="relu", name="named")(z))
    h = layers.Dropout(dropout, name="drop")(layers.Concatenate(name="all")(seen))
    h = layers.Dense(head, activation="relu", name="head")(h)
    h = layers.Dropout(dropout, name="drop_head")(h)
    logits = layers.Dense(n_types, name="logits")(h)
    return keras.Model([pieces, patches, features], logits, name="cell_type")


def with_type_probability(model: Any, temperature: float = 1.0) -> Any:
    """Put a temperature and softmax behind a network's logits; its layers are shared, not copied.

    Raises
    ------
    ConfigError
        If `temperature` is not above 0.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        what = f"A network cannot be calibrated with temperature {temperature:g}"
        raise ConfigError(what, fix="Give a number above 0")
    x = keras.layers.Rescaling(1.0 / temperature, name="calibration")(model.output)
    x = keras.layers.Softmax(name="probability")(x)
    return keras.Model(model.inputs, x, name=model.name)


def without_type_probability(model: Any) -> tuple[Any, float]:
    """Take apart what `with_type_probability` put together: the network of logits, and the temperature.

    Raises
    ------
    ClassifierError
        If the network does not end in a temperature and softmax, or has no layer of logits before them.
    """
    if not {"calibration", "probability", "logits"} <= {layer.name for layer in model.layers}:
        what = "The network does not end in the calibration that ndx-cinac gives its classifiers"
        raise ClassifierError(what, fix="Only classifiers that ndx-cinac has trained can be trained further")
    calibration = model.get_layer("calibration")
    logits = keras.Model(model.inputs, calibration.input, name=model.name)
    return logits, 1.0 / float(calibration.scale)


def run_network(model: Any, inputs: CellInputs, batch_size: int = 64) -> NDArray[np.float32]:
    """Run a network on ROIs in batches of one shape, the last one padded; shape (n_rois, n_types).

    Parameters
    ----------
    model : keras.Model
        Of `build_cell_type_network`, with or without probabilities.
    inputs : CellInputs
        Of any number of ROIs.
    batch_size : int
        ROIs computed together.
    """
    function: Callable[[Any], Any] = compiled(model)
    found = [np.zeros((0, int(model.output_shape[-1])), np.float32)]
    with full_precision():
        for start in range(0, len(inputs), batch_size):
            batch = [
                _padded(getattr(inputs, name)[start : start + batch_size], batch_size) for name in INPUTS
            ]
            values = function([keras.ops.convert_to_tensor(values) for values in batch])
            found.append(keras.ops.convert_to_numpy(values)[: len(inputs) - start])
    return np.concatenate(found)


def _padded(values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return np.concatenate([values, np.zeros((length - len(values), *values.shape[1:]), np.float32)])
