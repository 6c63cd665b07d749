"""Others that take a share of a prediction's work: none by default, a cluster's workers where asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol


class Helpers(Protocol):
    """Other processes that work on pieces."""

    def map(self, function: Callable[[Any, Any], Any], shared: Any, pieces: Iterable[Any]) -> Iterator[Any]:
        """Give back ``function(shared, piece)`` of every piece, in order.

        `function` is one that can be imported by name. Pieces are taken as they are needed, so that few of
        them are in memory at once.
        """


_present: ContextVar[Helpers | None] = ContextVar("helpers", default=None)


def present_helpers() -> Helpers | None:
    """Return who helps with the work that is under way; None where nobody does."""
    return _present.get()


@contextmanager
def helped_by(helpers: Helpers | None) -> Iterator[None]:
    """Let predictions within this block give parts of one recording's work to others.

    Numbers do not change: a part is what would have been computed at once anyway.
    """
    token = _present.set(helpers)
    try:
        yield
    finally:
        _present.reset(token)
