"""A local network, and what people type about it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.node.localnet import Localnet, create


class Desk:
    """One person at a time types; the files lie in one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Founds a ledger whose daemons do not run yet."""
        create(folder / "net", modules=["parties", "records", "replicas"])
        self.net = Localnet(folder / "net")
        self.folder = folder
        self._capsys = capsys

    def typed(self, *words: str, code: int = Exit.OK) -> Any:
        """What the command prints on stdout with ``--json``, also where it fails."""
        self._capsys.readouterr()
        done = run([*words, "--json"])
        printed = self._capsys.readouterr()
        assert done == code, f"{words}: {done} {printed}"
        return json.loads(printed.out)

    def command(self, *words: str, code: int = Exit.OK) -> Any:
        """The same, about this ledger."""
        return self.typed(*words, "--genesis", str(self.net.folder / "genesis.json"), code=code)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The daemons run for so long."""
        try:
            self.net.start()
            yield
        finally:
            self.net.stop()
