"""Many recordings: which are meant, what each output is called, what is refused first, what is told after."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from output_builders import random_result, write_source

from ndx_cinac import OutputOptions, errors
from ndx_cinac.batch import BatchOptions, BatchResult, Recipe, RecordingOutcome, predict_many
from ndx_cinac.batch.goals import check_goals, find_goals
from ndx_cinac.batch.jobs import Job, predict_job
from ndx_cinac.cli import main
from ndx_cinac.errors import CinacError, ConfigError, OutputError, ReadingError
from ndx_cinac.progress import silent
from ndx_cinac.reading import ReadingOptions
from ndx_cinac.writing.unfinished import UnfinishedFolder

ACTIVITY = ("activity",)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(goals, folder: Path) -> list[str]:
    return [str(goal.output.relative_to(folder)) for goal in goals]


def test_outputs_are_named_after_their_files(tmp_path):
    touch(tmp_path / "a.nwb", tmp_path / "sub" / "b.nwb")
    goals = find_goals([tmp_path / "a.nwb", tmp_path / "sub" / "b.nwb"], tmp_path / "out")
    assert names(goals, tmp_path / "out") == ["a_cinac.nwb", "b_cinac.nwb"]
    assert [goal.source for goal in goals] == [tmp_path / "a.nwb", tmp_path / "sub" / "b.nwb"]
    assert not (tmp_path / "out").exists()


def test_folder_is_searched_and_its_subfolders_kept(tmp_path):
    touch(*(tmp_path / "data" / name for name in ("s1/a.nwb", "s2/a.nwb", "notes.txt", ".hidden.nwb")))
    touch(tmp_path / "data" / ".cache" / "c.nwb", tmp_path / "data" / "out" / "old.nwb")
    touch(tmp_path / "data" / "z.nwb.zarr" / ".zgroup", tmp_path / "data" / "z.nwb.zarr" / "inner.nwb")
    goals = find_goals(tmp_path / "data", tmp_path / "data" / "out")
    assert names(goals, tmp_path / "data" / "out") == ["s1/a_cinac.nwb", "s2/a_cinac.nwb", "z_cinac.nwb.zarr"]


def test_predictions_beside_their_recordings_are_no_recordings(tmp_path):
    touch(*(tmp_path / name for name in ("a.nwb", "a_cinac.nwb", "b_cinac.nwb")))
    goals = find_goals(tmp_path, tmp_path / "out")
    assert [goal.source.name for goal in goals] == ["a.nwb", "b_cinac.nwb"]


def test_recording_that_is_named_twice_is_predicted_once(tmp_path):
    touch(tmp_path / "a.nwb")
    assert len(find_goals([tmp_path / "a.nwb", tmp_path], tmp_path / "out")) == 1


def test_two_recordings_with_one_output_are_refused(tmp_path):
    touch(tmp_path / "s1" / "a.nwb", tmp_path / "s2" / "a.nwb")
    with pytest.raises(
        OutputError, match=r"s1/a\.nwb' and '.*s2/a\.nwb' would both be predicted into one file"
    ):
        find_goals([tmp_path / "s1" / "a.nwb", tmp_path / "s2" / "a.nwb"], tmp_path / "out")


def test_output_that_is_another_recording_is_refused(tmp_path):
    touch(tmp_path / "a.nwb", tmp_path / "a_cinac.nwb")
    with pytest.raises(OutputError, match=r"would replace another one: .*a_cinac\.nwb"):
        find_goals([tmp_path / "a.nwb", tmp_path / "a_cinac.nwb"], tmp_path)


@pytest.mark.parametrize("sources", [[], ["empty"]])
def test_nothing_to_predict_is_an_error(tmp_path, sources):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadingError, match="There is no NWB file in"):
        find_goals([tmp_path / each for each in sources], tmp_path / "out")


def test_output_folder_that_is_a_file_is_refused(tmp_path):
    touch(tmp_path / "a.nwb", tmp_path / "out")
    with pytest.raises(OutputError, match="The folder for the outputs is a file"):
        find_goals(tmp_path / "a.nwb", tmp_path / "out")


def existing(tmp_path, content: bytes = b"precious"):
    touch(tmp_path / "a.nwb", tmp_path / "b.nwb")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_cinac.nwb").write_bytes(content)
    return find_goals([tmp_path / "a.nwb", tmp_path / "b.nwb"], tmp_path / "out")


def test_existing_outputs_are_refused(tmp_path):
    goals = existing(tmp_path)
    with pytest.raises(OutputError, match=r"1 of 2 outputs exist: .*a_cinac\.nwb.*--skip-existing"):
        check_goals(goals, OutputOptions(), ACTIVITY, skip_existing=False)
    assert check_goals(goals, OutputOptions(overwrite=True), ACTIVITY, skip_existing=False) == set()


def test_existing_outputs_are_left_only_if_they_hold_these_predictions(tmp_path):
    goals = existing(tmp_path)
    with pytest.raises(OutputError, match="does not hold these predictions"):
        check_goals(goals, OutputOptions(), ACTIVITY, skip_existing=True)
    source = write_source(tmp_path / "source.nwb")
    from ndx_cinac.writing import write_predictions

    write_predictions(random_result(source), OutputOptions(goals[0].output, overwrite=True), source)
    assert check_goals(goals, OutputOptions(), ACTIVITY, skip_existing=True) == {goals[0]}
    with pytest.raises(OutputError, match="does not hold these predictions"):
        check_goals(goals, OutputOptions(name="Other"), ACTIVITY, skip_existing=True)


def test_outputs_cannot_be_both_replaced_and_left(tmp_path):
    with pytest.raises(ConfigError, match="both replaced and left"):
        check_goals(existing(tmp_path), OutputOptions(overwrite=True), ACTIVITY, skip_existing=True)


@pytest.mark.parametrize("output", [OutputOptions(mode="in-place"), OutputOptions("one.nwb")], ids=repr)
def test_output_that_is_no_folder_is_refused(tmp_path, output):
    with pytest.raises(ConfigError, match="go to a folder"):
        check_goals(existing(tmp_path), output, ACTIVITY, skip_existing=False)


def test_room_for_all_copies_is_checked_together(tmp_path, monkeypatch):
    touch(tmp_path / "a.nwb", tmp_path / "b.nwb")
    goals = find_goals(tmp_path, tmp_path / "out")
    monkeypatch.setattr("ndx_cinac.batch.goals.size_of", lambda path: 10**15)
    with pytest.raises(OutputError, match=r"The outputs need 2000000\.0 GB"):
        check_goals(goals, OutputOptions(), ACTIVITY, skip_existing=False)
    assert check_goals(goals, OutputOptions(mode="standalone"), ACTIVITY, skip_existing=False) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 2, "scheduler": "tcp://a:1"}, "not both"),
        ({"worker_memory": 10**9}, "only where they are started"),
        ({"workers": 0}, "'workers' is 0"),
        ({"workers": 1, "worker_memory": -1}, "'worker_memory' is -1"),
    ],
)
def test_options_of_workers_that_cannot_be_meant_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        BatchOptions(**options)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"tasks": ()}, "not one or both"),
        ({"tasks": ("activity", "activity")}, "not one or both"),
        ({"activity_by_cell_type": "map.yaml"}, "predicts both"),
        ({"reading": ReadingOptions(movie=Path("stack.tif"))}, "One movie from outside"),
        ({"reading": ReadingOptions(movie="stack.tif")}, "One movie from outside"),
    ],
)
def test_recipes_that_cannot_be_followed_are_refused(recipe, words):
    with pytest.raises(ConfigError, match=words):
        Recipe(**recipe)


def test_folder_that_cannot_be_made_is_named(tmp_path, tiny_classifier):
    touch(tmp_path / "data" / "sub" / "a.nwb", tmp_path / "out" / "sub")
    with pytest.raises(OutputError, match="The folder for the outputs cannot be made"):
        predict_many(tmp_path / "data", tmp_path / "out", Recipe(classifier=tiny_classifier))


def test_too_little_memory_for_workers_is_refused(tmp_path, tiny_classifier):
    pytest.importorskip("distributed")
    touch(tmp_path / "a.nwb")
    options = BatchOptions(workers=2, worker_memory=10**6)
    with pytest.raises(ConfigError, match=r"Each of 2 workers would have 0\.0 GB"):
        predict_many(
            tmp_path / "a.nwb", tmp_path / "out", Recipe(classifier=tiny_classifier), options=options
        )
    assert not (tmp_path / "out").exists()


def test_other_weights_than_those_that_were_handed_out_are_refused(tiny_classifier):
    pinned = Recipe(classifier=tiny_classifier).pinned()
    assert list(pinned.fingerprints) == ["tiny"]
    with pytest.raises(errors.ClassifierError, match="where the work was handed out"):
        Recipe(classifier=tiny_classifier, fingerprints={"tiny": "0" * 64}).load()


def test_bundled_classifiers_keep_their_names_and_others_get_absolute_paths(tiny_classifier, monkeypatch):
    monkeypatch.chdir(tiny_classifier.parent)
    assert Recipe().pinned().classifier == "activity-sim"
    assert Recipe(classifier="tiny").pinned().classifier == tiny_classifier


class OddError(Exception):
    """An error of another package that does not survive pickling."""

    def __init__(self, one, two):
        super().__init__(f"{one}, {two}")


@pytest.mark.parametrize(
    "error",
    [
        *(
            kind("It broke", where="a.nwb", fix="Mend it")
            for kind in vars(errors).values()
            if isinstance(kind, type)
            and issubclass(kind, CinacError)
            and kind is not errors.MissingExtraError
        ),
        errors.MissingExtraError("Everything", "all", "nothing"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_type_and_text_between_processes(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.what, again.where, again.fix) == (
        str(error),
        error.what,
        error.where,
        error.fix,
    )


def job_of(tmp_path, recipe=None) -> Job:
    touch(tmp_path / "a.nwb")
    (goal,) = find_goals(tmp_path / "a.nwb", tmp_path)
    return Job(goal, recipe or Recipe(), OutputOptions())


def test_unexpected_errors_are_wrapped_and_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OddError("one", "two")

    monkeypatch.setattr(Recipe, "predict", fail)
    outcome = predict_job(job_of(tmp_path), silent)
    assert outcome.status == "failed"
    assert str(outcome.error).startswith("Unexpected OddError: one, two")
    assert "raise OddError" in outcome.traceback
    assert str(pickle.loads(pickle.dumps(outcome)).error) == str(outcome.error)


def test_output_of_a_worker_that_died_after_it_is_not_made_again(tmp_path, monkeypatch):
    source = write_source(tmp_path / "a.nwb")
    from ndx_cinac.writing import write_predictions

    (goal,) = find_goals(source, tmp_path / "out")
    goal.output.parent.mkdir()
    result = random_result(source)
    write_predictions(result, goal.output, source)
    monkeypatch.setattr(Recipe, "predict", lambda *_: pytest.fail("done twice"))
    outcome = predict_job(Job(goal, Recipe(), OutputOptions()), silent, repeated=True)
    assert (outcome.status, outcome.n_rois, outcome.n_frames) == (
        "done",
        len(result.roi_rows),
        result.n_frames,
    )


def test_output_that_somebody_else_made_meanwhile_is_not_taken_for_ours(tmp_path):
    source, other = write_source(tmp_path / "a.nwb"), write_source(tmp_path / "other.nwb")
    from ndx_cinac.writing import write_predictions

    (goal,) = find_goals(source, tmp_path / "out")
    goal.output.parent.mkdir()
    write_predictions(random_result(other), goal.output, other)
    before = goal.output.read_bytes()
    outcome = predict_job(Job(goal, Recipe(), OutputOptions()), silent, repeated=True)
    assert outcome.status == "failed"
    assert "exists already" in str(outcome.error)
    assert goal.output.read_bytes() == before


def test_repeated_job_waits_for_the_lock_of_the_dead_worker(tmp_path, monkeypatch):
    job = job_of(tmp_path)
    monkeypatch.setattr("ndx_cinac.batch.jobs.LOCK_SECONDS", 0.2)
    slept = []
    monkeypatch.setattr("ndx_cinac.batch.jobs.time.sleep", slept.append)
    with UnfinishedFolder(job.goal.output):
        predict_job(job, silent, repeated=True)
    assert slept


def outcomes(tmp_path) -> BatchResult:
    error = ReadingError("It broke", where="b.nwb", fix="Mend it")
    return BatchResult(
        (
            RecordingOutcome(tmp_path / "a.nwb", tmp_path / "a_cinac.nwb", "done", n_rois=3, n_frames=100),
            RecordingOutcome(tmp_path / "b.nwb", tmp_path / "b_cinac.nwb", "failed", error=error),
            RecordingOutcome(tmp_path / "c.nwb", tmp_path / "c_cinac.nwb", "skipped"),
        ),
        2.0,
    )


def test_summary_says_what_failed_and_why(tmp_path):
    lines = outcomes(tmp_path).summary().splitlines()
    assert lines == [
        "1 of 3 recordings predicted in 2.0 s: 300 cell-frames, 150 per second",
        "1 left as they were: their outputs exist",
        f"failed: {tmp_path / 'b.nwb'}: ReadingError: It broke (b.nwb). Mend it.",
    ]


def test_outcomes_as_json_name_the_error(tmp_path):
    record = json.loads(json.dumps(outcomes(tmp_path).to_dict()))
    assert (record["done"], record["failed"], record["skipped"]) == (1, 1, 1)
    assert record["recordings"][1]["error"] == {
        "type": "ReadingError",
        "message": "It broke (b.nwb). Mend it.",
    }
    assert record["recordings"][1]["output"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.nwb", "b.nwb"], "Give one with --output-dir"),
        (["folder"], "Give one with --output-dir"),
        (["a.nwb", "--workers", "2"], "--workers is for outputs in a folder"),
        (["a.nwb", "--skip-existing"], "--skip-existing is for outputs in a folder"),
        (["a.nwb", "--output-dir", "out", "--output", "b.nwb"], "Leave one of them out"),
        (["a.nwb", "--output-dir", "out", "--mode", "in-place"], "go to a folder"),
    ],
)
def test_options_for_several_recordings_that_do_not_go_together_are_refused(
    tmp_path, monkeypatch, capsys, arguments, words
):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "a.nwb", tmp_path / "b.nwb")
    (tmp_path / "folder").mkdir()
    assert main(["predict", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_dask_is_not_imported_before_it_is_needed():
    work = "ndx_cinac.batch, ndx_cinac.cli.program as program; program.build_parser()"
    code = f"import sys, {work}; print('dask' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.tensorflow
def test_command_does_all_it_can_says_what_failed_and_fails(tmp_path, tiny_classifier, capsys):
    pytest.importorskip("tensorflow")
    folder, out = tmp_path / "data", tmp_path / "out"
    folder.mkdir()
    write_source(folder / "a.nwb")
    write_source(folder / "b.nwb")
    touch(folder / "damaged.nwb")
    command = ["predict", str(folder), "--output-dir", str(out), "--classifier", str(tiny_classifier)]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "2 of 3 recordings predicted" in said.out
    assert f"failed: {folder / 'damaged.nwb'}: ReadingError: " in said.out
    assert "1 of 3 recordings failed" in said.err
    assert sorted(path.name for path in out.iterdir()) == ["a_cinac.nwb", "b_cinac.nwb"]
    (folder / "damaged.nwb").unlink()
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main([*command, "--json"]) == 1
    assert "2 of 2 outputs exist" in capsys.readouterr().err
    assert main([*command, "--skip-existing", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 2
    assert {path: path.read_bytes() for path in out.iterdir()} == before
