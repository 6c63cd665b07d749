"""Makes small classifiers of DeepCINAC's rarer variants, with what they give for one random window.

Run by hand where deepcinac 1.1.10, TensorFlow 2.15 and Keras 2 are installed: python make_variants.py. The
weights are random; those that Keras begins at 0 or 1 are moved off it, so that each of them counts.
"""

import json
import sys
import types
from pathlib import Path

import tensorflow.keras.utils as keras_utils

sys.modules["ScanImageTiffReader"] = types.SimpleNamespace(ScanImageTiffReader=None)  # not needed here
keras_utils.multi_gpu_model = None  # gone since TensorFlow 2.4; imported by deepcinac, not used

import deepcinac.cinac_model as cinac_model  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

HERE = Path(__file__).parent
BINARY = str(HERE.parent / "deepcinac" / "cell_types_binary.yaml")
SMALL = {
    "window_len": 6,
    "max_height": 13,
    "max_width": 13,
    "conv_filters": (2, 2, 3, 3),
    "lstm_layers_size": (3,),
    "bin_lstm_size": 4,
}
VARIANTS = {
    "single_vector_after_lstm_3class": {
        "use_single_attention_vector": True,
        "apply_attention_before_lstm": False,
        "using_multi_class": 3,
    },
    "hard_sigmoid_batch_norm_no_attention": {
        "activation_fct": "hard_sigmoid",
        "with_batch_normalization": True,
        "apply_attention": False,
        "lstm_layers_size": (3, 2),
    },
    "no_merge_3class": {
        "use_bin_at_al_version": False,
        "using_multi_class": 3,
        "without_bidirectional": True,
        "dropout_value": 0,
        "dropout_at_the_end": 0.3,
    },
    "no_merge": {"use_bin_at_al_version": False},
    "cell_type_binary_all_pixels": {
        "cell_type_classifier_mode": True,
        "with_all_pixels": True,
        "cell_type_categories_yaml_file": BINARY,
    },
}


def build(name, options):
    tf.keras.backend.clear_session()
    model = cinac_model.CinacModel(results_path="/tmp", verbose=0, **{**SMALL, **options})
    model.input_shape = (model.window_len, model.max_height, model.max_width, 1)
    network = model._CinacModel__build_model()
    rng = np.random.default_rng(len(name))
    weights = []
    for array, variable in zip(network.get_weights(), network.weights, strict=True):
        if any(kind in variable.name for kind in ("bias", "beta", "moving_mean")):
            array = array + rng.normal(0, 0.1, array.shape)
        if any(kind in variable.name for kind in ("gamma", "variance")):
            array = array * rng.uniform(0.7, 1.3, array.shape)
        weights.append(array.astype("float32"))
    network.set_weights(weights)
    (HERE / f"{name}.json").write_text(network.to_json())
    network.save_weights(HERE / f"{name}.h5")
    inputs = [rng.normal(0, 1, (1, *model.input_shape)).astype("float32") for _ in range(model.n_inputs)]
    output = network.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    np.savez(HERE / f"{name}.npz", y=output, **{f"x{i}": x for i, x in enumerate(inputs)})


def as_keras_2_2(part):
    """Take away what Keras 2.2 did not write yet."""
    if isinstance(part, list):
        return [as_keras_2_2(value) for value in part]
    if not isinstance(part, dict):
        return part
    later = ("registered_name", "build_config", *([] if "function" in part else ["module"]))
    kept = {key: as_keras_2_2(value) for key, value in part.items() if key not in later}
    return {**kept, "class_name": "Model"} if kept.get("class_name") == "Functional" else kept


for name, options in VARIANTS.items():
    build(name, options)
# Keras 2.2 is not to be had on a current Python; this is its LSTM, and its way to write the architecture.
cinac_model.LSTM = tf.compat.v1.keras.layers.LSTM
build("keras_2_2", {})
path = HERE / "keras_2_2.json"
path.write_text(json.dumps({**as_keras_2_2(json.loads(path.read_text())), "keras_version": "2.2.4-tf"}))
