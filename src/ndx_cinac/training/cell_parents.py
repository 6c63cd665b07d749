"""The classifier of cell types that another one is trained from: network, inputs, types and calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..cell_types import CellTypeConfig
from ..cell_types.card_inputs import KIND, read_input_options
from ..cell_types.features import CellInputOptions
from ..classifiers import ModelCard
from ..errors import ConfigError
from .cell_config import CellTypeTrainingConfig
from .parents import load_to_train_further


@dataclass(frozen=True)
class CellParent:
    """A classifier of cell types to train further.

    Attributes
    ----------
    card : ModelCard
        Its card.
    network : keras.Model
        Its network, without calibration; it stays as it is.
    temperature : float
        Its calibration.
    inputs : CellInputOptions
        How inputs are made for it.
    types : CellTypeConfig
        Its types, in the order of its outputs.
    """

    card: ModelCard
    network: Any
    temperature: float
    inputs: CellInputOptions
    types: CellTypeConfig

    @property
    def record(self) -> dict[str, str]:
        """Name, version and hash, for the card of what is made of it."""
        return {"name": self.card.name, "version": self.card.version, "sha256": self.card.sha256}

    def places(self, types: CellTypeConfig) -> list[int | None]:
        """Return which of its outputs each of some types is, by name or keyword; None for a type it lacks."""
        found = []
        for name in types.ordered:
            words = (name, *(types.meanings[name].synonyms if name in types.meanings else ()))
            codes = (self.types.find(word) for word in words)
            found.append(next((code for code in codes if code is not None), None))
        return found

    def has_all(self, types: CellTypeConfig) -> bool:
        """Whether some types are its own, whatever their order."""
        places = self.places(types)
        return len(places) == len(self.types.names) and set(places) == set(range(len(places)))

    def new_network(self, types: CellTypeConfig) -> Any:
        """Return a network for some types that begins with its weights; types that it lacks begin anew."""
        from ..networks import keras

        network = keras.models.clone_model(self.network)
        network.set_weights(self.network.get_weights())
        places = self.places(types)
        if places == list(range(len(self.types.names))):
            return network
        old = network.get_layer("logits")
        new = keras.layers.Dense(len(places), name="logits")
        made = keras.Model(network.inputs, new(old.input), name=network.name)
        (kernel, bias), (old_kernel, old_bias) = new.get_weights(), old.get_weights()
        for code, place in enumerate(places):
            if place is not None:
                kernel[:, code], bias[code] = old_kernel[:, place], old_bias[place]
        new.set_weights([kernel, bias])
        return made


def load_cell_parent(classifier: str) -> CellParent:
    """Load a classifier of cell types to train it further.

    Parameters
    ----------
    classifier : str
        Its name, or its folder.

    Raises
    ------
    ClassifierError
        If there is none, it predicts something else than cell types from cell features, or ndx-cinac did not
        train it.
    """
    from ..cell_types.network import without_type_probability
    from ..prediction import CellTypeOptions
    from ..prediction.cell_types import types_of

    found, model = load_to_train_further(classifier, "cell_type", KIND)
    options = read_input_options(found.card)
    logits, temperature = without_type_probability(model)
    return CellParent(found.card, logits, temperature, options, types_of(found, CellTypeOptions()))


def as_parent(config: CellTypeTrainingConfig, parent: CellParent | None) -> CellTypeTrainingConfig:
    """Give a classifier that is trained further its parent's inputs, and the numbers for that.

    Raises
    ------
    ConfigError
        If the config asks for other inputs.
    """
    if parent is None:
        return config
    if config.inputs not in (CellInputOptions(), parent.inputs):
        what = f"The config asks for other inputs than '{parent.card.name}' was trained on"
        raise ConfigError(what, fix="Leave 'inputs' out: they are the parent's")
    tuning = config.fine_tuning
    return replace(
        config, inputs=parent.inputs, learning_rate=tuning.learning_rate, batch_size=tuning.batch_size
    )
