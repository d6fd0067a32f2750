"""The same seed gives the same history under another hash seed, and under another version of Python."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import grootboek

CODE = (
    "from grootboek.simulation.campaign import simulation_of;"
    "print([simulation_of(seed).run().digest for seed in (2, 3, 6, 18)])"
)
NEEDED = ("msgspec", "structlog", "cryptography")
SOURCES = Path(grootboek.__file__).parent.parent


def digests(python: Path | str, hash_seed: str) -> str:
    """What another process makes of some seeds."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(SOURCES)}
    command = [str(python), "-c", CODE]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def another_python(wanted: str) -> Path | None:
    """An interpreter of that version on this machine, by PATH or by pyenv."""
    on_path = shutil.which(f"python{wanted}")
    if on_path and not Path(on_path).parent.match("shims"):
        return Path(on_path)
    return next(iter(sorted(Path.home().glob(f".pyenv/versions/{wanted}.*/bin/python"))), None)


def equipped(python: Path, folder: Path) -> Path:
    """A virtual environment of ``python`` with what the simulator imports; skips where there is none."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    made = folder / "bin" / "python"
    packages = [f"{name}=={version(name)}" for name in NEEDED]
    try:
        subprocess.run([uv, "venv", "-q", "--python", str(python), str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(made), *packages], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no environment for {python}: {error}")
    return made


def test_another_hash_seed_gives_the_same_digests() -> None:
    assert digests(sys.executable, "1") == digests(sys.executable, "2")


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("wanted", ["3.12", "3.13", "3.14"])
def test_another_python_gives_the_same_digests(wanted: str, tmp_path: Path) -> None:
    python = another_python(wanted)
    if python is None:
        pytest.skip(f"there is no Python {wanted} on this machine")
    assert digests(equipped(python, tmp_path / "venv"), "3") == digests(sys.executable, "4")
