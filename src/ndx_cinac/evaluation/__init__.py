"""How right predictions are, and the trace-based methods that they have to beat."""

from .activity import ActivityScores, match_periods, periods, score_activity
from .activity_report import EvaluationOptions, evaluate_activity
from .baselines import oasis_scores, smoothed_rise_scores, smoothed_trace_scores
from .cell_type_files import CellTypeEvaluationOptions, evaluate_cell_types
from .cell_types import CellTypeEvaluation
from .recordings import AnnotatedPredictions
from .report import ActivityReport
from .thresholds import best_threshold
from .truth import ActivityTruth, truth_from_nwb

__all__ = [
    "ActivityReport",
    "ActivityScores",
    "ActivityTruth",
    "AnnotatedPredictions",
    "CellTypeEvaluation",
    "CellTypeEvaluationOptions",
    "EvaluationOptions",
    "best_threshold",
    "evaluate_activity",
    "evaluate_cell_types",
    "match_periods",
    "oasis_scores",
    "periods",
    "score_activity",
    "smoothed_rise_scores",
    "smoothed_trace_scores",
    "truth_from_nwb",
]
