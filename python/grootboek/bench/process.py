"""The load client as its parent sees it."""

import subprocess
import sys
from typing import IO, Self

import msgspec

from grootboek.bench.load import Plan
from grootboek.bench.report import Load
from grootboek.errors import BenchFailed

__all__ = ["LoadProcess"]


class LoadProcess:
    """The load client's process, and the lines that go back and forth. Use it in a ``with`` block."""

    def __init__(self, plan: Plan) -> None:
        command = [sys.executable, "-m", "grootboek.bench.load"]
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.tell(msgspec.json.encode(plan).decode())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whether it is done or not."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _open(stream).close()

    def tell(self, line: str) -> None:
        """Send one line."""
        stream = _open(self._process.stdin)
        stream.write(line + "\n")
        stream.flush()

    def expect(self, wanted: str) -> None:
        """Wait for a line; raises BenchFailed where another one, or the end, comes."""
        line = _open(self._process.stdout).readline().strip()
        if line != wanted:
            raise BenchFailed(f"the load client said {line!r} instead of {wanted!r}")

    def result(self) -> Load:
        """What it saw; it ends after this."""
        try:
            return msgspec.json.decode(_open(self._process.stdout).readline(), type=Load)
        except msgspec.DecodeError as error:
            raise BenchFailed("the load client ended without a result") from error


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # noqa: S101  # both ends were asked for as pipes
    return stream
