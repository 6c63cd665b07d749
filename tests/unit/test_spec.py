"""The namespace: generated, valid in NWB's schema language, documented, and what pynwb knows after import."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pynwb
import pytest
import yaml
from hdmf.testing.validate_spec import validate_spec

from ndx_cinac.neurodata import namespace
from ndx_cinac.neurodata.namespace import spec_folder

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "src" / "spec" / "create_extension_spec.py"
QUICK = Path(namespace.__file__).with_suffix(".json")
FOR_OLDER_READERS = "ndx-cinac-for-pynwb-before-4.extensions.yaml"
FILES = ("ndx-cinac.namespace.yaml", "ndx-cinac.extensions.yaml", FOR_OLDER_READERS)
TYPES = {
    "ClassifierTable": "DynamicTable",
    "ActivityPredictions": "RoiResponseSeries",
    "CellTypePredictions": "DynamicTable",
    "PredictedTransients": "EventsTable",
    "ActivityAnnotations": "EventsTable",
    "AnnotatedSegments": "TimeIntervals",
    "CellTypeAnnotations": "DynamicTable",
    "PredictionProvenance": "NWBDataInterface",
}


def load_types() -> dict[str, dict]:
    groups = yaml.safe_load((spec_folder() / FILES[1]).read_text())["groups"]
    return {group["neurodata_type_def"]: group for group in groups}


@pytest.mark.skipif(not GENERATOR.exists(), reason="the generator is not in the installed package")
def test_committed_yaml_is_what_the_generator_writes(tmp_path):
    spec = importlib.util.spec_from_file_location("create_extension_spec", GENERATOR)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    generator.main(tmp_path / "spec", tmp_path / "namespace.json")
    assert sorted(path.name for path in (tmp_path / "spec").iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / "spec" / name).read_bytes() == (ROOT / "spec" / name).read_bytes()
    assert (tmp_path / "namespace.json").read_bytes() == QUICK.read_bytes()


def test_json_that_is_loaded_holds_the_same_as_the_yaml():
    quick = json.loads(QUICK.read_text())
    assert quick == {name: yaml.safe_load((spec_folder() / name).read_text()) for name in FILES}


@pytest.mark.skipif(not GENERATOR.exists(), reason="the package is installed")
def test_spec_folder_holds_nothing_but_yaml():
    assert sorted(path.name for path in (ROOT / "spec").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_yaml_is_valid_in_the_nwb_schema_language(name):
    language = Path(pynwb.__file__).parent / "nwb-schema" / "nwb.schema.json"
    validate_spec(spec_folder() / name, language)


def test_all_eight_types_extend_what_the_design_says():
    assert {name: group["neurodata_type_inc"] for name, group in load_types().items()} == TYPES


@pytest.mark.parametrize("name", TYPES)
def test_everything_in_a_type_is_documented(name):
    def check(part: dict, path: str) -> None:
        assert len(part["doc"]) > 10, path
        for kind in ("attributes", "datasets", "groups", "links"):
            for inner in part.get(kind, []):
                check(inner, f"{path}/{inner['name']}")

    check(load_types()[name], name)


def test_the_stand_in_is_for_readers_without_an_events_table_only():
    """Where core has one, hdmf takes that, whatever the stand-in says; files keep it for where none is."""
    content = yaml.safe_load((spec_folder() / FOR_OLDER_READERS).read_text())
    assert [group["neurodata_type_def"] for group in content["groups"]] == ["EventsTable"]
    catalog = pynwb.get_type_map(copy=False).namespace_catalog
    core = catalog.get_spec("core", "EventsTable")
    assert catalog.get_spec("ndx-cinac", "EventsTable") is core
    assert catalog.get_hierarchy("ndx-cinac", "PredictedTransients")[1:3] == ("EventsTable", "DynamicTable")
    kept = catalog.get_spec_source_dict(FOR_OLDER_READERS)["groups"]
    assert [dict(each) for each in kept] == content["groups"]


def test_quick_loading_gives_the_same_types_as_hdmf_itself():
    code = f"""
import warnings
import pynwb
slow = pynwb.get_type_map()
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    slow.load_namespaces({str(spec_folder() / FILES[0])!r})
assert len(seen) == 1, seen  # of the stand-in for older readers
assert "for-pynwb-before-4.extensions.yaml defines a different" in str(seen[0].message)
assert "Defaulting to the existing specification from nwb.event.yaml" in str(seen[0].message)
import ndx_cinac
slow = slow.namespace_catalog.get_namespace("ndx-cinac")
quick = pynwb.get_type_map(copy=False).namespace_catalog.get_namespace("ndx-cinac")
assert set(slow.get_registered_types()) == set(quick.get_registered_types())
for name in slow.get_registered_types():
    assert slow.get_spec(name) == quick.get_spec(name), name
    assert slow.get_hierarchy(name) == quick.get_hierarchy(name), name
"""
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True)
