"""Outcomes, layers of writes, budgets and signers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import proofs, wire
from grootboek._core import State
from grootboek.errors import CommandFailed, GenesisError, StorageError
from grootboek.ledger.execution import RESERVED
from grootboek.ledger.overlay import BlockWrites, BudgetExceeded, Unit
from grootboek.ledger.store import Store
from grootboek.types import Limits
from tests.ledger.world import (
    KEEPER,
    KEEPER_ID,
    STRANGER,
    Add,
    Approve,
    Changed,
    Count,
    Delete,
    Fail,
    Put,
    Shelf,
    World,
    decoded,
    encoded,
    make_genesis,
    number_of,
    value_of,
)


@pytest.fixture
def world() -> World:
    return World()


def test_an_applied_command_writes_and_tells(world: World) -> None:
    block = world.execute(world.transaction(Put("a", b"1")))
    assert value_of(world.ledger, "a") == b"1"
    (_, final), *_ = block.results
    assert isinstance(final, proofs.Final)
    (outcome, (event,)), *_ = final.records
    assert (outcome, event.name, event.body) == ("applied", "Changed", wire.encode(Changed("a")))
    assert (final.index, block.start, block.size) == (0, 0, 3)


def test_a_record_holds_the_very_command_that_was_signed(world: World) -> None:
    salted = encoded(Put("a", b"1"), salt=b"0123456789abcdef")
    world.execute(world.transaction(salted))
    (_, entry), *_ = world.ledger.records(1)
    assert decoded(entry).command == salted


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("rejected", "not-today"),
        ("bad reason", "rule-failed"),
        ("reserved reason", "rule-failed"),
        ("long reason", "rule-failed"),
        ("value", "rule-failed"),
        ("lookup", "rule-failed"),
        ("arithmetic", "rule-failed"),
        ("assertion", "rule-failed"),
    ],
)
def test_a_refused_command_leaves_nothing_but_its_outcome(world: World, way: str, outcome: str) -> None:
    before = world.ledger.state_root
    assert world.run(Fail(way)) == [outcome]
    assert world.ledger.state_root == before
    (_, entry), *_ = world.ledger.records(1)
    assert decoded(entry).events == ()


def test_no_module_can_give_an_outcome_of_the_ledger() -> None:
    assert {"applied", "aborted", "budget-exceeded", "unknown-command", "malformed-command"} <= RESERVED


@pytest.mark.parametrize("way", ["memory", "recursion", "os", "exit", "generator"])
def test_what_other_replicas_may_not_see_stops_this_one(world: World, way: str) -> None:
    frame = world.transaction(Put("a", b"1"), Fail(way))
    before = world.ledger.head
    with pytest.raises(CommandFailed, match=r"command 1: shelf\.Fail: ") as caught:
        world.execute(frame)
    assert world.ledger.head == before
    assert caught.value.where.startswith("transaction ")
    assert world.disk.now == {}


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (encoded(Put("a", b""), module="nowhere"), "unknown-command"),
        (encoded(Put("a", b""), version=2), "unknown-command"),
        (encoded(Changed("a")), "unknown-command"),
    ],
)
def test_commands_that_nobody_knows(world: World, raw: bytes, outcome: str) -> None:
    assert world.run(raw) == [outcome]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        wire.encode(["a"]),
        wire.encode(["a", b"1", 2]),
        wire.encode([1, b"1"]),
        b"\x92\xd9\x01a\xc4\x011",  # a length in two bytes where one does
        wire.encode(["a", b"1"]) + b"\0",
        b"\x91" * 40_000,
    ],
)
def test_a_body_that_is_not_the_one_encoding_of_its_command(world: World, body: bytes) -> None:
    raw = wire.encode(wire.Command("shelf", "Put", 3, body, bytes(16)))
    assert world.run(raw) == ["malformed-command"]


def test_each_for_itself(world: World) -> None:
    outcomes = world.run(Add("n", 5), Add("n", 2_000), Add("n", 7))
    assert outcomes == ["applied", "above-ceiling", "applied"]
    assert number_of(world.ledger, "n") == 12


def test_all_or_nothing(world: World) -> None:
    assert world.run(Add("n", 5), Add("n", 2_000), Add("n", 7), atomic=True) == [
        "aborted",
        "above-ceiling",
        "aborted",
    ]
    assert number_of(world.ledger, "n") == 0
    assert world.run(Add("n", 5), Add("n", 6), atomic=True) == ["applied", "applied"]
    assert number_of(world.ledger, "n") == 11


def test_a_later_transaction_sees_what_an_earlier_one_of_its_block_wrote(world: World) -> None:
    world.execute(*(world.transaction(Add("n", i)) for i in range(5)))
    assert number_of(world.ledger, "n") == 10


def test_roles_are_those_of_the_start_of_the_block(world: World) -> None:
    assert world.run(Approve("x")) == ["role-missing"]
    assert world.run(Approve("x"), keys=(STRANGER, KEEPER)) == ["applied"]
    assert value_of(world.ledger, "x") == KEEPER_ID


def test_a_write_that_changes_nothing_is_no_write(world: World) -> None:
    world.run(Put("a", b"1"), Put("b", b"2"))
    root = world.ledger.state_root
    world.run(Put("a", b"1"), Delete("none"), Put("b", b"3"), Put("b", b"2"))
    assert world.ledger.state_root == root
    assert len(world.ledger.state.changes(b"\x05shelf" + b"row\0" + b"\x02a\0\0", 10)) == 1


def test_the_block_entry_counts_and_names_the_modules(world: World) -> None:
    frame = world.transaction(Put("a", b"1"), Put("b", b"2"))
    block = world.execute(
        frame, world.transaction(Put("c", b"3")), frame, world.transaction(Put("d", b""), expiry=1)
    )
    entry = block.entry
    assert (entry.transactions, entry.records, entry.duplicates, entry.expired) == (2, 3, 1, 1)
    assert (entry.modules, entry.state, entry.height) == ((("shelf", 3),), world.ledger.state_root, 1)
    assert wire.decode_block(block.raw) == entry


@pytest.mark.parametrize(
    ("limits", "commands", "outcomes"),
    [
        ({"writes": 1}, [Put("a", b"1"), Fail("rejected")], ["applied", "not-today"]),
        ({"events": 1}, [Put("a", b"1")], ["applied"]),
        ({"event_bytes": 10}, [Put("a", b"1")], ["budget-exceeded"]),
        ({"value_bytes": 4}, [Put("a", b"12"), Put("a", b"1")], ["budget-exceeded", "applied"]),
        ({"key_bytes": 10}, [Put("long key", b""), Put("a", b"")], ["budget-exceeded", "applied"]),
        (
            {"scanned_rows": 1},
            [Put("a", b""), Count("", "x"), Put("b", b""), Count("", "x"), Count("b", "x")],
            ["applied", "applied", "applied", "budget-exceeded", "applied"],
        ),
    ],
)
def test_budgets_are_per_command(limits: dict[str, int], commands: list[object], outcomes: list[str]) -> None:
    assert World(make_genesis(**limits)).run(*commands) == outcomes  # type: ignore[arg-type]  # Structs all


def unit(limits: Limits | None = None) -> Unit:
    made = Unit(BlockWrites(Store(State(), [])), limits or Limits())
    made.begin(b"\x01m")
    return made


def test_a_budget_counts_even_where_the_module_catches_it() -> None:
    view = unit(Limits(reads=2))
    view.get(b"a")
    list(view.scan(b""))
    with pytest.raises(BudgetExceeded):
        view.get(b"a")
    assert view.exceeded


def test_a_key_that_is_too_long_cannot_even_be_looked_for() -> None:
    view = unit(Limits(key_bytes=10))
    for prefix, after in [(bytes(11), None), (b"", bytes(11))]:
        with pytest.raises(BudgetExceeded):
            view.scan(prefix, after)
    view = unit(Limits(key_bytes=10))
    with pytest.raises(BudgetExceeded):
        view.get(bytes(11))
    assert view.exceeded


@pytest.mark.parametrize("limits", [{"command_bytes": 60_000}, {"signers": 17}, {"key_bytes": 16_001}])
def test_limits_beyond_what_an_entry_or_the_state_can_hold(limits: dict[str, int]) -> None:
    with pytest.raises(GenesisError, match=r"\$\.limits"):
        make_genesis(**limits)


def test_the_largest_record_is_a_log_entry() -> None:
    """A command and events of the greatest size, in the greatest transaction, still fit."""
    limits = Limits()
    body = bytes(limits.command_bytes)
    events = tuple(wire.Event("x" * 8, bytes(limits.event_bytes // 2 - 16)) for _ in range(2))
    record = wire.RecordEntry(bytes(32), 999, 1_000, body, "x" * 64, events)
    assert len(b"\x02" + wire.encode(record)) <= wire.ENTRY_BYTES
    assert limits.command_bytes + limits.event_bytes + 118 <= wire.ENTRY_BYTES


def test_events_are_limited_in_number_and_name() -> None:
    view = unit(Limits(events=2))
    view.emit(Changed("a"))
    view.emit(Changed("b"))
    with pytest.raises(BudgetExceeded):
        view.emit(Changed("c"))
    with pytest.raises(TypeError):
        unit().emit("text")  # type: ignore[arg-type]  # what a careless module does


@pytest.mark.parametrize("value", ["text", bytearray(b"x"), memoryview(b"x"), None, 1])
def test_only_bytes_are_values(value: object) -> None:
    with pytest.raises(TypeError):
        unit().put(b"a", value)  # type: ignore[arg-type]  # what a careless module does


class BrokenState:
    """A state whose disk fails."""

    height = 1

    def get(self, _: bytes) -> bytes:
        raise OSError(5, "Input/output error")

    def scan(self, *_: object) -> list[tuple[bytes, bytes]]:
        raise OSError(5, "Input/output error")


def test_a_failing_store_is_remembered_even_where_the_module_catches_it() -> None:
    store = Store(BrokenState(), [])  # type: ignore[arg-type]  # as much of a state as is used
    for read in (get, scan):
        view = Unit(BlockWrites(store), Limits())
        with pytest.raises(StorageError):
            read(view)
        assert isinstance(view.failure, StorageError)


def get(view: Unit) -> object:
    return view.get(b"a")


def scan(view: Unit) -> object:
    return view.scan(b"")


KEYS = st.sampled_from([bytes(k) for k in (b"a", b"ab", b"abc", b"b", b"ba", b"c", b"a\0", b"\xff", b"")])
VALUES = st.none() | st.sampled_from([b"1", b"2", b"3"])
LAYER = st.dictionaries(KEYS, VALUES)


@given(st.tuples(LAYER, LAYER, LAYER), KEYS, st.none() | KEYS, st.integers(-1, 12))
def test_a_scan_sees_the_three_layers_as_one(
    layers: tuple[dict[bytes, bytes | None], ...], prefix: bytes, after: bytes | None, limit: int
) -> None:
    base, block, own = layers
    state = State()
    state.commit(1, [(b"\x01m" + key, value) for key, value in base.items() if value is not None])
    state.commit(2, [(b"\x01lx", b"other module"), (b"\x01nx", b"other module")])
    writes = BlockWrites(Store(state, []))
    writes.apply({b"\x01m" + key: value for key, value in block.items()})
    writes.apply({b"\x01ny": b"other module"})
    view = Unit(writes, Limits())
    view.begin(b"\x01m")
    for key, value in own.items():
        if value is None:
            view.delete(key)
        else:
            view.put(key, value)
    model = {key: value for key, value in (base | block | own).items() if value is not None}
    chosen = [key for key in sorted(model) if key.startswith(prefix) and (after is None or key > after)]
    expected = [(key, model[key]) for key in chosen]
    assert list(view.scan(prefix, after, limit)) == expected[: max(limit, 0)]
    assert {key: view.get(key) for key in model} == model


@given(st.lists(LAYER, max_size=4))
def test_the_changes_of_a_block_are_what_differs(units: list[dict[bytes, bytes | None]]) -> None:
    state = State()
    state.commit(1, [(b"a", b"1"), (b"b", b"2")])
    block, model = BlockWrites(Store(state, [])), {b"a": b"1", b"b": b"2"}
    before = dict(model)
    for writes in units:
        block.apply(writes)
        model |= writes  # type: ignore[arg-type]  # deletions stay as None
    expected = [(k, v) for k, v in sorted(model.items()) if before.get(k) != v]
    assert block.changes() == expected


def test_the_module_of_the_tests_has_every_command() -> None:
    assert set(Shelf.commands) == {"Put", "Delete", "Add", "Count", "Fail", "Approve"}
