"""The commands with real daemons, as short as they can be: that they work, not how fast."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from grootboek.bench import cluster
from grootboek.bench.host import host
from grootboek.bench.report import Report
from grootboek.bench.setting import Setting
from grootboek.bench.workloads import WORKLOADS
from grootboek.cli.app import run
from grootboek.cli.bench_options import Work
from grootboek.cli.exits import Exit
from grootboek.cli.output import to_json
from tests.bench.reports import REPORT

pytestmark = pytest.mark.timeout(180)

SHORT = ("--seconds", "2", "--warm-up", "0.5", "--rate", "50", "--keys", "20")


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: Exit = Exit.OK) -> Any:
    """What ``grootboek bench`` prints with ``--json``."""
    found = run(["bench", *words, "--json"])
    value = json.loads(capsys.readouterr().out)
    assert found == code, value
    return value


def test_a_mixed_load_outlives_the_primary_and_is_audited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, kept = tmp_path / "run.json", tmp_path / "D"
    kill = ("--kill", "primary", "--at", "0.2")
    words = ("cluster", "--workload", "mixed", *SHORT, *kill, "--save", str(saved), "--keep", str(kept))
    report = printed(capsys, *words)
    assert report == json.loads(saved.read_text())
    assert report["errors"] == {}
    assert report["fsync"]
    assert report["killed"].startswith("replica-")
    assert report["moved"] > 0
    assert report["keys"] == 21
    assert report["setting"]["kill"] == "primary"
    audited = printed(capsys, "verify", str(kept))
    assert audited["records"] >= audited["transactions"] > 0
    assert audited["cpu_us_per_tx"] > 0


def test_each_workload_can_be_chosen() -> None:
    chosen, _ = get_args(Work)
    assert get_args(chosen) == tuple(WORKLOADS)


def test_a_wiped_replica_follows_under_load(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--wipe", "--away", "0.5", "--seconds", "60", "--rate", "50", "--keys", "40", "--warm-up", "0.2")
    report = printed(capsys, "catch-up", *words)
    assert report["caught_up"]
    assert report["wiped"]
    assert report["behind_entries"] > 0
    assert report["transfers"] > 0


def test_what_does_not_verify_is_no_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = printed(capsys, "verify", str(tmp_path), code=Exit.FAILED)["error"]
    assert error["code"] == "GB-8002"


def test_proofs_of_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    report = printed(capsys, "proofs", "--transactions", "1500", "--count", "30")
    kinds = {row["kind"] for row in report["rows"]}
    assert kinds == {"receipt", "inclusion", "consistency", "state, key there", "state, key missing"}
    assert all(0 < row["bytes_mean"] <= row["bytes_max"] for row in report["rows"])
    assert (report["transactions"], report["entries"]) == (1_500, 3_002)


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


def test_two_runs_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = iter([100.0, 90.0, 50.0])

    def measured(setting: Setting, *_: object) -> Report:
        return msgspec.structs.replace(REPORT, setting=setting, host=host(), tput=next(speeds))

    monkeypatch.setattr(cluster, "run", measured)
    saved = str(tmp_path / "run.json")
    printed(capsys, "cluster", "--save", saved)
    report = printed(capsys, "cluster", "--compare", saved)
    (tput,) = [one for one in report["compared"] if one["figure"] == "tput"]
    assert (tput["before"], tput["after"], tput["noise"]) == (100.0, 90.0, True)
    assert report["version_before"] == REPORT.version
    assert run(["bench", "cluster", "--compare", saved]) == Exit.OK
    shown = capsys.readouterr().out
    assert re.search(r"tput .* 100\.0 .* 50\.0 .* -50\.0 % ", shown)
    assert re.search(r"p50_ms .* noise", shown)


@pytest.mark.parametrize(
    "words",
    [
        ("cluster", "--window", "0"),
        ("cluster", "--connections", "15"),
        ("cluster", "--rate", "-1"),
        ("cluster", "--warm-up", "-1"),
        ("cluster", "--kill", "backup", "--at", "20", "--seconds", "20"),
        ("cluster", "--kill", "backup", "--replicas", "3"),
        ("cluster", "--runs", "2", "--keep", "D"),
        ("cluster", "--runs", "0"),
        ("catch-up", "--away", "9", "--seconds", "9"),
        ("catch-up", "--replicas", "3"),
        ("proofs", "--transactions", "9", "--count", "10"),
    ],
)
def test_a_wrong_flag_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, *words, code=Exit.USAGE)["error"]["code"] == "GB-5001"
