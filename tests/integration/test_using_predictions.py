"""What docs/using_predictions.md shows runs as it stands: Python, R, MATLAB's language, the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.cli import main
from ndx_cinac.testing.mock import mock_nwbfile_with_predictions

DOCUMENT = Path(__file__).parents[2] / "docs" / "using_predictions.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def block(language: str, word: str) -> str:
    """Return the only block of a language that holds a word."""
    (found,) = [each for each in blocks(language) if word in each]
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with a file of the name that the document uses."""
    with NWBHDF5IO(tmp_path / "session_cinac.nwb", "w") as io:
        io.write(mock_nwbfile_with_predictions(n_rois=9, n_frames=60))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(code: str) -> dict:
    names: dict = {}
    exec(compile(code, DOCUMENT.name, "exec"), names)
    return names


def test_pynwb_alone_reads_the_file(folder):
    code = block(
        "python", "with pynwb alone" if "with pynwb alone" in "".join(blocks("python")) else "rate ="
    )
    check = (
        "import sys\n"
        "assert 'ndx_cinac' not in sys.modules\n"
        "assert (probabilities.shape, len(cells), len(meanings)) == ((60, 9), 9, 2)\n"
        "assert cells['roi'].tolist() == list(range(9)) and rate == 10\n"
        "assert 'CL:0000598' in meanings['cell_ontology_id'].tolist()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code + check], cwd=folder, check=True)


def test_ndx_cinac_gives_tables_for_work(folder):
    names = run(block("python", "by_time = "))
    assert {"roi_id", "cell_type", "confidence", "probability interneuron"} <= set(names["cells"])
    assert names["by_time"].shape == (60, 9)
    assert 0 < names["interneurons"].shape[1] < 9


def test_exports_are_read_as_shown(folder):
    assert main(["export", "session_cinac.nwb", "--format", "npz"]) == 0
    names = run(block("python", "np.load"))
    assert names["probability"].shape == (60, 9)
    assert names["about"]["ROI ids"].startswith("0, 1")


def test_r_reads_the_tables_as_shown(folder):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    assert main(["export", "session_cinac.nwb"]) == 0
    (code,) = blocks("r")
    script = code + "stopifnot(nrow(activity) == 60, length(columns) > 0); cat(sum(table(cells$cell_type)))"
    done = subprocess.run(["Rscript", "-e", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("9")


def test_octave_reads_the_structs_as_shown(folder):
    if shutil.which("octave-cli") is None:
        pytest.skip("Octave is not installed")
    assert main(["export", "session_cinac.nwb", "--format", "mat"]) == 0
    (code,) = blocks("matlab")
    script = code.replace(
        "plot(activity.time_s, share);", "assert(size(share), [60 1]); assert(any(share > 0));"
    )
    done = subprocess.run(
        ["octave-cli", "--eval", script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert "From the onset to the peak of a transient." in done.stdout


def test_commands_run_as_shown(folder):
    pytest.importorskip("matplotlib")
    pytest.importorskip("scipy")
    shown = re.findall(r"^    ndx-cinac ((?:export|plot) .+)$", TEXT, re.M)
    assert len(shown) == 5
    for words in shown:
        assert main(words.split()) == 0, words
    figures = {path.name.removeprefix("session_cinac") for path in (folder / "figures").iterdir()}
    named = set(re.findall(r"`(_[a-z_]+)`", TEXT.partition("## Figures")[2]))
    assert figures == {f"{name}.png" for name in named}
    assert {"for_matlab.mat", "types.csv"} <= {path.name for path in folder.iterdir()}


def test_figures_are_drawn_as_shown(folder):
    pytest.importorskip("matplotlib")
    run(block("python", "plot_cell_type_field"))
    assert (folder / "cell_types.pdf").stat().st_size > 1000


def test_corrections_lie_beside_predictions_and_evaluate_counts_them(folder):
    pytest.importorskip("sklearn")
    from ndx_cinac.evaluation import evaluate_cell_types

    before = evaluate_cell_types("session_cinac.nwb")
    run(block("python", "annotate_cell_types").replace("noise", "pyramidal"))
    with NWBHDF5IO("session_cinac.nwb", "r") as io:
        cinac = io.read().processing["cinac"]
        assert cinac["CellTypeAnnotations"].to_dataframe(index=True)["annotator"].tolist()[-2:] == [
            "JD",
            "JD",
        ]
        predicted = cinac["CellTypePredictions"].to_dataframe()["cell_type"].tolist()
    after = evaluate_cell_types("session_cinac.nwb")
    judged = [["pyramidal", "interneuron"][row % 2] for row in range(9)]
    corrected = [{3: "interneuron", 7: "pyramidal"}.get(row, each) for row, each in enumerate(judged)]
    for scores, truth in ((before, judged), (after, corrected)):
        right = np.mean([a == b for a, b in zip(truth, predicted, strict=True)])
        assert scores.accuracy == pytest.approx(right)
    assert before.accuracy != after.accuracy
