"""The programs in docs/client.md and docs/verifying.md run, against four real replicas."""

import asyncio
import re
from pathlib import Path

import pytest

from grootboek import receipts
from grootboek.modules.records import Anchor, Records
from grootboek.testing import network
from grootboek.testing.network import new_key

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def programs(page: str) -> list[str]:
    found = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert found
    return found


def run(page: str, names: dict[str, object]) -> None:
    """All programs of a page in their order; a later one sees the names of those before."""
    for number, program in enumerate(programs(page)):
        exec(compile(program, f"{page}[{number}]", "exec"), names)  # noqa: S102  # the page's own programs


async def test_the_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    key = new_key()
    async with network(4, modules=[Records]) as running:
        Path("genesis.json").write_bytes(running.genesis.to_json())  # noqa: ASYNC240  # a few bytes, in a test
        await asyncio.to_thread(run, "client.md", {"key": key, "witness": new_key()})
        async with running.client(key) as client:
            result = await client.submit(Anchor(key="paid", digest=bytes(32)))
            proof = await client._nodes.request(
                client._nodes.all[0], "GET", "/v1/state/records/00?proof=true&format=msgpack", seconds=10
            )
    Path("balance.proof").write_bytes(proof)  # noqa: ASYNC240  # the same
    text = receipts.to_text(running.genesis, result.receipt())
    Path("payment.tlog-proof").write_text(text)  # noqa: ASYNC240  # the same
    await asyncio.to_thread(run, "verifying.md", {})
