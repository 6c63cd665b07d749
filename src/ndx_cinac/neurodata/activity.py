"""ActivityPredictions: probabilities that ROIs are active, frame by frame, as a RoiResponseSeries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from hdmf.common import DynamicTableRegion
from pynwb import register_class
from pynwb.image import ImageSeries
from pynwb.ophys import RoiResponseSeries

from ..errors import InvalidTypeError
from . import checks
from .constructors import typed
from .namespace import NAMESPACE

if TYPE_CHECKING:
    import pandas

_OWN = {"classifier": DynamicTableRegion, "threshold": float, "definition": str, "movie": ImageSeries}


class SeriesArguments(TypedDict, total=False):
    """Further arguments of an ActivityPredictions: those of every TimeSeries."""

    name: str
    """Name in the file; "ActivityPredictions" by default."""
    description: str
    """What was predicted."""
    rate: float
    """Frames per second, with `starting_time`; else `timestamps` are given."""
    starting_time: float
    """Time of the first frame in seconds; 0 by default."""
    timestamps: Any
    """Time of each frame in seconds, shape (n_frames,); or the movie, to share its timestamps."""
    comments: str
    """Anything else."""


@register_class("ActivityPredictions", NAMESPACE)
class ActivityPredictions(RoiResponseSeries):  # type: ignore[misc]
    """Probability that each ROI is active, frame by frame: a RoiResponseSeries to tools that do not know it.

    Attributes
    ----------
    data : array of float32, shape (n_frames, n_rois)
        Probabilities from 0 to 1; unit "probability".
    rois : DynamicTableRegion, shape (n_rois,)
        Row of the PlaneSegmentation of each column.
    classifier : DynamicTableRegion, shape (n_rois,)
        Row of the ClassifierTable of each column.
    threshold : float
        Probability, from 0 to 1, at or above which a frame counts as active.
    definition : str
        What a probability of 1 means.
    movie : ImageSeries or None
        The movie that was classified, where the file holds it.
    """

    __nwbfields__ = ({"name": "classifier", "child": True}, "threshold", "definition", "movie")

    @typed("ActivityPredictions", RoiResponseSeries, _OWN, fixed=("unit",))
    def __init__(
        self,
        *,
        data: Any,
        rois: DynamicTableRegion,
        classifier: DynamicTableRegion,
        threshold: float,
        definition: str,
        movie: ImageSeries | None = None,
        **series: Unpack[SeriesArguments],
    ) -> None:
        """Make a series of predictions; `data` in memory becomes float32.

        Raises
        ------
        InvalidTypeError
            If probabilities, threshold, ROIs, classifiers, times or movie contradict each other. Data in a
            file or an iterator is not read for that: its shape is checked as far as it is known.
        """
        if not self._in_construct_mode:
            name = series.get("name", "ActivityPredictions")
            _check_data(data, rois, classifier, where=f"'{name}'")
            _check_times(data, movie, series, where=f"'{name}'")
            checks.check_probabilities([threshold], what="The threshold", where=f"'{name}'")
            if isinstance(data, (np.ndarray, list, tuple)):
                data = np.asarray(data, dtype=np.float32)
        super().__init__(data=data, rois=rois, unit="probability", **series)
        self.classifier = classifier
        self.threshold = threshold
        self.definition = definition
        self.movie = movie

    def to_dataframe(self) -> pandas.DataFrame:
        """Probabilities as a table: index "time (s)" in seconds, one column for each ROI, named by its id.

        All of `data` is read.
        """
        import pandas as pd

        ids = np.asarray(self.rois.table.id[:])[np.asarray(self.rois.data[:])]
        return pd.DataFrame(
            np.asarray(self.data[:]),
            index=pd.Index(self.seconds(), name="time (s)"),
            columns=pd.Index(ids, name="ROI id"),
        )

    def seconds(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Time of each frame in seconds, shape (n_frames,)."""
        if self.timestamps is not None:
            return np.asarray(self.timestamps[:], dtype=np.float64)
        interval = 1.0 / self.rate if self.rate else 1.0
        return float(self.starting_time or 0.0) + np.arange(len(self.data)) * interval


def _check_data(data: Any, rois: DynamicTableRegion, classifier: DynamicTableRegion, *, where: str) -> None:
    shape = checks.shape_of(data)
    if shape is not None and len(shape) != 2:
        what = f"Data has shape {shape}: predictions have two axes, frames and ROIs"
        raise InvalidTypeError(what, where=where)
    for region, each in ((rois, "ROI"), (classifier, "classifier row")):
        count = checks.shape_of(region.data)
        if shape is not None and shape[1] is not None and count is not None and shape[1] != count[0]:
            what = (
                f"Data has {shape[1]} columns, '{region.name}' has {count[0]}: each column needs its {each}"
            )
            fix = "Data is frames x ROIs: transpose it" if shape[0] == count[0] else None
            raise InvalidTypeError(what, where=where, fix=fix)
        if region.table is None:
            what = f"'{region.name}' does not say which table its rows are of"
            raise InvalidTypeError(what, where=where, fix="Give its DynamicTableRegion a table")
        checks.check_rows(region.data, region.table, what=f"'{region.name}'", where=where)
    checks.check_task(classifier.data, classifier.table, task="activity", where=where)
    checks.check_probabilities(data, what="A probability", where=where)


def _check_times(data: Any, movie: ImageSeries | None, series: SeriesArguments, *, where: str) -> None:
    shape = checks.shape_of(data)
    frames = None if shape is None else shape[0]
    timestamps = series.get("timestamps")
    rate = series.get("rate")
    if (timestamps is None) == (rate is None):
        what = "Times are given by 'rate' or by 'timestamps': one of them"
        raise InvalidTypeError(what, where=where)
    times = getattr(timestamps, "timestamps", timestamps)
    count = None if times is None else checks.shape_of(times)
    if count is not None and None not in (frames, count[0]) and count[0] != frames:
        what = f"There are {count[0]} timestamps for {frames} frames of data"
        raise InvalidTypeError(what, where=where)
    if movie is None:
        return
    if rate and movie.rate and not np.isclose(rate, movie.rate):
        what = f"The rate is {rate:g} Hz, that of movie '{movie.name}' is {movie.rate:g} Hz"
        raise InvalidTypeError(what, where=where)
    stored = None if movie.external_file is not None else checks.shape_of(movie.data)
    if stored is not None and None not in (frames, stored[0]) and stored[0] != frames:
        what = f"There are {frames} frames of data, movie '{movie.name}' has {stored[0]}"
        raise InvalidTypeError(what, where=where)
