"""Submits staged transactions to a Host in memory, as a client would submit them to a ledger."""

from collections.abc import Sequence

import msgspec

from grootboek.ledger.module import Module, Signer
from grootboek.modules.importing import Prepared, Report, Staging, report, submit
from grootboek.types import Chain
from grootboek.wire import Command
from tests.modules.memory_view import Host, signer

CHAIN = Chain("example.org/test", bytes(range(32)))


def everyone(module: Module) -> dict[str, Signer]:
    """A signer for each of the module's roles."""
    return {role: signer(role.encode().ljust(16, b"-")[:16], role) for role in module.roles}


class Driver:
    """Remembers what was submitted: the same bytes again give the first outcomes."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.signers = everyone(host.module)
        self.answers: dict[bytes, list[str]] = {}
        self.sent: list[bytes] = []

    @staticmethod
    def sign(prepared: Prepared) -> bytes:
        return msgspec.msgpack.encode((prepared.role, prepared.nonce, prepared.commands))

    async def send(self, signed: bytes) -> Sequence[str] | None:
        self.sent.append(signed)
        if signed not in self.answers:
            role, _, commands = msgspec.msgpack.decode(signed)
            self.answers[signed] = [self._run(role, one) for one in commands]
        return self.answers[signed]

    async def submit(self, staged: Report, staging: Staging) -> Report:
        """Submit all that is pending; the report with the outcomes."""
        await submit(staging, self.sign, self.send)
        return report(staged, staging)

    def _run(self, role: str, encoded: bytes) -> str:
        command = msgspec.msgpack.decode(encoded, type=Command)
        spec = self.host.module.commands[command.name]
        return self.host.run(msgspec.msgpack.decode(command.body, type=spec.type), self.signers[role])
