"""Which module and version a command's Struct belongs to."""

from collections.abc import Iterable

from msgspec import Struct

from grootboek.client.transactions import encode_command
from grootboek.errors import ConfigError
from grootboek.ledger.module import Module
from grootboek.ledger.registry import Registry
from grootboek.types import Genesis

__all__ = ["Commands"]


class Commands:
    """Encodes typed commands for one ledger."""

    def __init__(self, genesis: Genesis, modules: Iterable[Module | type[Module]] | None = None) -> None:
        """``modules``: where commands come from; by default those that are installed and active.

        Installed modules are loaded when the first command is encoded.
        """
        self._active = genesis.modules
        self._modules = None if modules is None else tuple(modules)
        self._names: dict[type[Struct], str] | None = None

    def encode(self, command: Struct) -> bytes:
        """The command as it is signed; raises ConfigError where no active module has it.

        Raises GenesisError where an installed module cannot be loaded.
        """
        if self._names is None:
            self._names = self._load()
        module = self._names.get(type(command))
        if module is None:
            raise ConfigError(
                f"no active module has this command (active: {', '.join(self._active)})",
                where=type(command).__qualname__,
            )
        return encode_command(module, self._active[module], command)

    def _load(self) -> dict[type[Struct], str]:
        modules = self._installed() if self._modules is None else self._modules
        return {
            command.type: module.name
            for module in modules
            if module.name in self._active
            for command in module.commands.values()
        }

    def _installed(self) -> list[type[Module]]:
        registry = Registry.discover()
        return [registry.load(name) for name in registry.names if name in self._active]
