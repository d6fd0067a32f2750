"""Changed messages: every field of every message is changed, and honest replicas go on."""

from collections import Counter
from collections.abc import Sequence

import pytest
from msgspec import Struct

from grootboek.simulation.cores import cosign, sign
from grootboek.simulation.forgeries import MODES, PHASES, Case, cases, mutations
from grootboek.simulation.mutation import Forger, fields
from grootboek.simulation.twins import desk_of
from grootboek.wire import (
    BLOCK_ENTRY,
    BlockEntry,
    Checkpoint,
    Envelope,
    Prepare,
    decode,
    encode,
    protocol_messages,
)

EVERY = 101
"""A prime: the sample falls on no rhythm of the enumeration."""


@pytest.fixture(scope="module")
def everything() -> Sequence[Case]:
    return list(cases())


def test_a_sample_of_all_cases_keeps_every_invariant() -> None:
    tally = mutations(EVERY)
    assert tally.failures == []
    assert tally.run > 300
    assert all(sum(counts.values()) for counts in tally.table.values())


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_all_cases_keep_every_invariant() -> None:
    tally = mutations(1)
    assert tally.failures == []
    assert tally.run == tally.cases
    assert set(tally.changed) == fields()


def test_every_field_of_every_message_is_changed(everything: Sequence[Case]) -> None:
    assert {case.change.field for case in everything} == fields()


def test_every_message_is_changed_in_every_phase_that_has_it(everything: Sequence[Case]) -> None:
    by_phase = {phase: {c.message for c in everything if c.phase == phase} for phase in PHASES}
    votes = {"PrePrepare", "Prepare", "Commit", "Checkpoint", "Status"}
    assert by_phase["ordering"] == by_phase["checkpoint"] == votes
    assert by_phase["view change"] == by_phase["catch-up"] == votes | {"ViewChange", "NewView"}
    assert set(Counter(c.mode for c in everything).values()) == {len(everything) // len(MODES)}


def test_a_new_field_needs_no_new_code() -> None:
    class Newer(Struct, frozen=True, array_like=True):
        """As if a message had grown."""

        flag: bool
        name: str
        list: tuple[int, ...]

    found = {change.field for change in Forger(0).changes(Newer(flag=True, name="x", list=(1, 2)))}
    assert found == {"Newer.flag", "Newer.name", "Newer.list"} == fields(Newer)


def test_what_a_liar_says_is_signed_anew_and_what_others_said_is_not() -> None:
    desk = desk_of(4)
    payload = encode(Prepare(0, 1, bytes(32)))
    for sender, accepted in ((1, True), (2, False)):
        frame = Envelope(sign(sender, payload))
        changed = [c for c in Forger(1).changes(frame) if c.field == "Prepare.seq" and c.how == "one more"]
        (change,) = changed
        assert isinstance(change.value, Envelope)
        assert decode(protocol_messages, change.value.signed.payload) == Prepare(0, 2, bytes(32))
        assert (desk.event(sender, encode(change.value)) is not None) == accepted


def test_a_cosignature_of_another_log_is_the_liars_own() -> None:
    block = BLOCK_ENTRY + encode(BlockEntry(1, 1, 0, 0, 1, 1, 0, 0, bytes(32), ()))
    checkpoint = Checkpoint(1, bytes(32), block, cosign(1, 1, bytes(32), 5))
    changed = [c.value for c in Forger(1).changes(checkpoint) if c.field == "Checkpoint.size"]
    assert changed
    for value in changed:
        if isinstance(value, Checkpoint) and value.size is not None:
            assert value.cosignature == cosign(1, value.size, bytes(32), 5)
