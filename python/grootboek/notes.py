"""C2SP notes: checkpoints, cosignatures, log signatures, verifier keys, policies.

Sources: c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature, c2sp.org/signed-note,
c2sp.org/tlog-policy. Foreign transparency-log tools read what this module writes.
"""

import base64
import hashlib
from collections.abc import Iterable
from functools import lru_cache

from grootboek.errors import BadReceipt
from grootboek.types import Chain
from grootboek.wire import Cosignature

__all__ = [
    "checkpoint_body",
    "cosigned_bytes",
    "cosigner_key_id",
    "cosigner_name",
    "log_key_id",
    "log_vkey",
    "note",
    "parse_note",
    "policy",
    "vkey",
]

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
_DASH = "\u2014"


@lru_cache(maxsize=64)
def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """The text that the log key signs: three lines. All replicas cosign the same one, each with its time."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def cosigned_bytes(origin: str, size: int, root: bytes, time: int) -> bytes:
    """What a cosignature/v1 signs; ``time`` in seconds since 1970."""
    return b"cosignature/v1\ntime %d\n" % time + checkpoint_body(origin, size, root)


def cosigner_name(chain: Chain, epoch: int, replica: str) -> str:
    """The key name of a replica's cosignatures."""
    return f"{chain.origin}/e{epoch}/{replica}"


def _key_id(name: str, algorithm: int, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + key).digest()[:4]


def vkey(name: str, key: bytes, algorithm: int = COSIGNATURE_V1) -> str:
    """The C2SP verifier key: name, key id and key."""
    encoded = base64.b64encode(bytes([algorithm]) + key).decode()
    return f"{name}+{_key_id(name, algorithm, key).hex()}+{encoded}"


def log_vkey(chain: Chain, key: bytes) -> str:
    """The verifier key of a replica's log signatures; its name is the origin."""
    return vkey(chain.origin, key, ED25519)


def cosigner_key_id(name: str, key: bytes) -> bytes:
    """The 4 bytes by which a note's cosignature names its key."""
    return _key_id(name, COSIGNATURE_V1, key)


def log_key_id(chain: Chain, key: bytes) -> bytes:
    """The 4 bytes by which a note's log signature names its key."""
    return _key_id(chain.origin, ED25519, key)


def note(
    chain: Chain,
    size: int,
    root: bytes,
    *,
    log: tuple[bytes, bytes],
    cosigners: Iterable[tuple[str, bytes, Cosignature]],
) -> bytes:
    """The signed checkpoint: one log signature (key, signature), then cosignatures.

    ``cosigners`` gives for each cosignature its key name and public key.
    """
    key, signature = log
    lines = [_line(chain.origin, _key_id(chain.origin, ED25519, key) + signature)]
    for name, public, cosignature in cosigners:
        stamp = cosignature.time.to_bytes(8, "big")
        lines.append(_line(name, _key_id(name, COSIGNATURE_V1, public) + stamp + cosignature.signature))
    return checkpoint_body(chain.origin, size, root) + b"\n" + "".join(lines).encode()


def _line(name: str, blob: bytes) -> str:
    return f"{_DASH} {name} {base64.b64encode(blob).decode()}\n"


def parse_note(text: bytes) -> tuple[str, int, bytes, list[tuple[str, bytes]]]:
    """Origin, size, root and (key name, key id + signature) lines; raises BadReceipt.

    Checks the form only: the caller decides which keys it knows and verifies them.
    """
    try:
        body, separator, rest = text.decode().partition("\n\n")
        origin, size, root = body.split("\n")
        signatures = [_parse_line(line) for line in rest.split("\n")[:-1]]
        number, raw = int(size), base64.b64decode(root, validate=True)
    except ValueError as error:
        raise BadReceipt("the checkpoint is malformed") from error
    if (
        not separator
        or not rest.endswith("\n")
        or str(number) != size
        or number < 0
        or len(raw) != 32  # noqa: PLR2004  # SHA-256
        or base64.b64encode(raw).decode() != root
    ):
        raise BadReceipt("the checkpoint is malformed")
    return origin, number, raw, signatures


def _parse_line(line: str) -> tuple[str, bytes]:
    dash, name, blob = line.split(" ")
    if dash != _DASH:
        raise ValueError(line)
    raw = base64.b64decode(blob, validate=True)
    if base64.b64encode(raw).decode() != blob:
        raise ValueError(line)
    return name, raw


def policy(
    chain: Chain,
    epoch: int,
    quorum: int,
    replicas: Iterable[tuple[str, bytes, bytes, str]],
) -> str:
    """The tlog-policy file: (name, log key, cosigning key, API URL) of each replica.

    It accepts a checkpoint that any replica's log key signed and a quorum of replicas cosigned.
    Witnesses are called ``e<epoch>/<replica>``, so that no replica's name is a keyword of the format.
    """
    rows = list(replicas)
    names = [f"e{epoch}/{name}" for name, *_ in rows]
    lines = [f"log {log_vkey(chain, log)} {url}" for _, log, _, url in rows]
    for name, (replica, _, key, url) in zip(names, rows, strict=True):
        lines.append(f"witness {name} {vkey(cosigner_name(chain, epoch, replica), key)} {url}")
    lines.append(f"group replicas {quorum} {' '.join(names)}")
    lines.append("quorum replicas")
    return "\n".join(lines) + "\n"
