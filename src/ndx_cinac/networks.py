"""Networks of traces, compiled and run over recordings of any length."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .activity_network import (
    average_networks,
    build_activity_network,
    receptive_field,
    with_probability,
    without_probability,
)
from .backend import (
    compiled,
    device_description,
    full_precision,
    keras,
    keras_versions,
    run_batch,
    tensorflow,
)
from .errors import ClassifierError, ConfigError, PredictionError
from .network_files import load_network, save_network
from .precision import check_precision, in_precision

__all__ = [
    "BATCH_SIZE",
    "BLOCK_FRAMES",
    "CompiledNetwork",
    "average_networks",
    "build_activity_network",
    "device_description",
    "full_precision",
    "keras",
    "keras_versions",
    "load_network",
    "receptive_field",
    "save_network",
    "window_starts",
    "with_probability",
    "without_probability",
]

_log = logging.getLogger(__name__)

BLOCK_FRAMES = 1024
BATCH_SIZE = 16


def __getattr__(name: str) -> Any:
    """Give ``networks.tf`` to what runs on TensorFlow alone; elsewhere that is an error that says so."""
    if name == "tf":
        return tensorflow()
    what = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(what)


def window_starts(n_frames: int, block: int, halo: int) -> list[tuple[int, int, int]]:
    """Cut `n_frames` into windows of equal length and say which frames each window decides.

    A window's outer `halo` frames lack context, so its neighbours decide them, except at the recording's true
    ends. The last window ends with the recording: all windows are equally long, and none is padded.

    Returns
    -------
    list of (start, first, stop)
        Where each window of ``min(block, n_frames)`` frames starts, and the frames that it decides.
    """
    if n_frames <= block:
        return [(0, 0, n_frames)]
    starts = [*range(0, n_frames - block, block - 2 * halo), n_frames - block]
    stops = [start + block - halo for start in starts[:-1]] + [n_frames]
    firsts = [0, *stops[:-1]]
    return list(zip(starts, firsts, stops, strict=True))


class CompiledNetwork:
    """A network compiled for one batch shape, run over recordings of any length.

    The numbers are those of one convolution over the whole recording (to 1e-5), whatever `block` and
    `batch_size` are.

    Parameters
    ----------
    model : keras.Model
        From (batch, time, channels) to (batch, time).
    block : int
        Frames per window; a shorter recording is one window.
    halo : int, optional
        Frames at both sides of a window that only serve as context; half the receptive field if not given.
    batch_size : int
        Windows computed together. Halved when the device runs out of memory.
    precision : {"float32", "bfloat16", "float16"}
        Of products and activations; see `precision.check_precision`.

    Raises
    ------
    ClassifierError
        If the network has another kind of input or output, or `halo` is less than half its receptive field.
    ConfigError
        If `block` leaves no frame between its halos, or `batch_size` is below 1.
    PredictionError
        If the device does not compute in that precision.
    """

    def __init__(
        self,
        model: Any,
        block: int = BLOCK_FRAMES,
        halo: int | None = None,
        batch_size: int = BATCH_SIZE,
        *,
        precision: str = "float32",
    ) -> None:
        check_precision(precision)
        if len(model.inputs) != 1 or len(model.input_shape) != 3 or len(model.output_shape) != 2:
            what = (
                "A network of traces turns (batch, time, channels) into (batch, time), this one turns "
                f"{model.input_shape} into {model.output_shape}"
            )
            raise ClassifierError(what)
        needed = receptive_field(model) // 2
        halo = needed if halo is None else halo
        if halo < needed:
            what = f"A halo of {halo} frames is less than the {needed} that the network sees on either side"
            raise ClassifierError(what, fix=f"Set the card's halo to {needed}")
        if block <= 2 * halo:
            what = f"A block of {block} frames leaves nothing between two halos of {halo} frames"
            raise ConfigError(what, fix=f"Use at least {2 * halo + 1} frames")
        if batch_size < 1:
            what = f"A batch cannot hold {batch_size} windows"
            raise ConfigError(what, fix="Use a batch size of 1 or more")
        self.model = model
        self.n_channels = int(model.input_shape[-1])
        self.block, self.halo, self.batch_size = block, halo, batch_size
        self._function = compiled(in_precision(model, precision))

    def predict(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network.

        Parameters
        ----------
        channels : ndarray of float32, shape (n_rois, n_frames, n_channels)

        Returns
        -------
        ndarray of float32, shape (n_rois, n_frames)
            What the network gives: probabilities, or logits.

        Raises
        ------
        PredictionError
            If the number of channels differs, or the device's memory does not suffice for one window.
        """
        if channels.ndim != 3 or channels.shape[2] != self.n_channels:
            what = f"The network reads {self.n_channels} channels, not an array of shape {channels.shape}"
            raise PredictionError(what)
        n_rois, n_frames = channels.shape[:2]
        windows = window_starts(n_frames, self.block, self.halo)
        jobs = [(roi, *window) for roi in range(n_rois) for window in windows] if n_frames else []
        output = np.empty((n_rois, n_frames), np.float32)
        length = min(self.block, n_frames)
        done = 0
        with full_precision():
            while done < len(jobs):
                batch = jobs[done : done + self.batch_size]
                values = self._run([channels[roi, start : start + length] for roi, start, _, _ in batch])
                if values is None:
                    continue  # the batch was halved
                for (roi, start, first, stop), value in zip(batch, values, strict=False):
                    output[roi, first:stop] = value[first - start : stop - start]
                done += len(batch)
        return output

    def _run(self, windows: list[NDArray[np.float32]]) -> NDArray[np.float32] | None:
        """Compute up to one batch, padded to its full size; None if it was too large and has been halved."""
        batch = np.zeros((self.batch_size, *windows[0].shape), np.float32)
        np.stack(windows, out=batch[: len(windows)])
        values = run_batch(self._function, batch)
        if values is None:
            if self.batch_size == 1:
                what = f"The memory of the device ({device_description()}) does not suffice for one window"
                fix = f"Use fewer frames per block (now {self.block}), or run on a machine with more memory"
                raise PredictionError(what, fix=fix)
            self.batch_size //= 2
            _log.warning("Out of memory on the device: the batch is halved to %d windows.", self.batch_size)
        return values
