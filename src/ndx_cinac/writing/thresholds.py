"""Predicted activity that lies in a file, cut at another threshold: without its movie, without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError
from ..reading.opening import check_path
from ..recording import Source
from ..results import ActivityResult
from .output import DEFAULT_NAME, OutputOptions, check_output
from .predictions import write_predictions
from .stored import opened, read_predictions, stored_object


def change_threshold(
    source: str | Path,
    threshold: float,
    output: OutputOptions | str | Path,
    *,
    name: str = DEFAULT_NAME,
) -> ActivityResult:
    """Give stored predictions another threshold: transients are cut anew, probabilities stay as they are.

    Parameters
    ----------
    source : str or Path
        An NWB file with predicted activity; its movie is not needed.
    threshold : float
        The new threshold, from 0 (every frame is active) to 1.
    output : OutputOptions, str or Path
        Where and how; a path alone means a copy of the file at that path. With a name of its own in the
        options the predictions lie beside those of the old threshold, else they replace them there.
    name : str
        Name of the predictions in the source.

    Returns
    -------
    ActivityResult
        What was written. Its notes, and the provenance, say that the threshold was changed.

    Raises
    ------
    ConfigError
        If `threshold` is out of its range.
    ReadingError
        If there are no predictions of that name.
    OutputError
        If the output must not or cannot be written.
    """
    if not 0 <= threshold <= 1:
        what = f"A threshold of {threshold:g} makes no sense: probabilities lie between 0 and 1"
        raise ConfigError(what, fix="Give a number from 0 to 1")
    path = check_path(source)
    given = output if isinstance(output, OutputOptions) else OutputOptions(path=output)
    goal = replace(given, name=given.name or name)
    replacing = goal.name == name
    check_output(goal, path, () if replacing else ("activity",))
    result = _cut(_read(path, name), threshold)
    # That the goal itself is free, or may be replaced, was checked above.
    goal = replace(goal, overwrite=goal.overwrite or replacing)
    return replace(result, output=write_predictions(result, goal, path))


def _read(path: Path, name: str) -> ActivityResult:
    """Read predictions, with the objects of this very file as those that they point to."""
    with opened(path) as (nwbfile, _):
        result = read_predictions(nwbfile, name)
        stored = stored_object(nwbfile, name, "activity", path)
        known = result.source or Source(path, str(nwbfile.identifier), "", "", "", "")
        movie = getattr(stored, "movie", None)
        found = replace(
            known,
            segmentation_id=stored.rois.table.object_id,
            movie_id=known.movie_id if movie is None else movie.object_id,
        )
    return replace(result, source=found)


def _cut(result: ActivityResult, threshold: float) -> ActivityResult:
    """Take another threshold, and say so in the notes and the parameters."""
    note = (
        f"the threshold was changed from {result.threshold:g} to {threshold:g} after the prediction; "
        "probabilities are as they were"
    )
    chosen = {**result.parameters.get("options", {}), "threshold": threshold}
    return replace(
        result,
        threshold=float(threshold),
        parameters={**result.parameters, "options": chosen},
        notes=(*result.notes, note),
    )
