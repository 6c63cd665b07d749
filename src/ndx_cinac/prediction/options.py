"""Options of a prediction, and what an engine gives back: what the engines and their caller share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError


@dataclass(frozen=True)
class PredictionOptions:
    """How predictions are made. Only `threshold` shapes the result; the others cost or save memory and time.

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
    """

    threshold: float | None = None
    batch_size: int = 16
    block_frames: int | None = None
    block_bytes: int | None = None
    channel_bytes: int = 64 * 2**20

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

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PredictionOptions:
        """Make options from a mapping; what it lacks has its default.

        Raises
        ------
        ConfigError
            If a name is unknown or a value out of its range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            what = f"Unknown options of a prediction: {', '.join(unknown)}"
            raise ConfigError(what, fix=f"Known are: {', '.join(known)}")
        return cls(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@dataclass(frozen=True)
class Predicted:
    """What an engine gives back.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_frames, n_kept)
        One column for each of the recording's ``rois.kept``, in that order.
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
