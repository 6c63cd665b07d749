"""NWB files in many layouts, built with pynwb alone, for the tests of reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.base import TimeSeries
from pynwb.image import ImageSeries
from pynwb.ophys import (
    CorrectedImageStack,
    Fluorescence,
    ImageSegmentation,
    MotionCorrection,
    RoiResponseSeries,
    TwoPhotonSeries,
)
from pynwb.testing.mock.file import mock_NWBFile
from pynwb.testing.mock.ophys import mock_ImagingPlane

SHAPE = (20, 28)
N_FRAMES = 60


def noise(shape: tuple[int, int] = SHAPE, n_frames: int = N_FRAMES, seed: int = 0) -> np.ndarray:
    """A movie of photon noise: every pixel differs, so that every stored trace is told from every other."""
    return np.random.default_rng(seed).poisson(100, (n_frames, *shape)).astype(np.uint16)


def boxes(
    shape: tuple[int, int] = SHAPE, n_rois: int = 8, size: tuple[int, int] = (4, 3), seed: int = 1
) -> list:
    """Pixels of small boxes off the diagonal, on the movie's axes: one array (n, 2) per ROI."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < n_rois:
        first, second = (
            int(rng.integers(0, length - extent + 1)) for length, extent in zip(shape, size, strict=True)
        )
        if abs(first - second) > max(size):
            a, b = np.meshgrid(
                np.arange(first, first + size[0]), np.arange(second, second + size[1]), indexing="ij"
            )
            found.append(np.stack([a.ravel(), b.ravel()], axis=1))
    return found


class FileBuilder:
    """An NWB file in the making; everything on one imaging plane unless told otherwise."""

    def __init__(self, **plane: Any) -> None:
        self.nwbfile: NWBFile = mock_NWBFile()
        self.plane = mock_ImagingPlane(name="Plane", nwbfile=self.nwbfile, **plane)
        self.ophys = self.nwbfile.create_processing_module("ophys", "optical physiology")
        self.image_segmentation = ImageSegmentation()
        self.ophys.add(self.image_segmentation)

    def movie(self, data: Any = None, name: str = "TwoPhotonSeries", **options: Any) -> Any:
        """Add a TwoPhotonSeries to acquisition."""
        if data is None and "external_file" not in options:
            data = noise()
        if "timestamps" not in options:
            options.setdefault("rate", 10.0)
        options = {"imaging_plane": self.plane, "unit": "n.a."} | options
        series = TwoPhotonSeries(name=name, **({} if data is None else {"data": data}), **options)
        self.nwbfile.add_acquisition(series)
        return series

    def corrected(self, original: Any, data: Any, **options: Any) -> CorrectedImageStack:
        """Add a CorrectedImageStack to the ophys module."""
        options = {"rate": 10.0} | options
        stack = CorrectedImageStack(
            corrected=ImageSeries(name="corrected", data=data, unit="n.a.", **options),
            original=original,
            xy_translation=TimeSeries(
                name="xy_translation", data=np.zeros((len(data), 2)), unit="pixels", rate=10.0
            ),
        )
        self.ophys.add(MotionCorrection(corrected_image_stacks=[stack]))
        return stack

    def segmentation(
        self, rois: list | None = None, *, name: str = "PlaneSegmentation", **options: Any
    ) -> Any:
        """Add a PlaneSegmentation; `kind`, `exchanged`, `shape`, `weights` and `plane` lay it out."""
        rois = boxes() if rois is None else rois
        kind, shape = options.get("kind", "pixel_mask"), options.get("shape", SHAPE)
        table = self.image_segmentation.create_plane_segmentation(
            name=name, description="ROIs", imaging_plane=options.get("plane", self.plane)
        )
        weights = options.get("weights", [np.ones(len(each)) for each in rois])
        for pixels, weight in zip(rois, weights, strict=True):
            pairs = np.asarray(pixels)[:, ::-1] if options.get("exchanged") else np.asarray(pixels)
            if kind == "image_mask":
                mask = np.zeros(shape[::-1] if options.get("exchanged") else shape, np.float32)
                mask[tuple(pairs.T)] = weight
                table.add_roi(image_mask=mask)
            elif kind == "voxel_mask":
                table.add_roi(
                    voxel_mask=[
                        (a, b, options.get("z", 0), w) for (a, b), w in zip(pairs, weight, strict=True)
                    ]
                )
            else:
                table.add_roi(pixel_mask=[(a, b, w) for (a, b), w in zip(pairs, weight, strict=True)])
        return table

    def traces(
        self, table: Any, movie: np.ndarray, rois: list, *, transposed: bool = False, name: str = "Raw"
    ) -> None:
        """Store the mean of the movie over each ROI."""
        data = np.stack([movie[:, p[:, 0], p[:, 1]].mean(axis=1) for p in rois], axis=1)
        region = table.create_roi_table_region(region=list(range(len(rois))), description="all")
        series = RoiResponseSeries(
            name=name, data=data.T if transposed else data, rois=region, unit="n.a.", rate=10.0
        )
        if "Fluorescence" not in self.ophys.data_interfaces:
            self.ophys.add(Fluorescence())
        self.ophys["Fluorescence"].add_roi_response_series(series)

    def write(self, path: Path, io: Any = NWBHDF5IO) -> Path:
        """Write the file."""
        with io(str(path), "w") as file:
            file.write(self.nwbfile, cache_spec=io is not NWBHDF5IO)  # Zarr warns without; it takes time
        return path
