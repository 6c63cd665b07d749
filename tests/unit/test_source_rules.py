"""Rules of the source that keep files harmless: nothing runs, unpickles or formats what comes from a file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ndx_cinac

FOLDER = Path(ndx_cinac.__file__).parent
SOURCES = {str(path.relative_to(FOLDER)): ast.parse(path.read_text()) for path in FOLDER.rglob("*.py")}
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads"),
    *("marshal.loads", "shelve.open", "yaml.unsafe_load", "yaml.full_load", "np.loadtxt", "joblib.load"),
    *("shutil.unpack_archive", "tarfile.open", "importlib.util.spec_from_file_location"),
}
OWN_TEXTS = {"training/cell_card.py"}
"""Where formats are constants of the module itself."""


def calls(tree: ast.AST):
    """(name, call) of every call; names with their module as written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.BinOp) and literal(node.left) and literal(node.right)
    )


def test_nothing_that_runs_or_unpickles_is_called():
    found = {(path, name) for path, tree in SOURCES.items() for name, _ in calls(tree) if name in FORBIDDEN}
    assert found == set()


def test_pickle_is_named_only_where_a_restricted_reader_is_made():
    found = {
        path
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "pickle" in {getattr(node, "module", None), *(name.name for name in node.names)}
    }
    assert found == {"deepcinac/suite2p_files.py"}


@pytest.mark.parametrize("path", SOURCES)
def test_arrays_are_loaded_without_pickle_processes_started_without_shell_and_archives_never_unpacked(path):
    for name, call in calls(SOURCES[path]):
        settings = {each.arg: ast.unparse(each.value) for each in call.keywords}
        if name == "np.load":
            assert settings.get("allow_pickle") == "False", path
        assert settings.get("shell", "False") == "False", path
        assert not name.endswith((".extractall", ".extract")), path
        if name.startswith("yaml.") and name.endswith("load"):
            assert name == "yaml.safe_load" or settings.get("Loader") == "_PlainLoader", path


@pytest.mark.parametrize("path", SOURCES)
def test_formats_are_written_in_the_source(path):
    for name, call in calls(SOURCES[path]):
        if name.endswith(".format") and isinstance(call.func, ast.Attribute):
            assert literal(call.func.value) or path in OWN_TEXTS, (path, ast.unparse(call))
        if name.split(".")[0] in ("logger", "_log", "logging") and name.endswith(
            ("debug", "info", "warning", "error")
        ):
            assert literal(call.args[0]) or isinstance(call.args[0], ast.Name), (path, ast.unparse(call))
