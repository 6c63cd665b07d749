"""Processes that are killed or told to end while they predict: sources stay, output is whole or absent."""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path

import pytest
from killing import Arena, Kill, Server, contents, table_of
from output_builders import write_source

from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie

pytest.importorskip("tensorflow")
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="forks and signals of POSIX"),
]

N_FRAMES = 300
KILLS, AT_A_TIME = 13, 3
"""Of each of five arenas: 65 kills at least, and a run that ends well after every third."""


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    zarr = folder / "session.nwb.zarr"
    with hdmf_zarr.NWBZarrIO(str(zarr), "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=N_FRAMES))
    hdf5 = write_source(folder / "session.nwb", MockLayout(mask="pixel"), n_frames=N_FRAMES)
    return {"hdf5": hdf5, "zarr": zarr}


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("hdf5", "copy"), ("hdf5", "standalone"), ("hdf5", "in-place"), ("zarr", "copy"), ("zarr", "in-place")],
)
def test_a_kill_leaves_the_source_and_no_half_output(server, sources, tiny_classifier, tmp_path, kind, mode):
    arena = Arena(server, tmp_path, sources[kind], tiny_classifier, mode)
    draw = random.Random(f"{kind} {mode}")
    while sum(arena.killed.values()) < KILLS:
        arena.trial(draw, AT_A_TIME)
    print(table_of([arena]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", ["reading", "predicting", "writing", "checking"])
def test_told_to_end_it_ends_in_a_sentence(server, sources, tiny_classifier, tmp_path, stage, number):
    arena = Arena.__new__(Arena)
    arena.server, arena.folder, arena.template = server, tmp_path, sources["hdf5"]
    arena.classifier, arena.mode = tiny_classifier, "copy"
    arena.place()
    arena.begin()
    status = arena.run(Kill(stage=stage, signal=number.value))
    said = (tmp_path / "log").read_text()
    assert status == 128 + number, said
    begin = "interrupted" if number is signal.SIGINT else "ended by SIGTERM"
    sentence = f"ndx-cinac: {begin}; the source is as it was, and no output was left half-written"
    assert said.splitlines()[-1] == sentence
    assert contents(arena.source) == arena.before
    names = {path.name for path in arena.work.iterdir()}
    assert names <= {arena.source.name, arena.left.name}
    if stage != "reading":
        assert f"What is finished is kept in {arena.left}: the same command goes on from there." in said
        assert not list(arena.left.glob("partial*"))
