"""``grootboek init replica | identity | ledger``: founding a ledger, each organisation its own part.

Private keys never leave the machine that made them: each organisation sends the public half, and
whoever puts the genesis file together holds no secret.
"""

import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import App, Parameter

from grootboek.cli.modules import find_module
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, facts
from grootboek.disk import RealDisk
from grootboek.errors import ConfigError, GenesisError, KeyFileError
from grootboek.node import keystore
from grootboek.node.journal import Journal
from grootboek.types import Genesis, Party, ReplicaInfo

__all__ = ["app"]

app = App(name="init", help="Make keys, and found a ledger.")

PartOf = TypeVar("PartOf", ReplicaInfo, Party)

PassphraseFile = Annotated[
    Path | None,
    Parameter(env_var="GROOTBOEK_PASSPHRASE_FILE", help="A file with the passphrase (else asked)."),
]
PARTY_BYTES = 16


@app.command
def replica(
    data: Annotated[Path, Parameter(help="The replica's data directory; made if missing.")],
    /,
    *,
    name: Annotated[str, Parameter(help="The replica's name, unique in the ledger.")],
    address: Annotated[str, Parameter(help="host:port where the other replicas reach it.")],
    api: Annotated[str, Parameter(help="host:port where clients reach it.")],
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> Outcome:
    """Make the keys of one replica, and NAME.json for the founders: its public half."""
    public = data / f"{name}.json"
    if public.parent != data or name.startswith("."):
        raise ConfigError(f"{name!r} cannot be the name of a file", where="--name")
    _check_new(public)
    keys = keystore.ReplicaKeys.generate(name)
    half = keys.public(address, api)
    keystore.save(data / "keys", keys, _new_passphrase(passphrase_file))
    Journal.found(RealDisk(data))
    _write(public, half)
    value = {"data": str(data), "keys": str(data / "keys"), "public": str(public)}
    return Outcome(
        value, lambda: f"keys in {data / 'keys'}\nsend {public} to the founders; it holds no secret"
    )


@app.command
def identity(
    file: Annotated[Path, Parameter(help="The key file to make.")],
    /,
    *,
    role: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="A role it should have at the start, for example tax.authority."),
    ] = (),
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> Outcome:
    """Make the key of a party that signs transactions, and FILE.json for the founders."""
    public = file.with_name(f"{file.name}.json")
    _check_new(public)
    one = keystore.Identity.generate(file.name)
    keystore.save(file, one, _new_passphrase(passphrase_file))
    party = Party(
        id=secrets.token_hex(PARTY_BYTES),
        keys=(one.key.public.hex(),),
        roles=tuple(sorted(set(role))),
    )
    _write(public, party)
    value = {"key": str(file), "public": str(public), "party": party.id}
    return Outcome(value, lambda: f"key in {file}\nsend {public} to the founders; it holds no secret")


@app.command
def ledger(
    output: Annotated[Path, Parameter(help="The genesis file to write.")],
    /,
    *,
    name: Annotated[
        str, Parameter(help="The chain's name, like a URL without https://: ledger.example/taxes.")
    ],
    replica: Annotated[tuple[Path, ...], Parameter(negative=(), help="The public half of a replica.")],
    party: Annotated[tuple[Path, ...], Parameter(negative=(), help="The public half of a party.")] = (),
    module: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="A module to activate (default: all that are installed)."),
    ] = (),
    json: Json = False,
) -> Outcome:
    """Put the genesis file together. It is public; every founder compares its digest."""
    genesis = Genesis(
        name=name,
        time=time.time_ns() // 1_000_000,
        modules=_modules(module),
        replicas=tuple(_read(path, ReplicaInfo) for path in replica),
        parties=tuple(_read(path, Party) for path in party),
    )
    genesis.check()
    _write(output, genesis)
    quorum = genesis.quorum
    rows = [
        ("file", str(output)),
        ("origin", genesis.chain.origin),
        ("digest", genesis.chain.digest.hex()),
        ("replicas", f"{quorum.n}, of which {quorum.faults} may fail; a quorum is {quorum.quorum}"),
        ("modules", ", ".join(f"{module} v{version}" for module, version in genesis.modules.items())),
    ]
    value = {"file": str(output), "origin": genesis.chain.origin, "digest": genesis.chain.digest}
    return Outcome(value, lambda: facts("compare the digest with every founder", rows))


def _modules(names: Sequence[str]) -> dict[str, int]:
    from grootboek.ledger import installed

    chosen = [find_module(name) for name in names] if names else installed()
    return {module.name: module.version for module in sorted(chosen, key=lambda module: module.name)}


def _new_passphrase(file: Path | None) -> bytes:
    """From the file, else typed twice."""
    first = keystore.read_passphrase(file, "New passphrase: ")
    if file is None and sys.stdin.isatty() and keystore.read_passphrase(None, "Again: ") != first:
        raise KeyFileError("the two passphrases differ")
    return first


def _check_new(path: Path) -> None:
    """Before anything is made: a key without its public half would be of no use."""
    if path.exists():
        raise ConfigError("the file exists already; nothing was changed", where=str(path))


def _write(path: Path, value: msgspec.Struct) -> None:
    _check_new(path)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def _read(path: Path, kind: type[PartOf]) -> PartOf:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise GenesisError(os.strerror(error.errno or 0), where=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GenesisError(str(error), where=str(path)) from error
