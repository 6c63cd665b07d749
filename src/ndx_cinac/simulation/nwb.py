"""Write a simulated field as an NWB file: movie, ROIs, true activity and true fluorescence."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from pynwb import NWBHDF5IO, NWBFile, ProcessingModule
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

from ..errors import OutputError
from ..evaluation import periods
from ..neurodata import ActivityAnnotations, AnnotatedSegments, CellTypeAnnotations
from ..writing.output import written_whole
from .field import SimulatedField

ANNOTATOR = "simulation"
CHUNK_BYTES = 4 * 2**20


def write_nwb(field: SimulatedField, path: str | Path) -> Path:
    """Write a field to an HDF5 file that appears whole or not at all.

    The movie is ``acquisition["TwoPhotonSeries"]`` (or ``["OnePhotonSeries"]``); the ROIs are
    ``processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]``. Beside them lies what is true:
    ``ActivityAnnotations``, ``AnnotatedSegments``, ``CellTypeAnnotations`` where cells have types and, in
    ``Fluorescence``, noise-free traces and spikes. The file's notes hold the config.

    Parameters
    ----------
    field : SimulatedField
        What to write.
    path : str or Path
        The file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the file exists, its folder does not, or writing fails.
    """
    path = Path(path)
    if path.exists():
        what = "The output exists already"
        raise OutputError(what, where=str(path), fix="Choose another path, or delete the file first")
    if not path.resolve().parent.is_dir():
        what = "The output's folder does not exist"
        raise OutputError(what, where=str(path.parent), fix="Make it first, or choose another path")
    with written_whole(path) as partial, NWBHDF5IO(str(partial), mode="w") as io:
        io.write(to_nwbfile(field))
    return path


def to_nwbfile(field: SimulatedField) -> NWBFile:
    """Return a field as an NWBFile in memory, laid out as `write_nwb` says."""
    nwbfile = _empty_file(field)
    plane = _imaging_plane(nwbfile, field)
    nwbfile.add_acquisition(_movie(field, plane))
    segmentation = _segmentation(field, plane)
    ophys = nwbfile.create_processing_module(
        "ophys", "ROIs, and what is true of them: activity, fluorescence, spikes"
    )
    ophys.add(ImageSegmentation(name="ImageSegmentation", plane_segmentations=[segmentation]))
    _add_true_traces(ophys, field, segmentation)
    ophys.add(_annotations(field, segmentation))
    ophys.add(_segments(field, segmentation))
    if any(field.cell_types):
        ophys.add(_cell_types(field, segmentation))
    return nwbfile


def _empty_file(field: SimulatedField) -> NWBFile:
    """Make a file that says what was simulated, and how to do so again."""
    config = field.config.to_yaml()
    seed = "an unknown seed" if field.seed is None else f"seed {field.seed}"
    content = hashlib.sha256(config.encode() + field.movie.tobytes()).hexdigest()
    return NWBFile(
        session_description="Simulated calcium-imaging movie with known activity; no animal was recorded",
        identifier=f"ndx-cinac-simulation-{content[:16]}",
        session_start_time=datetime(2024, 1, 1, 12, 0, tzinfo=UTC),
        session_id=f"simulation-{content[:8]}",
        experimenter=["Simulation, Ndx-cinac"],
        institution="none (simulation)",
        lab="none (simulation)",
        experiment_description=f"Made by ndx_cinac.simulation from {seed} and the config in the notes",
        keywords=["simulation", "calcium imaging", "ground truth"],
        notes=config,
        subject=Subject(
            subject_id="simulated-mouse",
            species="Mus musculus",
            sex="U",
            age=field.config.session.age,
            description="Simulated; stands for a mouse of that age",
        ),
    )


def _imaging_plane(nwbfile: NWBFile, field: SimulatedField) -> ImagingPlane:
    kind = "one-photon miniscope" if field.one_photon else "two-photon microscope"
    device = nwbfile.create_device(name="Microscope", description=f"Simulated {kind}")
    channel = OpticalChannel(
        name="OpticalChannel",
        description="Simulated green channel",
        emission_lambda=525.0 if field.one_photon else 510.0,
    )
    return nwbfile.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=channel,
        description="Simulated field of view",
        device=device,
        excitation_lambda=475.0 if field.one_photon else 920.0,
        indicator=field.config.session.indicator,
        location=field.config.session.location,
        imaging_rate=field.frame_rate,
        grid_spacing=[field.pixel_size * 1e-6] * 2,
        grid_spacing_unit="meters",
    )


def _movie(field: SimulatedField, plane: ImagingPlane) -> OnePhotonSeries | TwoPhotonSeries:
    kind = OnePhotonSeries if field.one_photon else TwoPhotonSeries
    n_frames, first, second = field.movie.shape
    chunk = (max(1, min(n_frames, CHUNK_BYTES // (2 * first * second))), first, second)
    return kind(
        name=kind.__name__,
        description="Simulated movie: frames x first x second spatial axis, as masks have them",
        data=H5DataIO(field.movie, compression="gzip", compression_opts=4, shuffle=True, chunks=chunk),
        unit="n.a.",
        imaging_plane=plane,
        rate=field.frame_rate,
        starting_time=0.0,
    )


def _segmentation(field: SimulatedField, plane: ImagingPlane) -> PlaneSegmentation:
    table = PlaneSegmentation(
        name="PlaneSegmentation",
        description="ROIs as someone might have drawn them; pixel_mask x is the movie's first spatial axis",
        imaging_plane=plane,
    )
    for row in range(len(field.rois)):
        pixels, weights = field.rois.pixels(row), field.rois.pixel_weights(row)
        table.add_row(
            pixel_mask=[(int(x), int(y), float(w)) for (x, y), w in zip(pixels, weights, strict=True)]
        )
    table.add_column(
        name="kind",
        description="What lies beneath: one cell, two (doublet), or none but a process, a vessel or neuropil",
        data=list(field.kinds),
    )
    return table


def _add_true_traces(
    module: ProcessingModule, field: SimulatedField, segmentation: PlaneSegmentation
) -> None:
    """Add noise-free fluorescence and event sizes, a column per ROI."""
    fluorescence = Fluorescence(name="Fluorescence")
    module.add(fluorescence)
    described = {
        "TrueFluorescence": ("Brightness of the cell alone, without noise or background", field.fluorescence),
        "TrueSpikes": ("Size of the event that starts in each frame; a typical one is 1", field.spikes),
    }
    every = list(range(len(field.rois)))
    for name, (description, values) in described.items():
        fluorescence.create_roi_response_series(
            name=name,
            description=description,
            data=H5DataIO(values, compression="gzip", shuffle=True),
            rois=segmentation.create_roi_table_region(region=every, description="All ROIs"),
            unit="n.a.",
            rate=field.frame_rate,
            starting_time=0.0,
        )


def _annotations(field: SimulatedField, segmentation: PlaneSegmentation) -> ActivityAnnotations:
    """Active and doubtful periods, in the order of time."""
    rows = [
        (int(first), int(end) - 1, roi, state)
        for state, frames in (("active", field.active), ("doubtful", field.ignored))
        for roi in range(len(field.rois))
        for first, end in zip(*periods(frames[:, roi]), strict=True)
    ]
    rows.sort()
    firsts, lasts = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    annotations: ActivityAnnotations = ActivityAnnotations.from_arrays(
        name="ActivityAnnotations",
        description="True activity: from the onset to the peak of each transient; small rises are doubtful",
        rois=segmentation,
        columns={
            "timestamp": firsts / field.frame_rate,
            "duration": (lasts - firsts + 1) / field.frame_rate,
            "roi": np.array([row[2] for row in rows], np.int64),
            "state": [row[3] for row in rows],
            "annotator": [ANNOTATOR] * len(rows),
            "first_frame": firsts,
            "last_frame": lasts,
        },
    )
    return annotations


def _cell_types(field: SimulatedField, segmentation: PlaneSegmentation) -> CellTypeAnnotations:
    """Say of what type each ROI is, where one can say so."""
    known = [(row, name) for row, name in enumerate(field.cell_types) if name]
    annotations: CellTypeAnnotations = CellTypeAnnotations.from_arrays(
        name="CellTypeAnnotations",
        description="True type of what lies beneath each ROI; noise: no cell",
        rois=segmentation,
        columns={
            "roi": np.array([row for row, _ in known], np.int64),
            "cell_type": [name for _, name in known],
            "annotator": [ANNOTATOR] * len(known),
        },
    )
    return annotations


def _segments(field: SimulatedField, segmentation: PlaneSegmentation) -> AnnotatedSegments:
    """Say that all is known of every ROI, in two halves: NWB Inspector wants start times that differ."""
    n_frames, n_rois = field.active.shape
    firsts = np.repeat([0, n_frames // 2], n_rois)
    ends = np.repeat([n_frames // 2, n_frames], n_rois)
    segments: AnnotatedSegments = AnnotatedSegments.from_arrays(
        name="AnnotatedSegments",
        description="The whole movie is known for every ROI",
        rois=segmentation,
        columns={
            "start_time": firsts / field.frame_rate,
            "stop_time": ends / field.frame_rate,
            "roi": np.tile(np.arange(n_rois), 2),
            "annotator": [ANNOTATOR] * len(firsts),
            "first_frame": firsts,
            "last_frame": ends - 1,
        },
    )
    return segments
