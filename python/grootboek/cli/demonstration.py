"""What ``grootboek demo`` does: real records, a killed primary, and every claim checked afterwards."""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib.resources import files
from itertools import count
from pathlib import Path

from msgspec import Struct

from grootboek import receipts
from grootboek.cli.importing import send_staged
from grootboek.cli.keyring import Keyring
from grootboek.cli.modules import find_module
from grootboek.client import AsyncClient, Prepared, Result, Verifier
from grootboek.errors import DemoFailed, GrootboekError, ProofError
from grootboek.ledger.module import Module
from grootboek.modules.importing import Report, Staging, report, stage
from grootboek.modules.records import Anchor
from grootboek.modules.vault import Vault
from grootboek.node.keystore import Identity, unlock
from grootboek.node.localnet import CLIENT, Localnet
from grootboek.types import Genesis
from grootboek.webapi import NodeStatus
from grootboek.wire import APPLIED

__all__ = ["SETS", "Demonstration", "Findings", "SetFindings"]

SETS = ("tax", "welfare", "supply_chain")
EXPECTED = "expected.json"
"""In each set: which rows must be refused, and by which rule."""
KILL_AT = 8
"""The primary is killed when this transaction of the imports is sent."""
CITIZENS = 8
"""How many others anchor documents all the time."""
PAUSE_SECONDS = 0.1
"""Between two documents of one of them."""
CALM_SECONDS = 60.0
"""How long the replicas may take to be equal again."""
POLL_SECONDS = 0.05
ASKED_AT_ONCE = 64


class SetFindings(Struct, frozen=True, kw_only=True):
    """What became of one example set."""

    module: str
    files: int
    applied: int
    """Rows on the ledger."""
    refused: dict[str, int]
    """Refused rows by rule: at import or by the module."""
    as_expected: bool
    """Whether exactly the rows that must be refused were, for the right reasons."""


class Findings(Struct, frozen=True, kw_only=True):
    """What was seen, and what ``--json`` prints."""

    committed: int
    """Commands that took effect."""
    transactions: int
    """Acknowledged transactions: final, with a receipt."""
    refused: dict[str, int]
    """Refused rows by reason."""
    view_changes: int
    receipts_verified: int
    """Offline, from their text form and the genesis file."""
    lost: int
    """Acknowledged transactions that the killed replica cannot prove to have."""
    roots_equal: bool
    """Whether all replicas have the same log and the same state: what one has, all have."""
    height: int
    killed: str
    """The primary that got SIGKILL while transactions were under way."""
    under_way: int
    """How many transactions had no answer yet at that moment."""
    sets: tuple[SetFindings, ...]
    seconds: float = 0.0
    """From the founding to the last check."""
    dir: str | None = None
    """The network's folder, where it was kept."""

    @property
    def good(self) -> bool:
        """Whether everything is as it must be."""
        return (
            self.lost == 0
            and self.roots_equal
            and self.receipts_verified == self.transactions > 0
            and all(one.as_expected for one in self.sets)
        )


class Demonstration:
    """One run over a started network."""

    def __init__(self, network: Localnet, say: Callable[[str], None]) -> None:
        """``say`` tells a person what happens."""
        self._network = network
        self._genesis = network.genesis
        self._say = say
        self._acknowledged: dict[bytes, Result] = {}
        self._sent = self._under_way = 0
        self._killed: asyncio.Task[int] | None = None
        self._primary = ""
        self._staged = asyncio.Barrier(len(SETS))
        self._over = asyncio.Event()

    async def run(self) -> Findings:
        """Load, kill, restart, and check everything that was promised."""
        keys = self._network.folder / "keys"
        keyring = Keyring.open(self._genesis, [keys], None)
        anybody = unlock(keys / CLIENT, None, Identity).key
        async with AsyncClient(self._genesis, key=anybody) as client:
            self._primary = (await self._calm(client))[0].primary
            # one gather: whatever ends the imports ends the citizens too
            (sets, under_way), _ = await asyncio.gather(
                self._imports(client, keyring),
                asyncio.gather(*(self._citizen(client, name) for name in range(CITIZENS))),
            )
            status = await self._calm(client)
        self._say(f"verifying {len(self._acknowledged):,} receipts offline")
        verified = self._verify_receipts()
        self._say(f"comparing all replicas, and looking up each transaction at {self._primary}")
        logs = {await self._log_of(replica.name) for replica in self._genesis.replicas}
        states = {(one.height, one.root) for one in status}
        lost = await self._missing(self._primary)
        return Findings(
            committed=sum(result.outcomes.count(APPLIED) for result in self._acknowledged.values()),
            transactions=len(self._acknowledged),
            refused=dict(sorted(sum((Counter(one.refused) for one in sets), Counter[str]()).items())),
            view_changes=max(one.view for one in status),
            receipts_verified=verified,
            lost=lost,
            roots_equal=len(logs) == len(states) == 1,
            height=status[0].height,
            killed=self._primary,
            under_way=under_way,
            sets=tuple(sets),
        )

    # --- load ------------------------------------------------------------------------------------

    async def _imports(self, client: AsyncClient, keyring: Keyring) -> tuple[list[SetFindings], int]:
        """All example sets, and how many transactions were under way when the primary was killed."""
        sets = await asyncio.gather(*(self._import(client, name, keyring) for name in SETS))
        if self._killed is None:
            raise DemoFailed(f"fewer than {KILL_AT} transactions were needed: nothing was killed")
        under_way = await self._killed
        self._say(f"starting {self._primary} again")
        await asyncio.to_thread(self._network.start)
        self._over.set()
        return sets, under_way

    async def _import(self, client: AsyncClient, name: str, keyring: Keyring) -> SetFindings:
        """One example set, through the API."""
        folder = Path(str(files("grootboek"))) / "examples" / name
        module = find_module(name)
        staged = await asyncio.to_thread(self._stage, module, folder)
        self._say(f"importing {staged.accepted:,} {name} rows from {len(staged.files)} files")
        await self._staged.wait()
        with self._staging(module) as staging:
            await send_staged(self._genesis, staging, keyring, self._importer(client), _unwatched)
            done = report(staged, staging)
        expected = json.loads((folder / EXPECTED).read_text(encoding="utf-8"))
        must = Counter(row["rule"] for row in expected["refused"])
        return SetFindings(
            module=name,
            files=len(done.files),
            applied=done.applied,
            refused=done.reasons,
            as_expected=done.pending == 0 and Counter(done.reasons) == must,
        )

    def _stage(self, module: type[Module], folder: Path) -> Report:
        """Read a set's files, in a thread: what it opens, it closes."""
        paths = sorted(path for path in folder.iterdir() if path.name != EXPECTED)
        with Vault.at(self._network.folder / "imports") as vault, self._staging(module) as staging:
            return stage(module, paths, vault=vault, staging=staging)

    def _staging(self, module: type[Module]) -> Staging:
        folder = self._network.folder / "imports"
        return Staging(folder, self._genesis.chain, module, limits=self._genesis.limits)

    def _importer(self, client: AsyncClient) -> Callable[[Prepared], Awaitable[Result]]:
        """Sends what the imports have staged; on the way, the primary gets killed."""

        async def bring(prepared: Prepared) -> Result:
            self._sent += 1
            work = asyncio.create_task(self._bring(client, prepared))
            if self._sent == KILL_AT:
                self._killed = asyncio.create_task(self._kill_primary())
            return await work

        return bring

    async def _bring(self, client: AsyncClient, prepared: Prepared) -> Result:
        """Send, and keep the proven result."""
        self._under_way += 1
        (result,) = await client.send_prepared([prepared])
        self._under_way -= 1
        self._acknowledged[result.id] = result
        return result

    async def _citizen(self, client: AsyncClient, name: int) -> None:
        """Anchor documents, one after the other, until the killed replica is back."""
        for number in count():
            content = f"document {number} of citizen {name}".encode()
            document = Anchor(key=f"demo/{name}/{number}", digest=hashlib.sha256(content).digest())
            await self._bring(client, client.prepare([document]))
            if self._over.is_set():
                return
            await asyncio.sleep(PAUSE_SECONDS)

    # --- the loss of the primary -----------------------------------------------------------------

    async def _kill_primary(self) -> int:
        """SIGKILL for the primary; how many transactions had no answer then."""
        under_way = self._under_way
        self._say(f"killing the primary, {self._primary}, with {under_way} transactions under way")
        await asyncio.to_thread(self._network.kill, self._genesis.replica_index(self._primary))
        return under_way

    async def _calm(self, client: AsyncClient) -> list[NodeStatus]:
        """Every replica's status when all are equally far."""
        deadline = time.monotonic() + CALM_SECONDS
        while time.monotonic() < deadline:
            answers = (await client.status()).values()
            status = [one for one in answers if isinstance(one, NodeStatus) and not one.reasons]
            heights = {height for one in status for height in (one.height, one.certified_height)}
            if len(status) == len(self._genesis.replicas) and len(heights) == 1:
                return status
            await asyncio.sleep(POLL_SECONDS)
        raise DemoFailed(f"the replicas are not equally far after {CALM_SECONDS:.0f} s")

    # --- what was promised -----------------------------------------------------------------------

    def _verify_receipts(self) -> int:
        """How many receipts verify in their text form, offline."""
        verifier = Verifier(Genesis.load(self._network.folder / "genesis.json"))
        good = 0
        for identity, result in self._acknowledged.items():
            text = receipts.to_text(self._genesis, result.receipt())
            try:
                good += verifier.verify_receipt(text.encode()).transaction == identity
            except ProofError as error:
                self._say(f"{identity.hex()}: {error}")
        return good

    async def _log_of(self, replica: str) -> tuple[int, bytes]:
        """Size and root of a replica's certified log, verified."""
        async with AsyncClient(self._genesis, [replica]) as client:
            checkpoint = await client.checkpoint()
        return checkpoint.size, checkpoint.root

    async def _missing(self, replica: str) -> int:
        """How many acknowledged transactions this replica cannot prove to have."""
        async with AsyncClient(self._genesis, [replica], connections=ASKED_AT_ONCE) as client:
            turn = asyncio.Semaphore(ASKED_AT_ONCE)

            async def has(identity: bytes) -> bool:
                async with turn:
                    try:
                        await client.receipt(identity)
                    except GrootboekError as error:
                        self._say(f"{replica} lacks {identity.hex()}: {error}")
                        return False
                return True

            found = await asyncio.gather(*map(has, self._acknowledged))
        return found.count(False)


def _unwatched(_done: int, _total: int) -> None:
    """Nobody watches the single transactions here."""
