"""Simulated calcium-imaging movies with known activity: arrays for training, NWB files for everyone."""

from __future__ import annotations

from .config import SimulationConfig, list_presets, load_config
from .field import SimulatedField, simulate_field
from .settings import (
    ActivitySettings,
    BackgroundSettings,
    CameraSettings,
    CellSettings,
    MaskSettings,
    MovieSettings,
)

__all__ = [
    "ActivitySettings",
    "BackgroundSettings",
    "CameraSettings",
    "CellSettings",
    "MaskSettings",
    "MovieSettings",
    "SimulatedField",
    "SimulationConfig",
    "list_presets",
    "load_config",
    "simulate_field",
]
