"""Flag beats environment beats file, and the file's mistakes are named."""

from pathlib import Path

import pytest

from grootboek.cli.app import build
from grootboek.cli.options import Ledger, suggest
from grootboek.errors import ConfigError


def parse(*arguments: str) -> Ledger:
    """The Ledger that ``grootboek policy`` would get."""
    _, bound, _ = build().parse_args(["policy", *arguments], print_error=False, exit_on_error=False)
    ledger = bound.arguments.get("ledger", Ledger())
    assert isinstance(ledger, Ledger)
    return ledger.resolved()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "grootboek.toml"
    path.write_text('[client]\ngenesis = "from-file.json"\nnode = ["a", "b"]\ntimeout = 3.5\n')
    return path


def test_the_file_is_read_beside_itself(file: Path) -> None:
    ledger = parse("--config", str(file))
    assert ledger.genesis == file.parent / "from-file.json"
    assert ledger.node == ("a", "b")
    assert ledger.timeout == 3.5


def test_the_environment_beats_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOTBOEK_GENESIS", "from-environment.json")
    monkeypatch.setenv("GROOTBOEK_CONFIG", str(file))
    ledger = parse()
    assert ledger.genesis == Path("from-environment.json")
    assert ledger.timeout == 3.5


def test_the_flag_beats_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOTBOEK_GENESIS", "from-environment.json")
    ledger = parse("--config", str(file), "--genesis", "from-flag.json", "--node", "c")
    assert ledger.genesis == Path("from-flag.json")
    assert ledger.node == ("c",)


def test_the_file_of_the_current_folder_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert parse().timeout == 3.5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[client]\ngensis = 'x'\n", "did you mean 'genesis'"),
        ("[client]\ntimeout = 'soon'\n", "$.timeout"),
        ("[client\n", "line 1"),
        ("client = 3\n", "no table"),
    ],
)
def test_a_wrong_file_is_named_with_its_mistake(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        parse("--config", str(file))
    assert says in str(raised.value)
    assert str(file) in raised.value.where


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_a_timeout_is_some_time(seconds: str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        parse("--timeout", seconds)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        parse("--config", str(tmp_path / "none.toml"))


def test_suggestions() -> None:
    assert suggest("genisis", ["genesis", "node"]) == "; did you mean 'genesis'?"
    assert suggest("zzz", ["genesis", "node"]) == " (there are genesis, node)"
