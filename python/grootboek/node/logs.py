"""Log lines: one place decides how they look and where they go.

Library code calls ``structlog.get_logger("grootboek.<part>")`` and logs an event in plain words with
fields; the daemon calls ``configure`` once. Lines go to stderr: key=value with colour on a terminal,
one JSON object a line otherwise. Fields name blocks, views, peers, sizes and error codes. Nothing
that a client sent is ever logged, so no personal data can be.
"""

import logging
import os
import sys
from typing import Literal, TextIO

import msgspec
import structlog

__all__ = ["configure", "configure_default"]

_FIRST = ("timestamp", "level", "event")
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(
    form: Literal["auto", "text", "json"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up logging for this process; ``level`` is debug, info, warning or error."""
    out = stream or sys.stderr
    as_text = form == "text" or (form == "auto" and out.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *(_text(out) if as_text else _json())],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def configure_default() -> None:
    """Warnings and errors to stderr, unless the application has set up structlog itself.

    For replicas inside somebody else's process: structlog's own default is to print all to stdout.
    """
    if not structlog.is_configured():
        configure(level="warning")


def _text(out: TextIO) -> list[structlog.types.Processor]:
    colors = out.isatty() and not os.environ.get("NO_COLOR")
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _json() -> list[structlog.types.Processor]:
    def encode(line: dict[str, object], **_: object) -> str:
        ordered = {key: line[key] for key in _FIRST if key in line} | line
        return msgspec.json.encode(ordered, enc_hook=str).decode()

    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=encode)]
