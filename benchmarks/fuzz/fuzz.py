"""Fuzz one target with atheris: python benchmarks/fuzz/fuzz.py TARGET [options of libFuzzer].

New inputs that reach new code go to FOLDER/TARGET, beside the committed corpus, which is only read.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from json_mutator import mutate_json  # noqa: E402

with atheris.instrument_imports(include=["ndx_cinac", "yaml"]):
    from targets import TARGETS

    from ndx_cinac import hdf5_probe
    from ndx_cinac.hdf5_walk import limit_memory, walk

LONGEST = 20
"""Seconds that a walk through a file may take: it should end itself after 5."""


def walk_in_fork(path: str, *_: int) -> str:
    """Do what `hdf5_probe` does, in a fork instead of a new Python: a hundred times as often."""
    child = os.fork()
    if not child:
        for number in (*(-crash for crash in hdf5_probe.CRASHES), signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(LONGEST)
        limit_memory()
        os._exit(walk(path))
    _, status = os.waitpid(child, 0)
    return f"ended with {os.waitstatus_to_exitcode(status)}" if status else ""


def mutate(data: bytes, largest: int, seed: int) -> bytes:
    """Change JSON mostly by its values, now and then by its bytes."""
    changed = mutate_json(data, seed) if seed % 5 else None
    if changed is None or len(changed) > largest:
        return bytes(atheris.Mutate(data, largest))
    return changed


def main() -> None:
    """Run the target that the first argument names until it fails or libFuzzer's options end it."""
    name, *options = sys.argv[1:]
    found = Path("fuzzed") / name
    found.mkdir(parents=True, exist_ok=True)
    corpora = [
        folder
        for folder in (HERE / "corpus").glob(f"{name}*")
        if folder.name in (name, f"{name}_crashing", f"{name}_large")
    ]
    limits = [
        "-timeout=120",
        "-rss_limit_mb=1500",
        "-max_len=60000",
        f"-artifact_prefix={found.parent}/{name}-",
    ]
    hdf5_probe._fault = walk_in_fork
    own = {"custom_mutator": mutate} if name in ("card", "legacy") else {}
    atheris.Setup([sys.argv[0], *limits, *options, str(found), *map(str, corpora)], TARGETS[name], **own)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
