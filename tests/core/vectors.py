"""The JSON vectors of docs/spec/vectors, made from the slow references; bytes are lower-case hex."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from grootboek import wire
from grootboek._core import SigningKey
from grootboek.types import Chain
from tests.core import curve, trees

FOLDER: Final = Path(__file__).parents[2] / "docs/spec/vectors"

Vectors = dict[str, Any]


def seeded(text: str) -> bytes:
    """32 bytes that look random."""
    return hashlib.sha256(text.encode()).digest()


CHAIN: Final = Chain(name="example.org/vectors", digest=seeded("chain"))


# --- signatures ---------------------------------------------------------------------------------


def _signature(name: str, key: bytes, message: bytes, signature: bytes) -> Vectors:
    return {
        "name": name,
        "key": key.hex(),
        "message": message.hex(),
        "signature": signature.hex(),
        "accepted": curve.accepts(key, message, signature),
        "cofactorless": curve.accepts(key, message, signature, cofactorless=True),
    }


def _torsion_signatures(secret: int, nonce: int) -> Iterator[Vectors]:
    """Keys and R with every small-order part, and of small order alone."""
    for i, key_part in enumerate(curve.small_order()):
        for j, r_part in enumerate(curve.small_order()):
            for a, r in ((secret, nonce), (secret, 0), (0, nonce)):
                key = curve.encode(curve.add(curve.times(a, curve.BASE), key_part))
                encoded_r = curve.encode(curve.add(curve.times(r, curve.BASE), r_part))
                name = f"{'mixed' if a else 'small'} key {i}, {'mixed' if r else 'small'} R {j}"
                yield _signature(name, key, b"torsion", curve.forge(a, r, key, encoded_r, b"torsion"))


def _odd_encodings() -> Iterator[tuple[str, bytes]]:
    for sign in (0, 1):
        for y in (1, curve.P - 1, *range(curve.P, curve.P + 19)):
            yield f"y = {y:#x}, sign {sign}", (y | sign << 255).to_bytes(32, "little")


def signatures() -> list[Vectors]:
    """The acceptance rule: good signatures, and every known way to disagree about one."""
    secret = int.from_bytes(seeded("secret"), "little") % curve.L
    nonce = int.from_bytes(seeded("nonce"), "little") % curve.L
    key, r = (curve.encode(curve.times(n, curve.BASE)) for n in (secret, nonce))
    good = curve.forge(secret, nonce, key, r, b"good")
    s = int.from_bytes(good[32:], "little")
    vectors = [_signature("good", key, b"good", good), _signature("other message", key, b"bad", good)]
    vectors += [
        _signature(f"s + {i} L", key, b"good", r + (s + i * curve.L).to_bytes(32, "little"))
        for i in range(1, 15)
    ]
    vectors += _torsion_signatures(secret, nonce)
    for name, odd in _odd_encodings():
        vectors.append(_signature(f"R {name}", key, b"odd", curve.forge(secret, 0, key, odd, b"odd")))
        vectors.append(_signature(f"key {name}", odd, b"odd", curve.forge(0, nonce, odd, r, b"odd")))
    return vectors


# --- trees --------------------------------------------------------------------------------------


def _hex(hashes: list[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


def log() -> Vectors:
    """Roots and proofs of one log at several sizes."""
    entries = [seeded(f"entry {i}")[: i % 33] for i in range(20)]
    leaves = [trees.log_leaf(entry) for entry in entries]
    node = trees.log_node
    return {
        "entries": _hex(entries),
        "leaves": _hex(leaves),
        "roots": [trees.log_root(leaves[:size]).hex() for size in range(len(leaves) + 1)],
        "inclusion": [
            {"index": i, "size": n, "path": _hex(trees.inclusion(leaves[:n], i, node))}
            for n in (1, 2, 7, 8, 13, 20)
            for i in range(0, n, 3)
        ],
        "consistency": [
            {"first": m, "second": n, "proof": _hex(trees.consistency(leaves[:n], m, node))}
            for n in (1, 7, 8, 20)
            for m in range(1, n + 1, 3)
        ],
        "range": [
            {"start": a, "end": b, "size": n, "nodes": _hex(trees.beside(leaves[:n], a, b, node))}
            for a, b, n in ((0, 1, 1), (0, 20, 20), (3, 4, 20), (5, 12, 13), (8, 16, 20), (19, 20, 20))
        ],
    }


def commands() -> list[Vectors]:
    """Command roots, with the path of the last command."""
    vectors = []
    for count in (1, 2, 3, 5, 8):
        encoded = [seeded(f"command {i}") * (i + 1) for i in range(count)]
        leaves = [trees.command_leaf(command) for command in encoded]
        path = trees.inclusion(leaves, count - 1, trees.command_node)
        root = trees.root(leaves, trees.command_node)
        vectors.append({"commands": _hex(encoded), "root": root.hex(), "last_path": _hex(path)})
    return vectors


def state() -> list[Vectors]:
    """Heights of one state: what each writes, its root, and proofs in it."""
    vectors: list[Vectors] = []
    values: dict[bytes, bytes] = {}
    rounds: list[dict[bytes, bytes | None]] = [
        {b"one": b"1"},
        {f"key {i}".encode(): seeded(f"value {i}") for i in range(9)},
        {b"one": None, b"key 3": b"", b"key 4": None, b"absent": None},
        {f"key {i}".encode(): None for i in range(9)},
    ]
    for writes in rounds:
        for key, value in writes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        proofs = [
            {
                "key": key.hex(),
                "value": values[key].hex() if key in values else None,
                "proof": trees.state_proof(values, key).hex(),
            }
            for key in (b"one", b"key 3", b"key 4", b"absent", b"")
        ]
        written = [[key.hex(), None if value is None else value.hex()] for key, value in writes.items()]
        vectors.append({"writes": written, "root": trees.state_root(values).hex(), "proofs": proofs})
    return vectors


# --- transactions -------------------------------------------------------------------------------


def transaction(
    *,
    signers: Sequence[int] = (0,),
    commands: int = 1,
    chain: Chain = CHAIN,
    body: bytes = b"body",
    atomic: bool = True,
) -> wire.Transaction:
    """A transaction that is good as far as the arguments are."""
    keys = [SigningKey(seeded(f"signer {i}")) for i in signers]
    encoded = tuple(
        wire.encode(wire.Command("records", "Anchor", 1, body, seeded(f"salt {i}")[:16]))
        for i in range(commands)
    )
    leaves = [trees.command_leaf(command) for command in encoded]
    header = wire.Header(
        chain=chain.id,
        signers=tuple(key.public for key in keys),
        nonce=7,
        expiry=1_800_000_000_000,
        atomic=atomic,
        count=commands,
        root=trees.root(leaves, trees.command_node),
    )
    signed = wire.encode(header)
    signatures = tuple(key.sign(wire.transaction_bytes(CHAIN, signed)) for key in keys)
    return wire.Transaction(signed, signatures, encoded)


def _transactions() -> Iterator[tuple[str, int, bytes]]:
    good = transaction(signers=range(3), commands=3)
    data = wire.encode(good)
    yield "good", 0, data
    yield "one signer, one command", 0, wire.encode(transaction())
    yield "each command for itself", 0, wire.encode(transaction(atomic=False))
    yield "empty", 1, b""
    yield "cut short", 1, data[:-1]
    yield "something follows", 1, data + b"\0"
    yield "not an array", 1, b"\xc0"
    yield "16 signers", 0, wire.encode(transaction(signers=range(16)))
    yield "too many commands", 2, wire.encode(transaction(commands=9))
    yield "too large a command", 2, wire.encode(transaction(body=bytes(600)))
    yield "too large", 2, bytes(9000)
    yield "longer form of a length", 3, b"\xdc\x00\x03" + data[1:]
    yield "another chain", 4, wire.encode(transaction(chain=Chain(name="x", digest=seeded("other"))))
    yield (
        "a signature too few",
        5,
        wire.encode(wire.Transaction(good.header, good.signatures[1:], good.commands)),
    )
    swapped = (good.signatures[1], good.signatures[0], good.signatures[2])
    yield "signatures swapped", 5, wire.encode(wire.Transaction(good.header, swapped, good.commands))
    yield "a signer twice", 5, wire.encode(transaction(signers=(0, 0)))
    yield (
        "commands swapped",
        8,
        wire.encode(wire.Transaction(good.header, good.signatures, good.commands[::-1])),
    )
    yield (
        "a command too few",
        8,
        wire.encode(wire.Transaction(good.header, good.signatures, good.commands[1:])),
    )
    yield "no command", 8, wire.encode(wire.Transaction(good.header, good.signatures, ()))


def transactions() -> Vectors:
    """Transactions with their verdicts under small limits; ids where there is one."""
    cases = []
    for name, verdict, data in _transactions():
        readable = verdict not in (1, 2, 3)
        header = wire.transactions.decode(data).header if readable else b""
        signed = wire.transaction_bytes(CHAIN, header)
        transaction_id = blake3(signed).hexdigest() if readable else ""
        cases.append({"name": name, "verdict": verdict, "id": transaction_id, "transaction": data.hex()})
    return {
        "chain": CHAIN.digest.hex(),
        "limits": {"signers": 16, "commands": 8, "command_bytes": 512, "transaction_bytes": 8192},
        "cases": cases,
    }


ALL: Final[dict[str, Callable[[], Any]]] = {
    "signatures": signatures,
    "log": log,
    "commands": commands,
    "state": state,
    "transactions": transactions,
}


def text(name: str) -> str:
    """The contents of a file of vectors."""
    return json.dumps(ALL[name](), indent=1) + "\n"
