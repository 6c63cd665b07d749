"""A running mean of a network's weights, which a training measures and keeps in place of the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RunningMean:
    """The mean of a network's weights over the last steps, later ones counting more.

    Single steps throw weights about; their mean errs less, and a validation of it depends less on the step
    at which it happens to be made (Polyak and Juditsky 1992, doi:10.1137/0330046). What normalisation has
    measured, which are weights too, is averaged with them.

    Parameters
    ----------
    network : keras.Model
        Whose weights are averaged.
    steps : int
        Steps over which the mean goes, or the last tenth of them where that is less; 0 takes the weights as
        they are.
    """

    def __init__(self, network: Any, steps: int) -> None:
        self._network, self._steps = network, steps
        self.weights = [np.array(weight) for weight in network.get_weights()]

    def add(self, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        if self._steps:
            part = max(1 / self._steps, 10 / (step + 9))
            for mean, weight in zip(self.weights, self._network.get_weights(), strict=True):
                mean += np.asarray(part * (weight - mean), mean.dtype)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network the mean for as long as this lasts."""
        if not self._steps:
            yield
            return
        last = self._network.get_weights()
        self._network.set_weights(self.weights)
        try:
            yield
        finally:
            self._network.set_weights(last)

    def restore(self, weights: Sequence[NDArray[Any]]) -> None:
        """Put back what `weights` was."""
        self.weights = [np.array(weight) for weight in weights]
