"""Make the first inputs of the fuzzers: small good files, and bad ones of each kind that was thought of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from targets import TARGETS

from ndx_cinac.cinac_files import CinacFullData, CinacSegment, SegmentKey, write_cinac
from ndx_cinac.classifiers import list_classifiers

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "tests" / "data" / "deepcinac"

YAML = {
    "types": "config:\n  multi_class: true\ncell_type_categories:\n  - a:\n      keywords: [b]\n  - c\n",
    "binary": "cell_type_categories:\n  - a: {predicted_celll_type: True}\n  - b\n",
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "tag": "!!python/object/apply:os.system [echo]\n",
    "date": "a: 2001-99-99\nb: 0b_\nc: 1:99:99\n",
    "deep": "[" * 60,
    "twice": "a: 1\na: 2\n",
    "training": "seed: 1\nsteps: 10\ndilations: [1, 2]\nsources: [a.nwb, {path: b.nwb}]\n",
    "simulation": "n_frames: 100\n",
}


def _legacy() -> dict[str, bytes]:
    """Return small architectures: those of DeepCINAC, without their Lambdas' bytecode where that is long."""
    names = ("activity_w40", "cell_type_w50", "activity_unidirectional_relu_bn_w40")
    return {name: (DATA / f"{name}.json").read_bytes() for name in names}


def _cinac(folder: Path) -> None:
    contour = np.array([[1, 4, 4, 1], [1, 1, 4, 4]])
    segment = CinacSegment(
        SegmentKey(0, 0, 9),
        np.zeros((10, 6, 7), "u1"),
        np.ones(10, int),
        (contour,),
        raw_trace=np.arange(10.0),
        cell_type="pyramidal",
    )
    write_cinac(folder / "segment", [segment], overwrite=True)
    full = CinacFullData((contour, contour), 10, 2, np.zeros((2, 10)), movie_file_name="movie.tif")
    write_cinac(folder / "full", [], full, overwrite=True)


def main() -> None:
    """Write corpus/TARGET/NAME for each target."""
    folders = {name: HERE / "corpus" / name for name in TARGETS}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for each in list_classifiers():
        (folders["card"] / each.name).write_text(each.to_json())
    least = {
        key: value for key, value in json.loads(list_classifiers()[0].to_json()).items() if key[0] in "nvtdi"
    }
    (folders["card"] / "least").write_text(json.dumps(least))
    for name, text in YAML.items():
        (folders["yaml"] / name).write_text(text)
    for name, data in _legacy().items():
        (folders["legacy"] / name).write_bytes(data)
    _cinac(folders["cinac"])
    (folders["cinac_built"] / "ones").write_bytes(bytes(range(1, 255)) * 3)
    (folders["cinac_built"] / "zeros").write_bytes(bytes(400))


if __name__ == "__main__":
    main()
