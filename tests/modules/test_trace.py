"""The trace primitive at its limits; the supply chain module's tests show the rest."""

import pytest

from grootboek.ledger.module import Rejected
from grootboek.modules.trace import DEPTH_MAX, HANDOVER_MAX, ItemRow, Mark, Trace
from tests.modules.memory_view import MemoryView

PARTY, OTHER = b"p" * 16, b"o" * 16


class World:
    """A trace with items in it."""

    def __init__(self) -> None:
        self.trace, self.state, self.time = Trace(), MemoryView(), 0

    def mark(self, party: bytes = PARTY) -> Mark:
        self.time += 1
        return Mark(self.time.to_bytes(32, "big"), self.time, party)

    def begin(self, name: str) -> ItemRow:
        return self.trace.commission(self.state, self.mark(), name, "commissioned", "commission")

    def put(self, child: str, parent: str) -> None:
        path = self.trace.path(self.state, self.trace.require(self.state, parent))
        row = self.trace.require(self.state, child)
        self.trace.attach(self.state, self.mark(), row, path, "aggregation")

    def holds(self) -> bool:
        trace = self.trace
        return trace.forest(self.state) and trace.in_one_hand(self.state) and trace.lives(self.state)


def test_containment_has_a_depth() -> None:
    world = World()
    for level in range(DEPTH_MAX + 1):
        world.begin(f"box {level}")
    for level in range(1, DEPTH_MAX):
        world.put(f"box {level}", f"box {level - 1}")
    with pytest.raises(Rejected) as caught:
        world.put(f"box {DEPTH_MAX}", f"box {DEPTH_MAX - 1}")
    assert caught.value.reason == "too-deep"
    assert world.holds()


def test_contents_have_a_number() -> None:
    world = World()
    world.begin("ship")
    for number in range(HANDOVER_MAX + 1):
        world.begin(f"crate {number}")
        world.put(f"crate {number}", "ship")
    ship = world.trace.require(world.state, "ship")
    world.trace.offer(world.state, ship, PARTY, OTHER)
    for action in (
        lambda: world.trace.accept(world.state, world.trace.require(world.state, "ship"), OTHER, 9),
        lambda: world.trace.contents(world.state, "ship"),
        lambda: world.trace.end(world.state, world.mark(), ship),
    ):
        with pytest.raises(Rejected) as caught:
            action()
        assert caught.value.reason == "too-many"


def test_what_another_party_holds_stays_with_it() -> None:
    world = World()
    world.begin("box")
    theirs = world.trace.commission(world.state, world.mark(OTHER), "lent", "claimed", "commission")
    world.put(theirs.id, "box")
    world.trace.offer(world.state, world.trace.require(world.state, "box"), PARTY, b"t" * 16)
    assert world.trace.accept(world.state, world.trace.require(world.state, "box"), b"t" * 16, 9) == 1
    assert world.trace.require(world.state, "lent").custodian == OTHER
    assert world.holds()


def test_quantities_never_fall_below_zero() -> None:
    world = World()
    assert world.trace.hold(world.state, "tank", "milk", "LTR", 5) == 0
    assert world.trace.hold(world.state, "tank", "milk", "LTR", -7) == 2
    assert world.trace.hold(world.state, "tank", "milk", "LTR", 1) == 0
    assert [row.amount for row in world.trace.quantities(world.state, "tank")] == [1]


@pytest.mark.parametrize("name", ["item", "child", "seen", "custody"])
def test_a_missing_row_is_noticed(name: str) -> None:
    world = World()
    world.begin("box")
    world.begin("crate")
    world.put("crate", "box")
    assert world.holds()
    prefix = f"trace-{name}\0".encode()
    del world.state.rows[next(key for key in sorted(world.state.rows) if key.startswith(prefix))]
    assert not world.holds()
