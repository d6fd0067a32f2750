"""Memory that runs out in a turn of a replica."""

import sys

import pytest

from grootboek.simulation.heap import Heap
from grootboek.simulation.memory import Shortage


def test_one_call_fails_and_only_one() -> None:
    heap = Heap()
    shortage = Shortage(2)
    with shortage:
        heap.after(1, print)
        heap.after(2, print)
        with pytest.raises(MemoryError):
            heap.after(3, print)
        heap.after(4, print)
    assert shortage.struck
    assert len(heap._events) == 3


def test_what_watched_calls_before_does_so_again() -> None:
    before = sys.getprofile()
    with Shortage(1_000):
        assert sys.getprofile() != before
    assert sys.getprofile() == before
