"""The verbs of the project, on machines that lack something."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make") or "/usr/bin/make"


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [MAKE, "--no-print-directory", "-C", str(ROOT), *arguments]
    # MAKEFLAGS of an outer make (`make test`) would reach the inner one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=inherited | environment)


def test_the_verbs_are_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "check", "bench"} <= targets


def test_it_says_in_one_line_what_is_missing() -> None:
    answer = make("tools", PATH="/nonexistent", HOME="/nonexistent")
    assert answer.returncode != 0
    said = [line for line in answer.stderr.splitlines() if line.startswith("missing:")]
    assert len(said) == 1
    for tool in ("Python", "cargo", "C-compiler"):
        assert tool in said[0]


def test_it_is_content_where_nothing_is_missing() -> None:
    answer = make("tools")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_users_rust_flags_do_not_reach_the_build() -> None:
    show = "show: ; @echo [$$RUSTFLAGS]"
    assert make(f"--eval={show}", "show", RUSTFLAGS="-C target-cpu=native").stdout.strip() == "[]"


def test_ci_runs_check_and_test() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert "check" in script
    assert script.rstrip().endswith("test")
    assert os.access(ROOT / ".ci/run", os.X_OK)
