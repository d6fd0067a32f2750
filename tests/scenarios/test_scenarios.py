"""Each scenario of testdata gives the trace that is recorded in it; ``--rewrite`` records it anew."""

import re
from pathlib import Path

import pytest

from tests.scenarios.commands import Interpreter
from tests.scenarios.script import COMMAND, replayed, story

FOLDER = Path(__file__).parent / "testdata"
FILES = sorted(FOLDER.glob("*.txt"))
PAGE = Path(__file__).parents[2] / "docs/scenarios.md"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_trace_is_the_recorded_one(path: Path, request: pytest.FixtureRequest) -> None:
    recorded = path.read_text(encoding="utf-8")
    now = "\n".join(replayed(recorded, Interpreter().run)) + "\n"
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == now


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_scenario_tells_its_story_and_expects_something(path: Path) -> None:
    told = story(path)
    assert re.search(r"^Row \d+: ", told)
    assert "Rule: " in told
    assert "Seen: " in told
    assert f"{COMMAND}expect " in path.read_text(encoding="utf-8")


def test_the_page_lists_each_scenario_with_its_row() -> None:
    listed = re.findall(r"^\| (\d+) \| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for _, name in listed] == [path.stem for path in FILES]
    for row, name in listed:
        assert story(FOLDER / f"{name}.txt").startswith(f"Row {row}: ")
