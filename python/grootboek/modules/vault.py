"""The vault: personal data, off the ledger, in a local encrypted SQLite file.

Each data subject has a random data key, wrapped by the vault's key, which lies in another file. Every
field is sealed (AES-256-GCM) under the subject's key together with the salt of its commitment.
``erase`` destroys the key and the rows: what the ledger holds of the subject can then be opened by
nobody, and everything that was proven stays provable.

A subject is known by a random 16-byte pseudonym, one for each (person, scheme): two schemes never
share one. The way from a person's number to the pseudonym is a keyed hash under the vault's key.
SQLite overwrites what is deleted (``secure_delete``); copies that the disk or a backup keeps are
unreadable only as far as the key file is kept apart from them.
"""

import hmac
import os
import stat
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from grootboek.errors import Damaged, KeyFileError
from grootboek.modules.commitments import SALT_BYTES, Opening, commit
from grootboek.modules.sqlite import SqliteFile, make_folder

__all__ = ["KEY_BYTES", "PSEUDONYM_BYTES", "Vault"]

KEY_BYTES: Final = 32
PSEUDONYM_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_CHECK: Final = b"grootboek vault 1"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subjects (id BLOB PRIMARY KEY, key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS identities (tag BLOB PRIMARY KEY, subject BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS identities_by_subject ON identities (subject);
CREATE TABLE IF NOT EXISTS fields (
    subject BLOB NOT NULL, field BLOB NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (subject, field, number)
);
"""


class Vault(SqliteFile):
    """One organisation's vault. Not for use by several threads at once."""

    def __init__(self, path: Path | str, key: bytes) -> None:
        """Open or make the file (``":memory:"`` for tests) under a 32-byte key.

        Raises KeyFileError where the key is not the vault's, Damaged where the file is no vault,
        StorageError where the disk refuses.
        """
        super().__init__(path, _SCHEMA)
        self._seal = AESGCM(key)
        self._index_key = hmac.digest(key, b"identities", "sha256")
        self._keys: dict[bytes, AESGCM] = {}
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The vault ``vault.sqlite`` in ``folder`` with its key in ``vault.key``; both made if missing.

        Keep the key file on other storage where you can: ``Vault(path, key)`` takes it from anywhere.
        """
        make_folder(folder)
        return cls(folder / "vault.sqlite", key_file(folder / "vault.key"))

    def close(self) -> None:
        """Close the file; data keys are forgotten."""
        self._keys.clear()
        super().close()

    def _undo(self) -> None:
        self._keys.clear()
        super()._undo()

    def pseudonym(self, scheme: str, *identity: str) -> bytes:
        """The random id of a person in a scheme, made when it is first asked for.

        ``identity``: what the person is known by, kind first (``"vat", "NL123456789B01"``). Spelling is
        compared in Unicode form NFC, without surrounding spaces.
        """
        tag = self._tag(scheme, identity)
        with self.batch():
            row = self._db.execute("SELECT subject FROM identities WHERE tag = ?", (tag,)).fetchone()
            if row is not None:
                return bytes(row[0])
            subject = os.urandom(PSEUDONYM_BYTES)
            self._db.execute("INSERT INTO identities VALUES (?, ?)", (tag, subject))
            return subject

    def bind(self, subject: bytes, scheme: str, *identity: str) -> None:
        """Say which pseudonym a person has, as a registrar of the scheme assigned it."""
        with self.batch():
            self._db.execute(
                "INSERT OR REPLACE INTO identities VALUES (?, ?)", (self._tag(scheme, identity), subject)
            )

    def put(self, subject: bytes, field: str, value: str) -> bytes:
        """Keep a field and return its commitment; the same value again has the same commitment.

        Another value is kept beside the earlier ones, whose commitments may be on the ledger.
        """
        with self.batch():
            openings = self.openings(subject, field)
            for opening in openings:
                if opening.value == value:
                    return commit(opening.salt, field, value)
            return self._add(subject, Opening(os.urandom(SALT_BYTES), field, value), len(openings))

    def put_once(self, subject: bytes, field: str, value: str) -> bytes:
        """Keep a field unless it has a value already; the commitment of its first value."""
        with self.batch():
            openings = self.openings(subject, field)
            first = openings[0] if openings else Opening(os.urandom(SALT_BYTES), field, value)
            if not openings:
                return self._add(subject, first, 0)
            return commit(first.salt, field, first.value)

    def openings(self, subject: bytes, field: str) -> list[Opening]:
        """Every value that the field ever had, with its salt, oldest first; empty after ``erase``."""
        with self._errors():
            rows = self._db.execute(
                "SELECT sealed FROM fields WHERE subject = ? AND field = ? ORDER BY number",
                (subject, self._field_tag(subject, field)),
            ).fetchall()
        key = self._key(subject) if rows else None
        return [self._open(key, subject, field, bytes(sealed)) for (sealed,) in rows] if key else []

    def get(self, subject: bytes, field: str) -> str | None:
        """The field's latest value, or None."""
        openings = self.openings(subject, field)
        return openings[-1].value if openings else None

    def opening(self, subject: bytes, field: str, commitment: bytes) -> Opening | None:
        """What discloses a commitment, or None where it is not here (any more)."""
        for opening in self.openings(subject, field):
            if commit(opening.salt, opening.field, opening.value) == commitment:
                return opening
        return None

    def erase(self, subject: bytes) -> None:
        """Destroy the subject's data key, salts, fields and identities. There is no way back."""
        self._keys.pop(subject, None)
        with self.batch():
            self._db.execute("DELETE FROM subjects WHERE id = ?", (subject,))
            self._db.execute("DELETE FROM fields WHERE subject = ?", (subject,))
            self._db.execute("DELETE FROM identities WHERE subject = ?", (subject,))

    # --- inside ---------------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._errors():
            for pragma in ("secure_delete = ON", "journal_mode = DELETE"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('check', ?)", (self._wrap(_CHECK, b""),))
            (sealed,) = self._db.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
        if self._where != ":memory:":
            Path(self._where).chmod(0o600)
        try:
            self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], b"")
        except InvalidTag:
            raise KeyFileError("the key is not this vault's", where=self._where) from None

    def _wrap(self, data: bytes, associated: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, data, associated)

    def _tag(self, scheme: str, identity: tuple[str, ...]) -> bytes:
        parts = [unicodedata.normalize("NFC", part.strip()) for part in identity]
        return hmac.digest(self._index_key, msgspec.msgpack.encode((scheme, parts)), "sha256")

    def _field_tag(self, subject: bytes, field: str) -> bytes:
        return hmac.digest(self._index_key, subject + field.encode(), "sha256")[:16]

    def _key(self, subject: bytes) -> AESGCM | None:
        if subject not in self._keys:
            row = self._db.execute("SELECT key FROM subjects WHERE id = ?", (subject,)).fetchone()
            if row is None:
                return None
            self._keys[subject] = AESGCM(self._decrypt(self._seal, bytes(row[0]), subject))
        return self._keys[subject]

    def _new_key(self, subject: bytes) -> AESGCM:
        key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        self._db.execute("INSERT INTO subjects VALUES (?, ?)", (subject, self._wrap(key, subject)))
        self._keys[subject] = AESGCM(key)
        return self._keys[subject]

    def _add(self, subject: bytes, opening: Opening, number: int) -> bytes:
        key = self._key(subject) or self._new_key(subject)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + key.encrypt(nonce, msgspec.msgpack.encode(opening), subject)
        tag = self._field_tag(subject, opening.field)
        self._db.execute("INSERT INTO fields VALUES (?, ?, ?, ?)", (subject, tag, number, sealed))
        return commit(opening.salt, opening.field, opening.value)

    def _open(self, key: AESGCM, subject: bytes, field: str, sealed: bytes) -> Opening:
        opening = msgspec.msgpack.decode(self._decrypt(key, sealed, subject), type=Opening)
        if opening.field != field:
            raise Damaged("a sealed field stands in another's place", where=self._where)
        return opening

    def _decrypt(self, key: AESGCM, sealed: bytes, associated: bytes) -> bytes:
        try:
            return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
        except (InvalidTag, ValueError):
            raise Damaged("a sealed field does not open", where=self._where) from None


def key_file(path: Path) -> bytes:
    """The 32 bytes in ``path``, which is made (mode 0600) if missing; raises KeyFileError."""
    try:
        if not path.exists():
            _write_key(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyFileError("others can read the file: chmod 600", where=str(path))
        key = path.read_bytes()
    except OSError as error:
        raise KeyFileError(error.strerror or str(error), where=str(path)) from error
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"must hold {KEY_BYTES} bytes", where=str(path))
    return key


def _write_key(path: Path) -> None:
    """Make the file with all its bytes at once: of several that make it together, the first one counts."""
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(fd)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
