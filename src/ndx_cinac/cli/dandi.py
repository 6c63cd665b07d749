"""`ndx-cinac dandi`: what of a dandiset can be predicted, derived files, and whether they are ready."""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any

from ..errors import OutputError
from .arguments import add_overwrite, moment, verb
from .predict import add_resuming, add_what
from .printing import printable

LIST_EXAMPLE = (
    "example:\n  ndx-cinac dandi list 000026\n  ndx-cinac dandi list 000026/draft 'sub-M1/*' --json"
)
PREDICT_EXAMPLE = (
    "  ndx-cinac dandi predict 000026 sub-M1/sub-M1_ses-S1_ophys.nwb --to derived\n"
    "  ndx-cinac dandi predict https://dandiarchive.org/dandiset/000026/draft --to derived --download\n"
    "  ndx-cinac dandi predict 000026 --to derived --task all   (activity and cell types)\n"
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
        module = "dandi_predict" if name == "predict" else "dandi"
        made.set_defaults(run=f"{module}:{name}_assets")
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
    add_what(parser)
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
    add_resuming(parser, "0")
    parser.set_defaults(resume_from=0.0)


def list_assets(options: argparse.Namespace) -> None:
    """Say of each asset whether it can be predicted."""
    from ..dandi import find_assets
    from ..dandi.listing import as_table
    from ..dandi.listing import list_assets as look
    from ..dandi.transfer import Traffic
    from .commands import _progress, _say

    hush(options)
    assets = find_assets(options.dandiset, options.paths, instance=options.instance, version=options.version)
    progress, traffic, listed = _progress(options), Traffic(), []
    for entry in look(assets, told=lambda opened: traffic.add(opened.traffic)):
        listed.append(entry)
        progress("looking into assets", len(listed), len(assets))
    if options.json:
        print(json.dumps([entry.to_dict() for entry in listed], indent=2))
        return
    _say(options, printable(as_table(listed)))
    _say(options, f"\n({traffic.requests} requests and {traffic.bytes / 1e6:.1f} MB to look into them)")


def check_assets(options: argparse.Namespace) -> None:
    """Say what keeps files from an archive."""
    from ..dandi import check_ready
    from ..dandi.findings import errors_of
    from .commands import _say

    hush(options)
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


def hush(options: argparse.Namespace) -> None:
    """Leave the dandi client's log to those who ask for it: what it means is said in our own words."""
    if not (options.verbose or options.debug):
        logging.getLogger("dandi").setLevel(logging.CRITICAL + 1)
