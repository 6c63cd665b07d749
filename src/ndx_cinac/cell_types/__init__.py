"""Cell types: their names in YAML, the fusion of predictions, the choice of classifiers by type."""

from .categories import (
    CellTypeConfig,
    cell_types_of,
    default_cell_types,
    read_cell_type_categories_yaml_file,
    read_cell_types,
)
from .choice import ChoiceRules, select_activity_classifier_on_cell_type_outputs
from .fusion import fusion_cell_type_predictions, fusion_cell_type_predictions_by_type

__all__ = [
    "CellTypeConfig",
    "ChoiceRules",
    "cell_types_of",
    "default_cell_types",
    "fusion_cell_type_predictions",
    "fusion_cell_type_predictions_by_type",
    "read_cell_type_categories_yaml_file",
    "read_cell_types",
    "select_activity_classifier_on_cell_type_outputs",
]
