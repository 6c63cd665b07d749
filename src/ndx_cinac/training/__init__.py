"""Training of classifiers: on annotated recordings, .cinac files and simulated movies."""

from ..extras import require

require("sklearn", extra="train", feature="Training a classifier")

from .activity import train_activity  # noqa: E402
from .config import TrainingConfig  # noqa: E402
from .settings import (  # noqa: E402
    AugmentationSettings,
    FineTuningSettings,
    PieceSettings,
    SourceSettings,
)

__all__ = [
    "AugmentationSettings",
    "FineTuningSettings",
    "PieceSettings",
    "SourceSettings",
    "TrainingConfig",
    "train_activity",
]
