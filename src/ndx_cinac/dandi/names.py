"""Names of derived files that a DANDI archive accepts, made from the names or sessions of their sources."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ..errors import OutputError

SUFFIX = "ophys"
"""What dandi calls a file with ROIs and what was measured of them."""

LABEL = r"[^_*\\/<>:|\"'?%@;.]+"
ENTITIES = ("ses", "tis", "slice", "cell", "desc", "probe", "obj")
"""Entities behind the subject, in the order in which dandi writes them."""

PATTERN = re.compile(
    rf"sub-(?P<sub>{LABEL})(?P<rest>(?:_(?:{'|'.join(ENTITIES)})-{LABEL})*)(?:_[a-z]+(?:\+[a-z]+)*)?\.nwb"
)
NOT_IN_LABELS = re.compile(r"[_*\\/<>:|\"'?%@;.,\s]")


def derived_path(
    source: str,
    *,
    subject_id: str | None = None,
    session_id: str | None = None,
    description: str = "cinac",
) -> str:
    """Return the path, in its dandiset, of a file that is derived from an asset.

    The entities of the source's name are kept and ``desc`` is added, so that no two sources share a name:
    ``sub-M1/sub-M1_ses-S1_desc-cinac_ophys.nwb``. (``dandi organize`` never writes ``desc``, and would drop
    ``ses`` where raw and derived files lie together.)

    Parameters
    ----------
    source : str
        The asset's path. Where it does not follow the archive's rules, the ids make the name.
    subject_id, session_id : str, optional
        What the file says of its subject and session. Characters that a name cannot hold become ``-``.
    description : str
        The label of ``desc``; behind that of the source, if it has one.

    Returns
    -------
    str
        With ``/`` between folder and file.

    Raises
    ------
    OutputError
        If the name's subject is not the file's, or there is no subject at all.

    Examples
    --------
    >>> derived_path("sub-M1/sub-M1_ses-S1_behavior+ophys.nwb")
    'sub-M1/sub-M1_ses-S1_desc-cinac_ophys.nwb'
    >>> derived_path("raw/first day.nwb", subject_id="M_1", session_id="2024.05")
    'sub-M-1/sub-M-1_ses-2024-05_desc-cinac_ophys.nwb'
    """
    match = PATTERN.fullmatch(PurePosixPath(source).name)
    entities: dict[str, str] = {}
    if match is not None:
        pairs = (part.split("-", 1) for part in match["rest"].split("_")[1:])
        entities = {"sub": match["sub"], **dict(pairs)}
        if subject_id and as_label(subject_id) != entities["sub"]:
            what = f"The name of '{source}' says subject '{entities['sub']}', the file says '{subject_id}'"
            fix = "Ask the dandiset's owners which is right: a derived file would be filed under one of them"
            raise OutputError(what, fix=fix)
    elif subject_id:
        entities["sub"] = as_label(subject_id)
    else:
        what = f"Neither the name of '{source}' nor the file says which subject it is of"
        raise OutputError(what, fix="Give it: subject_id= (--subject-id)")
    if session_id and "ses" not in entities and match is None:
        entities["ses"] = as_label(session_id)
    given = as_label(description)
    entities["desc"] = f"{entities['desc']}-{given}" if entities.get("desc") else given
    labels = "".join(f"_{name}-{entities[name]}" for name in ENTITIES if name in entities)
    return f"sub-{entities['sub']}/sub-{entities['sub']}{labels}_{SUFFIX}.nwb"


def as_label(text: str) -> str:
    """Return a text as a label of a name, as dandi does: what a label cannot hold becomes ``-``.

    Raises
    ------
    OutputError
        If nothing is left of it.
    """
    label = NOT_IN_LABELS.sub("-", text)
    if not label.strip("-"):
        what = f"'{text}' cannot be part of a file's name"
        raise OutputError(what, fix="Give a subject, session or description with letters or digits")
    return label


def subject_of(path: str) -> str | None:
    """Return the subject that a path names, if it follows the archive's rules."""
    match = PATTERN.fullmatch(PurePosixPath(path).name)
    return None if match is None else match["sub"]
