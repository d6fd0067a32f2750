"""The README's program is short, and does what it says."""

import re
import subprocess
import sys
from pathlib import Path

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
