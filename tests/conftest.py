"""Fixtures that several test files use."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndx_cinac import hdf5_probe


@pytest.fixture(scope="session", autouse=True)
def _no_probes() -> Iterator[None]:
    """Open files at once: trying each in a process first, as test_hdf5_probe.py does, takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5_probe, "_fault", lambda *_: "")
        yield


@pytest.fixture(autouse=True)
def _leave_messages_alone() -> Iterator[None]:
    """Undo what the command line sets for its own process: other tests read what is logged."""
    loggers = [logging.getLogger(name) for name in ("ndx_cinac", "ndx_cinac.journal", "dandi", "distributed")]
    levels, handlers = [logger.level for logger in loggers], list(logging.getLogger().handlers)
    with warnings.catch_warnings():
        yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture(scope="session")
def reference() -> Path:
    """Outputs of DeepCINAC to compare with: they lie beside a developer's checkout, not in it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the reference outputs of DeepCINAC are not here")
    return folder


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved activity classifier, small and untrained (its weights are random, its numbers mean nothing)."""
    pytest.importorskip("tensorflow")
    from ndx_cinac.classifiers import ModelCard, save_classifier
    from ndx_cinac.networks import build_activity_network, keras, receptive_field, with_probability
    from ndx_cinac.traces import CHANNELS, TraceOptions

    keras.utils.set_random_seed(1)
    network = build_activity_network(len(CHANNELS), width=6, dilations=(1, 2, 4), head=4)
    card = ModelCard(
        name="tiny",
        version="0.1",
        task="activity",
        description="An untrained network for tests.",
        definition="from the onset to the peak of a transient",
        inputs={
            "kind": "traces",
            "channels": list(CHANNELS),
            "options": TraceOptions().to_dict(),
            "block": 64,
            "halo": receptive_field(network) // 2,
        },
        threshold=0.4,
        frame_rates=(5.0, 30.0),
    )
    folder = tmp_path_factory.mktemp("classifiers") / "tiny"
    save_classifier(with_probability(network), card, folder)
    return folder
