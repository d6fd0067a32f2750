"""Founding a ledger from the parts that each organisation makes."""

import json
from pathlib import Path

import pytest

from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.cli.keyring import Keyring
from grootboek.errors import ConfigError
from grootboek.node.keystore import Identity, ReplicaKeys, unlock
from grootboek.types import Genesis


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    return path


def make_replica(folder: Path, name: str, secret: Path) -> Path:
    address = ["--address", "127.0.0.1:7000", "--api", "127.0.0.1:7443"]
    arguments = ["init", "replica", str(folder / name), "--name", name, *address]
    assert run([*arguments, "--passphrase-file", str(secret)]) == Exit.OK
    return folder / name / f"{name}.json"


def make_identity(folder: Path, name: str, secret: Path, *roles: str) -> Path:
    given = [part for role in roles for part in ("--role", role)]
    path = folder / name
    assert run(["init", "identity", str(path), *given, "--passphrase-file", str(secret)]) == Exit.OK
    return path


def test_a_ledger_is_founded_from_public_halves(
    tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = [make_replica(tmp_path, name, secret) for name in ("tax-office", "treasury")]
    clerk = make_identity(tmp_path, "clerk", secret, "tax.authority")
    capsys.readouterr()
    output = tmp_path / "genesis.json"
    parts = [part for half in halves for part in ("--replica", str(half))]
    arguments = [
        "init",
        "ledger",
        str(output),
        "--name",
        "ledger.example",
        *parts,
        "--party",
        f"{clerk}.json",
    ]
    assert run([*arguments, "--module", "records", "--module", "tax", "--json"]) == Exit.OK
    genesis = Genesis.load(output)
    assert json.loads(capsys.readouterr().out)["digest"] == genesis.chain.digest.hex()
    assert [replica.name for replica in genesis.replicas] == ["tax-office", "treasury"]
    assert set(genesis.modules) == {"records", "tax"}
    keys = unlock(tmp_path / "treasury" / "keys", secret, ReplicaKeys)
    keys.check(genesis.replicas[1])
    key = unlock(clerk, secret, Identity).key
    assert Keyring.open(genesis, [clerk], secret).key_for("tax.authority").public == key.public


def test_nothing_is_overwritten(tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clerk = make_identity(tmp_path, "clerk", secret)
    before = clerk.read_bytes()
    for code in ("GB-5001", "GB-5003"):
        assert run(["init", "identity", str(clerk), "--passphrase-file", str(secret)]) == Exit.USAGE
        assert code in capsys.readouterr().err
        assert clerk.read_bytes() == before
        clerk.with_name("clerk.json").unlink(missing_ok=True)


@pytest.mark.parametrize("wrong", [("--address", "nohost"), ("--name", "../b"), ("--name", ".")])
def test_a_refused_replica_leaves_nothing_behind(
    tmp_path: Path, secret: Path, wrong: tuple[str, str]
) -> None:
    given = {"--name": "b", "--address": "a.example:1", "--api": "a.example:2"} | dict([wrong])
    flags = [part for pair in given.items() for part in pair]
    arguments = ["init", "replica", str(tmp_path / "b"), *flags, "--passphrase-file", str(secret)]
    assert run(arguments) == Exit.USAGE
    assert list(tmp_path.rglob("*")) == [secret]


def test_no_key_is_made_where_its_public_half_has_no_place(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "clerk.json").write_text("{}")
    file = tmp_path / "clerk"
    assert run(["init", "identity", str(file), "--passphrase-file", str(secret)]) == Exit.USAGE
    assert not file.exists()


def test_a_private_key_is_in_no_public_half(tmp_path: Path, secret: Path) -> None:
    half = make_replica(tmp_path, "treasury", secret)
    keys = unlock(tmp_path / "treasury" / "keys", secret, ReplicaKeys)
    text = half.read_text()
    for seed in (keys.voting, keys.cosigning, keys.log, keys.transport, keys.api):
        assert seed.hex() not in text


def test_a_damaged_half_is_named(tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = make_replica(tmp_path, "treasury", secret)
    half.write_text(half.read_text().replace('"voting"', '"votes"'))
    arguments = ["init", "ledger", str(tmp_path / "g.json"), "--name", "x.example", "--replica", str(half)]
    assert run([*arguments, "--module", "records"]) == Exit.USAGE
    error = capsys.readouterr().err
    assert "GB-5002" in error
    assert "treasury.json" in error


class TestKeyring:
    @pytest.fixture
    def keyring(self, tmp_path: Path, secret: Path) -> Keyring:
        half = make_replica(tmp_path, "treasury", secret)
        folder = tmp_path / "identities"
        paths = [make_identity(folder, name, secret, f"welfare.{name}") for name in ("payer", "registrar")]
        parties = [part for path in paths for part in ("--party", f"{path}.json")]
        arguments = [
            "init",
            "ledger",
            str(tmp_path / "g.json"),
            "--name",
            "x.example",
            "--replica",
            str(half),
        ]
        assert run([*arguments, *parties, "--module", "records"]) == Exit.OK
        return Keyring.open(Genesis.load(tmp_path / "g.json"), [folder], secret)

    def test_each_role_signs_with_its_own_key(self, keyring: Keyring) -> None:
        assert keyring.key_for("welfare.payer").public != keyring.key_for("welfare.registrar").public

    def test_a_role_that_nobody_has_is_an_error(self, keyring: Keyring) -> None:
        with pytest.raises(ConfigError, match=r"tax\.authority"):
            keyring.key_for("tax.authority")


def test_a_keyring_needs_a_key(tmp_path: Path, secret: Path) -> None:
    half = make_replica(tmp_path, "treasury", secret)
    run(
        [
            "init",
            "ledger",
            str(tmp_path / "g.json"),
            "--name",
            "x.example",
            "--replica",
            str(half),
            "--module",
            "records",
        ]
    )
    genesis = Genesis.load(tmp_path / "g.json")
    with pytest.raises(ConfigError):
        Keyring.open(genesis, [], None)
    with pytest.raises(ConfigError, match="missing"):
        Keyring.open(genesis, [tmp_path / "missing"], None)
    one = make_identity(tmp_path, "clerk", secret)
    assert (
        Keyring.open(genesis, [one], secret).key_for("any.role").public
        == unlock(one, secret, Identity).key.public
    )
