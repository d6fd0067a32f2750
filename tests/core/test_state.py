"""The state against a model and a slow trie; crash, restart, and readers beside a commit."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import _core
from grootboek._core import State
from tests.core import trees

keys = st.sampled_from([b"a", b"b\0", b"b\0\0", b"b\xff", b"ba", b"c"])
writes = st.dictionaries(keys, st.none() | st.binary(max_size=3), max_size=5)
Writes = dict[bytes, bytes | None]


def after(values: dict[bytes, bytes], changes: Writes) -> dict[bytes, bytes]:
    merged = {**values, **changes}
    return {key: value for key, value in sorted(merged.items()) if value is not None}


@given(st.lists(writes, min_size=1, max_size=6), st.integers(0, 6))
def test_every_height_is_as_it_was(rounds: list[Writes], flush: int) -> None:
    state, past = State(), [dict[bytes, bytes]()]
    for height, changes in enumerate(rounds, start=1):
        past.append(after(past[-1], changes))
        assert state.commit(height, list(changes.items())) == trees.state_root(past[-1])
        if height == flush:
            state.flush(height, 100)
    assert state.height == len(rounds)
    assert len(state) == len(past[-1])
    assert state.root == trees.state_root(past[-1])
    assert state.dump(None, 100) == list(past[-1].items())
    for height, values in enumerate(past):
        assert state.scan_at(b"", None, 100, height) == list(values.items())
        for key in (b"a", b"b\0", b"absent"):
            assert state.get_at(key, height) == values.get(key)
            proof = state.prove(key, height)
            assert proof == trees.state_proof(values, key)
            assert _core.verify_state(trees.state_root(values), key, values.get(key), proof)


@pytest.fixture
def state() -> State:
    """Heights 1 to 4, of which the first two are flushed."""
    state = State()
    state.commit(1, [(b"a", b"1"), (b"b", b"1")], [(b"i1", b"x")])
    state.commit(2, [(b"a", b"2"), (b"c", b"2")])
    state.flush(2, 10)
    state.commit(3, [(b"a", None)], [(b"i3", b"y"), (b"j", b"z")])
    state.commit(4, [(b"a", b"4"), (b"b", b"4")])
    return state


def test_reads(state: State) -> None:
    assert state.get(b"a") == b"4"
    assert state.get_many([b"b", b"x", b"c"]) == [b"4", None, b"2"]
    assert [state.get_at(b"a", height) for height in range(6)] == [None, b"1", b"2", None, b"4", b"4"]
    assert state.changes(b"a", 10) == [4, 3, 2, 1]
    assert state.changes(b"a", 2) == [4, 3]
    assert state.scan(b"", None, 2) == [(b"a", b"4"), (b"b", b"4")]
    assert state.scan(b"", b"a", 9) == [(b"b", b"4"), (b"c", b"2")]
    assert state.scan_at(b"a", None, 9, 3) == []
    assert state.scan_at(b"", b"a", 1, 2) == [(b"b", b"1")]


def test_the_index(state: State) -> None:
    assert state.index_get(b"i1") == b"x"
    assert state.index_get_many([b"i3", b"i2"]) == [b"y", None]
    assert state.index_scan(b"i", b"i2") == (b"i1", b"x")
    assert state.index_scan(b"i", b"i\xff") == (b"i3", b"y")
    assert state.index_scan(b"i", b"i") is None
    assert state.index_scan(b"k", b"z") is None


def test_a_crash_falls_back_to_the_last_flush(state: State) -> None:
    again = State()
    again.commit(1, [(b"a", b"1"), (b"b", b"1")])
    root = again.commit(2, [(b"a", b"2"), (b"c", b"2")])
    assert (state.height, state.flushed) == (4, 2)
    state.crash()
    assert (state.height, state.flushed, state.root, len(state)) == (2, 2, root, 3)
    assert state.dump(None, 9) == [(b"a", b"2"), (b"b", b"1"), (b"c", b"2")]
    assert state.changes(b"a", 9) == [2, 1]
    assert state.index_get(b"i3") is None
    assert _core.verify_state(root, b"a", b"2", state.prove(b"a", 2))
    assert state.commit(3, []) == root


def test_undo_records_reach_as_far_as_was_asked(state: State) -> None:
    state.flush(4, 1)
    assert state.flushed == 4
    for height in (3, 4):
        state.prove(b"a", height)
    for height in (0, 2, 5):
        with pytest.raises(LookupError, match=f"height {height}"):
            state.prove(b"a", height)


def test_wrong_commits_and_flushes_change_nothing(state: State) -> None:
    root = state.root
    for height, changes in ((4, []), (6, []), (5, [(b"a", b""), (b"a", None)]), (5, [(b"", b"")]), (-1, [])):
        with pytest.raises(ValueError, match=r"height|twice|bytes|at least"):
            state.commit(height, changes)
    for height in (1, 5):
        with pytest.raises(ValueError, match="height"):
            state.flush(height, 0)
    assert (state.height, state.root, state.flushed) == (4, root, 2)


def test_restart_from_disk(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    state = State(path)
    state.commit(1, [(b"%d" % i, b"1") for i in range(200)], [(b"i", b"1")])
    state.commit(2, [(b"%d" % i, b"2" if i % 2 else None) for i in range(100)])
    root, proof = state.root, state.prove(b"7", 1)
    state.flush(2, 1)
    state.commit(3, [(b"7", b"lost")], [(b"i", b"lost")])
    with pytest.raises(ValueError, match="in memory"):
        state.crash()
    with pytest.raises(OSError, match="another process"):
        State(path)
    del state
    state = State(path)
    assert (state.height, state.flushed, state.root, len(state)) == (2, 2, root, 150)
    assert (state.get(b"7"), state.get_at(b"7", 1), state.get(b"8")) == (b"2", b"1", None)
    assert state.changes(b"8", 9) == [2, 1]
    assert state.index_get(b"i") == b"1"
    assert state.prove(b"7", 1) == proof
    with pytest.raises(LookupError, match="height 0"):
        state.prove(b"7", 0)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="."):  # noqa: RUF043  # the system's own words
        State(str(tmp_path / "file" / "state"))


def test_readers_and_a_flush_beside_commits() -> None:
    state, failures, heights = State(), list[object](), 150

    def read() -> None:
        while (height := state.height) < heights:
            proof = state.prove(b"a", height) if height else b""
            pair = state.get_many([b"a", b"b"])
            if pair[0] != pair[1] or (height and proof[0] != 1):
                failures.append((height, pair, proof))

    def flush() -> None:
        while state.flushed < heights:
            state.flush(state.height, 1_000)

    threads = [threading.Thread(target=read), threading.Thread(target=read), threading.Thread(target=flush)]
    for thread in threads:
        thread.start()
    for height in range(1, heights + 1):
        state.commit(height, [(b"a", b"%d" % height), (b"b", b"%d" % height)])
    for thread in threads:
        thread.join()
    assert failures == []
    assert state.changes(b"a", heights) == list(range(heights, 0, -1))


@pytest.mark.parametrize(
    ("root", "proof"),
    [(b"", b"\1"), (bytes(31), b"\1"), (bytes(32), b""), (bytes(32), b"\3"), (bytes(32), b"\2")],
)
def test_malformed_state_proofs_are_false(root: bytes, proof: bytes) -> None:
    assert not _core.verify_state(root, b"a", b"1", proof)
    assert not _core.verify_state(root, b"a", None, proof)


def test_the_empty_state_shows_absence() -> None:
    assert State().root == bytes(32)
    assert _core.verify_state(bytes(32), b"a", None, State().prove(b"a", 0))


# --- leaps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_a_leap_is_one_commit_far_above(tmp_path: Path, on_disk: bool) -> None:  # a parameter
    path = str(tmp_path / "state") if on_disk else None
    state = State(path)
    state.commit(1, [(b"a", b"1"), (b"b", b"1")])
    state.commit(2, [(b"a", b"2")])
    after_leap = {b"a": b"9", b"c": b"9"}
    root, changes = trees.state_root(after_leap), [(b"a", b"9"), (b"b", None), (b"c", b"9")]
    with pytest.raises(ValueError, match="height 50"):  # not flushed
        state.leap(50, root, changes)
    state.flush(2, 1)
    with pytest.raises(ValueError, match="height 50"):  # an undo record is kept
        state.leap(50, root, changes)
    state.flush(2, 0)
    before = state.root
    for height, wanted, writes in ((2, root, changes), (50, bytes(32), changes), (50, root, changes[:2])):
        with pytest.raises(ValueError, match=r"height|root"):
            state.leap(height, wanted, writes)
        assert (state.height, state.root, state.get(b"c")) == (2, before, None)
    state.leap(50, root, changes, [(b"i", b"1")])
    assert (state.height, state.flushed, state.root) == (50, 2, root)
    assert dict(state.dump(None, 9)) == after_leap
    assert _core.verify_state(root, b"b", None, state.prove(b"b", 50))
    with pytest.raises(LookupError):
        state.prove(b"a", 49)
    state.flush(50, 100)
    last = state.commit(51, [(b"c", b"x")])
    state.flush(51, 100)
    if path:
        del state
        state = State(path)
    assert (state.height, state.root, state.get_at(b"a", 2), state.get_at(b"a", 50)) == (51, last, b"2", b"9")
    assert _core.verify_state(root, b"c", b"9", state.prove(b"c", 50))
    with pytest.raises(LookupError):
        state.prove(b"a", 2)


def test_a_crash_falls_back_from_a_leap() -> None:
    state = State()
    root = state.commit(1, [(b"a", b"1")])
    state.flush(1, 0)
    state.leap(9, trees.state_root({b"b": b"2"}), [(b"a", None), (b"b", b"2")])
    state.index_put([(b"j", b"2")])
    state.crash()
    assert (state.height, state.root, state.get(b"a"), state.get(b"b")) == (1, root, b"1", None)
    assert state.index_get(b"j") == b"2"
    assert state.prove(b"a", 1)
    state.commit(2, [])


def test_index_rows_that_are_put_are_durable(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    state = State(path)
    with pytest.raises(ValueError, match="bytes"):
        state.index_put([(b"", b"")])
    state.index_put([(b"j%d" % i, b"%d" % i) for i in range(300)])
    del state
    state = State(path)
    assert state.index_get(b"j299") == b"299"
    assert state.index_scan(b"j", b"j9") == (b"j9", b"9")
