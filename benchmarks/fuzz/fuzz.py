"""Fuzz one target with atheris: python benchmarks/fuzz/fuzz.py TARGET [options of libFuzzer].

New inputs that reach new code go to FOLDER/TARGET, beside the committed corpus, which is only read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from json_mutator import mutate_json  # noqa: E402

with atheris.instrument_imports(include=["ndx_cinac", "yaml"]):
    from targets import TARGETS


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
    limits = [
        "-timeout=120",
        "-rss_limit_mb=1500",
        "-max_len=60000",
        f"-artifact_prefix={found.parent}/{name}-",
    ]
    own = {"custom_mutator": mutate} if name in ("card", "legacy") else {}
    atheris.Setup(
        [sys.argv[0], *limits, *options, str(found), str(HERE / "corpus" / name)], TARGETS[name], **own
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
