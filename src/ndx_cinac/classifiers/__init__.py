"""Classifiers: a network and its card, found, checked, loaded and saved."""

from .cards import ModelCard
from .catalogue import Classifier, check_fit, list_classifiers, load_classifier, save_classifier

__all__ = [
    "Classifier",
    "ModelCard",
    "check_fit",
    "list_classifiers",
    "load_classifier",
    "save_classifier",
]
