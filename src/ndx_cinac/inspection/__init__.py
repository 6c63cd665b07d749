"""What a file holds, how it would be predicted, and what may go wrong: nothing is predicted."""

from .report import InspectionReport, inspect_file

__all__ = ["InspectionReport", "inspect_file"]
