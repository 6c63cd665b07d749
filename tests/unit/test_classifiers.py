"""Classifiers as folders and zips: found by name, checked, loaded safely, saved whole or not at all."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ndx_cinac.classifiers import (
    ModelCard,
    check_fit,
    keras_files,
    list_classifiers,
    load_classifier,
    save_classifier,
)
from ndx_cinac.classifiers import catalogue as classifiers
from ndx_cinac.errors import ClassifierError, OutputError
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.rois import Rois

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

from ndx_cinac.networks import build_activity_network, keras, with_probability  # noqa: E402

CARD = ModelCard(
    name="tiny",
    version="0.1",
    task="activity",
    description="An untrained network for tests.",
    definition="active",
    inputs={"kind": "traces", "channels": ["a", "b"], "block": 64, "halo": 7},
    frame_rates=(5.0, 30.0),
    pixel_sizes=(0.5, 2.0),
    roi_diameters=(6.0, 25.0),
)
INPUT = np.random.default_rng(0).normal(size=(2, 30, 2)).astype(np.float32)


def tiny_network():
    return with_probability(build_activity_network(2, width=4, dilations=(1, 2), head=3))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("classifiers") / "tiny"
    save_classifier(tiny_network(), CARD, folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A classifier that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


def zipped(folder: Path, top: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"{top}{file.name}")
    return path


def rewritten(folder: Path, change) -> Path:
    """Let `change` alter the network file's members (names and bytes), and set the card's hash anew."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    card = replace(classifiers.read_card(folder), sha256=classifiers.sha256_of(path))
    (folder / "card.json").write_text(card.to_json())
    return folder


def test_saved_classifier_gives_the_same_numbers_when_loaded(tmp_path):
    network = tiny_network()
    card = save_classifier(network, CARD, tmp_path / "new" / "tiny")
    loaded = load_classifier(tmp_path / "new" / "tiny")
    assert loaded.card == card
    np.testing.assert_allclose(loaded.network()(INPUT), network(INPUT), atol=1e-6)
    assert loaded.network() is loaded.network()


def test_card_is_filled_with_hash_and_versions(saved):
    card = load_classifier(saved).card
    assert card.sha256 == classifiers.sha256_of(saved / "model.keras")
    assert set(card.versions) == {"keras", "tensorflow", "ndx-cinac"}
    assert (saved / "card.json").read_text().endswith("}\n")


def test_info_holds_what_a_file_says_of_the_classifier(saved):
    classifier = load_classifier(saved)
    info = classifier.info
    assert (info.name, info.task, info.version) == ("tiny", "activity", "0.1")
    assert ModelCard.from_json(info.model_card, where="info") == classifier.card
    assert info.sha256.startswith(classifier.fingerprint)
    assert len(classifier.fingerprint) == 12


@pytest.mark.parametrize("top", ["", "tiny/"])
def test_zip_of_the_folder_serves_as_well_and_leaves_nothing_behind(folder, top, monkeypatch, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    from_folder, from_zip = load_classifier(folder), load_classifier(zipped(folder, top))
    assert from_zip.card == from_folder.card
    np.testing.assert_array_equal(from_zip.network()(INPUT), from_folder.network()(INPUT))
    assert list(scratch.iterdir()) == []


def test_loaded_classifier_is_taken_as_it_is(saved):
    classifier = load_classifier(saved)
    assert load_classifier(classifier) is classifier


def test_bundled_classifiers_are_listed_and_loaded_by_name(saved, monkeypatch, tmp_path):
    monkeypatch.setattr(classifiers, "_bundled", lambda: {"tiny": saved})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()  # does not hide the bundled one
    assert [card.name for card in list_classifiers()] == ["tiny"]
    assert load_classifier("tiny").folder == saved


def test_every_bundled_classifier_loads_and_is_below_two_megabytes():
    for card in list_classifiers():
        classifier = load_classifier(card.name)
        assert classifier.card == card
        assert sum(file.stat().st_size for file in classifier.folder.iterdir()) < 2_000_000
        classifier.network()


def test_the_version_of_activity_sim_is_that_of_these_weights_alone():
    found = load_classifier("activity-sim")
    assert (found.card.version, found.fingerprint) == ("2.5", "68542bbb5d0a"), "change both"


def test_unknown_name_lists_the_known_ones(monkeypatch):
    monkeypatch.setattr(classifiers, "_bundled", lambda: {"one": Path(), "two": Path()})
    with pytest.raises(ClassifierError, match=r"There is no classifier 'three'\. .*come along: one, two\."):
        load_classifier("three")


def test_network_without_card_is_sent_back_to_its_folder(saved):
    with pytest.raises(ClassifierError, match=r"is a network without its card\. Give the folder"):
        load_classifier(saved / "model.keras")


def test_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("{}")
    with pytest.raises(ClassifierError, match=r"neither a folder nor a zip archive\. A classifier of Deep"):
        load_classifier(path)


@pytest.mark.parametrize("name", ["card.json", "model.keras"])
def test_missing_part_is_named_in_folder_and_zip(folder, name):
    (folder / name).unlink()
    with pytest.raises(ClassifierError, match=f"A classifier has one {name}"):
        load_classifier(folder)
    with pytest.raises(ClassifierError, match=f"A classifier has one {name}"):
        load_classifier(zipped(folder))


def test_weights_other_than_the_cards_are_refused_with_both_hashes(folder):
    card = replace(classifiers.read_card(folder), sha256="f" * 64)
    (folder / "card.json").write_text(card.to_json())
    found = classifiers.sha256_of(folder / "model.keras")
    with pytest.raises(ClassifierError, match=f"SHA-256 {found[:12]}, the card says ffffffffffff .*tiny"):
        load_classifier(folder)


def test_card_without_hash_is_refused(folder):
    (folder / "card.json").write_text(replace(CARD, sha256="").to_json())
    with pytest.raises(ClassifierError, match="the card says nothing"):
        load_classifier(folder)


def test_card_that_is_no_text_is_refused(folder):
    (folder / "card.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ClassifierError, match=r"not UTF-8 text: .*card\.json"):
        load_classifier(folder)


def test_zip_with_an_oversized_card_is_refused_unread(folder):
    (folder / "card.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(ClassifierError, match=r"'card\.json' has 1,000,001 bytes, more than 1,000,000"):
        load_classifier(zipped(folder))


def test_damaged_zip_is_refused(folder):
    path = zipped(folder)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("card.json").header_offset + 40
    data[start : start + 20] = b"?" * 20
    path.write_bytes(data)
    with pytest.raises(ClassifierError, match=r"card\.json cannot be taken from the zip archive"):
        load_classifier(path)


def layer(index: int, **changes):
    """Return a change of the members that alters one layer's configuration."""

    def change(members):
        config = json.loads(members["config.json"])
        config["config"]["layers"][index].update(changes)
        members["config.json"] = json.dumps(config).encode()

    return change


UNSAFE = {
    "traversal": (lambda m: m.update({"../evil.py": b""}), r"does not belong there: '\.\./evil\.py'"),
    "assets": (lambda m: m.update({"assets/words.txt": b""}), r"does not belong there: 'assets/words\.txt'"),
    "lacking": (lambda m: m.pop("model.weights.h5"), r"lacks its member 'model\.weights\.h5'"),
    "no json": (lambda m: m.update({"config.json": b"{"}), r"config\.json is not JSON"),
    "lambda": (layer(1, class_name="Lambda"), "has a Lambda called 'first', which could run code"),
    "saved model": (layer(1, class_name="TFSMLayer"), "has a TFSMLayer called 'first'"),
    "pickle": (layer(1, class_name="TorchModuleWrapper"), "has a TorchModuleWrapper"),
    "registered": (layer(1, registered_name="Mine>Conv"), "has a custom object Mine>Conv called 'first'"),
    "module": (layer(1, module="os", class_name="system"), r"has a custom object os\.system called 'first'"),
    "inner module": (layer(1, module="keras.src.utils.files"), "has a custom object keras.src.utils.files"),
}


@pytest.mark.parametrize(("change", "message"), UNSAFE.values(), ids=UNSAFE)
def test_unsafe_network_is_refused_before_keras_opens_it(folder, change, message, monkeypatch):
    monkeypatch.setattr(keras.saving, "load_model", lambda *a, **k: pytest.fail("opened"))
    with pytest.raises(ClassifierError, match=f"{message}.*tiny"):
        load_classifier(rewritten(folder, change)).network()


def test_lambda_function_hidden_in_a_setting_is_refused(folder):
    def change(members):
        config = json.loads(members["config.json"])
        hidden = {"class_name": "__lambda__", "config": {"value": "x"}}
        config["config"]["layers"][1]["config"]["activation"] = hidden
        members["config.json"] = json.dumps(config).encode()

    with pytest.raises(ClassifierError, match="has a lambda, which could run code"):
        load_classifier(rewritten(folder, change))


def test_own_lambda_network_can_not_even_be_saved(tmp_path):
    inputs = keras.layers.Input((None, 2))
    outputs = keras.layers.Lambda(lambda x: x[..., 0], output_shape=(None,))(inputs)
    with pytest.raises(ClassifierError, match="has a Lambda"):
        save_classifier(keras.Model(inputs, outputs), CARD, tmp_path / "tiny")
    assert list(tmp_path.iterdir()) == []


def test_member_that_is_a_link_is_refused(folder):
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16 if name == "config.json" else 0
            archive.writestr(info, data)
    with pytest.raises(ClassifierError, match=r"'config\.json' is a link"):
        load_classifier(folder)


def test_encrypted_member_is_refused(folder):
    path = folder / "model.keras"
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ClassifierError, match="is encrypted"):
        load_classifier(folder)


def test_oversized_member_is_refused_unread(folder, monkeypatch):
    monkeypatch.setitem(keras_files.LARGEST_MEMBERS, "model.weights.h5", 999)
    with pytest.raises(ClassifierError, match=r"'model\.weights\.h5' has [\d,]+ bytes, more than 999"):
        load_classifier(folder)


def test_network_file_that_is_no_archive_is_refused(folder):
    (folder / "model.keras").write_bytes(b"HDF")
    with pytest.raises(ClassifierError, match=r"The network file cannot be opened: .*model\.keras"):
        load_classifier(folder)


def test_classifier_that_exists_is_replaced_only_when_asked(folder):
    before = (folder / "model.keras").read_bytes()
    with pytest.raises(OutputError, match=r"The classifier '.*tiny' exists\. .*overwrite it"):
        save_classifier(tiny_network(), CARD, folder)
    assert (folder / "model.keras").read_bytes() == before
    save_classifier(tiny_network(), replace(CARD, version="0.2"), folder, overwrite=True)
    assert load_classifier(folder).card.version == "0.2"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_folder_that_is_no_classifier_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="is no classifier; it is left alone"):
        save_classifier(tiny_network(), CARD, tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_failed_save_leaves_the_old_classifier_whole_and_nothing_else(folder):
    with pytest.raises(ClassifierError, match="'threshold' is 2"):
        save_classifier(tiny_network(), replace(CARD, threshold=2), folder, overwrite=True)
    assert load_classifier(folder).card.version == "0.1"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"No classifier can be written to '.*tiny'"):
        save_classifier(tiny_network(), CARD, tmp_path / "file" / "tiny")


def recording(rate=10.0, pixel_size=1.0, sides=(9, 9), n_frames=50) -> CinacRecording:
    squares = [np.argwhere(np.ones((side, side))) for side in sides]
    return CinacRecording(
        "test",
        movie=ArrayMovie(np.zeros((n_frames, 40, 40), np.uint8)),
        rois=Rois.from_pixels(squares, (40, 40)),
        times=Times(n_frames, rate=rate),
        pixel_size=pixel_size,
    )


def test_recording_within_all_ranges_fits():
    assert check_fit(CARD, recording()) == []


def test_unknown_rate_and_pixel_size_are_not_judged():
    assert check_fit(CARD, recording(rate=0.0, pixel_size=None)) == []


def test_card_without_ranges_fits_everything():
    card = replace(CARD, frame_rates=None, pixel_sizes=None, roi_diameters=None, inputs={"kind": "traces"})
    assert check_fit(card, recording(rate=1000, pixel_size=99, sides=(1,), n_frames=1)) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"rate": 60.0},
            "The frame rate is 60 Hz; classifier 'tiny' was trained on 5 to 30 Hz",
        ),
        (
            {"pixel_size": 0.1},
            "The pixel size is 0.1 micrometres; classifier 'tiny' was trained on 0.5 to 2 micrometres",
        ),
        (
            {"sides": (2, 9, 30)},
            "2 of 3 ROIs have diameters of 2.3 to 33.9 pixels; "
            "classifier 'tiny' was trained on 6 to 25 pixels",
        ),
        (
            {"n_frames": 14},
            "The movie has 14 frames; classifier 'tiny' looks at 15 at a time, "
            "so it decides without its full context",
        ),
    ],
    ids=["rate", "pixel", "diameter", "frames"],
)
def test_mismatch_is_a_sentence_with_both_numbers(changes, sentence):
    assert check_fit(CARD, recording(**changes)) == [sentence]


def test_few_odd_rois_are_not_worth_a_word():
    assert check_fit(CARD, recording(sides=(2, *[9] * 10))) == []


@pytest.mark.tensorflow
def test_a_network_is_loaded_once_and_a_changed_file_is_refused(tiny_classifier):
    folder = Path(tiny_classifier)
    assert load_classifier(folder).network() is load_classifier(folder).network()
    classifier = replace(load_classifier(folder), card=replace(CARD, sha256="0" * 64))
    with pytest.raises(ClassifierError, match="has changed since its card was read"):
        classifier.network()
