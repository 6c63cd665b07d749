"""When simulated cells fire, the transients that follow, and which frames count as active."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from .draws import chance, factor, log_uniform, uniform
from .labels import Convention, draw_convention
from .populations import Population
from .settings import ActivitySettings

Shape = Literal["linear", "exponential", "jump", "smooth"]
SHAPES: tuple[Shape, ...] = ("linear", "exponential", "jump", "smooth")
SHAPE_PROBABILITIES = (0.3, 0.3, 0.25, 0.15)

EVERY_CELL_ALIKE = Population()

WARM_UP = 300
"""Frames that are simulated before the first one shown: transients are under way when the movie starts."""


@dataclass(frozen=True)
class Activity:
    """Activity of `n_cells` cells over `n_frames` frames.

    Attributes
    ----------
    calcium : ndarray of float32, shape (n_cells, n_frames)
        Transients without noise; a typical one is 1 high.
    spikes : ndarray of float32, shape (n_cells, n_frames)
        Size of the event that starts in each frame, 0 elsewhere.
    active, ignored : ndarray of bool, shape (n_cells, n_frames)
        From onset to peak of a transient; frames that neither count as active nor as inactive.
    convention : Convention
        What is called a transient in this field.
    """

    calcium: NDArray[np.float32]
    spikes: NDArray[np.float32]
    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    convention: Convention

    def of_cells(self, cells: slice) -> Activity:
        """Return the activity of some of the cells."""
        values = (self.calcium[cells], self.spikes[cells], self.active[cells], self.ignored[cells])
        return Activity(*values, self.convention)

    def of_frames(self, frames: NDArray[np.int64]) -> Activity:
        """Return the activity in the frames kept (ascending); events in others go to the next one kept."""
        starts = np.concatenate([[0], frames[:-1] + 1])
        spikes = np.add.reduceat(self.spikes, starts, axis=1).astype(np.float32)
        labels = (self.active[:, frames], self.ignored[:, frames])
        return Activity(self.calcium[:, frames], spikes, *labels, self.convention)

    def labelled_by(self, convention: Convention) -> Activity:
        """Return the activity as another annotator labels it, who sees no more than these frames."""
        active, ignored = np.zeros_like(self.active), np.zeros_like(self.ignored)
        for cell, trace in enumerate(self.calcium):
            active[cell], ignored[cell] = convention.label(trace)
        return replace(self, active=active, ignored=ignored, convention=convention)

    def silence(self, cell: int) -> None:
        """Take all activity from one cell."""
        for values in (self.calcium, self.spikes, self.active, self.ignored):
            values[cell] = 0


@dataclass(frozen=True)
class Dynamics:
    """What the cells of one field share; times in frames."""

    shape: Shape
    rise: float
    decay: float
    variability: float
    rate: float
    rate_spread: float
    burst_interval: tuple[float, float] | None
    burst_fraction: float
    burst_events: tuple[int, int]
    network_frames: NDArray[np.int64]
    network_cells: float
    network_participation: float
    network_jitter: float
    plateau_duration: tuple[float, float]
    silent: float
    subthreshold: bool
    envelope: NDArray[np.float64] | None = None
    """Part of the rate at each frame, warm-up included; None where it is steady."""


def simulate_activity(
    rng: np.random.Generator,
    settings: ActivitySettings,
    n_cells: int,
    n_frames: int,
    frame_rate: float,
    population: Population = EVERY_CELL_ALIKE,
) -> Activity:
    """Draw the dynamics of a field, then the activity of each of its cells.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all chance.
    settings : ActivitySettings
        The ranges.
    n_cells, n_frames : int
        Size of the result.
    frame_rate : float
        Frames per second (Hz).
    population : Population
        In what the cells differ.
    """
    dynamics = _draw_dynamics(rng, settings, n_frames, frame_rate)
    shape = (n_cells, n_frames)
    activity = Activity(
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, bool),
        np.zeros(shape, bool),
        draw_convention(rng, settings),
    )
    for cell in range(n_cells):
        trace, events = _simulate_cell(rng, settings, population.adjust(cell, dynamics), n_frames)
        shown = slice(WARM_UP, WARM_UP + n_frames)
        activity.calcium[cell] = trace[shown]
        activity.spikes[cell] = events[shown]
        activity.active[cell], activity.ignored[cell] = activity.convention.label(trace, context=shown)
    return activity


def transient(shape: Shape, rise: float, decay: float, delay: float, n_frames: int) -> NDArray[np.float64]:
    """Return a transient of height 1 that starts `delay` frames after the first one; times in frames."""
    time = np.maximum(np.arange(n_frames) - delay, 0.0)
    falling = np.exp(-np.maximum(time - rise, 0.0) / decay)
    if shape == "jump":
        curve = np.where(time > 0, np.exp(-np.maximum(time - 1, 0.0) / decay), 0.0)
    elif shape == "exponential":
        curve = (1 - np.exp(-time / max(rise / 3, 0.15))) * np.exp(-time / decay)
    else:
        part = np.clip(time / rise, 0.0, 1.0)
        curve = (part if shape == "linear" else part * part * (3 - 2 * part)) * falling
    return cast(NDArray[np.float64], curve / curve.max())


def _draw_dynamics(
    rng: np.random.Generator, settings: ActivitySettings, n_frames: int, frame_rate: float
) -> Dynamics:
    """Draw what the cells of a field have in common, in frames."""
    burst = (settings.burst_interval[0] * frame_rate, settings.burst_interval[1] * frame_rate)
    network_frames = np.zeros(0, np.int64)
    if chance(rng, settings.network_probability):
        rate = log_uniform(rng, settings.network_rate) / frame_rate
        network_frames = np.flatnonzero(rng.random(WARM_UP + n_frames) < rate)
    return Dynamics(
        shape=SHAPES[rng.choice(len(SHAPES), p=SHAPE_PROBABILITIES)],
        rise=log_uniform(rng, settings.rise) * frame_rate,
        decay=max(log_uniform(rng, settings.decay) * frame_rate, settings.shortest_decay),
        variability=uniform(rng, settings.variability),
        rate=log_uniform(rng, settings.event_rate) / frame_rate,
        rate_spread=uniform(rng, settings.rate_spread),
        burst_interval=burst if chance(rng, settings.burst_probability) else None,
        burst_fraction=settings.burst_fraction,
        burst_events=settings.burst_events,
        network_frames=network_frames,
        network_cells=settings.network_cells,
        network_participation=uniform(rng, settings.network_participation),
        network_jitter=settings.network_jitter * frame_rate,
        plateau_duration=(
            settings.plateau_duration[0] * frame_rate,
            settings.plateau_duration[1] * frame_rate,
        ),
        silent=uniform(rng, settings.silent_fraction),
        subthreshold=chance(rng, settings.subthreshold_probability),
    )


def _event_times(rng: np.random.Generator, dynamics: Dynamics, n_frames: int) -> NDArray[np.float64]:
    """When one cell's events start, in frames: a Poisson process, bursts upon it, and synchronous events."""
    # Ten times the median is where a log-normal spread of rates stops: a cell has to rest in between.
    rate = dynamics.rate * min(float(np.exp(rng.normal(0, dynamics.rate_spread))), 10.0)
    times = [np.sort(rng.uniform(0, n_frames, rng.poisson(rate * n_frames)))]
    if dynamics.envelope is not None:
        part = dynamics.envelope[np.minimum(times[0].astype(int), len(dynamics.envelope) - 1)]
        times[0] = times[0][rng.random(len(part)) < part]
    if dynamics.burst_interval is not None:
        low, high = dynamics.burst_events
        for start in times[0][rng.random(len(times[0])) < dynamics.burst_fraction]:
            followers = rng.uniform(*dynamics.burst_interval, rng.integers(low, high + 1))
            times.append(start + np.cumsum(followers))
    if len(dynamics.network_frames) and chance(rng, dynamics.network_cells):
        joined = dynamics.network_frames[
            rng.random(len(dynamics.network_frames)) < dynamics.network_participation
        ]
        times.append(joined + rng.normal(0, dynamics.network_jitter, len(joined)))
    together = np.sort(np.concatenate(times))
    return together[(together >= 0) & (together < n_frames)]


def _simulate_cell(
    rng: np.random.Generator, settings: ActivitySettings, dynamics: Dynamics, n_frames: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Trace and events of one cell, with the warm-up before and one frame after the frames shown."""
    length = WARM_UP + n_frames + 1
    events = np.zeros(length, np.float32)
    trace = np.zeros(length)
    shape = dynamics.shape if chance(rng, 0.85) else SHAPES[rng.integers(len(SHAPES))]
    differs = settings.cell_variability
    rise, decay = dynamics.rise * factor(rng, differs), dynamics.decay * factor(rng, differs)
    times = _event_times(rng, dynamics, length) if not chance(rng, dynamics.silent) else np.zeros(0)
    heavy_tailed = chance(rng, settings.heavy_tailed_fraction)
    spread = uniform(rng, settings.event_spread)
    has_plateaus = chance(rng, settings.plateau_fraction)
    for time in times:
        size = rng.exponential(1.2) + 0.1 if heavy_tailed else float(np.exp(rng.normal(0, spread)))
        start = int(time)
        varied_rise = rise * factor(rng, dynamics.variability)
        varied_decay = decay * factor(rng, dynamics.variability)
        reach = min(length - start, int(varied_rise + 8 * varied_decay) + 2)
        curve = transient(shape, varied_rise, varied_decay, time - start, max(reach, 2))
        if has_plateaus and chance(rng, settings.plateau_part):
            curve = _plateau(curve, log_uniform(rng, dynamics.plateau_duration))
        stop = min(length, start + len(curve))
        trace[start:stop] += size * curve[: stop - start]
        events[start] += size
    if dynamics.subthreshold and chance(rng, 0.7):
        curve = transient(shape, rise, decay, 0.0, int(rise + 6 * decay) + 2)
        trace += log_uniform(rng, settings.subthreshold) * _bustle(rng, curve, length)
    if chance(rng, settings.saturation_fraction):
        ceiling = uniform(rng, settings.saturation)
        trace = ceiling * (1 - np.exp(-trace / ceiling))
    return trace, events


def _plateau(curve: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
    """Hold a transient at its peak for `duration` frames, sinking by a tenth."""
    peak = int(np.argmax(curve))
    held = np.linspace(1.0, 0.9, max(int(duration), 1))
    return np.concatenate([curve[:peak], held, 0.9 * curve[peak:]])


def _bustle(rng: np.random.Generator, curve: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Many small events that follow one another, standard deviation 1."""
    impulses = (rng.random(length) < log_uniform(rng, (1 / 60, 1 / 4))) * rng.exponential(1.0, length)
    trace = np.convolve(impulses, curve)[:length]
    return cast(NDArray[np.float64], trace / (trace.std() + 1e-3))
