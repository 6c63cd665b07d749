"""From a dandiset to a derived file: list, predict, validate and upload, against a loopback archive."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("dandi")
pytest.importorskip("remfile")
pytest.importorskip("tensorflow")

from archive import TOKEN, LoopbackArchive, default_archive
from output_builders import write_source
from pynwb import NWBHDF5IO
from pynwb.testing.mock.file import mock_NWBFile

from ndx_cinac.cli import main
from ndx_cinac.dandi import (
    DerivedOptions,
    Patience,
    StreamingOptions,
    find_assets,
    list_assets,
    open_asset,
    plan_upload,
    predict_asset,
)
from ndx_cinac.dandi.uploading import DANDI
from ndx_cinac.errors import ArchiveError, OutputError
from ndx_cinac.prediction import predict_activity
from ndx_cinac.testing.mock import mock_nwbfile_with_movie
from ndx_cinac.writing import read_predictions

PATH = "sub-mock/sub-mock_ses-mock_ophys.nwb"
DERIVED = "sub-mock/sub-mock_ses-mock_desc-cinac_ophys.nwb"
QUICK = DerivedOptions(validate=False, streaming=StreamingOptions(patience=Patience(2, 0.01, 0.01, 5)))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("files") / "movie.nwb", n_frames=300)


@pytest.fixture
def archive(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    """An archive with one asset that can be predicted; it is the default instance, and there is no token."""
    with default_archive(PATH, source, monkeypatch) as made:
        yield made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["dandi", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_listing_says_what_can_be_predicted_and_why_the_rest_cannot(
    archive: LoopbackArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.nwb"
    with NWBHDF5IO(empty, "w") as io:
        io.write(mock_NWBFile())
    archive.add("sub-a/sub-a_ophys.nwb", empty)
    archive.add("sub-b/sub-b_ecephys.nwb", empty, measured=("ElectricalSeries", "Units"))
    archive.add("sub-c/sub-c_behavior.nwb", empty, measured=("TwoPhotonSeries (2)", "SpatialSeries"))
    archive.add("README.md", empty)
    archive.reset()
    found = list(list_assets(find_assets("000001")))
    good = next(each for each in found if not each.reason)
    assert (good.asset.path, good.shape, good.rate, good.n_rois) == (PATH, (300, 40, 48), 10.0, 3)
    assert {each.asset.path: each.reason for each in found if each.reason} == {
        "README.md": "it is no NWB file",
        "sub-a/sub-a_ophys.nwb": "The file has no plane segmentation, so there are no ROIs to predict",
        "sub-b/sub-b_ecephys.nwb": "it holds no movie and no ROIs",
        "sub-c/sub-c_behavior.nwb": "it holds no ROIs",
    }
    opened = {line.split("/assets/")[1].split("/")[0] for line in archive.log if "/download/" in line}
    assert len(opened) == 2, "what the metadata rule out is not opened"
    status, out, _ = run(capsys, "list", "000001")
    assert status == 0
    assert all(
        word in out for word in (PATH, "300", "40 x 48", "10 Hz", "4 cannot be predicted", "it holds no")
    )
    status, out, _ = run(capsys, "list", "000001", "sub-mock/", "--json")
    (entry,) = json.loads(out)
    assert (entry["path"], entry["rate"], entry["n_rois"], entry["size"]) == (PATH, 10.0, 3, good.asset.size)


def test_an_asset_becomes_a_file_that_the_archive_accepts(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, tmp_path: Path
) -> None:
    derived = predict_asset("000001", tmp_path / "out", tiny_classifier, path=PATH)
    assert derived.path == tmp_path / "out" / DERIVED
    assert derived.ready
    assert (derived.dandiset, derived.in_dandiset) == ("000001", DERIVED)
    near = predict_activity(source, tiny_classifier)
    np.testing.assert_array_equal(derived.result.probabilities, near.probabilities)
    stored = read_predictions(derived.path)
    np.testing.assert_array_equal(stored.probabilities, near.probabilities)
    asset = derived.asset
    assert stored.source.path is None
    assert stored.source.digest == asset.digest
    for word in (asset.dandiset, asset.version, asset.asset_id, asset.path, asset.url):
        assert word in stored.source.dandi_asset
    assert b"Signature" not in derived.path.read_bytes()
    done = subprocess.run(
        [*DANDI, "validate", str(derived.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "No errors found" in done.stdout


def test_a_download_gives_the_same_file(
    archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path
) -> None:
    asset = find_assets("000001")[0]
    streamed = predict_asset(asset, tmp_path / "a", tiny_classifier, QUICK)
    options = DerivedOptions(validate=False, download_to=tmp_path / "copies")
    downloaded = predict_asset(asset, tmp_path / "b", tiny_classifier, options)
    np.testing.assert_array_equal(streamed.result.probabilities, downloaded.result.probabilities)
    stored = read_predictions(downloaded.path)
    assert stored.source.dandi_asset == read_predictions(streamed.path).source.dandi_asset
    assert stored.source.path is None, "where the copy lay is not told to the archive"
    assert (tmp_path / "copies" / PATH).stat().st_size == asset.size


def test_a_remote_asset_is_a_source_like_any_other(archive: LoopbackArchive, tiny_classifier: Path) -> None:
    with open_asset("000001", PATH) as opened:
        result = predict_activity(opened, tiny_classifier)
        assert result.n_frames == 300
        assert opened.nwbfile.subject.subject_id == "mock", "and stays open"


def test_what_the_subject_lacks_is_said_before_the_movie_is_read(
    archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path
) -> None:
    nwbfile = mock_nwbfile_with_movie(n_frames=300)
    nwbfile.subject.fields.update(sex=None, age=None)
    with NWBHDF5IO(tmp_path / "incomplete.nwb", "w") as io:
        io.write(nwbfile)
    archive.add("sub-mock/sub-mock_ses-2_ophys.nwb", tmp_path / "incomplete.nwb")
    asset = find_assets("000001", ["sub-mock/*ses-2*"])[0]
    with pytest.raises(OutputError, match=r"no sex; .*no age.*--subject-sex .*--subject-age") as caught:
        predict_asset(asset, tmp_path / "out", tiny_classifier, QUICK)
    assert asset.path in str(caught.value)
    assert archive.sent < asset.size / 2
    assert not (tmp_path / "out").exists()
    given = DerivedOptions(subject={"sex": "F", "age": "P9D"})
    assert predict_asset(asset, tmp_path / "out", tiny_classifier, given).ready


def test_the_command_predicts_and_prints_how_to_upload(
    archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("predict", "000001", "--to", out, "--classifier", tiny_classifier)
    status, said, err = run(capsys, *arguments)
    assert status == 0, err
    assert (out / DERIVED).is_file()
    assert "identifier: DANDI:000001" in (out / "dandiset.yaml").read_text()
    assert f"cd {out} && dandi upload -i {archive.url} {DERIVED}" in said
    assert "of its stored size), the rest for masks, tables and structure" in said
    assert not [line for line in archive.log if line.startswith(("POST", "PUT"))], (
        "nothing is uploaded unasked"
    )
    status, _, err = run(capsys, *arguments)
    assert status == 1
    assert "exists already" in err
    status, said, _ = run(capsys, "check", out / DERIVED)
    assert status == 0
    assert "pip install ndx-cinac" in said


def test_a_batch_goes_on_after_a_failure_and_does_not_repeat_what_is_done(
    archive: LoopbackArchive,
    source: Path,
    tiny_classifier: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "broken.nwb").write_bytes(b"nothing" * 1000)
    archive.add("sub-mock/sub-mock_ses-0_ophys.nwb", tmp_path / "broken.nwb")
    archive.add("sub-mock/notes.txt", tmp_path / "broken.nwb")
    monkeypatch.setattr("ndx_cinac.dandi.derived.check_ready", lambda *_, **__: [])
    arguments = ("predict", "000001", "--to", tmp_path / "out", "--classifier", tiny_classifier)
    status, said, err = run(capsys, *arguments)
    assert status == 1
    assert (tmp_path / "out" / DERIVED).is_file()
    assert "left out: sub-mock/notes.txt: it is no NWB file" in said
    assert "sub-mock_ses-0_ophys.nwb cannot be read as an NWB file" in err
    assert "1 of 2 assets were not predicted" in err
    archive.reset()
    status, said, _ = run(capsys, *arguments)
    assert f"left out: {PATH}: '{DERIVED}' is there already" in said
    assert archive.requests["storage"] <= 4


def test_two_assets_that_would_share_a_name_are_refused(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, tmp_path: Path, capsys: Any
) -> None:
    archive.add("sub-mock/sub-mock_ses-mock_behavior+ophys.nwb", source)
    status, _, err = run(capsys, "predict", "000001", "--to", tmp_path, "--classifier", tiny_classifier)
    assert status == 1
    assert f"would both become '{DERIVED}'" in err
    assert not list(tmp_path.iterdir())


def test_an_asset_that_was_named_and_cannot_be_predicted_is_an_error(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, tmp_path: Path, capsys: Any
) -> None:
    archive.add("notes.txt", source)
    arguments = ("--to", tmp_path, "--classifier", tiny_classifier)
    status, _, err = run(capsys, "predict", "000001", "notes.txt", *arguments)
    assert status == 1
    assert "Asset notes.txt cannot be predicted: it is no NWB file" in err


def test_a_network_that_fails_for_good_leaves_no_file(
    archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path
) -> None:
    asset = find_assets("000001")[0]
    archive.faults.answers["storage"] = [0, 0, 0] + [500] * 99
    with pytest.raises(ArchiveError, match="answered 500, 2 times in a row"):
        predict_asset(asset, tmp_path / "out", tiny_classifier, QUICK)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def copy(source: Path, archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path) -> Path:
    """A local copy of the dandiset with a derived file."""
    predict_asset(find_assets("000001")[0], tmp_path / "copy", tiny_classifier, QUICK)
    return tmp_path / "copy"


def test_an_upload_needs_a_token_and_says_where_it_goes(
    archive: LoopbackArchive, copy: Path, tmp_path: Path
) -> None:
    plan = plan_upload(copy, [DERIVED])
    assert "draft of dandiset 000001" in plan.to_text()
    assert DERIVED in plan.to_text()
    with pytest.raises(ArchiveError, match=rf"needs your token.*{archive.token_variable}"):
        plan.run()
    with pytest.raises(OutputError, match="is no local copy of a dandiset"):
        plan_upload(tmp_path, [DERIVED])
    with pytest.raises(OutputError, match=r"'none\.nwb' is no file in"):
        plan_upload(copy, ["none.nwb"])


def test_an_upload_that_the_client_gives_up_says_how_to_try_again(
    archive: LoopbackArchive, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(archive.token_variable, TOKEN)
    ran: list[Any] = []

    def give_up(command: Any, **options: Any) -> Any:
        ran.append((command, options["cwd"], options["env"]["DANDI_NO_ET"]))
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr("ndx_cinac.dandi.uploading.subprocess.run", give_up)
    plan = plan_upload(copy, [DERIVED])
    with pytest.raises(
        ArchiveError, match=r"dandi upload failed \(exit status 3\).*cd .* && dandi upload -i"
    ):
        plan.run()
    assert ran == [([*DANDI, "upload", "-i", archive.url, DERIVED], copy, "1")]
    assert not [line for line in archive.log if line.startswith(("POST", "PUT"))]


def test_an_upload_arrives_in_the_archive(
    archive: LoopbackArchive,
    tiny_classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command predicts and uploads with the real client; what arrived is read back by streaming."""
    monkeypatch.setenv(archive.token_variable, TOKEN)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # where the client writes its log
    archive.store = tmp_path
    out = tmp_path / "out"
    arguments = ("--to", out, "--classifier", tiny_classifier, "--upload", "--yes")
    assert main(["dandi", "predict", "000001", PATH, *map(str, arguments)]) == 0
    said = capfd.readouterr()
    assert "uploaded 1 file" in said.out
    assert "draft of dandiset 000001" in said.out
    assert TOKEN not in said.out + said.err
    (asset,) = find_assets("000001", [DERIVED])
    assert asset.size == (out / DERIVED).stat().st_size
    with open_asset(asset) as opened:
        there = opened.nwbfile.processing["cinac"]["ActivityPredictions"].data[:]
    np.testing.assert_array_equal(there, read_predictions(out / DERIVED).probabilities)
    posts = [line for line in archive.log if line.startswith(("POST", "PUT"))]
    assert [line for line in posts if "/assets/" in line]
    (started,) = [line for line in posts if line.startswith("POST /api/uploads/initialize/")]
    sent = json.loads(started.split(" ", 2)[2])
    assert (sent["contentSize"], sent["dandiset"]) == (asset.size, "000001")
    assert not any(TOKEN in line for line in archive.log)
    assert not any(TOKEN.encode() in log.read_bytes() for log in tmp_path.rglob("*.log"))


def test_an_embargoed_asset_is_predicted_and_its_token_told_to_nobody(
    archive: LoopbackArchive,
    tiny_classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in what is printed, with --debug, nor in any file, nor to the storage; and "no" uploads nothing."""
    archive.dandisets["000001"].embargoed = True
    archive.store = tmp_path
    monkeypatch.setenv(archive.token_variable, TOKEN)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: "no")
    arguments = ("--to", tmp_path / "out", "--classifier", tiny_classifier, "--upload", "--debug")
    assert main(["dandi", "predict", "000001", *map(str, arguments)]) == 0
    said = capfd.readouterr()
    assert "Nothing was uploaded" in said.out
    assert not [line for line in archive.log if line.startswith(("POST", "PUT"))]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {Path(DERIVED).name, "dandiset.yaml"}
    for text in (said.out.encode(), said.err.encode(), *(path.read_bytes() for path in files)):
        assert TOKEN.encode() not in text
        assert b"X-Amz-Signature" not in text
    assert not [line for line in archive.log if "/storage/" in line and "with a token" in line]


def test_what_arrived_damaged_is_noticed(
    archive: LoopbackArchive, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ndx_cinac.dandi.uploading import Upload

    wrong = tmp_path / "wrong.nwb"
    content = bytearray((copy / DERIVED).read_bytes())
    content[-1] ^= 1
    wrong.write_bytes(content)
    archive.add(DERIVED, wrong)
    plan: Upload = plan_upload(copy, [DERIVED])
    with pytest.raises(ArchiveError, match="in the archive is not the file that was to be uploaded"):
        plan._check_arrived()


def test_an_upload_is_asked_for_and_agreed_to(
    archive: LoopbackArchive, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ndx_cinac.cli import dandi_predict as verbs
    from ndx_cinac.dandi.uploading import Upload

    ran: list[Upload] = []
    monkeypatch.setattr(Upload, "run", lambda plan: ran.append(plan))
    done = [SimpleNamespace(ready=True, in_dandiset=DERIVED, asset=find_assets("000001")[0])]
    options = SimpleNamespace(to=str(copy), upload=True, yes=False, quiet=False, json=False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(OutputError, match=r"Nobody can be asked.*--yes"):
        verbs._upload_or_say_how(options, done)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    for answer, count in (("n", 0), ("", 0), ("y", 1)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        verbs._upload_or_say_how(options, done)
        assert len(ran) == count
    options.yes = True
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asked"))
    verbs._upload_or_say_how(options, done)
    assert len(ran) == 2
    assert "draft of dandiset 000001" in capsys.readouterr().out


def test_a_file_that_is_not_ready_is_not_uploaded(
    archive: LoopbackArchive, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(archive.token_variable, TOKEN)
    wrong = (copy / DERIVED).rename(copy / "sub-mock/sub-other_ophys.nwb")
    with pytest.raises(OutputError, match="is not ready for the archive"):
        plan_upload(copy, [wrong]).run()
    assert not [line for line in archive.log if line.startswith("POST")]


def test_yes_without_upload_is_refused(
    archive: LoopbackArchive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "predict", "000001", "--to", tmp_path, "--yes")
    assert status == 1
    assert "--yes says to upload" in err


def test_the_example_runs_against_an_archive(
    archive: LoopbackArchive,
    tiny_classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = Path(__file__).parents[2] / "examples/dandi_workflow.py"
    arguments = [str(example), "000001", "--to", str(tmp_path), "--classifier", str(tiny_classifier)]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(example), run_name="__main__")
    assert (tmp_path / DERIVED).is_file()
    assert "dandi upload" in capsys.readouterr().out
