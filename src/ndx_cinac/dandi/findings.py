"""What stands between a file and its archive: findings, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that an archive, or those who read from it, would stumble over.

    Attributes
    ----------
    level : {"error", "warning", "note"}
        "error": the archive refuses the file, or nobody can read all of it there.
    message : str
        What it is, in one sentence without its full stop.
    field : str
        Object path, or attribute, that it is about; may be empty.
    fix : str
        What to do about it; may be empty.
    """

    level: Literal["error", "warning", "note"]
    message: str
    field: str = ""
    fix: str = ""

    def __str__(self) -> str:
        place = f" ({self.field})" if self.field else ""
        remedy = f" {self.fix}." if self.fix else ""
        return f"{self.level}: {self.message}{place}.{remedy}"


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that keep a file out of an archive."""
    return [each for each in findings if each.level == "error"]
