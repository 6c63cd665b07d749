"""`ndx-cinac dandi predict`: assets of an archive into derived files, and how these are uploaded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CinacError, ConfigError, OutputError
from .printing import printable

if TYPE_CHECKING:
    from ..dandi import DerivedFile, DerivedOptions
    from ..dandi.predictors import Predictors


def predict_assets(options: argparse.Namespace) -> None:
    """Predict assets, one after the other, and say how they are uploaded."""
    from ..dandi import find_assets, predict_asset
    from ..dandi.derived import check_names
    from .commands import _progress, _say
    from .dandi import hush
    from .predict import introduce

    hush(options)
    if options.yes and not options.upload:
        what = "--yes says to upload without asking, and nothing is to be uploaded"
        raise ConfigError(what, fix="Add --upload, or leave --yes out")
    chosen = _predictors(options)
    wanted = _derived_options(options, chosen)
    assets = find_assets(options.dandiset, options.paths, instance=options.instance, version=options.version)
    assets, left_out = check_names(assets, Path(options.to), wanted, all_wanted=bool(options.paths))
    for asset, why in left_out.items():
        _say(options, printable(f"left out: {asset.path}: {why}"))
    for classifier in chosen.classifiers:
        introduce(options, classifier)
    done: list[DerivedFile] = []
    failed: list[CinacError] = []
    for number, asset in enumerate(assets, 1):
        _say(options, printable(f"\n{number} of {len(assets)}: {asset}"))
        try:
            done.append(
                predict_asset(
                    asset, options.to, chosen.first, wanted, task=chosen.task, progress=_progress(options)
                )
            )
        except CinacError as error:
            if len(assets) == 1:
                raise
            failed.append(error)
            print(printable(f"ndx-cinac: {asset.path}: {error}"), file=sys.stderr)
            continue
        _say(options, printable(_told(done[-1])))
    if options.json:
        print(json.dumps([_record(each) for each in done], indent=2))
    if done:
        _upload_or_say_how(options, done)
    if failed:
        what = f"{len(failed)} of {len(assets)} assets were not predicted"
        raise OutputError(what, fix="Run it again when that is mended: what is done is not done again")


def _predictors(options: argparse.Namespace) -> Predictors:
    """Load the classifiers that the options name, and check that they go together."""
    from ..dandi.predictors import DEFAULT_ACTIVITY, DEFAULT_CELL_TYPES, Predictors
    from ..prediction import BothOptions, read_activity_by_cell_type
    from .commands import load_any
    from .predict import task_of
    from .prediction_options import activity_options, cell_type_options

    task = task_of(options)
    threshold = options.threshold if task == "cell-type" else None
    how = BothOptions(activity_options(options), cell_type_options(options, threshold))
    if task == "cell-type":
        types = load_any(options.classifier or DEFAULT_CELL_TYPES, options.weights)
        return Predictors(None, types, how)
    typing: Any = None
    if task == "all":
        typing = load_any(options.cell_type_classifier or DEFAULT_CELL_TYPES, options.cell_type_weights)
    if options.activity_by_cell_type is not None:
        return Predictors(read_activity_by_cell_type(options.activity_by_cell_type), typing, how)
    return Predictors(load_any(options.classifier or DEFAULT_ACTIVITY, options.weights), typing, how)


def _derived_options(options: argparse.Namespace, chosen: Predictors) -> DerivedOptions:
    """Return how the files are to be made."""
    from ..dandi import DerivedOptions
    from ..dandi.subjects import FIELDS
    from .commands import _reading

    names = {field: field if field == "subject_id" else f"subject_{field}" for field in FIELDS}
    given = {field: getattr(options, name) for field, name in names.items()}
    folder = options.download
    if folder == "":
        folder = f"{options.to.rstrip('/')}-downloads"
    return DerivedOptions(
        instance=options.instance,
        version=options.version,
        subject={field: value for field, value in given.items() if value is not None},
        description=options.description,
        download_to=folder,
        overwrite=options.overwrite,
        reading=_reading(options),
        cell_type_classifier=chosen.cell_types if chosen.activity is not None else None,
        prediction=chosen.options,
    )


def _upload_or_say_how(options: argparse.Namespace, done: list[DerivedFile]) -> None:
    """Print the command that uploads; run it only if that was asked for, and agreed to."""
    from ..dandi.uploading import plan_upload
    from .commands import _say

    ready = [each for each in done if each.ready]
    if not ready:
        _say(options, "\nNothing is ready to be uploaded: see the errors above.")
        return
    archive = ready[0].asset.archive
    plan = plan_upload(options.to, [each.in_dandiset for each in ready], archive.option)
    if not options.upload:
        _say(options, f"\nto upload, which nothing here has done:\n  {plan.command}")
        return
    _say(options, f"\n{plan.to_text()}")
    if not options.yes and not _agreed(plan.command):
        _say(options, f"Nothing was uploaded. The command is:\n  {plan.command}")
        return
    plan.run()
    _say(options, f"uploaded {len(plan.paths)} file{'s' if len(plan.paths) > 1 else ''}")


def _agreed(command: str) -> bool:
    """Ask, where somebody can answer."""
    if not sys.stdin.isatty():
        what = "Nobody can be asked whether to upload: standard input is no terminal"
        raise OutputError(what, fix=f"Add --yes, or run: {command}")
    return input("Upload? [y/N] ").strip().lower() in ("y", "yes")


def _told(derived: DerivedFile) -> str:
    """Return what people want to know of a derived file."""
    traffic, part = derived.traffic, ""
    if derived.movie_read is not None and derived.movie_bytes:
        times = derived.movie_read / derived.movie_bytes
        part = f": {derived.movie_read / 1e6:.1f} MB of the movie ({times:.2f} of its stored size), the rest "
        part += "for masks, tables and structure"
    lines = [
        *(result.summary() for result in derived.results),
        f"read         {traffic.bytes / 1e6:.1f} MB in {traffic.requests} requests{part}"
        + (f"; {len(traffic.failures)} failed and were repeated" if traffic.failures else ""),
        f"{derived.seconds:.1f} s in all",
        *(str(each) for each in derived.findings),
    ]
    return "\n".join(lines)


def _record(derived: DerivedFile) -> Mapping[str, Any]:
    """Return what was done, as JSON types."""
    from .records import record_of

    records: dict[str, Any] = {
        each.task: record_of(each, "standalone", derived.seconds) for each in derived.results
    }
    return {
        **(records if len(records) > 1 else next(iter(records.values()))),
        "asset": derived.asset.provenance(),
        "dandiset": derived.dandiset,
        "in_dandiset": derived.in_dandiset,
        "ready": derived.ready,
        "findings": [vars(each) for each in derived.findings],
        "requests": derived.traffic.requests,
        "bytes": derived.traffic.bytes,
        "movie_read": derived.movie_read,
        "movie_bytes": derived.movie_bytes,
        "repeated": len(derived.traffic.failures),
    }
