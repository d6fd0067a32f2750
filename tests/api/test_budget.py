"""What one client address may take of the node at once."""

from contextlib import ExitStack

import pytest

from grootboek.api.budget import REMEMBERED, Budget
from grootboek.api.settings import ApiSettings
from grootboek.errors import TooManyRequests

SMALL = ApiSettings(requests=4, client_requests=3, client_bytes=100, client_rate=10)


def test_requests_of_one_address_are_bounded() -> None:
    budget = Budget(SMALL)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(budget.request("a", 0.0))
        with pytest.raises(TooManyRequests), budget.request("a", 0.0):
            pass
        with budget.request("b", 0.0):
            pass
    with budget.request("a", 0.0):
        assert budget.requests == 1


def test_requests_of_all_are_bounded() -> None:
    budget = Budget(SMALL)
    with ExitStack() as stack:
        for name in "abcd":
            stack.enter_context(budget.request(name, 0.0))
        with pytest.raises(TooManyRequests), budget.request("e", 0.0):
            pass


def test_the_rate_of_one_address_is_bounded_and_recovers() -> None:
    budget = Budget(SMALL)

    def served(now: float) -> int:
        count = 0
        for _ in range(100):
            try:
                with budget.request("a", now):
                    count += 1
            except TooManyRequests:
                break
        return count

    assert served(0.0) == 20
    assert served(0.5) == 5
    assert served(100.0) == 20


def test_bytes_under_way_are_bounded() -> None:
    budget = Budget(SMALL)
    with budget.body("a", 60, 0.0):
        with pytest.raises(TooManyRequests), budget.body("a", 60, 0.0):
            pass
        with budget.body("b", 60, 0.0), budget.body("a", 40, 0.0):
            pass
    with budget.body("a", 100, 0.0):
        pass


def test_many_addresses_are_forgotten_but_not_what_they_have_under_way() -> None:
    budget = Budget(SMALL)
    with budget.body("first", 90, 0.0):
        for i in range(2 * REMEMBERED):
            with budget.request(f"address-{i}", 0.0):
                pass
        assert len(budget._clients) <= REMEMBERED + 1
        with pytest.raises(TooManyRequests), budget.body("first", 20, 0.0):
            pass
