"""Parties: who may sign, with which keys and roles.

The ledger reads the same tables to tell every command who signed it (``ledger.parties``); a change takes
effect with the next block. The first parties are founded by the genesis file. A registrar can revoke
neither its own role nor the key that it signs with, so a ledger never loses its last registrar.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from grootboek.ledger.module import Context, Module, Rejected, View, command, query
from grootboek.ledger.parties import KeyRow, PartyRow, keys, parties
from grootboek.types import PublicKey

__all__ = ["REGISTRAR", "AddKey", "AddParty", "GrantRole", "Parties", "RevokeKey", "RevokeRole"]

REGISTRAR: Final = "parties.registrar"
KEYS_MAX: Final = 16
ROLES_MAX: Final = 64

PartyId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""Random; says nothing of who it is."""
Role = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$(?!\n)", max_length=64)]
"""``module.role``."""


class AddParty(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A new party with its first keys and roles."""

    party: PartyId
    keys: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=KEYS_MAX)]
    roles: Annotated[tuple[Role, ...], Meta(max_length=ROLES_MAX)] = ()


class GrantRole(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The party may do what the role may."""

    party: PartyId
    role: Role


class RevokeRole(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The party may no longer."""

    party: PartyId
    role: Role


class AddKey(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The party signs with this key too."""

    party: PartyId
    key: PublicKey


class RevokeKey(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The key speaks for the party no longer."""

    party: PartyId
    key: PublicKey


class PartyQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a party."""

    party: PartyId


class KeyQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a key."""

    key: PublicKey


class Parties(Module):
    """The register of parties."""

    name: ClassVar[str] = "parties"
    version: ClassVar[int] = 1
    roles: ClassVar[dict[str, str]] = {REGISTRAR: "adds parties, their keys and roles, and revokes them"}
    reasons: ClassVar[dict[str, str]] = {
        "role-missing": "no signer is a registrar",
        "party-exists": "the party is there already",
        "party-unknown": "there is no such party",
        "key-taken": "the key belongs to a party already, or is named twice",
        "key-unknown": "the key is not this party's",
        "role-held": "the party has the role already",
        "role-unheld": "the party does not have the role",
        "own-registrar": "a registrar revokes neither its own role nor the key it signs with",
        "too-many": f"a party has at most {KEYS_MAX} keys and {ROLES_MAX} roles",
    }

    @command
    def add_party(self, ctx: Context, state: View, cmd: AddParty) -> None:
        """Add a party."""
        ctx.require(REGISTRAR)
        if parties.get(state, cmd.party) is not None:
            raise Rejected("party-exists")
        for key in cmd.keys:
            _take(state, key, cmd.party)
        parties.put(state, PartyRow(tuple(sorted(cmd.keys)), tuple(sorted(set(cmd.roles)))), cmd.party)

    @command
    def grant_role(self, ctx: Context, state: View, cmd: GrantRole) -> None:
        """Grant a role."""
        ctx.require(REGISTRAR)
        row = parties.require(state, "party-unknown", cmd.party)
        if cmd.role in row.roles:
            raise Rejected("role-held")
        _put(state, cmd.party, replace(row, roles=tuple(sorted((*row.roles, cmd.role)))))

    @command
    def revoke_role(self, ctx: Context, state: View, cmd: RevokeRole) -> None:
        """Revoke a role."""
        registrar = ctx.require(REGISTRAR)
        row = parties.require(state, "party-unknown", cmd.party)
        if cmd.role not in row.roles:
            raise Rejected("role-unheld")
        if cmd.role == REGISTRAR and cmd.party == registrar:
            raise Rejected("own-registrar")
        _put(state, cmd.party, replace(row, roles=tuple(role for role in row.roles if role != cmd.role)))

    @command
    def add_key(self, ctx: Context, state: View, cmd: AddKey) -> None:
        """Give a party another key."""
        ctx.require(REGISTRAR)
        row = parties.require(state, "party-unknown", cmd.party)
        _take(state, cmd.key, cmd.party)
        _put(state, cmd.party, replace(row, keys=tuple(sorted((*row.keys, cmd.key)))))

    @command
    def revoke_key(self, ctx: Context, state: View, cmd: RevokeKey) -> None:
        """Take a key away; it may be given to nobody else while it is in use, and to anybody after."""
        registrar = ctx.require(REGISTRAR)
        row = parties.require(state, "party-unknown", cmd.party)
        if cmd.key not in row.keys:
            raise Rejected("key-unknown")
        if cmd.party == registrar and cmd.key in [signer.key for signer in ctx.signers]:
            raise Rejected("own-registrar")
        keys.delete(state, cmd.key)
        _put(state, cmd.party, replace(row, keys=tuple(key for key in row.keys if key != cmd.key)))

    @query
    def party(self, state: View, args: PartyQuery) -> PartyRow | None:
        """A party's keys and roles."""
        return parties.get(state, args.party)

    @query
    def owner(self, state: View, args: KeyQuery) -> KeyRow | None:
        """Whose a key is."""
        return keys.get(state, args.key)

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """P1: a key belongs to one party, and both tables say so; P2: lists are sorted, without doubles."""
        rows = list(parties.every(state))
        listed = [key for row in rows for key in row.keys]
        mutual = all(_owner(state, key) == row for row in rows for key in row.keys)
        yield "P1", mutual and len(set(listed)) == len(listed) == sum(1 for _ in keys.every(state))
        yield "P2", all(row == _sorted(row) for row in rows)


def _sorted(row: PartyRow) -> PartyRow:
    return PartyRow(tuple(sorted(set(row.keys))), tuple(sorted(set(row.roles))))


def _owner(state: View, key: bytes) -> PartyRow | None:
    owner = keys.get(state, key)
    return None if owner is None else parties.get(state, owner.party)


def _take(state: View, key: bytes, party: bytes) -> None:
    if keys.get(state, key) is not None:
        raise Rejected("key-taken")
    keys.put(state, KeyRow(party), key)


def _put(state: View, party: bytes, row: PartyRow) -> None:
    if len(row.keys) > KEYS_MAX or len(row.roles) > ROLES_MAX:
        raise Rejected("too-many")
    parties.put(state, row, party)
