"""Load the namespace ndx-cinac into pynwb's types, once, from the YAML that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hdmf.spec.namespace import SpecReader
from pynwb import get_type_map

NAMESPACE = "ndx-cinac"
_FILE = "ndx-cinac.namespace.yaml"
# libyaml reads the namespace in a tenth of the time that hdmf's own reader takes: importing stays quick.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _QuickReader(SpecReader):  # type: ignore[misc]
    """Reads the same YAML as hdmf's reader, through libyaml where PyYAML has it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(source=str(folder))
        self._folder = folder

    def read_namespace(self, namespace_path: str) -> Any:
        return self.read_spec(namespace_path)["namespaces"]

    def read_spec(self, spec_path: str) -> Any:
        return yaml.load((self._folder / spec_path).read_bytes(), Loader=_LOADER)


def spec_folder() -> Path:
    """Folder of the namespace's YAML: inside an installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "spec"
    return installed if (installed / _FILE).exists() else package.parents[1] / "spec"


def load() -> None:
    """Make pynwb know the namespace; loading it again changes nothing."""
    folder = spec_folder()
    get_type_map(copy=False).load_namespaces(str(folder / _FILE), reader=_QuickReader(folder))


load()
