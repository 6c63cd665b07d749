"""Which ROIs a training learns from and which are held out: split by recording or by ROI, never by frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from ..errors import ConfigError

HeldPart = Literal["training", "validation", "test"]
SplitBy = Literal["auto", "recording", "roi"]
Entry = TypeVar("Entry", str, int)

FEWEST_RECORDINGS = 3
"""From as many recordings on, whole recordings are held out: one each for training, validation and test."""


@dataclass(frozen=True)
class Split:
    """What each part has: ROIs by recording.

    Attributes
    ----------
    by : {"recording", "roi"}
        What was held out as a whole.
    parts : mapping of part to mapping of recording to tuple of int
        The ROIs (rows) of each recording in each part; a recording without any is left out.
    """

    by: Literal["recording", "roi"]
    parts: Mapping[HeldPart, Mapping[str, tuple[int, ...]]]

    def rows(self, part: HeldPart, recording: str) -> tuple[int, ...]:
        """ROIs of a recording in a part, ascending."""
        return self.parts[part].get(recording, ())


def split_rois(
    recordings: Mapping[str, Sequence[int]], held_out: float, seed: int, by: SplitBy = "auto"
) -> Split:
    """Divide the ROIs of recordings into those to train on, those for validation and those for the figures.

    Parameters
    ----------
    recordings : mapping of str to sequence of int
        The labelled ROIs of each recording.
    held_out : float
        Share for validation, and the same again for the test; at least one recording or ROI each, where
        there are enough (an ROI for validation needs three, one for the test four).
    seed : int
        The same seed gives the same split.
    by : {"auto", "recording", "roi"}
        What is held out; "auto" holds out recordings where there are at least three.

    Raises
    ------
    ConfigError
        If recordings are to be held out and there are fewer than three, or `held_out` leaves nothing.
    """
    if not 0 <= held_out <= 0.4:
        what = f"A share of {held_out:g} cannot be held out twice"
        raise ConfigError(what, fix="Choose a share from 0 to 0.4")
    several = len(recordings) >= FEWEST_RECORDINGS
    if by == "recording" and not several:
        what = f"Recordings cannot be held out: there are {len(recordings)} of them, and three are needed"
        raise ConfigError(what, fix="Give more recordings, or split by ROI")
    rng = np.random.default_rng([seed, len(recordings)])
    if by == "recording" or (by == "auto" and several):
        names = sorted(recordings)
        chosen = _divide([str(name) for name in rng.permutation(names)], held_out, 3)
        parts = {
            part: {name: tuple(sorted(recordings[name])) for name in sorted(found)}
            for part, found in chosen.items()
        }
        return Split("recording", parts)
    by_part: dict[HeldPart, dict[str, tuple[int, ...]]] = {"training": {}, "validation": {}, "test": {}}
    for name in sorted(recordings):
        rows = [int(row) for row in rng.permutation(sorted(recordings[name]))]
        for part, found in _divide(rows, held_out, 4).items():
            if found:
                by_part[part][name] = tuple(sorted(found))
    return Split("roi", by_part)


def _divide(entries: list[Entry], held_out: float, fewest_for_test: int) -> dict[HeldPart, list[Entry]]:
    """Take validation and test from the front of shuffled entries, and leave the rest to training."""
    number, share = len(entries), max(1, round(held_out * len(entries)))
    n_validation = share if held_out and number >= 3 else 0
    n_test = share if held_out and number >= fewest_for_test else 0
    return {
        "validation": entries[:n_validation],
        "test": entries[n_validation : n_validation + n_test],
        "training": entries[n_validation + n_test :],
    }
