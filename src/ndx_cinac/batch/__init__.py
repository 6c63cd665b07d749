"""Many recordings: one after the other, or on workers of Dask, on this machine and on others."""

from .many import BatchOptions, predict_many
from .outcomes import BatchResult, RecordingOutcome
from .recipe import Recipe

__all__ = ["BatchOptions", "BatchResult", "Recipe", "RecordingOutcome", "predict_many"]
