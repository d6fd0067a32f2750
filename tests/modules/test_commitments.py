"""Salted commitments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.modules.commitments import Opening, commit, commit_all, opens

SALT = bytes(range(32))


@given(st.text(), st.text(), st.text())
def test_only_the_committed_value_opens(field: str, value: str, other: str) -> None:
    commitment = commit(SALT, field, value)
    assert opens(commitment, Opening(SALT, field, value))
    assert opens(commitment, Opening(SALT, field, other)) == (commit(SALT, field, other) == commitment)
    assert not opens(commitment, Opening(bytes(32), field, value))


def test_a_guess_without_the_salt_fails() -> None:
    commitment = commit(SALT, "birth", "1970-01-01")
    guesses = [f"19{year:02}-01-01" for year in range(100)]
    assert not any(opens(commitment, Opening(bytes(32), "birth", guess)) for guess in guesses)


def test_field_and_value_are_kept_apart() -> None:
    assert commit(SALT, "ab", "c") != commit(SALT, "a", "bc")


def test_spellings_of_one_text_are_one_value() -> None:
    assert commit(SALT, "name", "Rene\u0301") == commit(SALT, "name", "Ren\u00e9")


def test_the_salt_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        commit(b"short", "name", "x")


def test_a_list_commits_to_members_and_their_number() -> None:
    one, two = commit(SALT, "a", "1"), commit(SALT, "a", "2")
    assert len({commit_all(members) for members in ([], [one], [two], [one, two], [two, one])}) == 5
