"""The tree of commands, and how one is run: parse, call, print, exit code.

Commands are named by import path, so that ``grootboek --help`` or one command loads no other.
A command returns an Outcome; an error of the catalogue becomes a report with its code, never a
traceback.
"""

import asyncio
import errno
import inspect
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group

from grootboek.cli.exits import Exit, exit_of
from grootboek.cli.output import Outcome, console, report, show
from grootboek.errors import ConfigError, GrootboekError, StorageError

__all__ = ["build", "run"]

RUN = Group("Run a ledger", sort_key=1)
USE = Group("Use a ledger", sort_key=2)
CHECK = Group("Check and measure", sort_key=3)

COMMANDS = (
    (RUN, "demo", "demo:demo", "Watch four replicas take real records, lose their primary and go on."),
    (RUN, "localnet", "localnet:app", "Run a ledger of several replicas on this machine."),
    (RUN, "init", "init:app", "Make keys, and found a ledger."),
    (RUN, "replica", "replica:app", "Add, re-key, replace or remove replicas."),
    (RUN, "start", "start:start", "Run one replica."),
    (RUN, "status", "status:status", "Show every replica: height, view, lag, state root."),
    (USE, "submit", "submit:submit", "Submit one command and wait until it is final."),
    (USE, "draft", "draft:app", "Look at, sign and send a transaction that several sign."),
    (USE, "import", "importing:import_files", "Import files of records through a module's importer."),
    (USE, "query", "query:query", "Ask a module, now or as of a height or time."),
    (USE, "receipt", "receipt:app", "Fetch a receipt; verify one offline."),
    (USE, "policy", "policy:policy", "Print the tlog-policy file for foreign verifiers."),
    (CHECK, "verify", "verify:verify", "Audit a data directory offline, byte by byte."),
    (CHECK, "simulate", "simulate:simulate", "Run the ledger under simulated faults and lies."),
    (CHECK, "twins", "twins:twins", "Run replicas beside their own twins, on networks that choose."),
    (CHECK, "mutate", "twins:mutate", "Change each field of each message, and let the others go on."),
    (CHECK, "bench", "bench:app", "Measure a ledger on this machine."),
    (CHECK, "explain", "explain:explain", "Explain an error code."),
)

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
EPILOGUE = "Flags beat GROOTBOEK_* variables, which beat the file. Exit codes: docs/operations/running.md."


def build() -> App:
    """The application, with no command loaded yet."""
    app = App(
        name="grootboek",
        help="The ledger that governments run together.",
        help_epilogue=EPILOGUE,
        version=_version,
        default_parameter=None,
        help_format="plaintext",
        result_action="return_value",
        console=console(),
    )
    for group, name, path, text in COMMANDS:
        app.command(f"grootboek.cli.{path}", name=name, group=group, help=text)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = _run(arguments, json="--json" in arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left (`grootboek ... | head`): nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.OK
    return code


def _run(arguments: Sequence[str], *, json: bool) -> int:
    try:
        outcome = _call(arguments)
        if outcome is None:
            return Exit.OK
        show(outcome, json=json)
    except GrootboekError as error:
        return _failed(error, json=json)
    except CycloptsError as error:
        return _failed(ConfigError(str(error), where=_place(error)), json=json)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _failed(_unusable(error), json=json)
    return outcome.exit


def _failed(error: GrootboekError, *, json: bool) -> int:
    report(error, json=json)
    return exit_of(error)


def _unusable(error: OSError) -> GrootboekError:
    """A file that the user named and that cannot be read or written."""
    kind = StorageError if error.errno in DISK_FAULTS else ConfigError
    return kind(error.strerror or str(error), where=str(error.filename or ""))


def _call(arguments: Sequence[str]) -> Outcome | None:
    if set(arguments) == {"--version", "--json"}:
        return _build_of_this()
    parsed = build().parse_args(arguments, print_error=False, exit_on_error=False)
    command, bound, _ = parsed
    result = command(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return result if isinstance(result, Outcome) else None


def _place(error: CycloptsError) -> str:
    return " ".join(("grootboek", *(error.command_chain or ())))


def _version() -> str:
    return str(_build_of_this().text())


def _build_of_this() -> Outcome:
    from grootboek import __version__
    from grootboek._core import backend

    used = "/".join(backend())
    text = f"grootboek {__version__} (Ed25519 backend {used})"
    return Outcome({"version": __version__, "backend": used}, lambda: text)
