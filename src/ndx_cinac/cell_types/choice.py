"""The choice of an activity classifier for each cell by its predicted type."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from .categories import CellTypeConfig, read_cell_types

logger = logging.getLogger(__name__)

ModelFiles = tuple[str, str, str]
"""Architecture (.json), weights (.h5) and an identifier for the pair."""

UnknownAction = Literal["ignore", "default", "exception"]
"""What becomes of cells whose type has no classifier."""

Choice = TypeVar("Choice", bound=Hashable)


@dataclass(frozen=True)
class ChoiceRules:
    """How a cell's type decides on its classifier.

    Attributes
    ----------
    unknown_cell_type_action : {"ignore", "default", "exception"}
        What becomes of cells whose type has no classifier: not predicted, the default classifier, or an
        error.
    cell_type_threshold : float
        For one output, or two types in a file that says ``multi_class: False``: at or above it a cell is of
        the predicted type (code 1), below it of the other.
    """

    unknown_cell_type_action: UnknownAction = "ignore"
    cell_type_threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.unknown_cell_type_action not in get_args(UnknownAction):
            what = f"unknown_cell_type_action is '{self.unknown_cell_type_action}'"
            raise ConfigError(what, fix="Use 'ignore', 'default' or 'exception'")


def select_activity_classifier_on_cell_type_outputs(
    cell_type_config_file: str | PathLike[str],
    cell_type_predictions: ArrayLike,
    cell_type_to_classifier: Mapping[str, ModelFiles],
    default_classifier: ModelFiles,
    unknown_cell_type_action: UnknownAction = "ignore",
    cell_type_threshold: float = 0.5,
    verbose: int = 1,
) -> dict[ModelFiles, NDArray[np.int64]]:
    """Give each cell the activity classifier of its cell type.

    Parameters
    ----------
    cell_type_config_file : str or path
        The cell types that were predicted, see `read_cell_types`.
    cell_type_predictions : array_like, shape (n_cells, n_types)
        Probabilities from 0 to 1; (n_cells,) or (n_cells, 1) from a binary classifier. The most probable type
        is taken; a cell with several has no predominant type.
    cell_type_to_classifier : mapping of str to (model file, weights file, identifier)
        The classifier of each cell type, by name or keyword.
    default_classifier : (model file, weights file, identifier)
        For cells without a predominant type.
    unknown_cell_type_action : {"ignore", "default", "exception"}
        What becomes of cells whose type has no classifier: not predicted, the default classifier, or an
        error.
    cell_type_threshold : float, default: 0.5
        For a binary classifier only: at or above it a cell is of the predicted type (code 1), below it of the
        other. Two columns count as binary where the file says ``multi_class: False``; a row of zeros there is
        a cell without a predominant type.
    verbose : int, default: 1
        Above 0 the number of cells of each type is logged.

    Returns
    -------
    dict of (model file, weights file, identifier) to ndarray of int
        The cells that each classifier is to predict: the `model_files_dict` of
        `CinacPredictor.add_recording`.

    Raises
    ------
    ConfigError
        If predictions and cell types do not fit together, a cell type or an action is unknown, or the action
        is "exception" and a cell's type has no classifier.
    """
    rules = ChoiceRules(unknown_cell_type_action, cell_type_threshold)
    predictions = np.asarray(cell_type_predictions)
    one_output = predictions.ndim == 1 or predictions.shape[1] == 1
    config = read_cell_types(cell_type_config_file, using_multi_class=1 if one_output else 2)
    types = predominant_types(predictions, config, cell_type_threshold)
    classifiers = {config.require(name): files for name, files in cell_type_to_classifier.items()}
    chosen = choose(types, config, classifiers, default_classifier, rules)
    if verbose > 0:
        for code, name in config.names.items():
            logger.info("%d cells are predicted as %s", types.count(code), name)
        logger.info("%d cells have no predominant type", types.count(None))
    return chosen


def choose(
    types: list[int | None],
    config: CellTypeConfig,
    classifiers: Mapping[int, Choice],
    default: Choice,
    rules: ChoiceRules,
) -> dict[Choice, NDArray[np.int64]]:
    """Give each cell the classifier of its type, or the default one.

    Parameters
    ----------
    types : list of int or None
        Code of each cell's type, see `predominant_types`.
    config : CellTypeConfig
        The types.
    classifiers : mapping of int to hashable
        The classifier of each code.
    default : hashable
        For cells without a predominant type.
    rules : ChoiceRules
        What becomes of cells whose type has no classifier.

    Returns
    -------
    dict of hashable to ndarray of int64
        The cells of each classifier, in the order in which cells first need one.

    Raises
    ------
    ConfigError
        If the action is "exception" and a cell's type has no classifier.
    """
    chosen: dict[Choice, list[int]] = {}
    for cell, code in enumerate(types):
        if code is None:
            chosen.setdefault(default, []).append(cell)
        elif code in classifiers or rules.unknown_cell_type_action == "default":
            chosen.setdefault(classifiers.get(code, default), []).append(cell)
        elif rules.unknown_cell_type_action == "exception":
            what = f"Cell {cell} is predicted as '{config.names[code]}', which has no classifier"
            fix = (
                "Add it to cell_type_to_classifier, or set unknown_cell_type_action to 'default' or 'ignore'"
            )
            raise ConfigError(what, fix=fix)
    return {files: np.array(cells, dtype=np.int64) for files, cells in chosen.items()}


def predominant_types(
    predictions: NDArray[Any], config: CellTypeConfig, threshold: float
) -> list[int | None]:
    """Code of each cell's most probable type, None where two or more share the first place.

    Raises
    ------
    ConfigError
        If the predictions' shape does not fit the types.
    """
    binary = config.n_outputs == 1
    expected = (1, 2) if binary else (len(config.names),)
    if predictions.ndim == 1:
        predictions = predictions[:, np.newaxis]
    if predictions.ndim != 2 or predictions.shape[1] not in expected:
        what = f"Predictions of shape {predictions.shape} do not fit the {len(config.names)} types"
        fix = "Use the file that the cell type classifier was trained with"
        raise ConfigError(what, where=config.source, fix=fix)
    if predictions.shape[1] == 1:
        return [int(value >= threshold) for value in predictions[:, 0]]
    tied = (predictions == predictions.max(axis=1, keepdims=True)).sum(axis=1) > 1
    codes = predictions.argmax(axis=1)
    if binary and config.multi_class is False:  # equal probabilities are no tie to a threshold
        tied, codes = ~predictions.any(axis=1), predictions[:, 1] >= threshold
    return [None if same else int(code) for same, code in zip(tied, codes, strict=True)]
