"""Load the namespace ndx-cinac into pynwb's types, once, and quickly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hdmf.spec.namespace import SpecReader
from pynwb import get_type_map
from pynwb.spec import NWBGroupSpec

NAMESPACE = "ndx-cinac"
_FILE = "ndx-cinac.namespace.yaml"
_FOR_OLDER_READERS = "ndx-cinac-for-pynwb-before-4.extensions.yaml"


class _QuickReader(SpecReader):  # type: ignore[misc]
    """Reads the YAML's contents from JSON, which takes a tenth of the time, and leaves core to `load`.

    The generator writes both; a test compares them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(source=str(folder))
        self._contents = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

    def read_namespace(self, namespace_path: str) -> Any:
        namespaces = self._contents[namespace_path]["namespaces"]
        for each in namespaces:
            for part in each["schema"]:
                if "namespace" in part:
                    part["neurodata_types"] = []
            # These come last: hdmf then asks for no ancestors of our types, which it would not find yet.
            each["schema"].sort(key=lambda part: "namespace" in part)
        return namespaces

    def read_spec(self, spec_path: str) -> Any:
        return {"groups": []} if spec_path == _FOR_OLDER_READERS else self._contents[spec_path]

    def for_older_readers(self) -> list[Any]:
        """Return what files hold for older readers, and this process has no use for."""
        return [NWBGroupSpec.build_spec(spec) for spec in self._contents[_FOR_OLDER_READERS]["groups"]]


def spec_folder() -> Path:
    """Folder of the namespace's YAML: inside an installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "spec"
    return installed if (installed / _FILE).exists() else package.parents[1] / "spec"


def load() -> None:
    """Make pynwb know the namespace; loading it again changes nothing.

    hdmf copies each type of a namespace that another includes: for core that takes a third of the time in
    which pynwb is imported. Here the types of core are shared instead of copied, which is all the
    difference (a test compares the result with hdmf's own). Files cache the namespace as the YAML has it.
    """
    types = get_type_map(copy=False)
    catalog = types.namespace_catalog
    if NAMESPACE in catalog.namespaces:
        return
    reader = _QuickReader(spec_folder())
    types.load_namespaces(_FILE, reader=reader, resolve=False)
    catalog.get_spec_source_dict(_FOR_OLDER_READERS)["groups"].extend(reader.for_older_readers())
    ours, core = catalog.get_namespace(NAMESPACE), catalog.get_namespace("core")
    for name in core.get_registered_types():
        ours.catalog.register_spec(core.get_spec(name), core.catalog.get_spec_source_file(name))
        types.register_container_type(
            NAMESPACE, name, types.get_dt_container_cls(name, "core", autogen=False)
        )
    catalog.resolve_all_specs()


load()
