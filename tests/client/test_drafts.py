"""A draft is signed apart, merged and sent as any transaction; what is wrong with one is named."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from grootboek import wire
from grootboek._core import SigningKey, TransactionBatch
from grootboek.client import Draft
from grootboek.client.transactions import encode_command
from grootboek.errors import DraftError, Malformed, Oversized
from grootboek.modules.records import Anchor
from grootboek.types import Chain, Limits

CHAIN = Chain(name="drafts.invalid/one", digest=bytes(32))
OTHER = Chain(name="drafts.invalid/other", digest=bytes([1]) * 32)
KEYS = [SigningKey(bytes([i]) * 32) for i in range(1, 5)]
COMMANDS = [encode_command("records", 1, Anchor(f"key/{i}", bytes(32))) for i in range(2)]


def draft(signers: int = 3) -> Draft:
    return Draft.of(CHAIN, [key.public for key in KEYS[:signers]], COMMANDS, expiry=1_000, atomic=True)


@given(st.permutations(range(4)), st.integers(1, 4))
def test_whoever_signs_first_the_ledger_takes_it(order: list[int], signers: int) -> None:
    made = draft(signers)
    for place in [i for i in order if i < signers]:
        assert KEYS[place].public in made.missing
        made = Draft.read(CHAIN, made.signed(CHAIN, KEYS[place]).to_json())
    assert made.missing == ()
    prepared = made.prepared(CHAIN)
    batch = TransactionBatch(prepared.frame, CHAIN.digest)
    assert list(batch.verdicts) == [0]
    assert batch.ids == [prepared.id]
    assert batch.expiries == [1_000]


def test_copies_that_were_signed_apart_are_merged() -> None:
    first, second, third = (
        draft_copy.signed(CHAIN, key) for draft_copy, key in zip([draft()] * 3, KEYS, strict=False)
    )
    other = draft()
    assert first.merged([second]).missing == (KEYS[2].public,)
    assert third.merged([first, second]).prepared(CHAIN).expiry == 1_000
    with pytest.raises(DraftError, match="different transactions"):
        first.merged([other.signed(CHAIN, KEYS[1])])  # another nonce


def test_what_is_not_signed_by_all_is_no_transaction() -> None:
    half = draft().signed(CHAIN, KEYS[1])
    with pytest.raises(DraftError, match=f"{KEYS[0].public.hex()}, {KEYS[2].public.hex()}"):
        half.prepared(CHAIN)
    with pytest.raises(DraftError, match="none of its signers"):
        half.signed(CHAIN, KEYS[3])


def _flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1, *data[1:]])


WRONG: dict[str, Callable[[Draft], Draft]] = {
    "of another ledger": lambda d: structs.replace(d, ledger=OTHER.origin),
    "no draft": lambda d: structs.replace(d, header=d.header + b"x"),
    "not those that are signed": lambda d: structs.replace(d, commands=d.commands[::-1]),
    "another number of signatures": lambda d: structs.replace(d, signatures=d.signatures[1:]),
    f"signature of {KEYS[0].public.hex()}": lambda d: structs.replace(
        d, signatures=(_flipped(d.signatures[0] or b""), *d.signatures[1:])
    ),
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_is_wrong_with_a_file_is_named(reason: str) -> None:
    bad = WRONG[reason](draft().signed(CHAIN, KEYS[0]))
    with pytest.raises(DraftError, match=reason):
        Draft.read(CHAIN, bad.to_json())


def test_a_draft_of_another_ledger_under_this_ones_name_is_refused() -> None:
    stranger = Draft.of(OTHER, [KEYS[0].public], COMMANDS, expiry=1_000)
    with pytest.raises(DraftError, match="another ledger"):
        Draft.read(CHAIN, structs.replace(stranger, ledger=CHAIN.origin).to_json())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"ledger": 1}', b"[" * 100_000])
def test_what_is_no_draft_is_refused(data: bytes) -> None:
    with pytest.raises(DraftError, match="no draft"):
        Draft.read(CHAIN, data)


@given(st.data())
def test_a_changed_file_never_signs_anything_else(data: st.DataObject) -> None:
    """Whatever a value of the JSON becomes: it is refused, or its commands are the signed ones."""
    good = draft().signed(CHAIN, KEYS[0])
    fields = json.loads(good.to_json())
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(st.one_of(st.text(), st.none(), st.lists(st.text(max_size=4), max_size=3)))
    try:
        read = Draft.read(CHAIN, json.dumps(fields).encode())
    except DraftError:
        return
    assert (read.header, read.commands) == (good.header, good.commands)


def test_limits_and_empty_drafts() -> None:
    with pytest.raises(Malformed):
        Draft.of(CHAIN, [], COMMANDS, expiry=1)
    with pytest.raises(Malformed):
        Draft.of(CHAIN, [KEYS[0].public], [], expiry=1)
    with pytest.raises(Oversized):
        Draft.of(CHAIN, [key.public for key in KEYS], COMMANDS, expiry=1, limits=Limits(signers=3))
    with pytest.raises(Oversized, match="bytes"):
        Draft.of(CHAIN, [KEYS[0].public], COMMANDS, expiry=1, limits=Limits(transaction_bytes=100))


def test_a_command_is_shown_as_its_module_decodes_it() -> None:
    command = draft().command(1)
    assert (command.module, command.name, command.version) == ("records", "Anchor", 1)
    assert wire.encode(Anchor("key/1", bytes(32))) == command.body
