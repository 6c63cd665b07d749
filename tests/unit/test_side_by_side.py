"""Work in processes side by side: told of together, ended together, and what ends one of them is said."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from ndx_cinac.errors import ConfigError, PredictionError
from ndx_cinac.training.side_by_side import run_side_by_side


def write(folder_and_name, progress):
    """Leave a file, tell of three steps, and say what it does."""
    logging.getLogger("ndx_cinac.any").info("writing %s", folder_and_name[1])
    logging.getLogger("ndx_cinac.any").debug("and that is all")
    folder, name = folder_and_name
    for step in range(1, 4):
        progress("ignored", step, 3)
    (folder / name).write_text(str(os.getpid()))


def wait(path, progress):
    """Say where it is, and wait for ever."""
    path.write_text(str(os.getpid()))
    progress("ignored", 1, 2)
    time.sleep(600)


def wait_or_fail(kind_and_path, progress):
    """Wait for ever, or fail as soon as another one does."""
    kind, path = kind_and_path
    if kind == "wait":
        wait(path, progress)
    while not path.exists() or not path.read_text():
        time.sleep(0.05)
    what = "it cannot be"
    raise ConfigError(what, fix="do otherwise")


def end(path, progress):
    """End without a word."""
    os._exit(7)


def lives(path) -> bool:
    """Whether the process whose number a file has is there, after a moment."""
    number = int(path.read_text())
    for _ in range(50):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def test_each_argument_has_a_process_and_their_steps_are_added(tmp_path, caplog):
    told = []
    caplog.set_level(logging.INFO, "ndx_cinac")
    run_side_by_side(write, [(tmp_path, "a"), (tmp_path, "b")], lambda *step: told.append(step))
    numbers = {(tmp_path / name).read_text() for name in "ab"}
    assert len(numbers) == 2
    assert str(os.getpid()) not in numbers
    assert told[-1] == ("training", 6, 6)
    assert sorted(caplog.messages) == ["writing a", "writing b"]
    assert {record.name for record in caplog.records} == {"ndx_cinac.any"}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_an_error_of_one_is_raised_and_ends_the_others(tmp_path):
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"it cannot be.*do otherwise"):
        run_side_by_side(wait_or_fail, [("wait", tmp_path / "a"), ("fail", tmp_path / "a")], lambda *_: None)
    assert time.monotonic() - started < 60
    assert not lives(tmp_path / "a")


def test_a_process_that_ends_without_a_word_is_named_with_what_to_do(tmp_path):
    with pytest.raises(PredictionError, match=r"One of the processes.*exit status 7.*memory.*--resume"):
        run_side_by_side(end, [None], lambda *_: None)


def test_an_interruption_ends_all_of_them(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(wait, [tmp_path / "a"], interrupt)
    assert not lives(tmp_path / "a")


KILLED = """
import os, signal, sys
from pathlib import Path
from test_side_by_side import wait
from ndx_cinac.training.side_by_side import run_side_by_side
if __name__ == "__main__":
    run_side_by_side(wait, [Path(sys.argv[1])], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal here")
def test_they_end_with_a_killed_process_that_began_them(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}  # noqa: PTH120
    killed = subprocess.run([sys.executable, script, tmp_path / "a"], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not lives(tmp_path / "a")
