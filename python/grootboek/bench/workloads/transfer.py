"""``transfer``: money moves between two accounts of a money book."""

from collections.abc import Iterator, Sequence

from grootboek.bench.workloads.tax import COUNTRY, payment
from grootboek.bench.workloads.workload import (
    REGISTRAR,
    Draft,
    Roles,
    Workload,
    encoded,
    offices,
    packed,
    registered,
    today,
)
from grootboek.modules.tax import Tax
from grootboek.modules.tax.module import AUTHORITY, TREASURER
from grootboek.modules.tax.terms import RegisterTaxpayer

__all__ = ["TransferWorkload"]

ACCOUNTS = 1_000


class TransferWorkload(Workload):
    """Single ``PayTax`` commands: of all that move money in a money book (``modules.money``) the plainest.

    It is the command that does this and little else: from the account of one of 1,000 taxpayers to that
    of the treasury, with a row that keeps its reference from being used twice.
    """

    name = "transfer"
    modules = ("parties", "tax")
    ceiling = 12_000

    def __init__(self, keys: int) -> None:
        self._treasuries = offices("transfer treasury", keys)
        self._taxpayers = offices("transfer account", ACCOUNTS)
        self._today = today()

    def prepare(self, roles: Roles, _count: int) -> Iterator[Sequence[Draft]]:
        """Who may move money, and the accounts."""
        accounts = (encoded(Tax, RegisterTaxpayer(one.party, COUNTRY)) for one in self._taxpayers)
        yield [
            *registered(roles[REGISTRAR], self._treasuries, TREASURER),
            *packed(roles[AUTHORITY], accounts),
        ]

    def transactions(self, count: int) -> Iterator[Draft]:
        """See Workload."""
        for number in range(count):
            yield payment(self._treasuries, self._taxpayers, number, self._today)
