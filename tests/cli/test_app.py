"""The command line as a user meets it: help, typos, errors, JSON, exit codes."""

import json
import subprocess
import sys

import pytest

from grootboek.cli.app import COMMANDS, build, run
from grootboek.cli.exits import MEANING, Exit, exit_of
from grootboek.errors import CATALOGUE

NAMES = [name for _, name, _, _ in COMMANDS]

TYPOS = {
    "demo": ("dmo", "deom", "dem", "demmo"),
    "localnet": ("localnt", "lcoalnet", "local-net"),
    "init": ("innit", "inti"),
    "start": ("strat", "sart", "startt"),
    "status": ("statsu", "stauts", "state-us"),
    "submit": ("sumbit", "submt", "sub-mit"),
    "import": ("improt", "imports"),
    "query": ("qeury", "quer", "queri"),
    "receipt": ("reciept", "recipt", "receipts"),
    "policy": ("polcy", "policies"),
    "verify": ("verfy", "verifi", "veryfy"),
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
    assert printed.out == ""
    error = json.loads(printed.err)["error"]
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


def test_explain_says_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "no-such-reason"]) == Exit.USAGE
    assert "no-such-reason" in capsys.readouterr().err


def test_explain_suggests_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "GB-9005"]) == Exit.USAGE
    assert "did you mean 'GB-" in capsys.readouterr().err


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


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m grootboek.cli explain | head -1"
    answer = subprocess.run(["/bin/sh", "-c", command], check=False, capture_output=True, text=True)
    assert answer.stderr == ""
