"""A classifier's two files: in a folder, or in a zip of it that is never unpacked by its own names."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import ClassifierError
from .cards import LARGEST_CARD, ModelCard
from .keras_files import LARGEST_MEMBERS, ZIP_FAULTS, check_member

CARD_FILE = "card.json"
NETWORK_FILE = "model.keras"

MOST_MEMBERS = 1000
"""Members of a zip archive beyond which it is refused."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_card(folder: Path) -> ModelCard:
    """Read and check the card in a folder or zip."""
    where = f"{folder}/{CARD_FILE}"
    with _opened(folder, CARD_FILE, LARGEST_CARD) as file:
        data = file.read(LARGEST_CARD + 1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"The model card is not UTF-8 text: {error}"
        raise ClassifierError(what, where=where) from error
    return ModelCard.from_json(text, where=where)


@contextmanager
def network_path(folder: Path) -> Iterator[Path]:
    """Give the path of the network file; that of a zip lies in a folder that is removed afterwards."""
    if folder.is_dir():
        path = folder / NETWORK_FILE
        if not path.is_file():
            _refuse_missing(folder, NETWORK_FILE)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ndx-cinac-") as scratch:
        path = Path(scratch) / NETWORK_FILE
        with _opened(folder, NETWORK_FILE, sum(LARGEST_MEMBERS.values())) as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        yield path


@contextmanager
def _opened(folder: Path, name: str, largest: int) -> Iterator[IO[bytes]]:
    """Open a classifier's file in its folder, or in a zip of the folder or of what it holds."""
    if folder.is_dir():
        if not (folder / name).is_file():
            _refuse_missing(folder, name)
        with (folder / name).open("rb") as file:
            yield file
        return
    try:
        with zipfile.ZipFile(folder) as archive:
            # Never extracted by its own name, so that no name can lead elsewhere.
            _check_names(archive.infolist(), folder)
            found = [m for m in archive.infolist() if _is_member(m.filename, name)]
            if len(found) != 1:
                _refuse_missing(folder, name)
            if found[0].file_size > largest:
                what = f"'{found[0].filename}' has {found[0].file_size:,} bytes, more than {largest:,}"
                raise ClassifierError(what, where=str(folder))
            with archive.open(found[0]) as file:
                yield file
    except ZIP_FAULTS as error:
        what = f"The classifier's {name} cannot be taken from the zip archive: {error}"
        raise ClassifierError(what, where=str(folder)) from error


def _check_names(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Refuse an archive with names that lead out of it, with links, or with many files."""
    if len(members) > MOST_MEMBERS:
        what = (
            f"The zip archive has {len(members):,} members; a classifier has {NETWORK_FILE} and {CARD_FILE}"
        )
        raise ClassifierError(what, where=str(path))
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in member.filename:
            what = f"The zip archive has a member '{member.filename}', whose name leads out of it"
            raise ClassifierError(what, where=str(path), fix="Do not use it unless you know who made it")
        if stat.S_ISLNK(member.external_attr >> 16):
            what = f"The zip archive's member '{member.filename}' is a link"
            raise ClassifierError(what, where=str(path), fix="Zip the classifier's folder itself")
        check_member(member, path)


def _is_member(path: str, name: str) -> bool:
    """Whether `path` is `name` at the top of a zip or in the one folder there."""
    parts = PurePosixPath(path).parts
    return parts[-1:] == (name,) and len(parts) <= 2 and parts[0] != "__MACOSX"


def _refuse_missing(folder: Path, name: str) -> None:
    what = f"A classifier has one {name}, there is none or more than one"
    raise ClassifierError(what, where=str(folder))
