"""The pages name every command, role, reason, query, invariant and column of their module."""

import re
from pathlib import Path

import pytest

from grootboek.ledger.module import Module
from grootboek.modules.conduct import Conduct
from grootboek.modules.importing import Column
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.supply_chain.importer import PREFIX_COLUMNS
from grootboek.modules.tax import Tax
from grootboek.modules.tax.importing.tables import INVOICE_COLUMNS, RATE_COLUMNS
from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare.importer import BENEFIT_COLUMNS, SCHEME_COLUMNS
from tests.modules.memory_view import MemoryView

DOCS = Path(__file__).parents[2] / "docs/modules"
MODULES = [Conduct, Parties, Records, SupplyChain, Tax, Welfare]


@pytest.mark.parametrize("module", MODULES)
def test_pages_name_what_the_module_has(module: type[Module]) -> None:
    page = (DOCS / f"{module.name}.md").read_text()
    quoted = set(re.findall(r"`([^`\s]+)`", page))
    assert set(module.commands) | set(module.queries) | set(module.roles) <= quoted
    assert {reason for reason in module.reasons if not reason.startswith("br-")} <= quoted
    bold = set(re.findall(r"\*\*(\w+)\*\*", page))
    assert {name.split("-")[0] for name, _ in module().invariants(MemoryView())} <= bold


TABLES = {
    "supply_chain": PREFIX_COLUMNS,
    "tax": (*INVOICE_COLUMNS, *RATE_COLUMNS),
    "welfare": (*BENEFIT_COLUMNS, *SCHEME_COLUMNS),
}


@pytest.mark.parametrize(("page", "columns"), TABLES.items(), ids=TABLES)
def test_pages_describe_columns(page: str, columns: tuple[Column, ...]) -> None:
    lines = (DOCS / f"{page}.md").read_text().splitlines()
    described = [
        f"| `{column.name}` | {'yes ' if column.required else ''}| {column.doc} |" for column in columns
    ]
    assert [line for line in described if line not in lines] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_reason_that_a_rule_gives_is_explained(module: type[Module]) -> None:
    folder = Path(__file__).parents[2] / "python/grootboek/modules"
    files = [folder / f"{module.name}.py", *sorted((folder / module.name).glob("*.py"))]
    source = "".join(path.read_text() for path in files if path.exists())
    given = set(re.findall(r'Rejected\(\s*"([^"]+)"', source))
    given |= set(re.findall(r'\.require\(state, "([^"]+)"', source))
    assert given
    assert given <= set(module.reasons)
