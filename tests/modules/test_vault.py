"""The vault: what it remembers, what it forgets, whom it lets in."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from grootboek.errors import Damaged, KeyFileError, StorageError
from grootboek.modules.commitments import Opening, commit, opens
from grootboek.modules.vault import Vault

KEY = bytes(range(32))
SECRETS = ("Jansje van der Meer", "Dorpsstraat 12, Duinrand", "999993653")


def test_the_same_value_has_the_same_commitment_after_reopening(tmp_path: Path) -> None:
    with Vault(tmp_path / "v", KEY) as vault:
        person = vault.pseudonym("welfare", "bsn", "999993653")
        first = vault.put(person, "name", "Jansje")
    with Vault(tmp_path / "v", KEY) as vault:
        assert vault.pseudonym("welfare", "bsn", " 999993653") == person
        assert vault.put(person, "name", "Jansje") == first
        opening = vault.opening(person, "name", first)
        assert opening is not None
        assert opens(first, opening)


def test_schemes_do_not_share_pseudonyms() -> None:
    vault = Vault(":memory:", KEY)
    people = {vault.pseudonym(scheme, "bsn", "1") for scheme in ("tax", "welfare")}
    assert len(people) == 2
    assert {len(person) for person in people} == {16}


def test_another_value_is_kept_beside_the_first() -> None:
    vault = Vault(":memory:", KEY)
    first, second = vault.put(b"p" * 16, "name", "a"), vault.put(b"p" * 16, "name", "b")
    assert first != second
    assert [opening.value for opening in vault.openings(b"p" * 16, "name")] == ["a", "b"]
    assert vault.get(b"p" * 16, "name") == "b"
    assert vault.put_once(b"p" * 16, "name", "c") == first


def test_a_registrar_s_id_is_used() -> None:
    vault = Vault(":memory:", KEY)
    vault.bind(b"r" * 16, "tax", "vat", "NL1")
    assert vault.pseudonym("tax", "vat", "NL1") == b"r" * 16


def test_erasing_a_person_leaves_nothing_that_opens(tmp_path: Path) -> None:
    with Vault(tmp_path / "v", KEY) as vault:
        person, other = vault.pseudonym("s", "bsn", SECRETS[2]), vault.pseudonym("s", "bsn", "2")
        commitments = [vault.put(person, f"field {i}", text) for i, text in enumerate(SECRETS)]
        kept = vault.put(other, "name", "someone else")
        salt = vault.openings(person, "field 0")[0].salt
        before = (tmp_path / "v").read_bytes()
        (wrapped,) = vault._db.execute("SELECT key FROM subjects WHERE id = ?", (person,)).fetchone()
        vault.erase(person)
        assert vault.openings(person, "field 0") == []
        assert vault.opening(person, "field 0", commitments[0]) is None
        assert vault.pseudonym("s", "bsn", SECRETS[2]) != person
        assert vault.opening(other, "name", kept) is not None
    content = (tmp_path / "v").read_bytes()
    assert person not in content
    assert salt not in content
    assert wrapped in before
    assert wrapped not in content
    assert not opens(commitments[0], Opening(bytes(32), "field 0", SECRETS[0]))


def test_no_plaintext_and_no_salt_is_in_the_file(tmp_path: Path) -> None:
    with Vault(tmp_path / "v", KEY) as vault:
        person = vault.pseudonym("scheme-x", "bsn", SECRETS[2])
        for text in SECRETS:
            vault.put(person, "field-name", text)
        salts = [opening.salt for opening in vault.openings(person, "field-name")]
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (*SECRETS, "scheme-x", "field-name"):
        assert secret.encode() not in content
    assert not any(salt in content for salt in salts)


def test_another_key_is_refused(tmp_path: Path) -> None:
    Vault(tmp_path / "v", KEY).close()
    with pytest.raises(KeyFileError):
        Vault(tmp_path / "v", bytes(32))


def test_a_file_that_is_no_vault_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"no database at all" * 100)
    with pytest.raises(Damaged):
        Vault(tmp_path / "v", KEY)


def test_a_changed_field_does_not_open(tmp_path: Path) -> None:
    with Vault(tmp_path / "v", KEY) as vault:
        vault.put(b"p" * 16, "name", "a")
        vault._db.execute("UPDATE fields SET sealed = zeroblob(60)")
        with pytest.raises(Damaged):
            vault.openings(b"p" * 16, "name")


def test_a_field_in_another_s_place_is_noticed() -> None:
    vault = Vault(":memory:", KEY)
    vault.put(b"p" * 16, "name", "a")
    vault.put(b"p" * 16, "city", "b")
    sealed = dict(vault._db.execute("SELECT field, sealed FROM fields").fetchall())
    (first, one), (second, other) = sealed.items()
    for field, content in ((first, other), (second, one)):
        vault._db.execute("UPDATE fields SET sealed = ? WHERE field = ?", (content, field))
    with pytest.raises(Damaged, match="another's place"):
        vault.openings(b"p" * 16, "name")


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "v", KEY)

    def fail() -> None:
        with vault.batch():
            vault.put(b"p" * 16, "name", "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert vault.openings(b"p" * 16, "name") == []
    first = vault.put(b"p" * 16, "name", "a")
    vault.close()
    with Vault(tmp_path / "v", KEY) as vault:
        salt = vault.openings(b"p" * 16, "name")[0].salt
        assert commit(salt, "name", "a") == first


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    with Vault.at(tmp_path / "d") as vault:
        commitment = vault.put(b"p" * 16, "name", "a")
    assert (tmp_path / "d/vault.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "d/vault.sqlite").stat().st_mode & 0o777 == 0o600
    with Vault.at(tmp_path / "d") as vault:
        assert vault.put(b"p" * 16, "name", "a") == commitment


@pytest.mark.parametrize("attempt", range(20))
def test_several_that_open_a_new_vault_at_once_share_it(tmp_path: Path, attempt: int) -> None:
    together = Barrier(8)

    def enrol(_: int) -> bytes:
        together.wait()
        with Vault.at(tmp_path) as vault:
            return vault.pseudonym("scheme", "vat", str(attempt))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(enrol, range(8)))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vault.key", "vault.sqlite"]


def test_a_key_file_that_others_read_is_refused(tmp_path: Path) -> None:
    Vault.at(tmp_path).close()
    (tmp_path / "vault.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Vault.at(tmp_path)


def test_a_key_file_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    Vault.at(tmp_path).close()
    (tmp_path / "vault.key").write_bytes(b"short")
    with pytest.raises(KeyFileError, match="32 bytes"):
        Vault.at(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        Vault.at(tmp_path / "file" / "below")
