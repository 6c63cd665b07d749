"""What the fuzzers begin with and what they found: nothing but errors of ndx-cinac comes of it."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from ndx_cinac import hdf5_files

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz"
APART = ("cinac_crashing", "cinac_large")
ENTRIES = sorted(path for path in (FOLDER / "corpus").glob("*/*") if path.parent.name not in APART)
"""All but what crashes HDF5, or takes gigabytes in it: see test_hdf5_probe.py."""


def loaded(name: str):
    """Import a script that lies in no package."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def targets():
    before = hdf5_files.LARGEST_ARRAY
    yield loaded("targets").TARGETS
    hdf5_files.LARGEST_ARRAY = before


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_entry_of_the_corpus_gets_through(targets, path):
    targets[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus(targets):
    assert {path.parent.name for path in ENTRIES} == set(targets)


@pytest.mark.parametrize("name", ["card", "legacy"])
def test_changes_of_good_files_give_errors_of_ours_or_none(targets, name):
    """A few hundred of the fuzzer's changes, the same each time."""
    mutate_json = loaded("json_mutator").mutate_json
    good = min((path for path in ENTRIES if path.parent.name == name), key=lambda path: path.stat().st_size)
    for seed in range(300):
        targets[name](mutate_json(good.read_bytes(), seed))


def test_files_of_any_types_and_shapes_give_errors_of_ours_or_none(targets):
    draw = random.Random(1)
    for _ in range(100):
        targets["cinac_built"](draw.randbytes(600))
