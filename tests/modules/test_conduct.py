"""The conduct module: complaints that replicas share, and evidence that proves itself (PS15)."""

import pytest
from msgspec.structs import replace

from grootboek._core import SigningKey, digest
from grootboek.evidence import cosigned, pair, signed
from grootboek.ledger.founding import Members, members
from grootboek.ledger.module import Signer
from grootboek.modules.conduct import CONVICTIONS_MAX, Complain, Conduct, report_of
from grootboek.notes import cosigned_bytes
from grootboek.types import Chain
from grootboek.wire import (
    Commit,
    Evidence,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Said,
    Signed,
    encode,
    message_bytes,
)
from tests.modules.memory_view import APPLIED, Host, signer

CHAIN = Chain("example.org/test", digest(b"genesis"))
KEYS = [SigningKey(digest(b"voting %d" % i)) for i in range(7)]
COSIGNING = [SigningKey(digest(b"cosigning %d" % i)) for i in range(7)]
ONE, TWO = digest(b"one"), digest(b"two")
ANYBODY = signer(None, key=b"u" * 32)


def host_of(n: int = 4) -> Host:
    host = Host(Conduct())
    for epoch in (0, 1):
        row = Members(
            CHAIN.name,
            CHAIN.digest,
            tuple(key.public for key in KEYS[:n]),
            tuple(key.public for key in COSIGNING[:n]),
        )
        members.put(host.state, row, epoch)
    return host


def replica(i: int) -> Signer:
    return signer(None, key=KEYS[i].public)


def says(message: ProtocolMessage, i: int = 2, epoch: int = 0, chain: Chain = CHAIN) -> Said:
    payload = encode(message)
    return signed(Signed(i, payload, KEYS[i].sign(message_bytes(chain, epoch, i, payload))))


def cosigns(size: int, root: bytes, time: int = 7, i: int = 2, chain: Chain = CHAIN) -> Said:
    signature = COSIGNING[i].sign(cosigned_bytes(chain.origin, size, root, time))
    return cosigned(size, root, time, signature)


def outcome(host: Host, one: Said, other: Said, *, i: int = 2, epoch: int = 0) -> str:
    return host.run(report_of(pair(epoch, i, one, other)), ANYBODY)


def listed(host: Host) -> tuple[int, ...]:
    replicas: tuple[int, ...] = host.ask("passed_over", epoch=0).replicas
    return replicas


# --- complaints ----------------------------------------------------------------------------------


def test_f_plus_one_complaints_of_one_view_list_its_primary() -> None:
    host = host_of()
    assert host.run(Complain(0, 4), replica(1)) == APPLIED
    assert host.run(Complain(0, 8), replica(2)) == APPLIED
    assert listed(host) == ()
    assert host.run(Complain(0, 8), replica(1)) == APPLIED
    assert listed(host) == (0,)
    assert host.run(Complain(0, 8), replica(3)) == APPLIED
    assert listed(host) == (0,)


def test_the_list_holds_f_and_the_oldest_leaves_it_first() -> None:
    host = host_of(7)
    for view in (0, 1, 2):
        for i in (3, 4, 5):
            assert host.run(Complain(0, view), replica(i)) == APPLIED
    assert listed(host) == (1, 2)
    for i in (3, 4, 5):
        host.run(Complain(0, 8), replica(i))
    assert listed(host) == (2, 1)
    assert host.ask("passed_over", epoch=1).replicas == ()
    assert all(holds for _, holds in Conduct().invariants(host.state))


def test_f_liars_list_nobody_whatever_they_say() -> None:
    host = host_of(7)
    for view in range(40):
        for i in (5, 6):
            host.run(Complain(0, view), replica(i))
    assert listed(host) == ()


@pytest.mark.parametrize(
    ("command", "by", "reason"),
    [
        (Complain(2, 0), 1, "epoch-unknown"),
        (Complain(0, 1), 1, "own-view"),
        (Complain(0, 0), 5, "not-a-replica"),
    ],
)
def test_complaints_that_are_refused(command: Complain, by: int, reason: str) -> None:
    assert host_of().run(command, replica(by)) == reason


def test_a_complaint_counts_once() -> None:
    host = host_of()
    assert host.run(Complain(0, 4), replica(1)) == APPLIED
    assert host.run(Complain(0, 4), replica(1)) == "complaint-stale"
    assert host.run(Complain(0, 0), replica(1)) == "complaint-stale"


# --- evidence ------------------------------------------------------------------------------------

CONTRADICTIONS = {
    "preprepare": (says(PrePrepare(3, 5, 1, (ONE,))), says(PrePrepare(3, 5, 2, (ONE,)))),
    "prepare": (says(Prepare(3, 5, ONE)), says(Prepare(3, 5, TWO))),
    "commit": (says(Commit(3, 5, ONE)), says(Commit(3, 5, TWO))),
    "checkpoint": (cosigns(5, ONE), cosigns(5, TWO, 8)),
}
NO_CONTRADICTIONS = {
    "the same twice": (says(Prepare(3, 5, ONE)), says(Prepare(3, 5, ONE))),
    "two views": (says(Prepare(3, 5, ONE)), says(Prepare(4, 5, TWO))),
    "two numbers": (says(Prepare(3, 5, ONE)), says(Prepare(3, 6, TWO))),
    "two kinds": (says(Prepare(3, 5, ONE)), says(Commit(3, 5, TWO))),
    "two times of one root": (cosigns(5, ONE, 7), cosigns(5, ONE, 8)),
    "two sizes": (cosigns(5, ONE), cosigns(6, TWO)),
    "no statement": (Said(b"\xc0", bytes(64)), Said(b"\xc1", bytes(64))),
}
OTHER = Chain("example.org/test", digest(b"another genesis"))
FORGERIES = {
    "of another epoch": (says(Prepare(3, 5, ONE)), says(Prepare(3, 5, TWO), epoch=1)),
    "of another chain": (says(Prepare(3, 5, ONE)), says(Prepare(3, 5, TWO), chain=OTHER)),
    "of another replica": (says(Prepare(3, 5, ONE)), says(Prepare(3, 5, TWO), i=3)),
    "cosigned for another chain": (cosigns(5, ONE), cosigns(5, TWO, chain=OTHER)),
    "signed by nobody": (says(Prepare(3, 5, ONE)), replace(says(Prepare(3, 5, TWO)), signature=bytes(64))),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_a_contradiction_is_recorded_once(kind: str) -> None:
    host = host_of()
    one, other = CONTRADICTIONS[kind]
    assert outcome(host, one, other) == APPLIED
    assert outcome(host, other, one) == "reported-already"
    (row,) = host.ask("convicted", epoch=0).convictions
    assert (row.replica, row.kind, row.number) == (2, kind, 5)
    assert host.state.events == [row]


@pytest.mark.parametrize("case", NO_CONTRADICTIONS)
def test_what_a_correct_replica_may_say_convicts_nobody(case: str) -> None:
    assert outcome(host_of(), *NO_CONTRADICTIONS[case]) == "no-contradiction"


@pytest.mark.parametrize("case", FORGERIES)
def test_what_the_replica_has_not_signed_in_this_epoch_and_chain_convicts_nobody(case: str) -> None:
    assert outcome(host_of(), *FORGERIES[case]) == "bad-signature"


def test_only_one_order_is_accepted() -> None:
    one, other = sorted(CONTRADICTIONS["commit"], key=lambda said: said.payload)
    assert host_of().run(report_of(Evidence(0, 2, other, one)), ANYBODY) == "no-contradiction"


def test_nobody_else_is_convicted() -> None:
    one, other = CONTRADICTIONS["commit"]
    assert outcome(host_of(), one, other, i=3) == "bad-signature"
    assert outcome(host_of(), one, other, i=4) == "replica-unknown"
    assert outcome(host_of(), one, other, epoch=1) == "bad-signature"
    assert outcome(host_of(), one, other, epoch=2) == "epoch-unknown"


def test_what_is_recorded_of_a_replica_is_bounded() -> None:
    host = host_of()
    pairs = [(says(Commit(0, seq, ONE)), says(Commit(0, seq, TWO))) for seq in range(CONVICTIONS_MAX + 1)]
    outcomes = [outcome(host, *one) for one in pairs]
    assert outcomes == [APPLIED] * CONVICTIONS_MAX + ["too-many"]
