"""Predictions of assets that were interrupted go on: nothing is fetched again, and the file is the same."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytest.importorskip("dandi")
pytest.importorskip("remfile")
pytest.importorskip("tensorflow")

from archive import LoopbackArchive, default_archive
from pynwb import NWBHDF5IO

from ndx_cinac.cli import main
from ndx_cinac.dandi import (
    DerivedFile,
    DerivedOptions,
    Patience,
    StreamingOptions,
    find_assets,
    predict_asset,
)
from ndx_cinac.dandi.transfer import PIECE
from ndx_cinac.errors import ArchiveError
from ndx_cinac.prediction import BothOptions, PredictionOptions
from ndx_cinac.testing.mock import mock_nwbfile_with_movie

PATH = "sub-mock/sub-mock_ses-mock_ophys.nwb"
DERIVED = "sub-mock/sub-mock_ses-mock_desc-cinac_ophys.nwb"
SHAPE = (24, 28)
N_FRAMES = 4400
"""More than are sampled whole."""

STRUCTURE_BYTES = 2**18
"""At both ends of the file its structure lies among the movie, and is read whenever it is opened."""

SECONDS = re.compile(rb'"seconds": [0-9.]+')

STREAMING = StreamingOptions(
    patience=Patience(2, 0.01, 0.01, 5), connections=2, request_bytes=2**17, ahead_bytes=2**19
)
HOW = BothOptions(PredictionOptions(resume_seconds=0, block_bytes=4 * SHAPE[0] * SHAPE[1] * 200))
OPTIONS = DerivedOptions(validate=False, streaming=STREAMING, prediction=HOW)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of which the movie, in small compressed chunks, is the largest part."""
    path = tmp_path_factory.mktemp("files") / "movie.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=N_FRAMES, shape=SHAPE))
    with h5py.File(path, "r+") as file:
        group = file["acquisition/TwoPhotonSeries"]
        data, attributes = group["data"][:], dict(group["data"].attrs)
        del group["data"]
        made = group.create_dataset("data", data=data, chunks=(20, *SHAPE), compression="gzip", shuffle=True)
        made.attrs.update(attributes)
    return path


@pytest.fixture
def archive(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    """An archive with that file, which is the default instance; blocks are kept as they are finished."""
    monkeypatch.setattr("ndx_cinac.traces.finished_blocks.PIECE_BYTES", 4 * 5 * 100)
    with default_archive(PATH, source, monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def expected(source: Path, tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a file holds whose prediction nothing interrupted."""
    with LoopbackArchive() as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANDI_INSTANCE", made.url)
        patch.setenv("DANDI_NO_ET", "1")
        made.add(PATH, source)
        asset = find_assets("000001")[0]
        derived = predict_asset(asset, tmp_path_factory.mktemp("out"), tiny_classifier, OPTIONS)
        return contents(derived.path)


def contents(path: Path) -> dict[str, Any]:
    """Every value and attribute of a file, but for ids, times of making, and where the archive stood."""
    found: dict[str, Any] = {}
    different = (
        "object_id",
        "file_create_date",
        "identifier",
        "dandi_asset",
        "seconds",
        "created",
        ".specloc",
    )

    def take(name: str, item: Any) -> None:
        if any(word in name for word in different) or name.startswith("specifications"):
            return
        for key, value in item.attrs.items():
            if key not in different and not isinstance(value, h5py.Reference):
                found[f"{name}@{key}"] = np.asarray(value).tolist()
        if isinstance(item, h5py.Dataset) and h5py.check_ref_dtype(item.dtype) is None:
            found[name] = item[()].tobytes() if item.dtype.kind in "biufc" else np.asarray(item[()]).tolist()
        if name.endswith("Provenance/parameters"):
            found[name] = SECONDS.sub(b"", found[name])

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def fetched_of_movie(archive: LoopbackArchive, source: Path) -> set[int]:
    """First bytes of those chunks of the movie that were sent whole, but for those among the structure."""
    rows: list[tuple[int, int]] = []
    with h5py.File(source) as file:
        file["acquisition/TwoPhotonSeries/data"].id.chunk_iter(lambda c: rows.append((c.byte_offset, c.size)))
    ends = STRUCTURE_BYTES, source.stat().st_size - STRUCTURE_BYTES
    return {
        start
        for start, size in rows
        if ends[0] <= start < ends[1]
        and any(first <= start and start + size - 1 <= last for first, last in archive.ranges)
    }


def on_its_way(source: Path, size_bytes: int = STREAMING.connections * STREAMING.request_bytes) -> int:
    """Chunks, at most, that were being sent when a run ended, and are lost with it."""
    with h5py.File(source) as file:
        size = file["acquisition/TwoPhotonSeries/data"].id.get_chunk_info(0).size
    return int(size_bytes / size) + 1


class Interrupt:
    """Raises in the middle of a stage."""

    def __init__(self, stage: str, at: float, error: BaseException) -> None:
        self.stage, self.at, self.error = stage, at, error

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage == self.stage and done >= self.at * total:
            raise self.error


STAGES = [("sampling the movie", 0.9), ("extracting traces", 0.4), ("predicting activity", 1)]


@pytest.mark.parametrize(("stage", "at"), STAGES)
def test_a_streamed_prediction_that_was_interrupted_fetches_nothing_again(
    archive: LoopbackArchive,
    source: Path,
    tiny_classifier: Path,
    expected: dict[str, Any],
    tmp_path: Path,
    stage: str,
    at: float,
) -> None:
    asset = find_assets("000001")[0]
    with pytest.raises(KeyboardInterrupt):
        predict_asset(
            asset, tmp_path, tiny_classifier, OPTIONS, progress=Interrupt(stage, at, KeyboardInterrupt())
        )
    assert not (tmp_path / DERIVED).exists()
    before = fetched_of_movie(archive, source)
    assert len(before) > 1.5 * on_its_way(source)
    archive.reset()
    derived = predict_asset(asset, tmp_path, tiny_classifier, OPTIONS)
    again = before & fetched_of_movie(archive, source)
    assert len(again) <= on_its_way(source)
    assert derived.movie_read is not None
    assert derived.movie_bytes is not None
    kept = (len(before) - on_its_way(source)) * 20 / N_FRAMES
    assert derived.movie_read < derived.movie_bytes * (1.02 - kept)
    assert archive.sent == derived.traffic.bytes
    assert contents(derived.path) == expected
    assert sorted(path.name for path in derived.path.parent.iterdir()) == [derived.path.name]


def test_a_network_that_fails_for_long_costs_nothing_that_came(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    asset = find_assets("000001")[0]
    archive.faults.answers["storage"] = [0] * 45 + [503] * 99
    with pytest.raises(ArchiveError, match="answered 503, 2 times in a row"):
        predict_asset(asset, tmp_path, tiny_classifier, OPTIONS)
    archive.faults.answers.clear()
    assert len(fetched_of_movie(archive, source)) > 2 * on_its_way(source)
    derived = predict_asset(asset, tmp_path, tiny_classifier, OPTIONS)
    assert derived.movie_bytes is not None
    structure = derived.traffic.bytes - (derived.movie_read or 0)
    assert archive.sent <= 2 * structure + 1.05 * derived.movie_bytes
    assert contents(derived.path) == expected


def test_faults_that_pass_during_a_prediction_change_nothing(
    archive: LoopbackArchive, tiny_classifier: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    asset = find_assets("000001")[0]
    archive.faults.drops, archive.faults.drop_after, archive.faults.expire_requests = 3, 50_000, 9
    archive.faults.answers = {"storage": [0] * 20 + [500] + [0] * 7 + [429, 0, 503], "download": [0, 502]}
    derived = predict_asset(asset, tmp_path, tiny_classifier, OPTIONS)
    for fault in ("500", "429", "503", "502", "refused (403)"):
        assert any(fault in each for each in derived.traffic.failures), fault
    assert derived.movie_read is not None
    assert derived.movie_bytes is not None
    assert derived.movie_read < 1.25 * derived.movie_bytes
    assert contents(derived.path) == expected


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_dandi_resuming import OPTIONS, PATH, predict_asset
from ndx_cinac.traces import finished_blocks
finished_blocks.PIECE_BYTES = 4 * 5 * 100
def progress(stage, done, total):
    if stage == "extracting traces" and done >= 0.4 * total:
        os.kill(os.getpid(), signal.SIGKILL)
predict_asset("000001", {to!r}, {classifier!r}, OPTIONS, path=PATH, progress=progress)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system does not kill")
def test_a_run_that_was_killed_goes_on(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    tests = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    program = KILLED.format(tests=tests[0], to=str(tmp_path), classifier=str(tiny_classifier))
    path = os.pathsep.join([*tests, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    before = fetched_of_movie(archive, source)
    archive.reset()
    derived = predict_asset("000001", tmp_path, tiny_classifier, OPTIONS, path=PATH)
    again = before & fetched_of_movie(archive, source)
    assert len(again) <= on_its_way(source, STREAMING.ahead_bytes) < len(before) / 2
    assert contents(derived.path) == expected


def test_the_command_goes_on_and_says_so(
    archive: LoopbackArchive,
    source: Path,
    tiny_classifier: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["dandi", "predict", "000001", "--to", str(tmp_path), "--classifier", str(tiny_classifier)]
    interrupt = Interrupt("extracting traces", 0.4, KeyboardInterrupt())
    with monkeypatch.context() as patch:
        patch.setattr("ndx_cinac.cli.commands._progress", lambda _: interrupt)
        assert main(command) == 130
    err = capsys.readouterr().err
    assert (
        f"What is finished is kept in {(tmp_path / DERIVED).parent}/.{Path(DERIVED).name}.unfinished" in err
    )
    before = fetched_of_movie(archive, source)
    archive.reset()
    assert main(["resume", "list", "--recursive", str(tmp_path)]) == 0
    assert f"of 127.0.0.1:{archive.url.rpartition(':')[2]}:000001/draft/{PATH}" in capsys.readouterr().out
    assert main(command) == 0
    said = capsys.readouterr()
    assert "Going on from what an earlier run has finished" in said.err
    assert len(before & fetched_of_movie(archive, source)) <= on_its_way(source)
    assert (tmp_path / DERIVED).is_file()


def test_without_resuming_nothing_is_kept(
    archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path
) -> None:
    how = BothOptions(PredictionOptions(resume=False))
    options = DerivedOptions(validate=False, streaming=STREAMING, prediction=how)
    interrupt = Interrupt("extracting traces", 0.4, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        predict_asset("000001", tmp_path / "out", tiny_classifier, options, path=PATH, progress=interrupt)
    assert not (tmp_path / "out").exists()


def test_another_content_of_the_same_path_begins_anew(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, tmp_path: Path, caplog: Any
) -> None:
    interrupt = Interrupt("extracting traces", 0.4, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        predict_asset("000001", tmp_path, tiny_classifier, OPTIONS, path=PATH, progress=interrupt)
    other = tmp_path / "other.nwb"
    with NWBHDF5IO(other, "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=300, shape=SHAPE))
    archive.dandisets["000001"].versions["draft"].clear()
    archive.add(PATH, other)
    derived = predict_asset("000001", tmp_path, tiny_classifier, OPTIONS, path=PATH)
    assert derived.result.n_frames == 300
    assert "What an earlier run has finished is not used: its source differed" in caplog.text


def test_a_download_that_was_interrupted_and_its_prediction_go_on(
    archive: LoopbackArchive,
    tiny_classifier: Path,
    expected: dict[str, Any],
    tmp_path: Path,
    monkeypatch: Any,
) -> None:
    asset = find_assets("000001")[0]
    options = DerivedOptions(
        validate=False, streaming=STREAMING, prediction=HOW, download_to=tmp_path / "copies"
    )
    archive.faults.answers["storage"] = [0] + [503] * 99
    archive.faults.drops, archive.faults.drop_after = 1, asset.size // 2
    with pytest.raises(ArchiveError, match="answered 503, 2 times in a row"):
        predict_asset(asset, tmp_path, tiny_classifier, options)
    archive.faults.answers.clear()
    with pytest.raises(KeyboardInterrupt):
        predict_asset(
            asset,
            tmp_path,
            tiny_classifier,
            options,
            progress=Interrupt("predicting activity", 1, KeyboardInterrupt()),
        )
    assert asset.size <= archive.sent <= asset.size + PIECE, "nothing was fetched twice"
    sent = archive.sent
    monkeypatch.setattr("ndx_cinac.networks.CompiledNetwork.predict", lambda *_: pytest.fail("done again"))
    derived: DerivedFile = predict_asset(asset, tmp_path, tiny_classifier, options)
    assert archive.sent == sent
    assert contents(derived.path) == expected
