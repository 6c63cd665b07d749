"""Cell types of assets, and both tasks: as for local files, in one derived file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("dandi")
pytest.importorskip("remfile")
pytest.importorskip("tensorflow")

from archive import LoopbackArchive, default_archive
from output_builders import write_source

from ndx_cinac.cli import main
from ndx_cinac.dandi import DerivedOptions, predict_asset
from ndx_cinac.errors import ClassifierError, ConfigError
from ndx_cinac.prediction import predict_activity, predict_cell_types
from ndx_cinac.writing import read_cell_type_predictions, read_predictions

PATH = "sub-mock/sub-mock_ses-mock_ophys.nwb"
DERIVED = "sub-mock/sub-mock_ses-mock_desc-cinac_ophys.nwb"
QUICK = DerivedOptions(validate=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("files") / "movie.nwb", n_frames=300)


@pytest.fixture
def archive(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    """An archive with one asset that can be predicted; it is the default instance, and there is no token."""
    with default_archive(PATH, source, monkeypatch) as made:
        yield made


def test_cell_types_and_activity_of_an_asset_are_those_of_the_file(
    archive: LoopbackArchive, source: Path, tiny_classifier: Path, tmp_path: Path
) -> None:
    derived = predict_asset("000001", tmp_path, tiny_classifier, path=PATH, task="all")
    activity, types = derived.results
    assert derived.result is activity
    assert derived.ready, derived.findings
    near = predict_activity(source, tiny_classifier), predict_cell_types(source)
    np.testing.assert_array_equal(activity.probabilities, near[0].probabilities)
    np.testing.assert_array_equal(types.probabilities, near[1].probabilities)
    stored = read_cell_type_predictions(derived.path)
    np.testing.assert_array_equal(stored.probabilities, near[1].probabilities)
    assert stored.source.digest == derived.asset.digest
    assert derived.asset.asset_id in stored.source.dandi_asset
    np.testing.assert_array_equal(
        read_predictions(derived.path).probabilities, near[0].probabilities, err_msg="activity is in it, too"
    )
    assert derived.movie_read == derived.movie_bytes, "two passes, and each chunk came once"


def test_the_command_predicts_cell_types(
    archive: LoopbackArchive, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dandi", "predict", "000001", "--to", str(tmp_path), "--task", "cell-type", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["classifiers"][0]["name"] == "cell-type-sim"
    assert record["cell_type_of_roi"] == predict_cell_types(source).labels
    assert record["ready"]


def test_the_command_gives_each_type_its_classifier(
    archive: LoopbackArchive, tiny_classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "map.yaml"
    chosen.write_text(
        f"cell_type_to_classifier:\n  pyramidal: {tiny_classifier}\ndefault_classifier: {tiny_classifier}\n"
        "unknown_cell_type_action: default\n"
    )
    command = ["dandi", "predict", "000001", "--to", str(tmp_path / "out"), "--json"]
    assert main([*command, "--activity-by-cell-type", str(chosen)]) == 0, capsys.readouterr().err
    (record,) = json.loads(capsys.readouterr().out)
    assert set(record) >= {"activity", "cell_type", "asset", "ready"}
    assert record["activity"]["classifiers"][0]["name"] == "tiny"
    assert len(record["cell_type"]["cell_type_of_roi"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "cell-type", "--classifier", "activity-sim"), "predicts activity, not cell types"),
        (("--classifier", "cell-type-sim"), "predicts cell type, not activity"),
        (("--cell-type-classifier", "cell-type-sim"), "--cell-type-classifier has no meaning with --task"),
        (("--task", "activity", "--segments", "3"), "--segments has no meaning with --task activity"),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_archive_is_asked(
    archive: LoopbackArchive, tmp_path: Path, arguments: Any, message: str, capsys: Any
) -> None:
    assert main(["dandi", "predict", "000001", "--to", str(tmp_path / "out"), *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not archive.requests
    assert not (tmp_path / "out").exists()


def test_a_task_that_the_classifier_is_not_for_is_refused(archive: LoopbackArchive, tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="predicts activity, not cell types"):
        predict_asset("000001", tmp_path, "activity-sim", QUICK, path=PATH, task="cell-type")
    with pytest.raises(ConfigError, match="The task 'both' is not one of: activity, cell-type, all"):
        predict_asset("000001", tmp_path, options=QUICK, path=PATH, task="both")  # type: ignore[arg-type]
    second = DerivedOptions(cell_type_classifier="cell-type-sim")
    with pytest.raises(ConfigError, match="A second classifier has no meaning with the task 'activity'"):
        predict_asset("000001", tmp_path, options=second, path=PATH)
    assert not archive.requests
