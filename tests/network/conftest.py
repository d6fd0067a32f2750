"""Sites of the tests are closed at their end."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from grootboek.types import Limits
from tests.network.sites import Site


@pytest.fixture
async def new_site() -> AsyncIterator[Callable[..., Site]]:
    """Makes sites that are closed at the end."""
    sites: list[Site] = []

    def make(n: int, limits: Limits | None = None) -> Site:
        sites.append(Site(n, limits))
        return sites[-1]

    yield make
    await asyncio.gather(*(site.close() for site in sites))
