"""Whatever is submitted, T1, T2, T3 and T8 hold after it, and what is refused leaves no trace."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from grootboek.ledger.module import Signer
from grootboek.modules.tax.terms import (
    ClaimInputTax,
    Line,
    PayTax,
    RegisterTaxpayer,
    ReportInvoice,
    SetRate,
)
from tests.modules.memory_view import APPLIED
from tests.modules.tax.samples import (
    AUTHORITY_KEY,
    BUYER,
    DAY,
    NOBODY,
    NORMAL,
    OWN_KEY,
    PROVIDER_KEY,
    REDUCED,
    SELLER,
    STRANGER,
    TREASURY_KEY,
    invoice,
    world,
)

ids = st.sampled_from([SELLER, BUYER, STRANGER])
signers = st.sampled_from([AUTHORITY_KEY, PROVIDER_KEY, PROVIDER_KEY, TREASURY_KEY, OWN_KEY, NOBODY])
numbers = st.sampled_from(["1", "2", "3", "C1"])
nets = st.integers(-20_000, 20_000)
currencies = st.sampled_from(["EUR", "JPY"])


@st.composite
def invoices(draw: st.DrawFn) -> ReportInvoice:
    """Mostly sound invoices; some with a wrong total, rate, line or document."""
    made = replace(
        invoice(draw(numbers), net=draw(nets)),
        seller=draw(ids),
        buyer=draw(ids),
        currency=draw(currencies),
        type=draw(st.sampled_from([380, 381, 384, 389])),
        preceding=tuple(draw(st.lists(numbers, max_size=2))),
        document=draw(st.sampled_from([b"1" * 32, b"2" * 32])),
        tax_point=draw(st.sampled_from([DAY, "2018-06-01"])),
    )
    spoil = draw(st.sampled_from(["", "", "", "gross", "tax", "lines"]))
    if spoil:
        made = replace(made, totals=replace(made.totals, **{spoil: draw(nets)}))
    return replace(made, lines=(Line(draw(nets), "S", NORMAL),)) if draw(st.integers(0, 9)) == 0 else made


commands: st.SearchStrategy[Struct] = st.one_of(
    invoices(),
    invoices(),
    st.builds(
        ClaimInputTax,
        ids,
        ids,
        numbers,
        st.sampled_from(["a", "b"]),
        st.integers(1, 5_000),
        st.sampled_from([1_000_000, 500_000]),
    ),
    st.builds(PayTax, ids, currencies, st.integers(1, 5_000), st.just(DAY), st.sampled_from(["a", "b"])),
    st.builds(RegisterTaxpayer, ids, st.sampled_from(["NL", "DE"])),
    st.builds(
        SetRate,
        st.just("NL"),
        st.just("S"),
        st.sampled_from([NORMAL, REDUCED]),
        st.just("2019-01-01"),
        st.sampled_from([None, DAY]),
    ),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(commands, signers), min_size=1, max_size=25))
def test_invariants_hold_after_every_command(steps: list[tuple[Struct, Signer]]) -> None:
    host = world()
    known = set(host.module.reasons)
    for cmd, one in steps:
        before = dict(host.state.rows)
        outcome = host.run(cmd, one)
        if outcome != APPLIED:
            assert outcome in known
            assert host.state.rows == before
    assert host.broken() == []


@settings(max_examples=50)
@given(st.lists(st.tuples(commands, signers), max_size=15))
def test_the_same_commands_give_the_same_state(steps: list[tuple[Struct, Signer]]) -> None:
    first, second = world(), world()
    assert [first.run(cmd, one) for cmd, one in steps] == [second.run(cmd, one) for cmd, one in steps]
    assert first.state.rows == second.state.rows
