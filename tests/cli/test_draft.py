"""Several organisations sign one transaction, each with its own key file, against real daemons."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grootboek._core import SigningKey
from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.client import Draft
from grootboek.plain import to_json
from grootboek.wire import Command, encode
from tests.cli.desk import Desk

pytestmark = pytest.mark.timeout(180)

DIGEST = "ab" * 32


class Signers(Desk):
    """Several organisations, each with its own key file."""

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def key(self, name: str) -> str:
        return str(self.net.folder / "keys" / name)

    def identity(self, name: str) -> str:
        """A key that no genesis file names; its public half is NAME.json."""
        passphrase = self.folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text("horse battery\n")
        self.typed("init", "identity", self.file(name), "--passphrase-file", str(passphrase))
        return self.file(f"{name}.json")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Signers]:
    desk = Signers(tmp_path, capsys)
    with desk.running():
        yield desk


def test_what_several_sign_is_drafted_signed_apart_and_sent(desk: Signers) -> None:
    two_people_anchor_a_document(desk)
    a_governor_signs_elsewhere(desk)


def two_people_anchor_a_document(desk: Signers) -> None:
    clerk, witness = desk.identity("clerk"), desk.identity("witness")
    paper, copy = desk.file("paper"), desk.file("copy")
    anchor = ("submit", "records", "Anchor", "key=deed", f"digest={DIGEST}", "--key", desk.key("client"))
    drafted = desk.command(*anchor, "--cosigner", clerk, "--cosigner", witness, "--draft", paper)
    assert (len(drafted["signed"]), len(drafted["missing"])) == (1, 2)
    assert drafted["commands"][0]["fields"]["digest"] == DIGEST
    assert desk.command("draft", "show", paper) == drafted

    early = desk.command("draft", "send", paper, code=Exit.USAGE)["error"]
    assert early["code"] == "GB-5006"
    assert all(key in early["what"] for key in drafted["missing"])
    stranger = desk.command("draft", "sign", paper, "--key", desk.key("parties-registrar"), code=Exit.USAGE)
    assert "none of its signers" in stranger["error"]["what"]

    shutil.copy(paper, copy)
    unsealed = ("--passphrase-file", desk.file("passphrase"))
    desk.command("draft", "sign", paper, "--key", desk.file("clerk"), *unsealed)
    signed = desk.command("draft", "sign", copy, "--key", desk.file("witness"), *unsealed)
    assert len(signed["missing"]) == 1
    sent = desk.command("draft", "send", paper, copy)
    assert (sent["status"], sent["outcomes"]) == ("applied", ["applied"])
    again = desk.command("draft", "send", copy, paper)
    assert (again["transaction"], again["index"]) == (sent["transaction"], sent["index"])


def a_governor_signs_elsewhere(desk: Signers) -> None:
    governor, draft = desk.file("governor.json"), desk.file("admission")
    roles = [party for party in desk.net.genesis.parties if "replicas.governor" in party.roles]
    Path(governor).write_bytes(to_json(roles[0]))
    joining = desk.net.join()
    public = str(desk.net.replica_folder(joining) / f"replica-{joining}.json")
    admit = ("replica", "admit", public)
    nobody = desk.command(*admit, code=Exit.USAGE)["error"]
    assert "--cosigner" in nobody["what"]

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    desk.command(*admit, "--cosigner", governor, "--draft", draft, "--expiry", tomorrow)
    desk.command("draft", "sign", draft, "--key", desk.key("replicas-governor"))
    assert desk.command("draft", "send", draft, code=Exit.REFUSED)["error"]["code"] == "GB-1007"

    desk.command(*admit, "--cosigner", governor, "--draft", draft)
    desk.command("draft", "sign", draft, "--key", desk.key("replicas-governor"))
    assert desk.command("draft", "send", draft)["status"] == "applied"
    assert [one["name"] for one in desk.command("replica", "list")["observers"]] == [f"replica-{joining}"]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (("--cosigner", "nobody.json"), "--draft"),
        (("--draft", "paper"), "--cosigner"),
        (("--cosigner", "{genesis}", "--draft", "paper"), "{genesis}"),
    ],
)
def test_options_that_do_not_fit_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], where: str
) -> None:
    """Before anybody is asked for anything."""
    desk = Signers(tmp_path, capsys)
    genesis = str(desk.net.folder / "genesis.json")
    words = [option.format(genesis=genesis) for option in options]
    anchor = ("submit", "records", "Anchor", "key=deed", f"digest={DIGEST}", "--key", desk.key("client"))
    assert desk.command(*anchor, *words, code=Exit.USAGE)["error"]["where"] == where.format(genesis=genesis)


def test_a_strangers_draft_is_shown_whatever_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A date that no calendar has, a module that nobody has, a body that its module cannot read."""
    desk = Signers(tmp_path, capsys)
    key, paper = SigningKey(bytes(32)), Path(desk.file("paper"))
    chain = desk.net.genesis.chain

    def drafted(module: str, body: bytes) -> None:
        command = encode(Command(module, "Anchor", 1, body, bytes(16)))
        paper.write_bytes(Draft.of(chain, [key.public], [command], expiry=2**52).to_json())

    drafted("nobodys", b"\xc1")
    assert desk.command("draft", "show", str(paper))["commands"][0]["fields"] == "c1"
    assert run(["draft", "show", str(paper), "--genesis", str(desk.net.folder / "genesis.json")]) == Exit.OK
    assert "ms since 1970" in capsys.readouterr().out
    drafted("records", b"\xc1")
    wrong = desk.command("draft", "show", str(paper), code=Exit.USAGE)["error"]
    assert (wrong["code"], "records Anchor" in wrong["what"]) == ("GB-5006", True)
