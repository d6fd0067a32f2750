"""The tutorial's module works as its page says, and the README shows the same module."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def tutorial() -> Iterator[Any]:
    """The page's Python blocks as one module."""
    code = "\n".join(BLOCK.findall((ROOT / "docs/tutorial-module.md").read_text(encoding="utf-8")))
    module = ModuleType("city_parking")
    sys.modules[module.__name__] = module  # where its type hints are looked up
    exec(compile(code, "tutorial-module.md", "exec"), module.__dict__)  # noqa: S102  # our own page
    yield module
    del sys.modules[module.__name__]


async def test_the_page_s_own_test_passes(tutorial: Any) -> None:
    await tutorial.test_a_vehicle_holds_one_permit()


def test_the_module_explains_each_reason_that_it_gives(tutorial: Any) -> None:
    page = (ROOT / "docs/tutorial-module.md").read_text(encoding="utf-8")
    assert set(re.findall(r'Rejected\("([a-z-]+)"\)', page)) == set(tutorial.Parking.reasons)


def test_the_readme_shows_the_same_rule() -> None:
    page = (ROOT / "docs/tutorial-module.md").read_text(encoding="utf-8")
    shown = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))[1]
    statements = [line.strip() for line in shown.splitlines() if line.startswith("        ")]
    assert len(statements) > 4
    assert [line for line in statements if line not in page] == []
