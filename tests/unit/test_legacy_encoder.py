"""Legacy networks cut behind their CNN: what is left out must not change what is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from ndx_cinac.errors import ClassifierError, PredictionError
from ndx_cinac.legacy import load_legacy
from ndx_cinac.legacy.encoder import FrameEncoder
from ndx_cinac.legacy.networks import CutNetwork, cut_network
from ndx_cinac.networks import keras, tf

pytestmark = pytest.mark.tensorflow
VARIANTS = Path(__file__).parents[1] / "data" / "deepcinac_variants"


def cnn(shape, *, last_pool=(2, 2)):
    """A CNN as DeepCINAC builds it, with random weights and biases."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((*shape, 1)),
            layers.Conv2D(3, 3, padding="same", bias_initializer="uniform"),
            layers.Activation("silu"),
            layers.Conv2D(4, 3, bias_initializer="uniform"),
            layers.BatchNormalization(moving_mean_initializer="uniform"),
            layers.MaxPooling2D(),
            layers.Conv2D(5, 3, padding="same", bias_initializer="uniform"),
            layers.Conv2D(4, 3, bias_initializer="uniform"),
            layers.Activation("silu"),
            layers.MaxPooling2D(last_pool),
            layers.Flatten(),
        ]
    )


@pytest.mark.parametrize("shape", [(25, 25), (21, 24), (14, 19), (10, 10), (13, 22)])
def test_inputs_that_differ_in_a_part_are_encoded_as_if_whole(shape):
    network, rng = cnn(shape), np.random.default_rng(sum(shape))
    encoder = FrameEncoder(network, shape)
    first = rng.normal(size=(5, *shape)).astype(np.float32)
    for _ in range(8):
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        part = np.zeros(shape, bool)
        part[top : top + rng.integers(1, 6), left : left + rng.integers(1, 6)] = True
        inputs = [np.where(part, first, 0), first, np.where(part, -first, first)]
        for patches, features in zip(inputs, encoder.encode(inputs), strict=True):
            np.testing.assert_allclose(features, network(patches[..., None]), rtol=0, atol=1e-5)


def test_frames_are_encoded_alike_in_whatever_batch():
    network, frames = cnn((13, 13)), np.random.default_rng(0).normal(size=(150, 13, 13)).astype(np.float32)
    (features,) = FrameEncoder(network, (13, 13)).encode([frames])
    np.testing.assert_allclose(features, network(frames[..., None]), rtol=0, atol=1e-5)


def test_an_empty_input_has_the_features_of_an_empty_patch():
    network = cnn((13, 13))
    empty, same = FrameEncoder(network, (13, 13)).encode([np.zeros((3, 13, 13), np.float32)] * 2)
    np.testing.assert_allclose(empty, network(np.zeros((3, 13, 13, 1))), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(empty, same)


def test_a_cnn_of_another_kind_is_run_as_it_is():
    network = cnn((21, 21), last_pool=(3, 3))
    frames = np.random.default_rng(0).normal(size=(4, 21, 21)).astype(np.float32)
    for features in FrameEncoder(network, (21, 21)).encode([frames, frames]):
        np.testing.assert_allclose(features, network(frames[..., None]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["single_vector_after_lstm_3class", "no_merge_3class", "keras_2_2"])
def test_a_cut_network_gives_what_the_whole_one_gives(name):
    model = load_legacy(VARIANTS / f"{name}.json", VARIANTS / f"{name}.h5").network()
    cut = cut_network(model)
    stored = np.load(VARIANTS / f"{name}.npz")
    inputs = [stored[f"x{which}"][0, ..., 0] for which in range(3)]
    windows = [cut.gather(features, np.arange(6)[None]) for features in cut.encode(inputs)]
    np.testing.assert_allclose(cut.decide([windows]), stored["y"], rtol=0, atol=1e-6)
    assert cut.encoder_of == (0, 0, 0)
    assert (cut.window, cut.height, cut.width) == (6, 13, 13)


def test_inputs_with_cnns_of_their_own_pass_each_its_own():
    frames = [keras.Input((4, 10, 10, 1), name=f"input_{number}") for number in range(2)]
    encoders = [cnn((10, 10)) for _ in frames]
    encoded = [keras.layers.TimeDistributed(encoder)(x) for encoder, x in zip(encoders, frames, strict=True)]
    model = keras.Model(frames, keras.layers.Concatenate()(encoded))
    cut = CutNetwork(model)
    assert cut.encoder_of == (0, 1)
    patches = np.random.default_rng(0).normal(size=(2, 4, 10, 10)).astype(np.float32)
    windows = [cut.gather(features, np.arange(4)[None]) for features in cut.encode(list(patches))]
    expected = model([patches[:1, ..., None], patches[1:, ..., None]])
    np.testing.assert_allclose(cut.decide([windows]), expected, rtol=0, atol=1e-6)


def test_a_network_without_a_cnn_for_each_frame_is_refused():
    frames = keras.Input((4, 10, 10, 1), name="input_0")
    model = keras.Model(frames, keras.layers.Flatten()(frames))
    with pytest.raises(ClassifierError, match="Input 'input_0' of the network leads to no CNN"):
        CutNetwork(model)


def test_a_batch_that_does_not_fit_is_halved_until_it_does_once_per_size(monkeypatch, caplog):
    name = "keras_2_2"
    cut = CutNetwork(load_legacy(VARIANTS / f"{name}.json", VARIANTS / f"{name}.h5").network())
    features = tf.random.normal((30, cut.encode([np.zeros((1, 13, 13), np.float32)] * 3)[0].shape[1]))
    windows = [cut.gather(features, np.arange(5)[:, None] + np.arange(6))] * 3
    whole, decide, sizes = cut.decide([windows]), cut._decide, []

    def small(*batch):
        sizes.append(len(batch[0]))
        if len(batch[0]) > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return decide(*batch)

    monkeypatch.setattr(cut, "_decide", small)
    np.testing.assert_allclose(cut.decide([windows]), whole, rtol=0, atol=1e-6)
    np.testing.assert_allclose(cut.decide([windows]), whole, rtol=0, atol=1e-6)
    assert sizes == [5, 2, 2, 1, 2, 2, 1]
    assert [record.args for record in caplog.records] == [(2,)]

    def never(*batch):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(cut, "_decide", never)
    with pytest.raises(PredictionError, match=r"memory of the device .* does not suffice for one window"):
        cut.decide([windows])
