"""`ndx-cinac dandi`: what of a dandiset can be predicted, derived files, and whether they are ready."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CinacError, ConfigError, OutputError
from .arguments import add_classifier, add_overwrite, moment, positive, probability, verb

if TYPE_CHECKING:
    from ..dandi import DerivedFile, DerivedOptions

LIST_EXAMPLE = (
    "example:\n  ndx-cinac dandi list 000026\n  ndx-cinac dandi list 000026/draft 'sub-M1/*' --json"
)
PREDICT_EXAMPLE = (
    "  ndx-cinac dandi predict 000026 sub-M1/sub-M1_ses-S1_ophys.nwb --to derived\n"
    "  ndx-cinac dandi predict https://dandiarchive.org/dandiset/000026/draft --to derived --download\n"
    "  ndx-cinac dandi predict 000026 --to derived --subject-sex F --upload   (asks before it uploads)"
)
CHECK_EXAMPLE = "  ndx-cinac dandi check derived/sub-M1/sub-M1_ses-S1_desc-cinac_ophys.nwb"


def add_dandi(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verbs' parsers to `verbs`."""
    summary = "find, stream and predict movies of a DANDI archive, and make files that it accepts"
    parser = verb(verbs, common, "dandi", summary, f"{LIST_EXAMPLE}\n{PREDICT_EXAMPLE}")
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)

    def add(name: str, words: str, example: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            parents=[common],
            epilog=f"example:\n{example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=f"dandi:{name}_assets")
        made.add_argument("--json", action="store_true", help="print what was found or done as JSON")
        return made

    listing = add("list", "list what can be predicted, and why the rest cannot; no downloads", LIST_EXAMPLE)
    _add_assets(listing)
    _add_predict(add("predict", "predict assets into files for the archive", PREDICT_EXAMPLE))
    check = add("check", "say what keeps files from an archive, and how to mend it", CHECK_EXAMPLE)
    check.add_argument("files", metavar="FILE", nargs="+", help="NWB files in a local copy of their dandiset")


def _add_assets(parser: argparse.ArgumentParser) -> None:
    """Add which assets are meant."""
    parser.add_argument(
        "dandiset", metavar="DANDISET", help="000026, 000026/VERSION, or the address of a dandiset or asset"
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help="paths, folders or patterns in it (all)")
    parser.add_argument(
        "-i", "--instance", help="dandi, dandi-sandbox or any archive's address ($DANDI_INSTANCE, else dandi)"
    )
    parser.add_argument("--version", help="draft, or a published version (the latest, else the draft)")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    """Add how assets are predicted, and where the files go."""
    _add_assets(parser)
    parser.add_argument(
        "--to", metavar="FOLDER", required=True, help="local copy of the dandiset; made if it is absent"
    )
    add_classifier(parser)
    parser.add_argument("--threshold", type=probability, help="probability that counts as active")
    parser.add_argument("--batch-size", type=positive, help="stretches that the network is given at once")
    group = parser.add_argument_group("source")
    group.add_argument("--movie", help="path, name or object id of the movie in the file")
    group.add_argument("--segmentation", help="path, name or object id of the ROI table")
    group.add_argument("--axes", choices=("auto", "matching", "exchanged"), default="auto")
    rois = group.add_mutually_exclusive_group()
    rois.add_argument("--rois", type=int, nargs="+", metavar="ROW", help="predict only these rows")
    rois.add_argument("--roi-column", metavar="COLUMN", help="predict only ROIs where this column says yes")
    group.add_argument(
        "--download",
        metavar="FOLDER",
        nargs="?",
        const="",
        help="download assets first, verified and resumable, into FOLDER (FOLDER of --to, '-downloads')",
    )
    group = parser.add_argument_group("subject, where the source does not say it")
    group.add_argument("--subject-id")
    group.add_argument("--subject-species", metavar="NAME", help="such as 'Mus musculus'")
    group.add_argument("--subject-sex", choices=("M", "F", "U", "O"))
    group.add_argument("--subject-age", metavar="AGE", help="ISO 8601, such as P90D")
    group.add_argument("--subject-date-of-birth", metavar="TIME", type=moment)
    group = parser.add_argument_group("output")
    group.add_argument(
        "--description", default="cinac", help="label of desc in the file's name (%(default)s)"
    )
    add_overwrite(group, "replace derived files that exist")
    group.add_argument("--upload", action="store_true", help="upload them, after showing them and asking")
    group.add_argument("--yes", action="store_true", help="upload without asking")


def list_assets(options: argparse.Namespace) -> None:
    """Say of each asset whether it can be predicted."""
    from ..dandi import find_assets
    from ..dandi.listing import as_table
    from ..dandi.listing import list_assets as look
    from ..dandi.transfer import Traffic
    from .commands import _progress, _say

    _hush(options)
    assets = find_assets(options.dandiset, options.paths, instance=options.instance, version=options.version)
    progress, traffic, listed = _progress(options), Traffic(), []
    for entry in look(assets, told=lambda opened: traffic.add(opened.traffic)):
        listed.append(entry)
        progress("looking into assets", len(listed), len(assets))
    if options.json:
        print(json.dumps([entry.to_dict() for entry in listed], indent=2))
        return
    _say(options, as_table(listed))
    _say(options, f"\n({traffic.requests} requests and {traffic.bytes / 1e6:.1f} MB to look into them)")


def predict_assets(options: argparse.Namespace) -> None:
    """Predict assets, one after the other, and say how they are uploaded."""
    from ..dandi import find_assets, predict_asset
    from ..dandi.derived import check_names
    from .commands import _load_networks, _progress, _say, load_any

    _hush(options)
    if options.yes and not options.upload:
        what = "--yes says to upload without asking, and nothing is to be uploaded"
        raise ConfigError(what, fix="Add --upload, or leave --yes out")
    wanted = _derived_options(options)
    classifier = load_any(options.classifier, None)
    assets = find_assets(options.dandiset, options.paths, instance=options.instance, version=options.version)
    assets, left_out = check_names(assets, Path(options.to), wanted, all_wanted=bool(options.paths))
    for asset, why in left_out.items():
        _say(options, f"left out: {asset.path}: {why}")
    card = classifier.card
    _say(options, f"{card.name} {card.version} (sha256 {card.sha256[:12]}), on {_load_networks(options)}")
    done: list[DerivedFile] = []
    failed: list[CinacError] = []
    for number, asset in enumerate(assets, 1):
        _say(options, f"\n{number} of {len(assets)}: {asset}")
        try:
            done.append(predict_asset(asset, options.to, classifier, wanted, progress=_progress(options)))
        except CinacError as error:
            if len(assets) == 1:
                raise
            failed.append(error)
            print(f"ndx-cinac: {asset.path}: {error}", file=sys.stderr)
            continue
        _say(options, _told(done[-1]))
    if options.json:
        print(json.dumps([_record(each) for each in done], indent=2))
    if done:
        _upload_or_say_how(options, done)
    if failed:
        what = f"{len(failed)} of {len(assets)} assets were not predicted"
        raise OutputError(what, fix="Run it again when that is mended: what is done is not done again")


def check_assets(options: argparse.Namespace) -> None:
    """Say what keeps files from an archive."""
    from ..dandi import check_ready
    from ..dandi.findings import errors_of
    from .commands import _say

    _hush(options)
    found = {file: check_ready(file, with_dandi=True) for file in options.files}
    if options.json:
        print(json.dumps({file: [vars(each) for each in here] for file, here in found.items()}, indent=2))
    for file, here in found.items():
        _say(
            options, "\n".join([f"{file}:", *(f"  {each}" for each in here)] if here else [f"{file}: ready"])
        )
    bad = [file for file, here in found.items() if errors_of(here)]
    if bad:
        what = f"{len(bad)} of {len(found)} files are not ready for an archive"
        raise OutputError(what)


def _derived_options(options: argparse.Namespace) -> DerivedOptions:
    """Return how the files are to be made."""
    from ..dandi import DerivedOptions
    from ..dandi.subjects import FIELDS
    from ..prediction import PredictionOptions
    from .commands import _reading

    names = {field: field if field == "subject_id" else f"subject_{field}" for field in FIELDS}
    given = {field: getattr(options, name) for field, name in names.items()}
    numbers = {"threshold": options.threshold, "batch_size": options.batch_size}
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
        prediction=PredictionOptions(**{name: value for name, value in numbers.items() if value is not None}),
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
    traffic = derived.traffic
    part = (
        "" if not derived.movie_bytes else f", {traffic.bytes / derived.movie_bytes:.2f} of the movie's size"
    )
    lines = [
        derived.result.summary(),
        f"read         {traffic.bytes / 1e6:.1f} MB in {traffic.requests} requests{part}"
        + (f"; {len(traffic.failures)} failed and were repeated" if traffic.failures else ""),
        f"{derived.seconds:.1f} s in all",
        *(str(each) for each in derived.findings),
    ]
    return "\n".join(lines)


def _record(derived: DerivedFile) -> Mapping[str, Any]:
    """Return what was done, as JSON types."""
    from .records import record_of

    return {
        **record_of(derived.result, "standalone", derived.seconds),
        "asset": derived.asset.provenance(),
        "dandiset": derived.dandiset,
        "in_dandiset": derived.in_dandiset,
        "ready": derived.ready,
        "findings": [vars(each) for each in derived.findings],
        "requests": derived.traffic.requests,
        "bytes": derived.traffic.bytes,
        "movie_bytes": derived.movie_bytes,
        "repeated": len(derived.traffic.failures),
    }


def _hush(options: argparse.Namespace) -> None:
    """Leave the dandi client's log to those who ask for it: what it means is said in our own words."""
    if not (options.verbose or options.debug):
        logging.getLogger("dandi").setLevel(logging.CRITICAL + 1)
