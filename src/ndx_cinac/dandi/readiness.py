"""Is a file ready for an archive? What `dandi validate` says, and what it does not say."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np

from ..errors import ReadingError
from ..extras import require
from .findings import Finding
from .local_dandisets import METADATA_FILE
from .names import PATTERN, as_label
from .subjects import FIELDS, subject_findings

VIDEOS = (".mp4", ".avi", ".wmv", ".mov", ".flv", ".mkv")
"""What the dandi client uploads beside an NWB file that names it."""

CORE = ("core", "hdmf-common", "hdmf-experimental")


def check_ready(path: str | Path, *, with_dandi: bool = False) -> list[Finding]:
    """Say what keeps a file from an archive, or from being read there, and how to mend it.

    Parameters
    ----------
    path : str or Path
        An NWB file in HDF5; under its name and folder in a local copy of its dandiset, as these are checked.
    with_dandi : bool
        Run ``dandi validate`` too, which takes seconds; it needs the dandi client.

    Returns
    -------
    list of Finding
        Errors first. The subject (species, sex, age or date of birth), its name against the file's; links to
        other files and movies beside the file, which the archive would not have; more timestamps than frames;
        types whose extension the file does not describe.

    Raises
    ------
    ReadingError
        If the file cannot be opened.
    MissingExtraError
        If `with_dandi` is asked for and dandi is not installed.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            if "nwb_version" not in file.attrs:
                what = f"'{path}' is no NWB file: it has no attribute nwb_version"
                raise ReadingError(what)
            subject = _subject(file)
            found = [*subject_findings(subject), *_names(path, subject)]
            found += [*_outside(file), *_timestamps(file), *_extensions(file)]
    except OSError as error:
        what = f"'{path}' cannot be read as an HDF5 file: {error}"
        raise ReadingError(what) from error
    if with_dandi:
        found += [each for each in validate(path) if not _said(each, found)]
    order = ("error", "warning", "note")
    return sorted(found, key=lambda each: order.index(each.level))


def validate(path: str | Path) -> list[Finding]:
    """Run ``dandi validate`` on a file: its metadata, NWB Inspector's checks, and the archive's naming rules.

    Raises
    ------
    MissingExtraError
        If dandi is not installed.
    """
    os.environ.setdefault("DANDI_NO_ET", "1")
    files = require("dandi.files", extra="dandi", feature="Validating a file for an archive")
    path = Path(path).resolve()
    folders = [each for each in path.parents if (each / METADATA_FILE).exists()]
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pynwb about files that the inspector judges anyway
        asset = files.dandi_file(path, dandiset_path=(folders or [path.parent.parent])[0])
        results = asset.get_validation_errors()
    for result in results:
        severity = getattr(result.severity, "name", "INFO")
        level: Any = "error" if severity in ("ERROR", "CRITICAL") else "warning"
        if severity in ("INFO", "HINT", "DEBUG"):
            level = "note"
        inside = next(iter((result.within_asset_paths or {}).values()), "")
        message = " ".join((result.message or "").split()).rstrip(".")
        found.append(Finding(level, f"dandi validate: {message} [{result.id}]", inside))
    return found


def _subject(file: h5py.File) -> Any:
    """Return the subject's texts as they are stored; what cannot be read as a time is left as text."""
    group = file.get("general/subject", {})
    values: dict[str, Any] = {name: group[name].asstr()[()] for name in FIELDS if name in group}
    if "date_of_birth" in values:
        with suppress(ValueError):
            values["date_of_birth"] = datetime.fromisoformat(values["date_of_birth"])
    return SimpleNamespace(**values)


def _said(finding: Finding, found: list[Finding]) -> bool:
    """Whether something that dandi says was said already, with what to do about it."""
    return any(
        each.level == "error"
        and each.field.startswith("subject.")
        and each.field.removeprefix("subject.") in finding.message.lower()
        for each in found
    )


def _names(path: Path, subject: Any) -> Iterator[Finding]:
    """Compare the file's name with the archive's rules, and with the subject that the file names."""
    match = PATTERN.fullmatch(path.name)
    if match is None:
        yield Finding(
            "error",
            f"The archive takes no file called '{path.name}'",
            fix="Call it sub-SUBJECT[_ses-SESSION][_desc-cinac]_ophys.nwb: ndx_cinac.dandi.derived_path",
        )
        return
    if path.resolve().parent.name != f"sub-{match['sub']}":
        yield Finding("error", f"The file does not lie in a folder 'sub-{match['sub']}'", fix="Put it there")
    subject_id = getattr(subject, "subject_id", None)
    if subject_id and as_label(subject_id) != match["sub"]:
        yield Finding(
            "error",
            f"The file's name says subject '{match['sub']}', the file says '{subject_id}'",
            "subject.subject_id",
            "Rename the file, or correct the subject; the archive compares them not",
        )


def _outside(file: h5py.File) -> Iterator[Finding]:
    """Find what lies in other files: the archive stores this one alone."""
    for path, item in _walk(file):
        if isinstance(item, h5py.ExternalLink):
            yield Finding(
                "error",
                f"It is a link into another file, '{item.filename}', which nobody can follow in the archive",
                path,
                "Write the file with link_data=False, or predict with mode 'standalone'",
            )
        elif isinstance(item, h5py.Dataset) and (item.external or _virtual(item)):
            fix = "Copy the values into the file"
            yield Finding(
                "error", "Its values lie in another file, which the archive does not get", path, fix
            )
        elif isinstance(item, h5py.Dataset) and path.endswith("/external_file"):
            yield from _external(path, [str(name) for name in np.atleast_1d(item.asstr()[()])], file)


def _virtual(dataset: h5py.Dataset) -> bool:
    return bool(dataset.is_virtual and any(s.file_name != "." for s in dataset.virtual_sources()))


def _external(path: str, names: list[str], file: h5py.File) -> Iterator[Finding]:
    """Judge files that an image series names."""
    for name in names:
        if "://" in name:
            continue
        if not name.lower().endswith(VIDEOS):
            yield Finding(
                "error",
                f"The movie lies in '{name}' beside the file, and an upload leaves it behind",
                path,
                "Put the frames into the NWB file, or predict with mode 'standalone'",
            )
        elif not (Path(file.filename).resolve().parent / name).exists():
            yield Finding("error", f"The video '{name}' is not there", path)


def _timestamps(file: h5py.File) -> Iterator[Finding]:
    """Find series with more timestamps than samples."""
    for path, item in _walk(file):
        if isinstance(item, h5py.Group) and {"data", "timestamps"} <= set(item):
            data, times = item.get("data"), item.get("timestamps")
            if isinstance(data, h5py.Dataset) and data.shape and times is not None and data.size:
                extra = len(times) - data.shape[0]
                if extra > 0:
                    what = f"It has {len(times)} timestamps for {data.shape[0]} frames"
                    yield Finding("error", what, path, "Leave out the timestamps that belong to no frame")


def _extensions(file: h5py.File) -> Iterator[Finding]:
    """Say which extensions a reader of the file needs, and whether the file describes them."""
    used = {
        str(item.attrs["namespace"])
        for _, item in _walk(file)
        if isinstance(item, h5py.Group | h5py.Dataset) and "namespace" in item.attrs
    }
    specifications = file.get("specifications", {})
    for name in sorted(used - set(CORE)):
        if name not in specifications:
            yield Finding(
                "error",
                f"The file has types of the extension '{name}' and does not describe it: "
                "without the extension nobody can read them",
                "specifications",
                "Write the file again with cache_spec=True, which pynwb does by default",
            )
            continue
        versions = ", ".join(sorted(specifications[name]))
        yield Finding(
            "note",
            f"The file has types of the extension '{name}' {versions}, which it describes: other tools show "
            "them as the core types that they extend",
            "specifications",
            f"Say in the dandiset's description that they are read best with: pip install {name}",
        )


def _walk(group: h5py.Group, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and item of everything below `group`; links to other files are given, not followed."""
    for name in group:
        link = group.get(name, getlink=True)
        here = f"{path}/{name}"
        if isinstance(link, h5py.ExternalLink):
            yield here, link
        elif isinstance(link, h5py.HardLink) and here != "/specifications":
            item = group[name]
            yield here, item
            if isinstance(item, h5py.Group):
                yield from _walk(item, here)
