"""An earlier report beside a new one."""

from pathlib import Path

import msgspec
import pytest

from grootboek.bench.compare import changes, load_report, require_same
from grootboek.cli.output import to_json
from grootboek.errors import ConfigError
from tests.bench.reports import HERE, REPORT, SETTING


def test_changes_below_fifteen_percent_are_noise() -> None:
    after = msgspec.structs.replace(
        REPORT, version="0.2.0", tput=1.14, p50_ms=0.8, p99_ms=1.16, killed_s=0.0, p99_after_kill_ms=3.0
    )
    found = {one.figure: one for one in changes(REPORT, after)}
    assert found["tput"].percent == pytest.approx(14.0)
    assert found["tput"].noise
    assert found["p50_ms"].percent == pytest.approx(-20.0)
    assert not found["p50_ms"].noise
    assert not found["p99_ms"].noise
    assert (found["p99_after_kill_ms"].percent, found["p99_after_kill_ms"].noise) == (None, False)
    assert (found["killed_s"].percent, found["killed_s"].noise) == (None, True)


def test_another_host_or_setting_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"setting\.window: 4000 then, 16 now"):
        require_same(REPORT, msgspec.structs.replace(SETTING, window=16), HERE)
    with pytest.raises(ConfigError, match=r"host\.cores: 2 then, 8 now"):
        changes(REPORT, msgspec.structs.replace(REPORT, host=msgspec.structs.replace(HERE, cores=8)))


def test_a_report_is_read_back_as_it_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(to_json(REPORT))
    assert load_report(path) == REPORT
    path.write_text('{"tput": 1}')
    with pytest.raises(ConfigError, match="no report"):
        load_report(path)
