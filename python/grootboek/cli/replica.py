"""``grootboek replica``: who runs the ledger, now and in the next epoch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from grootboek.cli.drafting import Cosigning, Drafting
from grootboek.cli.fields import public_half
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, facts, table
from grootboek.errors import ConfigError
from grootboek.modules.replicas import Admit, Dismiss, Replicas
from grootboek.types import ReplicaInfo
from grootboek.wire import Member

if TYPE_CHECKING:
    from msgspec import Struct

    from grootboek._core import SigningKey
    from grootboek.cli.seats import Changes, Present

__all__ = ["app", "said"]

app = App(name="replica", help="Add, re-key, replace or remove the replicas of a ledger.")

Governor = Annotated[
    tuple[Path, ...],
    Parameter(negative=(), help="The key file of a governor who signs; may be repeated."),
]


@app.command(name="list")
async def list_(*, ledger: Ledger | None = None, json: Json = False) -> Outcome:
    """Show the present epoch: its replicas, who observes, how many governors must agree."""
    from grootboek.cli.seats import present

    async with (ledger or Ledger()).resolved().client() as client:
        now = await present(client)
    row = now.row
    value = {
        "epoch": row.number,
        "opened_by_height": row.height,
        "approvals": row.approvals,
        "height": now.height,
        "proven": now.proven,
        "replicas": row.members,
        "observers": row.observers,
    }
    places = [(str(i), member) for i, member in enumerate(row.members)]
    places += [("observes", member) for member in row.observers]
    rows = [(i, one.name, one.address, f"https://{one.api}", one.voting.hex()[:16]) for i, one in places]
    asked = f"governors who must agree: {row.approvals}" if row.approvals else "there are no governors"
    title = f"epoch {row.number} at height {now.height}{'' if now.proven else ' (not proven yet)'}; {asked}"
    return Outcome(
        value, lambda: table(("index", "replica", "replicas at", "API", "voting key"), rows, title)
    )


@app.command
async def seat(
    data: Annotated[
        Path, Parameter(name="DIR", help="The replica's data directory; the replica runs on it.")
    ],
    /,
    *,
    output: Annotated[Path, Parameter(help="The file to write, for those who govern. It holds no secret.")],
    rotate: Annotated[
        bool, Parameter(negative=(), help="With new keys, which wait in DIR/keys.next until they are named.")
    ] = False,
    address: Annotated[
        str | None, Parameter(help="host:port where others will reach it (default: as now).")
    ] = None,
    api: Annotated[str | None, Parameter(help="host:port where clients will (default: as now).")] = None,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Sign a replica's seat in the next epoch, beside its own keys."""
    from grootboek.cli.seats import present, take, write
    from grootboek.network.addresses import split_address
    from grootboek.node.keyfiles import KeyFiles

    for flag, place in (("--address", address), ("--api", api)):
        if place is not None:
            split_address(place, flag)
    options = (ledger or Ledger()).resolved()
    keys = KeyFiles(data / "keys", options.passphrase_file)
    async with options.client() as client:
        now = await present(client)
        now.require_governors()
        file = await take(client, now, data, keys, rotate=rotate, address=address, api=api)
    write(output, file)
    one = file.seat
    value = {
        "file": str(output),
        "replica": one.member.name,
        "epoch": file.epoch,
        "height": one.height,
        "rotated": rotate,
    }
    text = f"seat of {one.member.name} in epoch {file.epoch}: send {output} to those who govern"
    return Outcome(value, lambda: text)


@app.command(name="open")
async def open_(
    seats: Annotated[
        tuple[Path, ...], Parameter(name="SEAT", help="The seats of all replicas of the epoch.")
    ],
    /,
    *,
    governor: Governor = (),
    without: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="The name of a replica that leaves; each other one needs a seat."),
    ] = (),
    approvals: Annotated[
        int | None, Parameter(help="How many governors must agree to the epoch after it (default: as now).")
    ] = None,
    cosigning: Cosigning | None = None,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Open the next epoch: exactly the replicas with these seats run it.

    Refuses before anything is submitted where the seats make no epoch, or no quorum of it is there.
    """
    from grootboek.cli.seats import open_epoch, opening, present, read

    options, drafting = (ledger or Ledger()).resolved(), (cosigning or Cosigning()).resolved()
    keys = _keys(options, governor)
    files = [(str(path), read(path)) for path in seats]
    async with options.client(Replicas, keys=keys) as client:
        now = await present(client)
        _check_governors(now, keys, drafting)
        if drafting is not None:
            return drafting.write(client, await opening(client, now, files, approvals, without))
        changes = await open_epoch(client, now, files, approvals, without)
    return Outcome(changes, lambda: facts(f"epoch {changes.epoch} is open", said(changes)))


@app.command
async def admit(
    public: Annotated[
        Path, Parameter(name="NAME.json", help="The replica's public half: `init replica` wrote it.")
    ],
    /,
    *,
    governor: Governor = (),
    cosigning: Cosigning | None = None,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Let a replica follow the ledger as an observer, so that it can take a seat later."""
    info = public_half(public, ReplicaInfo, "replica")
    done = Outcome({"admitted": info.name}, lambda: f"{info.name} may observe: start it, it catches up")
    return await _govern(ledger, governor, cosigning, Admit(Member.of(info)), done)


@app.command
async def dismiss(
    name: Annotated[str, Parameter(help="The observer's name.")],
    /,
    *,
    governor: Governor = (),
    cosigning: Cosigning | None = None,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Let an observer follow no longer."""
    done = Outcome({"dismissed": name}, lambda: f"{name} observes no longer")
    return await _govern(ledger, governor, cosigning, Dismiss(name), done)


def said(changes: "Changes") -> list[tuple[str, str]]:
    """What an epoch changes, for people."""
    named = {
        "replicas": changes.replicas,
        "added": changes.added,
        "removed": changes.removed,
        "other keys": changes.rekeyed,
        "reached elsewhere": changes.moved,
    }
    return [(what, ", ".join(names)) for what, names in named.items() if names]


async def _govern(
    ledger: Ledger | None,
    governor: Sequence[Path],
    cosigning: Cosigning | None,
    command: "Struct",
    done: Outcome,
) -> Outcome:
    """Submit a command that governors sign, or draft it: ``done``, or the draft. Raises Rejected."""
    from grootboek.cli.seats import present

    options, drafting = (ledger or Ledger()).resolved(), (cosigning or Cosigning()).resolved()
    keys = _keys(options, governor)
    async with options.client(Replicas, keys=keys) as client:
        _check_governors(await present(client), keys, drafting)
        if drafting is not None:
            return drafting.write(client, command)
        (await client.submit(command)).require()
    return done


def _keys(options: Ledger, files: Sequence[Path]) -> "tuple[SigningKey, ...]":
    """The governors' keys, each once; raises KeyFileError."""
    from grootboek.node.keystore import Identity, unlock

    found = [unlock(file, options.passphrase_file, Identity).key for file in files]
    return tuple({key.public: key for key in found}.values())


def _check_governors(now: "Present", keys: "Sequence[SigningKey]", drafting: Drafting | None) -> None:
    needed = now.require_governors().approvals
    signing = {key.public for key in keys}.union(drafting.cosigners if drafting else ())
    if len(signing) < needed:
        detail = (
            f"{len(signing)} keys sign, and {needed} governors must agree: repeat --governor or --cosigner"
        )
        raise ConfigError(detail, where="--governor")
