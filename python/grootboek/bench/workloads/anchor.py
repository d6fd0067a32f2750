"""``anchor``: a party puts a document's digest under a key of its own."""

from collections.abc import Iterator, Sequence
from typing import Final

from grootboek.bench.workloads.workload import Draft, Roles, Workload, encoded, known_key
from grootboek.modules.records import Anchor, Records

__all__ = ["DOCUMENTS", "AnchorWorkload"]

DOCUMENTS: Final = 100_000


class AnchorWorkload(Workload):
    """Anchors that write ``documents`` keys in turn; single ones make transactions of 250 bytes.

    The module takes a further version of a document only from one who names the version before it. So
    the second turn supersedes version 1, and each transaction relies on the one of the turn before.
    """

    name = "anchor"
    modules = ("records",)
    ceiling = 12_000

    def __init__(self, keys: int, documents: int = DOCUMENTS) -> None:
        self.distance = documents // self.records
        self._keys = [known_key("anchor", number) for number in range(keys)]

    def distinct(self, count: int) -> int:
        """See Workload."""
        return min(count, self.distance) * self.records

    def prepare(self, _roles: Roles, _count: int) -> Iterator[Sequence[Draft]]:
        """Nothing: everybody may anchor."""
        return iter(())

    def transactions(self, count: int) -> Iterator[Draft]:
        """See Workload."""
        for number in range(count):
            turn, place = divmod(number, self.distance)
            shelf, owner = divmod(place, len(self._keys))
            commands = (
                Anchor(
                    f"{shelf * self.records + i:x}",
                    (number * self.records + i).to_bytes(32, "big"),
                    supersedes=turn,
                )
                for i in range(self.records)
            )
            yield Draft(self._keys[owner], tuple(encoded(Records, one) for one in commands))
