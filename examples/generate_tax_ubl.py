"""Invoices for ``generate_tax.py``, and how they are written as UBL 2.1 (EN 16931, Peppol BIS 3)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.sax.saxutils import escape

CENT = Decimal("0.01")
REASONS = {
    "AE": ("VATEX-EU-AE", "Reverse charge"),
    "E": ("VATEX-EU-132", "Exempt: Article 132 of Directive 2006/112/EC"),
    "G": ("VATEX-EU-G", "Export outside the EU"),
    "K": ("VATEX-EU-IC", "Intra-community supply"),
    "O": ("VATEX-EU-O", "Not subject to VAT"),
}


@dataclass(frozen=True)
class Company:
    """A seller or buyer."""

    name: str
    street: str
    city: str
    zone: str
    country: str
    vat: str
    legal: str
    legal_scheme: str

    @property
    def endpoint(self) -> tuple[str, str]:
        """Scheme and value of the electronic address (Peppol EAS)."""
        vat_schemes = {"NL": "9944", "DE": "9930", "BE": "9925"}
        if self.vat and self.country in vat_schemes:
            return vat_schemes[self.country], self.vat
        return "0060", self.legal


@dataclass(frozen=True)
class Item:
    """An invoice line."""

    text: str
    unit: str
    quantity: Decimal
    price: Decimal
    category: str
    rate: str
    allowance: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        """BT-131."""
        return cents(self.quantity * self.price) - self.allowance


@dataclass(frozen=True)
class Invoice:
    """An invoice, from which everything else is computed."""

    number: str
    type: str
    issued: date
    seller: Company
    buyer: Company
    items: tuple[Item, ...]
    currency: str = "EUR"
    allowance: Decimal = Decimal(0)
    charge: Decimal = Decimal(0)
    prepaid: Decimal = Decimal(0)
    rounding: Decimal = Decimal(0)
    preceding: str = ""
    accounting: str = ""
    spoil: dict[str, str] = field(default_factory=dict)
    """Amounts and codes to write in place of the right ones."""

    def groups(self) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
        """Taxable amount and tax by category and rate; allowance and charge count in the first group."""
        sums: dict[tuple[str, str], Decimal] = {}
        for item in self.items:
            key = (item.category, item.rate)
            sums[key] = sums.get(key, Decimal(0)) + item.net
        first = next(iter(sums))
        sums[first] += self.charge - self.allowance
        return {key: (base, cents(base * Decimal(key[1] or 0) / 100)) for key, base in sums.items()}

    def totals(self) -> dict[str, Decimal]:
        """BT-106 to BT-115 by element name."""
        lines = sum((item.net for item in self.items), Decimal(0))
        net = lines - self.allowance + self.charge
        tax = sum((tax for _, tax in self.groups().values()), Decimal(0))
        gross = net + tax
        return {
            "LineExtensionAmount": lines,
            "TaxExclusiveAmount": net,
            "TaxInclusiveAmount": gross,
            "AllowanceTotalAmount": self.allowance,
            "ChargeTotalAmount": self.charge,
            "PrepaidAmount": self.prepaid,
            "PayableRoundingAmount": self.rounding,
            "PayableAmount": gross - self.prepaid + self.rounding,
            "TaxAmount": tax,
        }

    def value(self, name: str, right: Decimal) -> str:
        """What is written for ``name``."""
        return self.spoil.get(name, str(right))


def cents(amount: Decimal) -> Decimal:
    """Rounded to cents, halves away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


Content = str | tuple[str, str, str] | dict[str, Any] | list[Any] | None
"""Text; text with an attribute's name and value; elements inside; several of the name; nothing."""
VAT = {"cbc:ID": "VAT"}
PEPPOL = "urn:fdc:peppol.eu:2017:poacc:billing"
XMLNS = "urn:oasis:names:specification:ubl:schema:xsd:"


def element(name: str, content: Content, indent: str = "") -> str:
    """The element with everything inside it."""
    if not content:
        return ""
    if isinstance(content, list):
        return "".join(element(name, one, indent) for one in content)
    if isinstance(content, dict):
        inner = "".join(element(key, value, indent + " ") for key, value in content.items())
        return f"{indent}<{name}>\n{inner}{indent}</{name}>\n"
    text, *attribute = (content,) if isinstance(content, str) else content
    start = name + (' {}="{}"'.format(*attribute) if attribute else "")
    return f"{indent}<{start}>{escape(text)}</{name}>\n" if text else ""


def ubl(invoice: Invoice) -> str:
    """The invoice as UBL 2.1; elements stand in the order of its schema."""
    kind = "CreditNote" if invoice.type == "381" else "Invoice"
    inside = {
        "cbc:CustomizationID": f"urn:cen.eu:en16931:2017#compliant#{PEPPOL}:3.0",
        "cbc:ProfileID": f"{PEPPOL}:01:1.0",
        "cbc:ID": invoice.number,
        "cbc:IssueDate": invoice.issued.isoformat(),
        "cbc:DueDate": (invoice.issued + timedelta(days=30)).isoformat() if kind == "Invoice" else "",
        f"cbc:{kind}TypeCode": invoice.type,
        "cbc:DocumentCurrencyCode": invoice.currency,
        "cbc:TaxCurrencyCode": invoice.accounting,
        "cbc:BuyerReference": f"PO-{invoice.number}",
        "cac:BillingReference": invoice.preceding
        and {"cac:InvoiceDocumentReference": {"cbc:ID": invoice.preceding}},
        "cac:AccountingSupplierParty": {"cac:Party": party(invoice.seller, contact=True)},
        "cac:AccountingCustomerParty": {"cac:Party": party(invoice.buyer)},
        "cac:Delivery": delivery(invoice),
        "cac:PaymentMeans": {
            "cbc:PaymentMeansCode": "30",
            "cbc:PaymentID": invoice.number,
            "cac:PayeeFinancialAccount": {"cbc:ID": "NL00EXMP0123456789"},
        },
        "cac:AllowanceCharge": list(adjustments(invoice)),
        "cac:TaxTotal": list(tax_totals(invoice)),
        "cac:LegalMonetaryTotal": monetary_total(invoice),
        f"cac:{kind}Line": [line(invoice, kind, n, item) for n, item in enumerate(invoice.items, start=1)],
    }
    names = "".join(f' xmlns:{p}="{XMLNS}Common{n}Components-2"' for p, n in PREFIXES.items())
    document = element(kind, inside).replace(f"<{kind}>", f'<{kind} xmlns="{XMLNS}{kind}-2"{names}>', 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'


PREFIXES = {"cac": "Aggregate", "cbc": "Basic"}


def party(one: Company, *, contact: bool = False) -> Content:
    """A cac:Party."""
    scheme, endpoint = one.endpoint
    person = {
        "cbc:Name": "Debiteurenadministratie",
        "cbc:Telephone": "+31 88 000 0000",
        "cbc:ElectronicMail": "facturen@example.org",
    }
    return {
        "cbc:EndpointID": (endpoint, "schemeID", scheme),
        "cac:PartyName": {"cbc:Name": one.name},
        "cac:PostalAddress": address(one),
        "cac:PartyTaxScheme": {"cbc:CompanyID": one.vat, "cac:TaxScheme": VAT} if one.vat else None,
        "cac:PartyLegalEntity": {
            "cbc:RegistrationName": one.name,
            "cbc:CompanyID": (one.legal, "schemeID", one.legal_scheme),
        },
        "cac:Contact": person if contact else None,
    }


def address(one: Company) -> Content:
    """A postal address."""
    return {
        "cbc:StreetName": one.street,
        "cbc:CityName": one.city,
        "cbc:PostalZone": one.zone,
        "cac:Country": one.country and {"cbc:IdentificationCode": one.country},
    }


def delivery(invoice: Invoice) -> Content:
    """Delivery date and place, which an intra-community supply must state."""
    place = {"cac:Address": address(invoice.buyer)}
    stated = {"cbc:ActualDeliveryDate": invoice.issued.isoformat(), "cac:DeliveryLocation": place}
    return stated if invoice.items[0].category == "K" else None


def money(invoice: Invoice, amount: Decimal | str) -> Content:
    """An amount in the invoice's currency."""
    return str(amount), "currencyID", invoice.currency


def category(code: str, rate: str, **reasons: str) -> Content:
    """A VAT category."""
    return (
        {"cbc:ID": code, "cbc:Percent": rate}
        | {f"cbc:{k}": v for k, v in reasons.items()}
        | {"cac:TaxScheme": VAT}
    )


def adjustments(invoice: Invoice) -> Iterator[Content]:
    """Allowance and charge on document level."""
    first = invoice.items[0]
    kinds = (invoice.allowance, "false", "Korting"), (invoice.charge, "true", "Vrachtkosten")
    for amount, charge, reason in kinds:
        if amount:
            yield {
                "cbc:ChargeIndicator": charge,
                "cbc:AllowanceChargeReason": reason,
                "cbc:Amount": money(invoice, amount),
                "cac:TaxCategory": category(first.category, first.rate),
            }


def tax_totals(invoice: Invoice) -> Iterator[Content]:
    """The VAT breakdown, and the total in the currency of the accounts."""
    subtotals = []
    for number, ((code, rate), (base, tax)) in enumerate(invoice.groups().items()):
        reason_code, reason = REASONS.get(code, ("", ""))
        subtotals.append(
            {
                "cbc:TaxableAmount": money(invoice, base),
                "cbc:TaxAmount": money(invoice, invoice.value(f"tax{number}", tax)),
                "cac:TaxCategory": category(
                    code, rate, TaxExemptionReasonCode=reason_code, TaxExemptionReason=reason
                ),
            }
        )
    total = invoice.totals()["TaxAmount"]
    stated = money(invoice, invoice.value("TaxAmount", total))
    yield {"cbc:TaxAmount": stated, "cac:TaxSubtotal": subtotals}
    if invoice.accounting:
        converted = str(cents(total * Decimal("0.92")))
        yield {"cbc:TaxAmount": (converted, "currencyID", invoice.accounting)}


def monetary_total(invoice: Invoice) -> Content:
    """The document totals; optional ones that are zero are left out."""
    optional = {"AllowanceTotalAmount", "ChargeTotalAmount", "PrepaidAmount", "PayableRoundingAmount"}
    return {
        f"cbc:{name}": money(invoice, invoice.value(name, amount))
        for name, amount in invoice.totals().items()
        if name != "TaxAmount" and (amount or name not in optional)
    }


def line(invoice: Invoice, kind: str, number: int, item: Item) -> Content:
    """An invoice line."""
    allowance = {
        "cbc:ChargeIndicator": "false",
        "cbc:AllowanceChargeReason": "Staffelkorting",
        "cbc:Amount": money(invoice, item.allowance),
    }
    return {
        "cbc:ID": str(number),
        f"cbc:{QUANTITIES[kind]}": (str(item.quantity), "unitCode", item.unit),
        "cbc:LineExtensionAmount": money(invoice, item.net),
        "cac:AllowanceCharge": allowance if item.allowance else None,
        "cac:Item": {
            "cbc:Name": item.text,
            "cac:ClassifiedTaxCategory": category(item.category, item.rate),
        },
        "cac:Price": {"cbc:PriceAmount": money(invoice, item.price)},
    }


QUANTITIES = {"Invoice": "InvoicedQuantity", "CreditNote": "CreditedQuantity"}
