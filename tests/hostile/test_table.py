"""Every inbound frame by every abuse: refused with its code or ignored, and nothing else happens.

The rows are in ``votes``, ``frames`` and ``greetings``. After each cell the same replica, still alive,
orders the next transaction with the others, and no correct replica stands accused (PS14, PS15).
"""

import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
import structlog

from grootboek.consensus.newview import proposal_in
from grootboek.errors import BadFrame, PeerError
from grootboek.evidence import role_of
from grootboek.network.framing import FrameReader, decode_frame
from grootboek.network.link import HELLO_BYTES
from grootboek.transfer import Chunk, Offer
from grootboek.wire import (
    Batch,
    Commit,
    Entries,
    Envelope,
    Frame,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Signed,
    Status,
    decode,
    encode,
    protocol_messages,
)
from tests.hostile.cells import ABUSES, TOO_LARGE, Cell, Row, prefixes
from tests.hostile.faulty import FAULTY, VICTIM, Faulty, founded
from tests.hostile.frames import FRAMES
from tests.hostile.greetings import GREETINGS, ROLL, Meeting, other_roll
from tests.hostile.transfers import SPOKEN, TRANSFERS
from tests.hostile.votes import VOTES
from tests.node.cluster import Cluster

ROWS: tuple[Row[Any], ...] = (*VOTES, *FRAMES, *SPOKEN, *TRANSFERS, *GREETINGS)
ENGINE = (*VOTES, *FRAMES, *SPOKEN, *TRANSFERS)


def cells(rows: Iterable[Row[Faulty]]) -> list[object]:
    return [
        pytest.param(cell, id=f"{row.kind.__name__}: {abuse}")
        for row in rows
        for abuse, cell in row.cells.items()
    ]


# --- the table is whole --------------------------------------------------------------------------


def test_every_frame_and_every_signed_message_has_a_row() -> None:
    kinds = {row.kind for row in ROWS} | {Envelope}
    assert kinds == {*Frame.__args__, *ProtocolMessage.__args__}
    assert len(ROWS) == len({row.kind for row in ROWS})


def test_every_row_has_every_abuse() -> None:
    for row in ROWS:
        assert sorted(("truncated", *row.cells)) == sorted(ABUSES), row.kind.__name__
    assert len(ROWS) * len(ABUSES) >= 132


def test_a_substitute_says_why() -> None:
    reasons = [cell.instead for row in ROWS for cell in row.cells.values() if cell.instead]
    assert all(len(reason.split(": ")) > 1 for reason in reasons)


# --- the worlds ----------------------------------------------------------------------------------


def plain() -> Cluster:
    return founded()


def led() -> Cluster:
    """View 2 is open; two primaries were dead for a while."""
    cluster = founded()
    for primary in (0, 1):
        cluster.replicas[primary].kill()
        cluster.commit(10 + primary, replica=3)
        cluster.boot(primary)
        cluster.run(3_000)
    assert {replica.engine.replica.view for replica in cluster.replicas} == {2}
    return cluster


def behind() -> Cluster:
    """The victim missed two blocks; the faulty one tells it so, and is asked for them."""
    cluster = founded()
    cluster.lost = lambda sender, to, _frame: VICTIM in {sender, to}
    cluster.commit(10)
    cluster.commit(11)
    faulty = Faulty(cluster)
    cluster.hand(VICTIM, FAULTY, encode(Status(0, True, 3, faulty.certificate)))  # noqa: FBT003  # by place
    assert cluster.engine(VICTIM).catchup.running
    return cluster


def fetching() -> Cluster:
    """As ``behind``, but so far that the victim has asked everybody for snapshots."""
    cluster = founded()
    cluster.lost = lambda sender, to, _frame: VICTIM in {sender, to}
    cluster.commit(10)
    cluster.run(2_000)
    for place in (0, FAULTY, 3):
        cluster.engine(place).ledger.flush()
        cluster.engine(place).ledger.snapshot()
    cluster.engine(VICTIM).catchup.far = 1
    cluster.hand(VICTIM, FAULTY, encode(Status(0, True, 3, Faulty(cluster).certificate)))  # noqa: FBT003  # by place
    assert cluster.engine(VICTIM).catchup.running
    assert not cluster.engine(VICTIM).catchup._asked
    return cluster


def chosen() -> Cluster:
    """As ``fetching``, and two peers have offered the same snapshot: the victim waits for its first chunk."""
    cluster = fetching()
    manifest = Faulty(cluster).offer()
    for peer in (0, FAULTY):
        cluster.hand(VICTIM, peer, encode(manifest))
    fetch = cluster.engine(VICTIM).catchup._fetching
    assert fetch is not None
    assert fetch.incoming is not None
    return cluster


WORLDS = {"plain": plain, "led": led, "behind": behind, "fetching": fetching, "chosen": chosen}


# --- what must hold ------------------------------------------------------------------------------


def own_votes(frames: Iterable[tuple[int, int, Frame]]) -> set[Signed]:
    """The PREPAREs and COMMITs that the victim has signed."""
    signed = {f.signed for sender, _, f in frames if sender == VICTIM and isinstance(f, Envelope)}
    kinds = (Prepare, Commit)
    return {
        s for s in signed if s.sender == VICTIM and isinstance(decode(protocol_messages, s.payload), kinds)
    }


def refusals(cluster: Cluster, payloads: Iterable[bytes]) -> list[str]:
    """The codes with which the victim refuses what the faulty replica sends."""
    codes = []
    with structlog.testing.capture_logs() as logs:
        for payload in payloads:
            try:
                cluster.hand(VICTIM, FAULTY, payload)
            except PeerError as error:
                codes.append(error.code)
    return codes + [line["code"] for line in logs if "code" in line]


def assert_only_the_guilty_stand_accused(cluster: Cluster) -> None:
    """PS15: each is a contradiction of the faulty one in one role."""
    for replica in cluster.replicas:
        for evidence in replica.engine.testimony.evidence:
            assert evidence.replica == FAULTY
            assert role_of(evidence)


def assert_sound(cluster: Cluster) -> None:
    """The attacked replica takes a transaction itself, and all execute it."""
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.commit(500, replica=VICTIM)
    cluster.run(2_000)
    cluster.run_until(cluster.equal)
    assert_only_the_guilty_stand_accused(cluster)


@pytest.mark.parametrize("cell", cells(ENGINE))
def test_abuse(cell: Cell[Faulty]) -> None:
    cluster = WORLDS[cell.world]()
    engine = cluster.engine(VICTIM)
    payloads = cell.make(Faulty(cluster))
    assert payloads
    start, before = len(cluster.sent), (engine.ledger.height, engine.replica.view, engine.ledger.root)
    refused = engine.counters.messages_refused
    codes = refusals(cluster, payloads)
    assert tuple(codes) == cell.codes
    messages = sum(code in {"GB-2004", "GB-2005"} for code in codes)
    assert engine.counters.messages_refused - refused == messages
    assert (engine.ledger.height, engine.replica.view, engine.ledger.root) == before
    answers = cluster.sent[start:]
    assert len(own_votes(answers)) == cell.votes
    assert {
        to for by, to, f in answers if by == VICTIM and isinstance(f, Batch | Entries | Offer | Chunk)
    } <= {FAULTY}
    assert_sound(cluster)


@pytest.mark.parametrize("row", ENGINE, ids=lambda row: row.kind.__name__)
def test_truncated(row: Row[Faulty]) -> None:
    """In the frame, and where there is one in the message inside."""
    cluster = behind() if row.kind is Entries else plain()
    payload = row.good(Faulty(cluster))
    assert refusals(cluster, prefixes(payload)) == ["GB-2001"] * len(prefixes(payload))
    frame = decode_frame(memoryview(payload))
    if isinstance(frame, Envelope):
        inner = prefixes(frame.signed.payload)
        cut = [encode(Envelope(Signed(FAULTY, part, frame.signed.signature))) for part in inner]
        before = cluster.engine(VICTIM).counters.messages_refused
        assert set(refusals(cluster, cut)) == {"GB-2004"}
        assert cluster.engine(VICTIM).counters.messages_refused - before == len(inner)
    assert_sound(cluster)


def test_a_message_of_the_frame_limit_and_above_is_refused_unread() -> None:
    """Whatever its type says: the length alone is looked at."""
    limit = founded().genesis.limits.frame_bytes
    reader = FrameReader(limit)
    reader.feed((limit + 1).to_bytes(4, "big"))
    with pytest.raises(PeerError) as caught:
        reader.next()
    assert caught.value.code == TOO_LARGE


def test_proposals_of_the_faulty_primary_are_what_the_rows_say() -> None:
    """The base of the PRE-PREPARE row is a good proposal: the victim takes it into its slot."""
    cluster = led()
    faulty = Faulty(cluster)
    frame = decode_frame(memoryview(VOTES[0].good(faulty)))
    assert isinstance(frame, Envelope)
    assert isinstance(proposal_in(frame.signed), PrePrepare)
    cluster.hand(VICTIM, FAULTY, VOTES[0].good(faulty))
    assert cluster.engine(VICTIM).replica.slots[faulty.next].pre_prepare == frame.signed


@pytest.mark.parametrize("abuse", ["good", *ABUSES[1:]])
def test_only_true_evidence_is_believed(abuse: str) -> None:
    cluster = founded()
    faulty, row = Faulty(cluster), SPOKEN[1]
    refusals(cluster, [row.good(faulty)] if abuse == "good" else row.cells[abuse].make(faulty))
    expected = (faulty.evidence(),) if abuse in {"good", "duplicate"} else ()
    assert cluster.engine(VICTIM).testimony.evidence == expected


# --- the handshake -------------------------------------------------------------------------------


def greet(meeting: Meeting, payloads: Iterable[bytes]) -> str:
    """The code with which the connection closes; empty where the handshake is over."""
    reader = FrameReader(HELLO_BYTES)
    try:
        for payload in payloads:
            reader.feed(len(payload).to_bytes(4, "big") + payload)
            while (frame := reader.next()) is not None:
                meeting.acceptor.receive(decode_frame(frame))
    except PeerError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, id=f"{row.kind.__name__}: {abuse}")
        for row in GREETINGS
        for abuse, cell in row.cells.items()
    ],
)
def test_abuse_of_the_handshake(cell: Cell[Meeting]) -> None:
    meeting = Meeting()
    assert (greet(meeting, cell.make(meeting)),) == cell.codes
    assert not meeting.acceptor.done
    later = Meeting(fill=1)
    assert greet(later, later.proven(later.dialler())) == ""
    assert later.acceptor.done


@pytest.mark.parametrize(("signed", "named", "code"), [(1, 1, ""), (0, 1, "GB-2003"), (1, 0, "GB-2003")])
def test_a_peer_of_another_epoch_proves_itself_in_that_epoch(signed: int, named: int, code: str) -> None:
    """It is let in, since it may have to be told how that epoch ended; but under no other epoch's proof."""
    meeting = Meeting()
    roll = other_roll(chain=False) if signed else ROLL
    assert greet(meeting, meeting.proven(meeting.dialler(roll=roll), epoch=named)) == code
    assert meeting.acceptor.done is (not code)


@pytest.mark.parametrize("row", GREETINGS, ids=lambda row: row.kind.__name__)
def test_truncated_in_the_handshake(row: Row[Meeting]) -> None:
    for part in prefixes(row.good(Meeting())):
        with contextlib.suppress(BadFrame):
            decode_frame(memoryview(part))
            pytest.fail("a truncated frame was taken")


@pytest.mark.parametrize("row", GREETINGS, ids=lambda row: row.kind.__name__)
def test_the_handshake_again_after_its_end_is_ignored(row: Row[Meeting]) -> None:
    cluster = founded()
    assert refusals(cluster, [row.good(Meeting())] * 3) == []
    assert_sound(cluster)
