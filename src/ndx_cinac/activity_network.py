"""The activity network: how it is built, averaged with others, calibrated, and how far it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .backend import keras
from .errors import ClassifierError, ConfigError

DILATIONS = (1, 2, 4, 8, 16, 32, 64, 1, 2)
"""With the first convolution they see 132 frames on either side."""


def build_activity_network(
    n_channels: int,
    *,
    width: int = 48,
    dilations: Sequence[int] = DILATIONS,
    first_kernel: int = 5,
    head: int = 32,
    dropout: float = 0.0,
) -> Any:
    """Build an untrained network that reads the channels of one ROI over time.

    A convolution over `first_kernel` frames, one residual block per dilation (dilated convolution over three
    frames, batch normalisation, rectifier, convolution over one frame), two convolutions over one frame; all
    core layers of Keras, so that the saved network loads in safe mode.

    Parameters
    ----------
    n_channels : int
        Channels per frame.
    width : int
        Features per frame inside the network.
    dilations : sequence of int
        Frames between the taps of each block's convolution.
    first_kernel : int
        Frames that the first convolution spans; odd.
    head : int
        Features of the layer before the last.
    dropout : float
        Share of whole features dropped in each block while training, from 0 (none) to below 1.

    Returns
    -------
    keras.Model
        From (batch, time, n_channels) to logits (batch, time), for any number of frames.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """
    sizes = (n_channels, width, head, first_kernel, *dilations)
    if min(sizes) < 1 or first_kernel % 2 == 0 or not 0 <= dropout < 1:
        what = (
            f"No network has {n_channels} channels, width {width}, head {head}, a first kernel of "
            f"{first_kernel} frames, dilations {tuple(dilations)} and dropout {dropout:g}"
        )
        raise ConfigError(what, fix="Sizes are at least 1, the first kernel is odd, dropout lies in [0, 1)")
    layers = keras.layers
    inputs = layers.Input((None, n_channels), name="channels")
    x = layers.Conv1D(width, first_kernel, padding="same", activation="relu", name="first")(inputs)
    for number, dilation in enumerate(dilations):
        name = f"block_{number}"
        y = layers.Conv1D(
            width, 3, padding="same", dilation_rate=dilation, use_bias=False, name=f"{name}_dilated"
        )(x)
        y = layers.BatchNormalization(name=f"{name}_norm")(y)
        y = layers.Activation("relu", name=f"{name}_relu")(y)
        if dropout:
            y = layers.SpatialDropout1D(dropout, name=f"{name}_dropout")(y)
        y = layers.Conv1D(width, 1, name=f"{name}_mix")(y)
        x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.Activation("relu", name="last_relu")(x)
    x = layers.Conv1D(head, 1, activation="relu", name="head")(x)
    x = layers.Conv1D(1, 1, name="logit")(x)
    return keras.Model(inputs, layers.Reshape((-1,), name="logits")(x), name="activity")


def average_networks(networks: Sequence[Any]) -> Any:
    """Put networks of one shape side by side, so that their logits are averaged.

    Networks that differ in nothing but the random numbers that they began with err in different places; their
    mean errs less (Lakshminarayanan et al. 2017, doi:10.48550/arXiv.1612.01474).

    Parameters
    ----------
    networks : sequence of keras.Model
        Each from `build_activity_network`; copied.

    Returns
    -------
    keras.Model
        Gives the mean of their logits; the only one itself where there is but one.
    """
    if len(networks) == 1:
        return networks[0]
    inputs = keras.layers.Input(networks[0].input_shape[1:], name="channels")
    parts = []
    for number, network in enumerate(networks, start=1):
        plain = keras.Model(network.input, network.output)  # without a training's loss, which has no copy
        copy = keras.models.clone_model(plain, inputs, clone_function=_renamed(f"network_{number}"))
        copy.set_weights(network.get_weights())
        parts.append(copy.output)
    return keras.Model(inputs, keras.layers.Average(name="average")(parts), name=networks[0].name)


def _renamed(prefix: str) -> Callable[[Any], Any]:
    """Return what copies a layer under a name that begins with `prefix`."""
    return lambda layer: layer.__class__.from_config({**layer.get_config(), "name": f"{prefix}_{layer.name}"})


def with_probability(model: Any, *, shift: float = 0.0, temperature: float = 1.0) -> Any:
    """Put calibration and the logistic function behind a network's logits.

    Parameters
    ----------
    model : keras.Model
        Gives logits; its layers are shared with the returned network, not copied.
    shift : float
        Added to ``logit / temperature``; above 0 it makes activity more probable.
    temperature : float
        Above 0; above 1 it makes the network less certain.

    Returns
    -------
    keras.Model
        Gives ``sigmoid(logit / temperature + shift)``.

    Raises
    ------
    ConfigError
        If `temperature` is not above 0 or `shift` is not finite.
    """
    if not (np.isfinite(temperature) and temperature > 0 and np.isfinite(shift)):
        what = f"A network cannot be calibrated with temperature {temperature:g} and shift {shift:g}"
        raise ConfigError(what, fix="Temperature is a number above 0, shift any finite number")
    x = keras.layers.Rescaling(1.0 / temperature, offset=shift, name="calibration")(model.output)
    x = keras.layers.Activation("sigmoid", name="probability")(x)
    return keras.Model(model.input, x, name=model.name)


def receptive_field(model: Any) -> int:
    """Frames that one output frame can depend on: one plus what the convolutions on its way add."""
    seen = {id(tensor): 1 for tensor in model.inputs}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        added = 0
        if isinstance(layer, keras.layers.Conv1D):
            added = int(layer.kernel_size[0] - 1) * int(layer.dilation_rate[0])
        seen[id(layer.output)] = max(seen[id(tensor)] for tensor in inputs_of(layer)) + added
    return max(seen[id(tensor)] for tensor in model.outputs)


def inputs_of(layer: Any) -> list[Any]:
    """Return what a layer of a built network is given, one tensor or several."""
    return layer.input if isinstance(layer.input, list) else [layer.input]


def without_probability(model: Any) -> tuple[Any, float, float]:
    """Take apart what `with_probability` put together.

    Parameters
    ----------
    model : keras.Model
        Gives probabilities.

    Returns
    -------
    logits : keras.Model
        Gives logits; its layers are those of `model`.
    shift, temperature : float
        The calibration.

    Raises
    ------
    ClassifierError
        If the network does not end in a calibration.
    """
    if not {"calibration", "probability"} <= {layer.name for layer in model.layers}:
        what = "The network does not end in the calibration that ndx-cinac gives its classifiers"
        raise ClassifierError(what, fix="Only classifiers that ndx-cinac has trained can be trained further")
    calibration = model.get_layer("calibration")
    logits = keras.Model(model.input, calibration.input, name=model.name)
    return logits, float(calibration.offset), 1.0 / float(calibration.scale)
