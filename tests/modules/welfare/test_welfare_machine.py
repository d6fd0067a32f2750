"""Random commands, right and wrong: the invariants hold after each, and a plain model agrees."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Struct

from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare.terms import (
    Appropriate,
    ApproveAccount,
    BulkDisburse,
    DisburseLine,
    Enrol,
    Exclusion,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    Settle,
)
from tests.modules.memory_view import APPLIED, DAY_MS, Host
from tests.modules.welfare.samples import NEEDED, account, who

SCHEMES = st.sampled_from(["rent", "energy"])
PERSONS = st.sampled_from([b"a" * 16, b"b" * 16])
TAGS = st.sampled_from([b"1" * 16, b"2" * 16])
PERIODS = st.sampled_from(["2026-01", "2026-02", "2026-03"])
AMOUNTS = st.integers(1, 400)
ACCOUNTS = st.sampled_from(["one", "two"])
ATTEMPTS = st.integers(1, 3)
PARTIES = st.sampled_from([None, b"p" * 16])

Key = tuple[str, bytes, str]


class WelfareMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.host = Host(Welfare())
        self.appropriated = {"rent": 0, "energy": 0}
        self.granted: dict[Key, int] = {}
        self.paid: dict[Key, int] = {}
        for scheme in self.appropriated:
            self.run(OpenScheme(scheme, "EUR", exclusions=("living",), cooling_off_ms=2 * DAY_MS))
        # Far enough for payments to be common; the rules can reach all of it from nothing.
        self.appropriate("rent", 1_000, "x")
        self.enrol("rent", b"a" * 16, "2026-01", "2026-02", b"1" * 16)
        self.link("rent", b"a" * 16, "one", None)
        self.grant("rent", b"a" * 16, "2026-01", 300, None)

    def run(self, cmd: Struct, party: bytes | None = None) -> bool:
        return self.host.run(cmd, who(NEEDED[type(cmd).__name__], party)) == APPLIED

    @rule(scheme=SCHEMES, amount=AMOUNTS, reference=st.sampled_from("xyz"))
    def appropriate(self, scheme: str, amount: int, reference: str) -> None:
        before = self.host.ask("scheme", scheme=scheme).appropriated
        if self.run(Appropriate(scheme, amount, reference)):
            self.appropriated[scheme] = self.host.ask("scheme", scheme=scheme).appropriated
            assert self.appropriated[scheme] - before in {0, amount}

    @rule(scheme=SCHEMES, person=PERSONS, first=PERIODS, last=PERIODS, tag=TAGS)
    def enrol(self, scheme: str, person: bytes, first: str, last: str, tag: bytes) -> None:
        self.run(Enrol(scheme, person, first, last, (Exclusion("living", tag),)))

    @rule(scheme=SCHEMES, person=PERSONS, name=ACCOUNTS, party=PARTIES)
    def link(self, scheme: str, person: bytes, name: str, party: bytes | None) -> None:
        self.run(LinkAccount(scheme, person, account(name)), party)

    @rule(scheme=SCHEMES, person=PERSONS, name=ACCOUNTS, party=PARTIES)
    def approve(self, scheme: str, person: bytes, name: str, party: bytes | None) -> None:
        self.run(ApproveAccount(scheme, person, account(name)), party)

    @rule(scheme=SCHEMES, person=PERSONS, period=PERIODS, amount=AMOUNTS, party=PARTIES)
    def grant(self, scheme: str, person: bytes, period: str, amount: int, party: bytes | None) -> None:
        if self.run(GrantEntitlement(scheme, person, period, "base", amount), party):
            assert (scheme, person, period) not in self.granted
            self.granted[scheme, person, period] = amount

    @rule(data=st.data(), name=ACCOUNTS, attempt=ATTEMPTS, party=PARTIES)
    def disburse(self, data: st.DataObject, name: str, attempt: int, party: bytes | None) -> None:
        if not self.granted:
            return
        keys = data.draw(st.lists(st.sampled_from(sorted(self.granted)), min_size=1, max_size=2))
        lines = tuple(
            DisburseLine(person, period, "base", self.granted[scheme, person, period], account(name), attempt)
            for scheme, person, period in keys
        )
        self.run(BulkDisburse(keys[0][0], "batch", lines), party)

    @rule(data=st.data(), attempt=ATTEMPTS, outcome=st.sampled_from(["ok", "returned"]))
    def settle(self, data: st.DataObject, attempt: int, outcome: str) -> None:
        if not self.granted:
            return
        key = data.draw(st.sampled_from(sorted(self.granted)))
        kind = "ok" if outcome == "ok" else "returned"
        before = self.payments(key)
        if self.run(Settle(*key, "base", attempt, kind, "2026-01-25")):  # type: ignore[arg-type]  # one of the two literals
            changed = before[attempt - 1] != outcome
            self.paid[key] = self.paid.get(key, 0) + (changed and outcome == "ok")
            self.paid[key] -= changed and before[attempt - 1] == "ok"

    @rule(days=st.integers(0, 3))
    def wait(self, days: int) -> None:
        self.host.time += days * DAY_MS

    def payments(self, key: Key) -> list[str]:
        scheme, person, period = key
        found = self.host.ask("payments", scheme=scheme, beneficiary=person, period=period, component="base")
        return [row.status for row in found]

    @invariant()
    def holds(self) -> None:
        assert self.host.broken() == []
        assert all(count in {0, 1} for count in self.paid.values())
        for scheme, appropriated in self.appropriated.items():
            granted = sum(amount for key, amount in self.granted.items() if key[0] == scheme)
            status = self.host.ask("scheme", scheme=scheme)
            paid = sum(self.granted[key] for key, count in self.paid.items() if count and key[0] == scheme)
            assert (status.reserved + status.paid, status.paid) == (granted, paid)
            assert granted <= appropriated


TestWelfareMachine = WelfareMachine.TestCase
TestWelfareMachine.settings = settings(max_examples=40, stateful_step_count=40)
