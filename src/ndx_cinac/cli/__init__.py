"""The command `ndx-cinac`."""

from .program import main

__all__ = ["main"]
