"""The wheel holds what it must and works unpacked; without extras a verb works or names what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.testing.mock import mock_nwbfile_with_predictions

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = {
    *("tensorflow", "keras", "scipy", "tifffile", "tqdm", "PIL"),
    *("sklearn", "threadpoolctl", "matplotlib", "hdmf_zarr", "zarr", "dandi", "remfile", "nwbinspector"),
}
"""Packages that only extras install, as they are imported."""

RUN = """
import contextlib, io, json, sys
for name in {blocked}:
    sys.modules[name] = None  # as if it were not installed
from ndx_cinac.cli import main
answers = []
for arguments in {commands}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    answers.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def predicted(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files") / "predicted.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_predictions())
    return path


def python(code: str, unpacked: Path, cwd: Path) -> str:
    """Run code where the unpacked wheel comes before the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def run_verbs(commands: list[list[str]], blocked: set[str], unpacked: Path, cwd: Path) -> list:
    code = RUN.format(blocked=sorted(blocked), commands=commands)
    return json.loads(python(code, unpacked, cwd).splitlines()[-1])


def test_wheel_holds_what_it_must_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "ndx_cinac/py.typed",
        "ndx_cinac/spec/ndx-cinac.namespace.yaml",
        "ndx_cinac/spec/ndx-cinac.extensions.yaml",
        "ndx_cinac/spec/ndx-cinac-for-pynwb-before-4.extensions.yaml",
        "ndx_cinac/models/activity-sim/card.json",
        "ndx_cinac/models/activity-sim/model.keras",
        "ndx_cinac/models/cell-type-sim/card.json",
        "ndx_cinac/models/cell-type-sim/model.keras",
        "ndx_cinac/simulation/presets/two-photon-sparse.yaml",
        "ndx_cinac/testing/mock.py",
    } <= names
    assert {name.split("/")[0] for name in names} == {"ndx_cinac", "ndx_cinac-0.1.0.dist-info"}
    assert not [name for name in names if "cache" in name or "/tests/" in name or name.endswith(".nwb")]


def test_wheel_lists_the_files_of_the_source_and_no_others(wheel):
    """Code, the specification, settings and bundled classifiers; nothing that a developer left about."""
    source = ROOT / "src" / "ndx_cinac"
    parts = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    code = {f"ndx_cinac/{part}" for part in parts if "__pycache__" not in part}
    spec = {f"ndx_cinac/spec/{path.name}" for path in (ROOT / "spec").iterdir()}
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names == code | spec | {f"ndx_cinac-0.1.0.dist-info/{name}" for name in about}
    assert {Path(name).suffix for name in code} <= {".py", ".typed", ".yaml", ".json", ".keras"}


def test_wheel_is_small_enough_to_install_anywhere(wheel):
    assert wheel.stat().st_size < 4_000_000


def test_unpacked_wheel_gives_types_spec_classifiers_and_presets(unpacked, tmp_path):
    code = """
import pathlib, ndx_cinac, pynwb
from ndx_cinac.simulation import list_presets
print(pathlib.Path(ndx_cinac.__file__).parent)
print(ndx_cinac.__version__, pynwb.get_class("ActivityPredictions", "ndx-cinac").__name__)
print([card.name for card in ndx_cinac.list_classifiers()], "two-photon-sparse" in list_presets())
"""
    assert python(code, unpacked, tmp_path).splitlines() == [
        str(unpacked / "ndx_cinac"),
        "0.1.0 ActivityPredictions",
        "['activity-sim', 'cell-type-sim'] True",
    ]


def test_without_extras_what_needs_none_of_them_works(unpacked, predicted, tmp_path):
    commands = [
        ["info"],
        ["classifiers", "list"],
        ["classifiers", "show", "activity-sim"],
        ["inspect", str(predicted)],
    ]
    answers = run_verbs(commands, OPTIONAL, unpacked, tmp_path)
    assert [status for status, _, _ in answers] == [0, 0, 0, 0]
    assert "needs the package 'tensorflow'" in answers[3][1]


def test_without_extras_the_other_verbs_name_the_one_they_need(unpacked, predicted, tmp_path):
    data = ROOT / "tests" / "data" / "deepcinac"
    model, weights = str(data / "activity_w40.json"), str(data / "activity_w40.h5")
    again = ["predict", str(predicted), "--name", "again"]
    commands = {
        "predict": (again, "predict"),
        "legacy": ([*again, "--classifier", model, "--weights", weights], "predict"),
        "simulate": (["simulate", "new.nwb"], "predict"),
        "plot": (["plot", str(predicted)], "plot"),
        "evaluate": (["evaluate", str(predicted)], "train"),
        "demo": (["demo", "new"], "train,plot"),
        "train": (["train", "-o", "new"], "train"),
        "convert": (["classifiers", "convert", model, weights, "new"], "predict"),
    }
    answers = run_verbs([arguments for arguments, _ in commands.values()], OPTIONAL, unpacked, tmp_path)
    for (name, (_, extra)), (status, out, err) in zip(commands.items(), answers, strict=True):
        assert (status, out, err.count("\n")) == (1, "", 1), (name, err)
        assert f'pip install "ndx-cinac[{extra}]"' in err, name
    assert list(tmp_path.iterdir()) == []


def test_the_extra_for_plots_is_all_that_plots_need(unpacked, predicted, tmp_path):
    pytest.importorskip("matplotlib")
    blocked = OPTIONAL - {"matplotlib", "PIL"}
    [(status, out, err)] = run_verbs([["plot", str(predicted)]], blocked, unpacked, tmp_path)
    assert (status, err) == (0, "")
    assert out.splitlines()
    assert all((tmp_path / line).is_file() for line in out.splitlines())
