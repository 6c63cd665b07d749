"""What a training of a classifier of cell types is made of: documented options, to and from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from ..cell_types.features import CellInputOptions
from ..errors import ConfigError
from ..simulation import SimulationConfig, load_config
from ..yaml_files import load_yaml
from .settings import SIMULATION, check_fine_tuning, read_section

CellSplitBy = Literal["auto", "animal", "recording", "roi"]
CLASS_WEIGHTS = ("balanced", "none")


@dataclass(frozen=True)
class CellFineTuningSettings:
    """What takes the place of the config's own numbers when a classifier is trained further."""

    learning_rate: float = 0.0005
    """Highest learning rate."""
    steps: int = 100
    """Steps of the optimiser."""
    batch_size: int = 16
    """ROIs per step."""

    def __post_init__(self) -> None:
        check_fine_tuning(self, ("steps", "batch_size"))


def training_population() -> SimulationConfig:
    """Return the simulation that `cell-type-sim` is trained on."""
    return load_config("cell-types-training")


@dataclass(frozen=True)
class CellTypeTrainingConfig:
    """Options of a training of a classifier of cell types; the defaults are those of `cell-type-sim`."""

    name: str = ""
    """Name of the classifier; its folder's, where empty."""
    version: str = "1.0"
    """Its version."""
    seed: int = 0
    """What makes the training exact on one machine."""
    sources: tuple[str, ...] = (SIMULATION,)
    """NWB files with cell types, .cinac files, and "simulation"."""
    parent: str = ""
    """Name or folder of the classifier of cell types that is trained further; empty to begin anew."""
    label_column: str = ""
    """Column of the NWB files' ROI tables that holds the types; empty for CellTypeAnnotations."""
    cell_types: str = ""
    """YAML file with the types; empty for those that come along, or those that the labels name."""
    frame_rate: float = 0.0
    """Frames per second of .cinac files; 0 where there are none."""
    pixel_size: float = 0.0
    """Micrometres per pixel of files that do not say; 0 where not known."""
    split_by: CellSplitBy = "auto"
    """What cross-validation holds out: animals where there are two or more, else recordings, else ROIs."""
    folds: int = 5
    """Parts of the cross-validation on labelled recordings, as far as there are animals or recordings."""
    class_weights: str = "balanced"
    """"balanced": rare types count as much as frequent ones; "none": every ROI counts alike."""
    simulation: SimulationConfig = field(default_factory=training_population)
    """What simulated fields are drawn from."""
    unknown_scale: float = 0.15
    """Part of the simulated fields whose pixel size is kept back, as some files do."""
    n_fields: int = 480
    """Simulated fields to train on."""
    n_calibration_fields: int = 30
    """Further fields for the calibration of probabilities."""
    n_test_fields: int = 40
    """Further fields for the figures on the card."""
    inputs: CellInputOptions = field(default_factory=CellInputOptions)
    """How the inputs are made, here and in every prediction of this classifier."""
    workers: int = 2
    """Processes that make examples; 0 makes them in the training's own."""
    width: int = 16
    """Features inside the network; see `build_cell_type_network`."""
    dropout: float = 0.3
    """Share of the features that is dropped in training."""
    epochs: float = 20.0
    """How often each ROI is seen."""
    fewest_steps: int = 600
    """Steps of the optimiser, at least, however few ROIs there are."""
    batch_size: int = 64
    """ROIs per step."""
    learning_rate: float = 0.002
    """Highest learning rate; it rises over the first steps and falls along a cosine."""
    checkpoint_every: int = 200
    """Steps from one checkpoint to the next."""
    fine_tuning: CellFineTuningSettings = field(default_factory=CellFineTuningSettings)
    """What takes the place of these numbers where there is a parent."""
    calibrate_from: int = 30
    """Labelled ROIs from which the probabilities of a classifier with a parent are calibrated anew."""

    def __post_init__(self) -> None:
        counts = ("n_fields", "n_calibration_fields", "n_test_fields", "width", "batch_size", "fewest_steps")
        wrong = [name for name in (*counts, "checkpoint_every") if getattr(self, name) < 1]
        wrong += [name for name in ("learning_rate", "epochs") if not getattr(self, name) > 0]
        wrong += [
            n
            for n in ("workers", "seed", "frame_rate", "pixel_size", "calibrate_from")
            if getattr(self, n) < 0
        ]
        wrong += [name for name in ("dropout", "unknown_scale") if not 0 <= getattr(self, name) < 1]
        wrong += [] if self.folds >= 2 else ["folds"]
        wrong += [] if self.split_by in get_args(CellSplitBy) else ["split_by"]
        wrong += [] if self.class_weights in CLASS_WEIGHTS else ["class_weights"]
        wrong += [] if self.sources and len(set(self.sources)) == len(self.sources) else ["sources"]
        if wrong:
            what = f"The training option '{wrong[0]}' cannot be {getattr(self, wrong[0])!r}"
            fix = "Counts are at least 1 (folds 2), rates above 0, parts from 0 to below 1, sources different"
            raise ConfigError(what, fix=fix)
        if self.simulated and not self.simulation.population.interneurons[1] > 0:
            what = "The simulation gives its cells no types: its 'interneurons' are 0"
            raise ConfigError(
                what, fix="Set population: interneurons, as the preset cell-types-training does"
            )

    @property
    def recordings(self) -> tuple[str, ...]:
        """The sources that are files."""
        return tuple(source for source in self.sources if source != SIMULATION)

    @property
    def simulated(self) -> bool:
        """Whether simulated cells are among what is learnt from."""
        return SIMULATION in self.sources

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        parts = {"simulation": self.simulation.to_dict(), "inputs": self.inputs.to_dict()}
        return {**asdict(self), **parts, "sources": list(self.sources)}

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, where: str = "training config"
    ) -> CellTypeTrainingConfig:
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
        known = {entry.name: entry for entry in fields(cls)}
        for name, value in made.items():
            if name not in known:
                what = f"Unknown training option '{name}'"
                raise ConfigError(what, where=where, fix=f"Known are: {', '.join(known)}")
            if not _fits(known[name].default, value):
                what = f"The training option '{name}' cannot be {value!r}"
                raise ConfigError(what, where=where)
        if "simulation" in made:
            made["simulation"] = SimulationConfig.from_dict(made["simulation"], where=f"{where}: simulation")
        if "inputs" in made:
            made["inputs"] = CellInputOptions.from_dict(made["inputs"])
        if "fine_tuning" in made:
            where = f"{where}: fine_tuning"
            made["fine_tuning"] = read_section(CellFineTuningSettings, made["fine_tuning"], where)
        if "sources" in made:
            made["sources"] = tuple(made["sources"])
        return cls(**made)

    @classmethod
    def from_yaml(cls, path: str | Path) -> CellTypeTrainingConfig:
        """Read a config from a YAML file.

        Raises
        ------
        ConfigError
            If the file cannot be read, is no YAML mapping, or `from_dict` refuses it.
        """
        values = load_yaml(path, "The training config")
        return cls.from_dict(values or {}, where=str(path))


def _fits(default: Any, value: Any) -> bool:
    """Whether a value is of the kind of a default; sections are checked where they are made."""
    if isinstance(default, str):
        return isinstance(value, str)
    if isinstance(default, tuple):
        return isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
    if isinstance(default, int | float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (isinstance(default, float) or value == int(value))
    return isinstance(value, Mapping)
