"""Frames on the simulated network: encoded, lost, garbled, refused."""

import random
from collections.abc import Callable

from grootboek.simulation import Weather
from grootboek.simulation.heap import Heap
from grootboek.simulation.network import Network
from grootboek.wire import Frame, Status

FRAME = Status(view=1, active=True, executed=2, stable=None)
ALL_US = 1_000_000


def arrived(prepare: Callable[[Network], object], times: int = 1) -> list[Frame]:
    heap, frames = Heap(), []
    network = Network(heap, random.Random(1), lambda _to, _sender, frame: frames.append(frame))
    prepare(network)
    for to in range(1, times + 1):
        network.send(0, to, FRAME)
    while heap.step(ALL_US):
        pass
    return frames


def test_equal_bytes_are_decoded_once_and_are_a_copy() -> None:
    first, second = arrived(lambda _network: None, 2)
    assert first == FRAME
    assert first is second
    assert first is not FRAME


def test_what_is_under_way_when_a_path_is_cut_is_lost() -> None:
    def cut_at_once(network: Network) -> None:
        network._heap.after(1, lambda: setattr(network.path(0, 1), "cut", True))

    assert arrived(cut_at_once) == []


def test_a_later_version_is_refused() -> None:
    assert arrived(lambda network: network.later.add(0), 50) == []
    assert len(arrived(lambda network: network.later.add(1), 50)) == 50


def test_a_garbled_frame_is_refused_or_another_one() -> None:
    worst = Weather(garbled=1_000)
    frames = arrived(lambda network: setattr(network, "weather", worst), 50)
    assert len(frames) < 50
    assert FRAME not in frames
