"""What the fuzzers call: bytes in, and nothing out but errors of ndx-cinac; anything else is a finding."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from ndx_cinac import hdf5_files
from ndx_cinac.cell_types.categories import cell_types_of
from ndx_cinac.cinac_files import CinacFile, files
from ndx_cinac.classifiers import ModelCard
from ndx_cinac.errors import CinacError
from ndx_cinac.legacy.architecture import read_architecture
from ndx_cinac.legacy.classifiers import _card
from ndx_cinac.simulation import SimulationConfig
from ndx_cinac.training.cell_config import CellTypeTrainingConfig
from ndx_cinac.training.config import TrainingConfig
from ndx_cinac.yaml_files import load_yaml

hdf5_files.LARGEST_ARRAY = 2**26
"""While fuzzing: what is refused as too large shall be small enough to see memory beyond it."""

SCRATCH = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())


def _file(data: bytes, suffix: str) -> Path:
    """Put bytes into this process's one scratch file."""
    path = SCRATCH / f"ndx-cinac-fuzz-{os.getpid()}{suffix}"
    path.write_bytes(data)
    return path


def card(data: bytes) -> None:
    """Read a model card; one that is accepted can be described and is the same when read again."""
    try:
        found = ModelCard.from_json(data.decode("utf-8", "surrogatepass"), where="card.json")
    except (CinacError, UnicodeDecodeError):
        return
    found.describe()
    assert ModelCard.from_json(found.to_json(), where="again") == found


def yaml(data: bytes) -> None:
    """Read YAML as each of the files that are written in it."""
    path = _file(data, ".yaml")
    try:
        content = load_yaml(path, "The file")
    except CinacError:
        return
    for read in (
        lambda: cell_types_of(content, "types").to_dict(),
        lambda: SimulationConfig.from_dict(content or {}, where="config"),
        lambda: TrainingConfig.from_dict(content or {}, where="config"),
        lambda: CellTypeTrainingConfig.from_dict(content or {}, where="config"),
    ):
        try:
            read()
        except CinacError:
            continue


def cinac(data: bytes) -> None:
    """Read all that a .cinac file holds."""
    path = _file(data, ".cinac")
    try:
        with CinacFile(path) as file:
            _read_all(file)
    except CinacError:
        return


def _read_all(file: CinacFile) -> None:
    for read in (
        lambda: file.cell_types,
        lambda: file.n_cells,
        lambda: file.n_active_frames,
        *(lambda key=key: file.read_segment(key).valid_contours for key in file.segments[:20]),
    ):
        try:
            read()
        except CinacError:
            continue


def cinac_built(data: bytes) -> None:
    """Read a .cinac file that holds, under its names, what the bytes say: wrong types, shapes and links."""
    cells = iter(data)

    def take(limit: int) -> int:
        return next(cells, 0) % limit

    path = _file(b"", ".built.cinac")
    with h5py.File(path, "w") as file:
        file["elsewhere"] = np.arange(take(9) + 1)
        for name in ("cell_0_0_9", "cell_1_5_9", files.FULL_DATA)[: take(3) + 1]:
            if take(8) == 0:
                file[name] = h5py.SoftLink(f"/{name}") if take(2) else np.arange(3)
                continue
            group = file.create_group(name)
            for attribute in {*files.SEGMENT_ATTRIBUTES, *files.FULL_ATTRIBUTES}:
                if take(3):
                    group.attrs[attribute] = _ODD[take(len(_ODD))]
            for dataset in files.SEGMENT_DATASETS:
                _make(group, dataset, take)
    cinac(path.read_bytes())


_ODD = (
    3,
    -1.5,
    np.nan,
    np.inf,
    np.bytes_(b"\xff\x00a"),
    np.void(b"\xff\x00a"),
    "pyramidal",
    "a%s{0}",
    np.arange(4),
    h5py.Empty("f8"),
    np.array([], "S3"),
    2**63 - 1,
    True,
    np.array([("a", 1)], dtype=[("x", "S1"), ("y", "i4")]),
    ["one", "two"],
)
"""Values of attributes of every kind that HDF5 has."""


def _make(group: h5py.Group, name: str, take: Callable[[int], int]) -> None:
    """Make a dataset, or something else of its name, of a kind, shape and content that `take` chooses."""
    kind = take(16)
    if kind == 0:
        return
    if kind == 1:
        group[name] = (h5py.SoftLink("/elsewhere"), h5py.SoftLink(f"{group.name}/{name}"))[take(2)]
    elif kind == 2:
        group[name] = h5py.ExternalLink("/etc/hostname", "/")
    elif kind == 3:
        group.create_group(name)
    elif kind == 4:
        shape = tuple(2 ** take(41) for _ in range(1 + take(3)))
        group.create_dataset(name, shape, "f4", chunks=tuple(min(4, n) for n in shape))
    elif kind == 5:
        group[name] = _ODD[take(len(_ODD))]
    elif kind <= 8:
        rows = group.create_dataset(name, (1 + take(3), 1 + take(3)), h5py.vlen_dtype(("i4", "f8")[take(2)]))
        for index in np.ndindex(rows.shape):
            rows[index] = np.arange(take(5)) + take(9)
    else:
        shape = (10, 5, 0, 2, 1)[take(5)], *((6, 7) if name == "ci_movie" else ())
        values = np.frombuffer(bytes(take(256) for _ in range(64)), ("f4", "i2", "u1", "f8")[take(4)])
        group[name] = np.resize(values, shape)


def legacy(data: bytes) -> None:
    """Read an architecture of DeepCINAC, and write the card that it never had."""
    path = _file(data, ".json")
    try:
        architecture = read_architecture(path)
        found = _card(architecture, "fuzzed", None, where="fuzzed.json")
        found.check(where="fuzzed.json")
    except CinacError:
        return
    assert json.loads(found.to_json())["inputs"]["window"] == found.inputs["window"]


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "card": card,
    "yaml": yaml,
    "cinac": cinac,
    "cinac_built": cinac_built,
    "legacy": legacy,
}
