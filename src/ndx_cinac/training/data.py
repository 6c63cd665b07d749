"""Examples for training, made in several processes and kept for another training."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..movies import ArrayMovie
from ..progress import Progress, silent
from ..simulation import SimulationConfig, simulate_field
from ..traces import TraceOptions
from .augmentation import alter, draw_alteration
from .labelled import Example, LabelledMovie, example_of
from .settings import AugmentationSettings, SourceSettings

Part = Literal["training", "calibration", "test", "validation"]
_PARTS: tuple[Part, ...] = ("training", "calibration", "test", "validation")
_CACHE_FORMAT = 4
"""Part of what a cache's fields are known by: raised when examples hold something else."""


class Storable(Protocol):
    """What is made for a training, of one recording or field."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it, to be kept in a file."""


Made = TypeVar("Made", bound=Storable, covariant=True)
Seen = TypeVar("Seen")


class Job(Protocol[Made]):
    """One example to be made, anywhere and in any order, always the same."""

    def make(self) -> Made:
        """Make it."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Made:
        """Put together what its `arrays` gave."""

    @property
    def settings(self) -> dict[str, Any]:
        """All that shapes it and its like, as JSON types; its `label` tells it from those."""

    @property
    def label(self) -> str:
        """A file name's worth of what tells it from others with the same settings."""


@dataclass(frozen=True)
class FieldJob:
    """One simulated field: its settings, the numbers that seed it, and whether all annotators are asked."""

    simulation: SimulationConfig
    traces: TraceOptions
    seed: int
    part: Part
    number: int
    all_annotators: bool = False

    def labelled(self) -> LabelledMovie:
        """Simulate the field."""
        rng = np.random.default_rng([self.seed, _PARTS.index(self.part), self.number])
        field = simulate_field(self.simulation, rng, opinions=self.all_annotators)
        return LabelledMovie(
            name=f"field {self.number}",
            movie=ArrayMovie(field.movie),
            rois=field.rois,
            active=field.active,
            judged=~field.ignored,
            frame_rate=field.frame_rate,
            pixel_size=field.pixel_size,
            snr=field.snr,
            opinions=field.opinions,
        )

    def make(self) -> Example:
        """Simulate the field and extract its traces as a prediction would."""
        made = example_of(self.labelled(), self.traces)
        if self.part == "calibration":
            return made
        return replace(made, by_annotator=made.by_annotator[:0])  # nothing else asks for each of them

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Example:
        """Put together what was kept of it."""
        return Example.from_arrays(arrays)

    @property
    def settings(self) -> dict[str, Any]:
        """What all fields of this kind are made from."""
        parts = {"simulation": self.simulation.to_dict(), "traces": self.traces.to_dict()}
        return {**parts, "all annotators": self.all_annotators}

    @property
    def label(self) -> str:
        """Part, seed and number."""
        return f"{self.part}-{self.seed}-{self.number:05d}"


@dataclass(frozen=True)
class RecordingJob:
    """Some cells of a recording, as it is (version 0) or altered.

    Attributes
    ----------
    source : SourceSettings
        The file.
    fingerprint : str
        What tells it from a changed file of the same name.
    movie : int
        Which of the file's labelled movies.
    cells : tuple of int
        The cells to learn from; the others lie beside them.
    """

    source: SourceSettings
    fingerprint: str
    traces: TraceOptions
    augmentation: AugmentationSettings
    seed: int
    movie: int
    cells: tuple[int, ...]
    version: int = 0

    def make(self) -> Example:
        """Read the recording, alter it, and extract its traces as a prediction would."""
        from .recordings import NOT_LABELLED, read_labelled

        found = read_labelled(self.source)
        labelled, cells = found[self.movie]
        try:
            others = {r: NOT_LABELLED for r in labelled.rois.kept.tolist() if cells[r] not in self.cells}
            rois = replace(labelled.rois, unselected={**labelled.rois.unselected, **others})
            labelled = replace(labelled, rois=rois)
            if self.version:
                rng = np.random.default_rng(
                    [self.seed, zlib.crc32(Path(self.source.path).name.encode()), self.movie, self.version]
                )
                labelled = alter(labelled, draw_alteration(self.augmentation, rng))
            return example_of(labelled, self.traces)
        finally:
            for each, _ in found:
                each.close()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Example:
        """Put together what was kept of it."""
        return Example.from_arrays(arrays)

    @property
    def settings(self) -> dict[str, Any]:
        """What all examples of this file are made from."""
        source = {name: value for name, value in asdict(self.source).items() if name != "weight"}
        return {
            "source": source,
            "fingerprint": self.fingerprint,
            "traces": self.traces.to_dict(),
            "augmentation": asdict(self.augmentation) if self.version else {},
        }

    @property
    def label(self) -> str:
        """Movie, version, seed and cells."""
        cells = hashlib.sha256(json.dumps(self.cells).encode()).hexdigest()[:12]
        return f"movie-{self.movie}-{self.version}-{self.seed}-{cells}"


def make_examples(
    jobs: Iterable[Job[Made]], *, workers: int = 2, cache: Path | None = None, progress: Progress = silent
) -> list[Made]:
    """Make examples, in the order of the jobs.

    Parameters
    ----------
    jobs : iterable of Job
        What to make.
    workers : int
        Processes that make them; 0 makes them in this one. The result is the same.
    cache : Path, optional
        Folder that keeps finished examples: those found there are not made again. Examples of other settings
        lie there side by side.
    progress : Progress
        Told of each example.
    """
    return look_at_examples(jobs, _whole, workers=workers, cache=cache, progress=progress)


def look_at_examples(
    jobs: Iterable[Job[Made]],
    look: Callable[[Made], Seen],
    *,
    workers: int = 2,
    cache: Path | None = None,
    progress: Progress = silent,
) -> list[Seen]:
    """Make examples as `make_examples` does, and return what `look` finds in each, where it is made.

    With a cache they are there for other processes, and this one needs no memory for them.
    """
    jobs = list(jobs)
    found = []
    for done, seen in enumerate(_seen(jobs, look, workers, cache), start=1):
        found.append(seen)
        progress("making examples", done, len(jobs))
    return found


def _whole(example: Made) -> Made:  # type: ignore[misc]
    """Find all of it."""
    return example


def _seen(
    jobs: list[Job[Made]], look: Callable[[Made], Seen], workers: int, cache: Path | None
) -> Iterator[Seen]:
    """Look at examples one by one, made here or in other processes."""
    if workers == 0:
        with _one_thread():
            yield from (_look(job, look, cache) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        yield from pool.map(_look, jobs, [look] * len(jobs), [cache] * len(jobs), chunksize=4)


def _look(job: Job[Made], look: Callable[[Made], Seen], cache: Path | None) -> Seen:
    """Make or load an example, and look at it."""
    return look(_make_or_load(job, cache))


def _one_thread() -> Any:
    """Keep linear algebra to one thread: the processes share the cores, and sums keep their order."""
    limits = require("threadpoolctl", extra="train", feature="Making training data").threadpool_limits
    return limits(limits=1)


def _make_or_load(job: Job[Made], cache: Path | None) -> Made:
    """Load an example from the cache, or make it and put it there."""
    if cache is None:
        return job.make()
    text = json.dumps({"format": _CACHE_FORMAT, **job.settings}, sort_keys=True)
    folder = cache / hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder / f"{job.label}.npz"
    if not path.exists():
        example = job.make()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.json").write_text(text, encoding="utf-8")
        temporary = path.with_suffix(".part.npz")
        stored: dict[str, Any] = example.arrays()
        np.savez(temporary, **stored)
        temporary.replace(path)
        return example
    with np.load(path, allow_pickle=False) as found:
        return job.restore({name: found[name] for name in found.files})
