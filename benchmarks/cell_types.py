"""Show the three ways to cell types, each on recordings of its own: tables in Markdown, and figures.

    python benchmarks/cell_types.py [--output-dir FOLDER] [--recordings 4]

- bundled: `cell-type-sim` on simulated recordings (preset ``cell-types``) that it has not seen: the fields
  that it was trained on are drawn from seeds of three numbers, those here from seeds of one;
- own labels: a small classifier, trained on the CellTypeAnnotations of two recordings, on a third;
- legacy: DeepCINAC's classifier on DeepCINAC's reference recording (tests/data/deepcinac), beside what
  DeepCINAC itself computed. Its weights are random: types mean nothing, numbers must agree.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO

from ndx_cinac import CellTypeOptions, predict_cell_types
from ndx_cinac.classifiers import Classifier
from ndx_cinac.evaluation import CellTypeEvaluation, evaluate_cell_types
from ndx_cinac.legacy import load_legacy
from ndx_cinac.movies import ArrayMovie
from ndx_cinac.plotting import plot_cell_type_field, plot_cell_type_probabilities, read_cell_type_data
from ndx_cinac.plotting.cell_type_evaluation import plot_confusion, plot_distributions
from ndx_cinac.recording import CinacRecording, Times
from ndx_cinac.rois import Rois
from ndx_cinac.simulation import load_config, simulate_field
from ndx_cinac.simulation.nwb import write_nwb
from ndx_cinac.testing.mock import MockLayout, MockRecording, mock_nwbfile_with_movie
from ndx_cinac.training import CellTypeTrainingConfig, train_cell_types

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "deepcinac"
FIRST_SEED, LABELLED_SEEDS, UNLABELLED_SEED = 901, (951, 952), 953
SHORT = 900
"""Frames of the recordings with labels of one's own."""


def simulated(folder: Path, seed: int, n_frames: int | None = None) -> Path:
    """Write a recording of the preset ``cell-types``, with its truth."""
    config = load_config("cell-types")
    if n_frames is not None:
        config = replace(config, movie=replace(config.movie, n_frames=(n_frames, n_frames)))
    return write_nwb(simulate_field(config, seed), folder / f"simulated-{seed}.nwb")


def bundled(folder: Path, n_recordings: int) -> None:
    """Predict simulated recordings with `cell-type-sim`, and compare with what is known of them."""
    print("## cell-type-sim on simulated recordings that it has not seen\n")
    seeds = range(FIRST_SEED, FIRST_SEED + n_recordings)
    outputs = [predicted(simulated(folder, seed), "cell-type-sim", folder) for seed in seeds]
    print("| recording | ROIs | balanced accuracy |\n| --- | --- | --- |")
    for output in outputs:
        found = evaluate_cell_types(output)
        print(f"| {output.stem} | {len(found.true)} | {found.balanced_accuracy:.3f} |")
    show(evaluate_cell_types(outputs), folder / "bundled")
    draw(outputs[0], folder / "bundled")


def own_labels(folder: Path) -> None:
    """Train on the annotations of two recordings, and predict a third."""
    print("\n## A classifier trained on the labels of two recordings, on a third\n")
    files = [simulated(folder, seed, SHORT) for seed in LABELLED_SEEDS]
    config = CellTypeTrainingConfig(sources=tuple(map(str, files)), workers=0, fewest_steps=200, epochs=5.0)
    card = train_cell_types(config, folder / "my-types")
    figures = card.metrics
    print(f"On its card: balanced accuracy {figures['balanced_accuracy']} ({figures['data']}).\n")
    output = predicted(simulated(folder, UNLABELLED_SEED, SHORT), folder / "my-types", folder)
    show(evaluate_cell_types(output), folder / "own-labels")
    draw(output, folder / "own-labels")


def legacy(folder: Path) -> None:
    """Predict DeepCINAC's reference recording with its classifier, from NWB to NWB."""
    print("\n## A classifier of DeepCINAC on its reference recording\n")
    classifier = load_legacy(REFERENCE / "cell_type_w50.json", REFERENCE / "cell_type_w50.h5")
    options = CellTypeOptions(cell_types=REFERENCE / "cell_types.yaml", n_segments=2, overlap=0.0)
    output = predicted(reference_file(folder), classifier, folder, options)
    data = read_cell_type_data(output)
    with np.load(REFERENCE / "predictions.npz", allow_pickle=False) as stored:
        expected = stored["cell_type/n2"]
    print("| ROI | type | ndx-cinac | DeepCINAC 1.1.10 |\n| --- | --- | --- | --- |")
    found = data.types.probabilities
    for row, (label, ours, theirs) in enumerate(zip(data.types.labels, found, expected, strict=True)):
        print(f"| {row} | {label} | {_numbers(ours)} | {_numbers(theirs)} |")
    print(f"\nLargest difference: {np.abs(found - expected).max():.1e}")
    draw(output, folder / "legacy")


def reference_file(folder: Path) -> Path:
    """Write DeepCINAC's reference recording as NWB."""
    with np.load(REFERENCE / "recording.npz", allow_pickle=False) as stored:
        movie = stored["movie"]
        pixels = np.split(stored["pixels"][:, ::-1], stored["pixels_index"][:-1])
    rois = Rois.from_pixels(pixels, movie.shape[1:])
    recording = CinacRecording("reference", ArrayMovie(movie), rois, Times(len(movie), rate=10.0))
    nothing = np.zeros((len(movie), len(pixels)))
    known = MockRecording(recording, nothing.astype(bool), nothing.astype(np.float32))
    path = folder / "reference.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_movie(layout=MockLayout(mask="pixel"), mock=known))
    return path


def predicted(
    path: Path, classifier: str | Path | Classifier, folder: Path, options: CellTypeOptions | None = None
) -> Path:
    """Predict a file's cell types, and return the file with them."""
    output = folder / f"{path.stem}_cinac.nwb"
    predict_cell_types(path, classifier, output, options=options)
    return output


def show(found: CellTypeEvaluation, stem: Path) -> None:
    """Print an evaluation, and draw it."""
    print("\n" + found.to_markdown().split("\n", 2)[2])
    plot_confusion(found).savefig(f"{stem}_confusion.png", dpi=100)
    plot_distributions(found).savefig(f"{stem}_distributions.png", dpi=100)


def draw(output: Path, stem: Path) -> None:
    """Draw a file's predictions."""
    data = read_cell_type_data(output)
    plot_cell_type_field(data).savefig(f"{stem}_field.png", dpi=100)
    plot_cell_type_probabilities(data).savefig(f"{stem}_probabilities.png", dpi=100)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, help="where files and figures are kept (nowhere)")
    parser.add_argument("--recordings", type=int, default=4, help="simulated recordings (4)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.output_dir or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bundled(folder, options.recordings)
        own_labels(folder)
        legacy(folder)


if __name__ == "__main__":
    main()
