"""How right predictions are, and the trace-based methods that they have to beat."""

from .activity import ActivityScores, match_periods, periods, score_activity
from .baselines import best_threshold, smoothed_rise_scores, smoothed_trace_scores
from .truth import ActivityTruth, truth_from_nwb

__all__ = [
    "ActivityScores",
    "ActivityTruth",
    "best_threshold",
    "match_periods",
    "periods",
    "score_activity",
    "smoothed_rise_scores",
    "smoothed_trace_scores",
    "truth_from_nwb",
]
