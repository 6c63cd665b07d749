"""Changes of a JSON text that leave it JSON: bytes changed at random rarely pass the parser."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 3, 2**63, 10**30, 0.5, 1e308, -0.0, "", "a", "\0", "%s{0}", "../..", "é" * 300),
    *([], {}, [[]], [None], [0, 1], {"a": 1}, {"class_name": "Lambda", "config": {}}, ["relu"], "Lambda"),
    *("Dense", "Model", "Bidirectional", "activity", "cell_type", "softmax", "swish", "mean"),
)
"""Values to put in the place of others."""


def mutate_json(data: bytes, seed: int) -> bytes | None:
    """Return the text with one to four values replaced, removed or doubled; None if it is no JSON."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        content = _changed(content, draw)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _changed(content: Any, draw: random.Random) -> Any:
    places = list(_places(content))
    if not places:
        return copy.deepcopy(draw.choice(ODD))
    holder, key = draw.choice(places)
    kind = draw.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, place = draw.choice(places)
        holder[key] = copy.deepcopy(other[place])
    elif kind == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 3 and isinstance(holder, dict):
        holder[str(draw.choice(ODD))] = holder.pop(key)
    else:
        holder[key] = copy.deepcopy(draw.choice(ODD))
    return content


def _places(content: Any) -> Any:
    """Every (list or mapping, index or key)."""
    waiting = [content]
    while waiting:
        holder = waiting.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else range(len(holder))
            if isinstance(holder, list)
            else ()
        )
        for key in keys:
            yield holder, key
            waiting.append(holder[key])
