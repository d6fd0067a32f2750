#!/usr/bin/env python3
"""Writes examples/tax: invoices valid by EN 16931 and Peppol BIS Billing 3, and known bad ones.

Run it as ``python examples/generate_tax.py``; the same seed gives the same bytes. Everyone in these files
is invented. ``expected.json`` says of each bad row which rule refuses it, and who: the importer before
anything is sent, or the ledger.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from grootboek.examples.generate_tax_ubl import Company, Invoice, Item, cents, ubl

SEED = 20261124
XML_INVOICES = 150
CSV_INVOICES = 80
FOLDER = Path(__file__).parent / "tax"

RATES = [
    ("NL", "S", "21", "2012-10-01", ""),
    ("NL", "S", "9", "2019-01-01", ""),
    ("NL", "S", "19", "2001-01-01", "2012-09-30"),
    ("NL", "S", "6", "1986-10-01", "2018-12-31"),
    ("DE", "S", "19", "2021-01-01", ""),
    ("DE", "S", "7", "2021-01-01", ""),
    ("DE", "S", "19", "2007-01-01", "2020-06-30"),
    ("DE", "S", "7", "1983-07-01", "2020-06-30"),
    ("DE", "S", "16", "2020-07-01", "2020-12-31"),
    ("DE", "S", "5", "2020-07-01", "2020-12-31"),
    ("BE", "S", "21", "1996-01-01", ""),
    ("BE", "S", "12", "1996-01-01", ""),
    ("BE", "S", "6", "1996-01-01", ""),
]
NORMAL = {"NL": ("21", "9"), "DE": ("19", "7"), "BE": ("21", "6")}
ITEMS = [
    ("Bakstenen, rood", "H87", "0.48"),
    ("Kopieerpapier A4, doos", "H87", "22.95"),
    ("Onderhoud lift, kwartaal", "H87", "385.00"),
    ("Advies waterhuishouding", "HUR", "97.50"),
    ("Straatmeubilair, bank", "H87", "412.00"),
    ("Schoolboek biologie", "H87", "34.20"),
    ("Maaltijd verpleeghuis", "H87", "7.85"),
    ("Schilderwerk binnen", "MTK", "18.40"),
    ("Transport per ton", "TNE", "14.75"),
    ("Softwarelicentie, jaar", "H87", "1249.00"),
]


# --- people ---------------------------------------------------------------------------------------


def companies(rng: random.Random) -> tuple[list[Company], list[Company]]:
    """Sellers and buyers, with VAT numbers of the right form."""
    names = "Van den Berg Bouw,De Linde Zorg,Noorderlicht Energie,Kade Transport,Oost Papier,Waterkant Advies"
    names += ",Hansa Software,Elbe Logistik,Rhein Möbel,Schelde Diensten,Leie Drukwerk,Maas Techniek"
    forms = {"NL": "B.V.", "DE": "GmbH", "BE": "BV"}
    countries = ["NL"] * 6 + ["DE"] * 3 + ["BE"] * 2 + ["NL"]
    sellers = [
        company(rng, f"{name} {forms[country]}", country)
        for name, country in zip(names.split(","), countries, strict=True)
    ]
    towns = "Gemeente Duinrand,Gemeente Heideveld,Waterschap Vechtdal,Provincie Middenland,Basisschool De Eik"
    buyers = [company(rng, name, "NL") for name in towns.split(",")]
    buyers += [company(rng, f"Stadtwerke {name} GmbH", "DE") for name in ("Altdorf", "Neustein")]
    buyers += [company(rng, f"Stad {name}", "BE") for name in ("Leieburg", "Maasdal")]
    return sellers, buyers


def company(rng: random.Random, name: str, country: str) -> Company:
    """One company with an address and numbers."""
    digits = "".join(rng.choices("123456789", k=10))
    streets = {
        "NL": "Dorpsstraat",
        "DE": "Bahnhofstraße",
        "BE": "Kerkstraat",
        "JP": "Chuo-dori",
        "CH": "Seeweg",
    }
    towns = {"NL": "Duinrand", "DE": "Altdorf", "BE": "Leieburg", "JP": "Tokyo", "CH": "Seedorf"}
    zones = {"NL": f"{digits[:4]} AB", "DE": digits[:5], "BE": digits[:4], "JP": "100-0001", "CH": digits[:4]}
    vat = {"NL": f"NL{digits[:9]}B01", "DE": f"DE{digits[:9]}", "BE": f"BE0{digits[:9]}"}.get(country, "")
    scheme = {"NL": "0106", "DE": "0204", "BE": "0208"}.get(country, "0060")
    legal = {"NL": digits[:8], "BE": belgian(digits)}.get(country, digits[:9])
    street = f"{streets[country]} {rng.randint(1, 180)}"
    return Company(name, street, towns[country], zones[country], country, vat, legal, scheme)


def belgian(digits: str) -> str:
    """A Belgian enterprise number: 0, seven digits, and 97 less the rest of their division by 97."""
    return f"0{digits[:7]}{97 - int(digits[:7]) % 97:02}"


# --- scenarios ------------------------------------------------------------------------------------


class Maker:
    """Makes invoices, one scenario a method."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.sellers, self.buyers = companies(rng)
        self.count = 0

    def items(self, seller: Company, count: int) -> tuple[Item, ...]:
        """Lines at the seller's normal rate."""
        rate = NORMAL[seller.country][0]
        return tuple(self.item("S", rate) for _ in range(count))

    def item(self, category: str, rate: str) -> Item:
        """One line."""
        text, unit, price = self.rng.choice(ITEMS)
        return Item(text, unit, Decimal(self.rng.randint(1, 40)), Decimal(price), category, rate)

    def plain(self) -> Invoice:
        """A domestic invoice of one rate."""
        seller = self.rng.choice(self.sellers)
        buyer = self.rng.choice([one for one in self.buyers if one.country == seller.country])
        self.count += 1
        issued = date(2025, 1, 2) + timedelta(days=self.rng.randint(0, 640))
        number = f"{issued.year}-{self.count:05}"
        return Invoice(number, "380", issued, seller, buyer, self.items(seller, self.rng.randint(1, 4)))

    def two_rates(self) -> Invoice:
        """Normal and reduced rate on one invoice."""
        invoice = self.plain()
        reduced = self.item("S", NORMAL[invoice.seller.country][1])
        return replace(invoice, items=(*invoice.items, reduced))

    def adjusted(self) -> Invoice:
        """Allowance and charge on document level, and an allowance on a line."""
        invoice = self.plain()
        first = replace(invoice.items[0], quantity=Decimal(50), allowance=Decimal("2.50"))
        items = (first, *invoice.items[1:])
        return replace(invoice, items=items, allowance=Decimal("5.00"), charge=Decimal("12.50"))

    def prepaid(self) -> Invoice:
        """A part was paid before, and the rest is rounded to five cents."""
        invoice = self.plain()
        gross = invoice.totals()["TaxInclusiveAmount"]
        paid = cents(gross / 4)
        rest = gross - paid
        rounded = cents((rest / Decimal("0.05")).quantize(Decimal(1), ROUND_HALF_UP) * Decimal("0.05"))
        return replace(invoice, prepaid=paid, rounding=rounded - rest)

    def returned(self) -> Invoice:
        """A negative line among the others."""
        invoice = self.plain()
        back = replace(invoice.items[0], quantity=Decimal(-1), text="Retour: " + invoice.items[0].text)
        return replace(invoice, items=(*invoice.items, back))

    def exempt(self) -> Invoice:
        """Exempt beside standard rate."""
        invoice = self.plain()
        return replace(invoice, items=(*invoice.items, self.item("E", "0")))

    def reverse(self) -> Invoice:
        """Reverse charge within the country."""
        return self.of_category(self.plain(), "AE")

    def across(self) -> Invoice:
        """Intra-community supply."""
        invoice = self.plain()
        buyer = self.rng.choice([one for one in self.buyers if one.country != invoice.seller.country])
        return self.of_category(replace(invoice, buyer=buyer), "K")

    def export(self) -> Invoice:
        """Export, invoiced in a currency without minor units."""
        invoice = self.plain()
        buyer = company(self.rng, "Sakura Trading KK", "JP")
        lines = tuple(replace(item, price=Decimal(self.rng.randint(100, 9000))) for item in invoice.items)
        return self.of_category(replace(invoice, buyer=buyer, items=lines, currency="JPY"), "G")

    def foreign(self) -> Invoice:
        """Invoiced in US dollars, VAT accounted for in euros."""
        return replace(self.plain(), currency="USD", accounting="EUR")

    def outside(self) -> Invoice:
        """Not subject to VAT: a small association without VAT number."""
        invoice = self.plain()
        seller, buyer = (replace(one, vat="") for one in (invoice.seller, invoice.buyer))
        seller = replace(seller, name="Buurtvereniging " + seller.city)
        items = tuple(replace(item, category="O", rate="") for item in invoice.items)
        return replace(invoice, seller=seller, buyer=buyer, items=items)

    def self_billed(self) -> Invoice:
        """Written by the buyer."""
        return replace(self.plain(), type="389")

    def credit(self, earlier: Invoice) -> Invoice:
        """Credits the first line of an earlier invoice."""
        self.count += 1
        issued = earlier.issued + timedelta(days=20)
        number = f"C{issued.year}-{self.count:05}"
        first = replace(earlier.items[0], allowance=Decimal(0))
        return Invoice(
            number, "381", issued, earlier.seller, earlier.buyer, (first,), preceding=earlier.number
        )

    def corrected(self, earlier: Invoice) -> Invoice:
        """Takes one unit of the first line back with negative amounts."""
        credit = self.credit(earlier)
        first = replace(credit.items[0], quantity=Decimal(-1))
        return replace(credit, type="384", items=(first,))

    @staticmethod
    def of_rate(invoice: Invoice, rate: str) -> Invoice:
        """The same invoice with all lines at one rate."""
        return replace(invoice, items=tuple(replace(item, rate=rate) for item in invoice.items))

    @staticmethod
    def of_category(invoice: Invoice, category: str) -> Invoice:
        """The same invoice with all lines in a category without tax."""
        return replace(
            invoice, items=tuple(replace(item, category=category, rate="0") for item in invoice.items)
        )


def good(maker: Maker, count: int) -> list[Invoice]:
    """Valid invoices of every scenario."""
    special: Sequence[Callable[[], Invoice]] = (
        maker.two_rates, maker.adjusted, maker.prepaid, maker.returned, maker.exempt, maker.reverse,
        maker.across, maker.export, maker.foreign, maker.outside, maker.self_billed,
    )  # fmt: skip
    made: list[Invoice] = []
    while len(made) < count:
        kind = len(made) % 16
        earlier = next((one for one in reversed(made) if one.type == "380" and one.currency == "EUR"), None)
        if kind == 14 and earlier and not earlier.allowance:  # noqa: PLR2004  # a place in the rota
            made.append(maker.credit(earlier))
        elif kind == 15 and earlier and earlier.seller.country == "DE":  # noqa: PLR2004  # a place in the rota
            made.append(maker.corrected(earlier))
        else:
            made.append(special[kind]() if kind < len(special) else maker.plain())
    return made


def bad(maker: Maker, valid: Sequence[Invoice]) -> Iterator[tuple[str, str, str, Invoice]]:
    """File name, rule, who refuses it, and the invoice."""

    def spoiled(invoice: Invoice, **changes: str | Decimal) -> Invoice:
        return replace(invoice, spoil={name: str(value) for name, value in changes.items()})

    plain, mixed, paid = maker.plain(), maker.two_rates(), maker.prepaid()
    total = mixed.totals()
    raised = {name: total[name] + 5 for name in ("TaxAmount", "TaxInclusiveAmount", "PayableAmount")}
    (_, tax), (_, reduced) = list(mixed.groups().values())[:2]
    lines = plain.totals()["LineExtensionAmount"] + 10
    yield "gross", "BR-CO-15", "import", spoiled(maker.plain(), TaxInclusiveAmount="1", PayableAmount="1")
    yield "lines", "BR-CO-10", "import", spoiled(plain, LineExtensionAmount=lines)
    yield "payable", "BR-CO-16", "import", spoiled(paid, PayableAmount=paid.totals()["TaxInclusiveAmount"])
    yield "vat-total", "BR-CO-14", "import", spoiled(mixed, **raised)
    yield "vat-amounts", "BR-CO-17", "import", spoiled(mixed, tax0=tax + 900, tax1=reduced - 900)
    yield "zero-rate", "BR-S-05", "import", maker.of_rate(maker.plain(), "0")
    yield "type", "BR-CL-01", "import", replace(maker.plain(), type="999")
    yield "currency", "BR-05", "import", replace(maker.plain(), currency="")
    nowhere = maker.plain()
    yield "country", "BR-09", "import", replace(nowhere, seller=replace(nowhere.seller, country=""))
    dutch = next(one for one in valid if one.seller.country == "NL" and one.type == "380")
    old = maker.of_rate(replace(dutch, number=dutch.number + "x"), "19")
    yield "old-rate", "rate-not-valid", "ledger", old
    yield "same-number", "invoice-exists", "ledger", replace(dutch, items=(*dutch.items, dutch.items[0]))


# --- CSV ------------------------------------------------------------------------------------------

Rows = list[dict[str, str]]


def csv_rows(invoice: Invoice) -> Rows:
    """One row for each category and rate; amounts with a decimal comma."""
    totals = invoice.totals()
    shared = {
        "number": invoice.number,
        "issue_date": invoice.issued.isoformat(),
        "type": invoice.type,
        "currency": invoice.currency,
        "seller_vat": invoice.seller.vat,
        "seller_name": invoice.seller.name,
        "buyer_vat": invoice.buyer.vat,
        "buyer_name": invoice.buyer.name,
        "preceding": invoice.preceding,
        "total_net": comma(totals["TaxExclusiveAmount"]),
        "total_tax": comma(totals["TaxAmount"]),
        "total_gross": comma(totals["TaxInclusiveAmount"]),
        "payable": comma(totals["PayableAmount"]),
        "cost_centre": "4711",
    }
    return [
        shared
        | {
            "description": "; ".join(item.text for item in invoice.items if item.rate == rate),
            "category": code,
            "rate": rate,
            "taxable": comma(base),
            "tax": comma(tax),
        }
        for (code, rate), (base, tax) in invoice.groups().items()
    ]


def comma(amount: Decimal) -> str:
    """As a spreadsheet with Dutch settings writes it."""
    return str(amount).replace(".", ",")


def bad_rows(maker: Maker, valid: dict[str, str]) -> Iterator[tuple[str, str, Rows]]:
    """Rule, who refuses it, and the rows of one bad invoice."""
    spoil = {
        "BR-CO-15": {"total_gross": "1,00", "payable": "1,00"},
        "BR-CO-13": {"total_net": "1,00"},
        "date-form": {"issue_date": "31-12-2025"},
        "number-form": {"tax": "twelve"},
        "decimals": {"taxable": "10.005"},
        "BR-CL-18": {"category": "X"},
        "BR-CO-26": {"seller_vat": ""},
        "value-missing": {"number": ""},
    }
    for rule, change in spoil.items():
        yield rule, "import", [row | change for row in csv_rows(maker.plain())]
    late = maker.of_rate(maker.plain(), "17")
    yield "rate-not-valid", "ledger", csv_rows(late)
    yield "invoice-exists", "ledger", [valid | {"description": "another text"}]


# --- files ----------------------------------------------------------------------------------------


def write_xml(maker: Maker) -> list[dict[str, str]]:
    """The XML files; the entries of ``expected.json``."""
    folder = FOLDER / "invoices"
    folder.mkdir(parents=True, exist_ok=True)
    valid = good(maker, XML_INVOICES)
    for number, invoice in enumerate(valid, start=1):
        (folder / f"{number:03}.xml").write_text(ubl(invoice), encoding="utf-8")
    expected = []
    for name, rule, by, invoice in bad(maker, valid):
        (folder / f"bad-{name}.xml").write_text(ubl(invoice), encoding="utf-8")
        expected.append({"file": f"invoices/bad-{name}.xml", "locator": "", "rule": rule, "by": by})
    text = ubl(maker.plain())
    bomb = text.replace("?>\n", '?>\n<!DOCTYPE Invoice [<!ENTITY a "aaaaaaaa">]>\n', 1)
    for name, content in (("entities", bomb), ("cut-short", text[: len(text) // 2])):
        (folder / f"bad-{name}.xml").write_text(content, encoding="utf-8")
        entry = {"file": f"invoices/bad-{name}.xml", "locator": "", "rule": "GB-3001", "by": "import"}
        expected.append(entry)
    return expected


def write_csv(maker: Maker) -> tuple[int, list[dict[str, str]]]:
    """The CSV file: how many good rows, and the entries of ``expected.json``."""
    rows: Rows = []
    for number in range(CSV_INVOICES):
        rows += csv_rows(maker.two_rates() if number % 3 == 0 else maker.plain())
    count, expected = len(rows), []
    for rule, by, bad_ones in bad_rows(maker, rows[-1]):
        for row in bad_ones:
            rows.append(row)
            locator = f"row {len(rows) + 1}"
            expected.append({"file": "invoices.csv", "locator": locator, "rule": rule, "by": by})
    with (FOLDER / "invoices.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    return count, expected


def main() -> None:
    """Write everything."""
    maker = Maker(random.Random(SEED))  # noqa: S311  # the same files every time
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "rates.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["country", "category", "rate", "valid_from", "valid_until"])
        writer.writerows(RATES)
    refused = write_xml(maker)
    count, more = write_csv(maker)
    expected = {"applied": len(RATES) + XML_INVOICES + count, "refused": [*refused, *more]}
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
