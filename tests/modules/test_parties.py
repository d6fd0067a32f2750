"""The register of parties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from grootboek.ledger.parties import KeyRow, PartyRow, keys, parties
from grootboek.modules.parties import (
    KEYS_MAX,
    REGISTRAR,
    AddKey,
    AddParty,
    GrantRole,
    Parties,
    RevokeKey,
    RevokeRole,
)
from tests.modules.memory_view import APPLIED, Host, signer

FOUNDER, AGENCY, OTHER = b"f" * 16, b"a" * 16, b"o" * 16
FOUNDER_KEY = signer(FOUNDER, REGISTRAR)


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def founded() -> Host:
    """A ledger with one registrar and one agency."""
    host = Host(Parties())
    keys.put(host.state, KeyRow(FOUNDER), FOUNDER_KEY.key)
    parties.put(host.state, PartyRow((FOUNDER_KEY.key,), (REGISTRAR,)), FOUNDER)
    add = AddParty(AGENCY, (key(2), key(1)), ("tax.authority", "records.reader"))
    assert host.run(add, FOUNDER_KEY) == APPLIED
    return host


def test_a_party_is_found_by_its_keys() -> None:
    host = founded()
    row = host.ask("party", party=AGENCY)
    assert row == PartyRow((key(1), key(2)), ("records.reader", "tax.authority"))
    assert host.ask("owner", key=key(1)).party == AGENCY
    assert host.ask("owner", key=key(9)) is None


@pytest.mark.parametrize(
    ("cmd", "outcome"),
    [
        (AddParty(OTHER, (key(3),)), APPLIED),
        (AddParty(AGENCY, (key(3),)), "party-exists"),
        (AddParty(OTHER, (key(1),)), "key-taken"),
        (AddParty(OTHER, (key(3), key(3))), "key-taken"),
        (AddParty(OTHER, ()), "bad-command"),
        (AddParty(OTHER, (key(3),), ("Tax Authority",)), "bad-command"),
        (GrantRole(AGENCY, "tax.treasury"), APPLIED),
        (GrantRole(AGENCY, "tax.authority"), "role-held"),
        (GrantRole(OTHER, "tax.authority"), "party-unknown"),
        (RevokeRole(AGENCY, "tax.authority"), APPLIED),
        (RevokeRole(AGENCY, "tax.treasury"), "role-unheld"),
        (RevokeRole(FOUNDER, REGISTRAR), "own-registrar"),
        (AddKey(AGENCY, key(3)), APPLIED),
        (AddKey(AGENCY, key(1)), "key-taken"),
        (AddKey(OTHER, key(3)), "party-unknown"),
        (RevokeKey(AGENCY, key(1)), APPLIED),
        (RevokeKey(AGENCY, key(3)), "key-unknown"),
        (RevokeKey(FOUNDER, FOUNDER_KEY.key), "own-registrar"),
    ],
)
def test_commands(cmd: Struct, outcome: str) -> None:
    host = founded()
    before = dict(host.state.rows)
    assert host.run(cmd, signer(AGENCY, "tax.authority")) in {"role-missing", "bad-command"}
    assert host.state.rows == before
    assert host.run(cmd, FOUNDER_KEY) == outcome
    assert (host.state.rows != before) == (outcome == APPLIED)
    assert host.broken() == []


def test_keys_have_a_limit() -> None:
    host = founded()
    outcomes = [host.run(AddKey(AGENCY, key(100 + i)), FOUNDER_KEY) for i in range(KEYS_MAX - 1)]
    assert outcomes == [APPLIED] * (KEYS_MAX - 2) + ["too-many"]


def test_a_revoked_key_may_be_given_to_another() -> None:
    host = founded()
    assert host.run(RevokeKey(AGENCY, key(1)), FOUNDER_KEY) == APPLIED
    assert host.run(AddParty(OTHER, (key(1),)), FOUNDER_KEY) == APPLIED
    assert host.ask("owner", key=key(1)).party == OTHER


ids = st.sampled_from([FOUNDER, AGENCY, OTHER])
some_keys = st.sampled_from([key(i) for i in range(4)] + [FOUNDER_KEY.key])
some_roles = st.sampled_from([REGISTRAR, "tax.authority"])
steps: st.SearchStrategy[Struct] = st.one_of(
    st.builds(AddParty, ids, st.lists(some_keys, min_size=1, max_size=2).map(tuple)),
    st.builds(GrantRole, ids, some_roles),
    st.builds(RevokeRole, ids, some_roles),
    st.builds(AddKey, ids, some_keys),
    st.builds(RevokeKey, ids, some_keys),
)


@given(st.lists(steps, max_size=30))
def test_the_tables_agree_whatever_happens(commands: list[Struct]) -> None:
    host = founded()
    for cmd in commands:
        host.run(cmd, FOUNDER_KEY)
    assert host.broken() == []
    assert REGISTRAR in host.ask("party", party=FOUNDER).roles


def test_a_key_without_its_party_is_noticed() -> None:
    host = founded()
    keys.put(host.state, KeyRow(OTHER), key(7))
    assert host.broken() == ["P1"]
