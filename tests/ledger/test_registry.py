"""Which modules there are, which run, and who signs."""

import subprocess
import sys
from typing import ClassVar

import pytest

from grootboek._core import State
from grootboek.errors import GenesisError
from grootboek.ledger import Module, Registry, installed
from grootboek.ledger.keys import state_key, state_prefix
from grootboek.ledger.parties import PARTIES, KeyRow, PartyRow, Register, founding_rows, keys, parties
from grootboek.ledger.store import Store
from grootboek.types import Party
from tests.ledger.world import KEEPER, KEEPER_ID, REGISTRY, STRANGER, Shelf


class Other(Module):
    name: ClassVar[str] = "other"
    version: ClassVar[int] = 1


def test_active_modules_are_sorted_and_have_their_rules() -> None:
    active = Registry.of(Shelf, Other).activate({"shelf": 3, "other": 1})
    assert active.versions == (("other", 1), ("shelf", 3))
    assert {key[1] for key in active.rules} == set(Shelf.commands)
    assert isinstance(active.get("shelf"), Shelf)
    assert active.get("nowhere") is None


@pytest.mark.parametrize(
    ("versions", "said"),
    [({"nowhere": 1}, "not installed"), ({"shelf": 2}, "version 2"), ({"shelf": 4}, "version 4")],
)
def test_what_cannot_run_here_is_refused(versions: dict[str, int], said: str) -> None:
    with pytest.raises(GenesisError, match=said):
        REGISTRY.activate(versions)


def fails() -> type[Module]:
    raise ImportError("no such package")


@pytest.mark.parametrize("loader", [fails, lambda: Other, lambda: "text"])
def test_a_module_that_is_not_what_its_entry_point_says(loader: object) -> None:
    with pytest.raises(GenesisError, match="shelf"):
        Registry({"shelf": loader}).load("shelf")  # type: ignore[dict-item]  # what a bad package gives


def test_installed_modules_are_found_by_entry_point() -> None:
    registry = Registry.discover()
    assert "records" in registry.names
    assert registry.activate({"records": 1}).versions == (("records", 1),)
    assert [module.name for module in installed()] == list(registry.names)


def test_no_module_can_reach_anothers_keys() -> None:
    names = ["a", "aa", "b", "ab", "x" * 64]
    prefixes = [state_prefix(name) for name in names]
    assert not any(p != q and q.startswith(p) for p in prefixes for q in prefixes)
    assert state_key("ab", b"c") == b"\x02abc"


def register(*founders: Party) -> tuple[Register, Store]:
    store = Store(State(), founding_rows(founders))
    return Register(store), store


def test_signers_are_looked_up_in_the_register() -> None:
    found, _ = register(Party(id=KEEPER_ID.hex(), keys=(KEEPER.public.hex(),), roles=("a.b", "c.d")))
    signers = found.signers([KEEPER.public, STRANGER.public, KEEPER.public])
    keeper, stranger = signers[KEEPER.public], signers[STRANGER.public]
    assert (keeper.party, keeper.roles) == (KEEPER_ID, ("a.b", "c.d"))
    assert (stranger.party, stranger.roles) == (None, ())


def test_signers_are_looked_up_again_when_the_register_changes() -> None:
    found, store = register()
    assert found.signers([KEEPER.public])[KEEPER.public].party is None
    rows = [
        (state_key(PARTIES, keys.key(KEEPER.public)), keys.encode(KeyRow(KEEPER_ID))),
        (state_key(PARTIES, parties.key(KEEPER_ID)), parties.encode(PartyRow((KEEPER.public,), ("a.b",)))),
    ]
    store.commit(1, rows, [])
    found.changed([b"\x05shelf"])
    assert found.signers([KEEPER.public])[KEEPER.public].party is None
    found.changed([key for key, _ in rows])
    assert found.signers([KEEPER.public])[KEEPER.public].roles == ("a.b",)


def test_the_register_remembers_a_bounded_number_of_signers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grootboek.ledger.parties._CACHED_SIGNERS", 10)
    found, _ = register()
    for start in range(0, 100, 7):
        wanted = [bytes([i]) * 32 for i in range(start, start + 7)]
        signers = found.signers(wanted)
        assert set(wanted) <= set(signers)
        assert len(signers) <= 10
    many = [bytes([i]) * 32 for i in range(40)]
    assert set(many) <= set(found.signers(many))


SCRIPT = """
from tests.ledger.world import World, certify
world = World()
world.fill(12, each=8)
print(world.ledger.root.hex(), world.ledger.state_root.hex())
"""


def test_two_hash_seeds_give_one_history() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ".", "PATH": ""},
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(outputs) == 1
    assert len(outputs.pop().split()) == 2
