"""What a prediction did, as JSON types: for scripts that call the command line."""

from __future__ import annotations

from typing import Any


def record_of(result: Any, mode: str, seconds: float) -> dict[str, Any]:
    """Return what a prediction did, as JSON types."""
    record = {
        "output": str(result.output),
        "mode": mode,
        "classifiers": [
            {"name": c.name, "version": c.version, "sha256": c.sha256} for c in result.classifiers
        ],
        "classifier_of_roi": [result.classifiers[index].name for index in result.classifier_index],
        "device": result.device,
        "n_rois": len(result.roi_rows),
        "roi_rows": result.roi_rows.tolist(),
    }
    if result.task == "activity":
        transients = result.transients
        record |= {
            "n_frames": result.n_frames,
            "threshold": result.threshold,
            "active_fraction": float(result.active.mean()) if result.active.size else 0.0,
            "n_transients": len(transients),
            "transients_per_roi": [int((transients["roi_row"] == row).sum()) for row in result.roi_rows],
        }
    else:
        record |= {
            "cell_types": list(result.cell_types),
            "counts": result.counts,
            "cell_type_of_roi": result.labels,
            "confidence": [round(float(value), 6) for value in result.confidence],
        }
    return record | {
        "skipped": {str(row): why for row, why in result.skipped.items()},
        "notes": list(result.notes),
        "seconds": round(seconds, 2),
    }
