"""Figures from what a client saw: percentiles, gaps, fairness."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["corrected", "jain", "longest_gap", "percentile"]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0..1) of all values do not exceed; 0 where there is none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    # The nearest-rank definition: no value is invented between two measured ones.
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def corrected(latencies: Iterable[float], interval: float) -> list[float]:
    """The latencies, and those that requests would have had which a stall kept from being sent.

    The method of HdrHistogram: a connection was expected to send each ``interval``, so where it waited
    for longer, the requests that it left out would have waited for the rest of that time.
    Requires interval > 0.
    """
    found = []
    for latency in latencies:
        found.append(latency)
        missing = latency - interval
        while missing >= interval:
            found.append(missing)
            missing -= interval
    return found


def longest_gap(moments: Iterable[float], until: float) -> float:
    """The longest time between two of the moments from 0 to ``until``, both ends included."""
    inside = sorted(moment for moment in moments if 0.0 <= moment <= until)
    return max(late - early for early, late in pairwise([0.0, *inside, until]))


def jain(shares: Sequence[float]) -> float:
    """Jain's fairness index: 1 where all have the same, 1 / n where one of n has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0
