"""The per-frame CNN of legacy networks, computed where its inputs differ and nowhere else.

The inputs of a legacy network show the same patch behind different masks. Where an input shows nothing, its
activations are those of an empty patch; where two inputs show the same, they are the same. So one of an ROI's
inputs is computed whole, and the others around the pixels in which they differ from it or from an empty
patch.
"""

from __future__ import annotations

import math
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


Pattern = tuple[tuple[int | None, bool], ...]
"""For each input: from which it is computed, and whether it differs from that at all."""


def compiled(call: Callable[..., Any], signature: Sequence[Any]) -> Callable[..., Any]:
    """Compile a function of tensors once, for whatever fits `signature`."""
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
        self._network = network
        self._stages = _stages(network)
        self._sizes = [shape]
        for _ in self._stages:
            height, width = self._sizes[-1]
            self._sizes.append(((height - 2) // 2, (width - 2) // 2))
        self._empty = self._empty_stages()
        self._compiled: dict[Pattern, Callable[..., Any]] = {}

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
        pattern = tuple((base, region is not None) for base, region in plan)
        if pattern not in self._compiled:
            self._compiled[pattern] = self._compile(pattern)
        regions = np.array([self._regions(region) for _, region in plan], np.int32)
        regions = tf.constant(regions.reshape(len(plan), len(self._stages), 4))
        parts = []
        for start in range(0, len(inputs[0]), FRAMES_TOGETHER):
            batch = [patches[start : start + FRAMES_TOGETHER] for patches in inputs]
            parts.append(self._compiled[pattern](batch, regions))
        features: list[Any] = []
        for (base, region), encoded in zip(plan, zip(*parts, strict=True), strict=True):
            if region is None and base is not None:
                features.append(features[base])
            else:
                features.append(tf.concat(encoded, axis=0))
        return features

    def _compile(self, pattern: Pattern) -> Callable[..., Any]:
        """Compile the encoding of a batch of frames: of inputs that differ like this, wherever they do."""

        def encode(batch: list[Any], regions: Any) -> list[Any]:
            done: list[list[Any]] = []
            for (base, differs), patches, reached in zip(pattern, batch, tf.unstack(regions), strict=True):
                if not self._stages:
                    done.append([self._network(patches[..., None], training=False)])
                    continue
                stages = self._empty if base is None else done[base]
                done.append(self._from_base(patches, stages, reached) if differs else stages)
            n_frames = tf.shape(batch[0])[0]
            last = [tf.broadcast_to(stages[-1], (n_frames, *stages[-1].shape[1:])) for stages in done]
            return [tf.reshape(values, (n_frames, math.prod(values.shape[1:]))) for values in last]

        patches = tf.TensorSpec((None, *self._sizes[0]))
        regions = tf.TensorSpec((len(pattern), len(self._stages), 4), tf.int32)
        return compiled(encode, [[patches] * len(pattern), regions])

    def _empty_stages(self) -> list[Any]:
        """Activations of an empty patch after each stage."""
        stages, values = [], tf.zeros((1, *self._sizes[0], 1))
        with full_precision():
            for number, stage in enumerate(self._stages):
                rows, columns = self._sizes[number + 1]
                framed = tf.pad(values, self._frame(number))
                values = _passed(stage, framed[:, : 2 * rows + 4, : 2 * columns + 4])
                stages.append(values)
        return stages

    def _from_base(self, patches: Any, base: list[Any], regions: Any) -> list[Any]:
        """Activations after each stage of patches that differ from those of `base` in `regions` only."""
        stages, values = [], patches[..., None]
        for number, stage in enumerate(self._stages):
            top, left, bottom, right = region = tf.unstack(regions[number])
            framed = tf.pad(values, self._frame(number))
            values = _passed(stage, framed[:, 2 * top : 2 * bottom + 6, 2 * left : 2 * right + 6])
            values = _pasted(base[number], values, region)
            stages.append(values)
        return stages

    def _frame(self, number: int) -> list[tuple[int, int]]:
        """Rows and columns of zeros around what a stage is given: what it needs and no more."""
        sizes = zip(self._sizes[number], self._sizes[number + 1], strict=True)
        return [(0, 0), *((1, 2 * after + 3 - before) for before, after in sizes), (0, 0)]

    def _regions(self, region: Region | None) -> list[Region]:
        """Where activations differ after each stage; zeros where they do not."""
        reached = []
        for size in self._sizes[1:]:
            region = (0, 0, 0, 0) if region is None else _reached(region, size)
            reached.append(region)
        return reached


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


def _passed(stage: list[Any], values: Any) -> Any:
    """Pass a stage that is given the zeros around its input along with it, for inputs of any size."""
    for layer in stage:
        if isinstance(layer, keras.layers.Conv2D):
            values = tf.nn.conv2d(values, tf.convert_to_tensor(layer.kernel), 1, "VALID")
            if layer.use_bias:
                values = tf.nn.bias_add(values, tf.convert_to_tensor(layer.bias))
            values = layer.activation(values)
        else:
            values = layer(values, training=False)
    return values


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


def _pasted(base: Any, values: Any, region: Sequence[Any]) -> Any:
    """Put values into a region of what `base` holds for each frame, or for all frames alike."""
    top, left, bottom, right = region
    ends = [(0, 0), (top, base.shape[1] - 1 - bottom), (left, base.shape[2] - 1 - right), (0, 0)]
    inside = tf.pad(tf.ones_like(values[:1, ..., :1], tf.bool), ends)
    pasted = tf.where(inside, tf.pad(values, ends), base)
    return tf.ensure_shape(pasted, (None, *base.shape[1:]))
