"""What a prediction will take, in memory and time, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from ..classifiers import ModelCard
from ..threads import working_threads
from .options import PredictionOptions

MIB = 2**20

# Measured by benchmarks/throughput.py on two cores of a server of 2023 (512 x 512 pixels in gzip chunks,
# 6,000 frames, 300 ROIs, Python 3.11, TensorFlow 2.21). What a slow disk or the network takes comes on top.
SECONDS_TO_START = 8.0
"""Imports, and compiling the network."""

SECONDS_PER_PIXEL = 13e-9
"""Decompression, sampling, correction, demixing and a copy of the movie, per pixel of every frame."""

SECONDS_PER_CELL_FRAME = 7e-6
"""Channels and network, per ROI and frame."""

BYTES_TO_START = 750 * MIB
"""The libraries, TensorFlow above all."""


@dataclass(frozen=True)
class Expectation:
    """Memory and time that a prediction is expected to take on two cores.

    Attributes
    ----------
    memory_bytes : int
        Memory of the process at its peak; temporary files are not in it.
    disk_bytes : int
        Temporary file for traces; 0 where they stay in memory.
    seconds : float
        Right to a factor of about two.
    """

    memory_bytes: int
    disk_bytes: int
    seconds: float


TRACE_KINDS = ("traces", "cell features")
"""Kinds of inputs that take the time that is measured above."""


def expected_seconds(n_frames: int, n_rois: int, frame_shape: tuple[int, int]) -> float:
    """Seconds that a classifier of traces takes, right to a factor of about two; see `estimate`."""
    pixels = frame_shape[0] * frame_shape[1]
    work = SECONDS_PER_PIXEL * pixels * n_frames + SECONDS_PER_CELL_FRAME * n_rois * n_frames
    return SECONDS_TO_START + work


def estimate(
    card: ModelCard,
    n_frames: int,
    n_rois: int,
    frame_shape: tuple[int, int],
    options: PredictionOptions | None = None,
) -> Expectation | None:
    """Estimate what predicting a recording takes.

    Parameters
    ----------
    card : ModelCard
        The classifier's.
    n_frames, n_rois : int
        Frames of the movie, and ROIs to predict.
    frame_shape : tuple of int
        Lengths of the movie's spatial axes.
    options : PredictionOptions, optional
        How it will run.

    Returns
    -------
    Expectation or None
        None for classifiers of another kind than "traces", for which nothing is known.
    """
    if card.inputs.get("kind") != "traces":
        return None
    options = options or PredictionOptions()
    given = card.inputs.get("options", {})
    pixels = frame_shape[0] * frame_shape[1]
    block = options.block_bytes or given.get("block_bytes", 32 * MIB)
    sample = min(given.get("sample_bytes", 256 * MIB), 4 * pixels * n_frames)
    traces = 4 * 5 * n_rois * n_frames
    on_disk = traces > given.get("store_bytes", 32 * MIB)
    channels = min(options.channel_bytes, 4 * 11 * n_rois * n_frames)
    probabilities = 4 * n_rois * n_frames
    memory = (
        BYTES_TO_START + 1.2 * sample + (3 + 2 * working_threads()) * block + 3 * channels + probabilities
    )
    return Expectation(
        memory_bytes=int(memory + (0 if on_disk else traces)),
        disk_bytes=traces if on_disk else 0,
        seconds=expected_seconds(n_frames, n_rois, frame_shape),
    )
