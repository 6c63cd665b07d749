"""What a training is made of: documented options, to and from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..simulation import SimulationConfig
from ..traces import TraceOptions


@dataclass(frozen=True)
class TrainingConfig:
    """Options of a training of an activity classifier; the defaults are those of `activity-sim`."""

    name: str = ""
    """Name of the classifier; its folder's, where empty."""
    version: str = "1.0"
    """Its version."""
    seed: int = 0
    """What makes the training exact on one machine."""
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    """What the fields are drawn from."""
    traces: TraceOptions = field(default_factory=TraceOptions)
    """How traces are extracted, here and in every prediction of this classifier."""
    n_fields: int = 2000
    """Simulated fields to train on."""
    n_calibration_fields: int = 100
    """Further fields for the calibration of probabilities and threshold."""
    n_test_fields: int = 100
    """Further fields for the figures on the card."""
    workers: int = 2
    """Processes that make fields; 0 makes them in the training's own."""
    cache: str | None = None
    """Folder that keeps finished fields for another training with the same settings."""
    width: int = 48
    """Features per frame inside the network."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1, 2, 4)
    """Frames between the taps of each of its convolutions over time."""
    steps: int = 12000
    """Steps of the optimiser."""
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

    def __post_init__(self) -> None:
        counts = ("n_fields", "n_calibration_fields", "n_test_fields", "width", "steps", "batch_size")
        wrong = [name for name in (*counts, "crop_frames") if getattr(self, name) < 1]
        wrong += [name for name in ("learning_rate", "gradient_norm") if not getattr(self, name) > 0]
        wrong += [name for name in ("workers", "warm_up_steps", "seed") if getattr(self, name) < 0]
        if wrong:
            what = f"The training option '{wrong[0]}' cannot be {getattr(self, wrong[0])}"
            raise ConfigError(what, fix="Counts are at least 1; rates and norms are above 0")
        if self.crop_frames > self.simulation.movie.n_frames[0]:
            shortest = self.simulation.movie.n_frames[0]
            what = f"Pieces of {self.crop_frames} frames do not fit in movies of {shortest} frames"
            raise ConfigError(what, fix="Choose fewer crop_frames, or longer simulated movies")

    def scaled(self, n_fields: int) -> TrainingConfig:
        """Return a config with another number of fields, and calibration, test and steps in proportion."""
        part = n_fields / self.n_fields
        few = {
            name: max(8, round(getattr(self, name) * part))
            for name in ("n_calibration_fields", "n_test_fields")
        }
        return replace(self, n_fields=n_fields, steps=max(100, round(self.steps * part)), **few)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        parts = {"simulation": self.simulation.to_dict(), "traces": self.traces.to_dict()}
        return {**asdict(self), **parts, "dilations": list(self.dilations)}

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
        for entry in fields(cls):
            default = entry.default
            given = made.get(entry.name, default)
            number = isinstance(default, (int, float))
            numeric = isinstance(given, (int, float)) and not isinstance(given, bool)
            if number and (not numeric or (isinstance(default, int) and given != int(given))):
                what = f"The training option '{entry.name}' cannot be {given!r}"
                raise ConfigError(what, where=where)
        unknown = sorted(set(made) - {entry.name for entry in fields(cls)})
        if unknown:
            what = f"Unknown training option '{unknown[0]}'"
            raise ConfigError(what, where=where, fix=f"Known are: {', '.join(e.name for e in fields(cls))}")
        if "simulation" in made:
            made["simulation"] = SimulationConfig.from_dict(made["simulation"], where=f"{where}: simulation")
        if "dilations" in made:
            made["dilations"] = _dilations(made["dilations"], where)
        if "traces" in made:
            made["traces"] = TraceOptions.from_dict(made["traces"])
        return cls(**made)

    @classmethod
    def from_yaml(cls, path: str | Path) -> TrainingConfig:
        """Read a config from a YAML file.

        Raises
        ------
        ConfigError
            If the file cannot be read, is no YAML mapping, or `from_dict` refuses it.
        """
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            what = f"The training config cannot be read: {error}"
            raise ConfigError(what, where=str(path)) from error
        return cls.from_dict(values or {}, where=str(path))


def _dilations(value: Any, where: str) -> tuple[int, ...]:
    """Check a list of whole numbers of at least 1, and return it as a tuple."""
    if not isinstance(value, (list, tuple)) or not value or not all(type(v) is int and v >= 1 for v in value):
        what = f"The training option 'dilations' cannot be {value!r}"
        raise ConfigError(what, where=where, fix="Give whole numbers of at least 1, as a list")
    return tuple(value)
