"""Options of a prediction, and what an engine gives back: what the engines and their caller share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

COMBINATIONS: Mapping[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "max": np.max,
    "min": np.min,
}
"""What can make one prediction of those of several segments, by name."""


Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class PredictionOptions:
    """How predictions are made. `threshold` and `precision` shape the result, others memory and time.

    Attributes
    ----------
    threshold : float or None
        Probability, from 0 to 1, at or above which a frame counts as active; None for the classifier's own.
    batch_size : int
        Windows that the network computes together; 1 or more. Halved when the device runs out of memory.
    block_frames : int or None
        Frames per window, more than twice the network's halo; None for the classifier's own.
    block_bytes : int or None
        Memory (bytes) for a block of frames of the movie; None for the classifier's own.
    channel_bytes : int
        Memory (bytes) for the channels of the ROIs that are predicted together; at least those of one ROI.
    precision : {"float32", "bfloat16", "float16"}
        In which bundled and trained classifiers of activity multiply. bfloat16 needs a processor with
        instructions for it, float16 a GPU; both change probabilities (`benchmarks/precision.py`).
    resume : bool
        Keep finished work beside the output until that is complete, and go on from what a run that was
        interrupted has kept. Only where there is an output, and the source is a file or an asset.
    resume_seconds : float
        Runs that are expected to take less time (s) keep nothing; 0 or more.
    """

    threshold: float | None = None
    batch_size: int = 16
    block_frames: int | None = None
    block_bytes: int | None = None
    channel_bytes: int = 16 * 2**20
    precision: Precision = "float32"
    resume: bool = True
    resume_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.threshold is not None and not (_is_number(self.threshold) and 0 <= self.threshold <= 1):
            what = f"The option 'threshold' is {self.threshold!r}, not a number from 0 to 1"
            raise ConfigError(what)
        for name in ("batch_size", "block_frames", "block_bytes", "channel_bytes"):
            value = getattr(self, name)
            if value is None and name in ("block_frames", "block_bytes"):
                continue
            if not _is_number(value) or value != int(value) or value < 1:
                what = f"The option '{name}' is {value!r}, not a whole number of 1 or more"
                raise ConfigError(what)
        if self.precision not in get_args(Precision):
            what = f"The option 'precision' is {self.precision!r}"
            raise ConfigError(what, fix=f"Use one of: {', '.join(get_args(Precision))}")
        if not _is_number(self.resume_seconds) or not self.resume_seconds >= 0:
            what = f"The option 'resume_seconds' is {self.resume_seconds!r}, not a number of 0 or more"
            raise ConfigError(what)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types, without those on resuming: they leave no trace in a result."""
        values = asdict(self)
        return {name: value for name, value in values.items() if not name.startswith("resume")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make options from a mapping; what it lacks has its default.

        Raises
        ------
        ConfigError
            If a name is unknown or a value out of its range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(str(name) for name in values if name not in known)
        if unknown:
            what = f"Unknown options of a prediction: {', '.join(unknown)}"
            raise ConfigError(what, fix=f"Known are: {', '.join(known)}")
        return cls(**values)


@dataclass(frozen=True)
class CellTypeOptions(PredictionOptions):
    """How cell types are predicted.

    Those of `PredictionOptions`, whose `threshold` is for binary classifiers here: the probability at or
    above which a cell is of the predicted type. The others are, but for `cell_types`, for classifiers that
    look at segments of the movie, as DeepCINAC's do.

    Attributes
    ----------
    cell_types : str, Path or None
        A YAML file that names the classifier's types, see `ndx_cinac.cell_types.read_cell_types`; None for
        the names on its card.
    n_segments : int
        Segments (windows of frames) to predict for each ROI, the most active ones; 1 or more.
    combine : {"mean", "median", "max", "min"} or callable
        What makes one prediction of those of the segments; a callable is given an array of shape
        (n_segments, n_outputs) and ``axis=0``.
    overlap : float
        Share of a segment that the next one has too, from 0 to below 1.
    augment : bool
        Whether flipped patches are predicted too.
    """

    cell_types: str | Path | None = None
    n_segments: int = 2
    combine: str | Callable[..., Any] = "mean"
    overlap: float = 0.5
    augment: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision != "float32":
            what = f"Cell types are predicted in float32, not in {self.precision}"
            raise ConfigError(what, fix="Leave the precision as it is")
        if not _is_number(self.n_segments) or self.n_segments != int(self.n_segments) or self.n_segments < 1:
            what = f"The option 'n_segments' is {self.n_segments!r}, not a whole number of 1 or more"
            raise ConfigError(what)
        if not callable(self.combine) and self.combine not in COMBINATIONS:
            what = f"The option 'combine' is {self.combine!r}"
            raise ConfigError(what, fix=f"Use a function, or one of: {', '.join(COMBINATIONS)}")
        if not _is_number(self.overlap) or not 0 <= self.overlap < 1:
            what = f"The option 'overlap' is {self.overlap!r}, not a number from 0 to below 1"
            raise ConfigError(what)

    @property
    def combination(self) -> Callable[..., Any]:
        """The function that makes one prediction of several."""
        return self.combine if callable(self.combine) else COMBINATIONS[self.combine]

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types; a function and a file by their names."""
        names = self.combine
        if callable(names):
            names = getattr(names, "__name__", type(names).__name__)
        file = None if self.cell_types is None else Path(self.cell_types).name
        plain = super(CellTypeOptions, replace(self, combine="mean")).to_dict()
        return {**plain, "combine": names, "cell_types": file}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@dataclass(frozen=True)
class Predicted:
    """What an engine gives back.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_frames, n_kept) or (n_kept, n_outputs)
        Of activity or of cell types, for each of the recording's ``rois.kept``, in that order.
    device : str
        Where the network ran.
    parameters : mapping
        What shaped the numbers beyond the card, as JSON types.
    notes : tuple of str
        What a user should know.
    """

    probabilities: NDArray[np.float32]
    device: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
