"""The pages say what the code says: generated pages, tables, links and commands."""

import inspect
import re
import shlex
from pathlib import Path

import pytest

from grootboek import errors
from grootboek.cli.app import build
from grootboek.cli.exits import MEANING
from grootboek.errors import CATALOGUE
from grootboek.types import Limits

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| `(\w+)` \| ([\d,]+) \|", re.MULTILINE)
CODE = re.compile(r"\bGB-\d{4}\b")
# Parts that only developers load (the simulator) may add rows of their own.
ERRORS = {code: kind for code, kind in sorted(CATALOGUE.items()) if kind.__module__ == errors.__name__}
BLOCK = re.compile(r"```(?:sh|console|bash)\n(.*?)```", re.DOTALL)


def errors_page() -> str:
    """docs/errors.md as the catalogue gives it."""
    lines = [
        "# Errors",
        "",
        "Every error has a stable code. `grootboek explain CODE` prints the same.",
        "This page is made from `grootboek.errors` by `pytest tests/project --rewrite`.",
    ]
    for code, kind in ERRORS.items():
        about = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
        lines += [
            "",
            f"## {code}: {kind.title}",
            "",
            f"`{kind.__name__}`. {about}",
            "",
            f"What to do: {kind.fix}",
        ]
    return "\n".join(lines) + "\n"


def test_the_errors_page_is_the_catalogue(request: pytest.FixtureRequest) -> None:
    page = DOCS / "errors.md"
    if request.config.getoption("--rewrite"):
        page.write_text(errors_page(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == errors_page()


@pytest.mark.parametrize("kind", ERRORS.values(), ids=str)
def test_each_error_says_what_and_what_to_do(kind: type) -> None:
    error = kind("the particulars", where="$.field")
    assert re.fullmatch(r"GB-[1-9]\d{3}", error.code)
    assert error.title[0].islower()
    assert not error.title.endswith(".")
    assert error.fix.endswith((".", "/v1/openapi.json"))
    assert str(error).startswith("$.field: the particulars")
    assert kind.__doc__


def test_the_limits_page_has_each_limit_with_its_default() -> None:
    rows = ROW.findall((DOCS / "limits.md").read_text(encoding="utf-8"))
    assert {name: int(value.replace(",", "")) for name, value in rows} == {
        field: getattr(Limits(), field) for field in Limits.__struct_fields__
    }


def test_the_table_of_exit_codes() -> None:
    page = (DOCS / "operations/running.md").read_text(encoding="utf-8")
    for code, meaning in MEANING.items():
        assert f"| {code.value} | {meaning} |" in page


def test_each_code_that_a_page_names_exists() -> None:
    named = {code for page in PAGES for code in CODE.findall(page.read_text(encoding="utf-8"))}
    assert named <= set(CATALOGUE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
    broken = [t for t in targets if t and "://" not in t and not (page.parent / t).exists()]
    assert broken == []


def commands(page: Path) -> list[str]:
    """Each command line of ``grootboek`` in the page's shell blocks, without what the shell does."""
    lines = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:^|&& |\$\()grootboek ([^|>&)]+)", line) for line in lines]
    return [match.group(1) for match in found if match is not None]


SHOWN = sorted({line.split("#")[0].strip() for page in PAGES for line in commands(page)})


def test_the_pages_show_commands() -> None:
    assert len(SHOWN) > 20


@pytest.mark.parametrize("line", SHOWN)
def test_each_command_that_a_page_shows_is_understood(line: str) -> None:
    build().parse_args(shlex.split(line), print_error=False, exit_on_error=False)


def test_the_page_of_invariants_names_files_that_exist_and_every_id_of_the_modules() -> None:
    page = (DOCS / "invariants.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]+\d+) \|.*\| (.*) \|$", page, re.MULTILINE)
    missing = [
        path for _, cell in rows for path in re.findall(r"`([^`]+)`", cell) if not (ROOT / path).exists()
    ]
    assert missing == []
    yielded = {
        found
        for path in (ROOT / "python/grootboek/modules").rglob("*.py")
        for found in re.findall(r"yield \(?\s*\"([A-Z]+\d+)\"", path.read_text(encoding="utf-8"))
    }
    assert yielded
    assert yielded <= {name for name, _ in rows}
