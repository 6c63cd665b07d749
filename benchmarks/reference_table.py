"""Compute again what DeepCINAC 1.1.10 computed on the reference recording, and show how far it is off.

    python benchmarks/reference_table.py [FOLDER]

FOLDER holds DeepCINAC's outputs; its README says how each was made. The table has a row for each array, or
for all arrays of one kind: how many numbers they hold, the largest difference from them, and the difference
that is allowed. The command fails where one is larger, and where an array of the reference has no row.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ndx_cinac import cinac_predictor as cp
from ndx_cinac.cinac_files import CinacFile
from ndx_cinac.cinac_structures import CinacDataMovie, CinacRecording
from ndx_cinac.deepcinac.patches import ACTIVITY_INPUTS, CELL_TYPE_INPUTS, PatchOptions, plan_patch

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "deepcinac"
EXACT, PATCHES, PREDICTIONS = 0.0, 1e-6, 1e-5
"""Allowed differences."""

CPU = Path("/proc/cpuinfo")
RAW_PIXELS = PREDICTIONS if CPU.exists() and "avx512f" in CPU.read_text() else 1e-4
"""The same for a .cinac file of raw pixels, which other processors round otherwise: docs/deepcinac.md."""

WINDOW, CELL_TYPE_WINDOW = 40, 50
CELL_TYPE_WINDOWS = "cell_type(window_len=50,n_frames=230)"
PATCH_FRAMES = 3  # of each window, so many are in the reference

INPUTS = {f"fusion/{name}" for name in ("p1", "p2", "p3", "default", "p2_sparse", "tied")}
INPUTS.add("classifier_choice/removed_cells/mapping")
"""What the reference holds that is not computed."""


@dataclass
class Row:
    """One line of the table.

    Attributes
    ----------
    name : str
        File and array, or the kind of arrays.
    allowed : float
        The largest difference that may be.
    arrays, numbers : int
        How many are compared.
    largest : float
        The largest difference found; infinite for arrays of another shape.
    """

    name: str
    allowed: float
    arrays: int = 0
    numbers: int = 0
    largest: float = 0.0

    def add(self, found: ArrayLike, expected: ArrayLike) -> None:
        """Compare one more array."""
        one, other = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
        same = one.shape == other.shape
        difference = float(np.abs(one - other).max(initial=0.0)) if same else np.inf
        self.arrays, self.numbers = self.arrays + 1, self.numbers + other.size
        self.largest = max(self.largest, difference)


class Reference:
    """DeepCINAC's outputs, and what is found in their place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, Row] = {}
        self.seen: set[str] = set()
        stored = self.arrays("recording")
        self.recording = CinacRecording("reference")
        self.recording.set_movie(CinacDataMovie(stored["movie"].astype(np.float64)))
        pixels = np.split(stored["pixels"], stored["pixels_index"][:-1])
        self.recording.set_rois_using_pixel_mask(pixels)

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return all arrays of one .npz file."""
        with np.load(self.folder / f"{name}.npz") as stored:
            return dict(stored)

    def json(self, name: str) -> Any:
        """Return what a .json file holds."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    def add(self, key: str, found: ArrayLike, expected: ArrayLike, allowed: float, row: str = "") -> None:
        """Compare the array `key` (file and name), in a row of its own or in that of its kind."""
        self.seen.add(key)
        self.rows.setdefault(row or key, Row(row or key, allowed)).add(found, expected)

    def files(self, name: str, identifier: str) -> tuple[str, str, str]:
        """Return the key of a classifier in `model_files_dict`."""
        return str(self.folder / f"{name}.json"), str(self.folder / f"{name}.h5"), identifier

    def missed(self) -> list[str]:
        """Return the outputs of DeepCINAC that have not been compared."""
        listed = set()
        for name in ("geometry", "patches", "predictions", "fusion"):
            listed |= {f"{name}/{key}" for key in self.arrays(name) if not key.endswith("!error")}
        for name in ("windows", "classifier_choice"):
            listed |= {f"{name}/{part}/{key}" for part, held in self.json(name).items() for key in held}
        return sorted(listed - INPUTS - self.seen)


def compare_geometry(reference: Reference) -> None:
    recording, expected = reference.recording, reference.arrays("geometry")
    outlines = recording.outlines
    found: dict[str, ArrayLike] = {
        "raw_traces": recording.get_raw_traces(normalized=False),
        "raw_traces_z": recording.get_raw_traces(normalized=True),
        "smooth_traces": recording.get_smooth_traces(normalized=False),
        "smooth_traces_z": recording.get_smooth_traces(normalized=True),
        "centroid_xy": [outlines.centroid(row) for row in range(len(outlines))],
        "overlaps": outlines.overlaps,
    }
    for name, values in found.items():
        reference.add(f"geometry/{name}", values, expected[name], EXACT)


def compare_windows(reference: Reference) -> None:
    expected = reference.json("windows")
    for case, starts in expected["activity"].items():
        n_frames, window, overlap = case.split(",")
        _, found = cp.load_data_for_prediction(
            reference.recording, 0, int(window), float(overlap), None, int(n_frames)
        )
        reference.add(f"windows/activity/{case}", found, starts, EXACT, "windows/activity")
    for case, starts in expected[CELL_TYPE_WINDOWS].items():
        cell, n_windows, overlap = case.split(",")
        _, found = cp.load_data_for_cell_type_prediction(
            reference.recording, int(cell), CELL_TYPE_WINDOW, float(overlap), None, 230, int(n_windows)
        )
        reference.add(f"windows/{CELL_TYPE_WINDOWS}/{case}", found, starts, EXACT, "windows/cell_type")


def compare_patches(reference: Reference) -> None:
    for key, expected in reference.arrays("patches").items():
        kind, cell, *buffer, which = key.split("/")
        row = int(cell.removeprefix("cell"))
        start, options = (
            0,
            PatchOptions(21, 21, ACTIVITY_INPUTS, "legacy", 1 if buffer == ["buffer1"] else None),
        )
        if kind == "cell_type":
            options = PatchOptions(11, 11, CELL_TYPE_INPUTS, "legacy")
            _, (start,) = cp.load_data_for_cell_type_prediction(
                reference.recording, row, CELL_TYPE_WINDOW, 0, None, 230, 1
            )
        movie = reference.recording.require_movie()
        plan = plan_patch(reference.recording.outlines, row, movie.shape[1:], options)
        pixels = reference.recording.normalization(plan.cut(movie.read(start, start + PATCH_FRAMES)))
        found = plan.fill(pixels, int(which.removeprefix("input_")))
        kinds = "/".join([kind, "*", *buffer, which])
        reference.add(f"patches/{key}", found, expected, PATCHES, f"patches/{kinds}")


def prediction_cases(
    reference: Reference,
) -> Iterator[tuple[str, dict[tuple[str, str, str], Any], dict[str, Any]]]:
    """Yield the name, the classifiers and the options of each prediction."""
    plain = reference.files("activity_w40", "w40")
    relu = reference.files("activity_unidirectional_relu_bn_w40", "plain")
    yield "activity/overlap0.5", {plain: None}, {}
    yield "activity/overlap0.8", {plain: None}, {"overlap_value": 0.8}
    yield "activity/overlap0.5/buffer1", {plain: None}, {"cell_buffer": 1}
    yield "activity/overlap0.5/augmented", {plain: None}, {"use_data_augmentation": True}
    yield "activity/overlap0.5/cells_1_4_6", {plain: [1, 4, 6]}, {}
    yield "activity/two_classifiers", {plain: [0, 2, 4], relu: [1, 3]}, {}
    yield "activity/removed_cell_2", {plain: None}, {"removed": np.array([0, 1, -1, 2, 3, 4, 5, 6])}
    yield "activity_plain/overlap0.5", {relu: None}, {}
    yield "activity_3class/overlap0.5", {reference.files("activity_3class_w40", "three"): None}, {}
    late = reference.files("activity_attention_after_lstm_w40", "late")
    yield "activity_late/overlap0.5", {late: None}, {}
    for name in ("cell_type", "cell_type_all_pixels"):
        files = reference.files(f"{name}_w50", name)
        for n_windows in (2, 3):
            options = {"n_segments_to_use_for_prediction": n_windows, "overlap_value": 0}
            yield f"{name}/n{n_windows}", {files: None}, options | {"cell_type_classifier_mode": True}
    highest = {"n_segments_to_use_for_prediction": 3, "cell_type_pred_fct": np.max}
    files = reference.files("cell_type_w50", "types")
    yield "cell_type/n3_max", {files: None}, highest | {"cell_type_classifier_mode": True}


def compare_predictions(reference: Reference) -> None:
    expected = reference.arrays("predictions")
    for case, models, options in prediction_cases(reference):
        predictor = cp.CinacPredictor()
        predictor.add_recording(reference.recording, models, options.pop("removed", None))
        (found,) = predictor.predict(None, time_verbose=False, **options).values()
        reference.add(f"predictions/{case}", found, expected[case], PREDICTIONS)


def compare_cell_types(reference: Reference) -> None:
    expected, types = reference.arrays("fusion"), reference.folder / "cell_types.yaml"
    first, second, third, sparse = (expected[name] for name in ("p1", "p2", "p3", "p2_sparse"))
    trusted, default = {0: first, 1: second, 2: third}, expected["default"]
    fuse, fuse_by_type = cp.fusion_cell_type_predictions, cp.fusion_cell_type_predictions_by_type
    found = {
        "fusion": fuse(first, sparse, cell_type_config_file=types),
        "fusion_keep_noise": fuse(first, sparse, cell_types_to_not_fusion_with_gt=[2]),
        "fusion_swap_0_1": fuse(first, sparse, with_new_category=[(0, 1)]),
        "fusion_new_category_0_3": fuse(first, sparse, with_new_category=[(0, 3)]),
        "by_type": fuse_by_type(trusted, default),
        "by_type_yaml": fuse_by_type(trusted, default, cell_type_config_file=types),
        "by_type_skip_1": fuse_by_type(trusted, default, 1, types),
    }
    for name, values in found.items():
        reference.add(f"fusion/{name}", values, expected[name], EXACT)
    compare_choice(reference, np.concatenate([expected["tied"], first]))


def compare_choice(reference: Reference, predictions: NDArray[np.floating]) -> None:
    """Compare chosen classifiers, cell types read from YAML, and cells found again after a removal."""
    expected, part = reference.json("classifier_choice"), "classifier_choice"
    default, interneuron, pyramidal = ((f"{n}.json", f"{n}.h5", n) for n in ("def", "in", "pyr"))
    classifiers = {"interneuron": interneuron, "pyr": pyramidal}
    for action in ("ignore", "default"):
        chosen: dict[Any, Any] = cp.select_activity_classifier_on_cell_type_outputs(
            reference.folder / "cell_types.yaml", predictions, classifiers, default, action
        )
        for files, cells in expected[action].items():
            found = chosen.pop(tuple(files.split("|")), [])
            reference.add(f"{part}/{action}/{files}", found, cells, EXACT, f"{part}/{action}")
        for unexpected in chosen.values():
            reference.add(f"{part}/{action}", unexpected, [], EXACT, f"{part}/{action}")
    for case, read in expected["yaml"].items():
        kind, multi_class = case.split(",using_multi_class=")
        file = reference.folder / ("cell_types.yaml" if kind == "multi" else "cell_types_binary.yaml")
        names, codes, multi = cp.read_cell_type_categories_yaml_file(file, int(multi_class))
        same = [{str(code): name for code, name in names.items()}, codes, multi] == read
        reference.add(f"{part}/yaml/{case}", [same], [True], EXACT, f"{part}/yaml")
    removed = expected["removed_cells"]
    mapping = np.array(removed["mapping"])
    new, original = cp.CinacPredictor.get_new_cell_indices_if_cells_removed(np.arange(8), mapping)
    for name, values in (("new", new), ("original", original)):
        reference.add(f"{part}/removed_cells/{name}", values, removed[name], EXACT, f"{part}/removed_cells")


def compare_cinac(reference: Reference) -> None:
    folder = reference.folder / "cinac"
    expected = json.loads((folder / "session_a.json").read_text(encoding="utf-8"))
    with CinacFile(folder / "session_a.cinac") as file:
        full = file.full_data
        found: dict[str, Any] = {
            "segments": file.segments,
            "cell_types": list(file.cell_types),
            "n_frames": full.n_frames if full else -1,
            "n_cells": file.n_cells,
            "n_active_frames": file.n_active_frames,
            "n_frames_gt": file.n_annotated_frames,
        }
    for name, values in expected.items():
        reference.add(
            f"cinac/{name}", found[name], np.array(values, dtype=np.int64), EXACT, "cinac/session_a"
        )
    with tempfile.TemporaryDirectory() as scratch:
        model, weights, name = reference.files("activity_w40", "activity_w40")
        cp.activity_predictions_from_cinac_files(folder, scratch, model, weights, name)
        saved = "session_a_predictions_activity_w40.npy"
        reference.add(f"cinac/{saved}", np.load(Path(scratch) / saved), np.load(folder / saved), RAW_PIXELS)


def compare(folder: Path) -> Reference:
    """Compute everything that DeepCINAC computed."""
    reference = Reference(folder)
    compare_geometry(reference)
    compare_windows(reference)
    compare_patches(reference)
    compare_predictions(reference)
    compare_cell_types(reference)
    compare_cinac(reference)
    return reference


def table(rows: list[Row]) -> str:
    """Show the rows as Markdown."""
    lines = [
        "| array | arrays | numbers | largest difference | allowed |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        largest, allowed = (f"{value:.1e}" if value else "0" for value in (row.largest, row.allowed))
        lines.append(f"| `{row.name}` | {row.arrays} | {row.numbers} | {largest} | {allowed} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=REFERENCE)
    reference = compare(parser.parse_args().folder)
    rows = list(reference.rows.values())
    print(table(rows))
    failed = [row.name for row in rows if not row.largest <= row.allowed]
    for name in failed:
        print(f"{name} is off by more than is allowed")
    for key in reference.missed():
        print(f"{key} of the reference was not compared")
    return 1 if failed or reference.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
