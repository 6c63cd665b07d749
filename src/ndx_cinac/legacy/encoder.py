"""The per-frame CNN of legacy networks, computed where its inputs differ and nowhere else.

The inputs of a legacy network show the same patch behind different masks. Where an input shows nothing, its
activations are those of an empty patch; where two inputs show the same, they are the same. So one of an ROI's
inputs is computed whole, and the others around the pixels in which they differ from it or from an empty
patch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..networks import full_precision, keras, tf

FRAMES_TOGETHER = 64
"""Frames that pass the CNN together; few, to stay in the processor's cache."""

Region = tuple[int, int, int, int]
"""First row, first column, last row, last column; all inclusive."""

Patches = NDArray[np.float32]

Nearest = tuple[int | None, Region | None]
"""An input from which another is computed (None: an empty patch), and where the two differ."""


def compiled(model: Any, shapes: Sequence[tuple[int | None, ...]]) -> Callable[..., Any]:
    """Compile a network once, for inputs of these shapes; None stands for any length."""
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]

    def call(*given: Any) -> Any:
        return model(list(given) if len(given) > 1 else given[0], training=False)

    function = tf.function(call, input_signature=signature, autograph=False)

    def run(*given: Any) -> Any:
        with full_precision():
            return function(*given)

    return run


class FrameEncoder:
    """The CNN that each frame of an input passes.

    Parameters
    ----------
    network : keras.Sequential
        From (n_frames, height, width, 1) to (n_frames, n_features).
    shape : tuple of int
        (height, width).
    """

    def __init__(self, network: Any, shape: tuple[int, int]) -> None:
        self._stages: list[Callable[..., Any]] = []
        self._sizes = [shape]
        for layers in _stages(network):
            size = self._sizes[-1]
            self._sizes.append(((size[0] - 2) // 2, (size[1] - 2) // 2))
            self._stages.append(compiled(_stage(layers), [(None, None, None, layers[0].kernel.shape[2])]))
        self._whole = None if self._stages else compiled(network, [(None, *shape, 1)])
        self._empty: list[Any] = []

    def encode(self, inputs: Sequence[Patches]) -> list[Any]:
        """Encode inputs that show the same frames.

        Parameters
        ----------
        inputs : sequence of ndarray of float32, each of shape (n_frames, height, width)

        Returns
        -------
        list of tf.Tensor of float32, each of shape (n_frames, n_features)
        """
        plan = [_nearest(inputs, which) for which in range(len(inputs))]
        parts = []
        for start in range(0, len(inputs[0]), FRAMES_TOGETHER):
            batch = [patches[start : start + FRAMES_TOGETHER, ..., None] for patches in inputs]
            parts.append(self._encode_batch(batch, plan))
        return [tf.concat(features, axis=0) for features in zip(*parts, strict=True)]

    def _encode_batch(self, batch: list[Any], plan: list[Nearest]) -> list[Any]:
        """Encode each input from the one that is nearest to it, or from an empty patch."""
        done: list[list[Any]] = []
        for patches, (base, region) in zip(batch, plan, strict=True):
            if self._whole is not None:
                done.append([self._whole(tf.constant(patches))])
            elif base is None:
                done.append(self._from_base(patches, self._empty_stages(), region))
            else:
                done.append(self._from_base(patches, done[base], region))
        n_frames = len(batch[0])
        last = [tf.broadcast_to(stages[-1], (n_frames, *stages[-1].shape[1:])) for stages in done]
        return [tf.reshape(values, (n_frames, -1)) for values in last]

    def _empty_stages(self) -> list[Any]:
        """Activations of an empty patch after each stage, computed once."""
        if not self._empty:
            height, width = self._sizes[0]
            whole = (0, 0, height - 1, width - 1)
            self._empty = self._from_base(np.zeros((1, height, width, 1), np.float32), [], whole)
        return self._empty

    def _from_base(self, patches: Any, base: list[Any], region: Region | None) -> list[Any]:
        """Activations after each stage of patches that differ from those of `base` in `region` only."""
        if region is None:
            return base
        stages, values = [], patches
        for number, stage in enumerate(self._stages):
            rows, columns = self._sizes[number + 1]
            top, left, bottom, right = region = _reached(region, (rows, columns))
            height, width = self._sizes[number]
            ends = [(0, 0), (1, 2 * rows + 3 - height), (1, 2 * columns + 3 - width), (0, 0)]
            seen = tf.pad(values, ends)[:, 2 * top : 2 * bottom + 6, 2 * left : 2 * right + 6]
            values = stage(seen)
            if (top, left, bottom, right) != (0, 0, rows - 1, columns - 1):
                values = _pasted(base[number], values, region)
            stages.append(values)
        return stages


def _stages(network: Any) -> list[list[Any]]:
    """Cut a CNN of DeepCINAC behind its poolings; nothing where it is another one.

    Its stages are a convolution that keeps the size, one that takes a pixel off each side, both of 3 x 3, and
    a pooling of 2 x 2, with layers between them that act on each pixel alone.
    """
    stages: list[list[Any]] = [[]]
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer | keras.layers.Dropout | keras.layers.Flatten):
            continue
        stages[-1].append(layer)
        if isinstance(layer, keras.layers.MaxPooling2D):
            stages.append([])
    return stages[:-1] if not stages[-1] and all(map(_is_usual, stages[:-1])) else []


def _is_usual(stage: list[Any]) -> bool:
    """Whether a stage is one of DeepCINAC's."""
    convolutions = [layer for layer in stage if isinstance(layer, keras.layers.Conv2D)]
    alone = (keras.layers.Activation, keras.layers.BatchNormalization, keras.layers.Rescaling)
    pool = stage[-1]
    return (
        stage[0] in convolutions
        and [layer.padding for layer in convolutions] == ["same", "valid"]
        and all(layer.kernel_size == (3, 3) and layer.strides == (1, 1) for layer in convolutions)
        and all(layer.dilation_rate == (1, 1) for layer in convolutions)
        and all(layer in convolutions or isinstance(layer, alone) for layer in stage[:-1])
        and (pool.pool_size, pool.strides, pool.padding) == ((2, 2), (2, 2), "valid")
    )


def _stage(layers: list[Any]) -> Any:
    """Make a stage that is given the zeros around its input along with it, for inputs of any size."""
    first = keras.layers.Conv2D.from_config({**layers[0].get_config(), "padding": "valid"})
    stage = keras.Sequential([keras.Input((None, None, layers[0].kernel.shape[2])), first, *layers[1:]])
    first.set_weights(layers[0].get_weights())
    return stage


def _nearest(inputs: Sequence[Patches], which: int) -> Nearest:
    """Find the earlier input (None: an empty patch) that differs in the smallest region, and that region."""
    found: Nearest = None, _region((inputs[which] != 0).any(axis=0))
    for other in range(which):
        region = _region((inputs[which] != inputs[other]).any(axis=0))
        if _area(region) < _area(found[1]):
            found = other, region
    return found


def _region(differs: NDArray[np.bool_]) -> Region | None:
    """Bounds of what is true; None where nothing is."""
    rows, columns = np.nonzero(differs)
    if len(rows) == 0:
        return None
    return int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max())


def _area(region: Region | None) -> int:
    return 0 if region is None else (region[2] - region[0] + 1) * (region[3] - region[1] + 1)


def _reached(region: Region, size: tuple[int, int]) -> Region:
    """Pixels after a stage, of `size`, that depend on those of `region` before it.

    A pixel p of the stage's output sees the pixels 2 p - 1 to 2 p + 4 of its input along each axis.
    """
    top, left, bottom, right = region
    first = [max(0, (edge - 3) // 2) for edge in (top, left)]
    last = [min(length - 1, (edge + 1) // 2) for edge, length in zip((bottom, right), size, strict=True)]
    return first[0], first[1], last[0], last[1]


def _pasted(base: Any, values: Any, region: Region) -> Any:
    """Put values into a region of what `base` holds for each frame, or for all frames alike."""
    top, left, bottom, right = region
    base = tf.broadcast_to(base, (values.shape[0], *base.shape[1:]))
    rows = base[:, top : bottom + 1]
    middle = tf.concat([rows[:, :, :left], values, rows[:, :, right + 1 :]], axis=2)
    return tf.concat([base[:, :top], middle, base[:, bottom + 1 :]], axis=1)
