"""The JSON vectors: they are what the slow references say, and the core agrees with them."""

import json
from typing import Any

import pytest

from grootboek import _core
from tests.core import trees, vectors


def load(name: str) -> Any:
    return json.loads((vectors.FOLDER / f"{name}.json").read_text())


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


@pytest.mark.parametrize("name", vectors.ALL)
def test_files_are_what_the_references_say(name: str, request: pytest.FixtureRequest) -> None:
    path = vectors.FOLDER / f"{name}.json"
    if request.config.getoption("--rewrite"):
        path.write_text(vectors.text(name))
    assert path.read_text() == vectors.text(name)


def test_signatures() -> None:
    cases = load("signatures")
    items = [
        (bytes.fromhex(c["key"]), bytes.fromhex(c["message"]), bytes.fromhex(c["signature"])) for c in cases
    ]
    for field, cofactorless in (("accepted", False), ("cofactorless", True)):
        expected = [case[field] for case in cases]
        assert [_core.verify(*item, cofactorless=cofactorless) for item in items] == expected
        assert list(_core.verify_many(items, cofactorless=cofactorless)) == expected
    assert any(case["accepted"] and not case["cofactorless"] for case in cases)


def test_log() -> None:
    data = load("log")
    entries, leaves = unhex(data["entries"]), unhex(data["leaves"])
    log = _core.Log()
    log.append(trees.framed(entries, 2))
    assert _core.leaf_hashes(trees.framed(entries, 2)) == b"".join(leaves)
    assert [log.root(size).hex() for size in range(len(leaves) + 1)] == data["roots"]
    for case in data["inclusion"]:
        assert log.inclusion(case["index"], case["size"]) == unhex(case["path"])
    for case in data["consistency"]:
        assert log.consistency(case["first"], case["second"]) == unhex(case["proof"])
    for case in data["range"]:
        nodes = log.range_proof(case["start"], case["end"], case["size"])
        assert nodes == unhex(case["nodes"])
        chosen = b"".join(leaves[case["start"] : case["end"]])
        assert _core.range_paths(case["size"], case["start"], chosen, nodes)[0] == log.root(case["size"])


def test_commands() -> None:
    for case in load("commands"):
        commands, path = unhex(case["commands"]), unhex(case["last_path"])
        last, root = len(commands) - 1, bytes.fromhex(case["root"])
        assert _core.command_root(commands) == root
        assert _core.command_path(commands, last) == path
        assert _core.verify_command(root, len(commands), last, commands[last], path)


def test_state() -> None:
    state = _core.State()
    for height, case in enumerate(load("state"), start=1):
        writes = [(bytes.fromhex(k), None if v is None else bytes.fromhex(v)) for k, v in case["writes"]]
        root = bytes.fromhex(case["root"])
        assert state.commit(height, writes) == root
        for proof in case["proofs"]:
            key, data = bytes.fromhex(proof["key"]), bytes.fromhex(proof["proof"])
            value = None if proof["value"] is None else bytes.fromhex(proof["value"])
            assert state.prove(key, height) == data
            assert _core.verify_state(root, key, value, data)


def test_transactions() -> None:
    data = load("transactions")
    transactions = unhex([case["transaction"] for case in data["cases"]])
    chain = bytes.fromhex(data["chain"])
    batch = _core.TransactionBatch(trees.framed(transactions, 4), chain, **data["limits"])
    found = [
        (c["name"], v, i.hex()) for c, v, i in zip(data["cases"], batch.verdicts, batch.ids, strict=True)
    ]
    assert found == [(case["name"], case["verdict"], case["id"]) for case in data["cases"]]
