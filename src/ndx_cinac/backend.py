"""Keras and what it runs on: TensorFlow, which ships, or JAX; all that differs between the two is here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PredictionError
from .extras import require
from .threads import n_cores

# Without a GPU TensorFlow reports a failed call to CUDA below level 3; its errors still come as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # leave other programs their share of the GPU

FEATURE = "Running a network"


def _require_backend(backend: str) -> None:
    """Refuse Keras on a backend for which nothing is written below."""
    if backend not in ("tensorflow", "jax"):
        what = f"Keras is set to the backend '{backend}', ndx-cinac runs networks on TensorFlow or JAX"
        raise PredictionError(
            what, fix="Set the environment variable KERAS_BACKEND to tensorflow, or unset it"
        )


def _load() -> tuple[Any, Any]:
    """Import the backend, then Keras; return Keras and the backend."""
    asked = os.environ.get("KERAS_BACKEND") or "tensorflow"
    _require_backend(asked)  # before Keras looks for what may be absent
    require(asked, extra="jax" if asked == "jax" else "predict", feature=FEATURE)
    loaded = require("keras", extra="predict", feature=FEATURE)
    found = loaded.backend.backend()
    _require_backend(found)  # Keras' own configuration file may choose, too
    return loaded, require(found, extra="jax" if found == "jax" else "predict", feature=FEATURE)


keras: Any
keras, _library = _load()
BACKEND: str = keras.backend.backend()
"""What Keras runs on: "tensorflow" or "jax"."""


def tensorflow() -> Any:
    """Return TensorFlow, for what runs on nothing else.

    Raises
    ------
    PredictionError
        If Keras runs on another backend.
    """
    if BACKEND != "tensorflow":
        what = f"This runs on TensorFlow alone, and Keras is set to the backend '{BACKEND}'"
        raise PredictionError(
            what, fix="Set the environment variable KERAS_BACKEND to tensorflow, or unset it"
        )
    return _library


def device_description() -> str:
    """Where networks run: the GPU's name, or "CPU" and its number of threads."""
    cores = n_cores()
    if BACKEND == "jax":
        device = _library.devices()[0]
        if device.platform != "cpu":
            return f"{device.platform.upper()}, {device.device_kind}"
    else:
        gpus = _library.config.list_physical_devices("GPU")
        if gpus:
            details = [_library.config.experimental.get_device_details(gpu) for gpu in gpus[:1]]
            return f"GPU, {details[0].get('device_name', 'GPU')}"
        cores = _library.config.threading.get_intra_op_parallelism_threads() or cores
    return f"CPU, {cores} thread{'s' if cores > 1 else ''}"


def use_threads(number: int) -> None:
    """Let TensorFlow compute with so many threads; before it has computed anything."""
    tensorflow().config.threading.set_intra_op_parallelism_threads(number)


def keras_versions() -> dict[str, str]:
    """Versions of Keras and of its backend."""
    return {"keras": str(keras.__version__), BACKEND: str(_library.__version__)}


@contextmanager
def full_precision() -> Iterator[None]:
    """Multiply in float32 on GPUs, too: TF32 would change probabilities by more than a thousandth."""
    if BACKEND == "jax":
        with _library.default_matmul_precision("highest"):
            yield
        return
    experimental = _library.config.experimental
    before = experimental.tensor_float_32_execution_enabled()
    experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        experimental.enable_tensor_float_32_execution(before)


@lru_cache(maxsize=8)
def compiled(model: Any) -> Callable[[Any], Any]:
    """One compiled function per network, however many recordings it predicts: tracing it takes seconds.

    Weights that change later, as in training, are used as they are then.
    """
    if BACKEND == "tensorflow":
        function: Callable[[Any], Any] = _library.function(
            lambda windows: model(windows, training=False), reduce_retracing=True
        )
        return function
    run = _library.jit(
        lambda trained, others, windows: model.stateless_call(trained, others, windows, training=False)[0]
    )
    return lambda windows: run(
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        windows,
    )


def run_batch(function: Callable[[Any], Any], batch: NDArray[Any]) -> NDArray[np.float32] | None:
    """Run a compiled function on a batch; None if the device's memory does not suffice."""
    try:
        values: NDArray[np.float32] = keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(batch)))
    except _OUT_OF_MEMORY as error:
        if BACKEND == "jax" and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None
    return values


_OUT_OF_MEMORY: type[Exception] = (
    _library.errors.JaxRuntimeError if BACKEND == "jax" else _library.errors.ResourceExhaustedError
)
