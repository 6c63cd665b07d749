"""A DeepCINAC classifier's architecture JSON, read into plain layer descriptions; nothing in it is run.

Keras 2 wrote the files, Lambdas with Python bytecode included. What a layer is follows from its name and its
settings; of those only the ones that shape what the network computes are kept.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..errors import ClassifierError

_SHAPES = ("padding", "strides", "data_format")
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "BatchNormalization": ("axis", "epsilon", "center", "scale"),
    "Bidirectional": ("merge_mode",),
    "Concatenate": ("axis",),
    "Conv2D": ("filters", "kernel_size", "dilation_rate", "groups", "activation", "use_bias", *_SHAPES),
    "Dense": ("units", "activation", "use_bias"),
    "Dropout": ("rate",),
    "Flatten": ("data_format",),
    "LSTM": ("units", "activation", "recurrent_activation", "use_bias", "return_sequences", "go_backwards"),
    "MaxPooling2D": ("pool_size", *_SHAPES),
    "Multiply": (),
    "Permute": ("dims",),
    "RepeatVector": ("n",),
    "TimeDistributed": (),
}
"""Every layer that DeepCINAC builds its networks of, and the settings that shape what it computes."""

LAYERS_WITH_WEIGHTS = frozenset({"BatchNormalization", "Bidirectional", "Dense", "LSTM", "TimeDistributed"})
"""Those of them that have weights under their own name."""

_FIXED: Mapping[str, object] = {
    "data_format": "channels_last",
    "stateful": False,
    "return_state": False,
    "time_major": False,
}
"""Settings that may have one value only, which also counts where nothing is written."""

ACTIVATIONS = frozenset(
    {"elu", "exponential", "gelu", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6", "selu"}
    | {"sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh"}
)
"""Activations that Keras 2 and 3 compute alike."""

HARD_SIGMOID_SCALE = 1.2
"""Keras 2 computed hard_sigmoid as clip(x / 5 + 1 / 2), Keras 3 as clip(x / 6 + 1 / 2), both from 0 to 1: the
first of x is the second of 1.2 x."""


LARGEST_ARCHITECTURE = 5_000_000
"""Characters beyond which a file is refused; those of DeepCINAC have about a hundredth of it."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer as it is to be built.

    Attributes
    ----------
    kind : str
        Its class in ``keras.layers``; "Sequential" for layers in a row.
    name : str
        Its name in the file, under which its weights are stored.
    settings : mapping
        Arguments of the class.
    inner : tuple of LayerSpec
        The layers of a Sequential, or the one layer that a wrapper wraps.
    sources : tuple of str
        Names of the layers whose outputs it is given; empty inside of a Sequential or a wrapper.
    """

    kind: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    inner: tuple[LayerSpec, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """A whole network.

    Attributes
    ----------
    inputs : mapping of str to tuple of int
        Each input's name and shape without the batch: (window, height, width, 1); in order.
    layers : tuple of LayerSpec
        All other layers, each after those that it is given outputs of.
    outputs : tuple of str
        Names of the layers whose outputs are the network's.
    keras_version : str
        The Keras that wrote the file.
    """

    inputs: Mapping[str, tuple[int, ...]]
    layers: tuple[LayerSpec, ...]
    outputs: tuple[str, ...]
    keras_version: str


def read_architecture(path: str | Path) -> Architecture:
    """Read an architecture JSON.

    Raises
    ------
    ClassifierError
        If the file is missing, no such JSON, or holds a layer that DeepCINAC does not build: a Lambda that is
        neither its swish nor its mean over time steps, a custom object, or a setting that would change what
        is computed.
    """
    where = str(path)
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LARGEST_ARCHITECTURE + 1)
        if len(text) > LARGEST_ARCHITECTURE:
            _refuse(f"The classifier's architecture has more than {LARGEST_ARCHITECTURE:,} characters", where)
        values = json.loads(text)
    except OSError as error:
        fix = "Weights go with the .json that DeepCINAC wrote; a classifier of ndx-cinac has its own"
        _refuse(f"The classifier's architecture cannot be read: {error.strerror}", where, fix)
    except (ValueError, RecursionError) as error:
        fix = "Give the .json that DeepCINAC wrote first, the .h5 as its weights"
        _refuse(f"The classifier's architecture is not JSON: {error}", where, fix)
    try:
        return _Reader(where).network(values)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        what = f"The file is no network as Keras 2 writes them: {type(error).__name__}: {error}"
        raise ClassifierError(
            what, where=where, fix="Give the .json that DeepCINAC wrote when it trained"
        ) from error


def _refuse(what: str, where: str, fix: str | None = None) -> NoReturn:
    raise ClassifierError(what, where=where, fix=fix)


class _Reader:
    """Reads the parts of one file."""

    def __init__(self, where: str) -> None:
        self.where = where

    def network(self, values: Mapping[str, Any]) -> Architecture:
        """Read the network of the whole file."""
        if values["class_name"] not in ("Model", "Functional"):
            self.refuse(f"The network is a {values['class_name']}, not a Model of several inputs")
        config = values["config"]
        entries = {str(entry["name"]): entry for entry in config["layers"]}
        sources = {name: self.sources(name, entry) for name, entry in entries.items()}
        inputs, layers = {}, {}
        for name, entry in entries.items():
            if entry["class_name"] == "InputLayer":
                inputs[name] = self.input_shape(name, entry["config"])
            elif entry["class_name"] == "Lambda":
                self.check_mean(name, entry, entries, sources)
                # The mean over the axis of time steps of (batch, time steps, features): a core layer of
                # Keras.
                layers[name] = LayerSpec("GlobalAveragePooling1D", name, sources=sources[name])
            else:
                spec = self.layer(entry, name)
                layers[name] = LayerSpec(spec.kind, name, spec.settings, spec.inner, sources[name])
        return Architecture(
            inputs={name: inputs[name] for name in _names(config["input_layers"])},
            layers=tuple(self.ordered(layers, set(inputs))),
            outputs=tuple(_names(config["output_layers"])),
            keras_version=str(values.get("keras_version", "unknown")),
        )

    def sources(self, name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the layers whose outputs a layer is given."""
        nodes = entry["inbound_nodes"]
        if len(nodes) > 1 or any(source[1] != 0 or source[2] != 0 for node in nodes for source in node):
            self.refuse(f"Layer '{name}' is used in several places")
        return tuple(str(source[0]) for node in nodes for source in node)

    def input_shape(self, name: str, config: Mapping[str, Any]) -> tuple[int, ...]:
        """Shape of one input without the batch."""
        shape = tuple(config["batch_input_shape"][1:])
        if len(shape) != 4 or shape[3] != 1 or not all(isinstance(n, int) and n > 0 for n in shape):
            self.refuse(f"Input '{name}' has shape {shape}, not (window, height, width, 1)")
        return shape

    def ordered(self, layers: Mapping[str, LayerSpec], ready: set[str]) -> list[LayerSpec]:
        """Layers, each after those that it depends on."""
        waiting, found = dict(layers), []
        while waiting:
            able = [spec for spec in waiting.values() if ready.issuperset(spec.sources)]
            if not able:
                self.refuse(
                    f"Layer '{next(iter(waiting))}' is given the output of no layer that can be built"
                )
            for spec in able:
                found.append(waiting.pop(spec.name))
                ready.add(spec.name)
        return found

    def layer(self, entry: Mapping[str, Any], name: str | None = None) -> LayerSpec:
        """Read one layer, with the layers inside of it."""
        kind, config = str(entry["class_name"]), entry["config"]
        if kind == "Sequential":
            row = config["layers"] if isinstance(config, dict) else config  # a bare list before Keras 2.2.3
            return self.sequential(
                row, name or (config.get("name", kind) if isinstance(config, dict) else kind)
            )
        name = name or str(config["name"])
        if kind not in _SETTINGS:
            module = entry.get("registered_name") or entry.get("module") or "a custom object"
            self.refuse(f"Layer '{name}' is a {kind} ({module}), which DeepCINAC does not build")
        for key, allowed in _FIXED.items():
            if config.get(key, allowed) != allowed:
                self.refuse(f"Layer '{name}' has {key} {config[key]!r}, which is not supported")
        settings = {key: config[key] for key in _SETTINGS[kind] if key in config}
        for key in ("activation", "recurrent_activation"):
            known = ACTIVATIONS | {"hard_sigmoid"} if key == "recurrent_activation" else ACTIVATIONS
            if key in settings and not (isinstance(settings[key], str) and settings[key] in known):
                self.refuse(f"Layer '{name}' has the {key} {_shown(settings[key])}, which is not supported")
        if kind == "BatchNormalization" and isinstance(settings["axis"], list):
            (settings["axis"],) = settings["axis"]
        inner = (self.layer(config["layer"]),) if "layer" in config else ()
        return LayerSpec(kind, name, settings, inner)

    def sequential(self, row: Sequence[Mapping[str, Any]], name: str) -> LayerSpec:
        """Read layers in a row, in which a Lambda after a convolution is DeepCINAC's swish."""
        inner: list[LayerSpec] = []
        for entry in row:
            if entry["class_name"] == "InputLayer":
                continue
            if entry["class_name"] == "Lambda":
                label = str(entry["config"]["name"])
                if not (inner and inner[-1].kind == "Conv2D" and _mentions(entry, "swish")):
                    self.refuse_lambda(label)
                inner.append(LayerSpec("Activation", label, {"activation": "silu"}))
            elif entry["config"].get("activation") == "hard_sigmoid" and entry["class_name"] == "Activation":
                label = str(entry["config"]["name"])
                inner.append(LayerSpec("Rescaling", f"{label}_scale", {"scale": HARD_SIGMOID_SCALE}))
                inner.append(LayerSpec("Activation", label, {"activation": "hard_sigmoid"}))
            else:
                inner.append(self.layer(entry))
        return LayerSpec("Sequential", name, {}, tuple(inner))

    def check_mean(
        self,
        name: str,
        entry: Mapping[str, Any],
        entries: Mapping[str, Mapping[str, Any]],
        sources: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Refuse a Lambda but the mean of a single attention vector: between a softmax and its repetition."""
        before = [entries[source] for source in sources[name]]
        after = [entries[other] for other, given in sources.items() if name in given]
        softmax = [b["class_name"] == "Dense" and b["config"]["activation"] == "softmax" for b in before]
        repeated = [a["class_name"] == "RepeatVector" for a in after]
        if softmax != [True] or repeated != [True] or not _mentions(entry, "mean"):
            self.refuse_lambda(name)

    def refuse_lambda(self, name: str) -> NoReturn:
        """Refuse a Lambda."""
        what = (
            f"Layer '{name}' is a Lambda, which holds Python code; it is neither DeepCINAC's swish after a "
            "convolution nor its mean over time steps, and nothing of it was run"
        )
        self.refuse(what, "Do not use this file unless you know who made it")

    def refuse(self, what: str, fix: str | None = None) -> NoReturn:
        """Refuse the file."""
        _refuse(what, self.where, fix)


def _names(ends: Sequence[Any]) -> list[str]:
    """Names of a network's inputs or outputs, which a network with one of them may give without a list."""
    return [str(ends[0])] if isinstance(ends[0], str) else [str(end[0]) for end in ends]


def _shown(value: object) -> str:
    """Return the name of an activation, be it a custom object's."""
    return repr(value["class_name"] if isinstance(value, dict) and "class_name" in value else value)


def _mentions(entry: Mapping[str, Any], name: str) -> bool:
    """Whether a Lambda's function has a name, or its bytecode, searched as mere bytes, mentions it."""
    function = entry["config"].get("function")
    if isinstance(function, dict):
        function = function.get("config", {}).get("code") or function.get("config")
    code = function[0] if isinstance(function, list) and function else function
    if code == name:
        return True
    try:
        return isinstance(code, str) and name.encode() in base64.b64decode(code)
    except binascii.Error:
        return False
