"""The command line as a user meets it: help, typos, errors, JSON, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grootboek import __version__
from grootboek.cli.app import COMMANDS, build, run
from grootboek.cli.exits import MEANING, Exit, exit_of
from grootboek.errors import CATALOGUE
from grootboek.ledger.execution import RESERVED
from grootboek.modules.importing import Staging
from grootboek.modules.tax import Tax
from grootboek.node.localnet import create
from grootboek.types import Genesis

NAMES = [name for _, name, _, _ in COMMANDS]

TYPOS = {
    "demo": ("dmo", "deom", "dem", "demmo"),
    "localnet": ("localnt", "lcoalnet", "local-net"),
    "init": ("innit", "inti"),
    "replica": ("replcia", "replicas", "repica"),
    "start": ("strat", "sart", "startt"),
    "status": ("statsu", "stauts", "state-us"),
    "submit": ("sumbit", "submt", "sub-mit"),
    "draft": ("drfat", "drafts"),
    "import": ("improt", "imports"),
    "query": ("qeury", "quer", "queri"),
    "receipt": ("reciept", "recipt", "receipts"),
    "policy": ("polcy", "policies"),
    "verify": ("verfy", "verifi", "veryfy"),
    "simulate": ("simulat", "similate"),
    "twins": ("twin", "twns"),
    "mutate": ("mutat", "mtuate"),
    "bench": ("bensh", "bnech"),
    "explain": ("explian", "exlain", "explains"),
}


@pytest.mark.parametrize(("typo", "meant"), [(t, name) for name, typos in TYPOS.items() for t in typos])
def test_a_mistyped_command_is_answered_with_the_right_one(
    typo: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([typo]) == Exit.USAGE
    assert meant in capsys.readouterr().err


def test_each_command_has_typos_to_try() -> None:
    assert set(TYPOS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == Exit.OK
    shown = capsys.readouterr().out
    assert f"Usage: grootboek {name}" in shown


def leaves(tokens: list[str]) -> list[list[str]]:
    """Every command that can be run, as its words."""
    app = build()
    _, apps, _ = app.parse_commands(tokens)
    below = [name for name in apps[-1] if not name.startswith("-")]
    return [leaf for name in below for leaf in leaves([*tokens, name])] if below else [tokens]


@pytest.mark.parametrize("words", leaves([]), ids=" ".join)
def test_each_command_takes_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == Exit.OK
    assert "--json" in capsys.readouterr().out


def test_a_mistyped_flag_is_answered_with_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "--gensis", "x"]) == Exit.USAGE
    error = capsys.readouterr().err
    assert "GB-5001" in error
    assert "--genesis" in error


def test_an_error_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "--genesis", "/nowhere/genesis.json", "--json"]) == Exit.USAGE
    printed = capsys.readouterr()
    assert printed.err == ""
    error = json.loads(printed.out)["error"]
    assert error["code"] == "GB-5002"
    assert "/nowhere/genesis.json" in error["where"]
    assert error["fix"]


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=str)
def test_each_error_has_an_exit_code(kind: type) -> None:
    assert exit_of(kind("something")) in set(MEANING) - {Exit.OK, Exit.INTERRUPTED}


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=str)
def test_explain_knows_each_error(kind: type, capsys: pytest.CaptureFixture[str]) -> None:
    code = kind.code  # type: ignore[attr-defined]  # every row of the catalogue has one
    assert run(["explain", code, "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["code"] == code


def test_explain_without_a_code_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--json"]) == Exit.OK
    assert [row["code"] for row in json.loads(capsys.readouterr().out)] == sorted(CATALOGUE)


def test_explain_knows_the_reasons_of_modules(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "version-mismatch", "--json"]) == Exit.OK
    assert "records" in json.loads(capsys.readouterr().out)["modules"]


def test_explain_takes_a_rule_as_imports_print_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "BR-CO-15", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["reason"] == "br-co-15"


def test_a_dry_run_leaves_nothing_to_be_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create(tmp_path / "net", 1, name="dry/run")
    rates = str(tmp_path / "rates.csv")
    Path(rates).write_text("country,category,rate,valid_from,valid_until\nNL,S,21,2020-01-01,\n")
    line = ["import", "tax", rates, "--genesis", str(tmp_path / "net/genesis.json"), "--dry-run", "--json"]
    for _ in range(2):
        assert run(line) == Exit.OK
        assert json.loads(capsys.readouterr().out)["accepted"] == 1
    genesis = Genesis.load(tmp_path / "net/genesis.json")
    with Staging(tmp_path / "net/imports", genesis.chain, Tax) as staging:
        assert staging.pending() == []


def test_explain_says_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "no-such-reason"]) == Exit.USAGE
    assert "no-such-reason" in capsys.readouterr().err


def test_explain_suggests_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "GB-9005"]) == Exit.USAGE
    assert "did you mean 'GB-" in capsys.readouterr().err


@pytest.mark.parametrize("outcome", sorted(RESERVED))
def test_explain_knows_the_outcomes_of_the_ledger(outcome: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", outcome, "--json"]) == Exit.OK
    assert "ledger" in json.loads(capsys.readouterr().out)["modules"]


def test_explain_suggests_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "version-mismtch"]) == Exit.USAGE
    assert "did you mean 'version-mismatch'" in capsys.readouterr().err


def test_the_version_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["version"] == __version__


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["localnet", "start", "--dir", "/proc/nowhere"], "/proc/nowhere"),
        (["localnet", "start", "--dir", "{tmp}/D", "--replicas", "0"], "--replicas"),
        (["localnet", "start", "--dir", "{tmp}/D", "--base-port", "65535"], "--base-port"),
        (["localnet", "start", "--dir", "{tmp}/D", "--module", "taxx"], "MODULE"),
        (["import", "records", "x.csv"], "MODULE"),
        (["bench", "cluster", "--window", "0"], "flags"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_done(
    words: list[str], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.format(tmp=tmp_path) for word in words]
    assert run([*given, "--json"]) == Exit.USAGE
    assert place in json.loads(capsys.readouterr().out)["error"]["where"]
    assert list(tmp_path.iterdir()) == []


def grootboek(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "grootboek.cli", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def test_as_a_process_without_a_terminal_nothing_is_coloured() -> None:
    shown = grootboek("explain", TERM="xterm-256color")
    assert shown.returncode == Exit.OK
    assert "\x1b[" not in shown.stdout + shown.stderr
    failed = grootboek("explain", "nothing", TERM="xterm-256color")
    assert failed.returncode == Exit.USAGE
    assert "\x1b[" not in failed.stderr
    assert "Traceback" not in failed.stderr


def test_no_color_wins_over_force_color() -> None:
    assert "\x1b[3" not in grootboek("explain", "nothing", FORCE_COLOR="1", NO_COLOR="1").stderr


@pytest.mark.parametrize("words", ["explain", "explain --json", "--help", "nothing --json"])
def test_a_closed_pipe_is_no_error(words: str) -> None:
    command = f"{sys.executable} -m grootboek.cli {words} | true; exit ${{PIPESTATUS[0]}}"
    answer = subprocess.run(
        ["/usr/bin/env", "bash", "-c", command], check=False, capture_output=True, text=True
    )
    assert (answer.stderr, answer.returncode) == ("", Exit.OK)
