"""Write one recording in the layouts of other software, predict each with the command line, and check it.

    pip install "ndx-cinac[all]" "neuroconv[ophys]==0.10.*"
    python benchmarks/other_writers.py [FOLDER]

Prints a row per file: which order of masks was found and by what, the score against the simulation's truth,
and how far the probabilities are from those that the bare arrays give (a movie stored with its axes exchanged
has other probe pixels for its frames' brightness, hence other digits). Exits with 1 if a file scores worse.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.image import ImageSeries
from pynwb.ophys import (
    CorrectedImageStack,
    Fluorescence,
    ImageSegmentation,
    MotionCorrection,
    OpticalChannel,
    PlaneSegmentation,
    TwoPhotonSeries,
)

from ndx_cinac.classifiers import load_classifier
from ndx_cinac.evaluation import score_activity
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.prediction import predict_recording
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.simulation import SimulatedField, load_config, simulate_field
from ndx_cinac.writing import read_predictions

START = datetime(2024, 1, 1, tzinfo=UTC)
Writer = Callable[[SimulatedField, Path], Path]


def raw_traces(field: SimulatedField) -> np.ndarray:
    """Mean of each ROI's pixels, frames x ROIs."""
    return np.stack(
        [field.movie[:, *field.rois.pixels(row).T].mean(axis=1) for row in range(len(field.rois))], axis=1
    )


def image_masks(field: SimulatedField) -> np.ndarray:
    """Masks of shape (ROIs, first, second) on the simulated movie's axes."""
    masks = np.zeros((len(field.rois), *field.rois.shape), np.float32)
    for row in range(len(field.rois)):
        masks[row][tuple(field.rois.pixels(row).T)] = 1
    return masks


def empty_file() -> tuple[NWBFile, object]:
    """Make an NWBFile with an imaging plane, as the ophys tutorial of pynwb does."""
    nwbfile = NWBFile(session_description="simulated", identifier="other-writers", session_start_time=START)
    device = nwbfile.create_device(name="Microscope", description="A two-photon microscope")
    plane = nwbfile.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(name="OpticalChannel", description="green", emission_lambda=500.0),
        imaging_rate=20.0,
        description="layer 2/3",
        device=device,
        excitation_lambda=920.0,
        indicator="GCaMP",
        location="V1",
        grid_spacing=[1.0, 1.0],
        grid_spacing_unit="micrometers",
    )
    return nwbfile, plane


def add_rois(nwbfile: NWBFile, plane: object, field: SimulatedField, **how: object) -> PlaneSegmentation:
    """Masks in the way named by `how` (kind, transposed, traces) in an ophys module."""
    module = nwbfile.create_processing_module(name="ophys", description="optical physiology")
    segmentation = ImageSegmentation()
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="ROIs", imaging_plane=plane
    )
    module.add(segmentation)
    masks = image_masks(field)
    for mask in masks.transpose(0, 2, 1) if how.get("transposed") else masks:
        if how["kind"] == "image":
            table.add_roi(image_mask=mask)
        else:
            table.add_roi(pixel_mask=[(int(a), int(b), 1.0) for a, b in np.argwhere(mask)])
    if how.get("traces"):
        region = table.create_roi_table_region(region=list(range(len(table))), description="all")
        fluorescence = Fluorescence()
        module.add(fluorescence)
        fluorescence.create_roi_response_series(
            name="RoiResponseSeries", data=raw_traces(field), rois=region, unit="a.u.", rate=field.frame_rate
        )
    return table


def write(nwbfile: NWBFile, path: Path) -> Path:
    """Write to HDF5."""
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def pynwb_tutorial(field: SimulatedField, folder: Path) -> Path:
    """As pynwb's ophys tutorial: raw series, motion correction beside it, image masks and fluorescence."""
    nwbfile, plane = empty_file()
    rate = field.frame_rate
    rng = np.random.default_rng(0)
    shifts = rng.integers(-3, 4, (len(field.movie), 2))
    shaken = np.stack([np.roll(f, tuple(s), axis=(0, 1)) for f, s in zip(field.movie, shifts, strict=True)])
    raw = TwoPhotonSeries(name="TwoPhotonSeries", data=shaken, imaging_plane=plane, rate=rate, unit="a.u.")
    nwbfile.add_acquisition(raw)
    add_rois(nwbfile, plane, field, kind="image", traces=True)
    stack = CorrectedImageStack(
        corrected=ImageSeries(name="corrected", data=field.movie, unit="a.u.", rate=rate, format="raw"),
        original=raw,
        xy_translation=TimeSeries(name="xy_translation", data=shifts.astype(float), unit="pixels", rate=rate),
    )
    nwbfile.processing["ophys"].add(MotionCorrection(corrected_image_stacks=[stack]))
    return write(nwbfile, folder / "pynwb_tutorial.nwb")


def hand_written_rows_first(field: SimulatedField, folder: Path) -> Path:
    """By hand: pixel masks as (column, row) on a (time, row, column) movie, with stored traces."""
    nwbfile, plane = empty_file()
    nwbfile.add_acquisition(
        TwoPhotonSeries(
            name="movie",
            data=field.movie.astype(">u2"),
            imaging_plane=plane,
            rate=field.frame_rate,
            unit="a.u.",
        )
    )
    add_rois(nwbfile, plane, field, kind="pixel", transposed=True, traces=True)
    return write(nwbfile, folder / "hand_written_rows_first.nwb")


def external_tiff(field: SimulatedField, folder: Path) -> Path:
    """Leave the movie in two TIFF stacks beside the file."""
    half = len(field.movie) // 2
    tifffile.imwrite(folder / "part_1.tif", field.movie[:half])
    tifffile.imwrite(folder / "part_2.tif", field.movie[half:])
    nwbfile, plane = empty_file()
    nwbfile.add_acquisition(
        TwoPhotonSeries(
            name="TwoPhotonSeries",
            external_file=["part_1.tif", "part_2.tif"],
            starting_frame=[0, half],
            format="external",
            num_samples=len(field.movie),
            dimension=list(field.movie.shape[:0:-1]),
            imaging_plane=plane,
            rate=field.frame_rate,
            unit="a.u.",
        )
    )
    add_rois(nwbfile, plane, field, kind="image")
    return write(nwbfile, folder / "external_tiff.nwb")


def neuroconv(mask_type: str) -> Writer:
    """Through roiextractors' NumPy extractors and neuroconv, as its converters write."""

    def writer(field: SimulatedField, folder: Path) -> Path:
        from neuroconv.tools.roiextractors import add_imaging_to_nwbfile, add_segmentation_to_nwbfile
        from roiextractors import NumpyImagingExtractor, NumpySegmentationExtractor
        from roiextractors.segmentationextractor import _ROIMasks

        nwbfile = NWBFile(session_description="simulated", identifier=mask_type, session_start_time=START)
        imaging = NumpyImagingExtractor(field.movie[..., None], sampling_frequency=field.frame_rate)
        segmentation = NumpySegmentationExtractor(
            image_masks=image_masks(field).transpose(1, 2, 0),
            raw=raw_traces(field),
            roi_ids=list(range(len(field.rois))),
            sampling_frequency=field.frame_rate,
            movie_dims=field.rois.shape,
            accepted_list=list(range(len(field.rois))),
        )
        if (
            mask_type == "pixel"
        ):  # neuroconv writes the masks in the extractor's own format: (row, column, weight)
            pixels = [
                [(int(a), int(b), 1.0) for a, b in field.rois.pixels(row)] for row in range(len(field.rois))
            ]
            segmentation._roi_masks = _ROIMasks(
                data=pixels,
                mask_tpe="nwb-pixel_mask",
                field_of_view_shape=field.rois.shape,
                roi_id_map=segmentation._roi_masks.roi_id_map,
            )
        add_imaging_to_nwbfile(imaging, nwbfile)
        add_segmentation_to_nwbfile(segmentation, nwbfile)
        return write(nwbfile, folder / f"neuroconv_{mask_type}_mask.nwb")

    return writer


def zarr_store(field: SimulatedField, folder: Path) -> Path:
    """Make a Zarr store with voxel masks in one plane."""
    from hdmf_zarr import NWBZarrIO

    nwbfile, plane = empty_file()
    nwbfile.add_acquisition(
        TwoPhotonSeries(
            name="movie", data=field.movie, imaging_plane=plane, rate=field.frame_rate, unit="a.u."
        )
    )
    module = nwbfile.create_processing_module(name="ophys", description="optical physiology")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="ROIs", imaging_plane=plane
    )
    for row in range(len(field.rois)):
        table.add_roi(voxel_mask=[(int(a), int(b), 0, 1.0) for a, b in field.rois.pixels(row)])
    path = folder / "zarr_voxel_mask.nwb.zarr"
    with NWBZarrIO(str(path), "w") as io:
        io.write(nwbfile)
    return path


WRITERS: dict[str, Writer] = {
    "pynwb's ophys tutorial, raw and corrected": pynwb_tutorial,
    "by hand, pixel masks exchanged, big-endian": hand_written_rows_first,
    "external TIFF, two stacks": external_tiff,
    "neuroconv 0.10, image masks": neuroconv("image"),
    "neuroconv 0.10, pixel masks (exchanged)": neuroconv("pixel"),
    "Zarr, voxel masks": zarr_store,
}


def command(*arguments: str | Path) -> str:
    """Run `ndx-cinac` in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "ndx_cinac.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"ndx-cinac {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return done.stdout


def main(folder: Path) -> int:
    """Write, predict and score every file; return the exit status."""
    field = simulate_field(load_config("two-photon-sparse"), np.random.default_rng(3))
    recording = CinacRecording(
        "arrays", ArrayMovie(field.movie), field.rois, Times(len(field.movie), rate=field.frame_rate)
    )
    arrays = predict_recording(recording, load_classifier("activity-sim"))
    columns = arrays.roi_rows
    expected = score_activity(arrays.probabilities, field.active[:, columns], field.ignored[:, columns])
    print(
        f"{len(columns)} ROIs, {arrays.n_frames} frames, {field.rois.shape[0]} x {field.rois.shape[1]} pixels"
    )
    print(f"from the arrays: AP {expected.average_precision:.3f}, ev F1 {expected.event_f1:.3f}\n")
    print("| file | masks | by | AP | ev F1 | mean difference | largest |\n|---|---|---|---|---|---|---|")
    worse = 0
    for title, writer in WRITERS.items():
        path = writer(field, folder)
        report = json.loads(command("inspect", path, "--json"))
        output = folder / f"{path.name.split('.')[0]}_predicted.nwb"
        command("predict", path, "--output", output, "--mode", "standalone", "--overwrite")
        result = read_predictions(output)
        scores = score_activity(
            result.probabilities, field.active[:, result.roi_rows], field.ignored[:, result.roi_rows]
        )
        same_rows = np.array_equal(result.roi_rows, columns)
        difference = np.abs(result.probabilities - arrays.probabilities) if same_rows else np.array(np.nan)
        axes = report["axes"]
        print(
            f"| {title} | {axes['masks']} | {axes['evidence']} | {scores.average_precision:.3f} | "
            f"{scores.event_f1:.3f} | {difference.mean():.1e} | {difference.max():.1e} |"
        )
        worse += not same_rows or scores.event_f1 < expected.event_f1 - 0.02
    return int(worse > 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
