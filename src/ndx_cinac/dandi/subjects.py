"""What an archive asks of a subject, and values for what the source does not say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..errors import ConfigError
from .findings import Finding

SEXES = {"M": "male", "F": "female", "U": "unknown", "O": "other"}
NUMBER = r"\d+(?:\.\d+)?"
DURATION = (
    rf"P(?=\d|T\d)(?:{NUMBER}Y)?(?:{NUMBER}M)?(?:{NUMBER}W)?(?:{NUMBER}D)?"
    rf"(?:T(?:{NUMBER}H)?(?:{NUMBER}M)?(?:{NUMBER}S)?)?"
)
AGE = re.compile(rf"{DURATION}(/({DURATION})?)?")
"""An age in ISO 8601 (P90D), or a range of ages (P10D/P20D)."""

SPECIES = re.compile(r"[A-Z][a-z]+ [a-z]+.*|https?://.+")

FIELDS: Mapping[str, str] = {
    "subject_id": "the animal's name in the dandiset, such as M1",
    "species": "its Latin name, such as Mus musculus",
    "sex": ", ".join(f"{sign} ({name})" for sign, name in SEXES.items()),
    "age": "ISO 8601, such as P90D; or the date of birth instead",
    "date_of_birth": "with its time zone, such as 2024-01-31T00:00+01:00",
}
"""Fields of the subject that can be supplied, and what they hold."""

NEEDED = ("subject_id", "species", "sex")


def option(field: str) -> str:
    """Return how a field of the subject is supplied on the command line."""
    return "--subject-id" if field == "subject_id" else f"--subject-{field.replace('_', '-')}"


def check_given(given: Mapping[str, Any]) -> None:
    """Refuse values for a subject that no archive would take.

    Raises
    ------
    ConfigError
        If a field is not known, or a value is not of its kind.
    """
    for field, value in given.items():
        if field not in FIELDS:
            what = f"A subject's field '{field}' cannot be supplied"
            raise ConfigError(what, fix=f"Known are: {', '.join(FIELDS)}")
        wrong = _wrong(field, value)
        if wrong:
            raise ConfigError(wrong, fix=f"Give {FIELDS[field]}")


def subject_findings(subject: Any, given: Mapping[str, Any] | None = None) -> list[Finding]:
    """Say what an archive misses in a subject, and how it is supplied.

    Parameters
    ----------
    subject : pynwb.file.Subject or None
        The file's.
    given : mapping of str, optional
        What will be put into its empty fields.

    Returns
    -------
    list of Finding
        Errors: the archive takes no file that lacks one of these. Warnings: odd values.
    """
    values = {name: getattr(subject, name, None) or (given or {}).get(name) for name in FIELDS}
    missing = [name for name in NEEDED if not values[name]]
    if not (values["age"] or values["date_of_birth"]):
        missing.append("age")
    found = [
        Finding("error", f"The subject has no {name}", f"subject.{name}", f"{option(name)} ({FIELDS[name]})")
        for name in missing
    ]
    for name, value in values.items():
        wrong = _wrong(name, value) if value else ""
        if wrong:
            fix = f"Correct it in the source: {FIELDS[name]}"
            found.append(Finding("warning", wrong, f"subject.{name}", fix))
    return found


def _wrong(field: str, value: Any) -> str:
    """Say what is wrong with a value; empty if nothing is."""
    if field == "date_of_birth":
        good = isinstance(value, datetime) and value.tzinfo is not None
    elif field == "sex":
        good = value in SEXES
    elif field == "age":
        good = AGE.fullmatch(str(value)) is not None
    elif field == "species":
        good = SPECIES.fullmatch(str(value)) is not None
    else:
        good = bool(str(value).strip("-_ "))
    return "" if good else f"The subject's {field} cannot be '{value}'"
