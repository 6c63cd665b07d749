"""What each field of a model card may hold: checks that return what the value must be, or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def integer(value: Any) -> str:
    """Check a whole number."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return "" if good else "a whole number of 1 or more"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "a text"


def _filled(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else "a text that says something"


def _name(value: Any) -> str:
    good = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value)
    return "" if good else "a name of up to 100 letters, digits, dots, dashes and underscores"


def _task(value: Any) -> str:
    return "" if value in ("activity", "cell_type") else '"activity" or "cell_type"'


def _inputs(value: Any) -> str:
    good = isinstance(value, dict) and isinstance(value.get("kind"), str)
    return "" if good else 'an object with a text "kind"'


def _classes(value: Any) -> str:
    good = (
        isinstance(value, list) and value and not any(map(_filled, value)) and len(set(value)) == len(value)
    )
    return "" if good else "a list of different names, at least one"


def _threshold(value: Any) -> str:
    return "" if _number(value) and 0 <= value <= 1 else "a number from 0 to 1"


def _limits(value: Any) -> str:
    good = (
        isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and 0 < value[0] <= value[1]
    )
    return "" if value is None or good else "null or two numbers above 0, the smaller one first"


def _mapping(value: Any) -> str:
    return "" if isinstance(value, dict) else "an object"


def _texts(value: Any) -> str:
    return "" if isinstance(value, list) and not any(map(_text, value)) else "a list of texts"


def _versions(value: Any) -> str:
    return "" if isinstance(value, dict) and not any(map(_text, value.values())) else "an object of texts"


def _sha256(value: Any) -> str:
    good = isinstance(value, str) and re.fullmatch(r"(?:[0-9a-f]{64})?", value)
    return "" if good else "64 lower-case hexadecimal digits"


FIELDS: Mapping[str, Callable[[Any], str]] = {
    "name": _name,
    "version": _filled,
    "task": _task,
    "description": _text,
    "definition": _filled,
    "inputs": _inputs,
    "classes": _classes,
    "cell_types": _mapping,
    "threshold": _threshold,
    "frame_rates": _limits,
    "pixel_sizes": _limits,
    "roi_diameters": _limits,
    "training": _mapping,
    "metrics": _mapping,
    "known_failures": _texts,
    "versions": _versions,
    "licence": _text,
    "sha256": _sha256,
    "card_format": integer,
}
