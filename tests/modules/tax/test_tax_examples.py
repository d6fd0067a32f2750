"""The sample data is what ``expected.json`` says, byte for byte what its script writes, and private."""

import filecmp
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from grootboek.examples import generate_tax
from grootboek.modules.importing import Report, Staging, export, stage
from grootboek.modules.tax import Tax
from grootboek.modules.vault import Vault
from tests.modules.driver import CHAIN, Driver
from tests.modules.memory_view import Host

EXAMPLES = Path(__file__).parents[3] / "examples/tax"
FILES = [EXAMPLES / name for name in ("rates.csv", "invoices.csv", "invoices")]


async def load(driver: Driver, folder: Path) -> Report:
    with Vault.at(folder) as vault, Staging(folder, CHAIN, Tax) as staging:
        return await driver.submit(stage(Tax, FILES, vault=vault, staging=staging), staging)


def found(result: Report) -> list[dict[str, str]]:
    """The refused rows in the form of ``expected.json``."""
    rows = []
    for file in result.files:
        for by, refused in (("import", file.refused), ("ledger", file.rejected)):
            name = str(Path(file.path).relative_to(EXAMPLES))
            rows += [
                {"file": name, "locator": row.locator, "rule": row.problems[0].rule, "by": by}
                for row in refused
            ]
    return sorted(rows, key=str)


async def test_every_row_ends_as_expected(tmp_path: Path) -> None:
    expected = json.loads((EXAMPLES / "expected.json").read_text())
    driver = Driver(Host(Tax()))
    result = await load(driver, tmp_path)
    assert found(result) == sorted(expected["refused"], key=str)
    assert result.applied == expected["applied"]
    assert driver.host.broken() == []
    state = dict(driver.host.state.rows)
    again = await load(driver, tmp_path)
    assert (again.accepted, again.applied) == (0, result.applied)
    assert driver.host.state.rows == state


def test_there_are_enough_invoices_of_every_kind() -> None:
    texts = [path.read_text() for path in (EXAMPLES / "invoices").glob("[0-9]*.xml")]
    rows = (EXAMPLES / "invoices.csv").read_text("utf-8-sig").splitlines()[1:]
    numbers = {row.split(";")[0] for row in rows}
    assert len(texts) + len(numbers) >= 200
    kinds = Counter(re.findall(r"TypeCode>(\d+)<", "".join(texts)))
    assert min(kinds[code] for code in ("380", "381", "384", "389")) > 0
    categories = set(re.findall(r"<cac:TaxCategory>\s*<cbc:ID>(\w+)<", "".join(texts)))
    assert categories == {"S", "E", "AE", "K", "G", "O"}


def test_the_script_writes_these_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_tax, "FOLDER", tmp_path)
    generate_tax.main()
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(names) == sorted(
        str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()
    )
    _, different, missing = filecmp.cmpfiles(tmp_path, EXAMPLES, names, shallow=False)
    assert (different, missing) == ([], [])


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_no_name_or_number_reaches_the_ledger(tmp_path: Path) -> None:
    driver = Driver(Host(Tax()))
    await load(driver, tmp_path)
    stored = b"".join(key + value for key, value in driver.host.state.rows.items()) + b"".join(driver.sent)
    stored += content(tmp_path)
    tags = "Name|RegistrationName|StreetName|CompanyID|EndpointID"
    personal: set[str] = set()
    for path in (EXAMPLES / "invoices").glob("[0-9]*.xml"):
        personal |= set(re.findall(rf"<cbc:(?:{tags})[^>]*>([^<]{{6,}})<", path.read_text()))
    assert len(personal) > 40
    assert [text for text in sorted(personal) if text.encode() in stored] == []


async def test_refused_rows_can_be_corrected_and_imported(tmp_path: Path) -> None:
    driver = Driver(Host(Tax()))
    result = await load(driver, tmp_path / "work")
    texts = dict(export(result, Tax))
    table = texts["invoices.refused.csv"]
    assert table.splitlines()[0].endswith("refused_rule;refused_reason")
    header, *rows = table.splitlines()
    (row,) = [row for row in rows if ";date-form;" in row]
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(f"{header}\n{row.replace('31-12-2025', '2025-12-31')}\n", encoding="utf-8")
    folder = tmp_path / "work"
    with Vault.at(folder) as vault, Staging(folder, CHAIN, Tax) as staging:
        result = await driver.submit(stage(Tax, [corrected], vault=vault, staging=staging), staging)
    assert (result.accepted, result.applied, result.refused) == (1, 1, 0)
