"""The examples of a training, by part and source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..progress import Progress
from .config import TrainingConfig
from .data import Part, Seen, look_at_examples, make_examples
from .labelled import Example
from .measures import Measured
from .pieces import Share
from .sources import Source


class MadeExamples:
    """Examples by part and source, made when they are asked for, and kept for a training that goes on."""

    def __init__(
        self, config: TrainingConfig, sources: Sequence[Source], folder: Path, progress: Progress
    ) -> None:
        self.config, self.sources, self.progress = config, sources, progress
        self._cache = Path(config.cache) if config.cache else folder / "examples"
        self._made: dict[Part, list[list[Example]]] = {}

    def make(self, *parts: Part) -> None:
        """Make the examples of some parts, together."""
        jobs = [
            (part, place, job)
            for part in parts
            for place, source in enumerate(self.sources)
            for job in source.jobs.get(part, ())
        ]
        made = make_examples(
            [job for _, _, job in jobs],
            workers=self.config.workers,
            cache=self._cache,
            progress=self.progress,
        )
        for part in parts:
            self._made[part] = [[] for _ in self.sources]
        for (part, i, _), example in zip(jobs, made, strict=True):
            self._made[part][i].append(example)

    def look(self, part: Part, look: Callable[[Example], Seen]) -> list[Seen]:
        """Make the examples of a part for other processes, and return what `look` finds in each."""
        return look_at_examples(
            [job for source in self.sources for job in source.jobs.get(part, ())],
            look,
            workers=self.config.workers,
            cache=self._cache,
            progress=self.progress,
        )

    def of(self, part: Part) -> list[Measured]:
        """Name, weight and examples of each source that has any in a part."""
        if part not in self._made:
            self.make(part)
        return [
            (source.name, source.weight, examples)
            for source, examples in zip(self.sources, self._made[part], strict=True)
            if examples
        ]

    def shares(self) -> list[Share]:
        """Return what is trained on."""
        return [
            Share(examples, source.weight, altered=not source.simulated)
            for source, examples in zip(self.sources, self._made["training"], strict=True)
        ]
