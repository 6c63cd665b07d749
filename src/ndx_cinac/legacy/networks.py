"""Keras' part of legacy classifiers: built from layer descriptions, cut in two, run without repetition.

Beside `networks`, this is the only module that needs Keras and TensorFlow; it is imported when a legacy
classifier is used.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ClassifierError, PredictionError
from ..networks import device_description, keras, tf
from .architecture import HARD_SIGMOID_SCALE, Architecture, LayerSpec
from .encoder import FrameEncoder, compiled
from .weights import WeightFile

_log = logging.getLogger(__name__)


def build_network(architecture: Architecture, weights: WeightFile | None = None) -> Any:
    """Build the network of a legacy classifier out of core layers of Keras, with its weights.

    Parameters
    ----------
    architecture : Architecture
        Its layers.
    weights : WeightFile, optional
        Their weights, found by the layers' names; random ones if not given.

    Returns
    -------
    keras.Model
        From one array (batch, window, height, width, 1) per input to what the classifier gives.

    Raises
    ------
    ClassifierError
        If layers do not fit each other, or the weights do not fit the layers.
    """
    tensors = {name: keras.Input(shape, name=name) for name, shape in architecture.inputs.items()}
    inputs = list(tensors.values())
    for spec in architecture.layers:
        given = [tensors[source] for source in spec.sources]
        try:
            layer = _build(spec)
            tensors[spec.name] = layer(given if len(given) > 1 else given[0])
        except (
            ValueError,
            TypeError,
            IndexError,
        ) as error:  # what Keras raises where shapes or settings do not fit
            what = f"Layer '{spec.name}' ({spec.kind}) cannot be built: {error}"
            raise ClassifierError(what, where=weights.where if weights else None) from error
        if weights is not None:
            _set_weights(layer, spec, weights)
    outputs = [tensors[name] for name in architecture.outputs]
    return keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs, name="legacy")


def _build(spec: LayerSpec) -> Any:
    """Make one layer, with the layers inside of it."""
    inner = [_build(layer) for layer in spec.inner]
    if spec.kind == "Sequential":
        return keras.Sequential(inner, name=spec.name)
    return getattr(keras.layers, spec.kind)(*inner, **_settings(spec), name=spec.name)


def _settings(spec: LayerSpec) -> dict[str, Any]:
    """Arguments of a layer's class: pairs of numbers are tuples there."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in spec.settings.items()}


def _set_weights(layer: Any, spec: LayerSpec, weights: WeightFile) -> None:
    """Give a layer its weights, stored by their kinds in the order of the layers inside of it."""
    if not layer.weights:
        return
    stored = {kind: list(arrays) for kind, arrays in weights.layer(spec.name).items()}
    _scale_gates(spec, stored)
    for variable in layer.weights:
        kind = variable.path.split("/")[-1]
        array = stored.get(kind, []).pop(0) if stored.get(kind) else None
        if array is None or array.shape != tuple(variable.shape):
            found = "nothing" if array is None else f"one of {array.shape}"
            what = f"Layer '{spec.name}' needs a {kind} of {tuple(variable.shape)}, the weights hold {found}"
            fix = "Give the .json and the .h5 of one classifier"
            raise ClassifierError(what, where=weights.where, fix=fix)
        variable.assign(array)
    if any(stored.values()):
        what = f"The weights hold more for layer '{spec.name}' than it needs"
        raise ClassifierError(what, where=weights.where, fix="Give the .json and the .h5 of one classifier")


def _scale_gates(spec: LayerSpec, stored: dict[str, list[NDArray[np.float32]]]) -> None:
    """Scale what leads to an LSTM's gates where these are hard sigmoids, as was usual before Keras 2.3."""
    lstm = spec.inner[0] if spec.kind == "Bidirectional" else spec
    if lstm.kind != "LSTM" or lstm.settings["recurrent_activation"] != "hard_sigmoid":
        return
    units = lstm.settings["units"]
    scale = np.full(4 * units, HARD_SIGMOID_SCALE, np.float32)
    scale[2 * units : 3 * units] = (
        1  # input gate, forget gate, candidate, output gate: the candidate is no gate
    )
    for kind, arrays in stored.items():
        stored[kind] = [array * scale for array in arrays]


class _Recurrence(keras.layers.Layer):  # type: ignore[misc]
    """An LSTM, or a bidirectional one, whose inputs are multiplied by its kernel for all time steps at once.

    Keras multiplies step by step, and so reads the kernel (megabytes, more than a processor's cache) once per
    step. What is concatenated before is given in its parts: each has rows of the kernel of its own.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(name=f"{layer.name}_at_once")
        wrapped = isinstance(layer, keras.layers.Bidirectional)
        self._directions = [layer.forward_layer, layer.backward_layer] if wrapped else [layer]

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Shape of what `call` returns."""
        return (*shapes[0][:2], sum(layer.units for layer in self._directions))

    def call(self, parts: list[Any]) -> Any:
        """Return the layer's output for every time step."""
        return tf.concat([_scan(layer, parts) for layer in self._directions], axis=-1)


def _scan(layer: Any, parts: list[Any]) -> Any:
    """Run one direction of an LSTM over sequences (batch, time, features), given in parts."""
    cell = layer.cell
    kernels = tf.split(tf.convert_to_tensor(cell.kernel), [part.shape[-1] for part in parts])
    driven = tf.add_n([tf.tensordot(part, rows, 1) for part, rows in zip(parts, kernels, strict=True)])
    if cell.use_bias:
        driven += tf.convert_to_tensor(cell.bias)
    recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
    n_steps = driven.shape[1]

    def step(done: Any, hidden: Any, state: Any, outputs: Any) -> tuple[Any, ...]:
        t = n_steps - 1 - done if layer.go_backwards else done
        gates = driven[:, t] + tf.matmul(hidden, recurrent_kernel)
        write, keep, candidate, show = tf.split(gates, 4, axis=1)
        state = cell.recurrent_activation(keep) * state + cell.recurrent_activation(write) * cell.activation(
            candidate
        )
        hidden = cell.recurrent_activation(show) * cell.activation(state)
        return done + 1, hidden, state, outputs.write(t, hidden)

    zeros = tf.zeros((tf.shape(driven)[0], cell.units))
    outputs = tf.TensorArray(tf.float32, n_steps, element_shape=(None, cell.units))
    outputs = tf.while_loop(
        lambda done, *_: done < n_steps, step, (0, zeros, zeros, outputs), parallel_iterations=1
    )[-1]
    return tf.transpose(outputs.stack(), (1, 0, 2))


class CutNetwork:
    """A legacy network cut behind its per-frame CNN, so that each frame passes the CNN once.

    Parameters
    ----------
    model : keras.Model
        As `build_network` makes it, or as it is loaded from its ``.keras`` file.

    Attributes
    ----------
    window, height, width : int
        Frames of a window, rows and columns of a patch.
    n_inputs : int
        Inputs of the network.
    output_shape : tuple of int
        Shape of what is decided on one window.
    encoder_of : tuple of int
        The CNN that each input passes; inputs with the same number share one.

    Raises
    ------
    ClassifierError
        If an input does not lead to a CNN that is applied frame by frame.
    """

    def __init__(self, model: Any) -> None:
        _, self.window, self.height, self.width, _ = model.inputs[0].shape
        self.n_inputs = len(model.inputs)
        self.output_shape: tuple[int, ...] = tuple(model.outputs[0].shape[1:])
        entries = [_entry(model, tensor) for tensor in model.inputs]
        encoders: list[Any] = []
        numbers = []
        for entry in entries:
            same = [n for n, encoder in enumerate(encoders) if _equal(encoder, entry.layer)]
            numbers.append(same[0] if same else len(encoders))
            encoders += [] if same else [entry.layer]
        self.encoder_of = tuple(numbers)
        self._encoders = [FrameEncoder(encoder, (self.height, self.width)) for encoder in encoders]
        head = _head(model, entries)
        signature = [tf.TensorSpec(tensor.shape) for tensor in head.inputs]
        self._most = sys.maxsize
        self._decide = compiled(lambda *windows: head(windows, training=False), signature)
        alone = [tf.TensorSpec((1, *tensor.shape[1:])) for tensor in model.inputs]
        self._whole = compiled(lambda *inputs: model(inputs, training=False), alone)

    def encode(self, inputs: Sequence[NDArray[np.float32]]) -> list[Any]:
        """Pass what the inputs show through their CNNs.

        Parameters
        ----------
        inputs : sequence of ndarray of float32, each of shape (n_frames, height, width)
            One for each input.

        Returns
        -------
        list of tf.Tensor of float32, each of shape (n_frames, n_features)
        """
        features: list[Any] = [None] * self.n_inputs
        for number, encoder in enumerate(self._encoders):
            members = [which for which in range(self.n_inputs) if self.encoder_of[which] == number]
            for which, encoded in zip(members, encoder.encode([inputs[m] for m in members]), strict=True):
                features[which] = encoded
        return features

    def predict_alone(self, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Pass one window through the whole network.

        Parameters
        ----------
        inputs : sequence of ndarray of float32, each of shape (window, height, width)
            What each input sees.

        Returns
        -------
        ndarray of float32, shape output_shape
            What the network gives.
        """
        found: NDArray[np.float32] = self._whole(*(each[None, ..., None] for each in inputs)).numpy()[0]
        return found

    def gather(self, features: Any, frames: NDArray[np.int64]) -> Any:
        """Put features of frames together to windows: (n_windows, window, n_features)."""
        return tf.gather(features, frames)

    def decide(self, windows: list[list[Any]]) -> NDArray[np.float32]:
        """Pass windows through the rest of the network.

        Parameters
        ----------
        windows : list of lists of tf.Tensor of float32, each of shape (n_windows, window, n_features)
            Lists of one tensor for each input; what they hold is decided together.

        Returns
        -------
        ndarray of float32, shape (all windows, *output_shape)
            What the network gives.
        """
        batch = [tf.concat(parts, axis=0) for parts in zip(*windows, strict=True)]
        while True:
            try:
                return self._in_parts(batch)
            except tf.errors.ResourceExhaustedError as error:
                self._halve(len(batch[0]), error)

    def _in_parts(self, batch: list[Any]) -> NDArray[np.float32]:
        """Decide on no more windows at once than the memory of the device has sufficed for."""
        n_windows = len(batch[0])
        size = min(self._most, n_windows)
        parts = [[each[start : start + size] for each in batch] for start in range(0, n_windows, size)]
        return np.concatenate([self._decide(*part).numpy() for part in parts])

    def _halve(self, n_windows: int, error: Exception) -> None:
        """Decide on half as many windows at once from now on."""
        tried = min(self._most, n_windows)
        if tried == 1:
            what = f"The memory of the device ({device_description()}) does not suffice for one window"
            raise PredictionError(what, fix="Run on a machine with more memory") from error
        self._most = tried // 2
        _log.warning("Out of memory on the device: the batch is halved to %d windows.", self._most)


@lru_cache(maxsize=4)
def cut_network(model: Any) -> CutNetwork:
    """Cut a network; a network that was cut before is not compiled again."""
    return CutNetwork(model)


def _entry(model: Any, tensor: Any) -> Any:
    """Return the layer that applies a CNN to each frame of one input."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.TimeDistributed) and layer.input is tensor:
            return layer
    what = f"Input '{tensor.name}' of the network leads to no CNN that is applied frame by frame"
    raise ClassifierError(what)


def _equal(first: Any, second: Any) -> bool:
    """Whether two CNNs compute the same: DeepCINAC shares one among its inputs, its files hold copies."""
    if [type(layer) for layer in first.layers] != [type(layer) for layer in second.layers]:
        return False
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _head(model: Any, entries: list[Any]) -> Any:
    """Rebuild what follows the CNNs on inputs of its own, with the weights of the same layers."""
    calls = [(layer, layer.input, layer.output) for layer in model.layers if not _is_entry(layer, entries)]
    inputs = [keras.Input(entry.output.shape[1:]) for entry in entries]
    parts = {id(entry.output): [tensor] for entry, tensor in zip(entries, inputs, strict=True)}
    for layer, given, output in calls:
        sources = [parts[id(tensor)] for tensor in (given if isinstance(given, list) else [given])]
        if isinstance(layer, keras.layers.Concatenate) and layer.axis in (-1, len(output.shape) - 1):
            parts[id(output)] = [part for source in sources for part in source]
        elif isinstance(layer, keras.layers.LSTM | keras.layers.Bidirectional):
            parts[id(output)] = [_Recurrence(layer)(sources[0])]
        else:
            whole = [_joined(source) for source in sources]
            parts[id(output)] = [layer(whole if isinstance(given, list) else whole[0])]
    return keras.Model(inputs, _joined(parts[id(model.outputs[0])]))


def _joined(parts: list[Any]) -> Any:
    """Concatenate what was left in parts for recurrent layers."""
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _is_entry(layer: Any, entries: list[Any]) -> bool:
    return isinstance(layer, keras.layers.InputLayer) or any(layer is entry for entry in entries)
