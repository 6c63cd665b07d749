"""What a ``.keras`` file holds, checked before Keras opens it: no code, no custom objects, no surprises."""

from __future__ import annotations

import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import h5py

from ..errors import ClassifierError
from ..hdf5_files import empty_claim
from ..hdf5_probe import crash_fault

LARGEST_MEMBERS: Mapping[str, int] = {
    "metadata.json": 1_000_000,
    "config.json": 10_000_000,
    "model.weights.h5": 2_000_000_000,
}
"""The members of a ``.keras`` file, and the bytes beyond which each is refused."""

MOST_GROWTH = 200
FREE_BYTES = 1_000_000
"""A member may be so many times larger than its compressed bytes, and so many bytes more."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How members may be packed; others are rare, and not every Python has them."""

ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, UnicodeDecodeError)
"""What `zipfile` raises of an archive that is damaged, encrypted, or of a kind that it does not know."""

BUNDLED = Path(__file__).resolve().parents[1] / "models"
"""Networks in the package are known: opening them crashes nothing."""

# Layers of Keras that run code or read files which the network file brings along or names.
UNSAFE_CLASSES = frozenset(
    {
        "Lambda",
        "__lambda__",
        "TFSMLayer",
        "TorchModuleWrapper",
        "JaxLayer",
        "FlaxLayer",
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
    }
)

_CORE_MODULES = re.compile(
    r"keras(\.(activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|optimizers"
    r"|regularizers))?|keras\.src\.(models|ops)\.\w+|builtins"
)


def check_network_file(path: Path) -> None:
    """Refuse a ``.keras`` file that is anything but a network of Keras' own layers and its weights.

    Raises
    ------
    ClassifierError
        If `path` is no zip archive, has other members than `LARGEST_MEMBERS`, larger ones, encrypted ones or
        links, its weights lie elsewhere, or its configuration names a Lambda or a custom object.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist(), path)
            text = archive.read("config.json")
            _check_weights(archive, path)
    except ZIP_FAULTS as error:
        _refuse(f"The network file cannot be opened: {error}", path)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(f"The network's config.json is not JSON: {error}", path)
    for part in _parts(config):
        _check_part(part, path)


def _refuse(what: str, path: Path, fix: str | None = None) -> NoReturn:
    raise ClassifierError(what, where=str(path), fix=fix)


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Allow exactly the three members of a ``.keras`` file, each of a sensible size."""
    names = [member.filename for member in members]
    unexpected = [name for name in names if name not in LARGEST_MEMBERS or names.count(name) > 1]
    if unexpected:
        _refuse(f"The network file has a member that does not belong there: '{unexpected[0]}'", path)
    for name in LARGEST_MEMBERS:
        if name not in names:
            _refuse(f"The network file lacks its member '{name}'", path)
    for member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            _refuse(f"The network file's member '{member.filename}' is a link", path)
        if member.flag_bits & 1:
            _refuse(f"The network file's member '{member.filename}' is encrypted", path)
        check_member(member, path)
        largest = LARGEST_MEMBERS[member.filename]
        if member.file_size > largest:
            what = f"The network file's member '{member.filename}' has {member.file_size:,} bytes"
            _refuse(f"{what}, more than {largest:,}", path)


def check_member(member: zipfile.ZipInfo, path: Path) -> None:
    """Refuse a member of a zip archive that is packed, or grows when unpacked, as no classifier's is."""
    if member.compress_type not in METHODS:
        what = f"The member '{member.filename}' is compressed by method {member.compress_type}"
        _refuse(what, path, "Zip it again with 'deflate', as every program does unless it is told otherwise")
    if member.file_size > FREE_BYTES + MOST_GROWTH * member.compress_size:
        sizes = f"{member.compress_size:,} to {member.file_size:,} bytes"
        what = f"The member '{member.filename}' grows from {sizes}"
        _refuse(what, path, "Do not use this file unless you know who made it")


def _check_weights(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse weights that are no HDF5 file, or of which a part lies in another file."""
    names: list[bytes] = []
    fault = "" if path.resolve().is_relative_to(BUNDLED) else crash_fault(path)
    if fault:
        _refuse(f"The network's weights are damaged: {fault}", path, "Get the classifier again")
    try:
        with archive.open("model.weights.h5") as member, h5py.File(member, "r") as file:
            file.id.links.visit(names.append)  # every name once, links not followed
            odd = [name for name in names if not _lies_inside(file, name)]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        _refuse(f"The network's weights cannot be read: {error}", path, "Get the classifier again")
    if odd:
        shown = odd[0].decode("utf-8", "replace")
        _refuse(f"The network's weights '{shown}' are a link to elsewhere, or were never written", path)


def _lies_inside(file: h5py.File, name: bytes) -> bool:
    """Whether an object is a part of the file itself, and a dataset holds what it claims."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return False
    found = file[name]
    return not isinstance(found, h5py.Dataset) or not (
        found.external or found.is_virtual or empty_claim(found)
    )


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every object that Keras would make from `config`."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_part(part: Mapping[str, Any], path: Path) -> None:
    """Refuse what is no object of Keras itself."""
    kind, module = str(part["class_name"]), str(part.get("module") or "keras")
    settings = part.get("config")
    name = settings.get("name") if isinstance(settings, dict) else settings
    called = f" called '{name}'" if isinstance(name, str) else ""
    if kind in UNSAFE_CLASSES:
        what = f"The network has a {kind.strip('_')}{called}, which could run code or read other files"
        _refuse(what, path, "Build the network from other layers of Keras and save it again")
    if not _CORE_MODULES.fullmatch(module) or ">" in str(part.get("registered_name")):
        owner = part.get("registered_name") or f"{module}.{kind}"
        what = f"The network has a custom object {owner}{called}, and only layers of Keras itself are loaded"
        _refuse(what, path, "Build the network from layers of Keras and save it again")
