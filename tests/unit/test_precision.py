"""Reduced precision: refused where the device has none, near to float32 where it has, named in results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("keras")

from ndx_cinac import precision
from ndx_cinac.activity_network import average_networks, build_activity_network, with_probability
from ndx_cinac.classifiers import load_classifier
from ndx_cinac.errors import ConfigError, PredictionError
from ndx_cinac.networks import CompiledNetwork
from ndx_cinac.precision import check_precision, in_precision, processor_flags
from ndx_cinac.prediction import CellTypeOptions, PredictionOptions
from ndx_cinac.prediction.activity import engine_of


@pytest.fixture
def device(monkeypatch):
    """Set what computes, and the instructions of the processor."""

    def is_now(name, *flags):
        monkeypatch.setattr(precision, "device_description", lambda: name)
        monkeypatch.setattr(precision, "processor_flags", lambda: frozenset(flags))

    return is_now


@pytest.fixture(scope="module")
def network():
    parts = [build_activity_network(4, width=8, dilations=(1, 2), head=4) for _ in range(2)]
    return with_probability(average_networks(parts), shift=0.3, temperature=1.5)


def test_float16_is_refused_on_a_processor(device):
    device("CPU, 2 threads", "avx512_bf16")
    with pytest.raises(PredictionError, match="float16 is for GPUs, and the network runs on CPU, 2 threads"):
        check_precision("float16")


def test_bfloat16_is_refused_on_a_processor_without_it(device):
    device("CPU, 2 threads", "avx2")
    with pytest.raises(PredictionError, match=r"not known to have instructions for bfloat16.*\n?.*float32"):
        check_precision("bfloat16")


def test_bfloat16_is_refused_on_a_gpu(device):
    device("GPU, H200", "amx_bf16")
    with pytest.raises(
        PredictionError, match=r"bfloat16 is for processors, and the network runs on GPU, H200"
    ):
        check_precision("bfloat16")


@pytest.mark.parametrize(
    ("name", "flag", "wanted"),
    [
        ("CPU, 1 thread", "avx512_bf16", "bfloat16"),
        ("CPU, 1 thread", "bf16", "bfloat16"),
        ("GPU, H200", "", "float16"),
    ],
)
def test_what_a_device_has_is_let_through(device, name, flag, wanted):
    device(name, flag)
    check_precision(wanted)


def test_float32_runs_everywhere_without_a_look_at_the_device(monkeypatch):
    monkeypatch.setattr(precision, "device_description", lambda: pytest.fail("looked"))
    check_precision("float32")


def test_flags_are_read_as_linux_lists_them(tmp_path):
    (tmp_path / "x86").write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16 amx_bf16\nflags\t\t: fpu\n")
    (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert {"avx512_bf16", "amx_bf16"} < processor_flags(tmp_path / "x86")
    assert "bf16" in processor_flags(tmp_path / "arm")
    assert processor_flags(tmp_path / "none") == frozenset()


def test_float32_is_the_network_itself(network):
    assert in_precision(network, "float32") is network


@pytest.mark.parametrize(("reduced", "largest"), [("bfloat16", 3e-2), ("float16", 3e-3)])
def test_reduced_precision_changes_probabilities_a_little_and_gives_float32(
    network, device, reduced, largest
):
    device("CPU, 1 thread" if reduced == "bfloat16" else "GPU, any", "bf16")
    x = np.random.default_rng(0).standard_normal((3, 90, 4)).astype(np.float32)
    exact = CompiledNetwork(network, 64).predict(x)
    found = CompiledNetwork(network, 64, precision=reduced).predict(x)
    assert found.dtype == np.float32
    difference = np.abs(found - exact).max()
    assert 1e-7 < difference < largest


def test_the_last_weights_of_every_branch_compute_in_float32_and_all_before_them_do_not(network):
    policies = {layer.name: layer.compute_dtype for layer in in_precision(network, "bfloat16").layers}
    logits = {name for name in policies if name.endswith("_logit")}
    assert len(logits) == 2
    assert {policies[name] for name in (*logits, "average", "calibration", "probability")} == {"float32"}
    assert {policies[name] for name in policies if name.endswith("_head")} == {"bfloat16"}


def test_unknown_precisions_are_refused():
    with pytest.raises(ConfigError, match=r"'precision' is 'half'.*\n?.*float32, bfloat16, float16"):
        PredictionOptions(precision="half")


def test_cell_types_are_not_predicted_in_reduced_precision():
    with pytest.raises(ConfigError, match="Cell types are predicted in float32, not in bfloat16"):
        CellTypeOptions(precision="bfloat16")


def test_the_precision_is_refused_before_any_work(device):
    device("CPU, 2 threads")
    with pytest.raises(PredictionError, match="bfloat16"):
        engine_of(load_classifier("activity-sim"), PredictionOptions(precision="bfloat16"))


def test_the_precision_is_part_of_what_results_and_finished_work_are_tied_to():
    assert PredictionOptions(precision="bfloat16").to_dict()["precision"] == "bfloat16"
    assert PredictionOptions().to_dict()["precision"] == "float32"


def test_classifiers_of_deepcinac_run_in_float32_alone():
    bundled = load_classifier("activity-sim")
    card = replace(bundled.card, inputs={**bundled.card.inputs, "kind": "legacy patches"})
    with pytest.raises(ConfigError, match="one of DeepCINAC's: it runs in float32, not bfloat16"):
        engine_of(replace(bundled, card=card), PredictionOptions(precision="bfloat16"))


def test_the_command_line_gives_the_precision_on_and_refuses_it_for_cell_types(capsys):
    from ndx_cinac.cli import main
    from ndx_cinac.cli.prediction_options import activity_options
    from ndx_cinac.cli.program import build_parser

    given = build_parser().parse_args(["predict", "a.nwb", "--precision", "bfloat16"])
    assert activity_options(given).precision == "bfloat16"
    assert main(["predict", "a.nwb", "--task", "cell-type", "--precision", "bfloat16"]) == 1
    assert "--precision has no meaning with --task cell-type" in capsys.readouterr().err
