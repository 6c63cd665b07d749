"""Reduced precision: which devices compute in it, and a network rebuilt so that it does."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path
from typing import Any

from .activity_network import inputs_of
from .backend import device_description, keras
from .errors import PredictionError

_PROCESSOR_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""What Linux calls instructions for bfloat16, on x86 and on ARM."""


def check_precision(precision: str) -> None:
    """Refuse a precision in which this machine's device does not compute.

    float32 runs everywhere, float16 on GPUs, bfloat16 on processors with instructions for it. Elsewhere
    networks would run, but slower than in float32 and with larger errors.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "float16"}
        As in `PredictionOptions`.

    Raises
    ------
    PredictionError
        If it is refused.
    """
    if precision == "float32":
        return
    device = device_description()
    on_gpu = not device.startswith("CPU")
    fix = f"Use {'float16' if on_gpu else 'float32'}"
    if precision == "bfloat16" and on_gpu:
        what = f"The precision bfloat16 is for processors, and the network runs on {device}"
        raise PredictionError(what, fix=fix)
    if precision == "float16" and not on_gpu:
        what = f"The precision float16 is for GPUs, and the network runs on {device}"
        raise PredictionError(what, fix=f"{fix}, or bfloat16 where the processor has it")
    if precision == "bfloat16" and not processor_flags() & _PROCESSOR_FLAGS:
        name = platform.processor() or platform.machine()
        what = f"This processor ({name}) is not known to have instructions for bfloat16"
        raise PredictionError(what, fix=fix)


def processor_flags(file: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Names of the processor's instruction sets, as Linux lists them; none where there is no such list."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    listed = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(listed, "").split())


@lru_cache(maxsize=8)
def in_precision(model: Any, precision: str) -> Any:
    """Rebuild a network so that it computes in another precision; float32 gives the network itself.

    Weights stay in float32, and so do the last layers with weights and all behind them: what comes out is
    float32.

    Parameters
    ----------
    model : keras.Model
        Computes in float32; its layers are core layers of Keras.
    precision : {"float32", "bfloat16", "float16"}
        For products and activations.

    Returns
    -------
    keras.Model
        With the same weights.
    """
    if precision == "float32":
        return model
    reduced: set[str] = set()
    leading = set[int]()  # tensors from which a way leads to a layer with weights
    for layer in reversed(model.layers):
        if id(layer.output) in leading:
            reduced.add(layer.name)
        if layer.weights or layer.name in reduced:
            leading.update(map(id, inputs_of(layer)))

    def rebuilt(layer: Any) -> Any:
        policy = f"mixed_{precision}" if layer.name in reduced else "float32"
        return type(layer).from_config({**layer.get_config(), "dtype": policy})

    copy = keras.models.clone_model(model, clone_function=rebuilt)
    copy.set_weights(model.get_weights())
    return copy
