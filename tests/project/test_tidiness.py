"""The style that a tool can judge: sizes, leftovers, and a reason beside each exception."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES = 500
FUNCTION_LINES = 70
MEDIAN_LINES = 8

PACKAGE = sorted((ROOT / "python/grootboek").rglob("*.py"))
TESTS = sorted(path for folder in ("tests", "benches") for path in (ROOT / folder).rglob("*.py"))
RUST = sorted((ROOT / "rust").rglob("*.rs"))
STUB = [ROOT / "python/grootboek/_core.pyi"]
SOURCES = [*PACKAGE, *TESTS, *RUST, *STUB]

LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|NotImplementedError|unimplemented!|todo!\(")
BARE_IGNORE = re.compile(
    r"#\s*type:\s*ignore(?!\[[\w, -]+\]  # \w)|#\s*noqa(?!: [A-Z]+\d+(, ?[A-Z]+\d+)*  # \w)"
)
BARE_ALLOW = re.compile(r"#!?\[(allow|expect)\((?![^)]*reason\s*=)", re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def matches(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        found += [f"{name(path)}:{text.count(chr(10), 0, m.start()) + 1}" for m in pattern.finditer(text)]
    return found


def test_the_lists_are_not_empty() -> None:
    assert PACKAGE
    assert TESTS
    assert RUST


def test_files_hold_one_idea() -> None:
    long = {name(path): n for path in SOURCES if (n := path.read_text().count("\n")) > FILE_LINES}
    assert long == {}


def test_functions_fit_a_screen() -> None:
    long = {
        f"{name(path)}:{function.name}": length(function)
        for path in [*PACKAGE, *TESTS]
        for function in functions(path)
        if length(function) > FUNCTION_LINES
    }
    assert long == {}


def test_the_median_function_is_short() -> None:
    lengths = [length(function) for path in PACKAGE for function in functions(path)]
    assert statistics.median(lengths) <= MEDIAN_LINES


def test_patterns_of_fields_mean_what_they_seem_to() -> None:
    """In Python ``$`` also matches before a line end, and ``\\d`` the digits of every script."""
    loose = re.compile(r"pattern=r?(\"[^\"]*(\\d|\\w|\$(?!\(\?!\\n\)))[^\"]*\")")
    assert matches(loose, PACKAGE) == []


def test_nothing_is_left_open() -> None:
    assert matches(LEFTOVER, [path for path in SOURCES if path != Path(__file__)]) == []


def test_each_exception_gives_its_reason() -> None:
    python = [path for path in [*PACKAGE, *TESTS, *STUB] if path != Path(__file__)]
    assert matches(BARE_IGNORE, python) == []
    assert matches(BARE_ALLOW, RUST) == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("x = 1  # type: ignore", True),
        ("x = 1  # type: ignore[attr-defined]", True),
        ("x = 1  # type: ignore[attr-defined]  # a mark on the function", False),
        ("import x  # noqa", True),
        ("import x  # noqa: F401", True),
        ("import x  # noqa: F401  # users import it from here", False),
    ],
)
def test_the_pattern_for_bare_ignores(text: str, bare: bool) -> None:
    assert bool(BARE_IGNORE.search(text)) is bare


def test_rust_forbids_unsafe_code() -> None:
    for crate in ("core", "python"):
        manifest = (ROOT / "rust" / crate / "Cargo.toml").read_text()
        assert "[lints]\nworkspace = true" in manifest
    assert 'unsafe_code = "forbid"' in (ROOT / "Cargo.toml").read_text()
