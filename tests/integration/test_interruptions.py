"""Full disks, files that may not be touched or are open elsewhere: one sentence, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from output_builders import file_bytes, random_result, write_source

from ndx_cinac.cli import main
from ndx_cinac.errors import OutputError
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie
from ndx_cinac.writing import OutputOptions, read_predictions, write_predictions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file systems and rights of POSIX")

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "session.nwb", MockLayout(mask="pixel"))


@pytest.fixture
def source(stored, tmp_path) -> Path:
    return Path(shutil.copy2(stored, tmp_path / "session.nwb"))


def mounted(folder: Path, size: int) -> None:
    """Mount a small file system in memory, which takes rights that few have."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")


@pytest.fixture
def small_disk(tmp_path, stored) -> Iterator[Path]:
    """A disk that takes the source but not the predictions."""
    folder = tmp_path / "disk"
    mounted(folder, stored.stat().st_size + 20_000)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("mode", ["copy", "standalone"])
def test_a_full_disk_ends_in_a_sentence_and_leaves_nothing(source, small_disk, mode):
    before, goal = file_bytes(source), small_disk / "out.nwb"
    if mode == "standalone":
        (small_disk / "filling").write_bytes(bytes(shutil.disk_usage(small_disk).free - 20_000))
    others = sorted(small_disk.iterdir())
    with pytest.raises(OutputError, match=r"Writing failed: .*The source is as it was; free some room"):
        write_predictions(random_result(source), OutputOptions(goal, mode), source)
    assert file_bytes(source) == before
    assert sorted(small_disk.iterdir()) == others


def test_a_full_disk_leaves_a_file_in_place_as_it_was(stored, small_disk):
    source = Path(shutil.copy2(stored, small_disk / "session.nwb"))
    before, result = file_bytes(source), random_result(source)
    with pytest.raises(OutputError, match=r"The output needs 0\.0 GB and 0\.0 GB are free"):
        write_predictions(result, OutputOptions(mode="in-place"), source)
    assert file_bytes(source) == before
    assert [path.name for path in small_disk.iterdir()] == ["session.nwb"]


def test_a_full_disk_under_a_zarr_folder_ends_in_a_sentence(tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr")
    source = tmp_path / "session.nwb.zarr"
    with hdmf_zarr.NWBZarrIO(str(source), "w") as io:
        io.write(mock_nwbfile_with_movie(n_frames=60))
    disk = tmp_path / "disk"
    mounted(disk, 400_000)
    try:
        with pytest.raises(OutputError, match=r"free some room|are free"):
            write_predictions(random_result(source), OutputOptions(disk / "out.nwb.zarr"), source)
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from output_builders import random_result
from ndx_cinac.errors import OutputError
from ndx_cinac.writing import OutputOptions, write_predictions
source = Path(sys.argv[2])
result = random_result(source)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    write_predictions(result, OutputOptions(mode=sys.argv[3]), source)
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", ["copy", "standalone", "in-place"])
def test_a_file_that_may_not_grow_ends_in_a_sentence(source, mode):
    before = file_bytes(source)
    limit = 20_000 if mode == "standalone" else len(before) + 5_000
    command = [sys.executable, "-c", LIMITED, str(TESTS), str(source), mode, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Writing failed: "), done.stderr
    assert done.stdout.count("\n") == 1
    assert file_bytes(source) == before
    assert [path.name for path in source.parent.iterdir()] == ["session.nwb"]


def test_a_read_only_file_system_is_refused_before_any_work(source, tmp_path, capsys):
    disk = tmp_path / "disk"
    mounted(disk, 10_000_000)
    try:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert main(["predict", str(source), "--output", str(disk / "out.nwb")]) == 1
        assert "The output's folder cannot be written to" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def without_rights(source, tmp_path) -> Iterator[None]:
    """Be somebody who may do nothing, where root runs the tests: it may do everything otherwise."""
    if os.geteuid() == 0:
        for folder in source.parents[:-1]:
            folder.chmod(folder.stat().st_mode | 0o055)
        main(["predict", str(tmp_path / "none.nwb")])  # imports what is imported late
        os.seteuid(65534)
    yield
    os.seteuid(os.getuid())


def test_a_source_that_may_not_be_read_is_named_in_a_sentence(source, without_rights, capsys):
    rights = source.stat().st_mode
    as_owner(source.chmod, 0o000)
    assert main(["predict", str(source)]) == 1
    assert f"'{source}' may not be read. Ask its owner for the right to read it." in capsys.readouterr().err
    as_owner(source.chmod, rights)


def as_owner(function: Callable[[int], None], mode: int) -> None:
    """Call a function as who owns the files, and be nobody again."""
    nobody = os.geteuid()
    os.seteuid(os.getuid())
    function(mode)
    os.seteuid(nobody)


HOLDING = """
import sys, h5py
with h5py.File(sys.argv[1], sys.argv[2]):
    print("open", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(source, request) -> Iterator[None]:
    """Another process that has the file open."""
    command = [sys.executable, "-c", HOLDING, str(source), request.param]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert process.stdout.readline() == "open\n"
    yield
    process.communicate("\n")


@pytest.mark.parametrize("holder", ["r+"], indirect=True)
def test_a_source_that_another_program_writes_to_is_named_in_a_sentence(source, holder, capsys):
    before = file_bytes(source)
    assert main(["predict", str(source), "--mode", "in-place"]) == 1
    said = capsys.readouterr().err
    assert "cannot be opened" in said
    assert "Check that it is whole and that no other program writes to it" in said
    assert file_bytes(source) == before


@pytest.mark.parametrize("holder", ["r"], indirect=True)
@pytest.mark.parametrize("mode", ["copy", "in-place"])
def test_a_source_that_another_program_reads_is_predicted(source, holder, mode):
    result = random_result(source)
    output = write_predictions(result, OutputOptions(mode=mode), source)
    np.testing.assert_array_equal(read_predictions(output).probabilities, result.probabilities)


def differing(one: Path, other: Path) -> list[str]:
    """Names of datasets and attributes of two HDF5 files that differ."""
    found: list[str] = []

    def compare(a, b, name):
        if set(a.attrs) != set(b.attrs):
            found.append(f"{name} attributes")
        for key in set(a.attrs) & set(b.attrs):
            values = [a.attrs[key], b.attrs[key]]
            if isinstance(values[0], h5py.Reference):
                values = [a.file[values[0]].name, b.file[values[1]].name]
            if not np.array_equal(*values):
                found.append(f"{name}@{key}")
        if isinstance(a, h5py.Dataset):
            if a.dtype != b.dtype or a.shape != b.shape or a.chunks != b.chunks:
                found.append(f"{name} layout")
            elif a.dtype.kind != "V" and h5py.check_ref_dtype(a.dtype) is None:
                found.extend([] if np.array_equal(a[()], b[()]) else [name])
            return
        if list(a) != list(b):
            found.append(f"{name} members")
        for key in set(a) & set(b):
            compare(a[key], b[key], f"{name}/{key}")

    with h5py.File(one) as first, h5py.File(other) as second:
        compare(first, second, "")
    return found


@pytest.mark.tensorflow
@pytest.mark.parametrize("mode", ["copy", "standalone"])
def test_the_same_input_gives_the_same_file_ids_and_times_aside(source, tiny_classifier, mode, tmp_path):
    pytest.importorskip("tensorflow")
    from ndx_cinac.prediction import predict_activity

    outputs = []
    for number in range(2):
        goal = OutputOptions(tmp_path / f"{number}.nwb", mode)
        outputs.append(predict_activity(source, tiny_classifier, goal).output)
    allowed = ("@object_id", "@created", "/identifier", "/file_create_date", "/parameters")
    assert [name for name in differing(*outputs) if not name.endswith(allowed)] == []
    parameters = []
    for path in outputs:
        with h5py.File(path) as file:
            parameters.append(json.loads(file["processing/cinac/PredictionProvenance/parameters"][()]))
        parameters[-1]["result"].pop("seconds")
    assert parameters[0] == parameters[1]
