"""Kill predictions at random moments, in every output mode, and print what each kill left.

    python benchmarks/kills.py [--kills 500] [--minutes 120] [--seed 0]

Each run is a process of its own that gets SIGKILL at an operation on a file or at a moment within a stage,
both drawn at random; after every third kill, the same command runs to its end and must give the bits of a run
that nothing interrupted. Ends with an AssertionError where a source, an output or a folder is not as it
should be.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import hdmf_zarr

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from killing import Arena, Server, table_of  # noqa: E402
from output_builders import write_source  # noqa: E402

from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie  # noqa: E402

KILLS_PER_TRIAL = 3
N_FRAMES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=120.0, help="end then, whatever the number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classifier", default="activity-sim")
    options = parser.parse_args()
    began, draw = time.monotonic(), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name, Server() as server:
        folder = Path(name)
        hdf5 = write_source(folder / "session.nwb", MockLayout(mask="pixel"), n_frames=N_FRAMES)
        zarr = folder / "session.nwb.zarr"
        with hdmf_zarr.NWBZarrIO(str(zarr), "w") as io:
            io.write(mock_nwbfile_with_movie(n_frames=N_FRAMES))
        kinds = [(hdf5, "copy"), (hdf5, "standalone"), (hdf5, "in-place"), (zarr, "copy"), (zarr, "in-place")]
        arenas = [
            Arena(server, folder / str(number), source, options.classifier, mode)
            for number, (source, mode) in enumerate(kinds)
        ]
        done = 0
        while done < options.kills and time.monotonic() - began < 60 * options.minutes:
            for arena in arenas:
                arena.trial(draw, KILLS_PER_TRIAL)
            done = sum(sum(arena.killed.values()) for arena in arenas)
            print(f"{done} kills, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        print(table_of(arenas))
        print(f"{done} kills in {time.monotonic() - began:.0f} s: nothing was lost")


if __name__ == "__main__":
    main()
