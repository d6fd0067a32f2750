"""Key files: sealed, private to their owner, and refused with a reason when anything is wrong."""

import json
import os
import stat
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import msgspec
import pytest
from cryptography.x509 import load_der_x509_certificate

from grootboek._core import SigningKey
from grootboek.errors import KeyFileError
from grootboek.network import Credentials
from grootboek.node.certificates import public_key, self_signed
from grootboek.node.keystore import (
    BESIDE,
    GENERATED,
    TYPED,
    Identity,
    ReplicaKeys,
    load,
    new_passphrase,
    read_passphrase,
    save,
    unlock,
    write_private,
)

SECRET = b"correct horse"
CHEAP = 10


@pytest.fixture
def identity() -> Identity:
    return Identity.generate("clerk")


@pytest.fixture
def file(tmp_path: Path, identity: Identity) -> Path:
    save(tmp_path / "clerk", identity, SECRET, CHEAP)
    return tmp_path / "clerk"


def changed(path: Path, **fields: object) -> None:
    value = json.loads(path.read_bytes())
    for name, field in fields.items():
        target, _, inner = name.partition("__")
        if inner:
            value[target][inner] = field
        else:
            value[target] = field
    path.write_text(json.dumps(value))


def test_keys_come_back(tmp_path: Path, identity: Identity, file: Path) -> None:
    assert load(file, SECRET, Identity) == identity
    replica = ReplicaKeys.generate("replica-0")
    save(tmp_path / "replica", replica, SECRET, CHEAP)
    assert load(tmp_path / "replica", SECRET, ReplicaKeys) == replica
    assert len({replica.voting, replica.cosigning, replica.log, replica.transport, replica.api}) == 5


def test_the_file_is_private_and_holds_no_secret_in_clear(file: Path, identity: Identity) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    for form in (identity.seed, identity.seed.hex().encode(), b64encode(identity.seed), SECRET):
        assert form not in data


def test_the_same_keys_never_give_the_same_file(tmp_path: Path, identity: Identity) -> None:
    save(tmp_path / "a", identity, SECRET, CHEAP)
    save(tmp_path / "b", identity, SECRET, CHEAP)
    a, b = (json.loads((tmp_path / name).read_bytes()) for name in "ab")
    assert a["scrypt"]["salt"] != b["scrypt"]["salt"]
    assert a["sealed"] != b["sealed"]


def test_both_costs_open_again(tmp_path: Path, identity: Identity) -> None:
    for cost in (GENERATED, TYPED):
        path = tmp_path / str(cost)
        save(path, identity, SECRET, cost)
        assert json.loads(path.read_bytes())["scrypt"]["log2_n"] == cost
        assert load(path, SECRET, Identity) == identity


def test_a_key_file_is_never_overwritten(file: Path, identity: Identity) -> None:
    with pytest.raises(KeyFileError, match="File exists"):
        save(file, Identity.generate("other"), SECRET, CHEAP)
    assert load(file, SECRET, Identity) == identity


def test_a_wrong_passphrase(file: Path) -> None:
    with pytest.raises(KeyFileError, match="passphrase is wrong"):
        load(file, SECRET + b" ", Identity)


def test_an_empty_passphrase(tmp_path: Path, identity: Identity) -> None:
    with pytest.raises(KeyFileError, match="empty"):
        save(tmp_path / "x", identity, b"", CHEAP)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_may_touch(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}"):
        load(file, SECRET, Identity)


def test_files_that_are_not_there_or_not_files(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        load(tmp_path / "none", SECRET, Identity)
    with pytest.raises(KeyFileError, match="Is a directory"):
        load(tmp_path, SECRET, Identity)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"format":"grootboek-keys/1"',
        b"-----BEGIN PRIVATE KEY-----",
        b"[" * 5_000,
    ],
)
def test_files_that_are_no_key_files(tmp_path: Path, data: bytes) -> None:
    write_private(tmp_path / "x", data)
    with pytest.raises(KeyFileError, match="no key file"):
        load(tmp_path / "x", SECRET, Identity)


def test_a_file_too_long_to_be_one(tmp_path: Path) -> None:
    write_private(tmp_path / "x", bytes(1 << 17))
    with pytest.raises(KeyFileError, match="longer than"):
        load(tmp_path / "x", SECRET, Identity)


def test_an_identity_is_no_replica(file: Path) -> None:
    with pytest.raises(KeyFileError, match="grootboek-keys/1 replica, found grootboek-keys/1 identity"):
        load(file, SECRET, ReplicaKeys)
    changed(file, kind="replica")
    with pytest.raises(KeyFileError, match="wrong, or the file is damaged"):
        load(file, SECRET, ReplicaKeys)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "registrar"},
        {"scrypt__log2_n": CHEAP + 1},
        {"scrypt__salt": b64encode(bytes(16)).decode()},
        {"sealed": b64encode(bytes(80)).decode()},
        {"sealed": ""},
    ],
)
def test_everything_in_the_file_is_authenticated(file: Path, fields: dict[str, object]) -> None:
    changed(file, **fields)
    with pytest.raises(KeyFileError, match="wrong, or the file is damaged"):
        load(file, SECRET, Identity)


@pytest.mark.parametrize("cost", [0, 9, 21, 63, -1])
def test_a_cost_outside_its_bounds_is_refused_before_it_is_paid(file: Path, cost: int) -> None:
    changed(file, scrypt__log2_n=cost)
    with pytest.raises(KeyFileError, match="no key file"):
        load(file, SECRET, Identity)


@pytest.mark.parametrize("fields", [{"format": "grootboek-keys/2"}, {"more": 1}])
def test_another_format(file: Path, fields: dict[str, object]) -> None:
    changed(file, **fields)
    with pytest.raises(KeyFileError):
        load(file, SECRET, Identity)


def test_the_passphrase_from_a_file(tmp_path: Path) -> None:
    for name, data in (("a", SECRET), ("b", SECRET + b"\n"), ("c", SECRET + b"\r\nmore\n")):
        write_private(tmp_path / name, data)
        assert read_passphrase(tmp_path / name, "") == SECRET
    write_private(tmp_path / "empty", b"\n")
    with pytest.raises(KeyFileError, match="empty"):
        read_passphrase(tmp_path / "empty", "")
    (tmp_path / "a").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_passphrase(tmp_path / "a", "")


def test_without_a_file_there_must_be_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123  # a stream, not a path
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(KeyFileError, match="--passphrase-file"):
            read_passphrase(None, "Passphrase: ")


def test_the_passphrase_typed_at_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt}")
    assert read_passphrase(None, "P: ") == b"typed at P: "


def test_unlock_finds_the_passphrase_beside_the_file(file: Path, identity: Identity) -> None:
    write_private(file.with_name(BESIDE), SECRET)
    assert unlock(file, None, Identity) == identity
    write_private(file.with_name("other"), b"wrong")
    with pytest.raises(KeyFileError, match="wrong"):
        unlock(file, file.with_name("other"), Identity)


def test_a_missing_key_file_is_told_before_a_passphrase_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        unlock(tmp_path / "none", None, Identity)


def test_made_passphrases_differ_and_are_text() -> None:
    assert new_passphrase() != new_passphrase()
    assert len(bytes.fromhex(new_passphrase().decode())) == 16


def test_keys_must_be_those_of_the_genesis_file() -> None:
    keys, other = ReplicaKeys.generate("replica-0"), ReplicaKeys.generate("replica-0")
    info = keys.public("127.0.0.1:7000", "ledger.example:7443")
    keys.check(info)
    for field in ("voting", "cosigning", "log", "transport", "api"):
        wrong = msgspec.structs.replace(keys, **{field: getattr(other, field)})
        with pytest.raises(KeyFileError, match=f"the {field} key"):
            wrong.check(info)


def test_the_keys_at_work() -> None:
    keys = ReplicaKeys.generate("replica-0")
    signing = keys.signing()
    info = keys.public("127.0.0.1:7000", "127.0.0.1:7001")
    assert (signing.voting.public, signing.cosigning.public) == (info.voting_key, info.cosigning_key)
    assert signing.log.public == info.log_key


def test_a_certificate_is_the_key_for_ever() -> None:
    seed = bytes(range(32))
    der = self_signed(seed, "replica-0", ["127.0.0.1", "ledger.example", "::1"])
    assert der == self_signed(seed, "replica-0", ["127.0.0.1", "ledger.example", "::1"])
    assert public_key(der) == SigningKey(seed).public
    certificate = load_der_x509_certificate(der)
    assert certificate.not_valid_after_utc.year == 9999
    assert certificate.subject == certificate.issuer
    certificate.verify_directly_issued_by(certificate)
    assert b64decode(b64encode(der)) == der


def test_no_secret_is_printed() -> None:
    keys, identity = ReplicaKeys.generate("replica-0"), Identity.generate("clerk")
    credentials = Credentials(SigningKey(keys.voting), keys.transport)
    shown = [repr(value) for value in (keys, identity, credentials)]
    assert shown == ["ReplicaKeys('replica-0')", "Identity('clerk')", "Credentials()"]
