"""The sample data is what ``expected.json`` says, byte for byte what its script writes."""

import filecmp
import json
from collections import Counter
from pathlib import Path

import pytest

from grootboek.examples import generate_supply_chain
from grootboek.modules.importing import Report, Staging, stage
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.vault import Vault
from tests.modules.driver import CHAIN, Driver
from tests.modules.memory_view import Host

EXAMPLES = Path(__file__).parents[3] / "examples/supply_chain"
FILES = [EXAMPLES / "prefixes.csv", *sorted(EXAMPLES.glob("*.jsonld"))]


async def load(driver: Driver, folder: Path) -> Report:
    with Vault.at(folder) as vault, Staging(folder, CHAIN, SupplyChain) as staging:
        return await driver.submit(stage(SupplyChain, FILES, vault=vault, staging=staging), staging)


def found(result: Report) -> list[dict[str, str]]:
    return [
        {"file": Path(file.path).name, "locator": row.locator, "rule": row.problems[0].rule, "by": by}
        for file in result.files
        for by, rows in (("import", file.refused), ("ledger", file.rejected))
        for row in rows
    ]


async def test_every_event_ends_as_expected(tmp_path: Path) -> None:
    expected = json.loads((EXAMPLES / "expected.json").read_text())
    driver = Driver(Host(SupplyChain()))
    result = await load(driver, tmp_path)
    assert sorted(found(result), key=str) == sorted(expected["refused"], key=str)
    assert result.applied == expected["applied"]
    assert driver.host.broken() == []
    state = dict(driver.host.state.rows)
    again = await load(driver, tmp_path)
    assert (again.accepted, again.applied) == (0, result.applied)
    assert driver.host.state.rows == state
    # Without the vault commitments are others: the ledger takes such an event for another content.
    again = await load(driver, tmp_path / "another vault")
    assert driver.host.state.rows == state
    assert set(again.reasons) - set(result.reasons) == set()


def test_there_are_enough_events_of_every_type() -> None:
    kinds = Counter(
        event["type"]
        for path in EXAMPLES.glob("[123]-*.jsonld")
        for event in json.loads(path.read_text())["epcisBody"]["eventList"]
    )
    assert kinds.total() >= 500
    names = ("Object", "Aggregation", "Transaction", "Transformation", "Association")
    assert set(kinds) == {f"{name}Event" for name in names}


def test_the_script_writes_these_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_supply_chain, "FOLDER", tmp_path)
    generate_supply_chain.main()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in EXAMPLES.iterdir())
    _, different, missing = filecmp.cmpfiles(tmp_path, EXAMPLES, names, shallow=False)
    assert (different, missing) == ([], [])
