"""What a replica has to say in the log about other replicas: evidence against them, and complaints.

Evidence is believed after both signatures are checked, kept in the journal, and told to the peers once.
Each statement is submitted as a transaction under the voting key until the log holds it: nonce, salt and
expiry follow from the statement and the time, so that nothing here is random.
"""

from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from grootboek import evidence as proof
from grootboek._core import digest
from grootboek.consensus import Listed
from grootboek.errors import BadCertificate, BadMessage
from grootboek.ledger import Ledger
from grootboek.ledger.founding import CONDUCT, members
from grootboek.modules import conduct
from grootboek.node.journal import Journal
from grootboek.node.journalled import EVIDENCE
from grootboek.node.signers import PrivateKey
from grootboek.node.submitting import transaction
from grootboek.types import Genesis
from grootboek.wire import Command, Evidence, encode

__all__ = ["Testimony"]

VALID_PART = 10
"""A statement is submitted again after a tenth of the time for which a transaction may be valid."""


class _Pending(Struct):
    command: Struct
    role: proof.Role | None
    expiry: int = 0
    """Of the transaction that was last submitted."""


class Testimony:
    """Evidence by role, complaints by view, and which of both the log still lacks."""

    def __init__(
        self,
        genesis: Genesis,
        voting: PrivateKey,
        ledger: Ledger,
        journal: Journal,
    ) -> None:
        """``journal`` keeps the evidence."""
        self._genesis = genesis
        self._voting = voting
        self._ledger = ledger
        self._journal = journal
        self._held: dict[proof.Role, Evidence] = {}
        self._pending: list[_Pending] = []
        self._recorded = CONDUCT in genesis.modules
        self._listed: tuple[int, tuple[int, ...]] = (-1, ())

    def enter(self, voting: PrivateKey) -> None:
        """Another epoch has begun, with this voting key: complaints of the old one are moot."""
        self._voting = voting
        self._pending = [item for item in self._pending if item.role is not None]
        self._listed = (-1, ())

    @property
    def _epoch(self) -> int:
        return self._ledger.epochs.last.number

    @property
    def evidence(self) -> Sequence[Evidence]:
        """All that is held, oldest first."""
        return tuple(self._held.values())

    # --- learning --------------------------------------------------------------------------------

    def recall(self, evidence: Evidence) -> None:
        """From the journal: it was checked before it was written."""
        self._hold(proof.role_of(evidence), evidence)

    def learn(self, evidence: Evidence) -> bool:
        """Check and keep; False where it is known, not true, or more than need be known of a replica."""
        try:
            replicas = self._ledger.epochs.of(evidence.epoch).replicas
            role = proof.role_of(evidence)
        except (BadMessage, BadCertificate):
            return False
        if evidence.replica >= len(replicas):
            return False
        same = sum(held[:2] == role[:2] for held in self._held)
        if role in self._held or same >= conduct.CONVICTIONS_MAX:
            return False
        accused = replicas[evidence.replica]
        keys = (accused.voting_key, accused.cosigning_key)
        if not proof.convicts(evidence, self._genesis.chain, *keys):
            return False
        self._journal.append(EVIDENCE + encode(evidence))
        self._journal.sync()
        self._hold(role, evidence)
        return True

    def _hold(self, role: proof.Role, evidence: Evidence) -> None:
        self._held[role] = evidence
        self._pending.append(_Pending(conduct.report_of(evidence), role))

    def complain(self, view: int) -> None:
        """This replica left ``view`` because its primary was slow: an older complaint is moot."""
        self._pending = [item for item in self._pending if item.role is not None]
        self._pending.append(_Pending(conduct.Complain(self._epoch, view), None))

    # --- saying it in the log --------------------------------------------------------------------

    def due(self, now: int) -> list[bytes]:
        """The framed transactions to submit now."""
        if not self._recorded or not self._pending:
            return []
        self._pending = [item for item in self._pending if not self._in_log(item)]
        ready = [item for item in self._pending if item.expiry <= self._ledger.time]
        for item in ready:
            latest = max(now, self._ledger.time)
            item.expiry = latest + self._genesis.limits.validity_ms // VALID_PART
        return [self._transaction(item) for item in ready]

    def _in_log(self, item: _Pending) -> bool:
        state = self._ledger.view(CONDUCT)
        if item.role is not None:
            same = conduct.convictions.every(state, item.role[0], item.role[1])
            full = sum(1 for _ in islice(same, conduct.CONVICTIONS_MAX)) >= conduct.CONVICTIONS_MAX
            return full or conduct.convictions.get(state, *item.role) is not None
        voting = members.require(state, "epoch-unknown", self._epoch).voting
        if self._voting.public not in voting:
            return True
        mine = voting.index(self._voting.public)
        said = conduct.complaints.get(state, self._epoch, mine)
        return said is not None and said.view >= getattr(item.command, "view", 0)

    def _transaction(self, item: _Pending) -> bytes:
        body = encode(item.command)
        salt = digest(body)[:16]
        name = type(item.command).__name__
        command = Command(CONDUCT, name, conduct.Conduct.version, body, salt)
        nonce = int.from_bytes(salt[:7], "big")
        chain = self._genesis.chain
        return transaction(chain, self._voting, nonce, command, expiry=item.expiry, atomic=False)[1]

    # --- hearing it ------------------------------------------------------------------------------

    def listed(self) -> Sequence[Listed]:
        """The replicas that are passed over as primaries, where a block has changed the list."""
        height, before = self._listed
        if not self._recorded or height == self._ledger.height:
            return ()
        now = conduct.passed_over(self._ledger.view(CONDUCT), self._epoch)
        self._listed = (self._ledger.height, now)
        return () if now == before else (Listed(now),)
