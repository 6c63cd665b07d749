"""The config of a simulation: all its ranges together, to and from YAML, and the presets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_type_hints

import yaml

from ..errors import ConfigError
from ..yaml_files import load_yaml, parse_yaml
from .optics import (
    BackgroundSettings,
    CameraSettings,
    OnePhotonSettings,
    SessionSettings,
)
from .populations import PopulationSettings
from .settings import (
    ActivitySettings,
    CellSettings,
    MaskSettings,
    MovieSettings,
)


@dataclass(frozen=True)
class SimulationConfig:
    """Everything that a simulated field is drawn from; the defaults are what `activity-sim` is trained on."""

    movie: MovieSettings = field(default_factory=MovieSettings)
    cells: CellSettings = field(default_factory=CellSettings)
    activity: ActivitySettings = field(default_factory=ActivitySettings)
    background: BackgroundSettings = field(default_factory=BackgroundSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    one_photon: OnePhotonSettings = field(default_factory=OnePhotonSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    population: PopulationSettings = field(default_factory=PopulationSettings)

    def as_one_photon(self) -> SimulationConfig:
        """Return the config of a one-photon field: what `one_photon` says takes the place of the rest."""
        special = {entry.name: getattr(self.one_photon, entry.name) for entry in fields(self.one_photon)}
        sections = {}
        for name in ("movie", "cells", "background", "camera"):
            section = getattr(self, name)
            changed = {entry.name: special[entry.name] for entry in fields(section) if entry.name in special}
            sections[name] = replace(section, **changed)
        sections["background"] = replace(
            sections["background"],
            neuropil_probability=1.0,
            out_of_focus_probability=1.0,
            vignette_probability=1.0,
        )
        sections["camera"] = replace(sections["camera"], bidirectional_probability=0.0)
        return replace(self, **sections)

    def to_dict(self) -> dict[str, Any]:
        """Return plain mappings, lists and numbers: a section per part."""
        return cast(dict[str, Any], _plain(asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "simulation config") -> SimulationConfig:
        """Make a config from mappings; what they leave out keeps its default.

        Raises
        ------
        ConfigError
            If a section or a field is unknown, or a value cannot be used; `where` names its source.
        """
        return cast(SimulationConfig, _build(cls, values, where))

    def to_yaml(self) -> str:
        """Return the config as YAML text."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None)

    @classmethod
    def from_yaml(cls, path: str | Path) -> SimulationConfig:
        """Read a config from a YAML file.

        Raises
        ------
        ConfigError
            If the file is missing, is no YAML mapping, or `from_dict` refuses it.
        """
        values = load_yaml(path, "The simulation config")
        return cls.from_dict(values or {}, where=str(path))


def list_presets() -> list[str]:
    """Names of the configs that come with ndx-cinac."""
    folder = files(__package__) / "presets"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def load_config(preset_or_path: str | Path) -> SimulationConfig:
    """Return a preset by its name, or a config from a YAML file by its path.

    Raises
    ------
    ConfigError
        If there is neither a preset nor a file of that name, or the file cannot be used.
    """
    name = str(preset_or_path)
    if name in list_presets():
        text = (files(__package__) / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
        return SimulationConfig.from_dict(parse_yaml(text, "The preset", name) or {}, where=f"preset {name}")
    if not Path(name).is_file():
        what = f"There is no simulation preset or file named '{name}'"
        raise ConfigError(what, fix=f"Presets are: {', '.join(list_presets())}")
    return SimulationConfig.from_yaml(name)


def _plain(value: Any) -> Any:
    """Tuples become lists, so that YAML and JSON show them alike."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _build(kind: type, values: Any, where: str) -> Any:
    """Make the dataclass `kind` from a mapping, section by section."""
    if not isinstance(values, Mapping):
        what = f"A mapping was expected, not {type(values).__name__}"
        raise ConfigError(what, where=where)
    hints = get_type_hints(kind)
    known = [entry.name for entry in fields(kind)]
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        what = f"Unknown setting '{unknown[0]}'"
        raise ConfigError(what, where=where, fix=f"Known are: {', '.join(known)}")
    made = {}
    for key, value in values.items():
        place = f"{where}: {key}"
        made[key] = (
            _build(hints[key], value, place) if is_dataclass(hints[key]) else _value(hints[key], value, place)
        )
    return kind(**made)


def _value(kind: Any, value: Any, where: str) -> Any:
    """Check a text, a number, or a pair of numbers in ascending order, and return it in its type."""
    if kind is str:
        if not isinstance(value, str) or not value.strip():
            what = f"A text was expected, not {value!r}"
            raise ConfigError(what, where=where)
        return value
    pair = kind not in (int, float)
    number = int if kind in (int, tuple[int, int]) else float
    parts = value if pair else [value]
    if not isinstance(parts, (list, tuple)) or len(parts) != (2 if pair else 1):
        what = f"A pair of numbers was expected, not {value!r}"
        raise ConfigError(what, where=where)
    for part in parts:
        wrong = isinstance(part, bool) or not isinstance(part, (int, float)) or not math.isfinite(part)
        if wrong or part < 0 or (number is int and part != int(part)):
            kind_of_number = "A whole number" if number is int else "A number"
            what = f"{kind_of_number} of at least 0 was expected, not {part!r}"
            raise ConfigError(what, where=where)
    if pair and not where.endswith("shape") and parts[0] > parts[1]:
        what = f"The lowest value comes first, not {value!r}"
        raise ConfigError(what, where=where)
    return tuple(number(part) for part in parts) if pair else number(value)
