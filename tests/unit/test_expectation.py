"""What a prediction is expected to take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ndx_cinac.classifiers import ModelCard
from ndx_cinac.prediction import PredictionOptions, estimate
from ndx_cinac.prediction.expectation import BYTES_TO_START, MIB, SECONDS_TO_START
from ndx_cinac.threads import working_threads

CARD = ModelCard(
    name="tiny",
    version="1",
    task="activity",
    description="",
    definition="active",
    inputs={"kind": "traces", "options": {"store_bytes": 256 * MIB}},
)


def test_nothing_takes_what_starting_takes():
    expected = estimate(CARD, 0, 0, (512, 512))
    assert expected.seconds == SECONDS_TO_START
    assert BYTES_TO_START <= expected.memory_bytes < 1.5 * BYTES_TO_START


def test_measured_recording_is_met():
    expected = estimate(CARD, 3000, 1000, (512, 512))
    assert expected.seconds == pytest.approx(45, rel=0.3)
    assert expected.memory_bytes == pytest.approx(1346 * MIB, rel=0.2)
    assert expected.disk_bytes == 0


def test_time_grows_with_frames_memory_only_with_the_result():
    short, long = estimate(CARD, 100_000, 500, (512, 512)), estimate(CARD, 200_000, 500, (512, 512))
    assert long.seconds - SECONDS_TO_START == pytest.approx(2 * (short.seconds - SECONDS_TO_START))
    assert long.memory_bytes - short.memory_bytes == 4 * 100_000 * 500
    assert long.disk_bytes == 2 * short.disk_bytes > 0


def test_options_that_save_memory_do():
    saving = PredictionOptions(block_bytes=MIB, channel_bytes=MIB)
    small, usual = estimate(CARD, 10_000, 500, (512, 512), saving), estimate(CARD, 10_000, 500, (512, 512))
    blocks = 3 + 2 * working_threads()
    assert usual.memory_bytes - small.memory_bytes == blocks * 31 * MIB + 3 * 15 * MIB


def test_other_kinds_of_classifiers_are_not_guessed():
    assert estimate(replace(CARD, inputs={"kind": "legacy patches"}), 10, 10, (10, 10)) is None
