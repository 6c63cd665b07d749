"""Uploading derived files: what would go where, the command that does it, and whether it arrived."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArchiveError, OutputError
from .archives import Archive
from .downloads import matches
from .findings import errors_of
from .local_dandisets import dandiset_of
from .readiness import check_ready
from .search import find_assets

DANDI = (sys.executable, "-c", "from dandi.cli.command import main; main()")
"""The command `dandi` of this environment, wherever its script lies."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """What would be uploaded, and where to; nothing is done before `run` is called.

    Attributes
    ----------
    archive : Archive
        Where to.
    dandiset : str
        Identifier of the dandiset; files go into its draft.
    folder : Path
        Its local copy.
    paths : tuple of str
        The files, by their paths in the dandiset.
    """

    archive: Archive
    dandiset: str
    folder: Path
    paths: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What stands behind ``dandi``, run in the folder."""
        return ("upload", "-i", self.archive.option, *self.paths)

    @property
    def command(self) -> str:
        """The command for a shell."""
        return f"cd {shlex.quote(str(self.folder))} && dandi {shlex.join(self.arguments)}"

    def to_text(self) -> str:
        """Say what would go where."""
        sizes = [(self.folder / path).stat().st_size for path in self.paths]
        lines = [f"To the draft of dandiset {self.dandiset} in the archive '{self.archive.name}':"]
        lines += [f"  {path} ({size / 1e6:.1f} MB)" for path, size in zip(self.paths, sizes, strict=True)]
        return "\n".join(lines)

    def run(self) -> None:
        """Upload, with the dandi client's own command, and look whether everything arrived.

        Raises
        ------
        OutputError
            If a file is not ready.
        ArchiveError
            If there is no token, the client fails, or a file is not in the archive afterwards.
        """
        for path in self.paths:
            wrong = errors_of(check_ready(self.folder / path, with_dandi=True))
            if wrong:
                what = f"'{path}' is not ready for the archive: {wrong[0].message}"
                raise OutputError(what, where=wrong[0].field or None, fix=wrong[0].fix or None)
        if not self.archive.has_token:
            what = f"Uploading to '{self.archive.name}' needs your token"
            raise ArchiveError(what, fix=f"Set the variable {self.archive.token_variable} to it")
        _log.info("Running: dandi %s", shlex.join(self.arguments))
        environment = {**os.environ, "DANDI_NO_ET": "1"}
        done = subprocess.run([*DANDI, *self.arguments], cwd=self.folder, env=environment, check=False)
        if done.returncode:
            what = f"dandi upload failed (exit status {done.returncode}); its own words stand above"
            raise ArchiveError(what, fix=f"When that is mended: {self.command}")
        self._check_arrived()

    def _check_arrived(self) -> None:
        """Compare what the draft holds with what was to be uploaded."""
        for path in self.paths:
            asset = find_assets(self.dandiset, [path], instance=self.archive.option, version="draft")[0]
            file = self.folder / path
            if asset.size != file.stat().st_size or not matches(file, asset.digest):
                what = f"'{path}' in the archive is not the file that was to be uploaded"
                raise ArchiveError(what, where=asset.url, fix=f"Try again: {self.command}")


def plan_upload(folder: str | Path, paths: Sequence[str | Path], instance: str | None = None) -> Upload:
    """Plan the upload of files from a local copy of a dandiset; nothing is sent.

    Parameters
    ----------
    folder : str or Path
        The local copy.
    paths : sequence of str or Path
        Files in it.
    instance : str, optional
        The archive, as in `Archive`.

    Raises
    ------
    OutputError
        If the folder is no copy of a dandiset, or a file is not in it.
    ArchiveError
        If the archive cannot be reached.
    """
    folder = Path(folder).expanduser().resolve()
    identifier = dandiset_of(folder)
    if identifier is None:
        what = f"'{folder}' is no local copy of a dandiset: it has no dandiset.yaml"
        raise OutputError(what, fix="Give the folder that files were derived into")
    inside = []
    for path in paths:
        file = (folder / path).resolve()
        if not file.is_relative_to(folder) or not file.is_file():
            what = f"'{path}' is no file in '{folder}'"
            raise OutputError(what, fix="Give files of the local copy of the dandiset")
        inside.append(file.relative_to(folder).as_posix())
    return Upload(Archive(instance), identifier, folder, tuple(inside))
