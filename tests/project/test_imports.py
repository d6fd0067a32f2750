"""Imports point one way, and ``import grootboek`` is light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python/grootboek"

BASE = {"_core", "errors", "types", "transfer", "wire", "proofs", "notes", "evidence", "disk", "plain"}

# What clients and nodes share: the forms of receipts, the API's types.
SHARED = {"receipts", "webapi"}

# What a part may import besides itself. consensus and ledger do not know each other.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "types": {"_core", "errors"},
    "transfer": set(),
    "wire": {"_core", "errors", "transfer", "types"},
    "notes": {"_core", "errors", "types", "wire"},
    "proofs": {"wire"},
    "evidence": {"_core", "errors", "types", "wire", "notes"},
    "disk": {"errors"},
    "plain": set(),
    "garbage": set(),
    "receipts": BASE,
    "webapi": {"errors", "types", "wire", "plain"},
    "consensus": BASE,
    "ledger": BASE,
    "modules": BASE | {"ledger"},
    "client": BASE | SHARED | {"ledger", "modules"},
    "network": BASE | {"consensus", "ledger", "modules"},
    "node": BASE | SHARED | {"consensus", "ledger", "modules", "network"},
    "api": BASE | SHARED | {"consensus", "ledger", "modules", "network", "node"},
    "simulation": BASE | {"consensus", "ledger", "modules", "client", "node"},
}
ALLOWED["testing"] = {"_core", *ALLOWED}
ALLOWED["bench"] = {"_core", *ALLOWED}
ALLOWED["cli"] = {"_core", *ALLOWED}

# The process of a replica joins its node with the API; nothing of the node imports it.
JOINS = {"node/daemon.py": {"api", "garbage"}}

# Deterministic parts: no clock, randomness, task, socket or log line.
PURE = ("consensus", "ledger", "modules")
BANNED_IN_PURE = {"asyncio", "random", "secrets", "socket", "threading", "structlog", "logging", "uuid"}

HEAVY = (
    "cyclopts",
    "rich",
    "aiohttp",
    "prometheus_client",
    "structlog",
    "cryptography",
    "uvloop",
    "pyrage",
    "lxml",
)


def sources() -> list[Path]:
    return [
        path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.name != "__init__.py"
    ]


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[int, str]]:
    """Line and full name of each import, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.name for alias in node.names] if node.module == "grootboek" else [""]
            found += [(node.lineno, f"{node.module}.{name}".rstrip(".")) for name in names]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = part(path)
    allowed = {own, "", "__version__"} | ALLOWED[own] | JOINS.get(str(path.relative_to(PACKAGE)), set())
    wrong = []
    for line, name in imported(path):
        root, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if root == "grootboek" and target not in allowed:
            wrong.append(f"line {line}: {own} must not import {name}")
    assert wrong == []


@pytest.mark.parametrize("join", JOINS)
def test_what_joins_two_parts_is_imported_from_above_only(join: str) -> None:
    name = "grootboek." + join.removesuffix(".py").replace("/", ".")
    own = part(PACKAGE / join)
    users = [path for path in sources() for _, used in imported(path) if used.startswith(name)]
    assert users
    assert own not in {part(path) for path in users}


def test_relative_imports_are_not_used() -> None:
    for path in sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        levels = [node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not any(levels), path


def test_deterministic_parts_have_no_clock_randomness_or_input() -> None:
    # Importers run beside the client, before anything is ordered: they may read files and draw salts.
    pure = [
        path for path in sources() if part(path) in PURE and "import" not in str(path.relative_to(PACKAGE))
    ]
    assert pure
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in pure
        for line, name in imported(path)
        if name.partition(".")[0] in BANNED_IN_PURE | {"time", "datetime"}
    ]
    assert wrong == []


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_import_grootboek_is_light() -> None:
    assert loaded_by("import grootboek").isdisjoint(HEAVY)


def test_the_module_api_is_light() -> None:
    assert loaded_by("from grootboek import Module, command, Genesis").isdisjoint(HEAVY)


def test_the_command_line_loads_only_what_it_shows() -> None:
    loaded = loaded_by("from grootboek.cli.app import run; run(['--version'])\nprint()")
    assert loaded.isdisjoint(
        {"aiohttp", "prometheus_client", "structlog", "grootboek.node", "grootboek.client"}
    )
