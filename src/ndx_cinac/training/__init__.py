"""Training of activity classifiers on simulated movies."""

from ..extras import require

require("sklearn", extra="train", feature="Training a classifier")

from .activity import train_activity  # noqa: E402
from .config import TrainingConfig  # noqa: E402

__all__ = ["TrainingConfig", "train_activity"]
