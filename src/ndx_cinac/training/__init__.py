"""Training of activity classifiers on simulated movies."""

from .activity import train_activity
from .config import TrainingConfig

__all__ = ["TrainingConfig", "train_activity"]
