"""The text form of a scenario: comments, commands after ``>``, and indented under each its trace."""

from collections.abc import Callable, Iterator
from pathlib import Path

COMMAND = "> "
TRACE = "    "


def replayed(text: str, run: Callable[[str], list[str]]) -> Iterator[str]:
    """The lines of the scenario with the trace that ``run`` gives now; the recorded one is left out."""
    for line in text.splitlines():
        if line.startswith(TRACE):
            continue
        yield line
        if line.startswith(COMMAND):
            yield from (TRACE + told for told in run(line.removeprefix(COMMAND)))


def story(path: Path) -> str:
    """The comment that a scenario begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(line.removeprefix("#").strip() for line in lines[:end])
