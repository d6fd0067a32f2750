"""Flag beats environment beats file beats default, and each mistake is named where it was made."""

from pathlib import Path

import pytest

from grootboek.errors import ConfigError
from grootboek.node.config import Settings, load

PAGE = Path(__file__).parents[2] / "docs/operations/configuration.md"
BASE = {"GROOTBOEK_DATA": "data", "GROOTBOEK_GENESIS": "genesis.json"}


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults() -> None:
    settings = load(None, BASE, {})
    assert settings == Settings(data=Path("data"), genesis=Path("genesis.json"))
    assert settings.key_file == Path("data/keys")
    assert (settings.log_format, settings.log_level) == ("auto", "info")


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'data = "f"\ngenesis = "f"\nlisten = "f:1"\napi = "f:1"\nmetrics = "f:1"\n')
    env = {"GROOTBOEK_API": "e:2", "GROOTBOEK_METRICS": "e:2"}
    settings = load(path, env, {"metrics": "g:3", "listen": None})
    assert (settings.listen, settings.api, settings.metrics) == ("f:1", "e:2", "g:3")


def test_paths_in_a_file_start_at_its_folder(tmp_path: Path) -> None:
    path = write(tmp_path, 'data = "."\ngenesis = "../g.json"\npassphrase_file = "p"\n')
    settings = load(path, {}, {})
    assert settings.data == tmp_path
    assert settings.genesis == tmp_path / "../g.json"
    assert settings.passphrase_file == tmp_path / "p"
    assert load(path, {"GROOTBOEK_DATA": "here"}, {"genesis": Path("there")}).data == Path("here")
    assert load(path, {}, {"genesis": Path("there")}).genesis == Path("there")


def test_the_table_of_client_commands_may_be_in_the_same_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'data = "."\ngenesis = "g"\n[client]\ngenesis = "other"\n')
    assert load(path, {}, {}).genesis == tmp_path / "g"


def test_other_variables_are_none_of_our_business() -> None:
    load(None, {**BASE, "GROOTBOEK_NODE": "a", "GROOTBOEK_KEY": "k", "GROOTBOEKE": "x", "HOME": "/"}, {})


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ('data = "."\n\nlisen = "a:1"\n', ":3: lisen", "did you mean 'listen'"),
        ('data = "."\nwheather = 1\n', ":2: wheather", "there are data, genesis"),
        ("data = 1\n", ":1: data", "Expected `str`, got `int`"),
        ('# a comment\nlog_level = "loud"\n', ":2: log_level", "Invalid enum value 'loud'"),
        ("log_format = true\n", ":1: log_format", "Expected `str`"),
        ('listen = "localhost"\n', ":1: listen", "not host:port"),
        ("listen = 7000\n", ":1: listen", "Expected `str | null`, got `int`"),
        ('api = "::1:7443"\n', ":1: api", "brackets"),
        ('api = "host:0"\n', ":1: api", "from 1 to 65535"),
        ('api = "host:65536"\n', ":1: api", "from 1 to 65535"),
        ('source = "localhost"\n', ":1: source", "'localhost' is no IP address"),
        ('metrics = "a b:1"\n', ":1: metrics", "not host:port"),
        ('[listen]\nhost = "a"\n', ":1: listen", "Expected `str | null`"),
        ("data = \n", "", "line 1"),
        ('data = "\\ud800"\n', "", ""),
        ('data = "a"\ndata = "b"\n', "", "line 2"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, place: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, BASE, {})
    assert caught.value.where == f"{path}{place}"
    assert says in caught.value.detail


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"data = '\xff'\n")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load(path, BASE, {})


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml", BASE, {})


def test_mistakes_in_the_environment() -> None:
    with pytest.raises(ConfigError, match=r"GROOTBOEK_LISTN: .*GROOTBOEK_LISTEN\?"):
        load(None, {**BASE, "GROOTBOEK_LISTN": "a:1"}, {})
    with pytest.raises(ConfigError, match="GROOTBOEK_LOG_LEVEL: Invalid enum value"):
        load(None, {**BASE, "GROOTBOEK_LOG_LEVEL": "x"}, {})
    with pytest.raises(ConfigError, match="GROOTBOEK_API: 'nowhere'"):
        load(None, {**BASE, "GROOTBOEK_API": "nowhere"}, {})


def test_mistakes_in_flags() -> None:
    with pytest.raises(ConfigError, match="--log-lvel: unknown key; did you mean 'log_level'"):
        load(None, BASE, {"log_lvel": "info"})
    with pytest.raises(ConfigError, match="--api: "):
        load(None, BASE, {"api": 7})


@pytest.mark.parametrize("key", ["data", "genesis"])
def test_what_must_be_set(key: str) -> None:
    env = {name: value for name, value in BASE.items() if not name.endswith(key.upper())}
    with pytest.raises(ConfigError, match=f"{key}: not set: give --{key}, GROOTBOEK_{key.upper()}"):
        load(None, env, {})


def test_the_page_lists_each_setting_with_its_flag_and_variable() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for key in Settings.__struct_fields__:
        flag = "--" + key.replace("_", "-")
        assert f"| `{key}` | `{flag}` | `GROOTBOEK_{key.upper()}` |" in page
    for row in page.split("| key |")[1].split("\n\n")[0].splitlines()[2:]:
        assert row.split("`")[1] in Settings.__struct_fields__
