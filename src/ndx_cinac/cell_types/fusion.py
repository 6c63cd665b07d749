"""Fusion of cell type predictions: several classifiers, or one and known types, in one table."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError

logger = logging.getLogger(__name__)


def fusion_cell_type_predictions(
    cell_type_pred_1: ArrayLike,
    cell_type_pred_2: ArrayLike,
    with_new_category: Sequence[tuple[int, int]] | None = None,
    cell_type_config_file: str | PathLike[str] | None = None,
    filename_to_save: str | PathLike[str] | None = None,
    cell_types_to_not_fusion_with_gt: Sequence[int] | None = None,
) -> NDArray[np.floating]:
    """Put the second predictions in the place of the first, for every cell that the second one knows.

    Parameters
    ----------
    cell_type_pred_1, cell_type_pred_2 : array_like, shape (n_cells, n_types)
        Probabilities; neither is changed. A row of zeros in the second means that it says nothing of that
        cell.
    with_new_category : sequence of (int, int), optional
        Pairs of types that are exchanged in the rows taken from the second predictions. The second of a pair
        may be one more than the last type: then it is a new type, which takes the first one's probability.
    cell_type_config_file : str or path, optional
        With it, what changes is logged with the names of the types.
    filename_to_save : str or path, optional
        Where to save the result as ``.npy``; the extension is added if it lacks.
    cell_types_to_not_fusion_with_gt : sequence of int, optional
        Cells of these types in the first predictions stay as they are.

    Returns
    -------
    ndarray, shape (n_cells, n_types), or with one type more

    Raises
    ------
    ConfigError
        If the two differ in shape, or a pair names a type that can neither be found nor added.
    """
    first, second = _table(cell_type_pred_1), _table(cell_type_pred_2)
    if first.shape != second.shape:
        what = f"The first cell type predictions have shape {first.shape}, the second {second.shape}"
        raise ConfigError(what, fix="Both must be of the same cells and types")
    for pair in with_new_category or ():
        n_types = first.shape[1]
        if not (0 <= pair[0] < n_types and 0 <= pair[1] <= n_types):
            what = f"with_new_category holds {tuple(pair)}, but the types are 0 to {n_types - 1}"
            raise ConfigError(what, fix=f"A new type, second in its pair, is {n_types}")
        if pair[1] == n_types:
            first, second = np.pad(first, ((0, 0), (0, 1))), np.pad(second, ((0, 0), (0, 1)))
        second[:, list(pair)] = second[:, list(pair)[::-1]]
    taken = taken_from_second(first, second, cell_types_to_not_fusion_with_gt or ())
    fused = np.where(taken[:, np.newaxis], second, first)
    if cell_type_config_file is not None:
        names = _names(cell_type_config_file)
        for cell in np.flatnonzero(taken):
            old, new = int(first[cell].argmax()), int(fused[cell].argmax())
            logger.info("Cell %d: %s -> %s", cell, _name(names, old), _name(names, new))
        _log_counts("before fusion", first, names)
        _log_counts("after fusion", fused, names)
    _save(fused, filename_to_save)
    return fused


def taken_from_second(
    first: NDArray[np.floating], second: NDArray[np.floating], kept_types: Sequence[int]
) -> NDArray[np.bool_]:
    """Whether each cell takes the second predictions: where they say something, and its type is not kept."""
    kept = np.isin(first.argmax(axis=1), list(kept_types))
    return np.asarray((second.sum(axis=1) != 0) & ~kept, dtype=np.bool_)


def fusion_cell_type_predictions_by_type(
    cell_type_preds_dict: Mapping[int, ArrayLike],
    default_cell_type_pred: ArrayLike,
    cell_type_to_skip_if_conflict: int | None = None,
    cell_type_config_file: str | PathLike[str] | None = None,
    filename_to_save: str | PathLike[str] | None = None,
) -> NDArray[np.floating]:
    """Let one classifier decide on each cell type: the one that is trusted for that type.

    A classifier claims a cell if it predicts that cell as the type it is trusted for. A cell that one
    classifier claims takes that classifier's probabilities; any other cell takes the default ones.

    Parameters
    ----------
    cell_type_preds_dict : mapping of int to array_like, shape (n_cells, n_types)
        Code of a cell type, and the predictions that are trusted for it.
    default_cell_type_pred : array_like, shape (n_cells, n_types)
        For cells that none or several claim.
    cell_type_to_skip_if_conflict : int, optional
        Where two claim a cell and one of them does so for this type, the other one has it.
    cell_type_config_file : str or path, optional
        With it, conflicts and counts are logged with the names of the types.
    filename_to_save : str or path, optional
        Where to save the result as ``.npy``; the extension is added if it lacks.

    Returns
    -------
    ndarray, shape (n_cells, n_types)

    Raises
    ------
    ConfigError
        If the predictions differ in shape, or a code is no column of them.
    """
    default = _table(default_cell_type_pred)
    trusted = {code: _table(values) for code, values in cell_type_preds_dict.items()}
    for code, values in trusted.items():
        if values.shape != default.shape or not 0 <= code < default.shape[1]:
            what = f"Predictions for type {code} have shape {values.shape}, the default ones {default.shape}"
            raise ConfigError(
                what, fix="All must be of the same cells and types, and the code one of their columns"
            )
    deciders, conflicts = find_deciders(trusted, len(default), cell_type_to_skip_if_conflict)
    fused = default.copy()
    for cell, decider in enumerate(deciders):
        if decider is not None:
            fused[cell] = trusted[decider][cell]
    if cell_type_config_file is not None:
        _log_by_type(trusted, fused, conflicts, _names(cell_type_config_file))
    _save(fused, filename_to_save)
    return fused


def find_deciders(
    trusted: Mapping[int, NDArray[np.floating]], n_cells: int, skipped_in_conflict: int | None
) -> tuple[list[int | None], dict[int, tuple[int, ...]]]:
    """Find who decides on each cell.

    Parameters
    ----------
    trusted : mapping of int to ndarray, shape (n_cells, n_types)
        Code of a cell type, and the predictions that are trusted for it.
    n_cells : int
        Number of cells.
    skipped_in_conflict : int or None
        Where two claim a cell and one of them does so for this type, the other one has it.

    Returns
    -------
    deciders : list of int or None
        The type for which a cell is claimed by one alone; None where none or several do.
    conflicts : dict of int to tuple of int
        Cells that several claim, and the types that they claim them as.
    """
    # A row of zeros is a cell that was not predicted: nobody claims it.
    claims = {code: (values.argmax(axis=1) == code) & values.any(axis=1) for code, values in trusted.items()}
    deciders: list[int | None] = []
    conflicts: dict[int, tuple[int, ...]] = {}
    for cell in range(n_cells):
        claiming = tuple(code for code, claimed in claims.items() if claimed[cell])
        if len(claiming) > 1:
            conflicts[cell] = claiming
        if len(claiming) == 2 and skipped_in_conflict in claiming:
            claiming = tuple(code for code in claiming if code != skipped_in_conflict)
        deciders.append(claiming[0] if len(claiming) == 1 else None)
    return deciders, conflicts


def _log_by_type(
    trusted: Mapping[int, NDArray[np.floating]],
    fused: NDArray[np.floating],
    conflicts: Mapping[int, tuple[int, ...]],
    names: Mapping[int, str],
) -> None:
    """Say which cells were claimed twice, and how often each classifier differs from the fusion."""
    for cell, claiming in conflicts.items():
        claimed_as = ", ".join(_name(names, code) for code in claiming)
        logger.info(
            "Cell %d is claimed as %s -> %s", cell, claimed_as, _name(names, int(fused[cell].argmax()))
        )
    for code, values in trusted.items():
        differing = values.argmax(axis=1)[values.argmax(axis=1) != fused.argmax(axis=1)]
        counts = {
            _name(names, int(other)): number for other, number in sorted(Counter(differing.tolist()).items())
        }
        logger.info(
            "The predictions for %s differ from the fusion in %s", _name(names, code), counts or "nothing"
        )
    _log_counts("after fusion", fused, names)


def _log_counts(when: str, table: NDArray[np.floating], names: Mapping[int, str]) -> None:
    counts = np.bincount(table.argmax(axis=1), minlength=table.shape[1])
    logger.info(
        "Cells of each type %s: %s", when, {_name(names, code): int(n) for code, n in enumerate(counts)}
    )


def _names(config_file: str | PathLike[str]) -> Mapping[int, str]:
    from .categories import read_cell_types

    return read_cell_types(config_file).names


def _name(names: Mapping[int, str], code: int) -> str:
    return names.get(code, f"type {code}")


def _table(values: ArrayLike) -> NDArray[np.floating]:
    """Copy predictions into a floating point table."""
    table = np.array(values)
    table = table if np.issubdtype(table.dtype, np.floating) else table.astype(np.float64)
    if table.ndim != 2:
        what = f"Cell type predictions have shape {table.shape}, not (cells, types)"
        raise ConfigError(what)
    return table


def _save(table: NDArray[np.floating], file_name: str | PathLike[str] | None) -> None:
    if file_name is not None:
        np.save(file_name, table)  # adds the extension
