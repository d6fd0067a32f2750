"""What the commands of ``grootboek bench`` share: flags, and how figures are shown."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from grootboek.cli.output import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grootboek.bench.host import Host

__all__ = [
    "Ceiling",
    "Connections",
    "Keys",
    "Rate",
    "Replicas",
    "Window",
    "Work",
    "figures",
    "text_of",
]

Work = Annotated[
    Literal["anchor", "transfer", "tax", "welfare", "supply_chain", "mixed", "bulk"],
    Parameter(help="What the transactions are: see docs/performance.md."),
]
Replicas = Annotated[int, Parameter(help="Daemons.")]
Connections = Annotated[int, Parameter(help="Connections of the client, over all replicas.")]
Keys = Annotated[int, Parameter(help="Different signing keys.")]
Window = Annotated[
    int | None, Parameter(help="Closed loop: transactions under way at any time (default: 4,000 records).")
]
Rate = Annotated[
    float, Parameter(help="Open loop instead: single transactions a second, each at its own time.")
]
Ceiling = Annotated[
    int | None,
    Parameter(
        help="Transactions a second that are signed before the clock starts (default: the workload's)."
    ),
]


def figures(report: msgspec.Struct) -> "RenderableType":
    """Each figure of a report with its setting, and the machine below."""
    values = msgspec.structs.asdict(report)
    facts: Host = values.pop("host")
    setting = values.pop("setting", None)
    known = {} if setting is None else msgspec.structs.asdict(setting)
    rows = [(name, text_of(value)) for name, value in (known | values).items()]
    rows.append(("machine", f"{facts.cpu}, {facts.cores} cores, {facts.memory_mb} MB"))
    return table(("figure", "value"), rows)


def text_of(value: object) -> str:
    """A figure as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004  # two digits are enough
    return f"{value:,}" if isinstance(value, int) else str(value or "none")
