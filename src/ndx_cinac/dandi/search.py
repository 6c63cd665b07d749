"""Assets by what people have of them: a dandiset's identifier, paths and patterns, or an address."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from ..errors import ArchiveError
from ..extras import require
from .archives import FEATURE, Archive, DandiAsset

DANDISET = re.compile(r"(?:([A-Za-z-]+):)?([0-9]{6})(?:/(draft|[0-9]+\.[0-9]+\.[0-9]+))?")
"""A dandiset's identifier, with its archive's name before it and a version behind it where they are given."""

WILDCARDS = re.compile(r"[*?]")


def find_assets(
    target: str, paths: Sequence[str] = (), *, instance: str | None = None, version: str | None = None
) -> list[DandiAsset]:
    """Find assets by a dandiset's identifier or by an address, in any of the forms that the client knows.

    Parameters
    ----------
    target : str
        A dandiset (``000026``, ``000026/0.220113.0``), or the address of a dandiset, a folder or an asset.
    paths : sequence of str
        Which assets of a dandiset: paths, folders (ending in ``/``) or patterns with ``*``; all by default.
    instance : str, optional
        The archive of a dandiset that is given without an address, as in `Archive`.
    version : str, optional
        "draft" or a published version; by default the latest published one, else the draft.

    Returns
    -------
    list of DandiAsset
        In the order of their paths; a path that was asked for and is not there is an error.

    Raises
    ------
    ArchiveError
        If the target cannot be understood, is not there, or is not for everybody.
    """
    match = DANDISET.fullmatch(target)
    if match is None:
        return _at_address(target, paths, version)
    archive = Archive(instance or (match[1].lower() if match[1] else None))
    return _in_dandiset(archive, archive.dandiset(match[2], version or match[3]), paths)


def _at_address(target: str, paths: Sequence[str], version: str | None) -> list[DandiAsset]:
    """Find the assets that an address means."""
    require("dandi", extra="dandi", feature=FEATURE)
    os.environ.setdefault("DANDI_NO_ET", "1")
    from dandi import dandiarchive

    try:
        parsed = dandiarchive.parse_dandi_url(target)
    except Exception as error:  # the client raises RuntimeError, ValueError and requests' own alike
        what = f"'{target}' is neither a dandiset nor an address in a DANDI archive that answers"
        fix = "Give six digits, such as 000026, or the address of a dandiset or an asset"
        raise ArchiveError(what, fix=fix) from error
    archive = Archive(parsed.instance.api)
    if isinstance(parsed, dandiarchive.BaseAssetIDURL):
        return [archive.asset(parsed.asset_id)]
    found = archive.dandiset(parsed.dandiset_id, version or parsed.version_id)
    if isinstance(parsed, dandiarchive.AssetIDURL):
        return [archive.asset(parsed.asset_id, found.identifier, found.version_id)]
    inside = str(getattr(parsed, "path", ""))
    return _in_dandiset(archive, found, [inside] if inside else paths)


def _in_dandiset(archive: Archive, dandiset: Any, paths: Sequence[str]) -> list[DandiAsset]:
    """Find the assets of a dandiset that paths, folders and patterns mean; all of them without any."""
    if not paths:
        return list(archive.assets(dandiset))
    found: dict[str, DandiAsset] = {}
    for path in paths:
        if WILDCARDS.search(path):
            meant = list(archive.assets(dandiset, glob=path))
        else:
            meant = [each for each in archive.assets(dandiset, path=path) if _means(path, each.path)]
        if not meant:
            what = f"Dandiset {dandiset.identifier} in version {dandiset.version_id} has no asset '{path}'"
            fix = f"See what there is with: ndx-cinac dandi list {dandiset.identifier}"
            raise ArchiveError(what, fix=fix)
        found.update({each.path: each for each in meant})
    return [found[path] for path in sorted(found)]


def _means(path: str, asset: str) -> bool:
    """Whether a path that was asked for is an asset's or that of a folder around it."""
    return asset == path or PurePosixPath(path) in PurePosixPath(asset).parents
