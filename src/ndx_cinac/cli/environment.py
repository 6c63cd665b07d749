"""What is installed and on what it runs: the facts that a bug report needs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..quiet_loading import load_networks

EXTRAS = {
    "predict": ("tensorflow", "keras", "scipy", "tifffile", "tqdm"),
    "train": ("scikit-learn",),
    "plot": ("matplotlib",),
    "baselines": ("oasis-deconv",),
    "export": ("scipy",),
    "dandi": ("dandi", "remfile"),
    "zarr": ("hdmf-zarr", "zarr"),
    "cluster": ("distributed", "cryptography"),
}
"""The packages of each extra."""

CORE = ("ndx-cinac", "pynwb", "hdmf", "h5py", "numpy", "pandas", "pyyaml")


def describe_environment() -> dict[str, Any]:
    """Return versions, platform, devices and extras as JSON types.

    Returns
    -------
    dict
        ``python``, ``platform``, ``cpus``, ``packages`` (name to version), ``extras`` (name to what each
        lacks) and ``device`` (None without TensorFlow).
    """
    names = [*CORE, *(package for packages in EXTRAS.values() for package in packages), "nwbinspector"]
    packages = {name: found for name in names if (found := installed_version(name)) is not None}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": packages,
        "extras": {
            extra: [name for name in needed if name not in packages] for extra, needed in EXTRAS.items()
        },
        "device": _device() if {"tensorflow", "keras"} <= set(packages) else None,
    }


def environment_text() -> str:
    """Return the same as lines for people."""
    facts = describe_environment()
    lines = [
        f"{'python':14}{facts['python']}",
        f"{'platform':14}{facts['platform']}, {facts['cpus']} CPUs",
        f"{'device':14}{facts['device'] or 'TensorFlow is not installed'}",
        *(f"{name:14}{number}" for name, number in facts["packages"].items()),
    ]
    for extra, missing in facts["extras"].items():
        state = f'lacks {", ".join(missing)}: pip install "ndx-cinac[{extra}]"' if missing else "installed"
        lines.append(f"{'[' + extra + ']':14}{state}")
    return "\n".join(lines)


def installed_version(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _device() -> str:
    """Return where a network would run, or why none can: that is what a bug report is about then."""
    try:
        return load_networks()
    except ImportError as error:
        return f"TensorFlow cannot be imported: {error}"
