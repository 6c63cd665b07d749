"""A real cluster of separate processes, one of them killed in mid-run: outputs are those of one machine."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO, H5DataIO

from ndx_cinac import OutputOptions, PredictionOptions, predict_activity
from ndx_cinac.batch import BatchOptions, Recipe, predict_many
from ndx_cinac.classifiers import ModelCard, load_classifier
from ndx_cinac.prediction import BothOptions
from ndx_cinac.testing.mock import mock_nwbfile_with_movie
from ndx_cinac.writing import read_predictions

pytest.importorskip("tensorflow")
distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL to die of"),
]

N_ROIS, N_FRAMES = 4, 400
SECONDS = 240
"""What a test waits for, at most: machines that run tests may have other work."""


def write_session(path: Path, seed: int) -> Path:
    """Write a recording in chunks of ten frames."""
    nwbfile = mock_nwbfile_with_movie(N_ROIS, N_FRAMES, seed=seed)
    series = nwbfile.acquisition["TwoPhotonSeries"]
    data = H5DataIO(series.data, chunks=(10, *series.data.shape[1:]), compression="gzip")
    nwbfile.acquisition["TwoPhotonSeries"].fields["data"] = data
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


@pytest.fixture(scope="module")
def sessions(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sessions")
    for seed in range(3):
        write_session(folder / f"session{seed}.nwb", seed)
    (folder / "damaged.nwb").write_bytes(b"no HDF5")
    return folder


@pytest.fixture(scope="module")
def sampling_classifier(tiny_classifier, tmp_path_factory) -> Path:
    """The tiny classifier, with so little memory for samples that no movie is kept whole."""
    folder = tmp_path_factory.mktemp("classifier") / "tiny"
    shutil.copytree(tiny_classifier, folder)
    card = load_classifier(tiny_classifier).card
    inputs = {**card.inputs, "options": {**card.inputs["options"], "sample_bytes": 100 * 40 * 48 * 4}}
    (folder / "card.json").write_text(replace(card, inputs=inputs).to_json())
    assert isinstance(load_classifier(folder).card, ModelCard)
    return folder


@pytest.fixture(scope="module")
def recipe(sampling_classifier) -> Recipe:
    """Small blocks and groups, so that a recording has several ranges of frames and groups of ROIs."""
    options = PredictionOptions(block_bytes=1, channel_bytes=1, resume_seconds=0.0)
    return Recipe(classifier=sampling_classifier, options=BothOptions(activity=options))


@pytest.fixture(scope="module")
def expected(sessions, recipe):
    """What this process alone predicts."""
    return {
        path.stem: predict_activity(path, recipe.classifier, options=recipe.options.activity)
        for path in sorted(sessions.glob("session*.nwb"))
    }


@pytest.fixture(scope="module")
def client():
    from ndx_cinac.batch.cluster import connected

    with connected(BatchOptions(workers=2)) as client:
        yield client


class Killer(threading.Thread):
    """Kills the process that holds the lock of an output, once a file of a kind is in its folder."""

    def __init__(self, folder: Path, pattern: str) -> None:
        super().__init__(daemon=True)
        self.folder, self.pattern = folder, pattern
        self.killed: int | None = None
        self.seen: dict[Path, int] = {}
        self.kept: list[set[tuple[str, int]]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.002):
            for output in self.folder.glob("*_cinac.nwb"):
                self.seen.setdefault(output, output.stat().st_ino)
            for found in self.folder.glob(f".*.unfinished/{self.pattern}"):
                if self.killed is None:
                    self._kill(found.parent)

    def _kill(self, folder: Path) -> None:
        holder = (folder / "lock").read_text().split()
        if len(holder) < 2:
            return  # it is being written
        os.kill(int(holder[1]), signal.SIGKILL)
        self.killed = int(holder[1])
        self.kept.append({(path.name, path.stat().st_ino) for path in folder.glob("*.piece")})

    def end(self) -> None:
        self._ended.set()
        self.join()


def killing(folder: Path, pattern: str) -> Killer:
    folder.mkdir()
    killer = Killer(folder, pattern)
    killer.start()
    return killer


def assert_same(output: Path, expected) -> None:
    stored = read_predictions(output)
    # A worker has its share of the threads, with which linear algebra rounds in another order.
    np.testing.assert_allclose(stored.probabilities, expected.probabilities, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(stored.roi_rows, expected.roi_rows)
    assert stored.classifiers == expected.classifiers


def test_recordings_of_a_killed_worker_are_predicted_by_others_and_nothing_twice(
    client, sessions, recipe, expected, tmp_path
):
    killer = killing(tmp_path / "out", "lock")
    told = []
    result = predict_many(
        sessions,
        tmp_path / "out",
        recipe,
        options=BatchOptions(scheduler=client),
        progress=lambda *now: told.append(now),
    )
    killer.end()
    assert killer.killed is not None
    assert [each.status for each in result.outcomes] == ["failed", "done", "done", "done"]
    assert type(result.outcomes[0].error).__name__ == "ReadingError"
    assert "neither HDF5 nor a Zarr folder" in str(result.outcomes[0].error)
    assert told == [("recordings", number, 4) for number in range(1, 5)]
    assert f":{killer.killed}" not in {f":{each.worker.split(':')[1]}" for each in result.of("done")}
    outputs = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in outputs] == [f"session{seed}_cinac.nwb" for seed in range(3)]
    for path in outputs:
        assert path.stat().st_ino == killer.seen.get(path, path.stat().st_ino)  # written once
        assert_same(path, expected[path.name.removesuffix("_cinac.nwb")])


def test_one_recording_is_shared_and_goes_on_where_its_worker_was_killed(
    client, sessions, recipe, expected, tmp_path, caplog
):
    until = time.monotonic() + SECONDS
    while len(client.nthreads()) < 2 and time.monotonic() < until:
        time.sleep(0.1)  # the worker that the other test has killed comes back
    killer = killing(tmp_path / "out", "*traces*.piece")
    told = []
    result = predict_many(
        sessions / "session1.nwb",
        tmp_path / "out",
        recipe,
        options=BatchOptions(scheduler=client),
        progress=lambda *now: told.append(now),
    )
    killer.end()
    assert killer.killed is not None
    assert [each.status for each in result.outcomes] == ["done"]
    assert_same(tmp_path / "out" / "session1_cinac.nwb", expected["session1"])
    assert any(name.startswith("activity.traces") for name, _ in killer.kept[0])
    assert {stage for stage, _, _ in told} >= {"sampling the movie", "predicting activity", "recordings"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["session1_cinac.nwb"]


def test_workers_share_the_cores_and_the_memory(client):
    def look():
        return os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = str(max(1, cores // 2))
    assert set(client.run(look).values()) == {(share, share)}
    limits = [each["memory_limit"] for each in client.scheduler_info()["workers"].values()]
    assert sum(limits) <= distributed.system.MEMORY_LIMIT


def test_workers_that_take_several_recordings_at_once_are_refused(sessions, recipe, tmp_path):
    from ndx_cinac.errors import ConfigError

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ConfigError, match="up to 2 recordings at once"),
    ):
        predict_many(sessions, tmp_path / "out", recipe, options=BatchOptions(scheduler=client))
    assert not (tmp_path / "out").exists()


def test_recording_that_kills_every_worker_is_a_failure_that_says_so(tmp_path, sessions, recipe, monkeypatch):
    from ndx_cinac.batch.cluster import _outcome
    from ndx_cinac.batch.goals import find_goals
    from ndx_cinac.batch.jobs import Job

    class Dead:
        status = "error"

        @staticmethod
        def exception():
            return distributed.scheduler.KilledWorker("task", None, 3)

    (goal,) = find_goals(sessions / "session0.nwb", tmp_path / "out")
    outcome = _outcome(Dead, Job(goal, recipe, OutputOptions()))
    assert outcome.status == "failed"
    assert "4 workers died while they predicted this recording" in str(outcome.error)


def test_lost_scheduler_is_an_error_that_says_how_to_go_on(tmp_path, sessions, recipe):
    from ndx_cinac.batch.cluster import _outcome
    from ndx_cinac.batch.goals import find_goals
    from ndx_cinac.batch.jobs import Job
    from ndx_cinac.errors import PredictionError

    class Lost:
        status = "cancelled"

    (goal,) = find_goals(sessions / "session0.nwb", tmp_path / "out")
    with pytest.raises(PredictionError, match="--skip-existing"):
        _outcome(Lost, Job(goal, recipe, OutputOptions()))


def test_scheduler_that_does_not_answer_is_named(tmp_path, sessions, recipe, monkeypatch):
    from ndx_cinac.errors import PredictionError

    monkeypatch.setattr("ndx_cinac.batch.cluster.CONNECT_SECONDS", "1s")
    with pytest.raises(PredictionError, match=r"No Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"):
        predict_many(sessions, tmp_path / "out", recipe, options=BatchOptions(scheduler="tcp://127.0.0.1:1"))
    assert not (tmp_path / "out").exists()
