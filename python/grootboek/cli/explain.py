"""``grootboek explain CODE``: what an error, or a module's refusal, means and what to do about it."""

import inspect
from typing import Annotated

from cyclopts import Parameter

from grootboek.cli.options import Json, suggest
from grootboek.cli.output import Outcome, table
from grootboek.errors import CATALOGUE, ConfigError

__all__ = ["explain"]


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
    return _error(wanted) if wanted in CATALOGUE else _reason(code, wanted)


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
    """What the modules that are installed say about a reason."""
    from grootboek.ledger import installed

    texts = {module.name: module.reasons[reason] for module in installed() if reason in module.reasons}
    if not texts:
        close = suggest(wanted, sorted(CATALOGUE)) if wanted[3:].isdecimal() else ""
        raise ConfigError(f"no error code and no module's reason is called {reason!r}{close}", where="CODE")
    value = {"reason": reason, "modules": texts}
    return Outcome(value, lambda: "\n".join(f"{reason} ({name}): {text}" for name, text in texts.items()))
