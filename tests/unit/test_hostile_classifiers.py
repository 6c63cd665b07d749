"""Classifiers from strangers: refused by name, nothing in them run, nothing of them unpacked."""

from __future__ import annotations

import io
import json
import pickle
import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ndx_cinac.classifiers import ModelCard, files, keras_files, load_classifier
from ndx_cinac.classifiers.files import sha256_of
from ndx_cinac.errors import ClassifierError
from ndx_cinac.legacy import load_legacy

DATA = Path(__file__).resolve().parents[1] / "data" / "deepcinac"
CARD = ModelCard(
    name="mailed",
    version="1",
    task="activity",
    description="From a stranger.",
    definition="active",
    inputs={"kind": "traces", "channels": ["a"], "block": 64, "halo": 7},
)
CONFIG = {
    "class_name": "Functional",
    "module": "keras",
    "config": {"layers": [{"class_name": "Dense", "module": "keras.layers", "config": {"units": 1}}]},
}


class Mark:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def network_file(path: Path, config: object = CONFIG, spoil=None) -> Path:
    """A ``.keras`` file as a stranger makes it, without Keras; `spoil` changes its weights."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.ones((1, 1), np.float32)
        if spoil is not None:
            spoil(file)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def classifier(folder: Path, config: object = CONFIG, spoil=None) -> Path:
    """A folder with such a network and a card that fits it."""
    folder.mkdir(exist_ok=True)
    path = network_file(folder / "model.keras", config, spoil)
    (folder / "card.json").write_text(replace(CARD, sha256=sha256_of(path)).to_json())
    return folder


def zipped(folder: Path, more=None, compression: int = zipfile.ZIP_STORED) -> Path:
    """The folder as a zip, to whose members `more` adds."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
        if more is not None:
            more(archive)
    return path


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("notes.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("more.bin", bytes(3_000_000), zipfile.ZIP_DEFLATED)


def many(archive: zipfile.ZipFile) -> None:
    for number in range(files.MOST_MEMBERS):
        archive.writestr(str(number), "")


ARCHIVES = {
    "traversal": (lambda a: a.writestr("../evil.py", "x"), r"a member '\.\./evil\.py', whose name leads out"),
    "absolute": (
        lambda a: a.writestr("/tmp/evil.py", "x"),
        r"a member '/tmp/evil\.py', whose name leads out",
    ),
    "windows": (lambda a: a.writestr("..\\evil.py", "x"), r"evil\.py', whose name leads out of it"),
    "drive": (lambda a: a.writestr("c:evil.py", "x"), r"'c:evil\.py', whose name leads out of it"),
    "inside": (
        lambda a: a.writestr("../card.json", "{}"),
        r"a member '\.\./card\.json', whose name leads out",
    ),
    "link": (link, r"member 'notes\.txt' is a link"),
    "bomb": (bomb, r"'more\.bin' grows from [\d,]+ to 3,000,000 bytes"),
    "many": (many, "The zip archive has 1,002 members"),
}


@pytest.mark.parametrize(("more", "message"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_hostile_archive_is_refused_and_nothing_is_unpacked(tmp_path, monkeypatch, more, message):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = zipped(classifier(tmp_path / "mailed"), more)
    with pytest.raises(ClassifierError, match=message):
        load_classifier(path)
    assert list(scratch.iterdir()) == []
    assert not list(tmp_path.rglob("evil*"))


def test_a_zip_as_it_should_be_is_taken(tmp_path):
    assert load_classifier(zipped(classifier(tmp_path / "mailed"))).card.name == "mailed"


def test_a_zip_that_ends_early_is_refused(tmp_path):
    path = zipped(classifier(tmp_path / "mailed"))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(
        ClassifierError, match=r"neither a folder nor a zip archive|A classifier has one card\.json"
    ):
        load_classifier(path)


def test_a_bomb_inside_the_network_file_is_refused_before_it_is_unpacked(tmp_path):
    folder = classifier(tmp_path / "mailed")
    with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in keras_files.LARGEST_MEMBERS:
            archive.writestr(name, bytes(5_000_000 if name == "config.json" else 10))
    with pytest.raises(ClassifierError, match=r"'config\.json' grows from [\d,]+ to 5,000,000 bytes"):
        load_classifier(folder)


def name_of_no_text(data: bytearray) -> None:
    """Say of the last member that its name is UTF-8, which it is not."""
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 9] |= 8
    data[entry + 46] = 0xFF


def more_bytes_than_there_are(data: bytearray) -> None:
    """Let the first member claim that its packed bytes go on beyond the end of the file."""
    struct.pack_into("<II", data, data.index(b"PK\x01\x02") + 20, 10_000_000, 500_000)


def packed(folder: Path, compression: int, damage=None) -> Path:
    """The folder with its network file packed anew and damaged."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in ("config.json", "metadata.json", "model.weights.h5")}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if damage is not None:
        data = bytearray(path.read_bytes())
        damage(data)
        path.write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("compression", "damage", "message"),
    [
        (zipfile.ZIP_LZMA, None, r"'config\.json' is compressed by method 14.*Zip it again with 'deflate'"),
        (zipfile.ZIP_BZIP2, None, r"'config\.json' is compressed by method 12"),
        (zipfile.ZIP_STORED, more_bytes_than_there_are, "The network file cannot be opened"),
        (zipfile.ZIP_STORED, name_of_no_text, "The network file cannot be opened"),
    ],
)
def test_a_network_file_packed_oddly_is_refused_in_one_sentence(tmp_path, compression, damage, message):
    with pytest.raises(ClassifierError, match=message):
        load_classifier(packed(classifier(tmp_path / "mailed"), compression, damage))


@pytest.mark.parametrize(
    ("compression", "damage", "message"),
    [
        (zipfile.ZIP_LZMA, None, "is compressed by method 14"),
        (zipfile.ZIP_STORED, name_of_no_text, "cannot be taken from the zip archive"),
    ],
)
def test_a_zip_of_a_classifier_packed_oddly_is_refused_in_one_sentence(
    tmp_path, compression, damage, message
):
    path = zipped(classifier(tmp_path / "mailed"), compression=compression)
    if damage is not None:
        data = bytearray(path.read_bytes())
        damage(data)
        path.write_bytes(data)
    with pytest.raises(ClassifierError, match=message):
        load_classifier(path)


def elsewhere(file: h5py.File) -> None:
    file["layers/more"] = h5py.ExternalLink("/etc/hostname", "/")


def raw_file(file: h5py.File) -> None:
    file.create_dataset("layers/more", (8,), "u1", external=[("/etc/hostname", 0, 8)])


def circle(file: h5py.File) -> None:
    file["layers/more"] = h5py.SoftLink("/layers/more")


def hollow(file: h5py.File) -> None:
    file.create_dataset("layers/more", (2**20, 2**20), "f4", chunks=(64, 64))


WEIGHTS = {
    elsewhere: "link to elsewhere",
    raw_file: "link to elsewhere",
    circle: "link",
    hollow: "never written",
}


@pytest.mark.parametrize(
    ("spoil", "message"), WEIGHTS.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_weights_that_lie_elsewhere_or_nowhere_are_refused_by_name(tmp_path, spoil, message):
    with pytest.raises(ClassifierError, match=f"weights 'layers/more' are .*{message}"):
        load_classifier(classifier(tmp_path / "mailed", spoil=spoil))


def test_truncated_weights_are_refused(tmp_path):
    folder = classifier(tmp_path / "mailed")
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = members["model.weights.h5"][:-900]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ClassifierError, match=r"The network's weights cannot be read: .*truncated"):
        load_classifier(folder)


PLANTED = "import pathlib; pathlib.Path('{}').touch()"


def planted(mark: Path) -> dict[str, dict]:
    """Configurations that would leave a mark if anything of them were run."""
    code = PLANTED.format(mark)
    return {
        "Lambda": {"class_name": "Lambda", "config": {"name": "evil", "function": code}},
        "lambda": {"class_name": "__lambda__", "config": {"value": code}},
        "TorchModuleWrapper": {"class_name": "TorchModuleWrapper", "config": {"module": code}},
        "custom object": {"class_name": "system", "module": "os", "config": {"command": f"touch {mark}"}},
        "custom object Mine": {"class_name": "Dense", "registered_name": "Mine>Dense", "config": {}},
    }


@pytest.mark.parametrize("kind", planted(Path()))
def test_planted_code_is_refused_by_name_and_leaves_no_mark(tmp_path, kind):
    mark = tmp_path / "mark"
    config = {**CONFIG, "config": {"layers": [planted(mark)[kind]]}}
    with pytest.raises(ClassifierError, match=f"has a {kind}"):
        load_classifier(classifier(tmp_path / "mailed", config)).network()
    assert not mark.exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("layer_names", "holds .*, which is no name"),
        ("weight_names", "holds .*, which is no name"),
        ("notes", ""),
    ],
)
def test_pickles_in_attributes_of_legacy_weights_are_never_opened(tmp_path, place, message):
    mark, path = tmp_path / "mark", tmp_path / "weights.h5"
    path.write_bytes((DATA / "activity_w40.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        root = file.get("model_weights", file)
        holder = root[next(iter(root))] if place == "weight_names" else root
        holder.attrs[place] = np.void(pickle.dumps(Mark(mark)))
    if message:
        with pytest.raises(ClassifierError, match=message):
            load_legacy(DATA / "activity_w40.json", path)
    else:
        load_legacy(DATA / "activity_w40.json", path)
    assert not mark.exists()


def test_truncated_legacy_weights_are_refused(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes((DATA / "activity_w40.h5").read_bytes()[:-5000])
    with pytest.raises(ClassifierError, match=r"weights are no HDF5 file .*weights\.h5"):
        load_legacy(DATA / "activity_w40.json", path)


def test_legacy_weights_that_are_no_numbers_or_never_written_are_refused(tmp_path):
    from ndx_cinac.legacy.weights import open_weights

    for fault in ("holds what is no number", "which is no layer's"):
        path = tmp_path / "weights.h5"
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = ["a"]
            group = file.create_group("a")
            group.attrs["weight_names"] = ["a/kernel:0"]
            if "number" in fault:
                group["a/kernel:0"] = np.array([np.nan], "f4")
            else:
                group.create_dataset("a/kernel:0", (2**20, 2**20), "f4", chunks=(64, 64))
        with open_weights(path) as weights, pytest.raises(ClassifierError, match=fault):
            weights.layer("a")


def test_an_endless_architecture_is_refused_unread(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(" " * 5_000_001)
    with pytest.raises(ClassifierError, match="more than 5,000,000 characters"):
        load_legacy(path, DATA / "activity_w40.h5")


def test_an_architecture_whose_output_is_no_layer_with_units_is_refused(tmp_path):
    content = json.loads((DATA / "activity_w40.json").read_text())
    content["config"]["output_layers"] = [["nowhere", 0, 0]]
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ClassifierError, match="output 'nowhere' is no layer with a number of units"):
        load_legacy(path, DATA / "activity_w40.h5")
