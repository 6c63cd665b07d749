"""A local copy of a dandiset: the folder that derived files are written into and uploaded from."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import OutputError
from .archives import DandiAsset

METADATA_FILE = "dandiset.yaml"


def dandiset_of(folder: Path) -> str | None:
    """Return the identifier of the dandiset whose local copy a folder is; None where it is none yet.

    Raises
    ------
    OutputError
        If its ``dandiset.yaml`` has no identifier.
    """
    file = folder / METADATA_FILE
    if not file.exists():
        return None
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        what = f"'{file}' cannot be read: {error}"
        raise OutputError(what, fix="Get it anew with: dandi download --download dandiset.yaml") from error
    identifier = content.get("identifier") if isinstance(content, dict) else None
    match = re.fullmatch(r"(?:[A-Za-z-]+:)?([0-9]{6})", str(identifier))
    if match is None:
        what = f"'{file}' does not say which dandiset this is: its identifier is '{identifier}'"
        raise OutputError(what, fix="Get it anew with: dandi download --download dandiset.yaml")
    return match[1]


def check_folder(folder: Path, asset: DandiAsset) -> str:
    """Return the dandiset that files in this folder belong to; refuse a folder that cannot be used.

    A folder without ``dandiset.yaml`` becomes a copy of the asset's dandiset. One that has it can be that of
    another dandiset: derived files may have one of their own.

    Raises
    ------
    OutputError
        If there is no dandiset, or nothing can be written.
    """
    existing = next(each for each in (folder, *folder.resolve().parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        what = f"'{existing}' is no folder that can be written to"
        raise OutputError(what, fix="Choose another folder (--to)")
    identifier = dandiset_of(folder) or asset.dandiset
    if not identifier:
        what = "The asset was named without its dandiset, and the folder is no copy of one"
        fix = f"Name the asset with its dandiset, or put a {METADATA_FILE} with an identifier there"
        raise OutputError(what, where=str(folder), fix=fix)
    return identifier


def prepare_folder(folder: Path, asset: DandiAsset) -> None:
    """Make a folder the local copy of the asset's dandiset, if it is none yet."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / METADATA_FILE
    if file.exists():
        return
    metadata = asset.archive.metadata(asset.dandiset, asset.version)
    known = {"identifier": f"DANDI:{asset.dandiset}", **metadata}
    known["identifier"] = f"DANDI:{asset.dandiset}"  # that of a version ends in the version
    text = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    file.write_text(f"# From {asset.instance}; changes in this copy are not uploaded.\n{text}", "utf-8")
