#!/usr/bin/env python3
"""Writes examples/welfare: schemes, benefit lists with their payments, and known bad rows.

Run it as ``python examples/generate_welfare.py``; the same seed gives the same bytes. Everyone in these
files is invented: personal numbers start with T, banks are called TEST. ``expected.json`` says of each bad
row which rule refuses it, and who: the importer before anything is sent, or the ledger.
"""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SEED = 20261125
FOLDER = Path(__file__).parent / "welfare"
HOUSEHOLDS = 620
CHILDREN = 480
PERIOD = "2026-01"
NAMES = """Amina de Vries, Bram Jansen, Chiara Bakker, Daan Yilmaz, Eva Visser, Femke Smit, Goran el Amrani,
Hana Meijer, Ilse Mulder, Joris Bos, Katja Vos, Lars Peeters, Mila Wu, Noor Özdemir, Omar Kaya, Pien Kok"""
RETURNS = ("AC04", "AC06", "MD07")
FATES = ("ok",) * 43 + ("returned",) * 3 + ("instructed",) * 4
RULE = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

SCHEMES = [
    {
        "scheme": "housing-2026",
        "periods": "month",
        "rule": RULE,
        "first": "2026-01",
        "last": "2026-12",
        "exclusions": "living-costs",
        "appropriation": "2.500.000,00",
        "reference": "Budget act 2026, XVIII art. 3",
    },
    {
        "scheme": "energy-2026",
        "periods": "month",
        "rule": RULE[::-1],
        "first": "2026-01",
        "last": "2026-03",
        "exclusions": "living-costs",
        "appropriation": "40.000,00",
        "reference": "Supplementary budget 2026-1",
    },
    {
        "scheme": "child-2026",
        "periods": "month",
        "rule": RULE,
        "first": "2026-01",
        "last": "2026-12",
        "exclusions": "",
        "appropriation": "1.200.000,00",
        "reference": "Budget act 2026, XV art. 10",
    },
]

Row = dict[str, str]


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist."""

    number: str
    name: str
    iban: str


class Maker:
    """Makes people and rows from one stream of random numbers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._next = 10_000_000

    def person(self) -> Person:
        """Another person, with a number of her own."""
        self._next += self.rng.randint(1, 90)
        first, last = (self.rng.choice(NAMES.split(",")).split(maxsplit=1)[part] for part in (0, 1))
        name = f"{first} {last}"
        return Person(f"T{self._next}", name, self.iban())

    def iban(self) -> str:
        """A valid number at a bank that does not exist."""
        account = f"TEST{self.rng.randrange(10**10):010}"
        digits = "".join(str(int(character, 36)) for character in f"{account}NL00")
        return f"NL{98 - int(digits) % 97:02}{account}"

    def payment(self, scheme: str, cents: int, person: Person | None = None) -> Row:
        """One good row: most payments were settled, some came back, some are on their way."""
        who = person or self.person()
        row = {
            "scheme": scheme,
            "person": who.number,
            "name": who.name,
            "iban": who.iban,
            "period": PERIOD,
            "component": "base",
            "amount": str(cents),
            "status": "",
            "value_date": "",
            "reason": "",
        }
        fate = self.rng.choice(FATES)
        if fate == "ok":
            row |= {"status": "ok", "value_date": f"2026-01-{self.rng.randint(20, 23)}"}
        elif fate == "returned":
            row |= {
                "status": "returned",
                "value_date": f"2026-01-{self.rng.randint(26, 30)}",
                "reason": self.rng.choice(RETURNS),
            }
        return row


def allowances(maker: Maker) -> tuple[list[Row], list[tuple[int, str, str]]]:
    """Housing and energy allowances; the bad rows as (index, rule, by)."""
    rows: list[Row] = []
    bad: list[tuple[int, str, str]] = []

    def spoil(rule: str, by: str, row: Row) -> None:
        bad.append((len(rows), rule, by))
        rows.append(row)

    def good(cents: int, scheme: str = "housing-2026") -> Row:
        rows.append(maker.payment(scheme, cents) | {"exclusions": "living-costs"})
        return rows[-1]

    # What the ledger refuses depends on what came before: both rows of such a pair stand side by side at
    # the top, so that they travel in one transaction.
    helped = good(21_250)
    spoil("excluded", "ledger", helped | {"scheme": "energy-2026", "amount": "9500", "status": ""})
    moved = good(18_800)
    spoil("account-not-payable", "ledger", moved | {"component": "rent", "iban": maker.iban(), "status": ""})
    long = good(17_500) | {"enrolled_from": "2026-01", "enrolled_until": "2026-06"}
    rows[-1] = long
    spoil("enrolled", "ledger", long | {"component": "rent", "enrolled_until": "2026-12"})
    spoil("exclusion-missing", "ledger", maker.payment("housing-2026", 15_000) | {"status": ""})
    spoil(
        "budget-short", "ledger", good(5_000) | {"scheme": "energy-2026", "amount": "4000001", "status": ""}
    )
    rows[-1] |= {"person": maker.person().number}
    spoil("scheme-exists", "ledger", good(5_000) | {"component": "week", "period": "2026-W03"})
    for number in range(HOUSEHOLDS):
        energy = number % 4 == 0
        if energy:
            good(maker.rng.randrange(8_000, 12_000), "energy-2026")
        else:
            good(maker.rng.randrange(9_000, 46_000))
    for rule, change in IMPORT_SPOILS.items():
        row = maker.payment("housing-2026", 20_000) | {"exclusions": "living-costs"}
        spoil(rule, "import", row | change)
    spoil("W5", "import", rows[40])
    return rows, bad


IMPORT_SPOILS = {
    "iban-check": {"iban": "NL00TEST0123456789"},
    "iban-form": {"iban": "1234 56 789"},
    "value-missing": {"person": ""},
    "period-form": {"period": "January"},
    "amount-form": {"amount": "twelve euros"},
    "amount-range": {"amount": "-20000"},
    "decimals": {"amount": "20000.05"},
    "currency-form": {"currency": "EURO"},
    "status-form": {"status": "perhaps"},
    "date-form": {"status": "ok", "value_date": "2026-02-30"},
}


def children(maker: Maker) -> list[Row]:
    """Child benefits: families with one to three children, a component for each."""
    rows: list[Row] = []
    while len({row["person"] for row in rows}) < CHILDREN:
        parent = maker.person()
        for child in range(1, maker.rng.choice((2, 2, 3, 4))):
            cents = maker.rng.choice((26_976, 32_757, 38_538))
            rows.append(maker.payment("child-2026", cents, parent) | {"component": f"child-{child}"})
    return rows


def euros(text: str, *, comma: bool) -> str:
    """Cents as a list writes them; what is no number stays."""
    if not text.lstrip("-").replace(".", "", 1).isdigit():
        return text
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, rest = digits.partition(".")
    amount = f"{sign}{int(whole) // 100:,}.{int(whole) % 100:02}{rest}"
    return amount.replace(",", "|").replace(".", ",").replace("|", ".") if comma else amount.replace(",", "")


def write(path: Path, rows: Sequence[Row], columns: Sequence[str], *, dutch: bool) -> None:
    """Semicolons, decimal commas, CRLF and a byte order mark, or commas, points, LF and none."""
    with path.open("w", encoding="utf-8-sig" if dutch else "utf-8", newline="") as file:
        end = "\r\n" if dutch else "\n"
        writer = csv.DictWriter(
            file, columns, restval="", delimiter=";" if dutch else ",", lineterminator=end
        )
        writer.writeheader()
        for row in rows:
            amount = {"amount": euros(row["amount"], comma=dutch)} if "amount" in row else {}
            writer.writerow(row | amount)


def main() -> None:
    """Write everything."""
    maker = Maker(random.Random(SEED))  # noqa: S311  # the same files every time
    FOLDER.mkdir(parents=True, exist_ok=True)
    paid = ["amount", "currency", "status", "value_date", "reason"]
    rows, bad = allowances(maker)
    columns = ["scheme", "person", "name", "iban", "period", "component", *paid]
    columns += ["enrolled_from", "enrolled_until", "exclusions", "case_officer"]
    write(FOLDER / "allowances.csv", rows, columns, dutch=True)
    families = children(maker)
    columns = ["Person", "Name", "IBAN", "Value_Date", "Status", "Reason", "Amount", "Component", "Period"]
    titled = [{name.title(): value for name, value in row.items()} for row in families]
    titled = [row | {"IBAN": row["Iban"], "amount": row["Amount"]} for row in titled]
    named = [
        {key: row[key] for key in columns if key in row}
        | {"Scheme": row["Scheme"], "Amount": euros(row["Amount"], comma=False)}
        for row in titled
    ]
    write(FOLDER / "children.csv", named, [*columns, "Scheme", "remarks"], dutch=False)
    write(FOLDER / "schemes.csv", SCHEMES, list(SCHEMES[0]), dutch=True)
    expected = {
        "applied": len(SCHEMES) + len(rows) - len(bad) + len(families),
        "refused": [
            {"file": "allowances.csv", "locator": f"row {index + 2}", "rule": rule, "by": by}
            for index, rule, by in bad
        ],
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
