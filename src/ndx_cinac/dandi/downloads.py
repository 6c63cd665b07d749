"""Download an asset: verified by its digest, and continued where an earlier attempt ended."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..errors import ArchiveError, OutputError
from ..progress import Progress, silent
from .archives import DandiAsset
from .transfer import Patience, Traffic, Transfer

UNFINISHED = ".part"
BLOCK = 8 * 2**20


def download_asset(
    asset: DandiAsset,
    folder: Path,
    patience: Patience | None = None,
    traffic: Traffic | None = None,
    *,
    progress: Progress = silent,
) -> Path:
    """Download an asset into a folder, at its path in the dandiset.

    What is there already and has the asset's digest is not downloaded again. An unfinished download lies
    beside its goal as ``NAME.ASSET_ID.part`` and is continued by the next call.

    Parameters
    ----------
    asset : DandiAsset
        The asset.
    folder : Path
        Where to; folders that its path names are made.
    patience : Patience, optional
        How long to go on when the network fails.
    traffic : Traffic, optional
        What was asked for is added to it.
    progress : callable
        Told how far it is, in bytes.

    Returns
    -------
    Path
        The file, whose content is the asset's.

    Raises
    ------
    ArchiveError
        If the asset cannot be had, or what came does not have its digest.
    OutputError
        If there is no room for it, or another file lies in its place.
    """
    goal = _goal(asset, folder)
    if goal.exists():
        if goal.stat().st_size == asset.size and matches(goal, asset.digest):
            return goal
        what = f"'{goal}' is there and is not the asset that is meant"
        raise OutputError(what, fix="Move it away, or download into another folder")
    goal.parent.mkdir(parents=True, exist_ok=True)
    part = goal.with_name(f"{goal.name}.{asset.asset_id}{UNFINISHED}")
    have = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(goal.parent).free
    if asset.size - have > free:
        what = f"The asset needs {(asset.size - have) / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
        raise OutputError(
            what, where=str(goal.parent), fix="Choose another folder, or leave --download out: it is streamed"
        )
    _fetch_rest(asset, part, patience or Patience(), traffic or Traffic(), progress)
    if not matches(part, asset.digest):
        part.unlink()
        what = f"What came of asset {asset.path} does not have its digest {asset.digest}"
        raise ArchiveError(what, where=asset.url, fix="Download it again; the broken copy was deleted")
    part.replace(goal)
    return goal


def _goal(asset: DandiAsset, folder: Path) -> Path:
    """Where an asset goes; an archive's path must not lead out of the folder."""
    goal = (folder / asset.path).resolve()
    if not goal.is_relative_to(folder.resolve()):
        what = f"The asset's path '{asset.path}' leads out of the folder"
        raise ArchiveError(what, where=asset.url)
    return goal


def _fetch_rest(
    asset: DandiAsset, part: Path, patience: Patience, traffic: Traffic, progress: Progress
) -> None:
    """Fetch what an unfinished download lacks; what came stays even if the rest does not."""
    transfer = Transfer(asset, patience)
    try:
        with part.open("ab") as file:

            def take(piece: bytes) -> None:
                file.write(piece)
                progress("downloading", file.tell(), asset.size)

            transfer.stream(file.tell(), asset.size, take)
    except OSError as error:
        what = f"Writing failed: {error}"
        raise OutputError(what, where=str(part), fix="Free some room; what came so far is kept") from error
    finally:
        transfer.close()
        traffic.add(transfer.traffic)


def matches(path: Path, digest: str) -> bool:
    """Whether a file has a digest, given as "algorithm:value"; an asset without one is taken as it came."""
    algorithm, _, value = digest.partition(":")
    if algorithm == "sha2-256":
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == value
    if algorithm == "dandi-etag":
        from dandi.support.digests import DandiETag

        return str(DandiETag.from_file(path).as_str()) == value
    return True
