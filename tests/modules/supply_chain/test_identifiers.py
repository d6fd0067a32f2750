"""Names in one canonical form (GS1 EPC Tag Data Standard, GS1 Digital Link)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.modules.supply_chain.identifiers import GS1, canonical, check_digit, prefixes, site

FORMS = [
    ("urn:epc:id:sgtin:4012345.011122.25", "/01/04012345111224/21/25"),
    ("urn:epc:id:sgtin:0614141.712345.32a%2Fb", "/01/70614141123451/21/32a%2Fb"),
    ("urn:epc:idpat:sgtin:4012345.044444.*", "/01/04012345444445"),
    ("urn:epc:class:lgtin:4012345.012345.998877", "/01/04012345123456/10/998877"),
    ("urn:epc:id:upui:1234567.089456.51qIgY)%3C%26Jp3*j7", "/01/01234567894560/235/51qIgY%29%3C%26Jp3%2Aj7"),
    ("urn:epc:id:sscc:0614141.1234567890", "/00/106141412345678908"),
    ("urn:epc:id:sgln:0614141.00777.0", "/414/0614141007776"),
    ("urn:epc:id:sgln:0614141.07346.1234", "/414/0614141073467/254/1234"),
    ("urn:epc:id:pgln:0614141.00777", "/417/0614141007776"),
    ("urn:epc:id:grai:4012345.55555.987", "/8003/04012345555554987"),
    ("urn:epc:id:giai:4000001.12345", "/8004/400000112345"),
    ("urn:epc:id:gdti:0614141.06012.1234", "/253/06141410601221234"),
    ("urn:epc:id:sgcn:4012345.67890.04711", "/255/401234567890104711"),
    ("urn:epc:id:gsrn:0614141.0000010253", "/8018/061414100000102534"),
    ("urn:epc:id:gsrnp:0614141.0000010253", "/8017/061414100000102534"),
    ("urn:epc:id:ginc:0614141.xyz47%2F11", "/401/0614141xyz47%2F11"),
    ("urn:epc:id:gsin:0614141.123456789", "/402/06141411234567890"),
    ("urn:epc:id:cpi:0614141.5PQ7%2FZ43.12345", "/8010/06141415PQ7%2FZ43/8011/12345"),
    ("urn:epc:id:itip:4012345.012345.01.02.987", "/8006/040123451234560102/21/987"),
    ("https://shop.example/some/path/01/04012345111224/21/25?linkType=all", "/01/04012345111224/21/25"),
    ("https://shop.example/2026/01/04012345111224/21/25", "/01/04012345111224/21/25"),
    ("https://id.gs1.org/01/4012345111224/10/L1/21/25", "/01/04012345111224/21/25"),
    ("https://id.gs1.org/01/04012345111224/22/2A/10/L1", "/01/04012345111224/10/L1"),
    ("https://id.gs1.org/gtin/04012345111224", "/01/04012345111224"),
    ("https://id.gs1.org/414/0614141007776/254/0", "/414/0614141007776"),
    ("https://id.gs1.org/00/106141412345678908/", "/00/106141412345678908"),
]
OTHERS = [
    "urn:epc:id:sgtin:4012345.0111.25",
    "urn:epc:id:sgtin:4012345.011122",
    "urn:epc:id:gid:95100000.12345.400",
    "urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8",
    "https://example.com/01/12",
    "https://example.com/items/4711",
    "https://id.gs1.org/01/04012345111224/21",
]


@pytest.mark.parametrize(("uri", "path"), FORMS)
def test_forms(uri: str, path: str) -> None:
    if uri.startswith("urn:epc:") or path.startswith("/00"):
        assert canonical(f" {uri} ") == GS1 + path
    assert canonical(uri) == GS1 + path
    assert canonical(GS1 + path) == GS1 + path


@pytest.mark.parametrize("uri", OTHERS)
def test_any_other_uri_stands_for_itself(uri: str) -> None:
    assert canonical(uri) == uri


@pytest.mark.parametrize(
    ("digits", "check"), [("629104150021", "3"), ("0401234511122", "4"), ("10614141234567890", "8")]
)
def test_check_digits(digits: str, check: str) -> None:
    assert check_digit(digits) == check


@given(st.text(max_size=60))
def test_any_text_has_one_form(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once


@given(
    st.integers(6, 12).flatmap(
        lambda n: st.tuples(st.integers(0, 10**n - 1).map(lambda v: f"{v:0{n}}"), st.just(13 - n))
    ),
    st.text("!'()*+,-.:;=_ABCxyz019/%&?\"<>", min_size=1, max_size=20),
)
def test_serials_of_any_character_survive(company: tuple[str, int], serial: str) -> None:
    prefix, width = company
    quoted = "".join(f"%{ord(c):02X}" if c in '/%&?"<>' else c for c in serial)
    uri = canonical(f"urn:epc:id:sgtin:{prefix}.{'7'.ljust(width, '1')}.{quoted}")
    if serial == "*":
        return
    assert uri.startswith(f"{GS1}/01/7{prefix}")
    assert canonical(uri) == uri
    assert prefix in list(prefixes(uri))


def test_prefixes() -> None:
    assert list(prefixes(canonical("urn:epc:id:sgtin:4012345.011122.25")))[:2] == [
        "401234511122",
        "40123451112",
    ]
    assert "4012345" in list(prefixes(canonical("urn:epc:id:giai:4012345.ABC")))
    assert "0614141" in list(prefixes(canonical("urn:epc:id:sscc:0614141.1234567890")))
    assert list(prefixes("https://example.com/items/4711"))[:2] == [
        "https://example.com/items/",
        "https://example.com/",
    ]
    assert list(prefixes("nothing")) == []


def test_sites() -> None:
    assert site("urn:epc:id:sgln:0614141.07346.1234") == site("urn:epc:id:sgln:0614141.07346.0")
    assert site("https://example.com/place") == "https://example.com/place"
