"""Figures of predictions."""

from .field import plot_field
from .figures import plot_file, plot_probabilities, plot_traces

__all__ = ["plot_field", "plot_file", "plot_probabilities", "plot_traces"]
