"""The table of DeepCINAC's reference arrays: each has a row, and none is further off than is allowed."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reference_table.py"


@pytest.fixture(scope="module")
def script():
    if not SCRIPT.exists():
        pytest.skip("the benchmarks are not part of this installation")
    spec = importlib.util.spec_from_file_location("reference_table", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference_table"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["reference_table"]


@pytest.fixture(scope="module")
def reference(script):
    return script.compare(script.REFERENCE)


def test_every_array_of_the_reference_is_compared_and_near_enough(reference):
    assert reference.missed() == []
    assert {row.name: row.largest for row in reference.rows.values() if row.largest > row.allowed} == {}
    assert sum(row.numbers for row in reference.rows.values()) > 100_000


def test_a_difference_and_another_shape_are_shown(script):
    row = script.Row("patches/x", 1e-6)
    row.add([0.0, 1.0], [0.0, 1.5])
    assert "| `patches/x` | 1 | 2 | 5.0e-01 | 1.0e-06 |" in script.table([row])
    row.add([0.0], [0.0, 1.5])
    assert row.largest == np.inf


def test_the_document_shows_the_rows_that_the_command_prints(script, reference):
    document = (SCRIPT.parents[1] / "docs" / "deepcinac.md").read_text(encoding="utf-8")
    for line in script.table(list(reference.rows.values())).splitlines():
        name, arrays, numbers, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        assert re.search(
            rf"\| {re.escape(name)} \| {arrays} \| {numbers} \| [^|]* \| {re.escape(allowed)} \|", document
        )
