"""Cell types as a YAML file names them: their order, keywords, meanings and Cell Ontology ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..neurodata import CellTypeMeaning
from ..yaml_files import load_yaml
from .schema import Category, check_categories, is_predicted


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
    meanings : mapping of str to CellTypeMeaning
        By name: what the type is in words, its keywords as synonyms, and its term of the Cell Ontology.
    """

    names: Mapping[int, str]
    codes: Mapping[str, int]
    multi_class: bool | None
    source: str = ""
    meanings: Mapping[str, CellTypeMeaning] = field(default_factory=dict)

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a classifier for these types: 1 if it is binary, else one for each type."""
        return 1 if len(self.names) == 2 and not self.multi_class else len(self.names)

    @property
    def ordered(self) -> tuple[str, ...]:
        """Names in the order of their codes."""
        return tuple(self.names[code] for code in sorted(self.names))

    def find(self, name: str) -> int | None:
        """Return the code of a name or keyword, whatever its case; None if it is unknown."""
        wanted = name.strip().casefold()
        return next((code for key, code in self.codes.items() if key.casefold() == wanted), None)

    def require(self, name: str) -> int:
        """Return the code of a name or keyword.

        Raises
        ------
        ConfigError
            If it is unknown.
        """
        code = self.find(name)
        if code is None:
            what = f"Cell type '{name}' is not among {sorted(self.codes)}"
            raise ConfigError(what, where=self.source)
        return code

    def fit(self, n_outputs: int, classifier: str) -> CellTypeConfig:
        """Return these types for a classifier; two types that do not say so have one output or two.

        Raises
        ------
        ConfigError
            If the classifier has another number of outputs.
        """
        n_types = len(self.names)
        if n_types > 1 and n_outputs in (self.n_outputs, n_types if self.multi_class is None else None):
            return replace(self, multi_class=n_outputs > 1)
        wanted = {1: "1 output"}.get(self.n_outputs, f"{self.n_outputs} outputs")
        what = (
            f"{n_types} cell types are named ({', '.join(self.ordered)}), for a classifier of {wanted}; "
            f"'{classifier}' has {n_outputs}"
        )
        fix = "Use the file that the classifier was trained with"
        if n_types == 1:
            fix = "Name at least two types: one output tells two types apart"
        elif n_outputs == n_types:
            fix = "Say 'multi_class: true' under config, if each type has an output of its own"
        raise ConfigError(what, where=self.source, fix=fix)

    def to_dict(self) -> dict[str, Any]:
        """Return the types as the YAML file holds them, in the order of their codes; what a card holds."""
        return {
            "config": {"multi_class": self.n_outputs > 1},
            "cell_type_categories": [
                {name: _entry(self.meanings.get(name), predicted=self.n_outputs == 1 and code == 1)}
                for code, name in enumerate(self.ordered)
            ],
        }


def _entry(known: CellTypeMeaning | None, *, predicted: bool) -> dict[str, Any]:
    """Return the settings of a type."""
    found: dict[str, Any] = {"predicted_cell_type": True} if predicted else {}
    if known is not None:
        found |= {"keywords": list(known.synonyms), "meaning": known.meaning}
        found |= {"cell_ontology_id": known.ontology_id} if known.ontology_id else {}
    return found


def default_cell_types() -> Path:
    """Path of the file of cell types that comes along: interneuron, pyramidal and noise (not a cell)."""
    return Path(str(files("ndx_cinac") / "cell_types" / "default.yaml"))


def read_cell_types(yaml_file: str | PathLike[str], using_multi_class: int = 2) -> CellTypeConfig:
    """Read the cell types of a YAML file in DeepCINAC's format.

    Parameters
    ----------
    yaml_file : str or path
        Holds ``cell_type_categories``, a list of names with optional ``keywords``, ``meaning``,
        ``cell_ontology_id`` and ``predicted_cell_type`` (DeepCINAC wrote ``predicted_celll_type``; both are
        read), and an optional ``config`` with ``multi_class``.
    using_multi_class : int, default: 2
        1 if the classifier is binary, for a file that does not say so. A binary classifier's predicted type
        has code 1.

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is unknown, of the wrong type, twice there or contradictory, or a
        name or keyword stands for two types.
    """
    return cell_types_of(load_yaml(yaml_file, "The cell types"), fspath(yaml_file), using_multi_class)


def cell_types_of(content: object, where: str, using_multi_class: int = 2) -> CellTypeConfig:
    """Make the cell types of what a YAML file, or a model card's ``cell_types``, holds.

    Parameters
    ----------
    content : object
        The content; see `read_cell_types`.
    where : str
        Where it stands, for messages.
    using_multi_class : int, default: 2
        See `read_cell_types`.

    Raises
    ------
    ConfigError
        As `read_cell_types`.
    """
    multi_class, categories = check_categories(content, where)
    names = [name for name, _ in categories]
    order = list(range(len(names)))
    binary = len(names) <= 2 and (multi_class is False or (multi_class is None and using_multi_class == 1))
    predicted = [index for index, (_, entry) in enumerate(categories) if is_predicted(entry)]
    if len(predicted) > 1:
        what = (
            f"{len(predicted)} cell types have 'predicted_cell_type: True'; a binary classifier predicts one"
        )
        raise ConfigError(what, where=where, fix="A binary classifier predicts one: keep it there")
    if binary and len(names) == 2 and predicted == [0]:
        order = [1, 0]
    if multi_class is False and len(names) > 2:
        what = f"config says 'multi_class: false', but {len(names)} cell types are named"
        raise ConfigError(what, where=where, fix="Say 'multi_class: true', or name two types")
    codes = _codes(order, categories, where)
    meanings = {name: _meaning(name, entry) for name, entry in categories}
    return CellTypeConfig(dict(zip(order, names, strict=True)), codes, multi_class, where, meanings)


def _codes(order: Sequence[int], categories: Sequence[Category], where: str) -> dict[str, int]:
    """Code of each name and keyword; none may stand for two things."""
    codes: dict[str, int] = {}
    for code, (name, entry) in zip(order, categories, strict=True):
        for word in (name, *entry.get("keywords", ())):
            if word.casefold() in {known.casefold() for known in codes}:
                what = f"'{word}' under cell_type_categories stands for more than one thing"
                fix = "Use each name and keyword once"
                raise ConfigError(what, where=f"{where}, cell type '{name}'", fix=fix)
            codes[word] = code
    return codes


def _meaning(name: str, entry: Mapping[str, Any]) -> CellTypeMeaning:
    """Return what a type means: its name, where nothing more is said."""
    return CellTypeMeaning(
        meaning=entry.get("meaning") or name,
        synonyms=tuple(entry.get("keywords", ())),
        ontology_id=entry.get("cell_ontology_id") or "",
    )


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
