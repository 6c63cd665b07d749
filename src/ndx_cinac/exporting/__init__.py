"""Predictions out of NWB files, for programs that read none: CSV, NumPy's npz, MATLAB's mat."""

from .export import FORMATS, ExportFormat, export_predictions

__all__ = ["FORMATS", "ExportFormat", "export_predictions"]
