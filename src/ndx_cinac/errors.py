"""The errors of ndx-cinac: each says what happened, where, and what to do about it."""

from __future__ import annotations

from typing import Any


class CinacError(Exception):
    """Base of all errors that ndx-cinac raises on purpose.

    Parameters
    ----------
    what : str
        What happened, as one clause without a full stop at its end.
    where : str, optional
        Where: file, object path, ROI, frame.
    fix : str, optional
        What the user can do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep type and text on the way to another process, whatever a subclass is made from."""
        return _restored, (type(self), self.what, self.where, self.fix)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        remedy = f" {self.fix.rstrip('.')}." if self.fix else ""
        return f"{self.what.rstrip('.')}{place}.{remedy}"


def _restored(kind: type[CinacError], what: str, where: str | None, fix: str | None) -> CinacError:
    """Make an error again in another process."""
    error = kind.__new__(kind)
    CinacError.__init__(error, what, where=where, fix=fix)
    return error


class MissingExtraError(CinacError, ImportError):
    """A feature needs a package that is not installed; the message holds the command that installs it."""

    def __init__(self, feature: str, extra: str, package: str) -> None:
        super().__init__(
            f"{feature} needs the package '{package}', which is not installed",
            fix=f'Install it with: pip install "ndx-cinac[{extra}]"',
        )


class ReadingError(CinacError):
    """A file, a movie or a plane segmentation cannot be read as asked."""


class AmbiguousSourceError(ReadingError):
    """Several movies or plane segmentations could be meant; the message lists them and how to choose."""


class InvalidTypeError(CinacError, ValueError):
    """An object of the extension would hold values that contradict each other."""


class ClassifierError(CinacError):
    """A classifier cannot be found, is damaged or unsafe, or does not fit what it is asked to do."""


class PredictionError(CinacError):
    """A prediction cannot be made, or was interrupted."""


class OutputError(CinacError):
    """The output cannot be written as asked; nothing was changed."""


class ArchiveError(CinacError):
    """A DANDI archive cannot be reached, refuses, or lacks what is asked for."""


class ConfigError(CinacError, ValueError):
    """An option or a configuration file holds a value that cannot be used."""
