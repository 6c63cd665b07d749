"""What is trained on: simulations and annotated recordings, mixed by weight, divided into parts, and made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ReadingError
from ..evaluation import periods
from ..simulation import load_config
from .checkpoints import fingerprint
from .config import TrainingConfig
from .data import FieldJob, Job, Part, RecordingJob
from .labelled import Example
from .recordings import read_labelled, recording_name
from .settings import SIMULATION, SourceSettings
from .splitting import HeldPart, Split, split_rois


@dataclass(frozen=True)
class Source:
    """One source, planned: nothing of it is made yet.

    Attributes
    ----------
    name : str
        For people.
    weight : float
        How often it is drawn from, relative to others.
    simulated : bool
        Whether its activity is a simulation's.
    jobs : mapping of part to tuple of Job
        What makes its examples. Of a recording, "validation" serves calibration, too.
    about : mapping
        What the card says of it, as JSON types.
    """

    name: str
    weight: float
    simulated: bool
    jobs: Mapping[Part, tuple[Job[Example], ...]]
    about: Mapping[str, Any] = field(default_factory=dict)

    def held_out_transients(self) -> int:
        """Transients of recordings in the part that calibrates."""
        return int(self.about.get("transients", {}).get("validation", 0))


@dataclass
class _Recording:
    """What a file's annotations hold: for each cell, the movies that show it and its transients."""

    settings: SourceSettings
    name: str
    movies: dict[int, list[int]] = field(default_factory=dict)
    transients: Counter[int] = field(default_factory=Counter)
    frames: Counter[int] = field(default_factory=Counter)


def plan_sources(config: TrainingConfig) -> list[Source]:
    """Find out what there is to train on, and divide it; every file is opened, no trace is extracted.

    Raises
    ------
    ReadingError
        If a file cannot be read, or holds no annotation.
    ConfigError
        If a simulation is not known, or recordings cannot be split as asked.
    """
    settings = config.sources or (SourceSettings(SIMULATION),)
    found = [_survey(source) for source in settings if not source.simulated]
    _tell_apart(found)
    cells = {recording.name: sorted(recording.movies) for recording in found}
    split = split_rois(cells, config.held_out, config.seed, config.split_by)
    recordings = {each.settings.path: each for each in found}
    return [
        _simulation(source, config)
        if source.simulated
        else _recording(recordings[source.path], split, config)
        for source in settings
    ]


def _simulation(source: SourceSettings, config: TrainingConfig) -> Source:
    """Plan the fields of a simulation, each part from its own seeds."""
    name = source.path.partition(":")[2]
    simulation = load_config(name) if name else config.simulation
    if config.crop_frames > simulation.movie.n_frames[0]:
        what = f"Pieces of {config.crop_frames} frames do not fit in movies of {simulation.movie.n_frames[0]}"
        raise ConfigError(what, where=source.path, fix="Choose fewer crop_frames, or longer simulated movies")
    numbers: dict[Part, int] = {
        "training": source.fields or config.n_fields,
        "validation": config.n_validation_fields,
        "calibration": config.n_calibration_fields,
        "test": config.n_test_fields,
    }
    jobs: dict[Part, tuple[Job[Example], ...]] = {
        part: tuple(
            FieldJob(simulation, config.traces, config.seed, part, i, config.all_annotators)
            for i in range(number)
        )
        for part, number in numbers.items()
    }
    about = {"name": source.path, "weight": source.weight, "simulated fields": numbers}
    return Source(source.path, source.weight, simulated=True, jobs=jobs, about=about)


def _survey(source: SourceSettings) -> _Recording:
    """Open a file and list its annotated cells."""
    path = Path(source.path)
    if not path.exists():
        what = "There is nothing of this name to train on"
        fix = "Give an annotated NWB file, a .cinac file, or simulation:NAME"
        raise ReadingError(what, where=source.path, fix=fix)
    recording = _Recording(source, recording_name(path))
    found = read_labelled(source)
    try:
        for number, (labelled, cells) in enumerate(found):
            for row in labelled.rois.kept.tolist():
                cell, judged = int(cells[row]), labelled.judged[:, row]
                recording.movies.setdefault(cell, []).append(number)
                recording.transients[cell] += len(periods(labelled.active[:, row] & judged)[0])
                recording.frames[cell] += int(judged.sum())
    finally:
        for labelled, _ in found:
            labelled.close()
    if not recording.movies:
        what = "No annotated ROI can be used: each one is empty or outside of the frame"
        raise ReadingError(what, where=source.path, fix="Leave the file out, or mend its ROIs")
    return recording


def _tell_apart(recordings: list[_Recording]) -> None:
    """Add numbers to the names of recordings whose files have the same name."""
    seen: Counter[str] = Counter()
    for recording in recordings:
        seen[recording.name] += 1
        if seen[recording.name] > 1:
            recording.name = f"{recording.name} ({seen[recording.name]})"


def _recording(recording: _Recording, split: Split, config: TrainingConfig) -> Source:
    """Plan the examples of a recording: altered versions are for training alone."""
    mark = fingerprint(Path(recording.settings.path))
    parts: tuple[HeldPart, ...] = ("training", "validation", "test")
    jobs: dict[Part, tuple[Job[Example], ...]] = {}
    for part in parts:
        rows = split.rows(part, recording.name)
        versions = config.augmentation.versions + 1 if part == "training" else 1
        movies = sorted({movie for row in rows for movie in recording.movies[row]})
        jobs[part] = tuple(
            RecordingJob(
                source=replace(recording.settings, weight=1.0),
                fingerprint=mark,
                traces=config.traces,
                augmentation=config.augmentation,
                seed=config.seed,
                movie=movie,
                cells=tuple(row for row in rows if movie in recording.movies[row]),
                version=version,
            )
            for movie in movies
            for version in range(versions)
        )
    chosen = {part: split.rows(part, recording.name) for part in parts}
    about = {
        "name": recording.name,
        "weight": recording.settings.weight,
        "split by": split.by,
        "ROIs": {part: len(rows) for part, rows in chosen.items()},
        "transients": {p: sum(recording.transients[row] for row in rows) for p, rows in chosen.items()},
        "annotated frames": {p: sum(recording.frames[row] for row in rows) for p, rows in chosen.items()},
    }
    weight = recording.settings.weight
    return Source(recording.name, weight, simulated=False, jobs=jobs, about=about)
