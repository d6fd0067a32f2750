"""Which modules are installed, and which of them a ledger has active."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import entry_points
from typing import Any, Final

import msgspec
from msgspec import Struct

from grootboek.errors import GenesisError
from grootboek.ledger.module import Command, Module

__all__ = ["Active", "Registry", "Rule", "installed"]

GROUP: Final = "grootboek.modules"
"""The entry point group; an entry point is called as its module is."""


class Rule(Struct, frozen=True):
    """One command of an active module, ready to run."""

    module: Module
    command: Command
    decode: Callable[[bytes], Any]
    """From the command's body; raises msgspec.DecodeError."""
    run: Callable[..., None]
    """The module's bound method: (context, view, command)."""


class Active:
    """The modules that a ledger runs."""

    def __init__(self, modules: Iterable[Module]) -> None:
        """``modules``: instances, no two of one name."""
        self.modules: tuple[Module, ...] = tuple(sorted(modules, key=lambda module: module.name))
        """By name."""
        self.versions: tuple[tuple[str, int], ...] = tuple((m.name, m.version) for m in self.modules)
        """Name and version of each, by name: what a block entry says."""
        self.rules: dict[tuple[str, str, int], Rule] = {
            (module.name, name, module.version): _rule(module, command)
            for module in self.modules
            for name, command in module.commands.items()
        }
        """By module, command and version, as a command names them."""

    def get(self, name: str) -> Module | None:
        """The active module called ``name``."""
        return next((module for module in self.modules if module.name == name), None)


def _rule(module: Module, command: Command) -> Rule:
    decode = msgspec.msgpack.Decoder(command.type).decode
    return Rule(module, command, decode, partial(command.run, module))


class Registry:
    """The modules that could run here; one is loaded only when it is asked for."""

    def __init__(self, loaders: Mapping[str, Callable[[], type[Module]]]) -> None:
        """``loaders``: by module name."""
        self._loaders = dict(sorted(loaders.items()))

    @classmethod
    def discover(cls) -> "Registry":
        """All that are installed: the entry points of group ``grootboek.modules``."""
        return cls({point.name: point.load for point in entry_points(group=GROUP)})

    @classmethod
    def of(cls, *modules: type[Module]) -> "Registry":
        """Exactly these classes: for tests and programs that bring their own."""
        return cls({module.name: _constant(module) for module in modules})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all modules, sorted."""
        return tuple(self._loaders)

    def load(self, name: str) -> type[Module]:
        """The class of a module; raises GenesisError where it is missing, or is not what it says."""
        loader = self._loaders.get(name)
        if loader is None:
            raise GenesisError(
                f"the module is not installed (there are {', '.join(self.names) or 'none'})", where=name
            )
        try:
            module = loader()
        except (ImportError, AttributeError) as error:
            raise GenesisError(f"the module cannot be loaded: {error}", where=name) from error
        if not (isinstance(module, type) and issubclass(module, Module) and module.name == name):
            raise GenesisError(
                "the entry point leads to something else than the module of that name", where=name
            )
        return module

    def activate(self, versions: Mapping[str, int]) -> Active:
        """The modules with exactly these versions; raises GenesisError."""
        return Active([self._instance(name, version) for name, version in sorted(versions.items())])

    def _instance(self, name: str, version: int) -> Module:
        module = self.load(name)
        if module.version != version:
            raise GenesisError(
                f"the ledger runs version {version}, installed is version {module.version}",
                where=f"$.modules.{name}",
            )
        return module()


def _constant(module: type[Module]) -> Callable[[], type[Module]]:
    return lambda: module


def installed() -> tuple[type[Module], ...]:
    """The classes of all installed modules, by name; raises GenesisError where one cannot be loaded."""
    registry = Registry.discover()
    return tuple(registry.load(name) for name in registry.names)
