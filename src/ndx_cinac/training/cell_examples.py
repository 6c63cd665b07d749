"""ROIs of known cell type and what a network is given of each: from simulations and labelled recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cell_types.features import CellInputOptions, CellInputs, make_cell_inputs
from ..movies import ArrayMovie
from ..recording import CinacRecording, Times
from ..simulation import SimulationConfig, simulate_field
from .cell_labels import LabelledFile, open_labelled

PARTS = ("training", "calibration", "test")
"""Parts of a simulation, in the order that their seeds are made of."""


@dataclass(frozen=True)
class CellExamples:
    """ROIs of known type.

    Attributes
    ----------
    inputs : CellInputs
        What a network is given of each.
    cell_types : ndarray of str, shape (n,)
        Their types' names.
    groups : ndarray of str, shape (n,)
        What must be held out together: animal, recording or field.
    frame_rates, pixel_sizes, diameters : ndarray of float64, shape (n,)
        Hz; micrometres, NaN where not known; pixels.
    """

    inputs: CellInputs
    cell_types: NDArray[np.str_]
    groups: NDArray[np.str_]
    frame_rates: NDArray[np.float64]
    pixel_sizes: NDArray[np.float64]
    diameters: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cell_types)

    def take(self, which: NDArray[np.generic]) -> CellExamples:
        """Return some of the ROIs, by number or by truth."""
        return CellExamples(
            take_inputs(self.inputs, which),
            self.cell_types[which],
            self.groups[which],
            self.frame_rates[which],
            self.pixel_sizes[which],
            self.diameters[which],
        )


def take_inputs(inputs: CellInputs, which: NDArray[np.generic]) -> CellInputs:
    """Return the inputs of some ROIs."""
    return CellInputs(inputs.pieces[which], inputs.patches[which], inputs.features[which], inputs.notes)


def join(examples: Sequence[CellExamples]) -> CellExamples:
    """Put ROIs of several origins together, in their order."""
    inputs = CellInputs(
        np.concatenate([each.inputs.pieces for each in examples]),
        np.concatenate([each.inputs.patches for each in examples]),
        np.concatenate([each.inputs.features for each in examples]),
        tuple(dict.fromkeys(note for each in examples for note in each.inputs.notes)),
    )
    columns = ("cell_types", "groups", "frame_rates", "pixel_sizes", "diameters")
    return CellExamples(inputs, *(np.concatenate([getattr(e, name) for e in examples]) for name in columns))


@dataclass(frozen=True)
class CellFieldJob:
    """One simulated field: its settings, and the numbers that seed it.

    Attributes
    ----------
    simulation : SimulationConfig
        With a population.
    inputs : CellInputOptions
        How the inputs are made.
    seed, part, number : int
        What seeds it: the training's seed, the place of its part in `PARTS`, and its own number.
    unknown_scale : float
        Probability that the field's pixel size is kept back, as where a file does not say it.
    """

    simulation: SimulationConfig
    inputs: CellInputOptions
    seed: int
    part: int
    number: int
    unknown_scale: float = 0.0

    def make(self) -> CellExamples:
        """Simulate the field and describe its ROIs as a prediction would; undecided ones are left out."""
        rng = np.random.default_rng([self.seed, 7 + self.part, self.number])
        unknown = bool(rng.random() < self.unknown_scale)
        field = simulate_field(self.simulation, rng)
        times = Times(len(field.movie), field.frame_rate)
        undecided = {row: "undecided" for row, name in enumerate(field.cell_types) if not name}
        recording = CinacRecording(
            f"field {self.number}",
            ArrayMovie(field.movie),
            replace(field.rois, unselected=undecided),
            times,
            pixel_size=None if unknown else field.pixel_size,
        )
        names = {row: str(name) for row, name in enumerate(field.cell_types)}
        return describe_cells(recording, names, f"field {self.number}", self.inputs)


@dataclass(frozen=True)
class LabelledJob:
    """One file with labelled ROIs; `types` gives the name of the type that each label stands for."""

    file: LabelledFile
    inputs: CellInputOptions
    types: Mapping[str, str]
    group: str

    def make(self) -> CellExamples:
        """Describe the labelled ROIs as a prediction would."""
        found = []
        for labelled in open_labelled(self.file):
            with labelled.recording as recording:
                names = {row: self.types[label] for row, label in labelled.labels.items()}
                found.append(describe_cells(recording, names, self.group, self.inputs))
        return join(found)


def describe_cells(
    recording: CinacRecording, names: Mapping[int, str], group: str, options: CellInputOptions
) -> CellExamples:
    """Make examples of the ROIs that are to be learnt from; `names` gives the type of each row."""
    inputs = make_cell_inputs(recording, options)
    rois = recording.require_rois()
    rows, number = rois.kept, len(rois.kept)
    rate = recording.times.frame_rate if recording.times is not None else float("nan")
    size = float("nan") if recording.pixel_size is None else recording.pixel_size
    return CellExamples(
        inputs,
        np.array([names[int(row)] for row in rows], dtype=np.str_),
        np.full(number, group),
        np.full(number, rate),
        np.full(number, size),
        2 * np.sqrt(rois.n_pixels[rows] / np.pi),
    )
