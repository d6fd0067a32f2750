"""Lines for people on a terminal, JSON for machines."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from grootboek.node.logs import configure, configure_default


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    structlog.reset_defaults()
    if configured:
        structlog.configure(**before)


def write(out: io.StringIO, form: str = "auto", level: str = "info") -> str:
    configure(form, level, out)  # type: ignore[arg-type]  # rows of a table
    log = structlog.get_logger("grootboek.test")
    log.debug("not worth a line")
    log.info("block executed", height=7, root=b"\x01", peer="replica-1")
    return out.getvalue()


def test_json_where_nobody_looks() -> None:
    line = json.loads(write(io.StringIO()))
    assert line["event"] == "block executed"
    assert (line["height"], line["peer"], line["level"]) == (7, "replica-1", "info")
    assert line["timestamp"].endswith("Z")
    assert list(line)[:3] == ["timestamp", "level", "event"]


def test_text_with_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = write(Terminal())
    assert "\x1b[" in text
    assert "replica-1" in text
    assert text.count("\n") == 1


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in write(Terminal())
    assert "height=7" in write(io.StringIO(), "text")
    assert json.loads(write(Terminal(), "json"))["height"] == 7


def test_the_level_decides_what_is_written() -> None:
    assert write(io.StringIO(), level="warning") == ""
    assert write(io.StringIO(), level="debug").count("\n") == 2


def test_an_exception_becomes_one_json_line() -> None:
    out = io.StringIO()
    configure("json", "info", out)
    try:
        int("no number")
    except ValueError:
        structlog.get_logger().exception("it failed")
    line = json.loads(out.getvalue())
    assert "ValueError: invalid literal" in line["exception"]
    assert out.getvalue().count("\n") == 1


def test_anything_can_be_a_field() -> None:
    out = io.StringIO()
    configure("json", "info", out)
    structlog.get_logger().info("odd", value=object, error=ValueError("x"), items={1, 2})
    assert json.loads(out.getvalue())["error"] == "x"


def test_an_applications_own_set_up_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    configure_default()
    structlog.get_logger().info("peer connected")
    structlog.get_logger().warning("peer refused")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "peer refused" in shown.err
    assert "peer connected" not in shown.err
    out = io.StringIO()
    configure("json", "debug", out)
    configure_default()
    structlog.get_logger().debug("still mine")
    assert "still mine" in out.getvalue()
