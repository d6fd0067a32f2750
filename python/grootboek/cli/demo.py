"""``grootboek demo``: a newcomer's first command."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grootboek.cli.demonstration import Findings
    from grootboek.node.localnet import Localnet

__all__ = ["demo"]

REPLICAS = 4


async def demo(
    *,
    keep: Annotated[bool, Parameter(negative=(), help="Leave the network running, and say where.")] = False,
    folder: Annotated[
        Path | None, Parameter(name="--dir", help="Where to make the network (default: a temporary folder).")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Watch four daemons take real records, lose their primary, and prove that nothing is lost.

    Imports the example invoices, benefit lists and supply-chain events through the API, kills the
    primary with SIGKILL in the middle, starts it again, compares all replicas, and verifies every
    receipt offline. Exit code 1 where anything is not as it must be.
    """
    from grootboek.cli.demonstration import Demonstration
    from grootboek.node.localnet import Localnet, create

    started = time.monotonic()
    place = folder or Path(tempfile.mkdtemp(prefix="grootboek-demo-"))
    talk(f"founding a ledger of {REPLICAS} replicas in {place}")
    create(place, REPLICAS)
    network = Localnet(place)
    try:
        network.start()
        findings = await Demonstration(network, talk).run()
    except BaseException:
        network.stop()
        talk(f"stopped; the network's files are left in {place}")
        raise
    seconds = round(time.monotonic() - started, 2)
    findings = msgspec.structs.replace(findings, seconds=seconds, dir=str(place) if keep else None)
    if not keep:
        network.stop()
        if folder is None:
            shutil.rmtree(place)
    return Outcome(findings, lambda: _view(findings, network), Exit.OK if findings.good else Exit.FAILED)


def _view(findings: "Findings", network: "Localnet") -> "RenderableType":
    from rich.console import Group

    sets = [
        (one.module, one.files, one.applied, sum(one.refused.values()), "yes" if one.as_expected else "NO")
        for one in findings.sets
    ]
    facts = [
        ("commands that took effect", findings.committed),
        ("transactions acknowledged", findings.transactions),
        ("killed with SIGKILL", f"{findings.killed}, {findings.under_way} transactions under way"),
        ("view changes", findings.view_changes),
        ("acknowledged and lost", findings.lost),
        ("all replicas have equal state", "yes" if findings.roots_equal else "NO"),
        ("receipts verified offline", f"{findings.receipts_verified:,} of {findings.transactions:,}"),
        ("seconds", findings.seconds),
    ]
    shown = [(name, f"{value:,}" if isinstance(value, int) else str(value)) for name, value in facts]
    headings = ("records", "files", "rows applied", "rows refused", "for the right reasons")
    parts: list[RenderableType] = [table(headings, sets), "", table(("what was seen", ""), shown), ""]
    if findings.dir is not None:
        parts += [f"{one.name}: https://{one.api}" for one in network.genesis.replicas]
    return Group(*parts, "Next:", *[f"  {command}" for command in _next(findings)])


def _next(findings: "Findings") -> tuple[str, ...]:
    if findings.dir is None:
        return (
            "grootboek demo --keep",
            "grootboek localnet start --replicas 4 --dir D",
            "grootboek bench cluster --seconds 5",
        )
    genesis = Path(findings.dir) / "genesis.json"
    return (
        f"grootboek status --genesis {genesis}",
        f"grootboek policy --genesis {genesis}",
        f"grootboek localnet stop --dir {findings.dir}",
    )
