"""What is trained on: annotated files read as they say, divided by recording or ROI, and mixed by weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_files import annotated_cinac, annotated_nwb, labelled_recording
from pynwb import NWBHDF5IO

from ndx_cinac.cinac_files import CinacFullData, write_cinac
from ndx_cinac.errors import ConfigError, ReadingError
from ndx_cinac.neurodata import ActivityAnnotations, AnnotatedSegments
from ndx_cinac.simulation import load_config
from ndx_cinac.testing.mock import MockLayout, mock_nwbfile_with_movie
from ndx_cinac.traces import CHANNELS
from ndx_cinac.training import AugmentationSettings, SourceSettings, TrainingConfig
from ndx_cinac.training.data import make_examples
from ndx_cinac.training.recordings import read_cinac, read_nwb
from ndx_cinac.training.sources import plan_sources
from ndx_cinac.training.splitting import split_rois


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def nwb(folder: Path) -> Path:
    return annotated_nwb(folder / "six.nwb", n_rois=6)


@pytest.fixture(scope="module")
def patches(folder: Path) -> Path:
    return annotated_cinac(folder / "patches.cinac")


@pytest.fixture(scope="module")
def movie(folder: Path) -> Path:
    return annotated_cinac(folder / "movie.cinac", whole=True)


def config(*paths: Path | str, **settings) -> TrainingConfig:
    sources = tuple(SourceSettings(str(path)) for path in paths)
    return TrainingConfig(sources=sources, workers=0, **settings)


def partly_annotated(path: Path) -> Path:
    """Four cells: of row 1 frames 20 to 99 were examined (40 to 49 active, 60 to 69 doubtful)."""
    nwbfile = mock_nwbfile_with_movie(n_rois=4)
    rois = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
    module = nwbfile.create_processing_module("cinac", "annotations")
    module.add(
        AnnotatedSegments.from_arrays(
            rois=rois,
            columns={"start_time": [2.0], "stop_time": [10.0], "roi": [1], "annotator": ["A"]}
            | {"first_frame": [20], "last_frame": [99]},
        )
    )
    module.add(
        ActivityAnnotations.from_arrays(
            rois=rois,
            columns={"timestamp": [4.0, 6.0], "duration": [1.0, 1.0], "roi": [1, 1]}
            | {"state": ["active", "doubtful"], "annotator": ["A", "A"]}
            | {"first_frame": [40, 60], "last_frame": [49, 69]},
        )
    )
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    return path


def test_only_examined_frames_that_are_not_doubtful_count(tmp_path):
    labelled = read_nwb(SourceSettings(str(partly_annotated(tmp_path / "partly.nwb"))))
    assert labelled.rois.kept.tolist() == [1]
    assert labelled.rois.usable.tolist() == [0, 1, 2, 3]
    expected = np.zeros(200, bool)
    expected[20:100] = True
    expected[60:70] = False
    np.testing.assert_array_equal(labelled.judged[:, 1], expected)
    np.testing.assert_array_equal(np.flatnonzero(labelled.active[:, 1]), np.arange(40, 50))
    assert not labelled.judged[:, [0, 2, 3]].any()
    assert (labelled.frame_rate, labelled.pixel_size) == (10.0, pytest.approx(2.0))
    labelled.close()


def test_an_nwb_file_gives_what_a_prediction_is_given(nwb):
    (source,) = plan_sources(config(nwb, held_out=0.0, augmentation=AugmentationSettings(versions=0)))
    (example,) = make_examples(source.jobs["training"], workers=0)
    assert example.channels.shape == (6, 200, len(CHANNELS))
    np.testing.assert_array_equal(example.active, labelled_recording(6).active.T)
    assert example.judged.all()
    assert (example.snr > 4).all()


def rise_agreement(example) -> float:
    """How much more the demixed trace rises in active frames than elsewhere."""
    rise = np.diff(example.channels[..., 0].astype(np.float32), axis=1)
    active = example.active[:, 1:]
    return float(rise[active].mean() - rise[~active].mean())


def test_patches_of_a_cinac_file_are_movies_of_one_cell_each(patches):
    found = read_cinac(patches)
    assert [int(cells[0]) for _, cells in found] == [0, 1, 2, 3]
    for labelled, _ in found:
        assert labelled.rois.kept.tolist() == [0]
        np.testing.assert_array_equal(np.flatnonzero(~labelled.judged[:, 0]), np.arange(5))
    (source,) = plan_sources(config(patches, held_out=0.0, augmentation=AugmentationSettings(versions=0)))
    examples = make_examples(source.jobs["training"], workers=0)
    assert [len(example.channels) for example in examples] == [1, 1, 1, 1]
    assert min(rise_agreement(example) for example in examples) > 0.02


def test_a_whole_movie_in_a_cinac_file_is_one_movie_of_all_cells(movie):
    ((labelled, cells),) = read_cinac(movie)
    assert cells.tolist() == labelled.rois.kept.tolist() == [0, 1, 2, 3]
    assert not labelled.judged[:15].any()
    assert labelled.judged[15:].all()
    labelled.close()
    (source,) = plan_sources(config(movie, held_out=0.0, augmentation=AugmentationSettings(versions=0)))
    (example,) = make_examples(source.jobs["training"], workers=0)
    assert rise_agreement(example) > 0.05


@pytest.mark.parametrize("which", ["nwb", "patches", "movie"])
def test_no_roi_is_in_two_parts_and_altered_versions_are_for_training_alone(which, request):
    path = request.getfixturevalue(which)
    (source,) = plan_sources(config(path, augmentation=AugmentationSettings(versions=2)))
    cells = {part: {c for job in jobs for c in job.cells} for part, jobs in source.jobs.items()}
    everything = [cell for part in cells.values() for cell in part]
    assert len(everything) == len(set(everything)) == (6 if which == "nwb" else 4)
    assert {part: {job.version for job in jobs} for part, jobs in source.jobs.items()} == {
        "training": {0, 1, 2},
        "validation": {0},
        "test": {0},
    }
    assert source.about["ROIs"] == {part: len(rows) for part, rows in cells.items()}


def test_altered_versions_differ_from_the_recording_and_come_out_the_same_again(nwb):
    (source,) = plan_sources(config(nwb))
    jobs = source.jobs["training"][:3]
    plain, one, two = make_examples(jobs, workers=0)
    again = jobs[1].make()
    np.testing.assert_array_equal(one.channels, again.channels)
    assert plain.channels.shape != one.channels.shape != two.channels.shape
    assert min(rise_agreement(one), rise_agreement(two)) > 0.05


def test_three_recordings_are_held_out_whole_and_fewer_by_roi():
    three = {name: range(5) for name in ("a", "b", "c")}
    split = split_rois(three, 0.2, seed=0)
    assert split.by == "recording"
    assert sorted(name for part in split.parts.values() for name in part) == ["a", "b", "c"]
    assert all(rows == (0, 1, 2, 3, 4) for part in split.parts.values() for rows in part.values())
    by_roi = split_rois({"a": range(10), "b": range(3)}, 0.2, seed=0)
    assert by_roi.by == "roi"
    for name, number in (("a", 10), ("b", 3)):
        rows = [row for part in ("training", "validation", "test") for row in by_roi.rows(part, name)]
        assert sorted(rows) == list(range(number))
    assert [len(by_roi.rows(part, "a")) for part in ("training", "validation", "test")] == [6, 2, 2]
    assert [len(by_roi.rows(part, "b")) for part in ("training", "validation", "test")] == [2, 1, 0]


def test_a_split_depends_on_the_seed_alone():
    recordings = {"a": list(range(20)), "b": list(range(20))}
    turned = {"b": list(range(19, -1, -1)), "a": list(range(20))}
    assert split_rois(recordings, 0.2, 1) == split_rois(turned, 0.2, 1)
    assert split_rois(recordings, 0.2, 1) != split_rois(recordings, 0.2, 2)


def test_two_cells_are_all_trained_on():
    assert split_rois({"a": [3, 7]}, 0.2, 0).parts["training"] == {"a": (3, 7)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"a": [1]}, 0.5, 0), "A share of 0.5 cannot be held out twice"),
        (({"a": [1], "b": [1]}, 0.2, 0, "recording"), "Recordings cannot be held out: there are 2"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        split_rois(*arguments)


def test_sources_keep_their_weights_names_and_presets(nwb, tmp_path):
    other = annotated_nwb(tmp_path / nwb.name, n_rois=3, seed=1)
    sources = plan_sources(
        TrainingConfig(
            sources=(
                SourceSettings(str(nwb), weight=3.0),
                SourceSettings(str(other)),
                SourceSettings("simulation:two-photon-dense", weight=0.5, fields=7),
            )
        )
    )
    assert [(s.name, s.weight, s.simulated) for s in sources] == [
        ("six", 3.0, False),
        ("six (2)", 1.0, False),
        ("simulation:two-photon-dense", 0.5, True),
    ]
    jobs = sources[2].jobs["training"]
    assert len(jobs) == 7
    assert jobs[0].simulation == load_config("two-photon-dense")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.nwb", "There is nothing of this name to train on"),
        ("unannotated.nwb", "no AnnotatedSegments"),
        ("empty.cinac", "has no annotated segment"),
    ],
)
def test_a_file_without_labels_is_refused_by_its_name(folder, path, message):
    if not (folder / "unannotated.nwb").exists():
        with NWBHDF5IO(str(folder / "unannotated.nwb"), "w") as io:
            io.write(mock_nwbfile_with_movie(layout=MockLayout()))
        write_cinac(folder / "empty.cinac", [], CinacFullData(n_frames=3))
    with pytest.raises(ReadingError, match=message):
        plan_sources(config(folder / path))


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="no simulation preset or file named 'nothing'"):
        plan_sources(config("simulation:nothing"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sources": [{"path": "a.nwb", "weight": 0}]}, "weight 0"),
        ({"sources": [{"weight": 1.0}]}, "A setting is missing"),
        ({"sources": "a.nwb"}, "A list of sources was expected"),
        ({"sources": ["a.nwb", "a.nwb"]}, "'a.nwb' is given twice"),
        ({"sources": [{"path": "a.nwb", "heaviness": 2}]}, "Unknown setting 'heaviness'"),
        ({"pieces": {"transients": 0, "neighbours": 0, "noise": 0}}, "cannot be drawn with the shares"),
        ({"augmentation": {"stretch": 0.5}}, "augmentation's 'stretch' cannot be 0.5"),
        ({"augmentation": {"flips": "yes"}}, "'flips' cannot be 'yes'"),
        ({"augmentation": [1]}, "A mapping was expected, not list (training config: augmentation)"),
        ({"fine_tuning": {"steps": 0}}, "fine-tuning's 'steps' cannot be 0"),
        ({"held_out": 0.5}, "'held_out' cannot be 0.5"),
        ({"split_by": "window"}, "'split_by' cannot be window"),
        ({"figures": 1}, "'figures' cannot be 1"),
    ],
)
def test_wrong_sections_of_a_config_are_refused(values, message):
    with pytest.raises(ConfigError) as error:
        TrainingConfig.from_dict(values)
    assert message in str(error.value)


def test_a_config_with_sections_comes_back_from_its_dictionary():
    values = {
        "sources": [{"path": "a.nwb", "weight": 2}, "simulation"],
        "pieces": {"noise": 0.3},
        "augmentation": {"versions": 5},
        "fine_tuning": {"steps": 10},
        "parent": "activity-sim",
    }
    made = TrainingConfig.from_dict(values)
    assert made.sources == (SourceSettings("a.nwb", 2.0), SourceSettings("simulation"))
    assert TrainingConfig.from_dict(made.to_dict()) == made
