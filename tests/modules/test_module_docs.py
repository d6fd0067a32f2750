"""The pages name every command, role, reason, query, invariant and column of their module."""

import re
from pathlib import Path

import pytest

from grootboek.ledger.module import Module
from grootboek.modules.importing import Column
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.modules.tax import Tax
from grootboek.modules.tax.importing.tables import INVOICE_COLUMNS, RATE_COLUMNS
from tests.modules.memory_view import MemoryView

DOCS = Path(__file__).parents[2] / "docs/modules"
MODULES = [Parties, Records, Tax]


@pytest.mark.parametrize("module", MODULES)
def test_pages_name_what_the_module_has(module: type[Module]) -> None:
    page = (DOCS / f"{module.name}.md").read_text()
    quoted = set(re.findall(r"`([^`\s]+)`", page))
    assert set(module.commands) | set(module.queries) | set(module.roles) <= quoted
    assert {reason for reason in module.reasons if not reason.startswith("br-")} <= quoted
    bold = set(re.findall(r"\*\*(\w+)\*\*", page))
    assert {name.split("-")[0] for name, _ in module().invariants(MemoryView())} <= bold


@pytest.mark.parametrize("column", [*INVOICE_COLUMNS, *RATE_COLUMNS], ids=lambda column: column.name)
def test_pages_describe_columns(column: Column) -> None:
    required = "yes " if column.required else ""
    line = f"| `{column.name}` | {required}| {column.doc} |"
    assert line in (DOCS / "tax.md").read_text()


@pytest.mark.parametrize("module", MODULES)
def test_every_reason_that_a_rule_gives_is_explained(module: type[Module]) -> None:
    folder = Path(__file__).parents[2] / "python/grootboek/modules"
    files = [folder / f"{module.name}.py", *sorted((folder / module.name).glob("*.py"))]
    source = "".join(path.read_text() for path in files if path.exists())
    given = set(re.findall(r'Rejected\(\s*"([^"]+)"', source))
    given |= set(re.findall(r'\.require\(state, "([^"]+)"', source))
    assert given
    assert given <= set(module.reasons)
