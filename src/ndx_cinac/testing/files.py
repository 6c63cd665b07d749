"""NWB files in memory that show a mock recording, in the layouts that real files have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBFile
from pynwb.device import Device
from pynwb.file import Subject
from pynwb.ophys import (
    Fluorescence,
    ImageSegmentation,
    ImagingPlane,
    OnePhotonSeries,
    OpticalChannel,
    PlaneSegmentation,
    TwoPhotonSeries,
)

from ..neurodata import ActivityAnnotations, AnnotatedSegments
from .scenes import MockRecording, mock_recording


@dataclass(frozen=True)
class MockLayout:
    """How a mock file stores its recording.

    Attributes
    ----------
    mask : {"image", "pixel", "voxel"}
        The mask column of the PlaneSegmentation.
    exchanged : bool
        Whether the masks' two axes are exchanged against the movie's.
    transposed : bool
        Whether movie and masks are stored with their spatial axes swapped: (t, x, y) in place of (t, y, x).
    stored_traces : bool
        Whether the ROIs' traces are stored as a RoiResponseSeries.
    n_planes : int
        Number of imaging planes, each with its own cells, movie and PlaneSegmentation.
    series : {"TwoPhotonSeries", "OnePhotonSeries"}
        Type of the movie.
    timestamps : bool
        Whether times are timestamps in place of a rate.
    truth : bool
        Whether the first plane's activity is stored in module "cinac", as ActivityAnnotations and
        AnnotatedSegments.
    """

    mask: Literal["image", "pixel", "voxel"] = "image"
    exchanged: bool = False
    transposed: bool = False
    stored_traces: bool = False
    n_planes: int = 1
    series: Literal["TwoPhotonSeries", "OnePhotonSeries"] = "TwoPhotonSeries"
    timestamps: bool = False
    truth: bool = False


def mock_nwbfile_with_movie(
    n_rois: int = 3,
    n_frames: int = 200,
    shape: tuple[int, int] = (40, 48),
    seed: int = 0,
    *,
    layout: MockLayout | None = None,
    mock: MockRecording | None = None,
) -> NWBFile:
    """Make an NWBFile in memory with a movie, its PlaneSegmentation and what `layout` asks for.

    The movie is ``acquisition["TwoPhotonSeries"]`` (or as `layout.series` says), the ROIs are
    ``processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]``; further planes have a number behind
    these names. The same `seed` gives the cells, frames and activity of
    ``mock_recording(n_rois, n_frames, shape, seed)``, which can be given as `mock` instead.
    """
    layout = MockLayout() if layout is None else layout
    nwbfile = _empty_file(seed)
    device = nwbfile.create_device(name="Microscope", description="Simulated.")
    segmentations = ImageSegmentation(name="ImageSegmentation")
    nwbfile.create_processing_module(name="ophys", description="ROIs").add(segmentations)
    for plane in range(layout.n_planes):
        suffix = "" if plane == 0 else str(plane + 1)
        seen = (
            mock if mock is not None and plane == 0 else mock_recording(n_rois, n_frames, shape, seed + plane)
        )
        imaging_plane = _imaging_plane(nwbfile, device, seen, suffix)
        _add_movie(nwbfile, seen, imaging_plane, layout, suffix)
        segmentation = _segmentation(seen, imaging_plane, layout, suffix)
        segmentations.add_plane_segmentation(segmentation)
        if layout.stored_traces:
            _add_traces(nwbfile, seen, segmentation, suffix)
        if layout.truth and plane == 0:
            _add_truth(nwbfile, seen, segmentation)
    return nwbfile


def _empty_file(seed: int) -> NWBFile:
    start = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
    return NWBFile(
        session_description="A simulated field of cells for tests.",
        identifier=f"mock-{seed}",
        session_start_time=start,
        session_id="mock",
        experimenter=["Mock, Mary"],
        experiment_description="None: all of it is simulated.",
        institution="None",
        keywords=["simulation"],
        subject=Subject(
            subject_id="mock", species="Mus musculus", sex="U", age="P30D", description="Simulated."
        ),
    )


def _imaging_plane(nwbfile: NWBFile, device: Device, mock: MockRecording, suffix: str) -> ImagingPlane:
    size = (mock.recording.pixel_size or 1.0) * 1e-6
    channel = OpticalChannel(
        name=f"Channel{suffix}", description="Simulated green channel.", emission_lambda=520.0
    )
    return nwbfile.create_imaging_plane(
        name=f"ImagingPlane{suffix}",
        optical_channel=channel,
        description="Simulated plane.",
        device=device,
        excitation_lambda=920.0,
        indicator="GCaMP6s",
        location="Primary visual area",
        grid_spacing=[size, size],
        grid_spacing_unit="meters",
    )


def _add_movie(
    nwbfile: NWBFile, mock: MockRecording, plane: ImagingPlane, layout: MockLayout, suffix: str
) -> Any:
    frames = mock.frames.transpose(0, 2, 1) if layout.transposed else mock.frames
    times = mock.recording.times
    assert times is not None
    when = (
        {"timestamps": times.seconds()} if layout.timestamps else {"rate": times.rate, "starting_time": 0.0}
    )
    kind = TwoPhotonSeries if layout.series == "TwoPhotonSeries" else OnePhotonSeries
    series = kind(
        name=f"{layout.series}{suffix}",
        description="Simulated movie.",
        data=np.ascontiguousarray(frames),
        unit="n.a.",
        imaging_plane=plane,
        **when,
    )
    nwbfile.add_acquisition(series)
    return series


def _segmentation(
    mock: MockRecording, plane: ImagingPlane, layout: MockLayout, suffix: str
) -> PlaneSegmentation:
    table = PlaneSegmentation(
        name=f"PlaneSegmentation{suffix}", description="Simulated ROIs.", imaging_plane=plane, id=[]
    )
    rois = mock.recording.require_rois()
    swap = layout.exchanged != layout.transposed
    for row in range(len(rois)):
        pixels = rois.pixels(row)[:, ::-1] if swap else rois.pixels(row)
        weights = rois.pixel_weights(row)
        table.add_row(
            **{
                f"{layout.mask}_mask": _mask(
                    pixels, weights, rois.shape[::-1] if swap else rois.shape, layout
                )
            }
        )
    return table


def _mask(pixels: NDArray[Any], weights: NDArray[Any], shape: tuple[int, ...], layout: MockLayout) -> Any:
    if layout.mask == "image":
        image = np.zeros(shape, np.float32)
        image[tuple(pixels.T)] = weights
        return image
    if layout.mask == "pixel":
        return [(int(x), int(y), float(w)) for (x, y), w in zip(pixels, weights, strict=True)]
    return [(int(x), int(y), 0, float(w)) for (x, y), w in zip(pixels, weights, strict=True)]


def _add_traces(nwbfile: NWBFile, mock: MockRecording, segmentation: PlaneSegmentation, suffix: str) -> None:
    rois = mock.recording.require_rois()
    frames = mock.frames
    means = [frames[:, rois.pixels(r)[:, 0], rois.pixels(r)[:, 1]].mean(axis=1) for r in range(len(rois))]
    module = nwbfile.processing["ophys"]
    if "Fluorescence" not in module.data_interfaces:
        module.add(Fluorescence(name="Fluorescence"))
    module["Fluorescence"].create_roi_response_series(
        name=f"RoiResponseSeries{suffix}",
        description="Mean of each ROI's pixels.",
        data=np.stack(means, axis=1).astype(np.float32),
        rois=segmentation.create_roi_table_region(region=list(range(len(rois))), description="All ROIs."),
        unit="n.a.",
        rate=mock.recording.times.rate if mock.recording.times else 1.0,
    )


def _add_truth(nwbfile: NWBFile, mock: MockRecording, segmentation: PlaneSegmentation) -> None:
    """Store each active period, and the whole recording as examined."""
    times = mock.recording.times
    assert times is not None
    padded = np.pad(mock.active.astype(np.int8), ((1, 1), (0, 0)))
    change = np.diff(padded, axis=0).T
    roi, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1] - 1
    periods = ActivityAnnotations.from_arrays(
        rois=segmentation,
        columns={
            "timestamp": times.seconds()[first],
            "duration": (last - first + 1) * times.frame_interval,
            "roi": roi,
            "state": ["active"] * len(roi),
            "annotator": ["simulation"] * len(roi),
            "first_frame": first,
            "last_frame": last,
        },
    )
    n_rois = len(segmentation)
    segments = AnnotatedSegments.from_arrays(
        rois=segmentation,
        columns={
            "start_time": np.zeros(n_rois),
            "stop_time": np.full(n_rois, times.n_frames * times.frame_interval),
            "roi": np.arange(n_rois),
            "annotator": ["simulation"] * n_rois,
            "first_frame": np.zeros(n_rois, np.int64),
            "last_frame": np.full(n_rois, times.n_frames - 1),
        },
    )
    module = nwbfile.create_processing_module(name="cinac", description="Known activity.")
    module.add(periods)
    module.add(segments)
