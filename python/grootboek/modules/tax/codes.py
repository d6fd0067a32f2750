"""Code lists of EN 16931 and what this module needs to know of each code."""

from typing import Final

from msgspec import Struct

__all__ = [
    "CATEGORIES",
    "CREDIT_TYPES",
    "INVOICE_TYPES",
    "RATE_ONE",
    "SELF_BILLED_TYPES",
    "Category",
    "percent",
]

RATE_ONE: Final = 1_000_000
"""Rates are parts per million: 21 % is 210,000. EN 16931 rates have at most four decimals of a percent."""


class Category(Struct, frozen=True):
    """A VAT category code (UNCL 5305, the subset of EN 16931)."""

    code: str
    rules: str
    """How its rules are called: the ``S`` of ``BR-S-08``."""
    name: str
    rated: bool
    """Whether tax is charged at a rate; the others always have rate and tax zero."""
    positive: bool = False
    """Whether the rate must be above zero."""


CATEGORIES: Final = {
    category.code: category
    for category in (
        Category("S", "S", "standard rated", rated=True, positive=True),
        Category("Z", "Z", "zero rated", rated=False),
        Category("E", "E", "exempt", rated=False),
        Category("AE", "AE", "reverse charge", rated=False),
        Category("K", "IC", "intra-community supply", rated=False),
        Category("G", "G", "export outside the EU", rated=False),
        Category("O", "O", "not subject to VAT", rated=False),
        Category("L", "AF", "IGIC, Canary Islands", rated=True),
        Category("M", "AG", "IPSI, Ceuta and Melilla", rated=True),
        Category("B", "B", "split payment, Italy", rated=True),
    )
}

CREDIT_TYPES: Final = frozenset({81, 83, 261, 262, 296, 308, 381, 396, 420, 458, 502, 503, 532})
"""BT-3 codes (UNTDID 1001) whose positive amounts are given back to the buyer."""

INVOICE_TYPES: Final = frozenset(
    {71, 80, 82, 84, 102, 130, 202, 203, 204, 211, 218, 219, 295, 325, 326, 331, 380, 382, 383, 384, 385}
    | {
        386,
        387,
        388,
        389,
        390,
        393,
        394,
        395,
        456,
        457,
        471,
        472,
        473,
        500,
        501,
        527,
        553,
        575,
        623,
        633,
        751,
        780,
        817,
        870,
        875,
    }
    | {876, 877, 935}
)
"""The other BT-3 codes that EN 16931 admits (BR-CL-01)."""

SELF_BILLED_TYPES: Final = frozenset({261, 389, 501, 502, 527})
"""BT-3 codes of documents that the buyer writes in the seller's name."""


def percent(rate: int) -> str:
    """A rate in parts per million as people write it: ``21``, ``5.5``."""
    whole, rest = divmod(rate, RATE_ONE // 100)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".") if rest else str(whole)
