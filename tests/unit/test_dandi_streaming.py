"""Reading from a DANDI archive: the real client finds assets, and bytes come whatever the network does."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("dandi")
pytest.importorskip("remfile")

import dandi.dandiapi
import h5py
from archive import TOKEN, LoopbackArchive
from pynwb import NWBHDF5IO

from ndx_cinac.dandi import (
    Archive,
    DandiAsset,
    Patience,
    StreamingOptions,
    find_assets,
    open_asset,
)
from ndx_cinac.dandi.transfer import Transfer
from ndx_cinac.errors import ArchiveError, ConfigError, OutputError, ReadingError
from ndx_cinac.reading import read_recording
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie

PATH = "sub-mock/sub-mock_ses-mock_ophys.nwb"
QUICK = Patience(attempts=4, first_wait=0.01, longest_wait=0.05, timeout=5)
OPTIONS = StreamingOptions(patience=QUICK, request_bytes=2**17, ahead_bytes=2**19)


@pytest.fixture(scope="module")
def movie_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose movie has small compressed chunks and is most of it."""
    path = tmp_path_factory.mktemp("files") / "movie.nwb"
    nwbfile = mock_nwbfile_with_movie(n_rois=4, n_frames=1200, shape=(64, 72))
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    with h5py.File(path, "r+") as file:
        group = file["acquisition/TwoPhotonSeries"]
        data, attributes = group["data"][:], dict(group["data"].attrs)
        del group["data"]
        made = group.create_dataset("data", data=data, chunks=(10, 64, 72), compression="gzip", shuffle=True)
        made.attrs.update(attributes)
    return path


@pytest.fixture
def archive(movie_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    """A fresh archive with that file; the client asks it twice at most, and knows no token."""
    monkeypatch.setattr(dandi.dandiapi, "REQUEST_RETRIES", 2)
    monkeypatch.setenv("DANDI_NO_ET", "1")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with LoopbackArchive() as made:
        made.add(PATH, movie_file)
        yield made


def asset_of(archive: LoopbackArchive) -> DandiAsset:
    return find_assets("000001", instance=archive.url)[0]


def test_assets_are_found_by_dandiset_path_folder_pattern_and_address(
    archive: LoopbackArchive, movie_file: Path
) -> None:
    other = archive.add("sub-mock2/sub-mock2_ophys.nwb", movie_file)
    archive.add("sub-mock/sub-mock_ophys.nwb", movie_file, version="0.260102.0304")

    def paths(*target: str, **options: str) -> list[str]:
        return [each.path for each in find_assets(target[0], target[1:], **options)]

    here = {"instance": archive.url}
    assert paths("000001/draft", **here) == [PATH, other.path]
    assert paths("000001", version="draft", **here) == [PATH, other.path]
    assert paths("000001", **here) == ["sub-mock/sub-mock_ophys.nwb"], "the published version comes first"
    assert paths("000001/draft", PATH, **here) == [PATH]
    assert paths("000001/draft", "sub-mock/", **here) == paths("000001/draft", "sub-mock", **here) == [PATH]
    assert paths("000001/draft", "*/*ses*", **here) == [PATH]
    api = f"{archive.url}/api/dandisets/000001/versions/draft/assets"
    assert paths(f"{archive.url}/dandiset/000001/draft") == [PATH, other.path]
    assert paths(f"{archive.url}/dandiset/000001/draft/files?location=sub-mock2") == [other.path]
    assert paths(f"{api}/{other.identifier}/") == [other.path]
    assert paths(f"{api}/{other.identifier}/download/") == [other.path]
    assert paths(f"{archive.url}/api/assets/{other.identifier}/") == [other.path]


def test_an_instance_is_named_by_the_variable_of_the_client(
    archive: LoopbackArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANDI_INSTANCE", archive.url)
    assert [each.path for each in find_assets("000001")] == [PATH]


def test_many_assets_come_page_by_page_with_their_metadata(
    movie_file: Path, archive: LoopbackArchive
) -> None:
    archive.page_size = 3
    for number in range(7):
        archive.add(f"sub-{number}/sub-{number}_ophys.nwb", movie_file, measured=("PlaneSegmentation",))
    archive.reset()
    found = find_assets("000001", instance=archive.url)
    assert len(found) == 8
    assert found[0].variables == ("PlaneSegmentation",)
    assert found[-1].digest.startswith("sha2-256:")
    assert archive.requests["api"] <= 1 + 3, "one for the dandiset, one for each page, none for an asset"


def test_an_unknown_archive_is_named(archive: LoopbackArchive) -> None:
    with pytest.raises(ArchiveError, match="knows no archive 'nowhere'"):
        Archive("nowhere")
    with pytest.raises(ArchiveError, match="does not answer as a DANDI archive"):
        Archive("http://127.0.0.1:1")


def test_what_is_not_there_is_named(archive: LoopbackArchive) -> None:
    with pytest.raises(ArchiveError, match="Dandiset 000009 is not in the archive"):
        find_assets("000009", instance=archive.url)
    with pytest.raises(ArchiveError, match=r"version 0\.1\.2 is not in the archive"):
        find_assets("000001/0.1.2", instance=archive.url)
    with pytest.raises(ArchiveError, match=r"has no asset 'sub-none.nwb'"):
        find_assets("000001", ["sub-none.nwb"], instance=archive.url)
    with pytest.raises(ArchiveError, match="neither a dandiset nor an address"):
        find_assets("sub-mock")
    with pytest.raises(ArchiveError, match="in a DANDI archive that answers"):
        find_assets("http://127.0.0.1:1/dandiset/000001")
    archive.add("second.nwb", archive.dandisets["000001"].versions["draft"][0].file)
    with pytest.raises(ArchiveError, match="means 2 assets, not one"):
        open_asset("000001", instance=archive.url)


def test_an_embargoed_dandiset_asks_for_the_variable_and_takes_its_token(
    archive: LoopbackArchive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive.dandisets["000001"].embargoed = True
    with pytest.raises(ArchiveError, match=rf"Set the variable {archive.token_variable} to your token"):
        asset_of(archive)
    monkeypatch.setenv(archive.token_variable, "wrong-secret")
    with pytest.raises(ArchiveError, match="does not take your token") as caught:
        asset_of(archive)
    assert "wrong-secret" not in str(caught.value)
    monkeypatch.setenv(archive.token_variable, TOKEN)
    asset = asset_of(archive)
    with open_asset(asset, options=OPTIONS) as opened:
        assert opened.nwbfile.identifier == "mock-0"
    assert TOKEN not in caplog.text + repr(asset) + str(asset.provenance())
    assert not [line for line in archive.log if "/storage/" in line and "with a token" in line]


def test_a_token_of_another_archive_is_not_sent(
    archive: LoopbackArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.dandisets["000001"].embargoed = True
    monkeypatch.setenv("DANDI_API_KEY", TOKEN)
    with pytest.raises(ArchiveError, match="Set the variable 127"):
        asset_of(archive)
    assert not [line for line in archive.log if "with a token" in line]


@pytest.mark.parametrize("name", ["dandi", "dandi-sandbox"])
def test_a_known_archive_has_its_name_and_its_own_variable(
    archive: LoopbackArchive, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The production archive, its sandbox: here as the client knows them, at another address."""
    from dandi.consts import DandiInstance, known_instances

    monkeypatch.setitem(known_instances, name, DandiInstance(name, archive.url, f"{archive.url}/api"))
    archive.dandisets["000001"].embargoed = True
    variable = {"dandi": "DANDI_API_KEY", "dandi-sandbox": "DANDI_SANDBOX_API_KEY"}[name]
    monkeypatch.delenv("DANDI_INSTANCE", raising=False)
    given = {} if name == "dandi" else {"instance": name}
    with pytest.raises(ArchiveError, match=f"Set the variable {variable} to your token of this archive"):
        find_assets("000001", **given)
    monkeypatch.setenv(variable, TOKEN)
    (asset,) = find_assets("000001", **given)
    assert asset.instance == asset.archive.option == name


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_what_was_answered(archive: LoopbackArchive, status: int) -> None:
    archive.faults.answers["api"] = [status] * 9
    with pytest.raises(ArchiveError, match=rf"answered {status}\. Set the variable 127"):
        asset_of(archive)


def test_a_server_that_fails_is_named_with_its_answer(archive: LoopbackArchive) -> None:
    archive.faults.answers["api"] = [500] * 20
    with pytest.raises(ArchiveError, match="answered 500"):
        asset_of(archive)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_streamed_movie_is_the_stored_one(
    archive: LoopbackArchive, movie_file: Path, tmp_path: Path, chunked: bool
) -> None:
    if not chunked:
        movie_file = tmp_path / "contiguous.nwb"
        with NWBHDF5IO(movie_file, "w") as io:
            io.write(mock_nwbfile_with_movie(n_frames=300, layout=MockLayout(stored_traces=True)))
        archive.dandisets["000001"].versions["draft"][0].file = movie_file
    with (
        open_asset(asset_of(archive), options=OPTIONS) as opened,
        read_recording(opened) as far,
        read_recording(movie_file) as near,
    ):
        movie, stored = far.require_movie(), near.require_movie()
        assert movie.shape == stored.shape
        assert movie.dtype == stored.dtype
        for start, stop in ((0, 8), (100, 108), (290, 300), (0, 45), (45, 90), (90, 300), (7, 9)):
            np.testing.assert_array_equal(movie.read(start, stop), stored.read(start, stop))
        assert far.axes == near.axes
        np.testing.assert_array_equal(far.require_rois().n_pixels, near.require_rois().n_pixels)


def read_all(asset: DandiAsset, options: StreamingOptions = OPTIONS, step: int = 64) -> tuple:
    """Sample a movie, then pass over it; return its frames, and the asset's traffic and stored bytes."""
    with open_asset(asset, options=options) as opened, read_recording(opened) as recording:
        movie = recording.require_movie()
        for start in range(0, movie.n_frames - 8, 40):
            movie.read(start, start + 8)
        frames = [movie.read(a, min(a + step, movie.n_frames)) for a in range(0, movie.n_frames, step)]
        return np.concatenate(frames), opened.traffic, opened.movie_bytes


def stored_frames(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["acquisition/TwoPhotonSeries/data"][:]


def test_each_chunk_is_fetched_once_sampling_included(archive: LoopbackArchive, movie_file: Path) -> None:
    frames, traffic, stored = read_all(asset_of(archive))
    np.testing.assert_array_equal(frames, stored_frames(movie_file))
    assert archive.sent == traffic.bytes
    assert traffic.requests == archive.requests["storage"] + archive.requests["download"]
    assert archive.requests["download"] == 1, "one address serves all connections"
    with h5py.File(movie_file) as file:
        chunks = [file["acquisition/TwoPhotonSeries/data"].id.get_chunk_info(i) for i in range(120)]
    fetched = np.zeros(movie_file.stat().st_size, np.int64)
    for first, last in archive.ranges:
        fetched[first : last + 1] += 1
    often = [int(fetched[c.byte_offset : c.byte_offset + c.size].max()) for c in chunks]
    assert min(often) >= 1
    assert np.mean(np.array(often) == 1) > 0.9, "the others share a page with the file's structure"
    assert traffic.bytes < 1.25 * stored


def test_without_room_for_a_cache_numbers_are_the_same(archive: LoopbackArchive, movie_file: Path) -> None:
    options = StreamingOptions(patience=QUICK, request_bytes=2**16, ahead_bytes=2**17, cache_bytes=0)
    frames, traffic, stored = read_all(asset_of(archive), options, step=33)
    np.testing.assert_array_equal(frames, stored_frames(movie_file))
    assert traffic.bytes < 1.6 * stored


def test_chunks_are_fetched_ahead_while_the_caller_works(archive: LoopbackArchive) -> None:
    with open_asset(asset_of(archive), options=OPTIONS) as opened, read_recording(opened) as recording:
        movie = recording.require_movie()
        movie.read(0, 20)
        movie.read(20, 40)
        until = time.monotonic() + 5
        while archive.requests["storage"] and time.monotonic() < until:
            before = archive.sent
            time.sleep(0.1)
            if archive.sent == before:
                break
        before = archive.requests["storage"]
        movie.read(40, 60)
        fetched_now = archive.ranges[before:]
        assert sum(last - first + 1 for first, last in fetched_now) <= OPTIONS.ahead_bytes
        held = sum(int(movie._chunks.size[n]) for n in movie._ahead)
        assert 0 < held <= OPTIONS.ahead_bytes


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("drops", 5),
        ("answers", {"storage": [500, 503, 0, 502, 429]}),
        ("answers", {"download": [500, 502]}),
        ("expire_requests", 2),
    ],
)
def test_faults_that_pass_change_nothing(
    archive: LoopbackArchive, movie_file: Path, fault: str, value: object
) -> None:
    asset = asset_of(archive)
    setattr(archive.faults, fault, value)
    frames, traffic, _ = read_all(asset)
    np.testing.assert_array_equal(frames, stored_frames(movie_file))
    assert traffic.failures, "the fault was met"


def test_an_address_that_expires_in_mid_run_is_renewed(archive: LoopbackArchive, movie_file: Path) -> None:
    with open_asset(asset_of(archive), options=OPTIONS) as opened, read_recording(opened) as recording:
        movie = recording.require_movie()
        frames = [movie.read(0, 300)]
        archive.expire()
        frames += [movie.read(300, 700), movie.read(700, 1200)]
        assert any("refused (403)" in each for each in opened.traffic.failures)
    np.testing.assert_array_equal(np.concatenate(frames), stored_frames(movie_file))


def test_a_dropped_connection_is_continued_where_it_broke(archive: LoopbackArchive, movie_file: Path) -> None:
    archive.faults.drops, archive.faults.drop_after = 3, 100_000
    transfer = Transfer(asset_of(archive), QUICK)
    content = transfer.fetch(0, 400_000)
    transfer.close()
    assert content == movie_file.read_bytes()[:400_000]
    assert archive.sent < 400_000 + 3 * 2**15, "what came before the connection broke was not sent again"


def test_a_storage_that_does_not_answer_is_asked_again(archive: LoopbackArchive, movie_file: Path) -> None:
    archive.faults.stalls, archive.faults.stall_seconds = 1, 1.0
    transfer = Transfer(asset_of(archive), Patience(attempts=3, first_wait=0.01, timeout=0.3))
    assert transfer.fetch(10, 1000) == movie_file.read_bytes()[10:1000]
    assert transfer.traffic.failures == ["ReadTimeout"]
    transfer.close()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"storage": [500] * 99}, r"cannot be read: the storage answered 500, 4 times in a row"),
        ({"storage": [403] * 99}, r"is not for everybody.*Set the variable 127.0.0.1:\d+_API_KEY"),
        ({"storage": [404]}, rf"Asset {PATH} is not in the archive .* any more"),
        ({"download": [404]}, rf"Asset {PATH} is not in the archive .* any more"),
        ({"download": [401] * 9}, r"is not for everybody.*answered 401.*Set the variable"),
        ({"download": [500] * 99}, r"the archive answered 500 in place of an address, 4 times in a row"),
    ],
)
def test_faults_that_stay_end_in_one_sentence(archive: LoopbackArchive, answers: dict, message: str) -> None:
    asset = asset_of(archive)
    archive.faults.answers = answers
    with pytest.raises(ArchiveError, match=message):
        open_asset(asset, options=OPTIONS)


def test_a_fault_that_stays_in_mid_movie_ends_in_one_sentence(archive: LoopbackArchive) -> None:
    with open_asset(asset_of(archive), options=OPTIONS) as opened, read_recording(opened) as recording:
        movie = recording.require_movie()
        movie.read(0, 20)
        archive.faults.answers = {"storage": [503] * 99}
        with pytest.raises(ArchiveError, match="answered 503, 4 times in a row"):
            movie.read(20, 1200)
        archive.faults.answers = {}
        assert movie.read(400, 420).shape == (20, 64, 72), "and goes on when the network is back"


def test_a_storage_without_ranges_is_refused(archive: LoopbackArchive) -> None:
    archive.faults.ranges = False
    transfer = Transfer(asset_of(archive), QUICK)
    with pytest.raises(ArchiveError, match="does not send ranges"):
        transfer.fetch(1000, 2000)
    transfer.close()


def test_what_is_no_nwb_file_is_named(archive: LoopbackArchive, tmp_path: Path) -> None:
    (tmp_path / "a.nwb").write_bytes(b"no HDF5" * 100)
    archive.add("a.nwb", tmp_path / "a.nwb")
    archive.add("a.tif", tmp_path / "a.nwb")
    with pytest.raises(ReadingError, match=r"Asset a.nwb cannot be read as an NWB file"):
        open_asset("000001", "a.nwb", instance=archive.url)
    with pytest.raises(ReadingError, match=r"Asset a.tif is no NWB file"):
        open_asset("000001", "a.tif", instance=archive.url)


def test_a_download_is_continued_verified_and_not_repeated(
    archive: LoopbackArchive, movie_file: Path, tmp_path: Path
) -> None:
    asset = asset_of(archive)
    archive.faults.drops, archive.faults.drop_after = 1, 300_000
    with pytest.raises(ArchiveError, match=r"cannot be read: .*, 1 times in a row"):
        open_asset(asset, download_to=tmp_path, options=StreamingOptions(patience=Patience(attempts=1)))
    (part,) = (tmp_path / "sub-mock").iterdir()
    have = part.stat().st_size
    assert 0 < have <= 300_000
    archive.reset()
    with open_asset(asset, download_to=tmp_path) as opened:
        assert opened.downloaded == tmp_path / PATH
        assert opened.downloaded.read_bytes() == movie_file.read_bytes()
        assert opened.traffic.bytes == asset.size - have
        assert opened.nwbfile.identifier == "mock-0"
    archive.reset()
    with open_asset(asset, download_to=tmp_path) as opened:
        assert opened.traffic.requests == 0
    assert archive.sent == 0


def test_a_download_with_another_digest_is_deleted(
    archive: LoopbackArchive, movie_file: Path, tmp_path: Path
) -> None:
    asset = asset_of(archive)
    wrong = bytearray(movie_file.read_bytes())
    wrong[5000] ^= 1
    (tmp_path / "wrong.nwb").write_bytes(wrong)
    archive.dandisets["000001"].versions["draft"][0].file = tmp_path / "wrong.nwb"
    with pytest.raises(ArchiveError, match="does not have its digest sha2-256"):
        open_asset(asset, download_to=tmp_path / "copy")
    assert not list((tmp_path / "copy/sub-mock").iterdir())


def test_a_file_in_the_way_of_a_download_stays(archive: LoopbackArchive, tmp_path: Path) -> None:
    (tmp_path / "sub-mock").mkdir()
    (tmp_path / PATH).write_text("mine")
    with pytest.raises(OutputError, match="is not the asset that is meant"):
        open_asset(asset_of(archive), download_to=tmp_path)
    assert (tmp_path / PATH).read_text() == "mine"


def test_a_path_that_leads_out_of_the_folder_is_refused(archive: LoopbackArchive, tmp_path: Path) -> None:
    archive.dandisets["000001"].versions["draft"][0].path = "../outside.nwb"
    with pytest.raises(ArchiveError, match="leads out of the folder"):
        open_asset(asset_of(archive), download_to=tmp_path / "in")


def test_patience_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be had"):
        Patience(attempts=0)


def test_dropping_remote_files_under_the_garbage_collector_ends_and_leaves_no_thread(
    archive: LoopbackArchive,
) -> None:
    asset = asset_of(archive)
    before = set(threading.enumerate())
    done = threading.Event()

    def open_and_drop() -> None:
        for number in range(8):
            opened = open_asset(asset, options=OPTIONS)
            movie = read_recording(opened).require_movie()
            for start in range(0, 120, 20):
                movie.read(start, start + 20)
            loop = [opened, movie]
            loop.append(loop)  # only the collector frees it, in whichever thread it runs
            if number % 4 == 0:
                opened.close()
            del opened, movie, loop
        done.set()

    threshold = gc.get_threshold()
    gc.set_threshold(50, 2, 2)
    try:
        worker = threading.Thread(target=open_and_drop, daemon=True)
        worker.start()
        worker.join(240)
    finally:
        gc.set_threshold(*threshold)
    assert done.is_set(), "a remote file waits for ever"
    gc.collect()
    until = time.monotonic() + 30
    while _ours(before) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _ours(before)


def _ours(before: set[threading.Thread]) -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t not in before and t.name.startswith("ndx-cinac")]


def test_nothing_reports_to_a_third_party(archive: LoopbackArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DANDI_NO_ET")
    Archive(archive.url)
    assert os.environ["DANDI_NO_ET"] == "1"
    monkeypatch.delenv("DANDI_NO_ET")
