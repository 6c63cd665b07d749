"""The network of an activity classifier in training: new, its loss, as it is run, and finished."""

from __future__ import annotations

from typing import Any

from ..traces import CHANNELS, TraceOptions
from .calibration import Calibration
from .config import TrainingConfig
from .measures import Predict


def new_network(config: TrainingConfig) -> Any:
    """Build an untrained network that gives logits; the seed decides its weights."""
    from ..networks import build_activity_network, keras

    keras.utils.set_random_seed(config.seed)
    return build_activity_network(len(CHANNELS), width=config.width, dilations=config.dilations)


def frame_loss() -> Any:
    """Cross-entropy of every frame by itself, so that each frame has its own weight."""
    from ..networks import keras

    class FrameLoss(keras.losses.Loss):  # type: ignore[misc]
        """Binary cross-entropy of logits, averaged over the frames that count."""

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return keras.ops.softplus(y_pred) - y_true * y_pred

    return FrameLoss(reduction="mean_with_sample_weight")


def predictor(network: Any) -> Predict:
    """Return what runs a network, as it is by then, over channels of recordings."""
    from ..networks import BLOCK_FRAMES, CompiledNetwork

    return CompiledNetwork(network, block=BLOCK_FRAMES).predict


def finish(network: Any, calibration: Calibration) -> Any:
    """Put the calibration behind a network, so that it gives probabilities."""
    from ..networks import with_probability

    return with_probability(network, shift=calibration.shift, temperature=calibration.temperature)


def inputs(traces: TraceOptions, network: Any) -> dict[str, Any]:
    """Say what the classifier has to be given, for its card."""
    from ..networks import BLOCK_FRAMES, receptive_field

    return {
        "kind": "traces",
        "channels": list(CHANNELS),
        "options": traces.to_dict(),
        "block": BLOCK_FRAMES,
        "halo": receptive_field(network) // 2,
    }
