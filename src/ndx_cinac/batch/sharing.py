"""Parts of one recording as tasks of Dask, handed out by the worker that predicts it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

TASKS_PER_WORKER = 2
"""Parts that are handed out at a time: nobody waits for work, and few results wait for their turn."""

LARGE_GRAPH = "1 GiB"
"""What all parts share may take tens of megabytes; Dask would warn of it."""


class OtherWorkers:
    """The workers of the scheduler that this task runs for; they do parts of its work.

    Parts of a worker that dies go to another one. What all parts share lies with the scheduler, so that it
    does not die with a worker.
    """

    def map(self, function: Callable[[Any, Any], Any], shared: Any, pieces: Iterable[Any]) -> Iterator[Any]:
        """Give back ``function(shared, piece)`` of every piece, in order."""
        import dask
        from distributed import worker_client

        waiting: deque[Any] = deque()
        # The task gives its place up while it waits: its own worker does parts, too.
        with (
            dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGE_GRAPH}),
            worker_client() as client,
        ):
            given = client.submit(_given, shared, pure=False)
            most = TASKS_PER_WORKER * len(client.nthreads())
            try:
                for piece in pieces:
                    waiting.append(client.submit(function, given, piece, pure=False, priority=1))
                    if len(waiting) >= most:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                client.cancel([given, *waiting])


def _given(shared: Any) -> Any:
    return shared
