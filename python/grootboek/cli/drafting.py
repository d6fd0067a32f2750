"""Options of commands that several sign, and the file that then goes from signer to signer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from grootboek.cli.fields import public_half
from grootboek.cli.output import Outcome, facts, moment
from grootboek.errors import ConfigError, DraftError, GenesisError
from grootboek.types import Genesis, Millis, Party

if TYPE_CHECKING:
    from msgspec import Struct

    from grootboek.client import AsyncClient, Draft
    from grootboek.ledger import Registry
    from grootboek.wire import Command

__all__ = ["Cosigning", "Drafting", "opens", "read", "told"]

SHOWN = 2_000
"""Characters of a command's fields that a person is shown."""


@Parameter(name="*")
@dataclass(frozen=True)
class Cosigning:
    """Who signs elsewhere; where there is anybody, a draft is written and nothing is submitted."""

    cosigner: Annotated[
        tuple[Path, ...],
        Parameter(
            negative=(),
            help="FILE.json, the public half of a party that signs elsewhere; may be repeated.",
        ),
    ] = ()
    draft: Annotated[Path | None, Parameter(help="The file to write for the cosigners.")] = None
    expiry: Annotated[
        str | None,
        Parameter(
            help="Until when it may take effect: ISO 8601, UTC by default. It can be sent within "
            "the ledger's validity before (default: nine tenths of that from now)."
        ),
    ] = None

    def resolved(self) -> "Drafting | None":
        """The draft to be made; None where all sign here. Raises ConfigError, GenesisError, OSError."""
        if not self.cosigner:
            if self.draft or self.expiry:
                raise ConfigError("nobody else is to sign: give --cosigner", where="--cosigner")
            return None
        if self.draft is None:
            raise ConfigError("others are to sign: name the file that goes to them", where="--draft")
        return Drafting([_key(path) for path in self.cosigner], self.draft, self._until())

    def _until(self) -> Millis | None:
        """The expiry in milliseconds since 1970."""
        if self.expiry is None:
            return None
        try:
            when = datetime.fromisoformat(self.expiry)
        except ValueError as error:
            raise ConfigError(str(error), where="--expiry") from error
        return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000)


@dataclass(frozen=True)
class Drafting:
    """A draft that is to be made."""

    cosigners: list[bytes]
    """Their public keys."""
    path: Path
    expiry: Millis | None

    def write(self, client: "AsyncClient", command: "Struct") -> Outcome:
        """Write the draft of ``command``, signed by the client's keys. Raises as its parts, and OSError."""
        draft = client.draft([command], self.cosigners, expiry=self.expiry)
        self.path.write_bytes(draft.to_json())
        title = f"draft written to {self.path}: each cosigner signs it by `draft sign`"
        return told(client.genesis, draft, title)


def _key(path: Path) -> bytes:
    """The first key of a party, from its public half."""
    party = public_half(path, Party, "party")
    if not party.keys:
        raise GenesisError("the party has no key", where=str(path))
    return bytes.fromhex(party.keys[0])


def read(genesis: Genesis, path: Path) -> "Draft":
    """A draft from its file. Raises DraftError, OSError."""
    from grootboek.client import Draft

    try:
        return Draft.read(genesis.chain, path.read_bytes())
    except DraftError as error:
        raise DraftError(error.detail, where=str(path)) from error


def told(genesis: Genesis, draft: "Draft", title: str) -> Outcome:
    """What the draft would do, who has signed it, and when it can be sent."""
    from grootboek.ledger import Registry

    header, missing = draft.opened, set(draft.missing)
    registry = Registry.discover()
    commands = [_about(registry, draft.command(index)) for index in range(header.count)]
    first = opens(genesis, header.expiry)
    value = {
        "ledger": draft.ledger,
        "commands": commands,
        "atomic": header.atomic,
        "signed": [key for key in header.signers if key not in missing],
        "missing": list(draft.missing),
        "from": first,
        "expiry": header.expiry,
    }
    rows = [("ledger", draft.ledger)]
    rows += [(f"{one['module']} {one['command']}", _spelled(one["fields"])) for one in commands]
    rows += [("missing" if key in missing else "signed by", key.hex()) for key in header.signers]
    rows += [("can be sent from", moment(first)), ("until", moment(header.expiry))]
    return Outcome(value, lambda: facts(title, rows))


def opens(genesis: Genesis, expiry: Millis) -> Millis:
    """From when on a transaction of this expiry can be sent."""
    return expiry - genesis.limits.validity_ms


def _about(registry: "Registry", command: "Command") -> dict[str, object]:
    """A command in words: its fields where its module is installed here, else its encoding.

    Raises DraftError where the module cannot read it.
    """
    from grootboek import plain

    shown: dict[str, object] = {"module": command.module, "command": command.name}
    known = registry.load(command.module).commands if command.module in registry.names else {}
    if command.name not in known:
        return shown | {"fields": command.body}
    try:
        value = msgspec.msgpack.decode(command.body, type=known[command.name].type)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DraftError(f"{command.module} {command.name}: {error}") from error
    return shown | {"fields": plain.to_plain(value)}


def _spelled(fields: object) -> str:
    """The fields for a person; certificates and signatures are long, and ``--json`` has them whole."""
    text = fields.hex() if isinstance(fields, bytes) else msgspec.json.encode(fields).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters, all by --json)"
