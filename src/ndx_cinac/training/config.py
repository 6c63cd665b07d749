"""What a training is made of: documented options, to and from YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from ..errors import ConfigError
from ..simulation import SimulationConfig
from ..traces import TraceOptions
from ..yaml_files import load_yaml
from .settings import (
    AugmentationSettings,
    FineTuningSettings,
    PieceSettings,
    SourceSettings,
    read_section,
)
from .splitting import SplitBy


@dataclass(frozen=True)
class TrainingConfig:
    """Options of a training of an activity classifier; the defaults are those of `activity-sim`."""

    name: str = ""
    """Name of the classifier; its folder's, where empty."""
    version: str = "1.0"
    """Its version."""
    seed: int = 0
    """What makes the training exact on one machine."""
    definition: str = "from the onset to the peak of a calcium transient"
    """What counts as active, in the labels and so in the predictions."""
    sources: tuple[SourceSettings, ...] = ()
    """What is trained on, mixed by weight; where empty, the simulation below."""
    parent: str = ""
    """A classifier to train further: its name or folder. Empty for a new one."""
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    """What the fields of the source `simulation` are drawn from."""
    traces: TraceOptions = field(default_factory=TraceOptions)
    """How traces are extracted, here and in every prediction of this classifier."""
    all_annotators: bool = True
    """Whether simulated fields are taught with what all annotators say that the simulation allows for, and
    not one of them; the threshold serves all of them, figures are by one who differs from field to field."""
    n_fields: int = 3000
    """Simulated fields to train on."""
    n_validation_fields: int = 20
    """Further fields that say when to stop."""
    n_calibration_fields: int = 300
    """Further fields for the calibration of probabilities and threshold."""
    n_test_fields: int = 100
    """Further fields for the figures on the card."""
    held_out: float = 0.2
    """Share of recordings or ROIs for validation and calibration, and again for the figures."""
    split_by: SplitBy = "auto"
    """What is held out of recordings: "recording", "roi", or "auto": recordings where there are three."""
    calibrate_from: int = 30
    """Transients held out of recordings from which probabilities are calibrated on them."""
    pieces: PieceSettings = field(default_factory=PieceSettings)
    """What kinds of pieces are drawn."""
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    """How recordings are varied."""
    workers: int = 2
    """Processes that make examples; 0 makes them in the training's own."""
    cache: str | None = None
    """Folder that keeps finished examples for another training with the same settings."""
    width: int = 64
    """Features per frame inside the network."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 1, 2)
    """Frames between the taps of each of its convolutions over time."""
    networks: int = 2
    """Networks that are trained on the same examples from different random numbers, and averaged. One that is
    trained from a parent stays one."""
    side_by_side: bool = True
    """Whether several networks are trained at the same time, each in a process of its own with its share of
    the cores. On a GPU, with JAX, or on one core they are trained in turn all the same."""
    steps: int = 24000
    """Steps of the optimiser, for each network."""
    batch_size: int = 24
    """Pieces of traces per step."""
    crop_frames: int = 256
    """Frames per piece."""
    learning_rate: float = 0.002
    """Highest learning rate; it rises over the first steps and falls along a cosine."""
    warm_up_steps: int = 200
    """Steps over which it rises."""
    gradient_norm: float = 1.0
    """Gradients are shortened to this norm."""
    validate_every: int = 1000
    """Steps from one validation to the next; the best weights are kept."""
    average_steps: int = 1000
    """Steps over which the weights are averaged that are validated and kept; 0 takes them as they are."""
    patience: int = 6
    """Validations without a better one after which the training ends; 0 lets it take all its steps."""
    checkpoint_every: int = 500
    """Steps from one checkpoint to the next."""
    fine_tuning: FineTuningSettings = field(default_factory=FineTuningSettings)
    """What takes the place of these numbers where there is a parent."""
    figures: bool = True
    """Whether figures of the training are drawn into the classifier's folder."""

    def __post_init__(self) -> None:
        wrong = [name for name in _COUNTS if getattr(self, name) < 1]
        wrong += [name for name in ("learning_rate", "gradient_norm") if not getattr(self, name) > 0]
        wrong += [name for name in _NOT_NEGATIVE if getattr(self, name) < 0]
        wrong += [] if 0 <= self.held_out <= 0.4 else ["held_out"]
        wrong += [] if self.split_by in get_args(SplitBy) else ["split_by"]
        if wrong:
            what = f"The training option '{wrong[0]}' cannot be {getattr(self, wrong[0])}"
            raise ConfigError(
                what, fix="Counts are at least 1; rates and norms are above 0; held_out is at most 0.4"
            )
        paths = [source.path for source in self.sources]
        if len(set(paths)) < len(paths):
            what = f"The source '{next(p for p in paths if paths.count(p) > 1)}' is given twice"
            raise ConfigError(what, fix="Give each source once, with its weight")
        if self.crop_frames > self.simulation.movie.n_frames[0]:
            shortest = self.simulation.movie.n_frames[0]
            what = f"Pieces of {self.crop_frames} frames do not fit in movies of {shortest} frames"
            raise ConfigError(what, fix="Choose fewer crop_frames, or longer simulated movies")

    def scaled(self, n_fields: int) -> TrainingConfig:
        """Return a config with another number of fields, and calibration, test and steps in proportion."""
        part = n_fields / self.n_fields
        few = {
            name: max(8, round(getattr(self, name) * part))
            for name in ("n_validation_fields", "n_calibration_fields", "n_test_fields")
        }
        return replace(self, n_fields=n_fields, steps=max(100, round(self.steps * part)), **few)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        parts = {"simulation": self.simulation.to_dict(), "traces": self.traces.to_dict()}
        sources = [asdict(source) for source in self.sources]
        return {**asdict(self), **parts, "dilations": list(self.dilations), "sources": sources}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "training config") -> TrainingConfig:
        """Make a config from mappings; what they leave out keeps its default.

        Raises
        ------
        ConfigError
            If a name is unknown or a value cannot be used; `where` names its source.
        """
        if not isinstance(values, Mapping):
            what = f"A mapping was expected, not {type(values).__name__}"
            raise ConfigError(what, where=where)
        made: dict[str, Any] = dict(values)
        known = {entry.name for entry in fields(cls)}
        unknown = [str(name) for name in made if name not in known]
        if unknown:
            what = f"Unknown training option '{unknown[0]}'"
            raise ConfigError(what, where=where, fix=f"Known are: {', '.join(e.name for e in fields(cls))}")
        for entry in fields(cls):
            if entry.name in made and not _fits(entry.default, made[entry.name]):
                what = f"The training option '{entry.name}' cannot be {made[entry.name]!r}"
                raise ConfigError(what, where=where)
        if "simulation" in made:
            made["simulation"] = SimulationConfig.from_dict(made["simulation"], where=f"{where}: simulation")
        if "dilations" in made:
            made["dilations"] = _dilations(made["dilations"], where)
        if "traces" in made:
            made["traces"] = TraceOptions.from_dict(made["traces"])
        if "sources" in made:
            made["sources"] = _sources(made["sources"], f"{where}: sources")
        for name, kind in _SECTIONS.items():
            if name in made:
                made[name] = read_section(kind, made[name], f"{where}: {name}")
        return cls(**made)

    @classmethod
    def from_yaml(cls, path: str | Path) -> TrainingConfig:
        """Read a config from a YAML file.

        Raises
        ------
        ConfigError
            If the file cannot be read, is no YAML mapping, or `from_dict` refuses it.
        """
        values = load_yaml(path, "The training config")
        return cls.from_dict(values or {}, where=str(path))


_COUNTS = (
    *("n_fields", "n_validation_fields", "n_calibration_fields", "n_test_fields", "calibrate_from"),
    *("width", "networks", "steps", "batch_size", "crop_frames", "validate_every", "checkpoint_every"),
)
_NOT_NEGATIVE = ("workers", "warm_up_steps", "seed", "patience", "average_steps")
_SECTIONS: Mapping[str, type] = {
    "pieces": PieceSettings,
    "augmentation": AugmentationSettings,
    "fine_tuning": FineTuningSettings,
}


def _fits(default: Any, value: Any) -> bool:
    """Whether a plain value is of its default's type; sections are judged elsewhere."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, (int, float)):
        whole = isinstance(default, int)
        return isinstance(value, (int, float)) and math.isfinite(value) and (not whole or value == int(value))
    return not isinstance(default, str) or isinstance(value, str)


def _sources(values: Any, where: str) -> tuple[SourceSettings, ...]:
    """Read a list of sources, each a path or a mapping."""
    if not isinstance(values, (list, tuple)):
        what = f"A list of sources was expected, not {type(values).__name__}"
        raise ConfigError(what, where=where)
    entries = [{"path": value} if isinstance(value, str) else value for value in values]
    return tuple(read_section(SourceSettings, entry, where) for entry in entries)


def _dilations(value: Any, where: str) -> tuple[int, ...]:
    """Check a list of whole numbers of at least 1, and return it as a tuple."""
    if not isinstance(value, (list, tuple)) or not value or not all(type(v) is int and v >= 1 for v in value):
        what = f"The training option 'dilations' cannot be {value!r}"
        raise ConfigError(what, where=where, fix="Give whole numbers of at least 1, as a list")
    return tuple(value)
