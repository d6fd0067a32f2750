"""The served log before tessera's fsck, which reads every entry and every tile."""

import asyncio
import base64
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from grootboek import notes
from grootboek.api.tiles import FULL, Tile, path_of
from tests.api.backend import OneHand, found
from tests.api.conftest import fill, serving, trusting
from tests.interop.conftest import Tools

SECONDS = 60
ENTRIES = 1_415


@pytest.fixture(scope="module")
def backend() -> OneHand:
    """Five full tiles and a partial one, and the beginning of one above them."""
    made = OneHand(found())
    fill(made, 2, each=4)
    fill(made, 3, each=154)
    assert made.ledger.size == ENTRIES
    return made


@pytest.fixture(scope="module")
def url(backend: OneHand) -> Iterator[str]:
    with serving(backend) as served:
        yield served


def fsck(tools: Tools, backend: OneHand, url: str, folder: Path) -> str:
    """What fsck says; it ends with 0 whatever it finds."""
    replica = backend.genesis.replicas[backend.me]
    (folder / "log.key").write_text(notes.log_vkey(backend.genesis.chain, replica.log_key))
    der = base64.b64decode(replica.api_certificate)
    (folder / "node.pem").write_text(ssl.DER_cert_to_PEM_cert(der))
    done = subprocess.run(
        [tools.fsck, f"--storage_url={url}/", f"--public_key={folder / 'log.key'}", "-N", "4", "--ui=false"],
        env={**os.environ, "SSL_CERT_FILE": str(folder / "node.pem")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.stderr


def success(backend: OneHand) -> str:
    ledger = backend.ledger
    root = base64.b64encode(ledger.root).decode()
    return f"Successfully fsck'd log with size {ledger.size} and root {root} ({ledger.root.hex()})"


def test_fsck_finds_the_whole_log_well(tools: Tools, backend: OneHand, url: str, tmp_path: Path) -> None:
    """Over TLS, with the certificate that the genesis file names as the only one that is trusted."""
    assert success(backend) in fsck(tools, backend, url, tmp_path)


def test_fsck_does_not_trust_another_certificate(
    tools: Tools, backend: OneHand, url: str, tmp_path: Path
) -> None:
    said = fsck(tools, OneHand(backend.genesis, me=1), url, tmp_path)
    assert "failed to fetch and verify checkpoint" in said
    assert "Successfully" not in said


def paths(size: int) -> list[str]:
    """Every file of a log of ``size`` entries."""
    found = ["/checkpoint"]
    for level in (None, 0, 1):
        hashes = size >> (8 * (level or 0))
        found += [
            path_of(Tile(level, index, min(FULL, hashes - FULL * index)))
            for index in range(-(-hashes // FULL))
        ]
    return found


@pytest.fixture
async def copy(backend: OneHand, url: str, tmp_path: Path) -> Path:
    """The whole log as files, fetched path by path."""
    connector = aiohttp.TCPConnector(ssl=trusting(backend))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def fetch(path: str) -> None:
            async with session.get(url + path) as answer:
                assert answer.status == 200
                target = tmp_path / path[1:]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(await answer.read())

        await asyncio.gather(*map(fetch, paths(backend.ledger.size)))
    return tmp_path


def test_a_mirror_of_the_files_is_the_log(tools: Tools, backend: OneHand, copy: Path) -> None:
    assert success(backend) in fsck(tools, backend, f"file://{copy}", copy)


@pytest.mark.parametrize(
    "path",
    [
        "checkpoint",
        "tile/0/000",
        "tile/0/005.p/135",
        "tile/1/000.p/5",
        "tile/entries/002",
        "tile/entries/005.p/135",
    ],
)
def test_changed_bytes_are_refused(tools: Tools, backend: OneHand, copy: Path, path: str) -> None:
    file = copy / path
    data = file.read_bytes()
    # fsck looks at the log's own signature only, so of a checkpoint the text is changed: its root.
    place = data.index(b"\n\n") - 9 if path == "checkpoint" else len(data) // 2
    file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    said = fsck(tools, backend, f"file://{copy}", copy)
    assert "fsck failed" in said
    assert "Successfully" not in said
