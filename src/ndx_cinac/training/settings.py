"""The sections of a training's config, each field documented, and how they are read from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_type_hints

from ..errors import ConfigError

SIMULATION = "simulation"
"""The source that is the config's own simulation; `simulation:NAME` is a preset, or a YAML file."""

Section = TypeVar("Section")


@dataclass(frozen=True)
class SourceSettings:
    """One thing to train on, beside others."""

    path: str
    """An annotated NWB file, a .cinac file, `simulation`, or `simulation:` and a preset or a YAML file."""
    weight: float = 1.0
    """How often pieces of it are drawn, relative to the other sources' weights."""
    fields: int = 0
    """Simulated fields to train on; 0 takes the config's n_fields. Recordings have none."""
    movie: str = ""
    """The movie in the NWB file, as in a prediction; empty where that is clear."""
    segmentation: str = ""
    """The annotated plane segmentation in the NWB file; empty where that is clear."""
    axes: str = "auto"
    """How the masks' axes lie on the movie: "auto", "matching" or "exchanged"."""

    def __post_init__(self) -> None:
        if not self.weight > 0 or self.fields < 0 or not self.path:
            what = f"A source cannot have path '{self.path}', weight {self.weight:g} and {self.fields} fields"
            raise ConfigError(what, fix="Weights are above 0, and a path says what the source is")

    @property
    def simulated(self) -> bool:
        """Whether it is a simulation."""
        return self.path == SIMULATION or self.path.startswith(f"{SIMULATION}:")


@dataclass(frozen=True)
class PieceSettings:
    """What pieces of traces are drawn; shares are relative to one another, 0 leaves a kind out."""

    transients: float = 0.7
    """Pieces in which the ROI is active."""
    neighbours: float = 0.15
    """Pieces in which it is not, and an ROI that touches it is."""
    noise: float = 0.15
    """Pieces in which neither is."""

    def __post_init__(self) -> None:
        shares = (self.transients, self.neighbours, self.noise)
        if min(shares) < 0 or not sum(shares) > 0:
            what = f"Pieces cannot be drawn with the shares {shares}"
            raise ConfigError(what, fix="Shares are at least 0, and one of them is above 0")


@dataclass(frozen=True)
class AugmentationSettings:
    """How recordings are varied; simulations vary by themselves and are left as they are.

    The movie is altered before traces are extracted, a fixed number of times; pieces of traces are altered as
    they are drawn. Time never runs backwards: a transient rises before it decays.
    """

    versions: int = 3
    """Altered versions of each recording, beside the recording as it is; 0 for none."""
    flips: bool = True
    """Whether versions are flipped and turned by quarters."""
    rotation: float = 8.0
    """Degrees by which they are turned further, at most."""
    shift: float = 0.5
    """Pixels by which they are moved, and by which frames drift on top of that, at most."""
    brightness: float = 1.5
    """Factor by which they become brighter or darker, at most."""
    flicker: float = 0.01
    """Relative standard deviation of the brightness of single frames, at most."""
    noise: float = 0.7
    """Noise that is added to pixels, in units of the movie's own, at most."""
    mask_errors: float = 0.3
    """Share of masks that become one pixel smaller, larger or moved."""
    stretch: float = 1.3
    """Factor by which time is stretched or pressed together, at most; of versions and of pieces."""
    pieces: float = 0.5
    """Share of the pieces of traces of recordings that are altered as they are drawn."""
    piece_amplitude: float = 1.3
    """Factor by which the traces of a piece become higher or lower, at most."""
    piece_noise: float = 0.5
    """Noise that is added to the traces of a piece, in units of their own, at most."""

    def __post_init__(self) -> None:
        factors = ("brightness", "stretch", "piece_amplitude")
        wrong = [name for name in factors if getattr(self, name) < 1]
        others = ("versions", "rotation", "shift", "flicker", "noise", "piece_noise")
        wrong += [name for name in others if getattr(self, name) < 0]
        wrong += [name for name in ("mask_errors", "pieces") if not 0 <= getattr(self, name) <= 1]
        if wrong:
            what = f"The augmentation's '{wrong[0]}' cannot be {getattr(self, wrong[0])}"
            raise ConfigError(
                what, fix="Factors are at least 1, shares lie in 0 to 1, the rest is at least 0"
            )


@dataclass(frozen=True)
class FineTuningSettings:
    """What takes the place of the config's own numbers when a classifier is trained further."""

    learning_rate: float = 0.0003
    """Highest learning rate."""
    steps: int = 400
    """Steps of the optimiser, at most."""
    warm_up_steps: int = 20
    """Steps over which the learning rate rises."""
    batch_size: int = 16
    """Pieces of traces per step."""
    validate_every: int = 50
    """Steps from one validation to the next."""
    patience: int = 4
    """Validations without a better one after which it ends; 0 lets it take all its steps."""

    def __post_init__(self) -> None:
        counts, others = ("steps", "batch_size", "validate_every"), ("warm_up_steps", "patience")
        check_fine_tuning(self, counts, others)


def check_fine_tuning(settings: Any, counts: Sequence[str], others: Sequence[str] = ()) -> None:
    """Refuse `counts` below 1, a learning rate that is not above 0, and `others` below 0.

    Raises
    ------
    ConfigError
        With the first that is wrong.
    """
    wrong = [name for name in counts if getattr(settings, name) < 1]
    wrong += ["learning_rate"] if not settings.learning_rate > 0 else []
    wrong += [name for name in others if getattr(settings, name) < 0]
    if wrong:
        what = f"The fine-tuning's '{wrong[0]}' cannot be {getattr(settings, wrong[0])}"
        raise ConfigError(what, fix="Counts are at least 1; the learning rate is above 0")


def read_section(kind: type[Section], values: Any, where: str) -> Section:
    """Make a section from a mapping; what it leaves out keeps its default.

    Raises
    ------
    ConfigError
        If it is no mapping, a name is unknown, or a value is of another type or cannot be used.
    """
    if not isinstance(values, Mapping):
        what = f"A mapping was expected, not {type(values).__name__}"
        raise ConfigError(what, where=where)
    hints = get_type_hints(kind)
    known = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        what = f"Unknown setting '{unknown[0]}'"
        raise ConfigError(what, where=where, fix=f"Known are: {', '.join(known)}")
    for name, value in values.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
        fits = {
            int: number and abs(value) < 1e15 and value == int(value),
            float: number,
            bool: isinstance(value, bool),
            str: isinstance(value, str),
        }
        if not fits[hints[name]]:
            what = f"The setting '{name}' cannot be {value!r}"
            raise ConfigError(what, where=where)
    try:
        return kind(**{name: hints[name](value) for name, value in values.items()})
    except ConfigError as error:
        raise ConfigError(error.what, where=where, fix=error.fix) from error
    except TypeError as error:
        what = f"A setting is missing: {error}"
        raise ConfigError(what, where=where) from error
