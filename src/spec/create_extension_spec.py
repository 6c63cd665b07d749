"""Write the YAML of the namespace ndx-cinac: ``python src/spec/create_extension_spec.py``."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pynwb.spec import (
    NWBAttributeSpec,
    NWBDatasetSpec,
    NWBGroupSpec,
    NWBLinkSpec,
    NWBNamespaceBuilder,
    export_spec,
)

NAME = "ndx-cinac"
VERSION = "0.1.0"

OLDER_READERS = "ndx-cinac-for-pynwb-before-4"
"""Namespace of what only older readers need; hdmf names it in a warning where it is not used."""

FRAME = "as an index into the movie's first axis, from 0"


def text(name: str, doc: str, *, required: bool = True) -> NWBAttributeSpec:
    return NWBAttributeSpec(name=name, dtype="text", doc=doc, required=required)


def column(name: str, dtype: str, doc: str, *, quantity: str | int = 1) -> NWBDatasetSpec:
    """Describe a column with one value in each row."""
    return NWBDatasetSpec(
        name=name,
        neurodata_type_inc="VectorData",
        dtype=dtype,
        dims=("num_rows",),
        shape=(None,),
        doc=doc,
        quantity=quantity,
    )


def region(name: str, doc: str) -> NWBDatasetSpec:
    """Describe rows of another table."""
    return NWBDatasetSpec(
        name=name, neurodata_type_inc="DynamicTableRegion", dims=("num_rows",), shape=(None,), doc=doc
    )


def roi_column() -> NWBDatasetSpec:
    return region("roi", "The ROI: a row of the PlaneSegmentation that was predicted or examined.")


def scalar_text(name: str, doc: str) -> NWBDatasetSpec:
    """Describe a text that may outgrow an HDF5 attribute (64 KiB)."""
    return NWBDatasetSpec(name=name, dtype="text", doc=doc)


def frame_columns(*, quantity: str | int) -> list[NWBDatasetSpec]:
    return [
        column("first_frame", "int", f"First frame of the period, {FRAME}.", quantity=quantity),
        column(
            "last_frame", "int", f"Last frame of the period (it belongs to it), {FRAME}.", quantity=quantity
        ),
    ]


def classifier_table() -> NWBGroupSpec:
    return NWBGroupSpec(
        neurodata_type_def="ClassifierTable",
        neurodata_type_inc="DynamicTable",
        default_name="classifiers",
        doc=(
            "The classifiers that made the predictions of this file, one in each row. Predictions "
            "point here by row. The columns `classifier_name` and `classifier_description` bear their "
            "prefix because `name` and `description` are those of the table itself."
        ),
        datasets=[
            column("classifier_name", "text", "Name of the classifier, e.g. 'activity-sim'."),
            column("task", "text", "What it predicts: 'activity' or 'cell_type'."),
            column("version", "text", "Version of the classifier."),
            column(
                "sha256", "text", "SHA-256 of the file with its weights: 64 lower-case hexadecimal digits."
            ),
            column(
                "classifier_description",
                "text",
                "What the classifier is and what it was trained on, in a sentence or two.",
            ),
            column("model_card", "text", "The whole model card as a JSON object; '{}' where there is none."),
        ],
    )


def activity_predictions() -> NWBGroupSpec:
    data = NWBDatasetSpec(
        name="data",
        dtype="float32",
        dims=("num_times", "num_rois"),
        shape=(None, None),
        doc="Probability that each ROI is active in each frame, from 0 to 1: frames x ROIs.",
        attributes=[
            NWBAttributeSpec(name="unit", dtype="text", value="probability", doc="Always 'probability'.")
        ],
    )
    return NWBGroupSpec(
        neurodata_type_def="ActivityPredictions",
        neurodata_type_inc="RoiResponseSeries",
        default_name="ActivityPredictions",
        doc=(
            "Predicted activity of ROIs, frame by frame: a RoiResponseSeries of probabilities with "
            "the times of the movie that was classified. Columns follow `rois`."
        ),
        attributes=[
            NWBAttributeSpec(
                name="threshold",
                dtype="float64",
                doc="Probability, from 0 to 1, at or above which a frame counts as active.",
            ),
            text(
                "definition",
                "What a probability of 1 means, e.g. 'from the onset to the peak of a transient'.",
            ),
        ],
        datasets=[
            data,
            NWBDatasetSpec(
                name="classifier",
                neurodata_type_inc="DynamicTableRegion",
                dims=("num_rois",),
                shape=(None,),
                doc="The classifier of each ROI: rows of a ClassifierTable, one for each column of `data`.",
            ),
        ],
        links=[
            NWBLinkSpec(
                name="movie",
                target_type="ImageSeries",
                quantity="?",
                doc=(
                    "The movie that was classified. Absent in a file that does not hold it: see "
                    "PredictionProvenance."
                ),
            )
        ],
    )


def cell_type_predictions() -> NWBGroupSpec:
    probability = NWBDatasetSpec(
        name="probability",
        neurodata_type_inc="VectorData",
        dtype="float32",
        dims=("num_rows", "num_cell_types"),
        shape=(None, None),
        doc="Probability of each cell type, from 0 to 1: ROIs x types, in the order of `cell_types`.",
    )
    return NWBGroupSpec(
        neurodata_type_def="CellTypePredictions",
        neurodata_type_inc="DynamicTable",
        default_name="CellTypePredictions",
        doc=(
            "Predicted cell types, one ROI in each row. A MeaningsTable of the column `cell_type` "
            "holds each type's meaning and, where known, its synonyms and its term of the Cell "
            "Ontology."
        ),
        attributes=[
            NWBAttributeSpec(
                name="cell_types",
                dtype="text",
                dims=("num_cell_types",),
                shape=(None,),
                doc="Names of the cell types, in the order of the columns of `probability`.",
            )
        ],
        datasets=[
            roi_column(),
            column("cell_type", "text", "The predicted type: one of `cell_types`."),
            probability,
            column(
                "confidence",
                "float32",
                "Confidence in `cell_type`, from 0 to 1: its probability after predictions were fused.",
            ),
            region("classifier", "The classifier that made the prediction: a row of a ClassifierTable."),
        ],
    )


def predicted_transients() -> NWBGroupSpec:
    return NWBGroupSpec(
        neurodata_type_def="PredictedTransients",
        neurodata_type_inc="EventsTable",
        default_name="PredictedTransients",
        doc=(
            "Periods of predicted activity, one in each row: unbroken runs of frames whose "
            "probability is at or above the threshold. All of it follows from an ActivityPredictions "
            "and its threshold; readers that predate EventsTable lose nothing else. `timestamp` is "
            "the time of `first_frame`; `duration` reaches from there to the end of `last_frame`, "
            "both in seconds."
        ),
        datasets=[
            NWBDatasetSpec(
                name="duration",
                neurodata_type_inc="DurationVectorData",
                doc="Duration of the period in seconds: to the end of its last frame.",
            ),
            roi_column(),
            *frame_columns(quantity=1),
            column("peak_probability", "float32", "Highest probability of the period's frames, from 0 to 1."),
            column("mean_probability", "float32", "Mean probability of the period's frames, from 0 to 1."),
        ],
    )


def activity_annotations() -> NWBGroupSpec:
    return NWBGroupSpec(
        neurodata_type_def="ActivityAnnotations",
        neurodata_type_inc="EventsTable",
        default_name="ActivityAnnotations",
        doc=(
            "Ground truth of activity: the periods in which an annotator (or a simulation) holds an "
            "ROI to be active, and those that are doubtful and should be left out of scores. "
            "`timestamp` and `duration` are in seconds. What lies in no period is inactive only "
            "inside AnnotatedSegments."
        ),
        datasets=[
            NWBDatasetSpec(
                name="duration",
                neurodata_type_inc="DurationVectorData",
                doc="Duration of the period in seconds: to the end of its last frame.",
            ),
            roi_column(),
            column("state", "text", "'active' or 'doubtful'."),
            column("annotator", "text", "Who said so: initials, a pseudonym, or the name of a simulation."),
            *frame_columns(quantity="?"),
        ],
    )


def annotated_segments() -> NWBGroupSpec:
    return NWBGroupSpec(
        neurodata_type_def="AnnotatedSegments",
        neurodata_type_inc="TimeIntervals",
        default_name="AnnotatedSegments",
        doc=(
            "The stretches of time in which an ROI was examined for activity. Outside of them nothing "
            "is known about it: it is neither active nor inactive. `start_time` and `stop_time` are "
            "in seconds."
        ),
        datasets=[
            roi_column(),
            column(
                "annotator", "text", "Who examined it: initials, a pseudonym, or a simulation.", quantity="?"
            ),
            *frame_columns(quantity="?"),
        ],
    )


def cell_type_annotations() -> NWBGroupSpec:
    return NWBGroupSpec(
        neurodata_type_def="CellTypeAnnotations",
        neurodata_type_inc="DynamicTable",
        default_name="CellTypeAnnotations",
        doc=(
            "Ground truth of cell types, one judgement in each row. A MeaningsTable of the column "
            "`cell_type` may hold each type's meaning."
        ),
        datasets=[
            roi_column(),
            column("cell_type", "text", "The cell type."),
            column(
                "annotator",
                "text",
                "Who said so: initials, a pseudonym, or the name of a simulation or marker.",
            ),
        ],
    )


def prediction_provenance() -> NWBGroupSpec:
    source = "Empty where it is not known."
    return NWBGroupSpec(
        neurodata_type_def="PredictionProvenance",
        neurodata_type_inc="NWBDataInterface",
        default_name="PredictionProvenance",
        doc=(
            "How predictions were made, and from what: enough to repeat them and to find their movie "
            "again from a file that does not hold it. An NWBDataInterface, because a ProcessingModule "
            "takes no other NWBContainer."
        ),
        attributes=[
            text("software", "Name and version of the software, e.g. 'ndx-cinac 0.1.0'."),
            text("device", "Where the network ran, e.g. 'CPU' or the name of the GPU."),
            # Text, not isodatetime: hdmf before 6 reads that as text, then refuses it, and with it the file.
            text("created", "When the prediction ended: ISO 8601 with its time zone."),
            text("source_file_identifier", f"`identifier` of the NWB file that was read. {source}"),
            text("source_movie_id", f"Object id of the ImageSeries. {source}"),
            text(
                "source_movie_path",
                f"Path of the ImageSeries in that file, e.g. 'acquisition/movie'. {source}",
            ),
            text("source_segmentation_id", f"Object id of the PlaneSegmentation. {source}"),
            text("source_segmentation_path", f"Path of the PlaneSegmentation in that file. {source}"),
            text("source_path", "Path of the file, as given or relative to this file.", required=False),
            text(
                "dandi_asset", "The DANDI asset: its dandiset, version and path, or its URL.", required=False
            ),
            text(
                "source_digest",
                "Digest of the file, as 'algorithm:value', e.g. 'sha256:...'.",
                required=False,
            ),
        ],
        datasets=[
            scalar_text(
                "versions", "Versions of what shaped the numbers: a JSON object, package to version."
            ),
            scalar_text(
                "parameters", "Everything that shaped the numbers: a JSON object, parameter to value."
            ),
        ],
    )


def stand_in_for_events_table() -> NWBGroupSpec:
    """Describe what lets pynwb before 4 open files with our types that extend core's EventsTable.

    That has no EventsTable, and opens no file with a type whose parent it does not know. With this one it
    knows the name, and leaves out the tables, which are nothing then that a processing module takes. Where
    core has an EventsTable, hdmf uses that: it comes first.
    """
    return NWBGroupSpec(
        neurodata_type_def="EventsTable",
        neurodata_type_inc="NWBContainer",
        doc=(
            "Not this one but that of the core schema, since its version 2.10: it stands here so that older "
            "readers, which do not have it, leave out what extends it and read the rest of a file."
        ),
    )


def write_namespace(
    folder: Path, name: str, doc: str, includes: list[str], types: list[NWBGroupSpec]
) -> None:
    """Write one namespace."""
    builder = NWBNamespaceBuilder(
        name=name,
        version=VERSION,
        doc=doc,
        author=["The ndx-cinac developers"],
        contact=["ndx-cinac@users.noreply.github.com"],
    )
    # All of each, not single types of it: pynwb validates whole files against each namespace they cache.
    for included in includes:
        builder.include_namespace(included)
    export_spec(builder, types, str(folder))


def main(folder: Path, quick: Path) -> None:
    """Write the namespaces and their types into `folder`, and the same as JSON into `quick`.

    The stand-in has a namespace of its own, which the other includes: in the other's, hdmf would let it
    change what core's EventsTable extends. Both stand in one file, for who loads that.
    """
    types = [classifier_table(), activity_predictions(), cell_type_predictions(), predicted_transients()]
    types += [activity_annotations(), annotated_segments(), cell_type_annotations(), prediction_provenance()]
    folder.mkdir(parents=True, exist_ok=True)
    doc = "What readers without the EventsTable of the core schema need to open files with ndx-cinac's types"
    write_namespace(folder, OLDER_READERS, doc, ["core"], [stand_in_for_events_table()])
    doc = "Predictions and annotations of cell activity and cell type in calcium-imaging movies"
    write_namespace(folder, NAME, doc, ["core", OLDER_READERS], types)
    parts = [folder / f"{name}.namespace.yaml" for name in (OLDER_READERS, NAME)]
    entries = [yaml.safe_load(part.read_text())["namespaces"][0] for part in parts]
    parts[0].unlink()
    parts[1].write_text(yaml.safe_dump({"namespaces": entries}, sort_keys=False, width=100))
    contents = {path.name: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
    quick.write_text(json.dumps(contents, indent=1) + "\n")


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    main(root / "spec", root / "src" / "ndx_cinac" / "neurodata" / "namespace.json")
