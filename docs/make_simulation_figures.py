"""Draw the pictures of docs/simulation.md: each preset's field beside the traces of some of its ROIs.

Run it from anywhere, with the extras ``predict`` and ``plot``::

    python docs/make_simulation_figures.py [PRESET ...]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ndx_cinac.simulation import SimulatedField, load_config, simulate_field

IMAGES = Path(__file__).parent / "images"
PRESETS = (
    "two-photon-sparse",
    "two-photon-dense",
    "hippocampus-pup",
    "one-photon",
    "small-field-fast",
)
SEED = 4
N_TRACES = 6
SECONDS = 60
N_TRAINING_FIELDS = 12
GREEN, ORANGE = "#009E73", "#E69F00"


def main(names: list[str]) -> None:
    """Draw the presets that are named, or all of them and the fields of training."""
    IMAGES.mkdir(exist_ok=True)
    for name in names or [*PRESETS, "training"]:
        figure = draw_training() if name == "training" else draw_preset(name)
        path = IMAGES / f"simulation_{name.replace('-', '_')}.png"
        figure.savefig(path, dpi=68)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def draw_preset(name: str) -> Figure:
    """Draw the mean, the strongest change and the traces of a field of a preset."""
    field = simulate_field(load_config(name), SEED)
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    mean, change, traces = figure.subplots(1, 3, width_ratios=(1, 1, 2.4))
    rois = chosen_rois(field)
    average = field.movie.mean(axis=0)
    mean.imshow(average, cmap="gray", vmax=np.percentile(average, 99.7))
    mean.set_title(f"{name}: mean", fontsize=10)
    height = field.movie.max(axis=0).astype(float) - np.median(field.movie, axis=0)
    change.imshow(height, cmap="gray", vmax=np.percentile(height, 99.7))
    change.set_title("strongest change, ROIs", fontsize=10)
    for number, roi in enumerate(rois):
        draw_outline(change, field, roi, str(number + 1))
    draw_traces(traces, field, rois)
    for axes in (mean, change):
        axes.set_axis_off()
    return figure


def chosen_rois(field: SimulatedField) -> NDArray[np.int64]:
    """Choose ROIs from the brightest to the dimmest among those that fire; at last one without one cell."""
    firing = np.flatnonzero(field.active.any(axis=0))
    by_snr = firing[np.argsort(-field.snr[firing])]
    chosen = by_snr[np.linspace(0, 0.9 * (len(by_snr) - 1), N_TRACES - 1).astype(int)]
    special = [roi for roi, kind in enumerate(field.kinds) if kind != "cell" and roi not in chosen]
    last = special[-1] if special else by_snr[-1]
    return np.array([*chosen, last], np.int64)


def draw_outline(axes, field: SimulatedField, roi: int, label: str) -> None:  # type: ignore[no-untyped-def]
    """Draw the border of an ROI and its number."""
    mask = np.zeros(field.rois.shape)
    rows, columns = field.rois.pixels(roi).T
    mask[rows, columns] = 1
    axes.contour(mask, [0.5], colors=ORANGE, linewidths=1)
    axes.text(columns.max() + 1, rows.min(), label, color=ORANGE, fontsize=8, clip_on=True)


def draw_traces(axes, field: SimulatedField, rois: NDArray[np.int64]) -> None:  # type: ignore[no-untyped-def]
    """Draw the mean of each ROI's pixels in the movie; true activity is green."""
    shown = slice(0, min(len(field.movie), round(SECONDS * field.frame_rate)))
    times = np.arange(shown.stop) / field.frame_rate
    for number, roi in enumerate(rois):
        pixels = field.rois.pixels(roi)
        trace = field.movie[shown, pixels[:, 0], pixels[:, 1]].mean(axis=1)
        low, high = np.percentile(trace, [1, 99.7])
        trace = 0.85 * (trace - low) / max(high - low, 1e-9) - number
        axes.plot(times, trace, color="0.35", linewidth=0.5)
        axes.plot(times, np.where(field.active[shown, roi], trace, np.nan), color=GREEN, linewidth=1.4)
        name = f"{number + 1}  {field.kinds[roi]}"
        name += f", SNR {field.snr[roi]:.0f}" if field.snr[roi] else ""
        axes.text(times[-1] * 1.01, -number + 0.2, name, fontsize=8)
    axes.set_title(
        f"mean of the ROI's pixels, active in green ({field.frame_rate:.0f} Hz, "
        f"{field.pixel_size:.2f} µm per pixel)",
        fontsize=10,
    )
    axes.set_xlabel("seconds")
    axes.set_yticks([])
    axes.set_xlim(0, times[-1])
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_training() -> Figure:
    """Draw the mean of some fields of the kind that the classifier is trained on."""
    config = load_config("training")
    config = replace(config, movie=replace(config.movie, n_frames=(300, 300)))
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    for number, axes in enumerate(figure.subplots(2, N_TRAINING_FIELDS // 2).flat):
        field = simulate_field(config, 100 + number)
        axes.imshow(field.movie.mean(axis=0), cmap="gray")
        kind = "one-photon" if field.one_photon else "two-photon"
        axes.set_title(
            f"{kind}, {field.frame_rate:.0f} Hz\nSNR {np.median(field.snr):.0f}, "
            f"active {100 * field.active.mean():.1f} %",
            fontsize=9,
        )
        axes.set_axis_off()
    return figure


if __name__ == "__main__":
    main(sys.argv[1:])
