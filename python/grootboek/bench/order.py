"""Which requests must be answered before another one is sent."""

import asyncio

__all__ = ["Order"]


class Order:
    """Holds a request back until those it relies on are answered: all that are ``distance`` before it."""

    def __init__(self, distance: int) -> None:
        """``distance`` 0: none relies on another."""
        self._distance = distance
        self._under_way: dict[int, None] = {}
        """By number, in the order in which they came: the first is the lowest."""
        self._answered = asyncio.Event()

    async def enter(self, number: int) -> None:
        """Return when request ``number`` may go. Numbers come in order, each once."""
        self._under_way[number] = None
        while self._distance and next(iter(self._under_way)) <= number - self._distance:
            self._answered.clear()
            await self._answered.wait()

    def leave(self, number: int) -> None:
        """It is answered."""
        del self._under_way[number]
        self._answered.set()
