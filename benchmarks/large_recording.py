"""Write large recordings in seconds: noise and blinking discs, drawn once for a stretch and repeated in time.

Frames of the stretch are drawn and compressed block by block; their chunks, as compressed bytes, are then
written at every repetition. What a reader has to do for such a file (bytes to read, chunks to decompress) is
the same as for a movie that never repeats itself; what a prediction has to do depends on sizes alone.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import VectorData, VectorIndex
from hdmf.data_utils import DataChunkIterator
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import (
    Fluorescence,
    ImageSegmentation,
    OpticalChannel,
    PlaneSegmentation,
    RoiResponseSeries,
    TwoPhotonSeries,
)

RADIUS = 6.0
RATE = 15.0
MOVIE = "acquisition/TwoPhotonSeries/data"


@dataclass(frozen=True)
class LargeRecording:
    """What is written.

    Attributes
    ----------
    n_frames, n_rois, side : int
        Frames, ROIs (discs of 12 pixels, which may overlap), and pixels along either axis of the field.
    chunks : tuple of int
        Of the movie, cut to its shape; along time they hold all frames, or divide `period`.
    level : int
        Of gzip, which compresses the movie; 0 stores it in chunks that are not compressed.
    period : int
        Frames after which the movie repeats itself.
    masks : {"pixel", "image"}
        Mask column; image masks are float32, in gzip chunks of one mask.
    traces : bool
        Whether the ROIs' mean traces are stored: they tell a reader how masks lie on the movie.
    seed : int
        Of positions, activity and noise.
    """

    n_frames: int = 6000
    n_rois: int = 300
    side: int = 512
    chunks: tuple[int, int, int] = (10, 256, 256)
    level: int = 4
    period: int = 600
    masks: Literal["pixel", "image"] = "pixel"
    traces: bool = True
    seed: int = 0

    @property
    def stored_chunks(self) -> tuple[int, ...]:
        """Chunks that are no larger than the movie."""
        shape = (self.n_frames, self.side, self.side)
        return tuple(min(chunk, length) for chunk, length in zip(self.chunks, shape, strict=True))

    @property
    def cell_frames(self) -> int:
        """Frames times ROIs."""
        return self.n_frames * self.n_rois

    def write(self, path: Path) -> Path:
        """Write the recording as an NWB file."""
        rng = np.random.default_rng(self.seed)
        discs = [self._disc(centre) for centre in rng.uniform(RADIUS, self.side - RADIUS, (self.n_rois, 2))]
        stretch, traces = self._frames(discs, rng)
        path.unlink(missing_ok=True)
        with warnings.catch_warnings(), NWBHDF5IO(path, "w") as io:
            warnings.simplefilter("ignore")  # of a table that is linked before it is in the file
            io.write(self._nwbfile(discs, traces))
        with h5py.File(path, "r+") as file:
            self._write_movie(file[MOVIE], stretch)
        return path

    def _disc(self, centre: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low = np.maximum(np.floor(centre - RADIUS), 0).astype(int)
        high = np.minimum(np.ceil(centre + RADIUS) + 1, self.side).astype(int)
        first, second = np.mgrid[low[0] : high[0], low[1] : high[1]]
        inside = np.hypot(first - centre[0], second - centre[1]) < RADIUS
        return first[inside], second[inside]

    def _frames(self, discs: list[Any], rng: np.random.Generator) -> tuple[NDArray[np.uint16], NDArray[Any]]:
        """Frames of one period, and the mean traces of all of them."""
        n = min(self.period, self.n_frames)
        events = rng.random((n, self.n_rois)) < 1 / 150
        kernel = np.exp(-np.arange(60) / 12)
        activity = np.stack([np.convolve(column, kernel)[:n] for column in events.T], axis=1)
        first, second = np.mgrid[: self.side, : self.side]
        picture = (200 + 50 * np.sin(second / 40) + 30 * np.cos(first / 30)).astype(np.float32)
        frames = np.empty((n, self.side, self.side), np.uint16)
        for number, frame in enumerate(frames):
            image = picture + rng.standard_normal(picture.shape, np.float32) * 12
            for height, disc in zip(activity[number], discs, strict=True):
                if height > 0.02:
                    image[disc] += 60 * height
            frame[:] = np.maximum(image, 0)
        means = np.stack([frames[:, disc[0], disc[1]].mean(axis=1) for disc in discs], axis=1)
        repeats = -(-self.n_frames // n)
        return frames, np.tile(means.astype(np.float32), (repeats, 1))[: self.n_frames]

    def _write_movie(self, data: Any, stretch: NDArray[np.uint16]) -> None:
        """Write every chunk of one period at each of its repetitions, or chunks of all frames one by one."""
        length, lines, columns = self.stored_chunks
        whole = length >= self.n_frames
        step = self.n_frames if whole else len(stretch)
        if not whole and (len(stretch) % length or self.n_frames % length):
            what = f"chunks of {length} frames fit neither {len(stretch)} nor {self.n_frames} frames"
            raise ValueError(what)
        for line in range(0, self.side, lines):
            for column in range(0, self.side, columns):
                tile = stretch[:, line : line + lines, column : column + columns]
                if whole:
                    tile = np.tile(tile, (-(-step // len(tile)), 1, 1))[:step]
                for first in range(0, len(tile), length):
                    content = np.ascontiguousarray(tile[first : first + length]).tobytes()
                    content = zlib.compress(content, self.level) if self.level else content
                    for start in range(first, self.n_frames, step):
                        data.id.write_direct_chunk((start, line, column), content)

    def _nwbfile(self, discs: list[Any], traces: NDArray[np.float32]) -> NWBFile:
        nwbfile = NWBFile("a large recording", f"large-{self.seed}", datetime(2024, 1, 1, tzinfo=UTC))
        plane = nwbfile.create_imaging_plane(
            name="ImagingPlane",
            optical_channel=OpticalChannel(name="green", description="green", emission_lambda=510.0),
            description="simulated",
            device=nwbfile.create_device(name="microscope"),
            excitation_lambda=920.0,
            indicator="GCaMP6f",
            location="CA1",
            grid_spacing=[1.2e-6, 1.2e-6],
            grid_spacing_unit="meters",
        )
        compression = {"compression": "gzip", "compression_opts": self.level} if self.level else {}
        shape = (self.n_frames, self.side, self.side)
        movie = H5DataIO(shape=shape, dtype=np.dtype("uint16"), chunks=self.stored_chunks, **compression)
        nwbfile.add_acquisition(
            TwoPhotonSeries(name="TwoPhotonSeries", data=movie, imaging_plane=plane, unit="n.a.", rate=RATE)
        )
        segmentation = PlaneSegmentation(
            name="PlaneSegmentation",
            description="discs",
            imaging_plane=plane,
            id=list(range(self.n_rois)),
            columns=self._masks(discs),
        )
        module = nwbfile.create_processing_module("ophys", "segmentation and traces")
        module.add(ImageSegmentation(plane_segmentations=[segmentation]))
        if not self.traces:
            return nwbfile
        rois = segmentation.create_roi_table_region("all", region=list(range(self.n_rois)))
        series = RoiResponseSeries(name="RoiResponseSeries", data=traces, rois=rois, unit="n.a.", rate=RATE)
        module.add(Fluorescence(roi_response_series=[series]))
        return nwbfile

    def _masks(self, discs: list[Any]) -> list[VectorData]:
        if self.masks == "image":
            shape = (self.n_rois, self.side, self.side)
            images = DataChunkIterator(self._images(discs), maxshape=shape, dtype=np.dtype("f4"))
            data = H5DataIO(images, chunks=(1, *shape[1:]), compression="gzip")
            return [VectorData(name="image_mask", description="masks", data=data)]
        pixels = np.concatenate([np.stack(disc, axis=1) for disc in discs])
        entries = np.ones(len(pixels), [("x", "u4"), ("y", "u4"), ("weight", "f4")])
        entries["x"], entries["y"] = pixels.T
        column = VectorData(name="pixel_mask", description="masks", data=entries)
        ends = np.cumsum([len(disc[0]) for disc in discs])
        return [VectorIndex(name="pixel_mask_index", data=ends, target=column), column]

    def _images(self, discs: list[Any]) -> Iterator[NDArray[np.float32]]:
        for disc in discs:
            mask = np.zeros((self.side, self.side), np.float32)
            mask[disc] = 1
            yield mask
