"""What interrupted predictions have kept in temporary folders beside their outputs: found, shown, deleted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..writing.output import size_of
from ..writing.unfinished import SUFFIX, UnfinishedFolder, in_use


@dataclass(frozen=True)
class KeptWork:
    """The temporary folder of a run that was interrupted, or is under way.

    Attributes
    ----------
    folder : Path
        The folder.
    output : Path
        What the run writes.
    source, classifier : str
        What is predicted and with which classifier, as far as the folder says so; else empty.
    size_bytes : int
        Bytes that it takes.
    changed : datetime
        When something was last kept.
    in_use : bool
        Whether a run uses it now.
    """

    folder: Path
    output: Path
    source: str
    classifier: str
    size_bytes: int
    changed: datetime
    in_use: bool

    def to_text(self) -> str:
        """Say it in a few lines."""
        state = "a run is under way" if self.in_use else "the same command goes on from there"
        of = f"\n  of {self.source}, with {self.classifier}" if self.source or self.classifier else ""
        size = f"{self.size_bytes / 2**20:.1f} MiB, {self.changed:%Y-%m-%d %H:%M}"
        return f"{self.output}{of}\n  {size}: {state}\n  {self.folder}"


def find_kept_work(paths: Iterable[str | Path], *, recursive: bool = False) -> list[KeptWork]:
    """Find the temporary folders of runs.

    Parameters
    ----------
    paths : iterable of str or Path
        Folders to look in, or outputs of runs.
    recursive : bool
        Look in folders within them, too.

    Raises
    ------
    OutputError
        If a path is neither a folder nor the output of a run that has kept something.
    """
    found = {folder for path in paths for folder in _folders(Path(path).expanduser(), recursive=recursive)}
    return [_described(folder) for folder in sorted(found)]


def clear_kept_work(work: KeptWork) -> bool:
    """Delete a temporary folder; False if a run uses it.

    Only what runs of ndx-cinac have put there is deleted. A Zarr folder that was about to be replaced, when
    its run was killed, gets its name back.
    """
    try:
        with UnfinishedFolder(work.output) as folder:
            folder.finished = True
    except OutputError:
        return False
    return True


def _folders(path: Path, *, recursive: bool) -> Iterator[Path]:
    """Temporary folders that a path stands for."""
    path = path.absolute()
    own = path if path.name.endswith(SUFFIX) else path.parent / f".{path.name}{SUFFIX}"
    if own.is_dir():
        yield own
        return
    if not path.is_dir():
        what = f"'{path}' is no folder, and nothing is kept for an output of that name"
        raise OutputError(what, fix="See what is kept with: ndx-cinac resume list FOLDER")
    pattern = f".*{SUFFIX}"
    for folder in path.rglob(pattern) if recursive else path.glob(pattern):
        if folder.is_dir() and not folder.is_symlink():
            yield folder


def _described(folder: Path) -> KeptWork:
    """Describe a temporary folder by what its journals say."""
    records = [_record(path) for path in sorted(folder.glob("*.json"))]
    record = next((each for each in records if each), {})
    times = [path.stat().st_mtime for path in folder.iterdir()] or [folder.stat().st_mtime]
    return KeptWork(
        folder=folder,
        output=folder.with_name(folder.name[1 : -len(SUFFIX)]),
        source=_within(record, "source", "stored", 0, 0) or _within(record, "source", "asset"),
        classifier=_within(record, "classifier", "name"),
        size_bytes=size_of(folder),
        changed=datetime.fromtimestamp(max(times)).astimezone(),
        in_use=in_use(folder),
    )


def _record(path: Path) -> dict[str, Any]:
    """Read what a journal is tied to; nothing where that cannot be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _within(record: Any, *path: str | int) -> str:
    """Return the text at a place of nested JSON; empty where there is none."""
    for step in path:
        try:
            record = record[step]
        except (KeyError, IndexError, TypeError):
            return ""
    return record if isinstance(record, str) else ""
