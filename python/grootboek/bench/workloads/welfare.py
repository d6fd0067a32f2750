"""``welfare``: officers grant claims, treasuries instruct payments, providers report what came of them."""

from collections.abc import Iterator, Sequence
from typing import Final

from grootboek.bench.workloads.workload import (
    REGISTRAR,
    Draft,
    Roles,
    Workload,
    encoded,
    known_id,
    offices,
    packed,
    registered,
    today,
)
from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare.module import ADMINISTRATOR, OFFICER, PROVIDER, TREASURY
from grootboek.modules.welfare.module import REGISTRAR as ENROLLER
from grootboek.modules.welfare.terms import (
    LINES_MAX,
    Appropriate,
    BulkDisburse,
    DisburseLine,
    Enrol,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    Settle,
)

__all__ = ["WelfareWorkload"]

SCHEME: Final = "bench"
PERIOD: Final = "2026-01"
PEOPLE: Final = 1_000
AMOUNT: Final = 50_000
APPROPRIATION: Final = 10**15
_MIX: Final = 4


class WelfareWorkload(Workload):
    """Of four transactions two grant a claim, one instructs a payment and one settles another.

    What is paid was granted before the clock starts, and what is settled was instructed: one entitlement
    of the set-up for each. 1,000 people are enrolled in one scheme.
    """

    name = "welfare"
    modules = ("parties", "welfare")

    def __init__(self, keys: int) -> None:
        others = max(1, keys // 4)
        self._officers = offices("welfare officer", max(1, keys - 2 * others))
        self._treasuries = offices("welfare treasury", others)
        self._providers = offices("welfare provider", others)
        self._people = [known_id("person", number) for number in range(PEOPLE)]
        self._today = today()

    def prepare(self, roles: Roles, count: int) -> Iterator[Sequence[Draft]]:
        """Parties and the scheme; then people; then what will be paid and settled."""
        registrar = roles[REGISTRAR]
        yield [
            *registered(registrar, self._officers, OFFICER),
            *registered(registrar, self._treasuries, TREASURY),
            *registered(registrar, self._providers, PROVIDER),
            *packed(roles[ADMINISTRATOR], [encoded(Welfare, OpenScheme(SCHEME, "EUR"))]),
        ]
        yield [
            *packed(roles[TREASURY], [encoded(Welfare, Appropriate(SCHEME, APPROPRIATION, "act"))]),
            *packed(roles[ENROLLER], (encoded(Welfare, one) for one in self._enrolments())),
        ]
        turns = range(-(-count // _MIX))
        yield packed(
            roles[OFFICER],
            (encoded(Welfare, self._grant(kind, i)) for i in turns for kind in ("pay", "settle")),
        )
        lines = [self._line("settle", turn) for turn in turns]
        payments = (
            BulkDisburse(SCHEME, f"batch {at}", tuple(lines[at : at + LINES_MAX]))
            for at in range(0, len(lines), LINES_MAX)
        )
        yield packed(roles[TREASURY], (encoded(Welfare, one) for one in payments))

    def transactions(self, count: int) -> Iterator[Draft]:
        """See Workload."""
        for number in range(count):
            turn, kind = divmod(number, _MIX)
            command: BulkDisburse | Settle | GrantEntitlement
            if kind == 0:
                signers, command = self._treasuries, self._payment(turn)
            elif kind == 1:
                signers, command = self._providers, self._settlement(turn)
            else:
                signers, command = self._officers, self._grant("claim", number)
            yield Draft(signers[turn % len(signers)].key, (encoded(Welfare, command),))

    def _enrolments(self) -> Iterator[Enrol | LinkAccount]:
        for person in self._people:
            yield Enrol(SCHEME, person, PERIOD, PERIOD)
            yield LinkAccount(SCHEME, person, 2 * person)

    def _entitlement(self, kind: str, number: int) -> tuple[bytes, str, str]:
        """Beneficiary, period and component of the ``number``-th entitlement of a kind."""
        round_, person = divmod(number, PEOPLE)
        return self._people[person], PERIOD, f"{kind}-{round_}"

    def _grant(self, kind: str, number: int) -> GrantEntitlement:
        return GrantEntitlement(SCHEME, *self._entitlement(kind, number), AMOUNT)

    def _line(self, kind: str, number: int) -> DisburseLine:
        beneficiary, period, component = self._entitlement(kind, number)
        return DisburseLine(beneficiary, period, component, AMOUNT, 2 * beneficiary)

    def _payment(self, turn: int) -> BulkDisburse:
        return BulkDisburse(SCHEME, f"payment {turn}", (self._line("pay", turn),))

    def _settlement(self, turn: int) -> Settle:
        return Settle(SCHEME, *self._entitlement("settle", turn), 1, "ok", self._today)
