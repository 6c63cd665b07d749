"""Runs of `ndx-cinac predict` that are killed (SIGKILL) at chosen moments, and what they leave.

A server process imports everything once; each run is a process of its own that is forked from it and then
does what the command does. As a program: serves runs; see `Server`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

STAGES = ("starting", "reading", "predicting", "writing", "checking", "renaming", "clearing up")
STAGE_OF_PROGRESS = {
    "sampling the movie": "reading",
    "extracting traces": "reading",
    "predicting activity": "predicting",
}
FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}
MODES = ("copy", "standalone", "in-place")


@dataclass(frozen=True)
class Kill:
    """When a run is killed, or told to end: at an operation on a file, or some time after a stage begins.

    Attributes
    ----------
    operation : int or None
        Number of the operation, from 1.
    stage : str or None
        One of `STAGES`.
    delay : float
        Seconds after the stage began.
    signal : int
        What it is sent.
    """

    operation: int | None = None
    stage: str | None = None
    delay: float = 0.0
    signal: int = signal.SIGKILL.value


class Observer:
    """Within a run: notes the stage in a file, counts operations on files, and kills the process."""

    def __init__(self, note: Path, folder: Path, kill: Kill) -> None:
        self.note, self.folder, self.kill = note, str(folder), kill
        self.operations = 0
        self.stage = ""
        self.times: dict[str, float] = {}
        sys.addaudithook(self.audit)
        self.enter("starting")

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count an operation on a file of the run's folder, and end there if it is the one."""
        if event not in FILE_EVENTS or not str(arguments[0]).startswith(self.folder):
            return
        self.operations += 1
        if self.operations == self.kill.operation:
            os.kill(os.getpid(), self.kill.signal)

    def enter(self, stage: str) -> None:
        """Note that a stage begins."""
        if stage == self.stage:
            return
        self.stage = stage
        self.times[stage] = time.monotonic()
        self.note.write_text(stage)
        if stage == self.kill.stage:
            threading.Timer(self.kill.delay, os.kill, (os.getpid(), self.kill.signal)).start()

    def watch(self, module: Any, name: str, stage: str) -> None:
        """Note a stage whenever a function begins."""
        function = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self.enter(stage)
            return function(*arguments, **options)

        setattr(module, name, watched)

    def durations(self) -> dict[str, float]:
        """Seconds from the beginning of each stage to that of the next."""
        ends = [*list(self.times.values())[1:], time.monotonic()]
        return {stage: end - begun for (stage, begun), end in zip(self.times.items(), ends, strict=True)}


def run_watched(request: dict[str, Any]) -> int:
    """Do what the command does, in this process; it ends as the request says."""
    from ndx_cinac.cli import commands, main
    from ndx_cinac.traces import finished_blocks
    from ndx_cinac.writing import output, predictions, unfinished

    finished_blocks.PIECE_BYTES = 4 * 5 * 4 * 100  # every few blocks, so that small files have some, too
    observer = Observer(Path(request["note"]), Path(request["folder"]), Kill(**request["kill"]))
    commands._progress = lambda _: lambda stage, *_: observer.enter(STAGE_OF_PROGRESS.get(stage, "reading"))
    observer.watch(predictions, "_write_copy", "writing")
    observer.watch(predictions, "_write_standalone", "writing")
    observer.watch(predictions, "check_written", "checking")
    observer.watch(output, "replace_whole", "renaming")
    observer.watch(unfinished, "empty", "clearing up")
    status = main(request["command"])
    done = {"operations": observer.operations, "durations": observer.durations(), "status": status}
    Path(request["note"]).write_text(json.dumps(done))
    return status


def serve() -> None:
    """Fork a run for each request (a line of JSON), and answer with its wait status."""
    import h5py  # noqa: F401
    import hdmf_zarr  # noqa: F401
    import tensorflow  # noqa: F401 - imported, but without a device or a thread before the fork

    from ndx_cinac import networks  # noqa: F401
    from ndx_cinac.cli import predict  # noqa: F401
    from ndx_cinac.prediction import traces  # noqa: F401
    from ndx_cinac.writing import predictions  # noqa: F401

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is begun in the background ignores it
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            try:
                os._exit(run_watched(request))
            finally:
                os._exit(99)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


class Server:
    """The warm process that runs are forked from; a context manager."""

    def __enter__(self) -> Server:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=-1, stdout=-1, text=True, env=environment
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def run(self, **request: Any) -> int:
        """Run to the end, natural or not; return the exit status, negative for a signal."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@dataclass
class Arena:
    """A folder with a source, where runs in one output mode are killed and checked.

    Attributes
    ----------
    server : Server
        Runs come from here.
    folder : Path
        An empty folder.
    template : Path
        The source, copied anew for each trial; HDF5, or a Zarr folder.
    classifier : Path
        What predicts.
    mode : str
        One of `MODES`.
    """

    server: Server
    folder: Path
    template: Path
    classifier: Path
    mode: str
    seen: Counter = field(default_factory=Counter)
    killed: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.place()
        self.begin()
        assert self.run(Kill()) == 0, (self.folder / "log").read_text()
        done = json.loads((self.folder / "stage").read_text())
        self.operations, self.durations = done["operations"], done["durations"]
        self.expected = probabilities(self.output)

    def place(self) -> None:
        """Say where everything lies."""
        self.work = self.folder / "work"
        self.source = self.work / self.template.name
        self.output = self.source
        if self.mode != "in-place":
            stem, _, ending = self.template.name.partition(".nwb")
            self.output = self.work / f"{stem}_cinac.nwb{ending}"
        self.left = self.work / f".{self.output.name}.unfinished"
        self.before = contents(self.template)

    def begin(self) -> None:
        """Begin with nothing but the source."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        (shutil.copytree if self.template.is_dir() else shutil.copy2)(self.template, self.source)

    def run(self, kill: Kill) -> int:
        """Run the command."""
        command = ["predict", str(self.source), "--classifier", str(self.classifier), "--mode", self.mode]
        return self.server.run(
            command=[*command, "--resume-from", "0"],
            kill=vars(kill),
            folder=str(self.work),
            note=str(self.folder / "stage"),
            log=str(self.folder / "log"),
        )

    def choose(self, draw: random.Random) -> Kill:
        """Choose a moment: an operation on a file, or any time within a stage, each with the same chance."""
        if draw.random() < 0.5:
            return Kill(operation=draw.randint(1, self.operations))
        stage = draw.choice(list(self.durations))
        return Kill(stage=stage, delay=draw.uniform(0, self.durations[stage]))

    def trial(self, draw: random.Random, kills: int) -> None:
        """Kill the same command a few times, check what each kill leaves, then let it end and check that."""
        self.begin()
        for _ in range(kills):
            status = self.run(self.choose(draw))
            if status == 0:
                self.seen["ended before the kill"] += 1
                break
            if status != -signal.SIGKILL:
                assert self.is_whole(self.output), (status, (self.folder / "log").read_text())
                break  # the run before it was killed when all was done but the clearing up
            self.killed[(self.folder / "stage").read_text()] += 1
            self.seen[self.check()] += 1
        self.finish()

    def finish(self) -> None:
        """Let the command end, and check that its output is that of a run that nothing interrupted."""
        if not self.is_whole(self.output):
            assert self.run(Kill()) == 0, (self.folder / "log").read_text()
            self.seen["went on to the same bits"] += 1
            assert not self.left.exists(), list(self.left.iterdir())
        np.testing.assert_array_equal(probabilities(self.output), self.expected)
        if self.mode != "in-place":
            assert contents(self.source) == self.before

    def check(self) -> str:
        """Check what a kill has left: source, output, and at most one temporary folder of the known name."""
        names = {path.name for path in self.work.iterdir()}
        assert names <= {self.source.name, self.output.name, self.left.name}, names
        whole = self.is_whole(self.output)
        if self.mode == "in-place":
            assert whole or contents(self.source) == self.before, "the source is neither old nor new"
        else:
            assert contents(self.source) == self.before, "the source was changed"
            assert whole or not self.output.exists(), "a half-written output has the final name"
        temporary = "and a temporary folder" if self.left.name in names else "nothing else"
        if self.mode == "in-place":
            return f"the source {'with its predictions' if whole else 'as it was'}, {temporary}"
        return f"the source as it was, {'the whole output' if whole else 'no output'}, {temporary}"

    def is_whole(self, path: Path) -> bool:
        """Whether a file holds the predictions, all of them, and the movie if it should."""
        if not path.exists() or (self.mode == "in-place" and contents(path) == self.before):
            return False
        np.testing.assert_array_equal(probabilities(path), self.expected)
        if self.mode != "standalone":
            from ndx_cinac.reading import read_recording

            with read_recording(path) as one, read_recording(self.template) as other:
                frames = [each.require_movie().read(0, 50) for each in (one, other)]
            np.testing.assert_array_equal(*frames)
        return True


def contents(path: Path) -> dict[str, bytes]:
    """Every byte of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def probabilities(path: Path) -> Any:
    """Predictions in a file."""
    from ndx_cinac.writing import read_predictions

    return read_predictions(path).probabilities


def table_of(arenas: Sequence[Arena]) -> str:
    """What happened, as text: kills by stage, and what they left, for each mode."""
    lines = []
    for arena in arenas:
        kind = "Zarr" if arena.template.is_dir() else "HDF5"
        lines.append(f"{arena.mode}, {kind}: {sum(arena.killed.values())} kills")
        killed = ", ".join(f"{stage} {arena.killed[stage]}" for stage in STAGES if arena.killed[stage])
        lines.append(f"  while {killed}")
        lines += [f"  {count:5d}  {what}" for what, count in sorted(arena.seen.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    serve()
