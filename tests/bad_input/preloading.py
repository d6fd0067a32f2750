"""Faults that the loader of Linux puts under a real daemon (LD_PRELOAD), compiled where they are needed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["DISK_FAULTS", "NEEDS_PRELOADING", "compiled"]

DISK_FAULTS = Path(__file__).with_name("disk_faults.c")
COMPILER = shutil.which("cc")
NEEDS_PRELOADING = [
    pytest.mark.skipif(sys.platform != "linux", reason="faults are injected by the loader of Linux"),
    pytest.mark.skipif(COMPILER is None, reason="there is no C compiler"),
]


def compiled(source: Path, folder: Path) -> Path:
    """A library of ``source`` in ``folder``."""
    made = (folder / source.name).with_suffix(".so")
    assert COMPILER is not None
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made
