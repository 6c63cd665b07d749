"""Show the three ways to cell types, each on recordings of its own: tables in Markdown, and figures.

    python benchmarks/cell_types.py [--output-dir FOLDER] [--fields 100] [--recordings 4] [--seed 901]

- bundled: `cell-type-sim` on simulations that it has not seen: fields like those that it was trained on
  (preset ``cell-types-training``), and larger and longer recordings (preset ``cell-types``). The fields that
  it was trained on are drawn from seeds of three numbers, those here from seeds of one;
- own labels: classifiers trained on the CellTypeAnnotations of two recordings, on a third: one that begins
  anew, and one that begins as `cell-type-sim`;
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
from hdmf_zarr import NWBZarrIO
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
from ndx_cinac.writing import read_cell_type_predictions

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "deepcinac"
FIELD_SEEDS = 1000
"""The first field's seed is that of the first recording, times this."""
LABELLED_SEEDS, UNLABELLED_SEED = (951, 952), 953
N_DRAWS = 2000
"""Draws of recordings, with replacement, from which the spread of a figure is taken."""
SHORT = 900
"""Frames of the recordings with labels of one's own."""


def simulated(folder: Path, seed: int, n_frames: int | None = None) -> Path:
    """Write a recording of the preset ``cell-types``, with its truth."""
    config = load_config("cell-types")
    if n_frames is not None:
        config = replace(config, movie=replace(config.movie, n_frames=(n_frames, n_frames)))
    return write_nwb(simulate_field(config, seed), folder / f"simulated-{seed}.nwb")


def unseen_fields(n_fields: int, seed: int) -> None:
    """Predict small fields, of all qualities that the classifier was trained for, and say how right it is."""
    print(f"## cell-type-sim on {n_fields} fields that it has not seen (preset cell-types-training)\n")
    found = []
    for number in range(n_fields):
        field = simulate_field(load_config("cell-types-training"), FIELD_SEEDS * seed + number)
        times = Times(len(field.movie), rate=field.frame_rate)
        recording = CinacRecording(
            f"field {number}", ArrayMovie(field.movie), field.rois, times, pixel_size=field.pixel_size
        )
        result = predict_cell_types(recording)
        known = [place for place, row in enumerate(result.roi_rows) if field.cell_types[row]]
        true = [result.cell_types.index(field.cell_types[result.roi_rows[place]]) for place in known]
        probabilities = result.probabilities[known].astype(np.float64)
        found.append(CellTypeEvaluation(result.cell_types, (), np.array(true, np.int64), probabilities))
    print(spread(found))


def bundled(folder: Path, n_recordings: int, seed: int) -> Path:
    """Predict simulated recordings with `cell-type-sim`, compare with what is known, and return one."""
    print("\n## cell-type-sim on recordings that it has not seen (preset cell-types)\n")
    outputs = [
        predicted(path, "cell-type-sim", path.with_name(f"{path.stem}_cinac.nwb"))
        for path in (simulated(folder, seed + number) for number in range(n_recordings))
    ]
    found = [evaluate_cell_types(output) for output in outputs]
    print("| recording | ROIs | balanced accuracy |\n| --- | --- | --- |")
    for output, each in zip(outputs, found, strict=True):
        print(f"| {output.stem} | {len(each.true)} | {each.balanced_accuracy:.3f} |")
    print(f"\n{spread(found)}")
    show(evaluate_cell_types(outputs), folder / "bundled")
    draw(outputs[0], folder / "bundled")
    return outputs[0]


def spread(found: Sequence[CellTypeEvaluation]) -> str:
    """Say the balanced accuracy of all ROIs, and where it lies when recordings are drawn anew."""
    counts = np.array([each.confusion for each in found])
    rng = np.random.default_rng(0)
    drawn = [
        balanced_accuracy(counts[rng.integers(0, len(counts), len(counts))].sum(axis=0))
        for _ in range(N_DRAWS)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    confidence = np.concatenate([each.probabilities.max(axis=1) for each in found])
    right = np.concatenate([each.predicted == each.true for each in found])
    return (
        f"balanced accuracy {balanced_accuracy(counts.sum(axis=0)):.3f} of {counts.sum()} ROIs in "
        f"{len(found)} recordings; 95 % of {N_DRAWS} draws of as many recordings: {low:.3f} to {high:.3f}\n"
        f"mean confidence {confidence.mean():.3f}, right {right.mean():.3f}"
    )


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Return the mean recall of the types that there are; rows are what is true."""
    number = confusion.sum(axis=1)
    return float(np.mean(confusion.diagonal()[number > 0] / number[number > 0]))


def own_labels(folder: Path) -> Path:
    """Train on the annotations of two recordings, predict a third, and return it."""
    files = [simulated(folder, seed, SHORT) for seed in LABELLED_SEEDS]
    unlabelled = simulated(folder, UNLABELLED_SEED, SHORT)
    config = CellTypeTrainingConfig(sources=tuple(map(str, files)), workers=0, fewest_steps=200, epochs=5.0)
    for name, parent in (("own-labels", ""), ("own-labels-from-cell-type-sim", "cell-type-sim")):
        print(f"\n## The labels of two recordings, from {parent or 'nothing'}, on a third\n")
        figures = train_cell_types(replace(config, parent=parent), folder / name).metrics
        print(f"On its card: balanced accuracy {figures['balanced_accuracy']} ({figures['data']}).")
        if parent:
            print(f"Of {parent} on the same ROIs: {figures['parent']['balanced_accuracy']}.")
        output = predicted(unlabelled, folder / name, folder / f"{name}.nwb")
        show(evaluate_cell_types(output), folder / name)
        draw(output, folder / name)
    return output


def legacy(folder: Path) -> Path:
    """Predict DeepCINAC's reference recording with its classifier, from NWB to NWB, and return the file."""
    print("\n## A classifier of DeepCINAC on its reference recording\n")
    classifier = load_legacy(REFERENCE / "cell_type_w50.json", REFERENCE / "cell_type_w50.h5")
    options = CellTypeOptions(cell_types=REFERENCE / "cell_types.yaml", n_segments=2, overlap=0.0)
    output = predicted(reference_file(folder), classifier, folder / "legacy.nwb", options)
    data = read_cell_type_data(output)
    with np.load(REFERENCE / "predictions.npz", allow_pickle=False) as stored:
        expected = stored["cell_type/n2"]
    print("| ROI | type | ndx-cinac | DeepCINAC 1.1.10 |\n| --- | --- | --- | --- |")
    found = data.types.probabilities
    for row, (label, ours, theirs) in enumerate(zip(data.types.labels, found, expected, strict=True)):
        print(f"| {row} | {label} | {_numbers(ours)} | {_numbers(theirs)} |")
    print(f"\nLargest difference: {np.abs(found - expected).max():.1e}")
    draw(output, folder / "legacy")
    return output


def round_trips(outputs: Sequence[Path]) -> None:
    """Export files with predictions to Zarr, and compare what is read from both."""
    print("\n## From HDF5 to Zarr and back\n")
    print("| file | labels, probabilities, meanings, classifier | provenance |\n| --- | --- | --- |")
    for path in outputs:
        zarr = path.with_suffix(".zarr")
        with NWBHDF5IO(path, "r") as source, NWBZarrIO(str(zarr), "w") as goal:
            goal.export(src_io=source, write_args={"link_data": False})
        first, second = (read_cell_type_predictions(each) for each in (path, zarr))
        same = [
            np.array_equal(getattr(first, name), getattr(second, name))
            for name in ("roi_rows", "roi_ids", "codes", "probabilities", "confidence", "classifier_index")
        ]
        names = ("cell_types", "meanings", "classifiers", "definition")
        same += [getattr(first, name) == getattr(second, name) for name in names]
        record = [getattr(first, name) == getattr(second, name) for name in ("parameters", "device", "notes")]
        words = ["the same" if all(each) else "other" for each in (same, record)]
        print(f"| {path.stem} | {words[0]} | {words[1]} |")


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
    path: Path, classifier: str | Path | Classifier, output: Path, options: CellTypeOptions | None = None
) -> Path:
    """Predict a file's cell types, and return the file with them."""
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
    parser.add_argument("--fields", type=int, default=100, help="small simulated fields, 0 for none (100)")
    parser.add_argument("--recordings", type=int, default=4, help="simulated recordings, 0 for none (4)")
    parser.add_argument("--seed", type=int, default=901, help="seed of the first recording (901)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.output_dir or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        outputs: list[Path] = []
        if options.fields:
            unseen_fields(options.fields, options.seed)
        if options.recordings:
            outputs.append(bundled(folder, options.recordings, options.seed))
        outputs += [own_labels(folder), legacy(folder)]
        round_trips(outputs)


if __name__ == "__main__":
    main()
