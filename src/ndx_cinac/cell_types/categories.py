"""Cell types: their YAML categories, and the choice of an activity classifier for each cell by its type."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError

logger = logging.getLogger(__name__)

ModelFiles = tuple[str, str, str]
"""Architecture (.json), weights (.h5) and an identifier for the pair."""

PREDICTED_TYPE_KEYS = ("predicted_cell_type", "predicted_celll_type")
"""The key that marks a binary classifier's predicted type; DeepCINAC reads the second spelling only."""


@dataclass(frozen=True)
class CellTypeConfig:
    """The cell types that a classifier tells apart.

    Attributes
    ----------
    names : mapping of int to str
        Name of each code; a code is a column of the predictions (multi-class), or 0 and 1 (binary).
    codes : mapping of str to int
        Code of each name and keyword, as written in the file.
    multi_class : bool or None
        What the file asks for; None where it does not say.
    source : str
        The file, for messages.
    """

    names: Mapping[int, str]
    codes: Mapping[str, int]
    multi_class: bool | None
    source: str = ""

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a classifier for these types: 1 if it is binary, else one for each type."""
        return 1 if len(self.names) == 2 and not self.multi_class else len(self.names)

    def find(self, name: str) -> int | None:
        """Return the code of a name or keyword, whatever its case; None if it is unknown."""
        wanted = name.strip().casefold()
        return next((code for key, code in self.codes.items() if key.casefold() == wanted), None)


def read_cell_types(yaml_file: str | PathLike[str], using_multi_class: int = 2) -> CellTypeConfig:
    """Read the cell types of a YAML file in DeepCINAC's format.

    Parameters
    ----------
    yaml_file : str or path
        Holds ``cell_type_categories``, a list of names with optional ``keywords`` and ``predicted_cell_type``
        (DeepCINAC wrote ``predicted_celll_type``; both are read), and an optional ``config`` with
        ``multi_class``.
    using_multi_class : int, default: 2
        1 if the classifier is binary, for a file that does not say so. A binary classifier's predicted type
        has code 1.

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is unknown, of the wrong type or contradictory, or a name occurs
        twice.
    """
    path = Path(yaml_file)
    config, categories = _load(path)
    multi_class = config.get("multi_class")
    names = [name for name, _ in categories]
    order = list(range(len(names)))
    binary = len(names) <= 2 and (multi_class is False or (multi_class is None and using_multi_class == 1))
    predicted = [index for index, (_, entry) in enumerate(categories) if _is_predicted(entry)]
    if len(predicted) > 1:
        what = (
            f"{len(predicted)} cell types have 'predicted_cell_type: True'; a binary classifier predicts one"
        )
        raise ConfigError(what, where=str(path), fix="A binary classifier predicts one: keep it there")
    if binary and len(names) == 2 and predicted == [0]:
        order = [1, 0]
    codes: dict[str, int] = {}
    for code, (name, entry) in zip(order, categories, strict=True):
        for word in (name, *entry.get("keywords", ())):
            if word.casefold() in {known.casefold() for known in codes}:
                what = f"'{word}' under cell_type_categories stands for more than one thing"
                raise ConfigError(
                    what, where=f"{path}, cell type '{name}'", fix="Use each name and keyword once"
                )
            codes[word] = code
    return CellTypeConfig(dict(zip(order, names, strict=True)), codes, multi_class, source=str(path))


def read_cell_type_categories_yaml_file(
    yaml_file: str | PathLike[str], using_multi_class: int = 2
) -> tuple[dict[int, str], dict[str, int], bool | None]:
    """Read cell types as DeepCINAC's function of this name returns them.

    Returns
    -------
    cell_type_from_code_dict : dict of int to str
    cell_type_to_code_dict : dict of str to int
        With the keywords.
    multi_class_arg : bool or None
    """
    config = read_cell_types(yaml_file, using_multi_class)
    return dict(config.names), dict(config.codes), config.multi_class


def select_activity_classifier_on_cell_type_outputs(
    cell_type_config_file: str | PathLike[str],
    cell_type_predictions: ArrayLike,
    cell_type_to_classifier: Mapping[str, ModelFiles],
    default_classifier: ModelFiles,
    unknown_cell_type_action: str = "ignore",
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
    if unknown_cell_type_action not in ("ignore", "default", "exception"):
        what = f"unknown_cell_type_action is '{unknown_cell_type_action}'"
        raise ConfigError(what, fix="Use 'ignore', 'default' or 'exception'")
    predictions = np.asarray(cell_type_predictions)
    one_output = predictions.ndim == 1 or predictions.shape[1] == 1
    config = read_cell_types(cell_type_config_file, using_multi_class=1 if one_output else 2)
    classifiers = {_known(config, name): files for name, files in cell_type_to_classifier.items()}
    types = _predominant_types(predictions, config, cell_type_threshold)
    chosen: dict[ModelFiles, list[int]] = {}
    for cell, code in enumerate(types):
        if code is None:
            chosen.setdefault(default_classifier, []).append(cell)
        elif code in classifiers or unknown_cell_type_action == "default":
            chosen.setdefault(classifiers.get(code, default_classifier), []).append(cell)
        elif unknown_cell_type_action == "exception":
            what = f"Cell {cell} is predicted as '{config.names[code]}', which has no classifier"
            fix = (
                "Add it to cell_type_to_classifier, or set unknown_cell_type_action to 'default' or 'ignore'"
            )
            raise ConfigError(what, fix=fix)
    if verbose > 0:
        for code, name in config.names.items():
            logger.info("%d cells are predicted as %s", types.count(code), name)
        logger.info("%d cells have no predominant type", types.count(None))
    return {files: np.array(cells, dtype=np.int64) for files, cells in chosen.items()}


def _predominant_types(
    predictions: NDArray[Any], config: CellTypeConfig, threshold: float
) -> list[int | None]:
    """Code of each cell's most probable type, None where two or more share the first place."""
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


def _known(config: CellTypeConfig, name: str) -> int:
    code = config.find(name)
    if code is None:
        what = f"Cell type '{name}' is not among {sorted(config.codes)}"
        raise ConfigError(what, where=config.source)
    return code


def _load(path: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Return the ``config`` part and the (name, entry) pairs of a file, each checked."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        what = f"The cell types cannot be read: {error}"
        raise ConfigError(what, where=str(path)) from error
    content = _mapping(content, "the file", path, {"config", "cell_type_categories"})
    config = _mapping(content.get("config") or {}, "config", path, {"multi_class"})
    _check("config/multi_class", config.get("multi_class"), (bool, type(None)), path)
    listed = content.get("cell_type_categories")
    _check("cell_type_categories", listed, (list,), path)
    categories = [pair for item in listed or () for pair in _categories(item, path)]
    if len(categories) < 1:
        what = "cell_type_categories names no cell type"
        raise ConfigError(what, where=str(path))
    return config, categories


def _categories(item: object, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, entry) of one item of ``cell_type_categories``: a name alone, or names with settings."""
    for name, settings in (
        {item: None} if isinstance(item, str) else _mapping(item, "cell_type_categories", path)
    ).items():
        where = f"cell_type_categories/{name}"
        entry = _mapping(settings or {}, where, path, {"keywords", *PREDICTED_TYPE_KEYS})
        _check(f"{where}/keywords", entry.get("keywords", []), (list,), path)
        for word in entry.get("keywords", ()):
            _check(f"{where}/keywords", word, (str,), path)
        for key in PREDICTED_TYPE_KEYS:
            _check(f"{where}/{key}", entry.get(key, False), (bool,), path)
        if len({entry[key] for key in PREDICTED_TYPE_KEYS if key in entry}) > 1:
            what = f"{where} says both yes and no about the predicted type"
            raise ConfigError(what, where=str(path), fix="Keep 'predicted_cell_type' only")
        yield name, entry


def _is_predicted(entry: Mapping[str, Any]) -> bool:
    return any(entry.get(key, False) for key in PREDICTED_TYPE_KEYS)


def _mapping(value: object, name: str, path: Path, keys: set[str] | None = None) -> dict[str, Any]:
    """Return `value` if it is a mapping from text, with none but the given keys."""
    _check(name, value, (dict,), path)
    mapping: dict[str, Any] = value  # type: ignore[assignment]
    for key in mapping:
        _check(f"a key of {name}", key, (str,), path)
        if keys is not None and key not in keys:
            what = f"'{key}' in {name} is not known"
            raise ConfigError(what, where=str(path), fix=f"Known are {', '.join(sorted(keys))}")
    return mapping


def _check(name: str, value: object, kinds: tuple[type, ...], path: Path) -> None:
    if not isinstance(value, kinds):
        what = f"{name} is {value!r}, which is no {' or '.join(kind.__name__ for kind in kinds)}"
        raise ConfigError(what, where=str(path))
