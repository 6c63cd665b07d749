"""From an asset to a derived file that its archive accepts: streamed, predicted, written and checked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, ReadingError
from ..progress import Progress, silent
from ..reading import ReadingOptions
from ..writing import OutputOptions
from ..writing.output import goal_path
from ..writing.unfinished import UnfinishedFolder
from .archives import DandiAsset
from .findings import Finding, errors_of
from .listing import ruled_out
from .local_dandisets import check_folder, made_folder
from .names import derived_path, subject_of
from .predictors import WhatTask, choose_predictors
from .readiness import check_ready
from .remote_files import StreamingOptions
from .streaming import OpenAsset, open_asset
from .subjects import check_given, subject_findings
from .transfer import Traffic

if TYPE_CHECKING:
    from ..classifiers import Classifier
    from ..prediction import ActivityByCellType, BothOptions
    from ..results import Result


@dataclass(frozen=True)
class DerivedOptions:
    """How a derived file is made.

    Attributes
    ----------
    instance, version : str or None
        Archive and version of a dandiset that is named without them, as in `find_assets`.
    subject : mapping of str
        Values, by field (`subjects.FIELDS`), for what the source does not say of its subject.
    description : str
        The label of ``desc`` in the file's name.
    download_to : str, Path or None
        A folder to download the asset into first; None: it is streamed.
    overwrite : bool
        Replace a derived file that is there.
    validate : bool
        Run ``dandi validate`` on the file.
    reading : ReadingOptions or None
        Which movie, segmentation and rows, and how their axes lie.
    cell_type_classifier : str, Path, Classifier or None
        The classifier of cell types where activity is predicted, too; None: "cell-type-sim".
    prediction : BothOptions or None
        Thresholds, memory and speed; None: the usual ones, and finished work is always kept for the next run.
    streaming : StreamingOptions
        How the asset is read.
    """

    instance: str | None = None
    version: str | None = None
    subject: Mapping[str, Any] = field(default_factory=dict)
    description: str = "cinac"
    download_to: str | Path | None = None
    overwrite: bool = False
    validate: bool = True
    reading: ReadingOptions | None = None
    cell_type_classifier: str | Path | Classifier | None = None
    prediction: BothOptions | None = None
    streaming: StreamingOptions = field(default_factory=StreamingOptions)

    def __post_init__(self) -> None:
        check_given(self.subject)


@dataclass(frozen=True)
class DerivedFile:
    """A derived file, and how it came about.

    Attributes
    ----------
    asset : DandiAsset
        What was predicted.
    path : Path
        The file; `in_dandiset` is its path in the dandiset.
    dandiset : str
        Identifier of the dandiset whose local copy it lies in.
    results : tuple of ActivityResult and CellTypeResult
        The predictions; the activity comes first, where both were predicted.
    findings : tuple of Finding
        What keeps it from being uploaded, and what its owners should know.
    traffic : Traffic
        Requests and bytes that it took.
    movie_read, movie_bytes : int or None
        Bytes that were fetched of the movie, and those that it takes in the asset; None where that is not
        known, or nothing was streamed. The rest of `traffic` are masks, tables and the file's structure.
    seconds : float
        How long it took in all.
    """

    asset: DandiAsset
    path: Path
    in_dandiset: str
    dandiset: str
    results: tuple[Result, ...]
    findings: tuple[Finding, ...]
    traffic: Traffic
    movie_read: int | None
    movie_bytes: int | None
    seconds: float

    @property
    def result(self) -> Result:
        """The predictions; those of activity, where both were predicted."""
        return self.results[0]

    @property
    def ready(self) -> bool:
        """Whether nothing keeps it from being uploaded."""
        return not errors_of(self.findings)


def predict_asset(
    asset: str | DandiAsset,
    to: str | Path,
    classifier: str | Path | Classifier | ActivityByCellType | None = None,
    options: DerivedOptions | None = None,
    *,
    task: WhatTask | None = None,
    path: str | None = None,
    progress: Progress = silent,
) -> DerivedFile:
    """Predict an asset of a dandiset, and write a file without its movie that the archive accepts.

    Nothing is uploaded. Everything that can be checked is checked before the movie is read. What an
    interrupted run has fetched and finished is kept beside the file; the same call goes on from there.

    Parameters
    ----------
    asset : str or DandiAsset
        Its address, its dandiset (then with `path`), or the asset as `find_assets` gives it.
    to : str or Path
        A local copy of the dandiset that the file is to belong to; it is made if it is absent.
    classifier : str, Path, Classifier or ActivityByCellType, optional
        That of activity, or of cell types if these alone are predicted; by default "activity-sim", or
        "cell-type-sim".
    options : DerivedOptions, optional
        How the file is made.
    task : {"activity", "cell-type", "all"}, optional
        What to predict; by default what the classifier is for.
    path : str, optional
        The asset's path in its dandiset.
    progress : callable
        Told how far it is.

    Returns
    -------
    DerivedFile
        Where the file is, what is in it, and whether it is ready for the archive.

    Raises
    ------
    ArchiveError
        If the asset cannot be had.
    OutputError
        If the file is there already, has no name, lacks what the archive asks for, or cannot be written.
    ReadingError, ClassifierError, PredictionError, ConfigError
        As `predict_activity`.
    """
    from ..prediction import BothOptions, CellTypeOptions, PredictionOptions

    started = time.perf_counter()
    options, folder = options or DerivedOptions(), Path(to).expanduser()
    always = BothOptions(PredictionOptions(resume_seconds=0), CellTypeOptions(resume_seconds=0))
    how = options.prediction or always
    predictors = choose_predictors(task, classifier, options.cell_type_classifier, how)
    with open_asset(
        asset,
        path,
        instance=options.instance,
        version=options.version,
        download_to=options.download_to,
        options=options.streaming,
    ) as opened:
        dandiset = check_folder(folder, opened.asset)
        name = plan_name(opened, folder, options)
        output = OutputOptions(
            folder / name, "standalone", overwrite=options.overwrite, subject=options.subject
        )
        if how.activity.resume:
            opened.keep_in = UnfinishedFolder(goal_path(output, None)).path
        with made_folder(folder, name, opened.asset), opened.clear_errors():
            results = predictors.predict(opened, output, options.reading, progress)
        read = (opened.traffic, opened.movie_read, opened.movie_bytes)
    findings = tuple(check_ready(folder / name, with_dandi=options.validate))
    seconds = time.perf_counter() - started
    made = (opened.asset, folder / name, name, dandiset, results, findings)
    return DerivedFile(*made, *read, seconds)


def plan_name(opened: OpenAsset, folder: Path, options: DerivedOptions) -> str:
    """Return the derived file's path in its dandiset, after all that can be refused about it was refused.

    Raises
    ------
    OutputError
        If the file is there, has no name, or its subject lacks what the archive asks for.
    """
    subject = opened.nwbfile.subject
    missing = errors_of(subject_findings(subject, options.subject))
    if missing:
        what = "; ".join(each.message for each in missing) + ": the archive would refuse the file"
        fix = "Supply what is missing: " + ", ".join(each.fix for each in missing if each.fix)
        raise OutputError(what, where=opened.asset.path, fix=fix)
    subject_id = getattr(subject, "subject_id", None) or options.subject.get("subject_id")
    name = derived_path(
        opened.asset.path,
        subject_id=subject_id,
        session_id=opened.nwbfile.session_id,
        description=options.description,
    )
    if (folder / name).exists() and not options.overwrite:
        what = "The derived file exists already"
        fix = "Replace it (--overwrite), or give it another description (--description)"
        raise OutputError(what, where=str(folder / name), fix=fix)
    return name


def check_names(
    assets: Sequence[DandiAsset], folder: Path, options: DerivedOptions, *, all_wanted: bool
) -> tuple[list[DandiAsset], dict[DandiAsset, str]]:
    """Sort out, before any work, which of several assets are predicted.

    Parameters
    ----------
    assets : sequence of DandiAsset
        As `find_assets` gives them.
    folder : Path
        Where derived files go.
    options : DerivedOptions
        How they are made.
    all_wanted : bool
        Whether each was named: then one that cannot be predicted is an error, else it is left out.

    Returns
    -------
    list of DandiAsset
        What is to be predicted.
    dict of DandiAsset to str
        What is left out, with the reason: it cannot be predicted, or was predicted already.

    Raises
    ------
    ReadingError
        If nothing is left, or something that was named cannot be predicted.
    OutputError
        If two derived files would have one name.
    """
    left_out: dict[DandiAsset, str] = {}
    names: dict[str, DandiAsset] = {}
    for asset in assets:
        reason = ruled_out(asset)
        if not reason and subject_of(asset.path) is not None:
            name = derived_path(asset.path, description=options.description)
            if name in names:
                what = f"'{names[name].path}' and '{asset.path}' would both become '{name}'"
                raise OutputError(what, fix="Predict one of them with another description (--description)")
            names[name] = asset
            if (folder / name).exists() and not options.overwrite and len(assets) > 1:
                reason = f"'{name}' is there already"
        if reason:
            left_out[asset] = reason
    refused = [each for each in left_out if ruled_out(each)]
    if refused and (all_wanted or len(refused) == len(assets)):
        what = f"Asset {refused[0].path} cannot be predicted: {left_out[refused[0]]}"
        raise ReadingError(what, fix="See what can be with: ndx-cinac dandi list DANDISET")
    return [each for each in assets if each not in left_out], left_out
