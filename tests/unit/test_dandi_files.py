"""Files for a DANDI archive: names, subjects, and what would keep them out or nobody could read there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
from output_builders import random_result, write_source
from pynwb import NWBHDF5IO
from pynwb.file import Subject
from pynwb.image import ImageSeries

from ndx_cinac.dandi import DerivedOptions, check_ready, derived_path
from ndx_cinac.dandi.local_dandisets import check_folder, dandiset_of
from ndx_cinac.dandi.names import as_label
from ndx_cinac.dandi.subjects import subject_findings
from ndx_cinac.errors import ConfigError, OutputError, ReadingError
from ndx_cinac.testing.mock import mock_nwbfile_with_movie
from ndx_cinac.writing import OutputOptions, write_predictions

NAME = "sub-mock/sub-mock_ses-mock_desc-cinac_ophys.nwb"


@pytest.mark.parametrize(
    ("source", "derived"),
    [
        ("sub-M1/sub-M1_ses-S1_ophys.nwb", "sub-M1/sub-M1_ses-S1_desc-cinac_ophys.nwb"),
        ("sub-M1/sub-M1_ses-S1_behavior+ophys.nwb", "sub-M1/sub-M1_ses-S1_desc-cinac_ophys.nwb"),
        ("sub-M1/sub-M1_ophys.nwb", "sub-M1/sub-M1_desc-cinac_ophys.nwb"),
        ("sub-M1/sub-M1.nwb", "sub-M1/sub-M1_desc-cinac_ophys.nwb"),
        (
            "sub-M1/sub-M1_obj-1a2b_desc-raw_ophys.nwb",
            "sub-M1/sub-M1_desc-raw-cinac_obj-1a2b_ophys.nwb",
        ),
        (
            "sub-M1/sub-M1_ses-S1_tis-t_slice-s_cell-c_probe-p_ophys.nwb",
            "sub-M1/sub-M1_ses-S1_tis-t_slice-s_cell-c_desc-cinac_probe-p_ophys.nwb",
        ),
    ],
)
def test_a_derived_name_keeps_the_entities_and_is_one_that_dandi_accepts(source: str, derived: str) -> None:
    organize = pytest.importorskip("dandi.organize")
    assert derived_path(source) == derived
    assert organize.validate_organized_path(derived, Path(derived), Path()) == []


def test_where_the_name_says_nothing_the_ids_make_it() -> None:
    organize = pytest.importorskip("dandi.organize")
    path = derived_path(
        "data/first day.nwb", subject_id="M_1.b", session_id="2024/05 a", description="my try"
    )
    assert path == "sub-M-1-b/sub-M-1-b_ses-2024-05-a_desc-my-try_ophys.nwb"
    assert organize.validate_organized_path(path, Path(path), Path()) == []
    assert as_label("a_b") == organize._sanitize_value("a_b", "subject_id"), "labels as dandi makes them"


def test_the_name_and_the_file_must_agree_on_the_subject() -> None:
    assert derived_path("sub-M-1/sub-M-1_ophys.nwb", subject_id="M_1").startswith("sub-M-1/")
    with pytest.raises(OutputError, match=r"says subject 'M1', the file says 'M2'"):
        derived_path("sub-M1/sub-M1_ophys.nwb", subject_id="M2")


def test_a_name_without_any_subject_is_refused() -> None:
    with pytest.raises(OutputError, match=r"which subject it is of.*--subject-id"):
        derived_path("data.nwb")
    with pytest.raises(OutputError, match=r"'__' cannot be part of a file's name"):
        derived_path("data.nwb", subject_id="__")


def test_what_a_subject_lacks_is_named_with_the_option_that_supplies_it() -> None:
    found = subject_findings(Subject(subject_id="M1", species="Mus musculus"))
    assert [each.field for each in found] == ["subject.sex", "subject.age"]
    assert "--subject-sex (M (male)" in str(found[0])
    assert "--subject-age (ISO 8601" in str(found[1])
    assert (
        subject_findings(None, {"subject_id": "M1", "species": "Mus musculus", "sex": "F", "age": "P9D"})
        == []
    )
    born = datetime(2024, 1, 1, tzinfo=UTC)
    given = {"subject_id": "M1", "species": "Mus musculus", "sex": "F"}
    assert subject_findings(None, given | {"date_of_birth": born}) == []


def test_odd_values_of_a_subject_are_named() -> None:
    odd = Subject(subject_id="M1", species="mouse", sex="female", age="9 days")
    found = subject_findings(odd)
    assert [each.field for each in found] == ["subject.species", "subject.sex", "subject.age"]
    assert {each.level for each in found} == {"warning"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("age", "9 days"),
        ("age", "P"),
        ("sex", "female"),
        ("species", "mouse"),
        ("subject_id", "_"),
        ("date_of_birth", datetime(2024, 1, 1)),
        ("weight", "20 g"),
    ],
)
def test_values_that_no_archive_takes_are_refused_before_any_work(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"subject's.*{field}"):
        DerivedOptions(subject={field: value})


@pytest.mark.parametrize("age", ["P90D", "P1Y2M", "P12W", "PT5H", "P1DT2H", "P10D/P20D", "P10D/", "P1.5Y"])
def test_ages_in_iso_8601_are_taken(age: str) -> None:
    assert DerivedOptions(subject={"age": age}).subject == {"age": age}


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A standalone file as it would be uploaded."""
    folder = tmp_path_factory.mktemp("dandiset")
    source = write_source(folder / "source.nwb")
    (folder / NAME).parent.mkdir()
    write_predictions(random_result(source), OutputOptions(folder / NAME, "standalone"), source)
    return folder / NAME


def test_a_standalone_file_is_ready_and_its_extension_is_noted(derived: Path) -> None:
    found = check_ready(derived)
    assert [each.level for each in found] == ["note"]
    assert re.search(r"extension 'ndx-cinac'.*pip install ndx-cinac", str(found[0]))


def test_a_standalone_file_passes_what_dandi_checks(derived: Path) -> None:
    pytest.importorskip("dandi")
    assert [each.level for each in check_ready(derived, with_dandi=True)] == ["note"]


def test_what_the_source_lacks_of_its_subject_is_supplied(tmp_path: Path) -> None:
    nwbfile = mock_nwbfile_with_movie(n_frames=60)
    nwbfile.subject.fields.update(sex=None, age=None, description="As found.")
    result = random_result(write_file(tmp_path / "source.nwb", nwbfile))
    given = {"sex": "F", "age": "P3D", "species": "Rattus norvegicus"}
    options = OutputOptions(tmp_path / "out.nwb", "standalone", subject=given)
    with NWBHDF5IO(write_predictions(result, options, tmp_path / "source.nwb")) as io:
        subject = io.read().subject
        assert (subject.sex, subject.age, subject.subject_id) == ("F", "P3D", "mock")
        assert subject.species == "Mus musculus", "what the source says stays"
        assert subject.description == "As found."


def write_file(path: Path, nwbfile: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


MOVIE = "acquisition/TwoPhotonSeries/data"


def _external_link(path: Path) -> None:
    with h5py.File(path, "r+") as file, h5py.File(path.parent / "other.h5", "w") as other:
        file.copy(MOVIE, other, "data")
        del file[MOVIE]
        file[MOVIE] = h5py.ExternalLink("other.h5", "data")


def _raw_values(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file[MOVIE]
        file.create_dataset(MOVIE, (2, 2, 2), "u1", external=[(str(path.parent / "raw.bin"), 0, 8)])


def _virtual_values(path: Path) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
    with h5py.File(path, "r+") as file:
        del file[MOVIE]
        file.create_virtual_dataset(MOVIE, layout)


def _timestamps(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["acquisition/TwoPhotonSeries/starting_time"]
        file["acquisition/TwoPhotonSeries/timestamps"] = [float(t) for t in range(21)]


def _beside(name: str) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with NWBHDF5IO(path, "a") as io:
            nwbfile = io.read()
            series = ImageSeries(
                name="Outside", unit="n.a.", rate=1.0, external_file=[name], format="external", num_samples=1
            )
            nwbfile.add_acquisition(series)
            io.write(nwbfile)

    return add


def _no_description(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["specifications/ndx-cinac"]


@pytest.mark.parametrize(
    ("spoil", "field", "message"),
    [
        (_external_link, f"/{MOVIE}", r"link into another file, 'other\.h5'"),
        (_raw_values, f"/{MOVIE}", "values lie in another file"),
        (_virtual_values, f"/{MOVIE}", "values lie in another file"),
        (_timestamps, "/acquisition/TwoPhotonSeries", "21 timestamps for 20 frames"),
        (
            _beside("movie.tif"),
            "/acquisition/Outside/external_file",
            r"'movie\.tif' beside the file.*leaves it",
        ),
        (_beside("video.mp4"), "/acquisition/Outside/external_file", r"video 'video\.mp4' is not there"),
        (_no_description, "specifications", "does not describe it"),
    ],
)
def test_what_dandi_does_not_say_is_said(
    tmp_path: Path, spoil: Callable[[Path], None], field: str, message: str
) -> None:
    path = tmp_path / NAME
    write_file(path, mock_nwbfile_with_movie(n_frames=20))
    if spoil is _no_description:
        result = random_result(path)
        write_predictions(result, OutputOptions(mode="in-place"), path)
    spoil(path)
    found = [each for each in check_ready(path) if each.level == "error"]
    assert [each.field for each in found] == [field]
    assert re.search(message, found[0].message)


def test_a_file_under_a_wrong_name_or_subject_is_not_ready(tmp_path: Path) -> None:
    wrong = write_file(tmp_path / "day 1.nwb", mock_nwbfile_with_movie(n_frames=5))
    assert "takes no file called 'day 1.nwb'" in check_ready(wrong)[0].message
    wrong = wrong.rename(tmp_path / "sub-M1_ophys.nwb")
    messages = [each.message for each in check_ready(wrong) if each.level == "error"]
    assert messages == [
        "The file does not lie in a folder 'sub-M1'",
        "The file's name says subject 'M1', the file says 'mock'",
    ]


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nwb").write_bytes(b"nothing")
    with pytest.raises(ReadingError, match=r"a\.nwb' cannot be read as an HDF5 file"):
        check_ready(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "b.nwb", "w"), pytest.raises(ReadingError, match=r"b\.nwb' is no NWB file"):
        check_ready(tmp_path / "b.nwb")


def test_a_folder_says_which_dandiset_it_is_a_copy_of(tmp_path: Path) -> None:
    asset = SimpleNamespace(dandiset="000007")
    assert check_folder(tmp_path / "new", asset) == "000007"
    (tmp_path / "dandiset.yaml").write_text("identifier: DANDI:000123\n")
    assert dandiset_of(tmp_path) == check_folder(tmp_path, asset) == "000123"


@pytest.mark.parametrize("text", ["name: none\n", "- 000123\n", "identifier: 1\n", "a: [\n"])
def test_a_folder_that_does_not_say_its_dandiset_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dandiset.yaml").write_text(text)
    with pytest.raises(OutputError, match=r"dandiset.yaml'.*(which dandiset this is|cannot be read)"):
        dandiset_of(tmp_path)


def test_a_folder_that_cannot_take_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no folder that can be written to"):
        check_folder(tmp_path / "file/derived", SimpleNamespace(dandiset="000007"))
    with pytest.raises(OutputError, match="named without its dandiset"):
        check_folder(tmp_path / "new", SimpleNamespace(dandiset=""))
