"""Options that several commands share, and the file that may hold them.

A client command finds its ledger by ``--genesis``, its nodes by ``--node``, who it signs as by
``--key``: each as a flag, else from the environment, else from the ``[client]`` table of the
file that ``--config`` names (``grootboek.toml`` of the current folder, where there is one).
"""

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from grootboek._core import SigningKey
from grootboek.errors import ConfigError
from grootboek.types import Genesis

if TYPE_CHECKING:
    from grootboek.client import AsyncClient
    from grootboek.ledger.module import Module

__all__ = ["ClientFile", "Json", "Ledger", "closest", "suggest"]

Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print one JSON value instead of text.")]

DEFAULT_FILE = Path("grootboek.toml")
DEFAULT_SECONDS = 60.0
"""How long a command waits for the ledger."""


class ClientFile(msgspec.Struct, frozen=True):
    """The ``[client]`` table. Paths are relative to the file's folder."""

    genesis: str | None = None
    node: list[str] = msgspec.field(default_factory=list)
    key: str | None = None
    passphrase_file: str | None = None
    timeout: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Ledger:
    """Which ledger, through which nodes, as whom."""

    genesis: Annotated[
        Path | None, Parameter(env_var="GROOTBOEK_GENESIS", help="The ledger's genesis file.")
    ] = None
    node: Annotated[
        tuple[str, ...],
        Parameter(
            env_var="GROOTBOEK_NODE",
            negative=(),
            help="A replica's name, or host:port of its API; may be repeated (default: all).",
        ),
    ] = ()
    key: Annotated[Path | None, Parameter(env_var="GROOTBOEK_KEY", help="The key file to sign with.")] = None
    passphrase_file: Annotated[
        Path | None,
        Parameter(env_var="GROOTBOEK_PASSPHRASE_FILE", help="A file with the key file's passphrase."),
    ] = None
    timeout: Annotated[
        float | None,
        Parameter(env_var="GROOTBOEK_TIMEOUT", help="Seconds to wait for an answer (default: 60)."),
    ] = None
    config: Annotated[
        Path | None, Parameter(env_var="GROOTBOEK_CONFIG", help="The file with a [client] table.")
    ] = None

    def resolved(self) -> "Ledger":
        """The same with what the file adds. Raises ConfigError."""
        path = self.config or DEFAULT_FILE
        if self.config is None and not path.exists():
            return self.checked()
        file, base = read_file(path), path.parent
        return Ledger(
            genesis=self.genesis or _beside(base, file.genesis),
            node=self.node or tuple(file.node),
            key=self.key or _beside(base, file.key),
            passphrase_file=self.passphrase_file or _beside(base, file.passphrase_file),
            timeout=self.timeout if self.timeout is not None else file.timeout,
            config=path,
        ).checked()

    def checked(self) -> "Ledger":
        """The same; raises ConfigError for a value that nothing can come of."""
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigError(f"{self.timeout} is no number of seconds above 0", where="--timeout")
        return self

    def load_genesis(self) -> Genesis:
        """The genesis file's content. Raises ConfigError where none is named, GenesisError."""
        if self.genesis is None:
            raise ConfigError(
                "no ledger is named: give --genesis FILE or set GROOTBOEK_GENESIS", where="--genesis"
            )
        return Genesis.load(self.genesis)

    def signer(self) -> SigningKey:
        """The key to sign with. Raises ConfigError where none is named, KeyFileError."""
        from grootboek.node.keystore import Identity, unlock

        if self.key is None:
            raise ConfigError("no key is named: give --key FILE or set GROOTBOEK_KEY", where="--key")
        return unlock(self.key, self.passphrase_file, Identity).key

    def client(
        self, *modules: "type[Module]", sign: bool = False, keys: tuple[SigningKey, ...] = ()
    ) -> "AsyncClient":
        """A client for this ledger and commands of these modules; it signs with its key or ``keys``.

        Raises as its parts do.
        """
        from grootboek.client import AsyncClient

        genesis = self.load_genesis()
        keys = (self.signer(),) if sign else keys
        seconds = DEFAULT_SECONDS if self.timeout is None else self.timeout
        return AsyncClient(genesis, self.node, keys, timeout=seconds, modules=modules)


def read_file(path: Path) -> ClientFile:
    """The ``[client]`` table of ``path``; raises ConfigError naming file and key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("client", {})
        if not isinstance(table, dict):
            raise ConfigError("is no table", where=f"{path}: [client]")
    except OSError as error:
        raise ConfigError(os.strerror(error.errno or 0), where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(error), where=str(path)) from error
    for name in table:
        if name not in ClientFile.__struct_fields__:
            hint = suggest(name, ClientFile.__struct_fields__)
            raise ConfigError(f"unknown key {name!r}{hint}", where=f"{path}: [client]")
    try:
        return msgspec.convert(table, ClientFile)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), where=f"{path}: [client]") from error


def _beside(base: Path, name: str | None) -> Path | None:
    return None if name is None else base / name


def suggest(word: str, known: "tuple[str, ...] | list[str]") -> str:
    """``; did you mean ...?`` where a known word is close to ``word``, else the known words."""
    return closest(word, known) or f" (there are {', '.join(known)})"


def closest(word: str, known: "tuple[str, ...] | list[str]") -> str:
    """``; did you mean ...?`` where a known word is close to ``word``, else nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
