"""The command line: help, exit status, what goes to which stream; the verbs' work is replaced here."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import h5py
import pytest

from ndx_cinac.cli import commands, main
from ndx_cinac.cli.environment import EXTRAS, describe_environment, environment_text
from ndx_cinac.cli.program import build_parser
from ndx_cinac.errors import ReadingError


def verbs_of(parser):
    """Parsers of the verbs, or actions, that a parser knows."""
    found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return found[0].choices if found else {}


VERBS = tuple(verbs_of(build_parser()))


def failing(error):
    def run(options):
        raise error

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(capsys, verb):
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    assert f"example:\n  ndx-cinac {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "action"),
    [(verb, action) for verb, parser in verbs_of(build_parser()).items() for action in verbs_of(parser)],
)
def test_actions_of_verbs_have_help_with_an_example(capsys, verb, action):
    with pytest.raises(SystemExit):
        main([verb, action, "--help"])
    assert f"ndx-cinac {verb} {action}" in capsys.readouterr().out


def test_every_verb_and_action_has_a_function():
    for parser in verbs_of(build_parser()).values():
        for each in verbs_of(parser).values() or [parser]:
            module, _, function = each.get_default("run").rpartition(":")
            assert callable(getattr(import_module(f"ndx_cinac.cli.{module or 'commands'}"), function))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["predict"],
        ["predict", "a.nwb", "--threshold", "2"],
        ["predict", "a.nwb", "--batch-size", "0"],
        ["predict", "a.nwb", "--mode", "move"],
        ["predict", "a.nwb", "--rois", "1", "--roi-column", "iscell"],
        ["plot", "a.nwb", "--rois", "x"],
        ["classifiers"],
        ["predict", "a.nwb", "--task", "both"],
        ["predict", "a.nwb", "--segments", "0"],
        ["fuse", "a.nwb", "--trust", "interneuron"],
        ["cell-types"],
        ["convert", "a.cinac"],
        ["convert", "a.cinac", "a.nwb", "--frame-rate", "0"],
        ["convert", "a.cinac", "a.nwb", "--session-start", "yesterday"],
        ["convert", "a.cinac", "a.nwb", "--session-start", "2024-05-06T10:00"],
        ["classifiers", "convert", "model.json", "weights.h5"],
    ],
)
def test_wrong_usage_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: ndx-cinac" in capsys.readouterr().err


def test_known_failure_says_why_without_a_traceback(capsys, monkeypatch):
    monkeypatch.setattr(commands, "info", failing(ReadingError("It broke", where="a.nwb", fix="Mend it")))
    assert main(["info"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "ndx-cinac: It broke (a.nwb). Mend it.\n"
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["--debug", "info"], ["info", "--debug"]])
def test_debug_gives_the_traceback(capsys, monkeypatch, arguments):
    monkeypatch.setattr(commands, "info", failing(ReadingError("It broke")))
    assert main(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_unexpected_failure_is_said_in_two_lines(capsys, monkeypatch):
    monkeypatch.setattr(commands, "info", failing(ZeroDivisionError("division by zero")))
    assert main(["info"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ndx-cinac: unexpected ZeroDivisionError: division by zero"
    assert "--debug" in lines[1]
    assert len(lines) == 2


def test_interruption_exits_with_130_and_one_line(capsys, monkeypatch):
    monkeypatch.setattr(commands, "info", failing(KeyboardInterrupt()))
    assert main(["info"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["-q", "info"], ["info", "-q"], ["info", "--quiet"]])
def test_options_for_all_verbs_stand_on_either_side(monkeypatch, arguments):
    seen = []
    monkeypatch.setattr(commands, "info", seen.append)
    assert main(arguments) == 0
    assert seen[0].quiet
    assert not seen[0].debug


def test_existing_output_is_refused_before_tensorflow_is_loaded(tmp_path, capsys):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.9.0"
    (tmp_path / "a_cinac.nwb").write_bytes(b"precious")
    assert main(["predict", str(tmp_path / "a.nwb")]) == 1
    assert "The output exists already" in capsys.readouterr().err
    assert (tmp_path / "a_cinac.nwb").read_bytes() == b"precious"


def test_native_messages_are_dropped_unless_something_fails():
    script = (
        "import os\nfrom ndx_cinac.quiet_loading import native_messages_aside as aside\n"
        "with aside(show=False): os.write(2, b'noise')\n"
        "try:\n    with aside(show=False): os.write(2, b'cause'); raise OSError\nexcept OSError: pass\n"
        "with aside(show=True): os.write(2, b'asked')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "causeasked"


def test_packages_that_are_left_out_while_networks_load_can_be_imported_afterwards():
    script = (
        "import json\nfrom ndx_cinac.quiet_loading import left_out\n"
        "with left_out('json', 'colorsys'):\n"
        "    import json\n"
        "    try:\n        import colorsys\n    except ImportError: print('left out')\n"
        "import colorsys\nprint(json.dumps(colorsys.rgb_to_hsv(0, 0, 0)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["left out", "[0.0, 0.0, 0]"]


def test_environment_names_what_an_extra_lacks(monkeypatch):
    from ndx_cinac.cli import environment

    known = environment.installed_version
    monkeypatch.setattr(
        environment, "installed_version", lambda name: None if name in ("zarr", "keras") else known(name)
    )
    facts = describe_environment()
    assert facts["extras"]["zarr"] == ["zarr"]
    assert facts["device"] is None
    text = environment_text()
    assert 'lacks zarr: pip install "ndx-cinac[zarr]"' in text
    assert "TensorFlow is not installed" in text


def test_info_says_why_an_installed_tensorflow_cannot_be_used(monkeypatch):
    from ndx_cinac.cli import environment

    monkeypatch.setitem(sys.modules, "ndx_cinac.networks", None)
    assert environment._device().startswith("TensorFlow cannot be imported: ")


def test_info_is_valid_json(capsys, monkeypatch):
    from ndx_cinac.cli import environment

    monkeypatch.setattr(environment, "_device", lambda: "CPU")
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts["extras"]) == set(EXTRAS)
    assert {"ndx-cinac", "pynwb", "numpy"} <= set(facts["packages"])


def test_rois_and_global_options_are_parsed():
    options = build_parser().parse_args(["predict", "a.nwb", "--rois", "0", "3", "5", "--mode", "standalone"])
    assert (options.rois, options.mode, options.run) == ([0, 3, 5], "standalone", "predict:predict")


def test_the_module_runs_like_the_script_and_says_its_version():
    command = [sys.executable, "-m", "ndx_cinac", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"ndx-cinac {version('ndx-cinac')}\n"


@pytest.mark.tensorflow
def test_facts_about_the_machine_come_without_what_native_code_says():
    pytest.importorskip("tensorflow")
    done = subprocess.run([sys.executable, "-m", "ndx_cinac", "info"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "CPU" in done.stdout


@pytest.mark.tensorflow
def test_tensorflow_is_loaded_without_packages_that_nothing_here_uses():
    pytest.importorskip("tensorflow")
    script = (
        "import sys\nfrom ndx_cinac.quiet_loading import load_networks\nload_networks()\n"
        "print('tensorflow' in sys.modules, {'jax', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "True set()"
    assert done.stderr == ""
