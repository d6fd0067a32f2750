"""The sample data is what ``expected.json`` says, byte for byte what its script writes, and private."""

import csv
import filecmp
import json
from pathlib import Path

import pytest

from grootboek.examples import generate_welfare
from grootboek.modules.importing import Report, Staging, stage
from grootboek.modules.vault import Vault
from grootboek.modules.welfare import Welfare
from tests.modules.driver import CHAIN, Driver
from tests.modules.memory_view import Host

EXAMPLES = Path(__file__).parents[3] / "examples/welfare"
FILES = [EXAMPLES / name for name in ("allowances.csv", "children.csv", "schemes.csv")]


async def load(driver: Driver, folder: Path) -> Report:
    with Vault.at(folder) as vault, Staging(folder, CHAIN, Welfare) as staging:
        return await driver.submit(stage(Welfare, FILES, vault=vault, staging=staging), staging)


def found(result: Report) -> list[dict[str, str]]:
    return [
        {"file": Path(file.path).name, "locator": row.locator, "rule": row.problems[0].rule, "by": by}
        for file in result.files
        for by, rows in (("import", file.refused), ("ledger", file.rejected))
        for row in rows
    ]


def table(name: str) -> list[dict[str, str]]:
    text = (EXAMPLES / name).read_text("utf-8-sig")
    delimiter = ";" if ";" in text.splitlines()[0] else ","
    return [
        {key.lower(): value for key, value in row.items()}
        for row in csv.DictReader(text.splitlines(), delimiter=delimiter)
    ]


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_every_row_ends_as_expected_and_nobody_is_named(tmp_path: Path) -> None:
    expected = json.loads((EXAMPLES / "expected.json").read_text())
    driver = Driver(Host(Welfare()))
    result = await load(driver, tmp_path)
    assert sorted(found(result), key=str) == sorted(expected["refused"], key=str)
    assert result.applied == expected["applied"]
    assert driver.host.broken() == []
    state = dict(driver.host.state.rows)
    again = await load(driver, tmp_path)
    assert (again.accepted, again.applied) == (0, result.applied)
    assert driver.host.state.rows == state
    stored = b"".join(key + value for key, value in state.items()) + b"".join(driver.sent)
    stored += content(tmp_path)
    rows = [*table("allowances.csv"), *table("children.csv")]
    personal = {row[name] for row in rows for name in ("person", "name", "iban") if len(row[name]) > 5}
    assert len(personal) > 2_000
    assert [text for text in sorted(personal)[::7] if text.encode() in stored] == []


def test_there_are_enough_beneficiaries_in_both_kinds_of_table() -> None:
    lists = [table("allowances.csv"), table("children.csv")]
    people = {row["person"] for rows in lists for row in rows if row["status"]}
    assert len(people) >= 1_000
    assert (EXAMPLES / "allowances.csv").read_bytes().startswith(b"\xef\xbb\xbfscheme;")
    assert (EXAMPLES / "children.csv").read_bytes().startswith(b"Person,")


def test_the_script_writes_these_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_welfare, "FOLDER", tmp_path)
    generate_welfare.main()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in EXAMPLES.iterdir())
    _, different, missing = filecmp.cmpfiles(tmp_path, EXAMPLES, names, shallow=False)
    assert (different, missing) == ([], [])
