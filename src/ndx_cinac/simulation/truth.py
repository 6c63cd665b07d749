"""What is true of each ROI of a simulated field, whatever lies beneath it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .background import Background
from .cells import FieldCells
from .defects import Defects
from .labels import Convention
from .masks import DrawnRoi


@dataclass(frozen=True)
class RoiTruth:
    """Truth of the ROIs, arrays of shape (n_rois, n_frames).

    Brightness is in units of the height of the field's typical transient; `signal`, of shape (n_rois,), is
    the height of the ROI's own typical transients after a matched filter.
    """

    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    fluorescence: NDArray[np.float32]
    spikes: NDArray[np.float32]
    signal: NDArray[np.float64]


@dataclass(frozen=True)
class Opinions:
    """What all annotators say of a field.

    Attributes
    ----------
    called : ndarray of float32, shape (n_frames, n_rois)
        Of those who judge a frame, the share that calls the ROI active in it; 0 where nobody judges.
    judging : ndarray of float32, shape (n_frames, n_rois)
        The share that judges it: the others hold it doubtful.
    each : ndarray of int8, shape (n_annotators, n_frames, n_rois)
        What each of them says: 1 active, 0 not, -1 doubtful.
    """

    called: NDArray[np.float32]
    judging: NDArray[np.float32]
    each: NDArray[np.int8]


def truth_of(
    rois: list[DrawnRoi],
    cells: FieldCells,
    background: Background,
    defects: Defects,
) -> RoiTruth:
    """Return the truth of ROIs.

    A cell's is its own. A doublet is active when either cell is; what counts as a transient is judged by the
    larger of the two's typical rises. An ROI without a cell is never active, but the rises of a process
    beneath it are doubtful: they are those of a neuron, if not of a soma. Rises that no frame shows are
    doubtful.
    """
    shape = (len(rois), cells.course.shape[1])
    active, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    fluorescence, spikes = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    signal = np.zeros(len(rois))
    strength = np.sqrt(np.asarray(cells.matrix.power(2).sum(axis=1)).ravel())
    for row, roi in enumerate(rois):
        if roi.process is not None:
            ignored[row] = background.processes[roi.process].rising
        elif len(roi.cells) == 1:
            active[row], ignored[row] = (
                cells.activity.active[roi.cells[0]],
                cells.activity.ignored[roi.cells[0]],
            )
        elif roi.cells:
            active[row], ignored[row] = _either(roi.cells, cells)
        for cell in roi.cells:
            light = float(background.light[cells.footprints[cell].brightest])
            fluorescence[row] += np.float32(light) * cells.course[cell]
            spikes[row] += cells.activity.spikes[cell]
            signal[row] = max(signal[row], light * cells.height[cell] * strength[cell])
    active, ignored = defects.hide_unseen(active, ignored)
    return RoiTruth(active, ignored, fluorescence, spikes, signal)


def opinions_of(
    rois: list[DrawnRoi],
    cells: FieldCells,
    background: Background,
    defects: Defects,
    annotators: Sequence[tuple[Convention, float]],
) -> Opinions:
    """Return what annotators, each with a probability, say of the same ROIs; see `truth_of`."""
    shape = (len(rois), cells.course.shape[1])
    called, judging = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    each = np.zeros((len(annotators), *shape[::-1]), np.int8)
    for (convention, probability), labels in zip(annotators, each, strict=True):
        seen = replace(cells, activity=cells.activity.labelled_by(convention))
        truth = truth_of(rois, seen, background, defects)
        called += np.float32(probability) * truth.active
        judging += np.float32(probability) * ~truth.ignored
        labels[:] = (truth.active.astype(np.int8) - truth.ignored).T
    called = np.divide(called, judging, out=np.zeros_like(called), where=judging > 0)
    return Opinions(np.ascontiguousarray(called.T), np.ascontiguousarray(judging.T), each)


def _either(chosen: tuple[int, ...], cells: FieldCells) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Label the rises of cells that share an ROI, each beside the largest typical one."""
    heights = cells.height[list(chosen)] / cells.height[list(chosen)].max()
    traces = heights[:, None] * cells.activity.calcium[list(chosen)]
    convention = cells.activity.convention
    size = max(convention.size_of(trace) for trace in traces)
    labels = [convention.label(trace, size=size) for trace in traces]
    active = np.any([rising for rising, _ in labels], axis=0)
    return active, np.any([doubtful for _, doubtful in labels], axis=0) & ~active
