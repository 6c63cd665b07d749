"""Classifiers: a folder (or a zip of it) with a network and its card; found, checked, loaded and saved."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ClassifierError, OutputError
from ..recording import CinacRecording
from ..results import ClassifierInfo
from .cards import ModelCard
from .files import CARD_FILE, NETWORK_FILE, network_path, read_card, sha256_of
from .keras_files import check_network_file

ODD_ROIS = 0.1
"""Share of ROIs outside the card's range of diameters from which a user is told."""


@dataclass
class Classifier:
    """A classifier whose card was read and whose weights were found to be those that the card names.

    Attributes
    ----------
    card : ModelCard
        What it is given and what it gives.
    folder : Path
        The folder with ``model.keras`` and ``card.json``, or a zip of it.
    """

    card: ModelCard
    folder: Path

    @property
    def info(self) -> ClassifierInfo:
        """What a file with predictions says of this classifier."""
        card = self.card
        return ClassifierInfo(
            name=card.name,
            task=card.task,
            version=card.version,
            sha256=card.sha256,
            description=card.description,
            model_card=card.to_json(),
        )

    @property
    def fingerprint(self) -> str:
        """The first twelve digits of the weights' SHA-256, for messages."""
        return self.card.sha256[:12]

    def network(self) -> Any:
        """Return the Keras model; loaded when first asked for, with nothing from its file run.

        Raises
        ------
        ClassifierError
            If the file is unsafe or Keras cannot read it.
        MissingExtraError
            If TensorFlow is not installed.
        """
        return _network_of(self.folder, self.card.sha256)


@lru_cache(maxsize=4)
def _network_of(folder: Path, sha256: str) -> Any:
    """Load a network, once for all predictions with it."""
    from ..networks import load_network

    with network_path(folder) as path:
        if sha256_of(path) != sha256:
            what = "The network's file has changed since its card was read"
            raise ClassifierError(what, where=str(folder), fix="Load the classifier again")
        return load_network(path)


def list_classifiers() -> list[ModelCard]:
    """Cards of the classifiers that come with ndx-cinac, in the order of their names."""
    return [read_card(folder) for folder in sorted(_bundled().values())]


def load_classifier(classifier: str | Path | Classifier) -> Classifier:
    """Find a classifier, read its card and check its network file; the network is loaded when it is used.

    Parameters
    ----------
    classifier : str, Path or Classifier
        The name of a bundled classifier, a folder with ``model.keras`` and ``card.json``, or a zip of such a
        folder. A bundled classifier's name always means that one; write ``./name`` for a folder of the same
        name.

    Raises
    ------
    ClassifierError
        If there is none of that name, the card is faulty, or the network file is unsafe or not the one that
        the card was written for.
    """
    if isinstance(classifier, Classifier):
        return classifier
    folder = _find(classifier)
    card = read_card(folder)
    with network_path(folder) as path:
        check_network_file(path)
        found = sha256_of(path)
    if found != card.sha256:
        what = (
            f"Classifier '{card.name}' is not the one of its card: {NETWORK_FILE} has the SHA-256 "
            f"{found[:12]}, the card says {card.sha256[:12] or 'nothing'}"
        )
        fix = "Get the classifier again; if you trained it, save it with save_classifier"
        raise ClassifierError(what, where=str(folder), fix=fix)
    return Classifier(card, folder)


def save_classifier(model: Any, card: ModelCard, folder: str | Path, *, overwrite: bool = False) -> ModelCard:
    """Write a network and its card as a classifier, whole or not at all.

    Parameters
    ----------
    model : keras.Model
        Made of Keras' own layers; an optimizer's state is left out.
    card : ModelCard
        Its `sha256` and `versions` are filled in here.
    folder : str or Path
        The classifier's folder, made here.
    overwrite : bool
        Whether a classifier that is there already is replaced.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    ClassifierError
        If the card is faulty or the network cannot be loaded again safely.
    OutputError
        If `folder` exists and is not to be replaced, or is no classifier, or its parent cannot be written to.
    """
    from ..networks import keras_versions, load_network, save_network

    folder = Path(folder)
    _check_goal(folder, overwrite=overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        what = f"No classifier can be written to '{folder}': {error}"
        raise OutputError(what, fix="Choose another folder") from error
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        save_network(model, fresh / NETWORK_FILE)
        versions = {**card.versions, **keras_versions(), "ndx-cinac": version("ndx-cinac")}
        card = replace(card, sha256=sha256_of(fresh / NETWORK_FILE), versions=versions)
        card.check(where=str(folder / CARD_FILE))
        load_network(fresh / NETWORK_FILE)
        (fresh / CARD_FILE).write_text(card.to_json() + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(scratch / "old")
        fresh.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return card


def check_fit(card: ModelCard, recording: CinacRecording) -> list[str]:
    """Compare what a classifier was trained on with a recording.

    Returns
    -------
    list of str
        A sentence with both numbers for each mismatch of frame rate, pixel size, ROI diameter (where at least
        a tenth of the ROIs differ) and length; empty where the recording fits or says nothing.
    """
    found = []
    rate = recording.times.frame_rate if recording.times is not None else float("nan")
    for value, limits, what, unit in (
        (rate, card.frame_rates, "frame rate", "Hz"),
        (recording.pixel_size, card.pixel_sizes, "pixel size", "micrometres"),
    ):
        if limits is None or value is None or not np.isfinite(value) or limits[0] <= value <= limits[1]:
            continue
        found.append(
            f"The {what} is {value:.4g} {unit}; classifier '{card.name}' was trained on {limits[0]:g} to "
            f"{limits[1]:g} {unit}"
        )
    found += _check_diameters(card, recording)
    halo = card.inputs.get("halo")
    n_frames = recording.movie.n_frames if recording.movie is not None else None
    if isinstance(halo, int) and n_frames is not None and n_frames < 2 * halo + 1:
        noun = "frame" if n_frames == 1 else "frames"
        found.append(
            f"The movie has {n_frames} {noun}; classifier '{card.name}' looks at {2 * halo + 1} at a time, "
            "so it decides without its full context"
        )
    return found


def _check_diameters(card: ModelCard, recording: CinacRecording) -> list[str]:
    if card.roi_diameters is None or recording.rois is None or not len(recording.rois.kept):
        return []
    rows = recording.rois.kept
    smallest, largest = card.roi_diameters
    diameters = 2 * np.sqrt(recording.rois.n_pixels[rows] / np.pi)
    odd = diameters[(diameters < smallest) | (diameters > largest)]
    if len(odd) < ODD_ROIS * len(rows):
        return []
    low, high = f"{odd.min():.1f}", f"{odd.max():.1f}"
    sizes = low if low == high else f"{low} to {high}"
    return [
        f"{len(odd)} of {len(rows)} ROIs have diameters of {sizes} pixels; "
        f"classifier '{card.name}' was trained on {smallest:g} to {largest:g} pixels"
    ]


def _bundled() -> dict[str, Path]:
    """Folders of the classifiers that come with ndx-cinac, by name."""
    models = Path(str(files("ndx_cinac") / "models"))
    return {card.parent.name: card.parent for card in models.glob(f"*/{CARD_FILE}")}


def _find(classifier: str | Path) -> Path:
    """Return the folder or zip that is meant."""
    bundled = _bundled()
    if isinstance(classifier, str) and classifier in bundled:
        return bundled[classifier]
    path = Path(classifier)
    if path.suffix == ".keras" and path.is_file():
        what = f"'{path}' is a network without its card"
        raise ClassifierError(what, fix=f"Give the folder that holds {NETWORK_FILE} and {CARD_FILE}")
    if path.is_dir() or zipfile.is_zipfile(path):
        return path
    if path.exists():
        what = f"'{path}' is no classifier: neither a folder nor a zip archive"
        fix = "A classifier of DeepCINAC (.json and .h5) is converted with: ndx-cinac classifiers convert"
        raise ClassifierError(what, fix=fix)
    what = f"There is no classifier '{classifier}'"
    known = ", ".join(sorted(bundled)) or "none"
    raise ClassifierError(what, fix=f"Give a classifier's folder, or one of those that come along: {known}")


def _check_goal(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that exists, unless it is a classifier that may be replaced."""
    if not folder.exists():
        return
    if not (folder / CARD_FILE).is_file():
        what = f"'{folder}' exists and is no classifier; it is left alone"
        raise OutputError(what, fix="Choose another folder")
    if not overwrite:
        what = f"The classifier '{folder}' exists"
        raise OutputError(what, fix="Choose another folder, or overwrite it")
