"""Finding modules, commands and queries by the names that a user types."""

from typing import TypeVar

from grootboek.cli.options import suggest
from grootboek.errors import ConfigError
from grootboek.ledger import Module, Registry
from grootboek.ledger.module import Command, Query

__all__ = ["find_command", "find_module", "find_query"]

T = TypeVar("T")


def find_module(name: str) -> type[Module]:
    """The installed module called ``name``; raises ConfigError with a suggestion."""
    registry = Registry.discover()
    if name not in registry.names:
        raise ConfigError(f"no module is called {name!r}{suggest(name, registry.names)}", where="MODULE")
    return registry.load(name)


def find_command(module: type[Module], name: str) -> Command:
    """The module's command; raises ConfigError with a suggestion."""
    return _find(f"command of {module.name}", name, module.commands)


def find_query(module: type[Module], name: str) -> Query:
    """The module's query; raises ConfigError with a suggestion."""
    return _find(f"query of {module.name}", name, module.queries)


def _find(what: str, name: str, known: dict[str, T]) -> T:
    if name not in known:
        raise ConfigError(f"no {what} is called {name!r}{suggest(name, sorted(known))}", where=what)
    return known[name]
