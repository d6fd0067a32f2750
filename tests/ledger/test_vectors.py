"""The formats are frozen: a fixed ledger gives the bytes that docs/spec/vectors/ledger.json holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from grootboek import proofs, wire
from grootboek.ledger.files import segment_name
from grootboek.proofs import Final
from tests.ledger.test_proofs import receipt_holds, state_proof_holds
from tests.ledger.world import (
    KEEPER,
    STRANGER,
    Add,
    Approve,
    Delete,
    Put,
    World,
    certify,
    log_signature,
    rows,
)

FILE = Path(__file__).parents[2] / "docs/spec/vectors/ledger.json"


def fixed() -> World:
    """Every kind of outcome: applied, refused, aborted, unknown, duplicate, expired."""
    world = World()
    first = world.transaction(Put("a", b"1"), Add("n", 5))
    world.execute(first, world.transaction(Approve("b"), keys=(STRANGER, KEEPER)))
    world.execute(
        first,
        world.transaction(Add("n", 1), Add("n", 5_000), atomic=True),
        world.transaction(Put("late", b""), expiry=1),
    )
    world.execute(world.transaction(Delete("a"), wire.encode(wire.Command("other", "X", 1, b"", bytes(16)))))
    return world


def vectors() -> dict[str, Any]:
    world = fixed()
    ledger, certificate = world.ledger, certify(world.ledger)
    signature = log_signature(certificate)
    ledger.snapshot()
    world.save()
    entries = ledger._log.read(0, ledger.size)
    identities = [wire.record_entries.decode(e[1:]).transaction for e in entries if e[:1] == b"\x02"]
    first = identities[0]
    finals = [final for final in ledger.finals([first, identities[-1]]) if isinstance(final, Final)]
    return {
        "about": "docs/spec/ledger.md and docs/spec/receipts.md; all bytes in hex",
        "genesis": json.loads(world.genesis.to_json()),
        "genesis_digest": world.genesis.chain.digest.hex(),
        "entries": [entry.hex() for entry in entries],
        "log_root": ledger.root.hex(),
        "state_roots": [ledger.block(height).entry.state.hex() for height in (1, 2, 3)],
        "state": [[key.hex(), value.hex()] for key, value in ledger.state.dump(None, 100)],
        "certificate": wire.encode(certificate).hex(),
        "receipt": wire.encode(ledger.receipt(first, certificate, signature)).hex(),
        "receipt_of_record_1": wire.encode(ledger.receipt(first, certificate, signature, [1])).hex(),
        "answer": wire.encode(ledger.answer(finals, certificate, signature)).hex(),
        "state_proof_present": wire.encode(ledger.state_proof("shelf", rows.key("a"), 1)).hex(),
        "state_proof_absent": wire.encode(ledger.state_proof("shelf", rows.key("a"), 3)).hex(),
        "files": {
            name: data.hex() for name, data in sorted(world.disk.now.items()) if name != segment_name(0)
        },
    }


def test_the_formats_are_those_of_the_vectors(request: pytest.FixtureRequest) -> None:
    made = vectors()
    if request.config.getoption("--rewrite"):
        FILE.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    frozen = json.loads(FILE.read_text(encoding="utf-8"))
    assert list(frozen) == list(made)
    for name, value in made.items():
        assert frozen[name] == value, name


def test_the_frozen_proofs_verify() -> None:
    frozen = json.loads(FILE.read_text(encoding="utf-8"))
    assert receipt_holds(bytes.fromhex(frozen["receipt"]))
    assert receipt_holds(bytes.fromhex(frozen["receipt_of_record_1"]))
    for name in ("state_proof_present", "state_proof_absent"):
        assert state_proof_holds(bytes.fromhex(frozen[name]), "shelf", rows.key("a"))
    present, absent = (
        wire.decode(proofs.state_proofs, bytes.fromhex(frozen[f"state_proof_{name}"]))
        for name in ("present", "absent")
    )
    assert (present.value is None, absent.value is None) == (False, True)
