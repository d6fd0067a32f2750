"""``grootboek explain CODE``: what an error, or a module's refusal, means and what to do about it."""

import inspect
from typing import Annotated

from cyclopts import Parameter

from grootboek.cli.options import Json, closest, suggest
from grootboek.cli.output import Outcome, table
from grootboek.errors import CATALOGUE, ConfigError

__all__ = ["LEDGER", "explain"]

LEDGER = {
    "applied": "the command took effect",
    "aborted": "another command of its transaction was refused, and all or none was asked for",
    "budget-exceeded": "it read, wrote, scanned or told more than the ledger's limits allow (docs/limits.md)",
    "unknown-command": "no active module has a command of this name and version",
    "malformed-command": "the fields are not those of the command",
    "rule-failed": "the module's rule ended with an error of its own: tell the module's author",
}
"""Outcomes that the ledger itself gives, whatever the module."""


def explain(
    code: Annotated[
        str | None, Parameter(help="An error code (GB-1005) or the reason of a refusal (version-mismatch).")
    ] = None,
    /,
    *,
    json: Json = False,
) -> Outcome:
    """Explain an error code or the reason of a refused record; without one, list all codes."""
    if code is None:
        return _everything()
    wanted = code.upper() if code.upper().startswith("GB") else f"GB-{code}"
    return _error(wanted) if wanted in CATALOGUE else _reason(code.lower(), wanted)


def _everything() -> Outcome:
    rows = [(code, kind.title, kind.fix) for code, kind in sorted(CATALOGUE.items())]
    return Outcome(
        [{"code": code, "title": title, "fix": fix} for code, title, fix in rows],
        lambda: table(("code", "what went wrong", "what to do"), rows),
    )


def _error(code: str) -> Outcome:
    kind = CATALOGUE[code]
    about = inspect.cleandoc(kind.__doc__ or "")
    value = {"code": code, "title": kind.title, "about": about, "fix": kind.fix}
    return Outcome(value, lambda: f"{code}  {kind.title}\n\n{about}\n\nWhat to do: {kind.fix}")


def _reason(reason: str, wanted: str) -> Outcome:
    """What the ledger, or the modules that are installed, say about a reason."""
    from grootboek.ledger import installed

    known = {"ledger": LEDGER} | {module.name: module.reasons for module in installed()}
    texts = {name: reasons[reason] for name, reasons in known.items() if reason in reasons}
    if not texts:
        codes, reasons = sorted(CATALOGUE), sorted({one for some in known.values() for one in some})
        close = suggest(wanted, codes) if wanted[3:].isdecimal() else closest(reason, reasons)
        raise ConfigError(f"no error code and no module's reason is called {reason!r}{close}", where="CODE")
    value = {"reason": reason, "modules": texts}
    return Outcome(value, lambda: "\n".join(f"{reason} ({name}): {text}" for name, text in texts.items()))
