"""Several pieces of long work at once, each in a process of its own that tells how far it is."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar, cast

from ..errors import CinacError, PredictionError
from ..progress import Progress

Argument = TypeVar("Argument")

_package_log = logging.getLogger(__name__.partition(".")[0])


def run_side_by_side(
    function: Callable[[Argument, Progress], None], arguments: Sequence[Argument], progress: Progress
) -> None:
    """Call a function once per argument, each time in another new process, and wait for all.

    Where one fails, or this process is interrupted, the others are ended. Where this process is killed, they
    end with it.

    Parameters
    ----------
    function : callable
        ``function(argument, progress)``; one that can be imported by name. What it returns is lost.
    arguments : sequence
        One per process; they are pickled.
    progress : Progress
        Told of the sum of what all of them have done.

    Raises
    ------
    CinacError
        What a call raised, or that a process ended without a word.
    """
    context = multiprocessing.get_context("spawn")
    level = _package_log.getEffectiveLevel()
    running: dict[Connection, Any] = {}
    done: dict[Connection, tuple[int, int]] = {}
    try:
        for argument in arguments:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_call, args=(theirs, function, argument, level), daemon=True)
            process.start()
            theirs.close()  # so that the pipe ends with the process
            running[ours], done[ours] = process, (0, 0)
        while running:
            for pipe in cast("list[Connection]", wait(list(running))):
                if _hear(pipe, running[pipe], done):
                    running.pop(pipe).join()
                elif all(total for _, total in done.values()):
                    steps = (sum(each) for each in zip(*done.values(), strict=True))
                    progress("training", *steps)
    finally:
        for process in running.values():
            process.kill()
            process.join()


def _hear(pipe: Connection, process: Any, done: dict[Connection, tuple[int, int]]) -> bool:
    """Take one message; whether it was the last one."""
    try:
        kind, content = pipe.recv()
    except (EOFError, OSError):
        process.join()
        what = (
            "One of the processes that train networks side by side ended without a word (exit status "
            f"{process.exitcode}): there may be too little memory"
        )
        fix = "Go on with --resume, or begin again with 'side_by_side: false' in the config: in turn"
        raise PredictionError(what, fix=fix) from None
    if kind == "failed":
        raise content
    if kind == "said":
        name, level, text = content
        logging.getLogger(name).log(level, "%s", text)
    if kind == "steps":
        done[pipe] = content
    return bool(kind == "finished")


class _Sender(logging.Handler):
    """Sends what is logged in one of the processes to the one that began it."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Send one message."""
        self._pipe.send(("said", (record.name, record.levelno, record.getMessage())))


def _call(pipe: Connection, function: Callable[[Any, Progress], None], argument: Any, log_level: int) -> None:
    """Be one of the processes."""
    _package_log.addHandler(_Sender(pipe))
    _package_log.setLevel(log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that began this one is told, and ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        function(argument, lambda _, done, total: pipe.send(("steps", (done, total))))
    except CinacError as error:
        pipe.send(("failed", error))
    else:
        pipe.send(("finished", None))


def _end_with_parent() -> None:
    """Wait for the end of the process that began this one; nobody would take what this one makes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
