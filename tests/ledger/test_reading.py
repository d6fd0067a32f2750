"""Reads by height and time, queries, and the log as bundles and tiles."""

import pytest

from grootboek import wire
from grootboek._core import State, leaf_hashes
from grootboek.errors import ApiError, Damaged, NotFound
from grootboek.ledger.files import frame, segment_name, split
from tests.ledger.world import START, Add, Ask, Delete, Put, Row, World, number_of, value_of


@pytest.fixture(scope="module")
def world() -> World:
    """Three versions of a row: put, replaced, deleted; then durable and opened again."""
    made = World()
    made.run(Put("a", b"1"))
    made.run(Put("a", b"2"), Put("b", b"1"))
    made.run(Delete("a"))
    made.run(Add("n", 1))
    made.save()
    made.ledger = made.open()
    return made


def test_values_as_of_a_height(world: World) -> None:
    assert [value_of(world.ledger, "a", h) for h in range(5)] == [None, b"1", b"2", None, None]
    assert [value_of(world.ledger, "b", h) for h in (1, 2, None)] == [None, b"1", b"1"]
    assert [number_of(world.ledger, "n", h) for h in (3, 4)] == [0, 1]


def test_rows_as_of_a_height(world: World) -> None:
    views = [world.ledger.view("shelf", h) for h in range(5)]
    assert [len(list(view.scan(b"row\0"))) for view in views] == [0, 1, 2, 1, 1]


def test_the_parties_of_the_genesis_file_are_there_at_height_0(world: World) -> None:
    pairs = world.ledger._store.scan_at(b"\x07parties", None, 10, 0)
    assert len(pairs) == 2


def test_a_view_does_not_move_while_blocks_are_executed() -> None:
    world = World()
    world.run(Put("a", b"1"))
    view = world.ledger.view("shelf")
    world.run(Put("a", b"2"), Put("c", b""))
    assert [key[4:] for key, _ in view.scan(b"row\0")] == [b"\x02a\0\0"]
    assert value_of(world.ledger, "a") == b"2"


@pytest.mark.parametrize(
    ("time", "height"),
    [
        (-1, 0),
        (0, 0),
        (START, 0),
        (START + 999, 0),
        (START + 1_000, 1),
        (START + 2_500, 2),
        (START + 4_000, 4),
        (START + 10**9, 4),
        (1 << 70, 4),
    ],
)
def test_the_height_at_a_time(world: World, time: int, height: int) -> None:
    assert world.ledger.height_at_time(time) == height


def test_of_blocks_with_one_time_the_last_counts() -> None:
    world = World()
    for _ in range(3):
        world.execute(world.transaction(Put("a", b"")), time=START + 5)
    assert world.ledger.height_at_time(START + 5) == 3


def test_blocks_and_the_heights_of_indexes(world: World) -> None:
    ledger = world.ledger
    blocks = [ledger.block(h) for h in range(1, 5)]
    assert [block.entry.height for block in blocks] == [1, 2, 3, 4]
    assert [ledger.height_of_index(i) for b in blocks for i in range(b.start, b.index + 1)] == [
        1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4,
    ]  # fmt: skip
    assert blocks[-1].index == ledger.size - 1
    assert wire.decode_block(blocks[2].raw) == blocks[2].entry
    assert [index for index, _ in ledger.records(2)] == [4, 5]


@pytest.mark.parametrize("height", [0, -1, 5, 1 << 40])
def test_heights_that_are_not_there(world: World, height: int) -> None:
    with pytest.raises(NotFound):
        world.ledger.block(height)
    if height:
        with pytest.raises(NotFound):
            world.ledger.view("shelf", height)
    with pytest.raises(NotFound):
        world.ledger.height_of_index(height if height < 0 else world.ledger.size + height)


def test_queries(world: World) -> None:
    ledger = world.ledger
    assert ledger.query("shelf", "row", Ask("b")) == Row(b"1")
    assert ledger.query("shelf", "row", b'{"key": "a"}') is None
    assert ledger.query("shelf", "row", b'{"key": "a"}', 2) == Row(b"2")


@pytest.mark.parametrize(
    "arguments", [b"", b"[]", b'{"key": 1}', b'{"key": "a", "x": 1}', b"{}", b'{"key":"\xff"}']
)
def test_queries_with_wrong_arguments(world: World, arguments: bytes) -> None:
    with pytest.raises(ApiError):
        world.ledger.query("shelf", "row", arguments)


def test_queries_that_are_not_there(world: World) -> None:
    for module, name in [("shelf", "rows"), ("nowhere", "row"), ("", "")]:
        with pytest.raises(NotFound):
            world.ledger.query(module, name, b"{}")
    with pytest.raises(NotFound):
        world.ledger.query("shelf", "row", Ask("a"), 99)


def test_a_query_cannot_write(world: World) -> None:
    with pytest.raises(ApiError, match="does not write"):
        world.ledger.query("shelf", "stray", Ask("a"))
    view = world.ledger.view("shelf")
    with pytest.raises(TypeError):
        view.delete(b"")
    with pytest.raises(TypeError):
        view.emit(Ask(""))


def test_keys_that_are_too_long_are_refused_before_the_store_sees_them(world: World) -> None:
    long = bytes(100_000)
    with pytest.raises(ApiError, match="at most 512 bytes"):
        world.ledger.get_at("shelf", long)
    with pytest.raises(ApiError, match="at most 512 bytes"):
        world.ledger.query("shelf", "row", Ask("x" * 1_000))
    with pytest.raises(ValueError, match="at most 512 bytes"):
        world.ledger.view("shelf").scan(b"", long)


def test_results_are_read_back_from_the_log() -> None:
    world = World()
    frames = [world.transaction(Add("n", i), Put("a", b"x"), Add("n", 5_000)) for i in range(120)]
    block = world.execute(*frames)
    identities = [identity for identity, _ in block.results]
    assert world.ledger.finals(identities) == [final for _, final in block.results]
    assert world.ledger.final(bytes(32)) is None
    assert world.ledger.locate(identities[1]) == 4
    assert world.ledger.locate(bytes(32)) is None


def test_entries_end_with_a_block_where_one_fits() -> None:
    world = World()
    world.fill(4)
    ledger = world.ledger
    ends = [ledger.block(h).index + 1 for h in range(1, 5)]
    everything, end = ledger.entries(0, ledger.size, 1 << 20)
    assert (list(split(everything)), end) == (ledger._log.read(0, ledger.size), ledger.size)
    for limit in range(0, len(everything), 11):
        body, end = ledger.entries(0, ledger.size, limit)
        whole = [e for e in ends if len(ledger.entries(0, e, 1 << 20)[0]) <= limit]
        assert end == (whole[-1] if whole else len(list(split(body))))
        assert len(body) <= limit or end == 1
    assert ledger.entries(3, 5, 1 << 20) == (frame(ledger._log.read(3, 5)), 5)
    for start, end in [(-1, 2), (2, 2), (0, ledger.size + 1)]:
        with pytest.raises(NotFound):
            ledger.entries(start, end, 100)


def test_bundles_and_tiles() -> None:
    world = World()
    while world.ledger.size < 700:
        world.fill(1, each=20)
    ledger = world.ledger
    full = ledger.bundle(1)
    assert list(split(full)) == ledger._log.read(256, 512)
    assert full.startswith(ledger.bundle(1, 7))
    assert ledger.tile(0, 1) == leaf_hashes(full)
    assert ledger.tile(0, 2, 9) == leaf_hashes(ledger.bundle(2, 9))
    assert len(ledger.tile(1, 0, 2)) == 64
    for level, index, width in [(0, 3, 256), (1, 0, 3), (0, 0, 0), (0, 0, 257), (-1, 0, 1), (9, 0, 1)]:
        with pytest.raises(NotFound):
            ledger.tile(level, index, width)
    for index, width in [(2, 256), (-1, 1), (0, 0), (0, 257)]:
        with pytest.raises(NotFound):
            ledger.bundle(index, width)


def test_proofs_outside_the_log(world: World) -> None:
    ledger = world.ledger
    for ask in (
        lambda: ledger.inclusion(ledger.size, ledger.size),
        lambda: ledger.inclusion(0, ledger.size + 1),
        lambda: ledger.consistency(0, 1),
        lambda: ledger.consistency(2, 1),
        lambda: ledger.range_proof(1, 1, 1),
    ):
        with pytest.raises(NotFound):
            ask()


def test_a_damaged_record_is_noticed_when_it_is_read() -> None:
    world = World()
    block = world.execute(world.transaction(Put("a", b"1")))
    data = bytearray(world.disk.now[segment_name(0)])
    data[len(ledger_header(world)) + 2 + 2 + 1] = 0xC1
    world.disk.now[segment_name(0)] = bytes(data)
    with pytest.raises(Damaged):
        world.ledger.finals([block.results[0][0]])


def ledger_header(world: World) -> bytes:
    return world.ledger._log.read(0, 1)[0]


def test_a_fresh_state_reads_the_same_as_one_that_grew() -> None:
    world = World()
    world.fill(6)
    again = world.open(state=State())
    for height in range(world.ledger.height + 1):
        for key in ("k0", "k1", "k5"):
            assert value_of(world.ledger, key, height) == value_of(again, key, height)
