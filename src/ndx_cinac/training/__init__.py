"""Training of classifiers: on annotated recordings, .cinac files and simulated movies."""

from ..extras import require

require("sklearn", extra="train", feature="Training a classifier")

from .activity import train_activity  # noqa: E402
from .cell_config import CellTypeTrainingConfig  # noqa: E402
from .cell_types import train_cell_types  # noqa: E402
from .config import TrainingConfig  # noqa: E402
from .settings import (  # noqa: E402
    AugmentationSettings,
    FineTuningSettings,
    PieceSettings,
    SourceSettings,
)

__all__ = [
    "AugmentationSettings",
    "CellTypeTrainingConfig",
    "FineTuningSettings",
    "PieceSettings",
    "SourceSettings",
    "TrainingConfig",
    "train_activity",
    "train_cell_types",
]
