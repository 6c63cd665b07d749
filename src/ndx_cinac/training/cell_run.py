"""A training of cell types under way: its examples and networks, made anew or gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress
from .cell_config import CellTypeTrainingConfig
from .cell_examples import PARTS, CellExamples, CellFieldJob, join
from .cell_learning import fit, new_network
from .cell_parents import CellParent
from .cell_sources import LabelledPlan
from .checkpoints import Checkpoints
from .data import Job, make_examples


@dataclass(frozen=True)
class CellRun:
    """What a training of cell types is made of, and what it makes.

    Attributes
    ----------
    config : CellTypeTrainingConfig
        How.
    plan : LabelledPlan
        Types, and labelled recordings.
    parent : CellParent or None
        What it begins with.
    checkpoints : Checkpoints
        Where examples and finished steps are kept.
    progress : Progress
        Told of both.
    """

    config: CellTypeTrainingConfig
    plan: LabelledPlan
    parent: CellParent | None
    checkpoints: Checkpoints
    progress: Progress

    def simulated(self, part: str) -> CellExamples:
        """Make the simulated fields of a part."""
        config = self.config
        numbers = (config.n_fields, config.n_calibration_fields, config.n_test_fields)
        place = PARTS.index(part)
        return self._make(
            [
                CellFieldJob(config.simulation, config.inputs, config.seed, place, i, config.unknown_scale)
                for i in range(numbers[place])
            ]
        )

    def labelled(self) -> CellExamples:
        """Make the examples of the labelled recordings."""
        return self._make(self.plan.jobs)

    def learn(self, examples: CellExamples, part: str) -> Any:
        """Train a network, from its last checkpoint if there is one; `part` tells it from others."""
        from ..networks import keras

        keras.utils.set_random_seed(self.config.seed)
        if self.parent is None:
            network = new_network(self.config, examples.inputs, len(self.plan.names))
        else:
            network = self.parent.new_network(self.plan.types)
        fit(
            self.config,
            network,
            examples.inputs,
            self.codes(examples),
            self.checkpoints.of(part),
            self.progress,
        )
        return network

    def codes(self, examples: CellExamples) -> NDArray[np.int64]:
        """Return the code of each example's type."""
        codes = {str(name): self.plan.types.require(str(name)) for name in np.unique(examples.cell_types)}
        return np.array([codes[str(name)] for name in examples.cell_types], np.int64)

    def _make(self, jobs: Sequence[Job[CellExamples]]) -> CellExamples:
        made = make_examples(
            jobs,
            workers=self.config.workers,
            cache=self.checkpoints.folder / "examples",
            progress=self.progress,
        )
        return join(made)
