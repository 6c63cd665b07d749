"""The training loop: steps, validation, early stopping and checkpoints, for any network and any task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..progress import Progress, silent
from .averaging import RunningMean
from .checkpoints import Checkpoints

_log = logging.getLogger(__name__)

SCORE = "score"
"""The figure of a validation that early stopping follows: larger is better."""

REPORT_STEPS = 50
"""Steps from one report of progress to the next."""

Validate = Callable[[], Mapping[str, float]]
"""Measures the network as it is, on what it is not trained on; `SCORE` is among the figures."""


class Batches(Protocol):
    """What is trained on, batch by batch; its chance can be kept and put back."""

    def draw(self) -> tuple[NDArray[Any], ...]:
        """Return a batch: inputs, labels, and the weight of each label."""

    def state(self) -> dict[str, Any]:
        """Return what the next batches depend on, as JSON types."""

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave."""


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast a network learns."""

    steps: int
    """Steps of the optimiser, at most."""
    learning_rate: float
    """Highest learning rate; it rises over the first steps and falls along a cosine."""
    warm_up_steps: int = 200
    """Steps over which it rises."""
    gradient_norm: float = 1.0
    """Gradients are shortened to this norm."""
    validate_every: int = 1000
    """Steps from one validation to the next."""
    patience: int = 0
    """Validations without a better one after which the training ends; 0 lets it take all its steps."""
    checkpoint_every: int = 1000
    """Steps from one checkpoint to the next."""
    average_steps: int = 0
    """Steps over which the weights are averaged that are measured and kept; 0 takes them as they are."""
    validate_first: bool = False
    """Whether the weights that it begins with are measured, too, and kept where none are better."""


@dataclass
class Course:
    """How a training went so far.

    Attributes
    ----------
    step : int
        Steps done.
    curve : list of mapping
        A row per validation: ``step``, mean training ``loss`` since the row before, and the validation's
        figures.
    best_step : int
        The step whose weights were best in validation; 0 before the first one.
    best_score : float or None
        Their score.
    losses : list of float
        Sum and number of the training losses since the last row.
    """

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best_step: int = 0
    best_score: float | None = None
    losses: list[float] = field(default_factory=lambda: [0.0, 0.0])

    @property
    def kept_step(self) -> int:
        """The step whose weights are kept: the best one, or the last one where none was measured."""
        return self.step if self.best_score is None else self.best_step

    def impatient(self, settings: LoopSettings) -> bool:
        """Whether the last validations were no better than an earlier one, as often as is borne."""
        rows_since = sum(row["step"] > self.best_step for row in self.curve)
        return bool(settings.patience and self.best_score is not None and rows_since >= settings.patience)


class Training:
    """A network in training.

    Parameters
    ----------
    network : keras.Model
        Trained in place.
    loss : keras.losses.Loss
        Of the network's output.
    batches : Batches
        What it learns from.
    settings : LoopSettings
        How.
    validate : callable, optional
        Measures the network, with its averaged weights where they are averaged; without it the last weights
        are kept, not the best.
    """

    def __init__(
        self, network: Any, loss: Any, batches: Batches, settings: LoopSettings, validate: Validate | None
    ) -> None:
        from ..backend import BACKEND
        from ..networks import keras

        self.network, self.batches, self.settings, self.validate = network, batches, settings, validate
        self.course = Course()
        self._variables = list(network.variables)  # before the optimiser and the loss add theirs
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=settings.learning_rate * 0.01,
            decay_steps=max(1, settings.steps - settings.warm_up_steps),
            alpha=0.005,
            warmup_target=settings.learning_rate,
            warmup_steps=settings.warm_up_steps,
        )
        optimizer = keras.optimizers.Adam(schedule, global_clipnorm=settings.gradient_norm)
        optimizer.build(network.trainable_variables)  # else the first step is traced twice
        network.compile(optimizer=optimizer, loss=loss, jit_compile=BACKEND == "jax")
        self._variables += list(optimizer.variables)
        self._mean = RunningMean(network, settings.average_steps)
        self._best = [np.array(weight) for weight in network.get_weights()]

    def run(self, checkpoints: Checkpoints | None = None, progress: Progress = silent) -> Course:
        """Train to the end, from the last checkpoint where there is one, and leave the best weights.

        Raises
        ------
        ConfigError
            If the loss is no longer a number.
        """
        course, settings = self.course, self.settings
        self._resume(checkpoints)
        if settings.validate_first and self.validate is not None and not course.curve:
            self._measure()
        while course.step < settings.steps and not course.impatient(settings):
            loss = float(self.network.train_on_batch(*self.batches.draw()))
            course.step += 1
            self._mean.add(course.step)
            course.losses = [course.losses[0] + loss, course.losses[1] + 1]
            last = course.step == settings.steps
            if course.step % settings.validate_every == 0 or last:
                self._measure()
            if checkpoints is not None and (course.step % settings.checkpoint_every == 0 or last):
                self._save(checkpoints)
            if course.step % REPORT_STEPS == 0 or last:
                progress("training", course.step, settings.steps)
        if course.step < settings.steps:
            if checkpoints is not None:
                self._save(checkpoints)
            _log.info("No better validation since step %d: ended at step %d.", course.best_step, course.step)
            progress("training", settings.steps, settings.steps)
        self.network.set_weights(self._best)
        return course

    def _measure(self) -> None:
        """Add a row to the curve, and keep the weights if none before were better, or none was measured."""
        course = self.course
        total, number = course.losses
        row: dict[str, float] = {"step": course.step}
        row |= {"loss": round(total / number, 6)} if number else {}
        if not np.isfinite(total):
            what = f"The training's loss is no number any more at step {course.step}"
            raise ConfigError(what, fix="Choose a lower learning_rate")
        course.losses = [0.0, 0.0]
        with self._mean.in_place():
            figures = {} if self.validate is None else dict(self.validate())
            row |= {name: round(float(value), 6) for name, value in figures.items()}
            score = float(figures.get(SCORE, np.nan))
            better = np.isfinite(score) and (course.best_score is None or score > course.best_score)
            if better:
                course.best_score, course.best_step = score, course.step
            if better or course.best_score is None:
                self._best = [np.array(weight) for weight in self.network.get_weights()]
        course.curve.append(row)
        _log.info("%s", ", ".join(f"{name} {value:g}" for name, value in row.items()))

    def _save(self, checkpoints: Checkpoints) -> None:
        arrays = {f"variable_{i}": np.array(v) for i, v in enumerate(self._arrays())}
        arrays |= {f"best_{i}": weight for i, weight in enumerate(self._best)}
        arrays |= {f"mean_{i}": weight for i, weight in enumerate(self._mean.weights)}
        checkpoints.save({"course": asdict(self.course), "batches": self.batches.state()}, arrays)

    def _resume(self, checkpoints: Checkpoints | None) -> None:
        """Put everything back as it was at the last checkpoint."""
        found = None if checkpoints is None else checkpoints.load()
        if found is None:
            return
        record, arrays = found
        self.course.__dict__.update(record["course"])
        self.batches.restore(record["batches"])
        for i, variable in enumerate(self._variables):
            variable.assign(arrays[f"variable_{i}"])
        self._best = [arrays[f"best_{i}"] for i in range(len(self._best))]
        self._mean.restore([arrays[f"mean_{i}"] for i in range(len(self._best))])
        _log.info("Going on after step %d.", self.course.step)

    def _arrays(self) -> list[NDArray[Any]]:
        from ..networks import keras

        return [keras.ops.convert_to_numpy(variable.value) for variable in self._variables]


def restore_finished(network: Any, checkpoints: Checkpoints | None, settings: LoopSettings) -> Course | None:
    """Give a network the weights that its training left, where that has ended; tell how it went.

    Parameters
    ----------
    network : keras.Model
        Like the one that was trained.
    checkpoints : Checkpoints or None
        Where its training was kept.
    settings : LoopSettings
        Those of the training.

    Returns
    -------
    Course or None
        None where it has not ended, or not begun.
    """
    found = None if checkpoints is None else checkpoints.load()
    if found is None:
        return None
    record, arrays = found
    course = Course(**record["course"])
    if course.step < settings.steps and not course.impatient(settings):
        return None
    network.set_weights([arrays[f"best_{i}"] for i in range(len(network.get_weights()))])
    return course
