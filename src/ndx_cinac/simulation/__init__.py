"""Simulated calcium-imaging movies with known activity: arrays for training, NWB files for everyone."""

from __future__ import annotations

from pathlib import Path

from ..extras import require

require("scipy", extra="predict", feature="Simulating movies")

from .config import SimulationConfig, list_presets, load_config  # noqa: E402
from .field import SimulatedField, simulate_field  # noqa: E402
from .optics import (  # noqa: E402
    BackgroundSettings,
    CameraSettings,
    OnePhotonSettings,
    SessionSettings,
)
from .populations import PopulationSettings  # noqa: E402
from .settings import (  # noqa: E402
    ActivitySettings,
    CellSettings,
    MaskSettings,
    MovieSettings,
)
from .truth import Opinions  # noqa: E402


def write_nwb(field: SimulatedField, path: str | Path) -> Path:
    """Write a field as an NWB file; see `ndx_cinac.simulation.nwb.write_nwb`, which alone needs pynwb."""
    from .nwb import write_nwb as write

    return write(field, path)


__all__ = [
    "ActivitySettings",
    "BackgroundSettings",
    "CameraSettings",
    "CellSettings",
    "MaskSettings",
    "MovieSettings",
    "OnePhotonSettings",
    "Opinions",
    "PopulationSettings",
    "SessionSettings",
    "SimulatedField",
    "SimulationConfig",
    "list_presets",
    "load_config",
    "simulate_field",
    "write_nwb",
]
