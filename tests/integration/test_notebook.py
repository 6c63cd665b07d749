"""The example notebook runs from its first to its last cell, and shows what it promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
for package in ("ipykernel", "tensorflow", "sklearn", "matplotlib"):
    pytest.importorskip(package)

NOTEBOOK = Path(__file__).parents[2] / "examples" / "activity_by_cell_type.ipynb"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The notebook after it ran in an empty folder."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return notebook


def shown(cell, kind: str) -> str:
    """All that a cell shows of one kind."""
    data = [output.get("data", {}).get(kind, "") for output in cell.outputs]
    streams = [output.get("text", "") for output in cell.outputs if output.output_type == "stream"]
    return "".join(data + (streams if kind == "text/plain" else []))


def test_it_leads_from_a_file_to_a_figure_in_ten_cells():
    assert len(nbformat.read(NOTEBOOK, as_version=4).cells) == 10


def test_it_says_what_the_classifiers_were_trained_on():
    first = nbformat.read(NOTEBOOK, as_version=4).cells[0]
    assert "trained on simulations" in first.source


@pytest.mark.slow
@pytest.mark.tensorflow
def test_its_tables_and_figures_are_there(notebook):
    cells = notebook.cells
    assert "cell-type-sim" in shown(cells[3], "text/plain")
    assert re.search(r"\bprobability interneuron\b", shown(cells[4], "text/html"))
    assert "transients_per_minute" in cells[8].source
    assert "50%" in shown(cells[8], "text/html")
    for figure in (5, 6, 7, 9):
        assert len(shown(cells[figure], "image/png")) > 10_000


@pytest.mark.slow
@pytest.mark.tensorflow
def test_nothing_in_it_warns_or_fails(notebook):
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert [text for text in streams if "Error" in text or "ndx_cinac" in text] == []
