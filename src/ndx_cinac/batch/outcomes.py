"""What became of each recording, and of all of them: done, left as it was, or failed and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import CinacError
from ..results import Result

SHOWN_NOTES = 3


@dataclass(frozen=True)
class RecordingOutcome:
    """What became of one recording.

    Attributes
    ----------
    source : Path
        The recording.
    output : Path
        The file with its predictions; it exists unless `status` is "failed".
    status : {"done", "skipped", "failed"}
        "skipped": the output was there already, and was to be left as it was.
    error : CinacError or None
        Why it failed. What is no error of ndx-cinac is wrapped in one that names its type.
    traceback : str
        Where an error came from, in the process that met it.
    n_rois, n_frames : int
        What was predicted; 0 where nothing was.
    seconds : float
        How long it took, from opening the file to closing the output.
    worker : str
        Machine and process that did it.
    notes : tuple of str
        What a user should know.
    """

    source: Path
    output: Path
    status: Literal["done", "skipped", "failed"]
    error: CinacError | None = None
    traceback: str = ""
    n_rois: int = 0
    n_frames: int = 0
    seconds: float = 0.0
    worker: str = ""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return this as JSON types."""
        error = self.error
        return {
            "source": str(self.source),
            "output": None if self.status == "failed" else str(self.output),
            "status": self.status,
            "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
            "n_rois": self.n_rois,
            "n_frames": self.n_frames,
            "seconds": round(self.seconds, 2),
            "worker": self.worker,
            "notes": list(self.notes),
        }


def numbers_of(results: tuple[Result, ...]) -> dict[str, Any]:
    """Return what an outcome says of results."""
    return {
        "n_rois": len(results[0].roi_rows),
        "n_frames": max(getattr(each, "n_frames", 0) for each in results),
        "notes": tuple(dict.fromkeys(note for each in results for note in each.notes)),
    }


@dataclass(frozen=True)
class BatchResult:
    """What became of all recordings.

    Attributes
    ----------
    outcomes : tuple of RecordingOutcome
        In the order in which the recordings were given.
    seconds : float
        How long all of it took.
    """

    outcomes: tuple[RecordingOutcome, ...]
    seconds: float

    def of(self, status: str) -> list[RecordingOutcome]:
        """Outcomes of one status: "done", "skipped" or "failed"."""
        return [each for each in self.outcomes if each.status == status]

    @property
    def failed(self) -> list[RecordingOutcome]:
        """Those that failed."""
        return self.of("failed")

    def summary(self) -> str:
        """Say how much was done, by how many, and which recordings failed and why."""
        done, skipped = self.of("done"), self.of("skipped")
        cell_frames = sum(each.n_rois * each.n_frames for each in done)
        workers = len({each.worker for each in done})
        lines = [f"{len(done)} of {len(self.outcomes)} recordings predicted in {self.seconds:.1f} s"]
        if cell_frames:
            by = f", by {workers} workers" if workers > 1 else ""
            lines[0] += f": {cell_frames:,} cell-frames, {cell_frames / self.seconds:,.0f} per second{by}"
        if skipped:
            lines.append(f"{len(skipped)} left as they were: their outputs exist")
        for each in done:
            lines += [f"note: {each.source.name}: {note}" for note in each.notes[:SHOWN_NOTES]]
        lines += [f"failed: {each.source}: {type(each.error).__name__}: {each.error}" for each in self.failed]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return this as JSON types."""
        return {
            "seconds": round(self.seconds, 2),
            "done": len(self.of("done")),
            "skipped": len(self.of("skipped")),
            "failed": len(self.failed),
            "recordings": [each.to_dict() for each in self.outcomes],
        }
