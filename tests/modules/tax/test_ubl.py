"""The UBL importer: what it reads, what it refuses, and that nothing personal gets past it."""

import builtins
import re
from pathlib import Path
from typing import Any

import lxml.etree
import pytest
from msgspec import Struct

from grootboek.errors import ImportFileError, MissingExtra
from grootboek.modules.importing import Options, Refusal, Row, Source
from grootboek.modules.tax.importing import xml
from grootboek.modules.tax.importing.ubl import UblImporter
from grootboek.modules.tax.terms import Accounting, Adjustment, RegisterTaxpayer, ReportInvoice
from grootboek.modules.vault import Vault
from grootboek.wire import encode

EXAMPLES = Path(__file__).parents[3] / "examples/tax/invoices"
PLAIN = (EXAMPLES / "002.xml").read_text()
NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:"


def find(pattern: str) -> str:
    """The first valid example that matches."""
    texts = (path.read_text() for path in sorted(EXAMPLES.glob("[0-9]*.xml")))
    return next(text for text in texts if re.search(pattern, text, re.DOTALL))


def read(tmp_path: Path, text: str | bytes, vault: Vault | None = None, **settings: str) -> Row | Refusal:
    path = tmp_path / "invoice.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    store = vault or Vault(":memory:", bytes(32))
    (row,) = UblImporter().rows(Source(path), store, Options(settings=settings))
    return row


def invoice(tmp_path: Path, text: str | bytes) -> ReportInvoice:
    row = read(tmp_path, text)
    assert isinstance(row, Row), row
    report = row.steps[-1].command
    assert isinstance(report, ReportInvoice)
    return report


def rule(tmp_path: Path, text: str) -> str:
    row = read(tmp_path, text)
    return row.problems[0].rule if isinstance(row, Refusal) else "accepted"


def without(text: str, element: str) -> str:
    """The document without the first such element."""
    changed = re.sub(rf"\s*<{element}\b[^>]*>.*?</{element}>", "", text, count=1, flags=re.DOTALL)
    assert changed != text
    return changed


def instead(text: str, element: str, value: str) -> str:
    changed = re.sub(rf"(<{element}\b[^>]*>)[^<]*(</{element}>)", rf"\g<1>{value}\g<2>", text, count=1)
    assert changed != text
    return changed


# --- what it reads ---


def test_an_allowance_and_a_charge(tmp_path: Path) -> None:
    made = invoice(tmp_path, find("Vrachtkosten"))
    assert [type(one) for one in (*made.allowances, *made.charges)] == [Adjustment, Adjustment]
    assert (made.allowances[0].amount, made.charges[0].amount) == (500, 1250)
    assert (made.totals.allowances, made.totals.charges) == (500, 1250)


def test_prepaid_and_rounding(tmp_path: Path) -> None:
    totals = invoice(tmp_path, find("PayableRoundingAmount")).totals
    assert totals.prepaid > 0
    assert totals.rounding != 0
    assert totals.payable % 5 == 0


def test_a_credit_note_names_its_invoice(tmp_path: Path) -> None:
    text = find("<CreditNote")
    made = invoice(tmp_path, text)
    assert made.type == 381
    assert len(made.preceding) == 1
    row = read(tmp_path, text)
    assert isinstance(row, Row)
    assert [step.wave for step in row.steps] == [0, 0, 2]
    row = read(tmp_path, without(text, "cac:BillingReference"))
    assert isinstance(row, Row)
    assert [step.wave for step in row.steps] == [0, 0, 1]
    assert [problem.rule for problem in row.warnings] == ["BT-25"]


def test_vat_in_the_currency_of_the_accounts(tmp_path: Path) -> None:
    text = find("TaxCurrencyCode")
    made = invoice(tmp_path, text)
    assert made.currency == "USD"
    assert isinstance(made.accounting, Accounting)
    assert made.accounting.currency == "EUR"
    assert invoice(tmp_path, instead(text, "cbc:TaxCurrencyCode", "USD")).accounting is None
    assert rule(tmp_path, instead(text, "cbc:TaxCurrencyCode", "SEK")) == "BR-53"


def test_a_currency_without_minor_units(tmp_path: Path) -> None:
    made = invoice(tmp_path, find("JPY"))
    text = find("JPY")
    assert f">{made.totals.net}.00</cbc:TaxExclusiveAmount>" in text
    assert rule(tmp_path, instead(text, "cbc:TaxExclusiveAmount", "10.50")) == "BR-DEC-12"


def test_a_seller_without_vat_number(tmp_path: Path) -> None:
    row = read(tmp_path, find("VATEX-EU-O"))
    assert isinstance(row, Row)
    assert [type(step.command) for step in row.steps] == [RegisterTaxpayer, ReportInvoice]


def test_negative_lines(tmp_path: Path) -> None:
    assert min(line.net for line in invoice(tmp_path, find("Retour: ")).lines) < 0


def test_prefixes_are_the_document_s_own_business(tmp_path: Path) -> None:
    renamed = PLAIN.replace("cac:", "a:").replace("cbc:", "b:")
    renamed = renamed.replace("xmlns:cac=", "xmlns:a=").replace("xmlns:cbc=", "xmlns:b=")
    renamed = renamed.replace("<Invoice xmlns=", "<u:Invoice xmlns:u=").replace("</Invoice>", "</u:Invoice>")
    assert invoice(tmp_path, renamed).totals == invoice(tmp_path, PLAIN).totals


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    text = PLAIN.split("?>", 1)[1]
    path = tmp_path / "x.xml"
    path.write_bytes(text.encode(encoding))
    assert UblImporter().recognises(Source(path), Options())
    assert invoice(tmp_path, text.encode(encoding)).totals == invoice(tmp_path, PLAIN).totals


def test_comments_and_spaces_inside_values(tmp_path: Path) -> None:
    text = instead(PLAIN, "cbc:DocumentCurrencyCode", "\n  EUR<!-- euro -->\n ")
    assert invoice(tmp_path, "<!-- made by hand -->".join(text.split("\n", 1))).currency == "EUR"


@pytest.mark.parametrize("date_text", ["2026-02-03", "2026-02-03Z", "2026-02-03+01:00"])
def test_the_tax_point_is_read(tmp_path: Path, date_text: str) -> None:
    anchor = "<cbc:DocumentCurrencyCode>"
    text = PLAIN.replace(anchor, f"<cbc:TaxPointDate>{date_text}</cbc:TaxPointDate>{anchor}")
    assert invoice(tmp_path, text).tax_point == "2026-02-03"


def test_the_tax_point_on_delivery(tmp_path: Path) -> None:
    text = find("ActualDeliveryDate")
    period = "<cac:InvoicePeriod><cbc:DescriptionCode>35</cbc:DescriptionCode></cac:InvoicePeriod>"
    text = text.replace("<cac:AccountingSupplierParty>", period + "<cac:AccountingSupplierParty>")
    delivered = instead(text, "cbc:ActualDeliveryDate", "2025-02-03")
    made = invoice(tmp_path, delivered)
    assert (made.tax_point, made.destination is not None) == ("2025-02-03", True)


def test_the_tax_representative_s_country(tmp_path: Path) -> None:
    scheme = "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>"
    party = f"<cac:PartyTaxScheme><cbc:CompanyID>EL123456789</cbc:CompanyID>{scheme}</cac:PartyTaxScheme>"
    place = "<cac:PaymentMeans>"
    extra = f"<cac:TaxRepresentativeParty>{party}</cac:TaxRepresentativeParty>"
    assert invoice(tmp_path, PLAIN.replace(place, extra + place)).country == "GR"


def test_many_lines_are_merged(tmp_path: Path) -> None:
    (line,) = re.findall("<cac:InvoiceLine>.*</cac:InvoiceLine>", single(), re.DOTALL)
    zero = re.sub(r"(<cbc:LineExtensionAmount[^>]*>)[^<]*", r"\g<1>0.00", line)
    assert len(invoice(tmp_path, single().replace(line, line + zero * 499)).lines) == 500
    made = invoice(tmp_path, single().replace(line, line + zero * 2_000))
    assert made.lines == invoice(tmp_path, single()).lines
    assert len(encode(made)) < 1_000


def attached(content: str) -> str:
    """An example with a document embedded (BT-125)."""
    inside = (
        f'<cbc:EmbeddedDocumentBinaryObject filename="a>b.pdf">{content}</cbc:EmbeddedDocumentBinaryObject>'
    )
    reference = f"<cac:Attachment>{inside}</cac:Attachment>"
    extra = (
        f"<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID>{reference}</cac:AdditionalDocumentReference>"
    )
    return PLAIN.replace("<cac:AccountingSupplierParty>", f"{extra}<cac:AccountingSupplierParty>")


def test_attachments_count_for_nothing(tmp_path: Path) -> None:
    assert invoice(tmp_path, attached("QUJD" * (5 << 20))).totals == invoice(tmp_path, PLAIN).totals
    assert rule(tmp_path, attached("<![CDATA[QUJD]]>")) == "accepted"


def test_a_document_type_inside_a_text_is_none(tmp_path: Path) -> None:
    note = "<cbc:Note><![CDATA[<!DOCTYPE html>]]></cbc:Note>"
    text = PLAIN.replace("<cbc:IssueDate>", f"{note}<!-- <!DOCTYPE html> --><cbc:IssueDate>", 1)
    assert invoice(tmp_path, text).totals == invoice(tmp_path, PLAIN).totals


def single() -> str:
    """An example with exactly one line."""
    texts = (path.read_text() for path in sorted(EXAMPLES.glob("[0-9]*.xml")))
    return next(text for text in texts if text.count("<cac:InvoiceLine>") == 1)


# --- what it refuses ---


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("cbc:ID", "BR-02"),
        ("cbc:IssueDate", "BR-03"),
        ("cbc:InvoiceTypeCode", "BR-04"),
        ("cbc:DocumentCurrencyCode", "BR-05"),
        ("cac:AccountingSupplierParty", "BR-06"),
        ("cac:AccountingCustomerParty", "BR-07"),
        ("cac:Country", "BR-09"),
        ("cac:TaxTotal", "BR-CO-15"),
        ("cac:TaxSubtotal", "BR-CO-18"),
        ("cac:LegalMonetaryTotal", "BR-12"),
        ("cbc:TaxExclusiveAmount", "BR-13"),
        ("cbc:TaxInclusiveAmount", "BR-14"),
        ("cbc:PayableAmount", "BR-15"),
        ("cbc:TaxableAmount", "BR-45"),
        ("cac:TaxCategory", "BR-47"),
        ("cac:ClassifiedTaxCategory", "BR-CO-04"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, element: str, expected: str) -> None:
    assert rule(tmp_path, without(single(), element)) == expected


@pytest.mark.parametrize(
    ("element", "value", "expected"),
    [
        ("cbc:IssueDate", "03-02-2026", "date-form"),
        ("cbc:IssueDate", "2026-02-30", "date-form"),
        ("cbc:InvoiceTypeCode", "invoice", "BR-CL-01"),
        ("cbc:InvoiceTypeCode", "7", "BR-CL-01"),
        ("cbc:InvoiceTypeCode", "381", "BR-CL-01"),
        ("cbc:DocumentCurrencyCode", "euro", "BR-CL-04"),
        ("cbc:DocumentCurrencyCode", "SEK", "BR-CO-15"),
        ("cbc:TaxInclusiveAmount", "1e3", "number-form"),
        ("cbc:TaxInclusiveAmount", "NaN", "number-form"),
        ("cbc:TaxInclusiveAmount", "10.005", "BR-DEC-14"),
        ("cbc:TaxInclusiveAmount", "99999999999999999", "number-range"),
        ("cbc:TaxInclusiveAmount", "1.00", "BR-CO-15"),
        ("cbc:IdentificationCode", "Nederland", "BR-09"),
        ("cbc:Percent", "0", "BR-CO-17"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, element: str, value: str, expected: str) -> None:
    assert rule(tmp_path, instead(single(), element, value)) == expected


def test_a_credit_note_is_no_invoice(tmp_path: Path) -> None:
    text = find("<CreditNote")
    assert rule(tmp_path, instead(text, "cbc:CreditNoteTypeCode", "396")) == "accepted"
    assert rule(tmp_path, instead(text, "cbc:CreditNoteTypeCode", "380")) == "BR-CL-01"


def test_a_category_of_another_profile_is_named(tmp_path: Path) -> None:
    row = read(tmp_path, PLAIN.replace("<cbc:ID>S</cbc:ID>", "<cbc:ID>AA</cbc:ID>"))
    assert isinstance(row, Refusal)
    (problem,) = row.problems
    assert problem.rule == "BR-CL-18"
    assert "EN 16931: S, Z, E" in problem.message


def test_a_buyer_of_no_known_country_is_not_registered(tmp_path: Path) -> None:
    head, buyer = PLAIN.split("<cac:AccountingCustomerParty>")
    placeless = f"{head}<cac:AccountingCustomerParty>{without(buyer, 'cac:Country')}"
    assert rule(tmp_path, placeless) == "accepted"
    unprefixed = re.sub(r"(Customer.*?<cbc:CompanyID>)[A-Z]{2}", r"\g<1>12", placeless, flags=re.DOTALL)
    assert unprefixed != placeless
    assert rule(tmp_path, unprefixed) == "BR-11"


def test_a_foreign_currency_inside_is_refused(tmp_path: Path) -> None:
    text = re.sub(r'(<cbc:PayableAmount currencyID=")EUR', r"\1SEK", single())
    assert rule(tmp_path, text) == "BR-CL-03"


def test_a_document_without_lines_is_refused(tmp_path: Path) -> None:
    assert rule(tmp_path, without(single(), "cac:InvoiceLine")) == "BR-16"


def test_a_number_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert rule(tmp_path, instead(single(), "cbc:ID", "9" * 121)) == "value-range"


BOMB = '<!DOCTYPE lolz [<!ENTITY a "lol">{}]>'.format(
    "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
)
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "content",
    [
        f"{BOMB}<Invoice>&i;</Invoice>",
        f"{EXTERNAL}<Invoice>&a;</Invoice>",
        '<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><Invoice/>',
        f"<!-- > --><?pi ?>\n<!-- <a> -->{BOMB}<Invoice>&i;</Invoice>",
        f'<?xml version="1.0" encoding="cp037"?>{BOMB}<Invoice a="&i;"/>'.encode("cp037"),
        f'<?xml version="1.0" encoding="utf-16"?>{BOMB}<Invoice>&i;</Invoice>'.encode("utf-16"),
        "<a>" * 300 + "</a>" * 300,
        "<Invoice>&undefined;</Invoice>",
        PLAIN[:-20],
        "<html><body>no invoice</body></html>",
        f'<Invoice xmlns="{NAMESPACE}Order-2"/>',
        "",
        "\0\0\0",
        PLAIN.encode("utf-8").replace(b"Postbus", b"\xff\xfe").replace(b"EUR", b"\xff\xfe"),
    ],
)
def test_hostile_and_foreign_documents_are_refused_as_files(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(ImportFileError) as caught:
        read(tmp_path, content)
    assert caught.value.code == "GB-3001"
    assert caught.value.where.endswith("invoice.xml")


def test_a_document_type_is_refused_before_anything_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(lxml.etree, "fromstring")
    for content in (f"{BOMB}<Invoice>&i;</Invoice>".encode(), f"{BOMB}<Invoice/>".encode("utf-16")):
        with pytest.raises(ImportFileError, match="document type declarations"):
            read(tmp_path, content)


def test_too_large_a_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "XML_BYTES", 1_000)
    with pytest.raises(ImportFileError, match="1000 bytes"):
        read(tmp_path, PLAIN)


def test_a_missing_lxml_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("lxml"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(MissingExtra, match=r"grootboek\[import\]"):
        read(tmp_path, PLAIN)


# --- privacy ---


def commands(tmp_path: Path, text: str, vault: Vault) -> list[Struct]:
    row = read(tmp_path, text, vault)
    assert isinstance(row, Row)
    return [step.command for step in row.steps]


def test_nothing_personal_is_in_the_commands(tmp_path: Path) -> None:
    vault = Vault(":memory:", bytes(32))
    sent = b"".join(encode(command) for command in commands(tmp_path, PLAIN, vault))
    personal = re.findall(
        r"<cbc:(?:Name|RegistrationName|StreetName|CompanyID|EndpointID)[^>]*>([^<]+)", PLAIN
    )
    assert len(personal) > 8
    assert [text for text in personal if text.encode() in sent] == []
    assert [text for text in personal if text.split()[0].encode() in sent] == []


def test_the_same_file_gives_the_same_commands(tmp_path: Path) -> None:
    vault, other = Vault(":memory:", bytes(32)), Vault(":memory:", bytes(32))
    first = commands(tmp_path, PLAIN, vault)
    assert commands(tmp_path, PLAIN, vault) == first
    assert commands(tmp_path, PLAIN, other) != first


def test_nothing_of_a_refused_document_is_kept(tmp_path: Path) -> None:
    vault = Vault(":memory:", bytes(32))
    row = read(tmp_path, instead(PLAIN, "cbc:TaxInclusiveAmount", "1.00"), vault)
    assert isinstance(row, Refusal)
    assert vault._db.execute("SELECT count(*) FROM fields").fetchone() == (0,)
    assert vault._db.execute("SELECT count(*) FROM identities").fetchone() == (0,)


def test_registration_can_be_left_to_the_authority(tmp_path: Path) -> None:
    row = read(tmp_path, PLAIN, register="no")
    assert isinstance(row, Row)
    assert [type(step.command) for step in row.steps] == [ReportInvoice]
