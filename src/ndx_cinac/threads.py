"""How many threads compute: cores that this process may use, work spread over them, linear algebra in one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from .extras import require

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 4
"""Blocks of frames that are worked on at once, at most: each takes memory."""


def n_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def working_threads() -> int:
    """Threads among which blocks of frames are spread."""
    return min(MOST_THREADS, n_cores())


def linear_algebra_in_one_thread() -> AbstractContextManager[object]:
    """Let NumPy's and SciPy's linear algebra use one thread, until the context is left.

    Its matrices are small here. Threads of a library would mostly wait for each other, which they do
    spinning: beside other work that takes more processor time than the products themselves. With one thread
    sums are rounded alike however many cores a machine has.
    """
    limits = require("threadpoolctl", extra="predict", feature="Extracting traces").threadpool_limits
    context: AbstractContextManager[object] = limits(1, user_api="blas")
    return context


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Apply a function to items in several threads; results come in the items' order.

    No more than `threads` items are taken beyond the result that comes next, so memory is bounded. Where
    taking an item or working on it fails, the results before it come first.
    """
    waiting: deque[Future[Result]] = deque()
    failure: Exception | None = None
    following = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        while True:
            try:
                waiting.append(pool.submit(function, next(following)))
            except StopIteration:
                break
            except Exception as error:  # raised again below
                failure = error
                break
            if len(waiting) == threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    if failure is not None:
        raise failure
