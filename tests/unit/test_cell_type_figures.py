"""Figures of cell types: what they draw, with and without movie, activity and traces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO

from ndx_cinac.errors import AmbiguousSourceError, ReadingError
from ndx_cinac.neurodata import ActivityPredictions, CellTypePredictions
from ndx_cinac.recording import Times
from ndx_cinac.testing.mock import (
    MockLayout,
    mock_ClassifierTable,
    mock_nwbfile_with_movie,
    mock_recording,
    rois_of,
)

pytest.importorskip("matplotlib")

from ndx_cinac.plotting import (
    plot_cell_type_field,
    plot_cell_type_probabilities,
    plot_file,
    plot_raster_by_type,
    plot_transients_by_type,
    read_cell_type_data,
)
from ndx_cinac.plotting.activity_by_type import isolated_onsets, pieces_at
from ndx_cinac.plotting.cell_types import _legend_columns, sorted_cells
from ndx_cinac.plotting.style import NOISE_COLOUR, ORANGE, OTHERS_COLOUR, SKY, TYPE_COLOURS

TYPES = ("interneuron", "pyramidal", "noise")
CODES = np.array([1, 0, 2, 1, 0])
CONFIDENCE = np.array([0.9, 0.6, 0.95, 0.97, 0.8], np.float32)


def write_file(
    path: Path, *, movie: bool = True, activity: bool = True, stored: bool = False, names=None
) -> Path:
    """Write a file of six ROIs; the types of rows 1 to 5 and the activity of all are predicted."""
    mock = mock_recording(6, 300, (40, 48))
    nwbfile = mock_nwbfile_with_movie(mock=mock, layout=MockLayout(stored_traces=stored))
    if not movie:
        nwbfile.acquisition.pop("TwoPhotonSeries")
    rois, classifiers = rois_of(nwbfile), mock_ClassifierTable()
    module = nwbfile.create_processing_module("cinac", "Predictions.")
    module.add(classifiers)
    if activity:
        region = rois.create_roi_table_region(region=list(range(6)), description="All.", name="rois")
        module.add(
            ActivityPredictions(
                data=mock.active.astype(np.float32),
                rois=region,
                classifier=classifiers.create_region("classifier", [0] * 6, "Classifiers."),
                threshold=0.5,
                definition="onset to peak",
                rate=10.0,
            )
        )
    probability = np.full((5, 3), 0.02, np.float32)
    probability[np.arange(5), CODES] = CONFIDENCE
    for name in names or ["CellTypePredictions"]:
        columns = {
            "roi": np.arange(1, 6),
            "cell_type": [TYPES[code] for code in CODES],
            "probability": probability,
            "confidence": CONFIDENCE,
            "classifier": [1] * 5,
        }
        module.add(
            CellTypePredictions.from_arrays(
                name=name, rois=rois, classifiers=classifiers, cell_types=TYPES, columns=columns
            )
        )
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cell_types")
    write_file(folder / "session.nwb")
    write_file(folder / "alone.nwb", movie=False)
    write_file(folder / "types.nwb", activity=False)
    write_file(folder / "stored.nwb", movie=False, stored=True)
    write_file(folder / "several.nwb", activity=False, names=["RunOne", "RunTwo"])
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return read_cell_type_data(folder / "session.nwb")


def texts(figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "get_text")))


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_all_figures_of_a_file_are_written(folder, tmp_path):
    names = [path.name for path in plot_file(folder / "session.nwb", tmp_path)]
    of_types = ["cell_types", "cell_type_probabilities", "transients_by_type", "raster_by_type"]
    assert names == [f"session_{what}.png" for what in ["field", "probabilities", "traces", *of_types]]
    assert all((tmp_path / name).stat().st_size > 1000 for name in names)


def test_files_with_types_alone_give_their_figures(folder, tmp_path):
    paths = plot_file(folder / "types.nwb", tmp_path, kind="svg")
    assert [path.name for path in paths] == ["types_cell_types.svg", "types_cell_type_probabilities.svg"]


def test_predictions_asked_for_by_name_are_not_passed_over(folder, tmp_path):
    with pytest.raises(ReadingError, match="holds no activity predictions named 'Mine'"):
        plot_file(folder / "types.nwb", tmp_path, name="Mine")
    with pytest.raises(ReadingError, match="holds no activity predictions named 'ActivityPredictions'"):
        plot_file(folder / "types.nwb", tmp_path, rois=[1])
    with pytest.raises(ReadingError, match=r"no cell-type predictions named 'Mine'.* It holds: CellTypePred"):
        plot_file(folder / "session.nwb", tmp_path, cell_types="Mine")


def test_one_of_several_predictions_is_chosen_by_name(folder, tmp_path):
    with pytest.raises(AmbiguousSourceError, match=r"several .*: RunOne, RunTwo .* \(--cell-types\)"):
        plot_file(folder / "several.nwb", tmp_path)
    paths = plot_file(folder / "several.nwb", tmp_path, cell_types="RunTwo")
    assert paths[0].name == "several_RunTwo_cell_types.png"


def test_groups_are_the_types_in_their_order_and_noise_is_grey(data):
    assert [(each.name, each.colour) for each in data.groups] == [
        ("interneuron", ORANGE),
        ("pyramidal", SKY),
        ("noise", NOISE_COLOUR),
    ]
    assert [each.members.tolist() for each in data.groups] == [[1, 4], [0, 3], [2]]
    assert data.uncertain.tolist() == [False, True, False, False, False]


def test_more_types_than_colours_leave_the_rarest_together(data):
    names = tuple(f"type {number}" for number in range(9))
    codes = np.array([*range(9), *range(2, 9)])
    many = replace(data, types=replace(data.types, cell_types=names, codes=codes))
    assert [each.name for each in many.groups] == [*names[2:], "other types"]
    assert [each.colour for each in many.groups][:-1] == list(TYPE_COLOURS)
    assert many.groups[-1].members.tolist() == [0, 1]


def test_field_counts_types_and_names_what_is_missing(data, folder):
    figure = plot_cell_type_field(data)
    assert legend(figure) == [
        "interneuron (2)",
        "pyramidal (2)",
        "noise (1)",
        "uncertain (1): confidence < 0.7",
        "not predicted (1)",
    ]
    assert "predicted types of 5 ROIs on the mean image" in texts(figure)
    alone = plot_cell_type_field(read_cell_type_data(folder / "alone.nwb"))
    assert "(no movie at hand)" in texts(alone)


def test_field_hatches_the_pixels_of_uncertain_rois_alone(data):
    patches = [patch for patch in plot_cell_type_field(data).axes[0].patches if patch.get_hatch()]
    (patch,) = patches
    low, high = patch.get_path().get_extents().get_points()
    pixels = data.field.rois.pixels(int(data.types.roi_rows[1]))
    np.testing.assert_allclose(low[::-1], pixels.min(axis=0) - 0.5)
    np.testing.assert_allclose(high[::-1], pixels.max(axis=0) + 0.5)
    sure = replace(data, uncertain_below=0.5)
    assert not [patch for patch in plot_cell_type_field(sure).axes[0].patches if patch.get_hatch()]


def test_bars_are_the_probabilities_sorted_by_type_and_confidence(data):
    assert sorted_cells(data).tolist() == [4, 1, 3, 0, 2]
    figure = plot_cell_type_probabilities(data)
    assert [axes.get_ylabel() for axes in figure.axes] == ["p(interneuron)", "p(pyramidal)", "p(noise)"]
    bars = sorted((bar.get_x(), bar.get_height()) for bar in figure.axes[0].patches)
    np.testing.assert_allclose([height for _, height in bars], [0.8, 0.6, 0.02, 0.02, 0.02], rtol=1e-6)
    ticks = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert ticks == ["5", "2", "4", "1", "3"]


def test_legends_use_as_many_columns_as_fit():
    assert _legend_columns(["a", "b", "c"], 7.0) == 3
    assert _legend_columns(["a" * 40, "b" * 40, "c" * 40], 7.0) == 2
    assert _legend_columns(["a" * 200], 1.0) == 1


def test_onsets_count_after_silence_and_within_the_recording():
    active = np.zeros(30, bool)
    active[[0, 1, 5, 6, 8, 20, 28]] = True
    assert isolated_onsets(active, 3, 4).tolist() == [5, 20]
    assert isolated_onsets(np.ones(30, bool), 3, 4).tolist() == []


def test_pieces_around_onsets_leave_gaps_out():
    values = np.arange(20.0)
    np.testing.assert_array_equal(pieces_at(values, np.array([5, 10]), 1, 2), [[4, 5, 6, 7], [9, 10, 11, 12]])
    values[11] = np.nan
    np.testing.assert_array_equal(pieces_at(values, np.array([5, 10]), 1, 2), [[4, 5, 6, 7]])


def test_mean_transients_are_those_of_the_traces(data):
    # every onset of a cell is followed by a step of its own height: the mean over cells is known
    active = data.activity.active
    heights = np.array([1.0, 2.0, 5.0, 3.0, 4.0])
    steps = np.cumsum(active[:, 1:] & ~np.vstack([active[:1, 1:], active[:-1, 1:]]), axis=0) * heights
    figure = plot_transients_by_type(replace(data, traces=steps, trace_label="steps"))
    lines = {line.get_label().split(":")[0]: line.get_ydata() for line in figure.axes[0].lines}
    assert lines["interneuron"][:10] == pytest.approx(np.zeros(10))
    assert lines["interneuron"][10] == pytest.approx((2.0 + 4.0) / 2)
    assert lines["pyramidal"][10] == pytest.approx((1.0 + 3.0) / 2)
    assert figure.axes[0].get_ylabel() == "steps, less its mean before onset"


def test_traces_come_from_the_file_else_from_the_movie_else_there_are_none(data, folder):
    stored = read_cell_type_data(folder / "stored.nwb")
    assert stored.field.image is None
    assert (data.trace_label, stored.trace_label) == ("ΔF/F", "ΔF/F")
    assert data.traces.shape == stored.traces.shape == (300, 5)
    for column in range(5):  # stored are plain means of pixels, from the movie come weighted ones
        assert np.corrcoef(data.traces[:, column], stored.traces[:, column])[0, 1] > 0.99
    alone = read_cell_type_data(folder / "alone.nwb")
    assert alone.traces is None
    figure = plot_transients_by_type(alone)
    assert figure.axes[0].get_ylabel() == "probability of activity"
    assert "(no traces at hand)" in texts(figure)


def test_raster_is_sorted_by_type_and_activity(data):
    figure = plot_raster_by_type(data)
    lower = figure.axes[1]
    assert [label.get_text() for label in lower.get_yticklabels()] == [
        "interneuron\n(2)",
        "pyramidal\n(2)",
        "noise\n(1)",
    ]
    image = np.asarray(lower.images[0].get_array())
    assert image.shape == (5, 300, 3)
    painted = (image < 1).any(axis=2).sum(axis=1)
    busy = data.activity.active[:, 1:].sum(axis=0)
    expected = [*sorted(busy[[1, 4]])[::-1], *sorted(busy[[0, 3]])[::-1], busy[2]]
    assert painted.tolist() == expected


def test_gaps_of_a_recording_are_grey_in_the_raster(data):
    seconds = np.concatenate([np.arange(150) * 0.1, 60 + np.arange(150) * 0.1])
    gap = replace(data, activity=replace(data.activity, times=Times(300, timestamps=seconds)))
    image = np.asarray(plot_raster_by_type(gap).axes[1].images[0].get_array())
    middle = image[:, image.shape[1] // 2]
    assert (middle == middle[0, 0]).all()
    assert 0.8 < middle[0, 0] < 1


def test_figures_of_activity_need_activity(folder):
    types = read_cell_type_data(folder / "types.nwb")
    for plot in (plot_transients_by_type, plot_raster_by_type):
        with pytest.raises(ReadingError, match="no predicted activity of the ROIs whose types"):
            plot(types)


def test_silent_cells_can_be_drawn(data):
    silent = replace(data.activity, probabilities=np.zeros_like(data.activity.probabilities))
    quiet = replace(data, activity=silent)
    plot_transients_by_type(quiet).canvas.draw()
    plot_raster_by_type(quiet).canvas.draw()


def test_colours_differ_for_everybody():
    """Under each kind of colour blindness (Machado 2009, severity 1) any two types stay apart."""
    from matplotlib.colors import to_rgb

    kinds = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                   [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
    }  # fmt: skip
    colours = np.array([to_rgb(colour) for colour in (*TYPE_COLOURS, NOISE_COLOUR, OTHERS_COLOUR)])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    for kind, matrix in kinds.items():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.4)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=2) + np.eye(len(seen))
        assert apart.min() > 0.1, kind
