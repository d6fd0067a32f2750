"""The records module."""

import secrets

from hypothesis import given
from hypothesis import strategies as st

from grootboek.ledger.module import Signer
from grootboek.modules.records import Anchor, Records
from grootboek.wire import Command, Header, Transaction, encode
from tests.modules.memory_view import APPLIED, Host, signer

ALICE, BOB = signer(b"a" * 16), signer(b"b" * 16)
UNKNOWN = signer(None, key=b"u" * 32)
DIGEST = bytes(32)


def test_versions_follow_one_another() -> None:
    host = Host(Records())
    assert host.run(Anchor("file/1", DIGEST, "text/plain"), ALICE) == APPLIED
    assert host.run(Anchor("file/1", b"2" * 32, supersedes=1), ALICE) == APPLIED
    latest = host.ask("document", owner=b"a" * 16, key="file/1")
    assert (latest.version, latest.digest, latest.height) == (2, b"2" * 32, 2)
    history = host.ask("history", owner=b"a" * 16, key="file/1")
    assert [row.version for row in history.versions] == [1, 2]
    assert history.versions[0].media_type == "text/plain"


def test_what_is_superseded_must_be_named() -> None:
    host = Host(Records())
    assert host.run(Anchor("k", DIGEST, supersedes=1), ALICE) == "version-mismatch"
    assert host.run(Anchor("k", DIGEST), ALICE) == APPLIED
    before = dict(host.state.rows)
    assert host.run(Anchor("k", b"2" * 32), ALICE) == "version-mismatch"
    assert host.state.rows == before


def test_everyone_has_keys_of_their_own() -> None:
    host = Host(Records())
    for one in (ALICE, BOB, UNKNOWN):
        assert host.run(Anchor("k", DIGEST), one) == APPLIED
    assert host.ask("document", owner=b"b" * 16, key="k").owner == b"b" * 16
    assert host.ask("document", owner=b"u" * 32, key="k").owner == b"u" * 32
    assert host.ask("document", owner=b"c" * 16, key="k") is None
    assert host.ask("history", owner=b"c" * 16, key="k").versions == ()


def test_what_breaks_a_limit_is_no_command() -> None:
    host = Host(Records())
    for bad in (Anchor("", DIGEST), Anchor("k" * 129, DIGEST), Anchor("k", b"short")):
        assert host.run(bad, ALICE) == "bad-command"
    assert host.state.rows == {}


def test_a_transaction_with_one_anchor_has_about_250_bytes() -> None:
    body = encode(Anchor("file/123", secrets.token_bytes(32)))
    command = encode(Command("records", "Anchor", 1, body, secrets.token_bytes(16)))
    header = Header(b"c" * 8, (b"k" * 32,), 2**62, 1_800_000_000_000, False, 1, bytes(32))  # noqa: FBT003  # by position, as on the wire
    framed = 4 + len(encode(Transaction(encode(header), (b"s" * 64,), (command,))))
    assert 240 <= framed <= 265


anchors = st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 4), st.sampled_from([ALICE, BOB, UNKNOWN]))


@given(st.lists(anchors, max_size=30))
def test_the_invariant_holds_whatever_is_anchored(steps: list[tuple[str, int, Signer]]) -> None:
    host = Host(Records())
    for key, supersedes, one in steps:
        host.run(Anchor(key, DIGEST, supersedes=supersedes), one)
        assert host.broken() == []


def test_a_gap_is_noticed() -> None:
    host = Host(Records())
    host.run(Anchor("k", DIGEST), ALICE)
    host.run(Anchor("k", DIGEST, supersedes=1), ALICE)
    del host.state.rows[next(key for key in host.state.rows if key.startswith(b"superseded"))]
    assert host.broken() == ["R1"]
