"""The money book: double entry in integer minor units, one ledger for each currency.

A posting adds a signed amount to one account. Postings are made together, and only when they sum to
zero, so the balances of a currency sum to zero at every height. An account may be opened so that it
refuses to go below zero. The model is TigerBeetle's (docs.tigerbeetle.com), without its holds.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from grootboek.ledger.module import KeyPart, Rejected, Table, View

__all__ = [
    "Account",
    "Amount",
    "Book",
    "Currency",
    "Posting",
    "exponent",
]

AMOUNT_LIMIT: Final = 2**53
"""Amounts and balances stay below it in size, so that every JSON reader can hold them exactly."""

Amount = Annotated[int, Meta(gt=-AMOUNT_LIMIT, lt=AMOUNT_LIMIT)]
"""Minor units of a currency (cents for EUR), signed."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
"""An ISO 4217 alphabetic code."""

Account = tuple[KeyPart, ...]
"""Names an account within its book: ``("taxpayer", id)``."""

_WHOLE: Final = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
)
_CFA: Final = ("XAF", "XOF", "XPF")
_THOUSANDTHS: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_EXPONENTS: Final = (
    dict.fromkeys((*_WHOLE, *_CFA), 0) | dict.fromkeys(_THOUSANDTHS, 3) | dict.fromkeys(("CLF", "UYW"), 4)
)


def exponent(currency: str) -> int:
    """How many decimals the currency's minor unit has (ISO 4217): 2 for EUR, 0 for JPY."""
    return _EXPONENTS.get(currency, 2)


class AccountRow(Struct, frozen=True, array_like=True):
    """One account as the state holds it."""

    currency: str
    balance: int
    no_overdraft: bool


class Posting(Struct, frozen=True, array_like=True):
    """``amount`` is added to the balance of ``account``."""

    account: Account
    amount: int


class Book:
    """A book of accounts inside one module's state."""

    def __init__(self, name: str = "book") -> None:
        """``name`` is unique within the module."""
        self._accounts = Table(name, AccountRow)

    def open(self, state: View, currency: str, account: Account, *, no_overdraft: bool = False) -> None:
        """Open an account with balance 0; one that is open already stays as it is.

        Accounts that are posted to without being opened may go below zero.
        """
        if self._accounts.get(state, currency, *account) is None:
            self._accounts.put(state, AccountRow(currency, 0, no_overdraft), currency, *account)

    def balance(self, state: View, currency: str, account: Account) -> int:
        """The balance in minor units; 0 for an account that was never used."""
        row = self._accounts.get(state, currency, *account)
        return 0 if row is None else row.balance

    def post(self, state: View, currency: str, *postings: Posting) -> None:
        """Make the postings together.

        Raises Rejected("unbalanced") unless they sum to zero, Rejected("overdraft") where an account
        would go below zero that must not, Rejected("amount-range") where a balance grows too large.
        """
        if sum(posting.amount for posting in postings) != 0:
            raise Rejected("unbalanced", "postings must sum to zero")
        for posting in postings:
            self._add(state, currency, posting)

    def transfer(self, state: View, currency: str, source: Account, target: Account, amount: int) -> None:
        """Move ``amount`` from ``source`` to ``target``; raises as ``post``."""
        self.post(state, currency, Posting(source, -amount), Posting(target, amount))

    def balances(self, state: View) -> dict[str, int]:
        """The sum of all balances of each currency: zeros, by the rule of ``post``. Reads everything."""
        sums: dict[str, int] = {}
        for row in self._accounts.every(state):
            sums[row.currency] = sums.get(row.currency, 0) + row.balance
        return sums

    def holds(self, state: View) -> bool:
        """The book's invariant: every currency sums to zero, no overdraft where none is allowed."""
        solvent = all(row.balance >= 0 for row in self._accounts.every(state) if row.no_overdraft)
        return solvent and not any(self.balances(state).values())

    def _add(self, state: View, currency: str, posting: Posting) -> None:
        row = self._accounts.get(state, currency, *posting.account)
        held, no_overdraft = (row.balance, row.no_overdraft) if row else (0, False)
        balance = held + posting.amount
        if balance < 0 and no_overdraft:
            raise Rejected("overdraft", f"the account holds {held}")
        if abs(balance) >= AMOUNT_LIMIT:
            raise Rejected("amount-range", "the balance would be too large")
        self._accounts.put(state, AccountRow(currency, balance, no_overdraft), currency, *posting.account)
