"""Progress: silence by default, one bar per stage on a terminal."""

from __future__ import annotations

import sys

import pytest

from ndx_cinac.errors import MissingExtraError
from ndx_cinac.progress import ProgressBars, silent


class Bar:
    """What the bars below did."""

    made: list[Bar] = []

    def __init__(self, total, desc, disable, leave):
        self.total, self.desc, self.disable, self.n, self.closed = total, desc, disable, 0, False
        Bar.made.append(self)

    def update(self, steps):
        self.n += steps

    def close(self):
        self.closed = True


@pytest.fixture
def bars(monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("tqdm.tqdm", Bar)
    monkeypatch.setattr(Bar, "made", [])
    return ProgressBars()


def test_each_stage_has_its_own_bar_that_ends_when_all_is_done(bars):
    for done in (1, 3, 4):
        bars("reading", done, 4)
    bars("predicting", 2, 9)
    reading, predicting = Bar.made
    assert (reading.desc, reading.total, reading.n, reading.closed) == ("reading", 4, 4, True)
    assert (predicting.desc, predicting.n, predicting.closed) == ("predicting", 2, False)
    bars.close()
    assert predicting.closed


def test_stage_that_ends_early_gives_way_to_the_next(bars):
    bars("reading", 1, 4)
    bars("predicting", 1, 2)
    assert Bar.made[0].closed


def test_same_stage_starts_anew_for_the_next_file(bars):
    bars("reading", 4, 4)
    bars("reading", 1, 4)
    assert [bar.n for bar in Bar.made] == [4, 1]


def test_nothing_is_drawn_where_no_terminal_is(bars):
    assert not sys.stderr.isatty()
    bars("reading", 1, 4)
    assert Bar.made[0].disable


def test_missing_tqdm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(MissingExtraError, match=r"ndx-cinac\[predict\]"):
        ProgressBars()


def test_silence_is_silent(capsys):
    silent("reading", 1, 2)
    assert capsys.readouterr() == ("", "")
