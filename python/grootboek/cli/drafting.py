"""Options of commands that several sign, and the file that then goes from signer to signer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from grootboek.cli.output import Outcome, facts, moment
from grootboek.errors import ConfigError, DraftError, GenesisError
from grootboek.types import Genesis, Millis, Party

if TYPE_CHECKING:
    from msgspec import Struct

    from grootboek.client import AsyncClient, Draft

__all__ = ["Cosigning", "about", "merged", "read", "told"]

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
            help="Until when it may take effect: ISO 8601, UTC unless it says so. It can be sent within "
            "the ledger's validity before (default: nine tenths of that from now)."
        ),
    ] = None

    def keys(self) -> list[bytes]:
        """The public keys of the cosigners, the first one of each party. Raises ConfigError, GenesisError."""
        if self.cosigner and self.draft is None:
            raise ConfigError("others are to sign: name the file that goes to them", where="--draft")
        if not self.cosigner and (self.draft or self.expiry):
            raise ConfigError("nobody else is to sign: give --cosigner", where="--cosigner")
        return [bytes.fromhex(_party(path).keys[0]) for path in self.cosigner]

    def until(self) -> Millis | None:
        """The expiry in milliseconds since 1970. Raises ConfigError."""
        if self.expiry is None:
            return None
        try:
            when = datetime.fromisoformat(self.expiry)
        except ValueError as error:
            raise ConfigError(str(error), where="--expiry") from error
        return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000)

    def write(self, client: "AsyncClient", command: "Struct") -> Outcome:
        """Write the draft of ``command``, signed by the client's keys. Raises as its parts, and OSError."""
        draft = client.draft([command], self.keys(), expiry=self.until())
        path = self.draft
        if path is None:
            raise ConfigError("name the file that goes to the cosigners", where="--draft")
        path.write_bytes(draft.to_json())
        return told(client.genesis, draft, f"draft written to {path}: each cosigner signs it by `draft sign`")


def _party(path: Path) -> Party:
    try:
        party = msgspec.json.decode(path.read_bytes(), type=Party)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GenesisError(f"this is no party's public half: {error}", where=str(path)) from error
    if not party.keys:
        raise GenesisError("the party has no key", where=str(path))
    return party


def read(genesis: Genesis, path: Path) -> "Draft":
    """A draft from its file. Raises DraftError, OSError."""
    from grootboek.client import Draft

    try:
        return Draft.read(genesis.chain, path.read_bytes())
    except DraftError as error:
        raise DraftError(error.detail, where=str(path)) from error


def told(genesis: Genesis, draft: "Draft", title: str) -> Outcome:
    """What the draft would do, who has signed it, and when it can be sent."""
    header, missing = draft.opened, set(draft.missing)
    commands = [about(draft, index) for index in range(header.count)]
    opens = header.expiry - genesis.limits.validity_ms
    value = {
        "ledger": draft.ledger,
        "commands": commands,
        "atomic": header.atomic,
        "signed": [key for key in header.signers if key not in missing],
        "missing": list(draft.missing),
        "from": opens,
        "expiry": header.expiry,
    }
    rows = [("ledger", draft.ledger)]
    rows += [(f"{one['module']} {one['command']}", _spelled(one["fields"])) for one in commands]
    rows += [("missing" if key in missing else "signed by", key.hex()) for key in header.signers]
    rows += [("can be sent from", moment(opens)), ("until", moment(header.expiry))]
    return Outcome(value, lambda: facts(title, rows))


def about(draft: "Draft", index: int) -> dict[str, object]:
    """A command in words: its fields where its module is installed here, else its encoding.

    Raises DraftError where the module cannot read it.
    """
    from grootboek import plain
    from grootboek.ledger import Registry

    command = draft.command(index)
    shown: dict[str, object] = {"module": command.module, "command": command.name}
    registry = Registry.discover()
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


def merged(drafts: Sequence["Draft"]) -> "Draft":
    """Copies of one draft with all their signatures; raises DraftError."""
    first, *copies = drafts
    return first.merged(copies)
