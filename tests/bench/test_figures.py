"""Percentiles, the correction for requests that were not sent, gaps, fairness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.bench.figures import corrected, jain, longest_gap, percentile


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_a_percentile_is_a_measured_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    found_value = percentile(values, share)
    assert found_value in values
    assert sum(value <= found_value for value in values) >= share * len(values)
    below = [value for value in values if value < found_value]
    assert len(below) < share * len(values)


def test_the_percentile_of_nothing() -> None:
    assert percentile([], 0.5) == 0.0


def test_a_stall_counts_for_all_that_was_not_sent_meanwhile() -> None:
    """The example of HdrHistogram: one wait of 100 intervals stands for 100 requests."""
    steady = [1.0] * 100
    found = corrected([*steady, 100.0], 1.0)
    assert sorted(found) == sorted([*steady, *(float(wait) for wait in range(1, 101))])
    assert percentile([*steady, 100.0], 0.9) == 1.0
    assert percentile(found, 0.9) == 80.0


@given(st.lists(st.floats(0, 1.9), max_size=50))
def test_an_even_pace_needs_no_correction(latencies: list[float]) -> None:
    assert corrected(latencies, 1.0) == latencies


@pytest.mark.parametrize(
    ("moments", "gap"),
    [([], 10.0), ([1.0, 2.0, 9.5], 7.5), ([6.0], 6.0), ([4.0], 6.0), ([3.0, 2.0, 11.0], 7.0)],
)
def test_the_longest_gap_counts_both_ends(moments: list[float], gap: float) -> None:
    assert longest_gap(moments, 10.0) == gap


def test_fairness() -> None:
    assert jain([5, 5, 5, 5]) == 1.0
    assert jain([12, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 1.0
    assert 0.25 < jain([4, 2, 1, 1]) < 1.0
