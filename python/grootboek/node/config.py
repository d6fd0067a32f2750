"""The settings of a replica's daemon: flag, else environment, else file, else default.

What all replicas agree on (limits, modules, keys, addresses) is in the genesis file; here is only
what one machine may choose for itself.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from grootboek.errors import ConfigError
from grootboek.network.addresses import split_address

__all__ = ["PREFIX", "Settings", "load"]

PREFIX: Final = "GROOTBOEK_"
"""Before the upper-case key, the name of its environment variable."""
CLIENT_TABLE: Final = "client"
"""The table of the same file that client commands read."""
NEAR: Final = 0.8
"""How like a setting an unknown environment variable must be to count as a slip of the pen."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One replica's settings. Relative paths in a file start at the file's folder."""

    data: Path
    """The data directory: log, journal, state, keys."""
    genesis: Path
    """The ledger's genesis file."""
    guard: Path | None = None
    """The folder of the signer's guard, best on another disk, and never in a backup; by default ``data``."""
    replica: str | None = None
    """The replica's name in the genesis file; by default the name in its key file."""
    listen: str | None = None
    """``host:port`` where other replicas connect; by default the address in the genesis file."""
    source: str | None = None
    """The local IP address from which other replicas are dialled; by default the system chooses."""
    api: str | None = None
    """``host:port`` of the HTTP API; by default the one in the genesis file."""
    metrics: str | None = None
    """``host:port`` that serves the metrics without TLS; by default only the API serves them."""
    passphrase_file: Path | None = None
    """A file (mode 0600) with the passphrase of the key file; by default ``.passphrase`` beside the
    key file where there is one, else a prompt."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """``auto``: text on a terminal, JSON otherwise."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def key_file(self) -> Path:
        """The replica's private keys."""
        return self.data / "keys"


KEYS: Final = Settings.__struct_fields__
_ADDRESSES: Final = ("listen", "api", "metrics")
_PATHS: Final = ("data", "genesis", "guard", "passphrase_file")


def load(path: Path | None, env: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Join the sources; raises ConfigError naming file and line, variable or flag, and the nearest key.

    ``flags``: by key, None for a flag that was not given. ``path``: the file, None for no file.
    """
    values: dict[str, object] = {}
    for source in (_from_file(path), _from_environment(env), _from_flags(flags)):
        for key, (value, place) in source.items():
            _check(key, value, place)
            values[key] = value
    for key in ("data", "genesis"):
        if key not in values:
            detail = f"not set: give --{key}, {PREFIX}{key.upper()}, or {key} in the configuration file"
            raise ConfigError(detail, where=key)
    return msgspec.convert(values, Settings, dec_hook=_path)


_Source = dict[str, tuple[object, str]]
"""Value and place of each key that a source sets."""


def _from_file(path: Path | None) -> _Source:
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=str(path)) from error
    except (ValueError, RecursionError) as error:  # no TOML, no text, an endless number or nesting
        raise ConfigError(str(error), where=str(path)) from error
    table.pop(CLIENT_TABLE, None)
    found: _Source = {}
    for key, value in table.items():
        place = f"{path}:{_line(text, key)}: {key}"
        _known(key, place)
        if key in _PATHS and isinstance(value, str):
            value = str(path.parent / value)  # noqa: PLW2901  # from here on it is the absolute one
        found[key] = (value, place)
    return found


def _from_environment(env: Mapping[str, str]) -> _Source:
    found: _Source = {}
    for name in sorted(env):
        key = name.removeprefix(PREFIX).lower()
        if not name.startswith(PREFIX):
            continue
        if key in KEYS:
            found[key] = (env[name], name)
        elif close := difflib.get_close_matches(key, KEYS, n=1, cutoff=NEAR):
            raise ConfigError(f"unknown variable; did you mean {PREFIX}{close[0].upper()}?", where=name)
    return found


def _from_flags(flags: Mapping[str, object]) -> _Source:
    found: _Source = {}
    for key, value in flags.items():
        place = "--" + key.replace("_", "-")
        _known(key, place)
        if value is not None:
            found[key] = (str(value) if isinstance(value, Path) else value, place)
    return found


def _known(key: str, place: str) -> None:
    if key not in KEYS:
        close = difflib.get_close_matches(key, KEYS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f" (there are {', '.join(KEYS)})"
        raise ConfigError(f"unknown key{hint}", where=place)


def _check(key: str, value: object, place: str) -> None:
    try:
        msgspec.convert(value, _TYPES[key], dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), where=place) from error
    if key in _ADDRESSES:
        split_address(str(value), place)
    if key == "source":
        _check_ip(str(value), place)


def _check_ip(text: str, place: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no IP address", where=place) from error


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
    if "\0" in value:
        raise ValueError("a path holds no NUL")
    return Path(value)


def _line(text: str, key: str) -> int:
    """The line of a key of the top table, 1 where it is written in some unusual way."""
    found = re.search(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


_TYPES: Final = {field.name: field.type for field in msgspec.structs.fields(Settings)}
