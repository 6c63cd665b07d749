"""Print as JSON what a reader without ndx-cinac finds in a file: python read_elsewhere.py {pynwb,h5py} FILE.

Runs with nothing but the named package, of any version.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def with_pynwb(path: str) -> dict[str, Any]:
    """What pynwb builds from the specifications that the file brings along."""
    import pynwb

    with pynwb.NWBHDF5IO(path, "r", load_namespaces=True) as io:
        nwbfile = io.read()
        module = nwbfile.processing["cinac"]
        series = module["ActivityPredictions"]
        types = {name: type(each).__name__ for name, each in module.data_interfaces.items()}
        tables = {
            name: len(each) for name, each in module.data_interfaces.items() if hasattr(each, "colnames")
        }
        cells = module["CellTypePredictions"]
        return {
            "version": pynwb.__version__,
            "types": types,
            "rows": tables,
            "is_series": isinstance(series, pynwb.ophys.RoiResponseSeries),
            "shape": list(series.data.shape),
            "sum": float(series.data[:].sum()),
            "threshold": float(series.threshold),
            "movie": series.movie.name,
            "cell_types": [str(each) for each in cells["cell_type"].data[:]],
            "parameters": module["PredictionProvenance"].parameters,
        }


def with_h5py(path: str) -> dict[str, Any]:
    """What lies in the file as plain HDF5."""
    import h5py

    with h5py.File(path) as file:
        module = file["processing/cinac"]
        series = module["ActivityPredictions"]
        cells = module["CellTypePredictions"]
        transients = module["PredictedTransients"]
        return {
            "version": h5py.__version__,
            "types": {name: str(each.attrs["neurodata_type"]) for name, each in module.items()},
            "rows": {name: len(each["id"]) for name, each in module.items() if "id" in each},
            "shape": list(series["data"].shape),
            "sum": float(series["data"][:].sum()),
            "threshold": float(series.attrs["threshold"]),
            "movie": list(series["movie/data"].shape),
            "cell_types": [each.decode() for each in cells["cell_type"][:]],
            "parameters": module["PredictionProvenance/parameters"][()].decode(),
            "first_frames": [int(each) for each in transients["first_frame"][:]],
        }


if __name__ == "__main__":
    reader, file_path = sys.argv[1:]
    print(json.dumps({"pynwb": with_pynwb, "h5py": with_h5py}[reader](file_path)))
