"""Make ``0.1.0_all_types.nwb``, beside this script, with version 0.1.0 of the namespace.

Run once, with the ndx-cinac of that version. The file stays as it is: later versions must read it.
``0.1.0_only_pynwb_4.nwb`` is what it wrote before files held a stand-in for core's EventsTable, which older
readers need: pynwb before 4 cannot open it.
"""

from __future__ import annotations

from pathlib import Path

from pynwb import NWBHDF5IO

from ndx_cinac.testing.mock import mock_nwbfile_with_predictions


def main(path: Path) -> None:
    """Write a small movie and one object of each type."""
    with NWBHDF5IO(path, "w") as io:
        io.write(mock_nwbfile_with_predictions(n_rois=2, n_frames=40))


if __name__ == "__main__":
    main(Path(__file__).with_name("0.1.0_all_types.nwb"))
