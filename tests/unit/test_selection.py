"""Selection: the series and the segmentation that are meant are found; others are never taken by accident."""

from __future__ import annotations

import numpy as np
import pytest
from nwb_builders import SHAPE, FileBuilder, boxes, noise
from pynwb.image import ImageMaskSeries, ImageSeries, OpticalSeries
from pynwb.testing.mock.ophys import mock_ImagingPlane, mock_OnePhotonSeries

from ndx_cinac.errors import AmbiguousSourceError, ReadingError
from ndx_cinac.reading.file_contents import survey
from ndx_cinac.reading.selection import Choice, choose


def chosen(builder: FileBuilder, movie: str | None = None, segmentation: str | None = None) -> Choice:
    return choose(survey(builder.nwbfile), movie, segmentation)


def plain_series(name: str = "ImageSeries", shape: tuple[int, ...] = SHAPE, **options: object) -> ImageSeries:
    data = {} if "external_file" in options else {"data": noise(shape)}
    return ImageSeries(name=name, unit="n.a.", rate=10.0, **data, **options)


def usual() -> FileBuilder:
    builder = FileBuilder()
    builder.movie()
    builder.segmentation()
    return builder


def test_the_only_movie_and_segmentation_are_taken():
    choice = chosen(usual())
    assert choice.movie.path == "acquisition/TwoPhotonSeries"
    assert choice.segmentation_path == "processing/ophys/ImageSegmentation/PlaneSegmentation"
    assert choice.notes == ()


def test_a_one_photon_series_is_a_movie():
    builder = FileBuilder()
    builder.segmentation()
    builder.nwbfile.add_acquisition(
        mock_OnePhotonSeries(name="Mini", data=noise(), imaging_plane=builder.plane, rate=5.0)
    )
    assert chosen(builder).movie.path == "acquisition/Mini"


def test_the_corrected_stack_goes_before_the_raw_movie():
    builder = FileBuilder()
    builder.corrected(builder.movie(), noise(seed=1))
    builder.segmentation()
    path = "processing/ophys/MotionCorrection/CorrectedImageStack/corrected"
    assert chosen(builder).movie.path == path
    assert chosen(builder).movie.plane_id == builder.plane.object_id


def test_a_corrected_stack_that_was_not_stored_is_noted_and_the_raw_movie_taken():
    builder = FileBuilder()
    raw = builder.movie()
    stack = builder.corrected(raw, noise())
    stack.corrected.fields["data"] = np.zeros((0, *SHAPE))
    builder.segmentation()
    choice = chosen(builder)
    assert choice.movie.path == "acquisition/TwoPhotonSeries"
    assert "corrected stack" in choice.notes[0]
    assert "acquisition/TwoPhotonSeries was taken" in choice.notes[0]


def test_the_imaging_plane_of_the_rois_decides_between_movies():
    builder = FileBuilder()
    other = mock_ImagingPlane(name="Other", nwbfile=builder.nwbfile)
    builder.movie(name="Shallow", imaging_plane=other)
    builder.movie(name="Deep")
    builder.segmentation()
    assert chosen(builder).movie.path == "acquisition/Deep"


def test_the_imaging_plane_of_a_named_movie_decides_between_segmentations():
    builder = FileBuilder()
    other = mock_ImagingPlane(name="Other", nwbfile=builder.nwbfile)
    builder.movie(name="Deep")
    builder.movie(name="Shallow", imaging_plane=other)
    builder.segmentation(name="DeepRois")
    builder.segmentation(name="ShallowRois", plane=other)
    assert chosen(builder, movie="Shallow").segmentation_path.endswith("/ShallowRois")
    assert chosen(builder, segmentation="DeepRois").movie.path == "acquisition/Deep"


def test_several_pairs_of_movie_and_rois_are_ambiguous_and_all_are_listed():
    builder = FileBuilder()
    other = mock_ImagingPlane(name="Other", nwbfile=builder.nwbfile)
    builder.movie(name="Deep")
    builder.movie(name="Shallow", imaging_plane=other)
    builder.segmentation(name="DeepRois")
    builder.segmentation(name="ShallowRois", plane=other)
    with pytest.raises(AmbiguousSourceError, match="Several plane segmentations could be meant") as error:
        chosen(builder)
    for text in (
        "DeepRois",
        "ShallowRois",
        "acquisition/Deep",
        "acquisition/Shallow",
        "--segmentation",
        "segmentation=",
    ):
        assert text in str(error.value)


def test_two_movies_of_one_plane_are_ambiguous_and_the_options_named():
    builder = usual()
    builder.movie(name="Red")
    with pytest.raises(AmbiguousSourceError, match="acquisition/TwoPhotonSeries, acquisition/Red") as error:
        chosen(builder)
    assert "movie=" in str(error.value)
    assert "--movie" in str(error.value)


def test_of_two_movies_the_one_whose_frames_fit_the_image_masks_is_taken():
    builder = FileBuilder()
    builder.movie(noise((9, 11)), name="Small")
    builder.movie(name="Fits")
    builder.segmentation(kind="image_mask")
    assert chosen(builder).movie.path == "acquisition/Fits"


@pytest.mark.parametrize("name", ["acquisition/Red", "/acquisition/Red", "Red", "id"])
def test_a_movie_is_named_by_path_name_or_id(name):
    builder = usual()
    red = builder.movie(name="Red")
    assert chosen(builder, movie=red.object_id if name == "id" else name).movie.path == "acquisition/Red"


@pytest.mark.parametrize("name", ["corrected", "CorrectedImageStack", "MotionCorrection/CorrectedImageStack"])
def test_a_corrected_movie_is_named_by_itself_or_its_stack(name):
    builder = FileBuilder()
    builder.corrected(builder.movie(), noise())
    builder.segmentation()
    assert chosen(builder, movie=name).movie.corrected


@pytest.mark.parametrize("name", ["Second", "processing/ophys/ImageSegmentation/Second", "id"])
def test_a_segmentation_is_named_by_path_name_or_id(name):
    builder = usual()
    second = builder.segmentation(name="Second")
    found = chosen(builder, segmentation=second.object_id if name == "id" else name)
    assert found.segmentation is second


def test_a_segmentation_is_named_by_its_container():
    assert chosen(usual(), segmentation="ImageSegmentation").segmentation.name == "PlaneSegmentation"


def test_background_components_and_empty_tables_are_no_rois():
    builder = usual()
    builder.segmentation(name="BackgroundPlaneSegmentation")
    builder.segmentation([], name="Empty")
    assert chosen(builder).segmentation.name == "PlaneSegmentation"


@pytest.mark.parametrize(
    ("argument", "words"), [("movie", "no movie 'X'"), ("segmentation", "no plane segmentation 'X'")]
)
def test_a_name_that_is_not_there_is_refused_with_what_there_is(argument, words):
    with pytest.raises(ReadingError, match=words) as error:
        chosen(usual(), **{argument: "X"})
    assert ("acquisition/TwoPhotonSeries" if argument == "movie" else "PlaneSegmentation") in str(error.value)


def test_a_tiff_file_that_is_not_there_is_named_as_missing():
    with pytest.raises(ReadingError, match=r"The TIFF file 'gone/stack.tif' does not exist"):
        chosen(usual(), "gone/stack.tif")


def test_a_name_of_several_movies_is_ambiguous():
    builder = FileBuilder()
    builder.movie(name="Movie")
    builder.ophys.add(plain_series("Movie"))
    builder.segmentation()
    with pytest.raises(AmbiguousSourceError, match="acquisition/Movie, processing/ophys/Movie"):
        chosen(builder, movie="Movie")


def behaviour(builder: FileBuilder) -> None:
    builder.nwbfile.add_acquisition(plain_series("Video"))


def behaviour_file(builder: FileBuilder) -> None:
    external = plain_series(
        "Animal", external_file=["animal.avi"], format="external", starting_frame=[0], num_samples=9
    )
    builder.ophys.add(external)


def optical_series() -> OpticalSeries:
    return OpticalSeries(
        name="Gratings",
        data=noise(),
        unit="n.a.",
        rate=10.0,
        distance=1.0,
        field_of_view=[1.0, 1.0],
        orientation="lower left",
    )


def stimulus(builder: FileBuilder) -> None:
    builder.nwbfile.add_stimulus(optical_series())
    builder.nwbfile.add_stimulus(plain_series("Noise"))


def optical(builder: FileBuilder) -> None:
    builder.nwbfile.add_acquisition(optical_series())


def masks(builder: FileBuilder) -> None:
    # deprecated: pynwb reads such series from older files but makes none
    series = ImageMaskSeries.__new__(ImageMaskSeries, in_construct_mode=True)
    series.__init__(
        name="Masks", data=noise(), unit="n.a.", rate=10.0, masked_imageseries=plain_series("Masked")
    )
    builder.ophys.add(series)


def unrelated(builder: FileBuilder) -> None:
    builder.nwbfile.add_acquisition(plain_series("Something", (9, 11)))


@pytest.mark.parametrize("add", [behaviour, behaviour_file, stimulus, optical, masks, unrelated])
def test_what_is_no_movie_of_cells_is_never_taken(add):
    builder = FileBuilder()
    builder.segmentation(kind="image_mask")
    add(builder)
    with pytest.raises(ReadingError, match="holds no movie of cells") as error:
        chosen(builder)
    assert "--movie" in str(error.value)
    builder.movie()
    assert chosen(builder).movie.path == "acquisition/TwoPhotonSeries"


def in_ophys(builder: FileBuilder, series: ImageSeries) -> None:
    builder.segmentation()
    builder.ophys.add(series)


def with_the_masks_shape(builder: FileBuilder, series: ImageSeries) -> None:
    builder.segmentation(kind="image_mask")
    builder.nwbfile.add_acquisition(series)


def as_reference(builder: FileBuilder, series: ImageSeries) -> None:
    builder.nwbfile.add_acquisition(series)
    builder.image_segmentation.create_plane_segmentation(
        name="R", description="x", imaging_plane=builder.plane, reference_images=series
    ).add_roi(pixel_mask=[(1, 1, 1.0)])


@pytest.mark.parametrize("add", [in_ophys, with_the_masks_shape, as_reference])
def test_a_plain_image_series_is_a_movie_where_the_file_ties_it_to_the_rois(add):
    builder = FileBuilder()
    add(builder, plain_series("Imaging"))
    assert chosen(builder).movie.path.endswith("/Imaging")


def test_a_plain_image_series_is_a_movie_where_the_user_says_so():
    builder = FileBuilder()
    builder.segmentation()
    builder.nwbfile.add_acquisition(plain_series("Something", (9, 11)))
    choice = chosen(builder, movie="Something")
    assert choice.movie.path == "acquisition/Something"
    assert "was named as the movie, though" in choice.notes[0]


def test_a_named_movie_that_is_no_tiff_is_refused():
    builder = FileBuilder()
    builder.segmentation()
    behaviour_file(builder)
    with pytest.raises(
        ReadingError, match=r"Animal cannot be read: its external_file 'animal\.avi' is no TIFF file"
    ):
        chosen(builder, movie="Animal")


def test_a_movie_that_was_not_stored_is_told():
    builder = FileBuilder()
    builder.movie(external_file=[""], format="external", starting_frame=[0], num_samples=9)
    builder.segmentation()
    with pytest.raises(
        ReadingError, match=r"the movie was not stored with the file \(external_file is empty\)"
    ) as error:
        chosen(builder)
    assert "path of a TIFF stack" in str(error.value)


def test_a_file_without_segmentation_is_told():
    builder = FileBuilder()
    builder.movie()
    with pytest.raises(ReadingError, match="no plane segmentation, so there are no ROIs"):
        chosen(builder)


def test_a_movie_of_another_plane_is_taken_where_it_is_the_only_one_and_noted():
    builder = FileBuilder()
    builder.movie(imaging_plane=mock_ImagingPlane(name="Other", nwbfile=builder.nwbfile))
    builder.segmentation(boxes())
    assert "name different imaging planes" in chosen(builder).notes[0]
