"""Private keys at rest: one file for a replica, one for each client identity.

The file is JSON: what it is, how the passphrase becomes a key (scrypt, RFC 7914), and the sealed
keys (AES-256-GCM, with all the rest authenticated). It has mode 0600 and is refused otherwise. The
passphrase comes from a file or a prompt, never from the environment or the command line, where
other processes see it. docs/operations/keys.md gives the reasons.
"""

import getpass
import hashlib
import os
import secrets
import stat
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Annotated, Final, Self, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, Struct

from grootboek._core import SigningKey, digest
from grootboek.errors import GenesisError, KeyFileError
from grootboek.network.addresses import split_address
from grootboek.node.certificates import public_key, self_signed
from grootboek.node.signers import Keys
from grootboek.types import ReplicaInfo

__all__ = [
    "BESIDE",
    "GENERATED",
    "TYPED",
    "Identity",
    "ReplicaKeys",
    "cost_of",
    "load",
    "new_passphrase",
    "passphrase_of",
    "put",
    "read_passphrase",
    "save",
    "unlock",
    "write_private",
]

FORMAT: Final = "grootboek-keys/1"
MAX_FILE_BYTES: Final = 64 << 10
MODE: Final = 0o600
BESIDE: Final = ".passphrase"
"""The file beside a key file that holds its passphrase, in test networks."""

TYPED: Final = 17
"""log2 of scrypt's N for a passphrase that a person chose: 128 MiB and 0.4 s for each guess."""
GENERATED: Final = 12
"""For one from ``new_passphrase``, which nobody can guess at any price: 4 MiB and 15 ms."""
_LIGHTEST, _HEAVIEST = 10, 20

_BLOCK: Final = 8
_LANES: Final = 1

_NEXT: Final = b"grootboek/1 cosigning key of the next epoch\n"

Seed = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""An Ed25519 private key (RFC 8032 section 5.1.5)."""


class ReplicaKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All private keys of one replica, as 32-byte seeds, one for each purpose."""

    name: str
    """The replica's name in the genesis file."""
    voting: Seed
    cosigning: Seed
    log: Seed
    transport: Seed
    api: Seed
    epoch: Annotated[int, Meta(ge=0)] = 0
    """To which the cosigning key belongs."""

    def __repr__(self) -> str:
        return f"ReplicaKeys({self.name!r})"  # no secret in a log line or traceback

    @classmethod
    def generate(cls, name: str) -> Self:
        """New random keys."""
        draw = [secrets.token_bytes(32) for _ in range(5)]
        return cls(name=name, voting=draw[0], cosigning=draw[1], log=draw[2], transport=draw[3], api=draw[4])

    def at(self, epoch: int) -> Self:
        """The same keys with the cosigning key of a later epoch.

        It follows from the one before, and not the other way round: once the keys of a closed epoch are
        erased, nothing brings them back. Raises KeyFileError for an epoch that is over.
        """
        if epoch < self.epoch:
            raise KeyFileError(f"these are keys of epoch {self.epoch}; those of epoch {epoch} are erased")
        seed = self.cosigning
        for number in range(self.epoch + 1, epoch + 1):
            seed = digest(_NEXT + number.to_bytes(8, "big") + seed)
        return msgspec.structs.replace(self, cosigning=seed, epoch=epoch)

    def public(self, address: str, api: str) -> ReplicaInfo:
        """What the genesis file says of this replica; ``address`` and ``api`` are ``host:port``."""
        transport = self_signed(self.transport, self.name, [split_address(address, self.name)[0]])
        web = self_signed(self.api, self.name, [split_address(api, self.name)[0]])
        return ReplicaInfo(
            name=self.name,
            address=address,
            api=api,
            voting=SigningKey(self.voting).public.hex(),
            cosigning=SigningKey(self.cosigning).public.hex(),
            log=SigningKey(self.log).public.hex(),
            transport_certificate=b64encode(transport).decode(),
            api_certificate=b64encode(web).decode(),
        )

    def signing(self) -> Keys:
        """The keys that sign ledger values."""
        return Keys(SigningKey(self.voting), SigningKey(self.cosigning), SigningKey(self.log))

    def check(self, replica: ReplicaInfo) -> None:
        """Raise KeyFileError unless these are the keys that the genesis file names for ``replica``.

        Raises GenesisError where a certificate there is none.
        """
        try:
            transport = public_key(b64decode(replica.transport_certificate))
            api = public_key(b64decode(replica.api_certificate))
        except ValueError as error:
            raise GenesisError("a certificate is no certificate", where=replica.name) from error
        for field, seed, expected in (
            ("voting", self.voting, replica.voting_key),
            ("cosigning", self.cosigning, replica.cosigning_key),
            ("log", self.log, replica.log_key),
            ("transport", self.transport, transport),
            ("api", self.api, api),
        ):
            if SigningKey(seed).public != expected:
                detail = f"the {field} key is not the one that the genesis file names for {replica.name!r}"
                raise KeyFileError(detail)


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The private key with which a client signs transactions."""

    name: str
    seed: Seed

    def __repr__(self) -> str:
        return f"Identity({self.name!r})"

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new random key."""
        return cls(name=name, seed=secrets.token_bytes(32))

    @property
    def key(self) -> SigningKey:
        """The key, ready to sign."""
        return SigningKey(self.seed)


class _Scrypt(Struct, frozen=True, forbid_unknown_fields=True):
    log2_n: Annotated[int, Meta(ge=_LIGHTEST, le=_HEAVIEST)]
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    kind: str
    name: str
    scrypt: _Scrypt
    sealed: bytes


K = TypeVar("K", ReplicaKeys, Identity)

_KINDS: Final[dict[type, str]] = {ReplicaKeys: "replica", Identity: "identity"}


def save(path: Path, keys: ReplicaKeys | Identity, passphrase: bytes, cost: int = TYPED) -> None:
    """Write a new key file with mode 0600; raises KeyFileError, also where ``path`` exists already.

    ``cost`` is TYPED, or GENERATED for a passphrase from ``new_passphrase``.
    """
    if not passphrase:
        raise KeyFileError("the passphrase is empty", where=str(path))
    head = _File(FORMAT, _KINDS[type(keys)], keys.name, _Scrypt(cost, secrets.token_bytes(16)), b"")
    gcm, nonce, associated = _cipher(head, passphrase)
    file = msgspec.structs.replace(head, sealed=gcm.encrypt(nonce, msgspec.json.encode(keys), associated))
    text = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text)
    except OSError as error:
        raise KeyFileError(error.strerror or str(error), where=str(path)) from error


def put(path: Path, keys: ReplicaKeys, passphrase: bytes, cost: int) -> None:
    """Write a key file whole, in place of the one that may be there; raises KeyFileError.

    What that one held is gone once this returns, as far as the disk forgets what it overwrites.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        save(fresh, keys, passphrase, cost)
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeyFileError(error.strerror or str(error), where=str(path)) from error


def cost_of(path: Path) -> int:
    """How dear the passphrase of a key file is to guess, for another one under the same passphrase.

    Raises KeyFileError.
    """
    return _read(path).scrypt.log2_n


def unlock(path: Path, passphrase_file: Path | None, kind: type[K]) -> K:
    """Load a key file with the passphrase that ``passphrase_of`` finds; raises KeyFileError."""
    return load(path, passphrase_of(path, passphrase_file), kind)


def passphrase_of(path: Path, passphrase_file: Path | None) -> bytes:
    """The passphrase from ``passphrase_file``, else from the file ``.passphrase`` beside the key file
    (test networks have one), else from a prompt; raises KeyFileError.
    """
    _read_private(path)  # a missing file is told before a passphrase is asked for
    beside = path.with_name(BESIDE)
    if passphrase_file is None and beside.exists():
        passphrase_file = beside
    return read_passphrase(passphrase_file, f"Passphrase of {path}: ")


def load(path: Path, passphrase: bytes, kind: type[K]) -> K:
    """The keys in a key file, ``kind`` being ReplicaKeys or Identity; raises KeyFileError."""
    where = str(path)
    file = _read(path)
    if (file.format, file.kind) != (FORMAT, _KINDS[kind]):
        detail = f"expected {FORMAT} {_KINDS[kind]}, found {file.format} {file.kind}"
        raise KeyFileError(detail, where=where)
    gcm, nonce, associated = _cipher(msgspec.structs.replace(file, sealed=b""), passphrase)
    try:
        return msgspec.json.decode(gcm.decrypt(nonce, file.sealed, associated), type=kind)
    except InvalidTag as error:
        raise KeyFileError("the passphrase is wrong, or the file is damaged", where=where) from error
    except msgspec.DecodeError as error:
        raise KeyFileError(f"the keys are not those of a {_KINDS[kind]}: {error}", where=where) from error


def new_passphrase() -> bytes:
    """128 random bits as text: for files that no person types, such as those of a test network."""
    return secrets.token_hex(16).encode()


def read_passphrase(file: Path | None, prompt: str) -> bytes:
    """The passphrase in the first line of ``file`` (mode 0600), or typed at ``prompt``.

    Raises KeyFileError where the file will not do, or there is neither a file nor a terminal.
    """
    if file is not None:
        passphrase = _read_private(file).split(b"\n", 1)[0].rstrip(b"\r")
        if not passphrase:
            raise KeyFileError("the passphrase file is empty", where=str(file))
        return passphrase
    if not sys.stdin.isatty():
        raise KeyFileError("no passphrase: name a file with --passphrase-file, or run in a terminal")
    return getpass.getpass(prompt).encode()


def write_private(path: Path, data: bytes) -> None:
    """Make a new file that only its owner may read, durably; raises OSError, also where it exists."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> _File:
    try:
        return msgspec.json.decode(_read_private(path), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileError(f"this is no key file: {error}", where=str(path)) from error


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(error.strerror or str(error), where=str(path)) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        detail = f"others may read or change it (mode {stat.S_IMODE(mode):04o}): chmod 600"
        raise KeyFileError(detail, where=str(path))
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"longer than {MAX_FILE_BYTES} bytes", where=str(path))
    return data


def _cipher(head: _File, passphrase: bytes) -> tuple[AESGCM, bytes, bytes]:
    """Cipher, nonce and associated data. The salt is fresh in each file, so key and nonce are too."""
    n = 1 << head.scrypt.log2_n
    memory = 128 * _BLOCK * (n + _LANES + 2)
    derived = hashlib.scrypt(
        passphrase, salt=head.scrypt.salt, n=n, r=_BLOCK, p=_LANES, maxmem=memory, dklen=32 + 12
    )
    return AESGCM(derived[:32]), derived[32:], msgspec.msgpack.encode(head)
