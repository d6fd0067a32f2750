"""The commands with real daemons, as short as they can be: that they work, not how fast."""

import json
from pathlib import Path
from typing import Any

import pytest

from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.cli.output import to_json
from tests.bench.reports import REPORT

pytestmark = pytest.mark.timeout(180)

SHORT = ("--seconds", "2", "--warm-up", "0.5", "--rate", "100", "--keys", "40")


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: Exit = Exit.OK) -> Any:
    """What ``grootboek bench`` prints with ``--json``."""
    assert run(["bench", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_mixed_load_outlives_the_primary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "run.json"
    words = (
        "cluster",
        "--workload",
        "mixed",
        *SHORT,
        "--kill",
        "primary",
        "--at",
        "0.2",
        "--save",
        str(saved),
    )
    report = printed(capsys, *words)
    assert report == json.loads(saved.read_text())
    assert report["errors"] == {}
    assert report["fsync"]
    assert report["killed"] == "replica-0"
    assert report["moved"] >= 4
    assert report["view_changes"] >= 1
    assert report["keys"] == 42
    assert report["setting"]["kill"] == "primary"


def test_another_setting_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps({}))
    error = printed(capsys, "cluster", "--compare", str(earlier), code=Exit.USAGE)["error"]
    assert str(earlier) in error["where"]
    earlier.write_text(to_json(REPORT))
    error = printed(capsys, "cluster", "--compare", str(earlier), code=Exit.USAGE)["error"]
    assert "host.cpu" in error["what"]


@pytest.mark.parametrize(
    "words",
    [
        ("--window", "0"),
        ("--connections", "15"),
        ("--rate", "-1"),
        ("--warm-up", "-1"),
        ("--kill", "backup", "--at", "20", "--seconds", "20"),
        ("--kill", "backup", "--replicas", "3"),
        ("--runs", "2", "--keep", "D"),
        ("--runs", "0"),
    ],
)
def test_a_wrong_flag_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "cluster", *words, code=Exit.USAGE)["error"]["code"] == "GB-5001"
