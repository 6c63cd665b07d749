"""From a recording to predictions: options, engines, and what they are expected to take."""

from .activity import predict_activity, predict_recording
from .expectation import Expectation, estimate
from .options import PredictionOptions

__all__ = ["Expectation", "PredictionOptions", "estimate", "predict_activity", "predict_recording"]
