"""Text for terminals: names and messages from files cannot move the cursor or hide what was said."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` with all but its line ends and printable characters written as escapes."""
    return "".join(
        each if each == "\n" or each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )
