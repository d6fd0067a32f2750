"""``grootboek localnet``: a ledger of several replicas on this machine.

``start``, ``stop``, ``status`` and ``kill`` are about its processes; ``add``, ``rotate`` and ``remove``
change which replicas run it, while it runs.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from grootboek.cli.exits import Exit, health_of
from grootboek.cli.modules import find_module
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, facts, table, talk
from grootboek.errors import ConfigError

if TYPE_CHECKING:
    from grootboek.cli.seats import Changes
    from grootboek.node.localnet import Localnet, Process

__all__ = ["app"]

app = App(name="localnet", help="Run a ledger of several replicas on this machine.")

Member = Annotated[int, Parameter(name="NUMBER", help="Which replica: the K of its folder replica-K.")]
Dir = Annotated[Path, Parameter(name="--dir", help="The folder of the network.")]
DEFAULT = Path("localnet")
REPLICAS = 4
MAX_REPLICAS = 100
"""On one machine."""
MAX_PORT = 65_535


@app.command
def start(
    *,
    folder: Dir = DEFAULT,
    replicas: Annotated[
        int | None, Parameter(help="How many, where the network is founded now (default: 4).")
    ] = None,
    module: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="A module to activate (default: all that are installed)."),
    ] = (),
    base_port: Annotated[
        int | None, Parameter(help="The first of two ports for each replica (default: free ones).")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Start every replica that does not run; found the network first where there is none."""
    from grootboek.node.localnet import Localnet, create

    if not (folder / "genesis.json").exists():
        count = REPLICAS if replicas is None else replicas
        _check_numbers(count, base_port)
        for name in module:
            find_module(name)
        create(folder, count, module or None, base_port=base_port)
    network = Localnet(folder)
    founded = len(network.genesis.replicas)
    if replicas not in {None, founded}:
        raise ConfigError(
            f"the network was founded with {founded} replicas, not {replicas}", where="--replicas"
        )
    network.start()
    return _outcome(network)


@app.command
def stop(*, folder: Dir = DEFAULT, json: Json = False) -> Outcome:
    """Let every replica finish what is under way, and end."""
    network = _open(folder)
    network.stop()
    return _outcome(network, Exit.OK)


@app.command
def status(*, folder: Dir = DEFAULT, json: Json = False) -> Outcome:
    """Show the processes; `grootboek status` shows what they say of the ledger.

    Exit code 0 where all are ready, 6 where a quorum is, 5 where none is.
    """
    return _outcome(_open(folder))


@app.command
def kill(
    number: Annotated[int, Parameter(help="Which replica: 0 is the first.")],
    /,
    *,
    folder: Dir = DEFAULT,
    json: Json = False,
) -> Outcome:
    """End one replica with SIGKILL, as a power cut of its machine would; `start` starts it again."""
    network = _open(folder)
    if not 0 <= number < network.count:
        raise ConfigError(f"there is no replica {number}: they are 0 to {network.count - 1}", where="NUMBER")
    network.kill(number)
    return _outcome(network, Exit.OK)


@app.command
async def add(*, folder: Dir = DEFAULT, json: Json = False) -> Outcome:
    """Let one more replica join the running network: it observes, catches up, and takes a seat."""
    from grootboek.cli.reseating import Reseating

    async with Reseating.over(_open(folder), talk) as reseating:
        return _changed(await reseating.add())


@app.command
async def rotate(number: Member, /, *, folder: Dir = DEFAULT, json: Json = False) -> Outcome:
    """Give a replica of the running network new keys."""
    from grootboek.cli.reseating import Reseating

    async with Reseating.over(_open(folder), talk) as reseating:
        return _changed(await reseating.rotate(number))


@app.command
async def remove(number: Member, /, *, folder: Dir = DEFAULT, json: Json = False) -> Outcome:
    """Let a replica leave the running network; it is stopped and its folder stays."""
    from grootboek.cli.reseating import Reseating

    async with Reseating.over(_open(folder), talk) as reseating:
        return _changed(await reseating.remove(number))


def _changed(changes: "Changes") -> Outcome:
    from grootboek.cli.replica import said

    return Outcome(changes, lambda: facts(f"epoch {changes.epoch} is open, and all are ready", said(changes)))


def _check_numbers(replicas: int, base_port: int | None) -> None:
    """Before anything is written."""
    if not 1 <= replicas <= MAX_REPLICAS:
        raise ConfigError(f"must be 1 to {MAX_REPLICAS}", where="--replicas")
    if base_port is not None and not 1 <= base_port <= MAX_PORT + 1 - 2 * replicas:
        raise ConfigError(f"{2 * replicas} ports must lie in 1 to {MAX_PORT}", where="--base-port")


def _open(folder: Path) -> "Localnet":
    from grootboek.node.localnet import Localnet

    return Localnet(folder)


def _outcome(network: "Localnet", code: Exit | None = None) -> Outcome:
    processes = network.status()
    if code is None:
        epoch = network.epochs.last
        ready = sum(process.ready and epoch.index(process.name) is not None for process in processes)
        code = health_of(epoch.quorum, epoch.quorum.n, ready)
    value = {
        "dir": str(network.folder),
        "genesis": str(network.folder / "genesis.json"),
        "keys": str(network.folder / "keys"),
        "epoch": network.epochs.last.number,
        "replicas": processes,
    }
    rows = [
        (
            process.name,
            "-" if process.pid is None else str(process.pid),
            f"https://{process.api}",
            _state(process),
        )
        for process in processes
    ]
    return Outcome(value, lambda: table(("replica", "process", "API", "state"), rows), code)


def _state(process: "Process") -> str:
    return "not running" if process.pid is None else "; ".join(process.reasons) or "ready"
