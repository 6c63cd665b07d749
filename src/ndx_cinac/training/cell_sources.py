"""Which labelled recordings are trained on, what their labels are called, and how they are divided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cell_types import CellTypeConfig, default_cell_types, read_cell_types
from ..cell_types.categories import cell_types_of
from ..errors import ConfigError
from .cell_config import CellTypeTrainingConfig
from .cell_examples import LabelledJob
from .cell_labels import LabelledFile, open_labelled
from .cell_parents import CellParent
from .checkpoints import fingerprint

SIMULATED_TYPES = ("interneuron", "pyramidal", "noise")
"""What a simulation calls the types of its cells."""


@dataclass(frozen=True)
class LabelledPlan:
    """What is trained on beside simulations: nothing of it is made yet.

    Attributes
    ----------
    types : CellTypeConfig
        The types, in the order of the outputs.
    jobs : tuple of LabelledJob
        One per file.
    split_by : {"animal", "recording", "roi"}
        What cross-validation holds out.
    most_folds : int
        Parts of the cross-validation, at most.
    seed : int
        Of the division.
    about : sequence of mapping
        What the card says of each file, as JSON types.
    """

    types: CellTypeConfig
    jobs: tuple[LabelledJob, ...] = ()
    split_by: str = "recording"
    most_folds: int = 5
    seed: int = 0
    about: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the types."""
        return self.types.ordered

    def folds(self, groups: NDArray[np.str_], codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the part, from 0, in which each ROI is held out.

        Groups are dealt out, the largest first, each to the part with the fewest ROIs; single ROIs type by
        type, so that every part has some of each.
        """
        rng = np.random.default_rng([self.seed, len(groups)])
        parts = np.zeros(len(groups), np.int64)
        if self.split_by == "roi":
            number = min(self.most_folds, len(groups))
            order = rng.permutation(len(groups))
            by_type = order[np.argsort(codes[order], kind="stable")]
            parts[by_type] = np.arange(len(groups)) % number
            return parts
        names, sizes = np.unique(groups, return_counts=True)
        filled = np.zeros(min(self.most_folds, len(names)), np.int64)
        shuffled = rng.permutation(len(names))
        for name in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
            part = int(np.argmin(filled))
            parts[groups == names[name]] = part
            filled[part] += sizes[name]
        return parts


@dataclass(frozen=True)
class _Found:
    """A file, its animal, and how many ROIs it has of each label."""

    file: LabelledFile
    animal: str
    counts: Counter[str]


def plan_labelled(config: CellTypeTrainingConfig, parent: CellParent | None = None) -> LabelledPlan:
    """Open every file, and decide on types and parts; no trace is extracted.

    The types are those of the config's file; else the parent's, or those that come along and are labelled,
    if they hold all labels; else those that the labels name.

    Raises
    ------
    ReadingError
        If a file cannot be read, or says nothing of cell types.
    ConfigError
        If labels are not among the types, fewer than two types have ROIs, or there are too few animals or
        recordings to hold out.
    """
    if not config.recordings:
        types = _named(config) or _usual(parent)
        _check_simulated(config, types)
        return LabelledPlan(types)
    files = [
        LabelledFile(
            path,
            "" if path.endswith(".cinac") else config.label_column,
            config.frame_rate if path.endswith(".cinac") else 0.0,
            config.pixel_size,
        )
        for path in config.recordings
    ]
    found = [_survey(file) for file in files]
    types = _types(config, found, parent)
    _check_simulated(config, types)
    split_by, groups = _split(config, found)
    jobs = []
    for entry, group in zip(found, groups, strict=True):
        names = {label: types.ordered[_code(types, label, entry.file)] for label in entry.counts}
        mark = fingerprint(Path(entry.file.path))
        jobs.append(LabelledJob(entry.file, config.inputs, names, group, mark))
    counts = Counter[str]()
    for job, entry in zip(jobs, found, strict=True):
        for label, number in entry.counts.items():
            counts[job.types[label]] += number
    _check_counts(counts, types, _taught(config, types, parent), simulated=config.simulated)
    about = [
        {"name": f.file.name, "animal": f.animal or "not known", "labels": dict(sorted(f.counts.items()))}
        for f in found
    ]
    return LabelledPlan(types, tuple(jobs), split_by, config.folds, config.seed, about)


def _survey(file: LabelledFile) -> _Found:
    animal, counts = "", Counter[str]()
    for labelled in open_labelled(file):
        with labelled.recording:
            animal = labelled.animal
            counts.update(labelled.labels.values())
    return _Found(file, animal, counts)


def _named(config: CellTypeTrainingConfig) -> CellTypeConfig | None:
    """Return the types of the config's file; the network has an output for each, also where there are two."""
    return replace(read_cell_types(config.cell_types), multi_class=True) if config.cell_types else None


def _usual(parent: CellParent | None) -> CellTypeConfig:
    return read_cell_types(default_cell_types()) if parent is None else parent.types


def _types(
    config: CellTypeTrainingConfig, found: Sequence[_Found], parent: CellParent | None
) -> CellTypeConfig:
    given = _named(config)
    labels = sorted({label for entry in found for label in entry.counts})
    usual = _usual(parent)
    if given is not None:
        return given
    if config.simulated:
        return usual
    if all(usual.find(label) is not None for label in labels):
        return usual if parent is not None else _only(usual, {usual.require(label) for label in labels})
    content = {"config": {"multi_class": True}, "cell_type_categories": list(labels)}
    return cell_types_of(content, "labels", 2)


def _only(types: CellTypeConfig, codes: set[int]) -> CellTypeConfig:
    """Return some of the types: those of which there is something to learn."""
    categories = types.to_dict()["cell_type_categories"]
    chosen = [category for code, category in enumerate(categories) if code in codes]
    content = {"config": {"multi_class": True}, "cell_type_categories": chosen}
    return cell_types_of(content, types.source, 2)


def _code(types: CellTypeConfig, label: str, file: LabelledFile) -> int:
    code = types.find(label)
    if code is None:
        what = (
            f"The label '{label}' is none of the types {', '.join(types.ordered)}, nor one of their keywords"
        )
        raise ConfigError(what, where=file.path, fix="Name it in a YAML file of cell types (--cell-types)")
    return code


def _split(config: CellTypeTrainingConfig, found: Sequence[_Found]) -> tuple[str, list[str]]:
    """Choose what is held out together, and name each file's group."""
    animals = [entry.animal for entry in found]
    recordings = [f"{number}: {entry.file.name}" for number, entry in enumerate(found)]
    by = config.split_by
    if by == "auto":
        by = "animal" if all(animals) and len(set(animals)) > 1 else "recording" if len(found) > 1 else "roi"
    if by == "animal" and (not all(animals) or len(set(animals)) < 2):
        what = "Animals cannot be held out: fewer than two are named in the files (subject_id)"
        raise ConfigError(what, fix="Name the animals, give more files, or split by recording or roi")
    if by == "recording" and len(found) < 2:
        what = "Recordings cannot be held out: there is one"
        raise ConfigError(what, fix="Give more recordings, or split by roi")
    return by, animals if by == "animal" else recordings


def _check_simulated(config: CellTypeTrainingConfig, types: CellTypeConfig) -> None:
    """Refuse to learn from simulated cells whose types are not among those to be told apart."""
    missing = [name for name in SIMULATED_TYPES if types.find(name) is None]
    if missing and config.simulated:
        what = f"Simulated cells of the type '{missing[0]}' are none of the types {', '.join(types.ordered)}"
        fix = f"Name {', '.join(SIMULATED_TYPES)} there (as keywords, if need be), or leave 'simulation' out"
        raise ConfigError(what, where=types.source, fix=fix)


def _taught(config: CellTypeTrainingConfig, types: CellTypeConfig, parent: CellParent | None) -> set[str]:
    """Return the types that are known without a label: to a simulation, or to the parent."""
    known = {types.ordered[types.require(name)] for name in SIMULATED_TYPES} if config.simulated else set()
    places = parent.places(types) if parent is not None else [None] * len(types.ordered)
    return known | {name for name, place in zip(types.ordered, places, strict=True) if place is not None}


def _check_counts(counts: Counter[str], types: CellTypeConfig, taught: set[str], *, simulated: bool) -> None:
    """Refuse types of which there is nothing to learn."""
    if len(counts) < 2 and not simulated:
        what = "All labels are of one type: there is nothing to tell apart"
        raise ConfigError(what, fix="Label ROIs of another type, too, or add 'simulation' to the sources")
    missing = [name for name in types.ordered if not counts[name] and name not in taught]
    if missing:
        what = f"There is no ROI of the type '{missing[0]}' to learn from"
        fix = "Leave the type out of the YAML file of cell types, or add 'simulation' or labelled recordings"
        raise ConfigError(what, fix=fix)
    few = [name for name in types.ordered if counts[name] == 1 and name not in taught]
    if few:
        what = f"There is one ROI of the type '{few[0]}': it cannot be learnt and measured"
        raise ConfigError(what, fix="Label more, or leave the type out")


__all__ = ["LabelledPlan", "plan_labelled"]
