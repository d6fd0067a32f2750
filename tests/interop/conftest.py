"""The Go tools of transparency-dev, built once for a test run, unmodified, at locked versions."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec import Struct

SOURCE = Path(__file__).parent / "go"
BUILD_SECONDS = 600
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


class Tools(Struct, frozen=True):
    """Paths of the built programs."""

    interop: Path
    fsck: Path


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    if GO is None:
        pytest.skip("Go is not installed: foreign verifiers cannot be built")
    folder = tmp_path_factory.mktemp("go")
    # Go's own cache makes a second build a matter of a second.
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"}
    for name, package in (("interop", "."), ("fsck", "github.com/transparency-dev/tessera/cmd/fsck")):
        subprocess.run(
            [GO, "build", "-o", folder / name, package],
            cwd=SOURCE,
            env=environment,
            check=True,
            timeout=BUILD_SECONDS,
        )
    return Tools(folder / "interop", folder / "fsck")
