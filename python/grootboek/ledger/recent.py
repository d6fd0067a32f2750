"""Which transactions may be in the log: it spares looking up those that cannot.

A transaction of expiry E is executed only in a block of an agreed time t with E - validity <= t < E. So
the ids of the blocks of the last validity tell of every transaction that is valid now, however long the
log is. Those are in two filters: one takes new ids until it has covered a validity, then it is the older
one. What was executed before this process began to watch is in neither, and has to be looked up.

Nothing depends on it but time: whoever asks looks up the candidates.
"""

from collections.abc import Sequence

from grootboek._core import IdFilter
from grootboek.types import Millis

__all__ = ["Recent"]


class Recent:
    """The ids of the blocks above a time. Any thread may ask while one adds."""

    def __init__(self, validity: int, since: Millis) -> None:
        """``since``: every block with a later agreed time will be added; milliseconds, as ``validity``."""
        self._validity = validity
        self._turned = since
        self._filters = (IdFilter(), IdFilter())
        self._bound = since + validity
        """Up to this expiry a transaction may be in a block that neither filter has."""

    def add(self, time: Millis, ids: Sequence[bytes]) -> None:
        """The block of agreed ``time`` has executed these; times never descend."""
        if time - self._turned >= self._validity:
            # The older filter's blocks all have times below the one at which the newer one began.
            self._bound = max(self._bound, self._turned - 1 + self._validity)
            self._turned = time
            self._filters = (self._filters[1], IdFilter())
        self._filters[1].add(ids)

    def candidates(self, ids: Sequence[bytes], expiries: Sequence[Millis]) -> list[int]:
        """The positions, ascending, of the transactions that may be in the log."""
        older, newer = self._filters
        found = {*older.candidates(ids), *newer.candidates(ids)}
        found.update(i for i, expiry in enumerate(expiries) if expiry <= self._bound)
        return sorted(found)
