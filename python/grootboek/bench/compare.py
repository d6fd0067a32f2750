"""Two reports side by side: what changed, and what is only noise."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from grootboek.bench.host import Host
from grootboek.bench.report import Report
from grootboek.bench.setting import Setting
from grootboek.errors import ConfigError

__all__ = ["NOISE", "Change", "changes", "load_report", "require_same"]

NOISE: Final = 0.15
"""A smaller change says nothing: neighbours and power saving move figures by as much."""


class Change(Struct, frozen=True):
    """One figure in two reports."""

    figure: str
    before: float
    after: float
    percent: float | None
    """None where it was zero before."""
    noise: bool
    """Whether the change is below ``NOISE``."""


def load_report(path: Path) -> Report:
    """A report as ``--save`` or ``--json`` wrote it; raises ConfigError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"is no report of `bench cluster` of this version: {error}", where=str(path)
        ) from error


def require_same(before: Report, setting: Setting, host: Host) -> None:
    """Raise ConfigError unless a run of this setting on this host can be compared with ``before``."""
    pairs: tuple[tuple[str, Struct, Struct], ...] = (
        ("host", before.host, host),
        ("setting", before.setting, setting),
    )
    differing = [
        f"{kind}.{name}: {getattr(old, name)!r} then, {getattr(new, name)!r} now"
        for kind, old, new in pairs
        for name in old.__struct_fields__
        if getattr(old, name) != getattr(new, name)
    ]
    if differing:
        raise ConfigError("these runs cannot be compared: " + "; ".join(differing), where="--compare")


def changes(before: Report, after: Report) -> list[Change]:
    """Every figure of both; raises ConfigError where their hosts or settings differ."""
    require_same(before, after.setting, after.host)
    names = [field.name for field in msgspec.structs.fields(Report) if field.type is float]
    return [_change(name, getattr(before, name), getattr(after, name)) for name in names]


def _change(name: str, before: float, after: float) -> Change:
    if before == 0.0:
        return Change(name, before, after, None, noise=after == 0.0)
    part = (after - before) / before
    return Change(name, before, after, 100 * part, noise=abs(part) < NOISE)
