"""Where an import stands: one SQLite file for each ledger and module; a re-run doubles nothing.

A step (one command) is known by its digest. It gets its salt and its place in a transaction once, and
a transaction its nonce and signed bytes once: whoever imports the same rows again, after a crash or
because he forgot, submits the same bytes, and the ledger answers with the first receipt.
"""

import itertools
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from grootboek._core import digest
from grootboek.ledger.module import Module
from grootboek.modules.importing.model import Row, Source, Step
from grootboek.modules.sqlite import SqliteFile, make_folder
from grootboek.types import Chain, Limits
from grootboek.wire import APPLIED, Command, encode

__all__ = ["TRANSACTION_COMMANDS", "Prepared", "Staging", "TooLarge"]

TRANSACTION_COMMANDS: Final = 250
"""How many commands a transaction takes unless the caller says otherwise."""
_HEADROOM: Final = 4_096
"""Bytes of a transaction kept for header, signatures and framing."""
_FRAMING: Final = 5
"""msgpack's length prefix of one command."""
_SALT_BYTES: Final = 16
_STEP: Final = b"grootboek/1 staged step\n"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, wave INTEGER NOT NULL, role TEXT NOT NULL,
    command BLOB NOT NULL, batch INTEGER, place INTEGER, outcome TEXT
);
CREATE INDEX IF NOT EXISTS steps_by_batch ON steps (batch, place);
CREATE TABLE IF NOT EXISTS lines (
    source BLOB NOT NULL, locator TEXT NOT NULL, step INTEGER NOT NULL,
    PRIMARY KEY (source, locator, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY, wave INTEGER NOT NULL, turn INTEGER NOT NULL, role TEXT NOT NULL,
    nonce INTEGER NOT NULL, signed BLOB, settled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS batches_open ON batches (settled, wave, turn, id);
"""


class Prepared(Struct, frozen=True):
    """One transaction to submit: not atomic, each command for itself."""

    id: int
    role: str
    """The role that its signer needs."""
    nonce: int
    commands: tuple[bytes, ...]
    """Encoded ``wire.Command`` values with their salts."""
    signed: bytes | None
    """The transaction's bytes once they were made (``Staging.keep``)."""


class Staging(SqliteFile):
    """The staged steps of one ledger and module. Not for use by several threads at once."""

    def __init__(
        self, folder: Path, chain: Chain, module: type[Module], *, limits: Limits | None = None
    ) -> None:
        """Open or make ``folder/<chain id>-<module>.sqlite``; raises StorageError or Damaged."""
        make_folder(folder)
        super().__init__(folder / f"{chain.id.hex()}-{module.name}.sqlite", _SCHEMA)
        self._module = module
        self.reasons = module.reasons
        """What the module says about each of its refusals."""
        self._limits = limits or Limits()

    def add(self, source: Source, row: Row) -> bool:
        """Stage a row's steps inside a ``batch``; whether any of them is new.

        A step that the ledger refused is prepared anew: it left no trace there, and what it lacked (money,
        an approval, another row) may be there by now.
        Raises TooLarge, and stages nothing of the row, where a command is larger than the ledger takes.
        """
        prepared = [(step, *self._encode(step)) for step in row.steps]
        added, numbers = False, []
        for step, body, mark in prepared:
            number = self._find(mark)
            if number is None:
                number, added = self._insert(step, body, mark), True
            numbers.append(number)
        self._db.executemany(
            "INSERT OR IGNORE INTO lines VALUES (?, ?, ?)",
            [(source.digest, locator, number) for locator in row.locators for number in numbers],
        )
        return added

    def arrange(self, *, sequential: bool = False, commands: int = TRANSACTION_COMMANDS) -> None:
        """Give every new step its transaction: by wave and role, in the order of the rows.

        ``sequential``: a transaction waits for the one before it, for rows that build on one another.
        """
        with self.batch():
            steps = self._db.execute(
                "SELECT id, wave, role, length(command) FROM steps WHERE batch IS NULL"
                " ORDER BY wave, CASE WHEN ? THEN id END, role, id",
                (sequential,),
            ).fetchall()
            for group in _pack(steps, commands, self._limits.transaction_bytes - _HEADROOM):
                self._place(group, sequential=sequential)

    # --- submitting ------------------------------------------------------------------------------

    def pending(self, limit: int = 64) -> list[Prepared]:
        """Up to ``limit`` transactions that may be submitted now, side by side; empty at the end.

        All of one wave and turn: those of the next are given when these are settled.
        """
        with self._errors():
            rows = self._db.execute(
                "SELECT id, role, nonce, signed FROM batches WHERE settled = 0 AND (wave, turn) ="
                " (SELECT wave, turn FROM batches WHERE settled = 0 ORDER BY wave, turn LIMIT 1)"
                " ORDER BY id LIMIT ?",
                (limit,),
            ).fetchall()
            return [
                Prepared(number, role, nonce, self._commands(number), signed)
                for number, role, nonce, signed in rows
            ]

    def keep(self, prepared: Prepared, signed: bytes) -> None:
        """Remember the transaction's bytes, durably, before they are submitted for the first time."""
        with self.batch():
            self._db.execute("UPDATE batches SET signed = ? WHERE id = ?", (signed, prepared.id))

    def settle(self, prepared: Prepared, outcomes: Sequence[str]) -> None:
        """Record the outcome of each command (``applied`` or a reason), in order."""
        if len(outcomes) != len(prepared.commands):
            raise ValueError(f"{len(prepared.commands)} commands have {len(outcomes)} outcomes")
        with self.batch():
            self._db.executemany(
                "UPDATE steps SET outcome = ? WHERE batch = ? AND place = ?",
                [(outcome, prepared.id, place) for place, outcome in enumerate(outcomes)],
            )
            self._db.execute("UPDATE batches SET settled = 1 WHERE id = ?", (prepared.id,))

    def expired(self, prepared: Prepared) -> None:
        """The bytes expired without an entry in the log: they are to be signed again."""
        with self.batch():
            self._db.execute(
                "UPDATE batches SET signed = NULL, nonce = ? WHERE id = ?", (_nonce(), prepared.id)
            )

    # --- reporting -------------------------------------------------------------------------------

    def outcomes(self, source: Source) -> Iterator[tuple[str, str | None]]:
        """Locator and outcome of each staged row of the source, in order of staging.

        The outcome is ``applied`` where all steps of the row are, else the first reason; None while a
        step has none.
        """
        with self._errors():
            rows = self._db.execute(
                "SELECT locator, min(id), sum(outcome IS NULL),"
                " (SELECT s.outcome FROM lines l JOIN steps s ON s.id = l.step WHERE l.source = lines.source"
                "  AND l.locator = lines.locator AND s.outcome != ? ORDER BY s.wave, s.id LIMIT 1)"
                " FROM lines JOIN steps ON steps.id = step WHERE source = ?"
                " GROUP BY locator ORDER BY min(id)",
                (APPLIED, source.digest),
            )
            for locator, _, waiting, reason in rows:
                yield locator, reason or (None if waiting else APPLIED)

    # --- inside ----------------------------------------------------------------------------------

    def _encode(self, step: Step) -> tuple[bytes, bytes]:
        """The command's body and the step's digest."""
        body = encode(step.command)
        if len(body) + _HEADROOM > self._limits.command_bytes:
            raise TooLarge(len(body))
        name = type(step.command).__name__
        return body, digest(_STEP + encode((self._module.name, name, step.role, body)))

    def _find(self, mark: bytes) -> int | None:
        """The step's number, or None; a refused one is as new again."""
        query = "SELECT id, outcome FROM steps WHERE digest = ?"
        number, outcome = self._db.execute(query, (mark,)).fetchone() or (None, None)
        if outcome not in {None, APPLIED}:
            self._db.execute(
                "UPDATE steps SET batch = NULL, place = NULL, outcome = NULL WHERE id = ?", (number,)
            )
        return number

    def _insert(self, step: Step, body: bytes, mark: bytes) -> int:
        command = Command(
            self._module.name,
            type(step.command).__name__,
            self._module.version,
            body,
            secrets.token_bytes(_SALT_BYTES),
        )
        row = self._db.execute(
            "INSERT INTO steps (digest, wave, role, command) VALUES (?, ?, ?, ?) RETURNING id",
            (mark, step.wave, step.role, encode(command)),
        ).fetchone()
        return int(row[0])

    def _place(self, group: "list[_Waiting]", *, sequential: bool) -> None:
        _, wave, role, _ = group[0]
        (turn,) = self._db.execute("SELECT coalesce(max(turn), 0) FROM batches").fetchone()
        (number,) = self._db.execute(
            "INSERT INTO batches (wave, turn, role, nonce) VALUES (?, ?, ?, ?) RETURNING id",
            (wave, turn + 1 if sequential else 0, role, _nonce()),
        ).fetchone()
        self._db.executemany(
            "UPDATE steps SET batch = ?, place = ? WHERE id = ?",
            [(number, place, step) for place, (step, *_) in enumerate(group)],
        )

    def _commands(self, number: int) -> tuple[bytes, ...]:
        rows = self._db.execute("SELECT command FROM steps WHERE batch = ? ORDER BY place", (number,))
        return tuple(bytes(command) for (command,) in rows)


class TooLarge(ValueError):
    """A command is larger than the ledger takes; the argument is its size in bytes."""


_Waiting = tuple[int, int, str, int]
"""A step without a transaction: id, wave, role, bytes."""


def _pack(steps: Iterable[_Waiting], commands: int, room: int) -> Iterator[list[_Waiting]]:
    """Neighbours of one wave and role, up to ``commands`` of them and ``room`` bytes."""
    for _, same in itertools.groupby(steps, key=lambda step: (step[1], step[2])):
        group: list[_Waiting] = []
        size = 0
        for step in same:
            length = step[3] + _FRAMING
            if group and (len(group) == commands or size + length > room):
                yield group
                group, size = [], 0
            group.append(step)
            size += length
        yield group


def _nonce() -> int:
    return secrets.randbits(63)
