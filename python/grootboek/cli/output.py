"""What commands print: data on stdout, talk and errors on stderr, progress only on a terminal.

With ``--json`` stdout has exactly one JSON value, also where the command fails. Colour follows the
terminal and NO_COLOR.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec
from rich.console import Console

from grootboek import plain
from grootboek.cli.exits import Exit
from grootboek.errors import GrootboekError

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "Outcome",
    "Step",
    "console",
    "facts",
    "moment",
    "progress",
    "report",
    "show",
    "table",
    "talk",
    "to_json",
]


class Outcome(msgspec.Struct, frozen=True):
    """What a command returns: a value for programs, the same for people, and the exit code."""

    value: object
    """What ``--json`` prints; bytes become lower-case hex."""
    text: "Callable[[], RenderableType | bytes]"
    """Makes what is printed without ``--json``, and only then: for people, or bytes for a file."""
    exit: Exit = Exit.OK


def show(outcome: Outcome, *, json: bool) -> None:
    """Print the outcome on stdout."""
    if json:
        sys.stdout.write(to_json(outcome.value) + "\n")
        return
    text = outcome.text()
    if isinstance(text, bytes):
        sys.stdout.buffer.write(text)
    elif isinstance(text, str):
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        console().print(text)


def to_json(value: object) -> str:
    """``value`` as indented JSON; bytes as lower-case hex, tuples as arrays."""
    return msgspec.json.format(plain.to_json(value), indent=2).decode()


def table(headings: Iterable[str], rows: Iterable[Iterable[object]], title: str = "") -> "RenderableType":
    """A table; a cell that is an integer stands to the right and gets its thousands marked."""
    from rich.table import Table

    kept = [list(row) for row in rows]
    view = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for i, heading in enumerate(headings):
        numeric = all(isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in kept)
        view.add_column(heading, justify="right" if kept and numeric else "left", overflow="fold")
    for row in kept:
        view.add_row(*[_cell(cell) for cell in row])
    return view


def facts(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Names and values below a title: plain lines, so that no terminal breaks an id in two."""
    width = max(len(name) for name, _ in rows)
    return "\n".join((title, *(f"  {name:{width}}  {value}" for name, value in rows)))


def moment(milliseconds: int) -> str:
    """Agreed time for people: ISO 8601, UTC; a number where no calendar has it."""
    try:
        return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms since 1970"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return "" if value is None else str(value)


def talk(text: str) -> None:
    """Say something to the person who watches, on stderr."""
    console(stderr=True).print(text, style="dim", highlight=False, markup=False, soft_wrap=True)


def report(error: GrootboekError, *, json: bool) -> None:
    """Say what went wrong, where, and what to do: on stderr, or as the JSON value on stdout."""
    if json:
        sys.stdout.write(to_json({"error": _facts(error)}) + "\n")
        return
    from rich.text import Text

    text = Text.assemble(("error", "bold red"), " ", (error.code, "bold"), " ", error.title, "\n")
    for label, part in (("what ", error.detail), ("where", error.where), ("fix  ", error.fix)):
        if part:
            text.append_text(Text.assemble("  ", (label, "dim"), "  ", part, "\n"))
    console(stderr=True).print(text, end="", highlight=False, soft_wrap=True)


def _facts(error: GrootboekError) -> dict[str, str]:
    parts = {"code": error.code, "title": error.title, "what": error.detail}
    return parts | {"where": error.where, "fix": error.fix}


class Step(Protocol):
    """Tells how far a long piece of work is."""

    def __call__(self, done: int, total: int, /) -> None:
        """``done`` of ``total`` units; ``total`` 0 where it is not known."""


@contextmanager
def progress(label: str) -> Iterator[Step]:
    """A progress bar on stderr while the block runs; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield step


class _Console(Console):
    """Leaves a closed pipe to ``app.run``, which knows that it is no failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Where text for people goes."""
    return _Console(stderr=stderr)
