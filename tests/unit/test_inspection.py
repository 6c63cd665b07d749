"""Inspection: what is shown before a prediction is what the prediction will use, or why there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from nwb_builders import SHAPE, FileBuilder, boxes, noise

from ndx_cinac.errors import ReadingError
from ndx_cinac.inspection import inspect_file
from ndx_cinac.inspection import report as inspection
from ndx_cinac.reading import RoiSelection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    builder = FileBuilder(grid_spacing=[1.0e-6, 1.0e-6], grid_spacing_unit="meters")
    builder.movie()
    rois = [*boxes(n_rois=4), np.array([[900, 900]])]
    builder.segmentation(rois)
    return builder.write(tmp_path / "a.nwb")


def test_the_report_holds_what_was_found_and_chosen(path):
    content = inspect_file(path).to_dict()
    assert content["movie"] == "acquisition/TwoPhotonSeries"
    assert content["segmentation"] == "processing/ophys/ImageSegmentation/PlaneSegmentation"
    assert content["axes"]["masks"] == "matching"
    assert content["axes"]["evidence"] == "bounds"
    assert "ROIs leave the frame" in content["axes"]["detail"]
    assert (content["rate"], content["pixel_size"]) == (10.0, pytest.approx(1.0))
    assert (content["n_frames"], content["shape"], content["n_rois"]) == (60, [60, *SHAPE], 5)
    assert content["problem"] is None
    assert [movie["path"] for movie in content["movies"]] == ["acquisition/TwoPhotonSeries"]
    assert content["segmentations"][0]["columns"] == ["pixel_mask"]


def test_each_roi_has_row_id_size_and_centroid_and_a_reason_where_it_is_skipped(path):
    rois = inspect_file(path).to_dict()["rois"]
    for row, box in enumerate(boxes(n_rois=4)):
        assert rois[row]["row"] == rois[row]["id"] == row
        assert rois[row]["n_pixels"] == 12
        assert rois[row]["centroid"] == pytest.approx(box.mean(axis=0).tolist())
        assert "skipped" not in rois[row]
    assert rois[4]["skipped"] == "1 of its 1 pixels lie outside of the frame (20, 28)"
    assert rois[4]["centroid"] == [None, None]


def test_rows_that_are_not_chosen_are_shown_with_the_reason(path):
    rois = inspect_file(path, rois=RoiSelection(rows=(1,))).to_dict()["rois"]
    assert rois[0]["skipped"] == "its row was not chosen"
    assert "skipped" not in rois[1]


def test_the_report_is_json_without_nan(tmp_path):
    builder = FileBuilder(imaging_rate=None)
    builder.movie(rate=0.0)
    builder.segmentation()
    content = inspect_file(builder.write(tmp_path / "a.nwb")).to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["rate"] is None
    assert any("rate of 0" in text for text in content["warnings"])


def test_the_classifiers_ranges_are_compared_with_the_recording(path, tiny_classifier):
    card = inspect_file(path, classifier=tiny_classifier).classifier
    assert (card["name"], card["frame_rates"]) == ("tiny", (5.0, 30.0))
    assert not any("frame rate" in text for text in card["mismatches"])
    fast = path.with_name("fast.nwb")
    builder = FileBuilder()
    builder.movie(rate=100.0)
    builder.segmentation()
    report = inspect_file(builder.write(fast), classifier=tiny_classifier)
    assert any("frame rate is 100 Hz" in text and "5 to 30 Hz" in text for text in report.warnings)


def test_a_classifier_that_is_not_there_is_a_warning(path):
    report = inspect_file(path, classifier="no-such-classifier")
    assert "no-such-classifier" in report.classifier["problem"]
    assert report.movie is not None
    assert "no-such-classifier: cannot be used" in report.to_text()


def test_without_tensorflow_the_report_names_the_extra(path, monkeypatch):
    monkeypatch.setattr(inspection, "find_spec", lambda name: None)
    assert any("ndx-cinac[predict]" in text for text in inspect_file(path).warnings)


def test_a_file_without_a_movie_is_reported_with_what_is_wrong(tmp_path):
    builder = FileBuilder()
    builder.movie(external_file=[""], format="external", starting_frame=[0], num_samples=9)
    builder.segmentation()
    report = inspect_file(builder.write(tmp_path / "a.nwb"))
    assert "external_file is empty" in report.problem
    assert report.warnings[0] == report.problem
    assert report.to_dict()["movie"] is None
    assert report.to_dict()["n_frames"] is None
    assert "external_file is empty" in report.to_text()


def test_several_movies_are_all_listed_with_the_options_that_choose(tmp_path):
    builder = FileBuilder()
    builder.movie()
    builder.movie(name="Red")
    builder.segmentation()
    path = builder.write(tmp_path / "a.nwb")
    report = inspect_file(path)
    assert "--movie" in report.problem
    assert {movie.path for movie in report.movies} == {"acquisition/TwoPhotonSeries", "acquisition/Red"}
    assert inspect_file(path, movie="Red").movie == "acquisition/Red"


def test_a_file_whose_rois_all_fail_is_a_problem(tmp_path):
    builder = FileBuilder()
    builder.movie()
    builder.segmentation([box + 500 for box in boxes()])
    report = inspect_file(builder.write(tmp_path / "a.nwb"))
    assert report.problem == "None of the ROIs can be predicted: see why each is skipped"
    assert report.problem in report.warnings


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(ReadingError, match="does not exist"):
        inspect_file(tmp_path / "absent.nwb")


def test_the_text_shows_choice_axes_sizes_fit_and_cost(path, tiny_classifier):
    text = inspect_file(path, classifier=tiny_classifier).to_text()
    for part in (
        "* acquisition/TwoPhotonSeries (TwoPhotonSeries, 60 x 20 x 28)",
        "60 of 20 x 28 pixels at 10 Hz (6 s)",
        "masks matching, by bounds",
        "4 of 5 ROIs, of 12 pixels",
        "row 4 (id 4): 1 of its 1 pixels lie outside",
        "tiny 0.1",
        "of memory",
    ):
        assert part in text


def test_the_file_is_closed_again(path):
    import h5py

    inspect_file(path)
    h5py.File(path, "a").close()


def test_a_movie_from_elsewhere_is_shown(tmp_path):
    builder = FileBuilder()
    builder.segmentation()
    report = inspect_file(builder.write(tmp_path / "a.nwb"), movie=noise())
    assert report.movie == "(given from outside of the file)"
    assert report.n_frames == 60
