"""Loading TensorFlow without what its native code says, and without packages that nothing here uses."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .extras import require


def load_networks(*, show: bool = False) -> str:
    """Load TensorFlow and return the device that it computes on.

    Parameters
    ----------
    show : bool
        Whether what its native code writes to standard error appears there even where nothing fails.

    Raises
    ------
    MissingExtraError
        If TensorFlow is not installed.
    """
    with native_messages_aside(show=show), left_out("sklearn", "matplotlib"):
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            with left_out("jax"):  # TensorFlow imports it where it is, to convert models that came from it
                require("tensorflow", extra="predict", feature="Running a network")
        from .networks import device_description

        return device_description()


@contextmanager
def left_out(*packages: str) -> Iterator[None]:
    """Let imports go as if packages were not installed; afterwards they can be imported as ever.

    Keras imports scikit-learn and Matplotlib where they are, for wrappers and figures that nothing here uses:
    a third of the time that TensorFlow takes to load.
    """
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in packages if name not in modules]
    modules.update(dict.fromkeys(hidden))  # None says that there is no such module
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


@contextmanager
def native_messages_aside(*, show: bool) -> Iterator[None]:
    """Keep what native code writes to standard error, and drop it if nothing fails."""
    if show:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
