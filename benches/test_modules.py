"""The modules' rules: blocks of what each is for, through the ledger's execution."""

from collections.abc import Iterator, Sequence
from itertools import count

import pytest
from msgspec import Struct

from benches.conftest import NewLedger
from benches.ledgers import BenchLedger, anchor, key_of, party_of, signed
from benches.measuring import Measure
from grootboek._core import TransactionBatch
from grootboek.ledger import Module
from grootboek.modules.records import Records
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.supply_chain.terms import RegisterPrefix
from grootboek.modules.tax import Tax
from grootboek.modules.tax.terms import RegisterTaxpayer, SetRate
from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare.terms import (
    Appropriate,
    BulkDisburse,
    DisburseLine,
    Enrol,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    Settle,
)
from grootboek.proofs import Final
from grootboek.wire import APPLIED
from tests.modules.supply_chain.samples import OWN, Events, box, pack
from tests.modules.tax.samples import BUYER, NORMAL, SELLER, invoice
from tests.modules.welfare.samples import account

pytestmark = pytest.mark.benchmark(group="modules")

IN_TRANSACTION = 100
"""Commands under one signature, so that the rules and not the signatures are most of the work."""
PEOPLE = 250
BOXES, PACKS = 100, 8

Work = list[tuple[str, list[Struct]]]
"""Commands in order, by the role that signs them."""


def records() -> Iterator[Work]:
    """A thousand documents."""
    for block in count():
        yield [("anyone", [anchor(1_000 * block + number) for number in range(1_000)])]


def tax() -> Iterator[Work]:
    """A thousand invoices of one line."""
    party = party_of("tax.taxpayer")
    taxpayers = [RegisterTaxpayer(SELLER, "NL", party), RegisterTaxpayer(BUYER, "NL")]
    yield [("tax.authority", [*taxpayers, SetRate("NL", "S", NORMAL, "2019-01-01")])]
    for block in count():
        yield [("tax.provider", [invoice(f"{block}-{number}") for number in range(1_000)])]


def welfare() -> Iterator[Work]:
    """A month: decided, paid and settled for each person."""
    people = [number.to_bytes(16, "big") for number in range(PEOPLE)]
    yield [
        ("welfare.administrator", [OpenScheme("rent", "EUR")]),
        ("welfare.treasury", [Appropriate("rent", 10**9, "act")]),
        ("welfare.registrar", [Enrol("rent", person, "2026-01", "2099-12") for person in people]),
        ("welfare.registrar", [LinkAccount("rent", person, account("one")) for person in people]),
    ]
    for block in count():
        month = f"{2026 + block // 12}-{block % 12 + 1:02}"
        lines = tuple([DisburseLine(person, month, "base", 500, account("one")) for person in people])
        yield [
            ("welfare.officer", [GrantEntitlement("rent", one, month, "base", 500) for one in people]),
            ("welfare.treasury", [BulkDisburse("rent", month, lines)]),
            (
                "welfare.provider",
                [Settle("rent", one, month, "base", 1, "ok", "2026-01-25") for one in people],
            ),
        ]


def supply_chain() -> Iterator[Work]:
    """A hundred boxes: packs are made, packed and shipped."""
    party = party_of("supply_chain.reporter")
    yield [("supply_chain.registrar", [RegisterPrefix(OWN, party)])]
    events = Events()
    for block in count():
        made: list[Struct] = []
        for number in range(block * BOXES, (block + 1) * BOXES):
            packs = [pack(PACKS * number + place) for place in range(PACKS)]
            made += [events.add(one) for one in packs]
            made += [events.into(box(number), *packs), events.see(box(number), bizStep="shipping")]
        yield [("supply_chain.reporter", made)]


WORK = {Records: records, Tax: tax, Welfare: welfare, SupplyChain: supply_chain}


def judged(ledger: BenchLedger, module: type[Module], work: Work) -> TransactionBatch:
    """The commands in order, some under each signature."""
    numbers = count(ledger.ledger.size)
    return ledger.judged(
        signed(key_of(role), module, part, next(numbers), ledger.genesis.chain)
        for role, commands in work
        for part in parts(commands)
    )


def parts(commands: Sequence[Struct]) -> list[Sequence[Struct]]:
    return [commands[at : at + IN_TRANSACTION] for at in range(0, len(commands), IN_TRANSACTION)]


def execute(ledger: BenchLedger, batch: TransactionBatch) -> int:
    """How many commands there were; each must take effect."""
    finals = [final for _, final in ledger.execute(batch).results if isinstance(final, Final)]
    outcomes = [outcome for final in finals for outcome, _ in final.records]
    assert len(finals) == len(batch)
    assert set(outcomes) == {APPLIED}
    return len(outcomes)


@pytest.mark.parametrize("module", WORK, ids=lambda module: module.name)
def test_block_of_commands(measure: Measure, new_ledger: NewLedger, module: type[Module]) -> None:
    ledger = new_ledger(module)
    batches = (judged(ledger, module, work) for work in WORK[module]())
    first, second = next(batches), next(batches)
    execute(ledger, first)
    commands = execute(ledger, second)
    measure.each(lambda: next(batches), lambda batch: execute(ledger, batch), items=commands, of="commands")
