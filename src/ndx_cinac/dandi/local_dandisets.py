"""A local copy of a dandiset: the folder that derived files are written into and uploaded from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
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


@contextmanager
def made_folder(folder: Path, name: str, asset: DandiAsset) -> Iterator[None]:
    """Make a folder the local copy of the asset's dandiset, with the folder of a file in it.

    What was made and is empty when the block fails is removed again.
    """
    file, inside = folder / METADATA_FILE, (folder / name).parent
    absent = [each for each in (inside, *inside.parents) if not each.exists()]
    inside.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    try:
        if new:
            file.write_text(_description(asset), "utf-8")
        yield
    except BaseException:
        if new and folder in absent and not _holds_anything_but(folder, {file, inside}):
            file.unlink(missing_ok=True)
        for each in absent:
            with suppress(OSError):  # it is not empty
                each.rmdir()
        raise


def _holds_anything_but(folder: Path, paths: set[Path]) -> bool:
    """Whether a folder, or one of these folders in it, holds anything else than these."""
    here = {each for path in (folder, *paths) if path.is_dir() for each in path.iterdir()}
    return bool(here - paths)


def _description(asset: DandiAsset) -> str:
    """Return the ``dandiset.yaml`` of an asset's dandiset."""
    known = asset.archive.metadata(asset.dandiset, asset.version)
    known = {**known, "identifier": f"DANDI:{asset.dandiset}"}  # theirs ends in the version
    text = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    return f"# From {asset.instance}; changes in this copy are not uploaded.\n{text}"
