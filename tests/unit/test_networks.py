"""The network, its file and its compiled run."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndx_cinac.errors import ClassifierError, ConfigError, PredictionError

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

from ndx_cinac import networks  # noqa: E402
from ndx_cinac.networks import CompiledNetwork, build_activity_network, with_probability  # noqa: E402


@pytest.fixture(scope="module")
def small():
    """A network with every weight at random (batch normalisation, too) and a receptive field of 19 frames."""
    networks.keras.utils.set_random_seed(3)
    model = build_activity_network(3, width=6, dilations=(1, 2, 4), head=5)
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.uniform(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def channels(n_rois: int, n_frames: int, n_channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n_rois, n_frames, n_channels)).astype(np.float32)


def whole(model, x: np.ndarray) -> np.ndarray:
    return model(x, training=False).numpy()


def test_network_gives_one_logit_per_frame_for_any_length(small):
    assert whole(small, channels(2, 7)).shape == (2, 7)
    assert whole(small, channels(2, 31)).shape == (2, 31)


def test_default_network_sees_265_frames_with_fewer_than_100000_weights():
    model = build_activity_network(11)
    assert networks.receptive_field(model) == 265
    assert model.count_params() < 100_000


def test_receptive_field_is_what_the_output_depends_on(small):
    half = networks.receptive_field(small) // 2
    assert half == 9
    x = channels(1, 41)
    changed = x.copy()
    changed[0, 20] += 5
    moved = np.flatnonzero(np.abs(whole(small, changed) - whole(small, x))[0] > 0)
    assert moved.min() == 20 - half
    assert moved.max() == 20 + half


@pytest.mark.parametrize(
    "faulty",
    [{"width": 0}, {"first_kernel": 4}, {"dilations": (1, 0)}, {"dropout": 1.0}, {"n_channels": 0}],
    ids=lambda faulty: next(iter(faulty)),
)
def test_impossible_sizes_are_refused(faulty):
    with pytest.raises(ConfigError, match="No network has"):
        build_activity_network(**{"n_channels": 3, **faulty})


@pytest.mark.parametrize("n_frames", [1, 5, 19, 40, 41, 42, 61, 63, 200, 211])
@pytest.mark.parametrize(("block", "batch_size"), [(41, 3), (64, 1), (128, 8)])
def test_windows_give_what_one_convolution_over_the_recording_gives(small, n_frames, block, batch_size):
    x = channels(2, n_frames)
    got = CompiledNetwork(small, block, batch_size=batch_size).predict(x)
    np.testing.assert_allclose(got, whole(small, x), atol=1e-5)


def test_default_network_in_its_default_blocks_gives_what_one_convolution_gives():
    networks.keras.utils.set_random_seed(4)
    model = with_probability(build_activity_network(11))
    x = channels(1, 1300, 11)
    np.testing.assert_allclose(CompiledNetwork(model).predict(x), whole(model, x), atol=1e-5)


def test_wider_halo_changes_nothing(small):
    x = channels(2, 150)
    np.testing.assert_allclose(CompiledNetwork(small, 60, halo=15).predict(x), whole(small, x), atol=1e-5)


@given(n_frames=st.integers(1, 3000), halo=st.integers(0, 80), inner=st.integers(1, 200))
def test_windows_decide_every_frame_once_and_with_its_whole_context(n_frames, halo, inner):
    block = 2 * halo + inner
    windows = networks.window_starts(n_frames, block, halo)
    decided = np.concatenate([np.arange(first, stop) for _, first, stop in windows])
    np.testing.assert_array_equal(decided, np.arange(n_frames))
    for start, first, stop in windows:
        assert 0 <= start <= n_frames - min(block, n_frames)
        assert start == 0 or first - start >= halo
        assert start + block >= n_frames or start + block - stop >= halo


def test_one_shape_is_compiled_however_many_batches(small):
    network = CompiledNetwork(small, 64, batch_size=4)
    network.predict(channels(3, 300))
    traced = network._function.experimental_get_tracing_count()
    network.predict(channels(1, 500))
    CompiledNetwork(small, 64, batch_size=4).predict(channels(2, 300))
    assert network._function.experimental_get_tracing_count() == traced


def test_no_frames_and_no_rois_give_empty_predictions(small):
    network = CompiledNetwork(small, 64)
    assert network.predict(channels(0, 100)).shape == (0, 100)
    assert network.predict(channels(2, 0)).shape == (2, 0)


def test_averaged_networks_give_the_mean_of_their_logits_and_see_no_further(small):
    networks.keras.utils.set_random_seed(4)
    other = build_activity_network(3, width=6, dilations=(1, 2, 4), head=5)
    other.compile(loss="mse")
    both = networks.average_networks([small, other])
    x = channels(2, 31)
    np.testing.assert_allclose(whole(both, x), (whole(small, x) + whole(other, x)) / 2, atol=1e-6)
    assert networks.receptive_field(both) == networks.receptive_field(small) == 19
    assert both.count_params() == 2 * small.count_params()
    assert networks.average_networks([small]) is small


def test_averaged_networks_are_saved_and_can_be_taken_apart(small, tmp_path):
    both = networks.average_networks([small, small])
    networks.save_network(with_probability(both, shift=0.5, temperature=2), tmp_path / "a.keras")
    logits, shift, temperature = networks.without_probability(networks.load_network(tmp_path / "a.keras"))
    assert (shift, temperature) == (0.5, 2)
    np.testing.assert_allclose(whole(logits, channels(1, 9)), whole(small, channels(1, 9)), atol=1e-6)


def test_calibration_and_sigmoid_are_in_the_graph(small):
    x = channels(2, 30)
    got = whole(with_probability(small, shift=-0.7, temperature=2.0), x)
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-(whole(small, x) / 2.0 - 0.7))), atol=1e-6)


@pytest.mark.parametrize(
    "faulty", [{"temperature": 0.0}, {"shift": float("nan")}], ids=["temperature", "shift"]
)
def test_calibration_out_of_range_is_refused(small, faulty):
    with pytest.raises(ConfigError, match="cannot be calibrated"):
        with_probability(small, **faulty)


def test_saved_network_loads_in_a_fresh_interpreter_in_safe_mode_with_core_layers_only(small, tmp_path):
    path, inputs = tmp_path / "model.keras", tmp_path / "x.npy"
    model = with_probability(small, shift=0.2)
    x = channels(2, 30)
    np.save(inputs, x)
    networks.save_network(model, path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    assert {layer["module"] for layer in config["config"]["layers"]} == {"keras.layers"}
    assert {layer["registered_name"] for layer in config["config"]["layers"]} == {None}
    script = (
        "import sys, numpy, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False, safe_mode=True)\n"
        "numpy.save(sys.argv[3], model(numpy.load(sys.argv[2]), training=False))\n"
        "assert 'ndx_cinac' not in sys.modules\n"
    )
    result = tmp_path / "y.npy"
    subprocess.run([sys.executable, "-c", script, path, inputs, result], check=True)
    np.testing.assert_allclose(np.load(result), whole(model, x), atol=1e-6)


def test_one_network_gives_the_same_file_in_every_process(tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ndx_cinac import networks\n"
        "networks.keras.utils.set_random_seed(1)\n"
        "model = networks.build_activity_network(3, width=4, dilations=(1, 2))\n"
        "model = networks.with_probability(networks.average_networks([model, model]), shift=0.5)\n"
        "networks.save_network(model, Path(sys.argv[1]))\n"
    )
    for name in ("a.keras", "b.keras"):
        subprocess.run([sys.executable, "-c", script, tmp_path / name], check=True)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        shared = re.findall(r'"shared_object_id": (\d+)', archive.read("config.json").decode())
    assert set(shared) == {"1"}, "a policy of numbers that two layers share, else nothing was tested"
    networks.load_network(tmp_path / "a.keras")


def test_saved_network_is_below_two_megabytes_and_without_optimizer(tmp_path):
    model = build_activity_network(11)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    networks.save_network(with_probability(model), tmp_path / "a.keras")
    networks.save_network(model, tmp_path / "b.keras")
    for name in ("a.keras", "b.keras"):
        assert (tmp_path / name).stat().st_size < 1_000_000
        with (
            zipfile.ZipFile(tmp_path / name) as archive,
            h5py.File(archive.open("model.weights.h5")) as weights,
        ):
            assert "optimizer" not in weights


def test_network_that_keras_cannot_read_is_named(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ClassifierError, match=r"model\.keras"):
        networks.load_network(path)


def test_network_of_another_shape_is_refused():
    inputs = networks.keras.layers.Input((8,))
    model = networks.keras.Model(inputs, networks.keras.layers.Dense(2)(inputs))
    with pytest.raises(ClassifierError, match="this one turns"):
        CompiledNetwork(model)


def test_halo_below_half_the_receptive_field_is_refused(small):
    with pytest.raises(ClassifierError, match="A halo of 8 frames is less than the 9"):
        CompiledNetwork(small, 64, halo=8)


def test_block_without_frames_between_its_halos_is_refused(small):
    with pytest.raises(ConfigError, match="Use at least 19 frames"):
        CompiledNetwork(small, 18)


def test_batch_of_none_is_refused(small):
    with pytest.raises(ConfigError, match="A batch cannot hold 0 windows"):
        CompiledNetwork(small, 64, batch_size=0)


def test_other_number_of_channels_is_refused(small):
    with pytest.raises(PredictionError, match=r"reads 3 channels, not an array of shape \(1, 20, 4\)"):
        CompiledNetwork(small, 64).predict(channels(1, 20, 4))


def limited(network: CompiledNetwork, largest: int) -> None:
    """Let the network's device fail for batches of more than `largest` windows."""
    function = network._function

    def run(windows):
        if windows.shape[0] > largest:
            raise networks.tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return function(windows)

    network._function = run


def test_out_of_memory_halves_the_batch_once_per_size_and_says_so(small, caplog):
    x = channels(3, 200)
    network = CompiledNetwork(small, 64, batch_size=8)
    limited(network, 2)
    with caplog.at_level(logging.WARNING, "ndx_cinac"):
        got = network.predict(x)
    np.testing.assert_allclose(got, whole(small, x), atol=1e-5)
    assert [record.args for record in caplog.records] == [(4,), (2,)]


def test_out_of_memory_for_one_window_is_an_error_that_says_what_to_do(small):
    network = CompiledNetwork(small, 64, batch_size=2)
    limited(network, 0)
    with pytest.raises(
        PredictionError, match=r"suffice for one window.*Use fewer frames per block \(now 64\)"
    ):
        network.predict(channels(1, 20))


def test_tensor_float_32_is_off_only_while_predicting(small):
    experimental = networks.tf.config.experimental
    network = CompiledNetwork(small, 64)
    seen, function = [], network._function

    def run(windows):
        seen.append(experimental.tensor_float_32_execution_enabled())
        return function(windows)

    network._function = run
    experimental.enable_tensor_float_32_execution(True)
    network.predict(channels(1, 20))
    assert seen == [False]
    assert experimental.tensor_float_32_execution_enabled()


def test_device_and_versions_are_described(monkeypatch):
    assert networks.keras_versions()["keras"][0] == "3"
    monkeypatch.setattr(networks.tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(networks.tf.config.threading, "get_intra_op_parallelism_threads", lambda: 2)
    assert networks.device_description() == "CPU, 2 threads"
    monkeypatch.setattr(networks.tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        networks.tf.config.experimental, "get_device_details", lambda gpu: {"device_name": "NVIDIA H200"}
    )
    assert networks.device_description() == "GPU, NVIDIA H200"


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_no_other_module_imports_tensorflow_or_keras():
    package = Path(networks.__file__).parent
    pattern = re.compile(r"^\s*(import|from) (tensorflow|keras)\b", re.MULTILINE)
    found = [path.name for path in package.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_prediction_and_classifiers_are_imported_without_tensorflow():
    code = "import sys, ndx_cinac.prediction.activity, ndx_cinac.classifiers.catalogue, ndx_cinac.results\n"
    result = python(code + "assert not {'tensorflow', 'keras', 'tqdm'} & set(sys.modules)")
    assert result.returncode == 0, result.stderr


def test_other_backend_of_keras_is_refused_with_the_way_out():
    result = python("import ndx_cinac.networks", KERAS_BACKEND="torch")
    assert "backend 'torch'" in result.stderr
    assert "Set the environment variable KERAS_BACKEND to tensorflow" in result.stderr


def test_missing_tensorflow_names_the_extra():
    result = python("import sys; sys.modules['tensorflow'] = None\nimport ndx_cinac.networks")
    assert "MissingExtraError" in result.stderr
    assert 'pip install "ndx-cinac[predict]"' in result.stderr
