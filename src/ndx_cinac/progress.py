"""Progress of long work: one small protocol, with a tqdm bar as its usual listener."""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``; a stage ends when done equals total."""


def silent(stage: str, done: int, total: int) -> None:
    """Listen to nothing."""


class ProgressBars:
    """One tqdm bar per stage on standard error; nothing is drawn when that is not a terminal."""

    def __init__(self) -> None:
        from .extras import require

        self._tqdm = require("tqdm", extra="predict", feature="A progress bar").tqdm
        self._stage: str | None = None
        self._bar = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of `stage` are finished."""
        if stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = self._tqdm(total=total, desc=stage, disable=not sys.stderr.isatty(), leave=False)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the present bar away."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._stage = None, None
