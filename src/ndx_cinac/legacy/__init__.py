"""Classifiers that DeepCINAC trained: read without running anything of theirs, and predicted with."""

from .classifiers import LegacyClassifier, convert, load_legacy

__all__ = ["LegacyClassifier", "convert", "load_legacy"]
