"""UBL 2.1 Invoice and CreditNote (EN 16931-3-2, Peppol BIS Billing 3): one document, one row."""

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from grootboek.errors import ImportFileError
from grootboek.ledger.module import Module
from grootboek.modules.days import Day
from grootboek.modules.importing import BadField, Importer, Options, Refusal, Row, Source
from grootboek.modules.importing.tables import parse_date, parse_decimal
from grootboek.modules.money import exponent
from grootboek.modules.tax import Tax
from grootboek.modules.tax.codes import CATEGORIES, CREDIT_TYPES, INVOICE_TYPES
from grootboek.modules.tax.importing import xml
from grootboek.modules.tax.importing.documents import SETTINGS, Document, PartyData, rows, vat_country
from grootboek.modules.tax.terms import Accounting, Adjustment, Breakdown, Line, Totals
from grootboek.modules.vault import Vault

__all__ = ["UblImporter"]

_UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES: Final = {
    "cac": f"{_UBL}CommonAggregateComponents-2",
    "cbc": f"{_UBL}CommonBasicComponents-2",
}
_ROOTS: Final = {f"{{{_UBL}Invoice-2}}Invoice": "Invoice", f"{{{_UBL}CreditNote-2}}CreditNote": "CreditNote"}
_PERCENT_DECIMALS: Final = 4
_TYPES: Final = {"Invoice": INVOICE_TYPES | {81}, "CreditNote": CREDIT_TYPES}
"""BR-CL-01, by the document's root; 81 may stand in both."""
_DECIMALS: Final = {
    "BT-92": "BR-DEC-01",
    "BT-99": "BR-DEC-05",
    "BT-106": "BR-DEC-09",
    "BT-107": "BR-DEC-10",
    "BT-108": "BR-DEC-11",
    "BT-109": "BR-DEC-12",
    "BT-110": "BR-DEC-13",
    "BT-112": "BR-DEC-14",
    "BT-111": "BR-DEC-15",
    "BT-113": "BR-DEC-16",
    "BT-114": "BR-DEC-17",
    "BT-115": "BR-DEC-18",
    "BT-116": "BR-DEC-19",
    "BT-117": "BR-DEC-20",
    "BT-131": "BR-DEC-23",
}
"""The rule that limits each amount's decimals."""
_ON_DELIVERY: Final = "35"
"""BT-8 in UBL (UNTDID 2005): the tax point is the delivery date."""
_TRUE: Final = ("true", "1")


class UblImporter(Importer):
    """Reads UBL 2.1 invoices and credit notes."""

    module: ClassVar[type[Module]] = Tax
    settings = SETTINGS

    def recognises(self, source: Source, options: Options) -> bool:
        """Every XML file: what is no invoice is refused by name."""
        del options
        return xml.looks_like(source)

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """One row, or why it is refused."""
        root = xml.parse(source, _NAMESPACES)
        kind = _ROOTS.get(root.tag)
        if kind is None:
            raise ImportFileError(f"{root.tag} is no UBL 2.1 Invoice or CreditNote", where=str(source.path))
        try:
            document = _Reader(root, kind).document(source.digest.hex())
        except BadField as bad:
            yield Refusal("", (bad.problem,))
            return
        yield from rows(document, ("",), vault, options)


class _Reader:
    """One document. Methods raise BadField with the rule that is broken."""

    def __init__(self, root: xml.Node, kind: str) -> None:
        self._root = root
        self._kind = kind
        self._currency = _currency(_needed(root, "cbc:DocumentCurrencyCode", "BR-05", "BT-5"), "BT-5")

    def document(self, digest: str) -> Document:
        root = self._root
        seller = self._party("cac:AccountingSupplierParty/cac:Party", "seller")
        issued = _date(_needed(root, "cbc:IssueDate", "BR-03", "BT-2"), "BT-2")
        total = self._tax_total()
        lines = root.all(f"cac:{self._kind}Line")
        if not lines:
            raise BadField("BR-16", "there is no line (BG-25)")
        return Document(
            seller=seller,
            buyer=self._party("cac:AccountingCustomerParty/cac:Party", "buyer"),
            number=_needed(root, "cbc:ID", "BR-02", "BT-1"),
            issued=issued,
            type=self._type(),
            currency=self._currency,
            country=self._country(seller),
            destination=self._destination(),
            tax_point=self._tax_point(issued),
            lines=tuple(self._line(line) for line in lines),
            texts=tuple(_line_text(line) for line in lines),
            allowances=self._adjustments(charge=False),
            charges=self._adjustments(charge=True),
            breakdown=tuple(self._group(group) for group in total.all("cac:TaxSubtotal")),
            totals=self._totals(total),
            accounting=self._accounting(),
            preceding=self._preceding(),
            digest=digest,
        )

    def _type(self) -> int:
        text = _needed(self._root, f"cbc:{self._kind}TypeCode", "BR-04", "BT-3")
        if not re.fullmatch("[0-9]{1,3}", text) or int(text) not in _TYPES[self._kind]:
            raise BadField("BR-CL-01", f"BT-3 is no type code of UNTDID 1001 for UBL's {self._kind}")
        return int(text)

    def _amount(self, node: xml.Node, path: str, rule: str, term: str) -> int:
        """A mandatory amount in the document's currency."""
        found = node.first(path)
        if found is None or not found.text():
            raise BadField(rule, f"{term} is missing")
        currency = found.attribute("currencyID")
        if currency and currency != self._currency:
            raise BadField("BR-CL-03", f"{term} is in {currency}, the document in {self._currency}")
        return _number(found.text(), self._currency, term)

    def _optional(self, node: xml.Node, path: str, term: str) -> int:
        return self._amount(node, path, "", term) if node.text(path) else 0

    def _tax_total(self) -> xml.Node:
        """The one TaxTotal in the document's currency, BT-110."""
        found = [
            total
            for total in self._root.all("cac:TaxTotal")
            if (amount := total.first("cbc:TaxAmount")) is not None
            and amount.attribute("currencyID") in {"", self._currency}
        ]
        if len(found) != 1:
            raise BadField("BR-CO-15", f"there are {len(found)} VAT totals in {self._currency} (BT-110)")
        if not found[0].all("cac:TaxSubtotal"):
            raise BadField("BR-CO-18", "there is no VAT breakdown (BG-23)")
        return found[0]

    def _accounting(self) -> Accounting | None:
        """BT-6 and BT-111, where VAT is accounted for in another currency."""
        code = self._root.text("cbc:TaxCurrencyCode")
        if not code or code == self._currency:
            return None
        currency = _currency(code, "BT-6")
        for total in self._root.all("cac:TaxTotal"):
            amount = total.first("cbc:TaxAmount")
            if amount is not None and amount.attribute("currencyID") == currency:
                return Accounting(currency, _number(amount.text(), currency, "BT-111"))
        raise BadField("BR-53", f"the VAT total in {currency} is missing (BT-111)")

    def _totals(self, total: xml.Node) -> Totals:
        root = "cac:LegalMonetaryTotal/cbc:"
        return Totals(
            lines=self._amount(self._root, f"{root}LineExtensionAmount", "BR-12", "BT-106"),
            allowances=self._optional(self._root, f"{root}AllowanceTotalAmount", "BT-107"),
            charges=self._optional(self._root, f"{root}ChargeTotalAmount", "BT-108"),
            net=self._amount(self._root, f"{root}TaxExclusiveAmount", "BR-13", "BT-109"),
            tax=self._amount(total, "cbc:TaxAmount", "BR-CO-15", "BT-110"),
            gross=self._amount(self._root, f"{root}TaxInclusiveAmount", "BR-14", "BT-112"),
            prepaid=self._optional(self._root, f"{root}PrepaidAmount", "BT-113"),
            rounding=self._optional(self._root, f"{root}PayableRoundingAmount", "BT-114"),
            payable=self._amount(self._root, f"{root}PayableAmount", "BR-15", "BT-115"),
        )

    def _line(self, line: xml.Node) -> Line:
        net = self._amount(line, "cbc:LineExtensionAmount", "BR-24", "BT-131")
        category, rate = _category(line, "cac:Item/cac:ClassifiedTaxCategory", "BR-CO-04", "BT-151")
        return Line(net, category, rate)

    def _adjustments(self, *, charge: bool) -> tuple[Adjustment, ...]:
        amount_rule, category_rule, term = (
            ("BR-36", "BR-37", "BT-99") if charge else ("BR-31", "BR-32", "BT-92")
        )
        found: list[Adjustment] = []
        for node in self._root.all("cac:AllowanceCharge"):
            if (node.text("cbc:ChargeIndicator") in _TRUE) == charge:
                amount = self._amount(node, "cbc:Amount", amount_rule, term)
                found.append(Adjustment(amount, *_category(node, "cac:TaxCategory", category_rule, term)))
        return tuple(found)

    def _group(self, group: xml.Node) -> Breakdown:
        taxable = self._amount(group, "cbc:TaxableAmount", "BR-45", "BT-116")
        tax = self._amount(group, "cbc:TaxAmount", "BR-46", "BT-117")
        return Breakdown(taxable, tax, *_category(group, "cac:TaxCategory", "BR-47", "BT-118"))

    def _preceding(self) -> tuple[str, ...]:
        references = self._root.all("cac:BillingReference/cac:InvoiceDocumentReference")
        return tuple(_needed(reference, "cbc:ID", "BR-55", "BT-25") for reference in references)

    def _tax_point(self, issued: Day) -> Day:
        """BT-7, else the delivery date (BT-72) where BT-8 says so, else the issue date."""
        given = self._root.text("cbc:TaxPointDate")
        if not given and self._root.text("cac:InvoicePeriod/cbc:DescriptionCode") == _ON_DELIVERY:
            given = self._root.text("cac:Delivery/cbc:ActualDeliveryDate")
        return _date(given, "BT-7") if given else issued

    def _country(self, seller: PartyData) -> str:
        """Whose VAT it is: that of the seller's tax representative (BT-63), else of the seller."""
        representative = _vat_number(self._root.first("cac:TaxRepresentativeParty"))
        return vat_country(representative) or vat_country(seller.vat_number) or seller.country

    def _destination(self) -> str | None:
        path = "cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode"
        code = self._root.text(path)
        return _country_code(code, "BR-57", "BT-80") if code else None

    def _party(self, path: str, who: str) -> PartyData:
        party = self._root.first(path)
        if party is None:
            raise BadField("BR-06" if who == "seller" else "BR-07", f"the {who} is missing")
        vat_number = _vat_number(party)
        country = party.text("cac:PostalAddress/cac:Country/cbc:IdentificationCode")
        if who == "buyer":
            country = country or vat_country(vat_number) or ""
        if who == "seller" or country or vat_number:
            country = _country_code(country, "BR-09" if who == "seller" else "BR-11", f"the {who}'s country")
        identity = _identity(party, vat_number)
        if not identity:
            raise BadField("BR-CO-26" if who == "seller" else "BR-07", f"nothing identifies the {who}")
        return PartyData(
            identity=identity,
            country=country,
            vat_number=vat_number,
            name=_name(party),
            address=_address(party),
        )


def _needed(node: xml.Node, path: str, rule: str, term: str) -> str:
    text = node.text(path)
    if not text:
        raise BadField(rule, f"{term} is missing")
    return text


def _number(text: str, currency: str, term: str) -> int:
    return parse_decimal(text, exponent(currency), term, rule=_DECIMALS[term])


def _date(text: str, term: str) -> Day:
    """A date; a time zone, which xs:date admits, is dropped."""
    return parse_date(re.sub(r"(Z|[+-]\d\d:\d\d)$", "", text), term).isoformat()


def _currency(text: str, term: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise BadField("BR-CL-04", f"{term} is no ISO 4217 code")
    return text


def _country_code(text: str, rule: str, term: str) -> str:
    if not re.fullmatch("[A-Z0-9]{2}", text):
        raise BadField(rule, f"{term} is no ISO 3166-1 code")
    return text


def _category(node: xml.Node, path: str, rule: str, term: str) -> tuple[str, int]:
    """VAT category and rate in parts per million; of several categories the one of scheme VAT."""
    found = node.all(path)
    chosen = next((one for one in found if one.text("cac:TaxScheme/cbc:ID").upper() == "VAT"), None)
    category = chosen or (found[0] if found else None)
    if category is None:
        raise BadField(rule, f"the VAT category ({term}) is missing")
    code = category.text("cbc:ID")
    if code not in CATEGORIES:
        known = ", ".join(CATEGORIES)
        raise BadField("BR-CL-18", f"the VAT category ({term}) is none of those of EN 16931: {known}")
    rate = category.text("cbc:Percent")
    return code, parse_decimal(rate, _PERCENT_DECIMALS, "the VAT rate") if rate else 0


def _vat_number(party: xml.Node | None) -> str:
    """BT-31, BT-48 or BT-63: the company id of tax scheme VAT, without spaces and dots."""
    for scheme in party.all("cac:PartyTaxScheme") if party else ():
        if scheme.text("cac:TaxScheme/cbc:ID").upper() == "VAT":
            return re.sub(r"[\s.-]", "", scheme.text("cbc:CompanyID")).upper()
    return ""


def _identity(party: xml.Node, vat_number: str) -> tuple[str, ...]:
    """VAT number, tax registration, legal registration, identifier, electronic address, or name."""
    if vat_number:
        return ("vat", vat_number)
    for kind, path in (
        ("tax", "cac:PartyTaxScheme/cbc:CompanyID"),
        ("legal", "cac:PartyLegalEntity/cbc:CompanyID"),
        ("identifier", "cac:PartyIdentification/cbc:ID"),
        ("address", "cbc:EndpointID"),
    ):
        found = party.first(path)
        if found is not None and found.text():
            return (kind, found.attribute("schemeID"), found.text())
    name = _name(party)
    return ("name", name, _address(party)) if name else ()


def _name(party: xml.Node) -> str:
    return party.text("cac:PartyLegalEntity/cbc:RegistrationName") or party.text("cac:PartyName/cbc:Name")


def _address(party: xml.Node) -> str:
    names = ("StreetName", "AdditionalStreetName", "CityName", "PostalZone", "CountrySubentity")
    parts = [party.text(f"cac:PostalAddress/cbc:{name}") for name in names]
    return "\n".join(part for part in parts if part)


def _line_text(line: xml.Node) -> str:
    """BT-153, BT-154 and BT-127."""
    parts = [line.text("cac:Item/cbc:Name"), line.text("cac:Item/cbc:Description"), line.text("cbc:Note")]
    return "\n".join(part for part in parts if part)
