"""ROIs of known cell type and what a network is given of each: from simulations and labelled recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cell_types.features import CellInputOptions, CellInputs, make_cell_inputs
from ..movies import ArrayMovie
from ..recording import CinacRecording, Times
from ..simulation import SimulationConfig, simulate_field
from .cell_labels import LabelledFile, open_labelled

PARTS = ("training", "calibration", "test")
"""Parts of a simulation, in the order that their seeds are made of."""
COLUMNS = ("cell_types", "groups", "frame_rates", "pixel_sizes", "diameters")
"""What is known of each example beside its inputs."""


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

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it, to be kept in a file."""
        inputs = {name: getattr(self.inputs, name) for name in ("pieces", "patches", "features")}
        columns = {name: getattr(self, name) for name in COLUMNS}
        return {**inputs, **columns, "notes": np.array(self.inputs.notes, dtype=np.str_)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> CellExamples:
        """Put together what `arrays` gave."""
        notes = tuple(str(note) for note in arrays["notes"])
        inputs = CellInputs(arrays["pieces"], arrays["patches"], arrays["features"], notes)
        return cls(inputs, *(arrays[name] for name in COLUMNS))


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
    return CellExamples(inputs, *(np.concatenate([getattr(e, name) for e in examples]) for name in COLUMNS))


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

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> CellExamples:
        """Put together what was kept of it."""
        return CellExamples.from_arrays(arrays)

    @property
    def settings(self) -> dict[str, Any]:
        """What all fields of this kind are made from."""
        parts = {"simulation": self.simulation.to_dict(), "inputs": self.inputs.to_dict()}
        return {**parts, "unknown scale": self.unknown_scale}

    @property
    def label(self) -> str:
        """Part, seed and number."""
        return f"{PARTS[self.part]}-{self.seed}-{self.number:05d}"


@dataclass(frozen=True)
class LabelledJob:
    """One file with labelled ROIs.

    Attributes
    ----------
    file : LabelledFile
        The file.
    inputs : CellInputOptions
        How the inputs are made.
    types : mapping of str to str
        Name of the type that each label stands for.
    group : str
        What must be held out together with it.
    fingerprint : str
        What tells it from a changed file of the same name.
    """

    file: LabelledFile
    inputs: CellInputOptions
    types: Mapping[str, str]
    group: str
    fingerprint: str

    def make(self) -> CellExamples:
        """Describe the labelled ROIs as a prediction would."""
        found = []
        for labelled in open_labelled(self.file):
            with labelled.recording as recording:
                names = {row: self.types[label] for row, label in labelled.labels.items()}
                found.append(describe_cells(recording, names, self.group, self.inputs))
        return join(found)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> CellExamples:
        """Put together what was kept of it."""
        return CellExamples.from_arrays(arrays)

    @property
    def settings(self) -> dict[str, Any]:
        """All that shapes it."""
        return {
            "file": asdict(self.file),
            "fingerprint": self.fingerprint,
            "inputs": self.inputs.to_dict(),
            "types": dict(self.types),
            "group": self.group,
        }

    @property
    def label(self) -> str:
        """There is one of these settings."""
        return "labelled"


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
