"""The README's program is short, and does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grootboek.node.localnet import Localnet

ROOT = Path(__file__).parents[2]
PROGRAM_LINES = 15


def program() -> str:
    """The first Python block."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_smallest_program_is_small() -> None:
    assert len(program().strip().splitlines()) <= PROGRAM_LINES


def test_the_smallest_program_runs() -> None:
    command = [sys.executable, "-W", "error", "-c", program()]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert answer.stderr == ""
    assert answer.returncode == 0
    assert "applied" in answer.stdout


@pytest.mark.timeout(180)
def test_the_commands_work_as_shown(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Use it")[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    for name in ("README.md", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    wrapper = tmp_path / "bin" / "grootboek"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m grootboek.cli "$@"\n')
    wrapper.chmod(0o755)
    script = "trap 'echo FAILED $? $BASH_COMMAND' ERR\n" + found.group(1)
    environment = os.environ | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}", "COLUMNS": "100"}
    try:
        done = subprocess.run(
            ["/usr/bin/env", "bash", "-c", script],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
    finally:
        Localnet(tmp_path / "D").stop()
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert [line.split()[:4] for line in failed] == [["FAILED", "3", "grootboek", "import"]], done.stderr
    assert "records.Anchor v1: applied" in done.stdout
    assert (tmp_path / "policy.txt").read_text().startswith("log ")
    assert list((tmp_path / "D/refused").iterdir())
