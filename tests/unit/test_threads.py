"""Threads: results keep their order, few are kept waiting, and linear algebra is let go again."""

from __future__ import annotations

import threading
import time

import pytest

from ndx_cinac.threads import in_order, linear_algebra_in_one_thread, n_cores, working_threads


def test_results_come_in_the_order_of_the_items_though_later_ones_finish_first():
    def slower_first(number: int) -> int:
        time.sleep(0.02 * (3 - number % 4))
        return number * number

    assert list(in_order(slower_first, range(12), 4)) == [number * number for number in range(12)]


def test_no_more_items_are_taken_than_there_are_threads():
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    for result in in_order(lambda number: number, items(), 3):
        assert len(taken) <= result + 1 + 3


def test_several_items_are_worked_on_at_once():
    both = threading.Barrier(2, timeout=30)
    assert len(list(in_order(lambda _: both.wait(), range(4), 2))) == 4


@pytest.mark.parametrize("where", ["function", "items"])
def test_what_was_finished_before_an_error_is_given_first(where):
    def items():
        yield from range(5)
        if where == "items":
            raise OSError(5, "broken")
        yield from range(5, 9)

    def work(number: int) -> int:
        if number == 5:
            raise OSError(5, "broken")
        return number

    found = []
    with pytest.raises(OSError, match="broken"):
        found.extend(in_order(work, items(), 3))
    assert found == [0, 1, 2, 3, 4]


def test_linear_algebra_is_in_one_thread_only_within_the_context():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        return [each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        with linear_algebra_in_one_thread():
            assert set(threads()) == {1}
        assert threads() == before


def test_no_more_threads_work_than_there_are_cores():
    assert 1 <= working_threads() <= n_cores()
