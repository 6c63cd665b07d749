"""What the documents say of the code: the names in them exist, and their examples run."""

import importlib
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SESSION = ROOT / "tests" / "data" / "deepcinac" / "cinac" / "session_a.cinac"


def exists(name):
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_of_the_package_in_a_document_exist(document):
    names = re.findall(r"\bndx_cinac(?:\.[A-Za-z_]\w*)+", document.read_text(encoding="utf-8"))
    assert [name for name in sorted(set(names)) if not exists(name)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_a_document_lead_to_files(document):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_a_name_that_is_not_there_is_found_out():
    assert exists("ndx_cinac.cinac_files.CinacFile.segments") is False  # made when a file is opened
    assert exists("ndx_cinac.nowhere.CinacFile") is False
    assert exists("ndx_cinac.cinac_files.CinacFile.read_segment") is True


def test_the_example_for_cinac_files_runs(tmp_path, monkeypatch):
    shutil.copy(SESSION, tmp_path / "session.cinac")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "deepcinac.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "CinacFile" in block)
    names = {}
    exec(code, names)
    assert names["segment"].key == names["key"] == (7, 100, 229)


def test_the_imports_that_replace_deepcinacs_give_its_names():
    text = (ROOT / "docs" / "deepcinac.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"# after\n(.*?)```", text, re.S).group(1), names)
    assert {"CinacPredictor", "CinacRecording", "CinacTiffMovie", "os", "np"} <= set(names)
