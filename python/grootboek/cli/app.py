"""The tree of commands, and how one is run: parse, call, print, exit code.

Commands are named by import path, so that ``grootboek --help`` or one command loads no other.
A command returns an Outcome; an error of the catalogue becomes a report with its code, never a
traceback.
"""

import asyncio
import inspect
import os
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group

from grootboek.cli.exits import Exit, exit_of
from grootboek.cli.output import Outcome, report, show
from grootboek.errors import ConfigError, GrootboekError

__all__ = ["build", "run"]

RUN = Group("Run a ledger", sort_key=1)
USE = Group("Use a ledger", sort_key=2)
CHECK = Group("Check and measure", sort_key=3)

COMMANDS = (
    (RUN, "demo", "demo:demo", "Watch four replicas take real records, lose their primary and go on."),
    (RUN, "localnet", "localnet:app", "Run a ledger of several replicas on this machine."),
    (RUN, "init", "init:app", "Make keys, and found a ledger."),
    (RUN, "start", "start:start", "Run one replica."),
    (RUN, "status", "status:status", "Show every replica: height, view, lag, state root."),
    (USE, "submit", "submit:submit", "Submit one command and wait until it is final."),
    (USE, "import", "importing:import_files", "Import files of records through a module's importer."),
    (USE, "query", "query:query", "Ask a module, now or as of a height or time."),
    (USE, "receipt", "receipt:app", "Fetch a receipt; verify one offline."),
    (USE, "policy", "policy:policy", "Print the tlog-policy file for foreign verifiers."),
    (CHECK, "verify", "verify:verify", "Audit a data directory offline, byte by byte."),
    (CHECK, "bench", "bench:app", "Measure a cluster on this machine."),
    (CHECK, "explain", "explain:explain", "Explain an error code."),
)

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
    )
    for group, name, path, text in COMMANDS:
        app.command(f"grootboek.cli.{path}", name=name, group=group, help=text)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    json = "--json" in arguments
    try:
        outcome = _call(arguments)
        if outcome is None:
            return Exit.OK
        show(outcome, json=json)
    except GrootboekError as error:
        report(error, json=json)
        return exit_of(error)
    except CycloptsError as error:
        report(ConfigError(str(error), where=_place(error)), json=json)
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left (`grootboek ... | head`): nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.OK
    return outcome.exit


def _call(arguments: Sequence[str]) -> Outcome | None:
    parsed = build().parse_args(arguments, print_error=False, exit_on_error=False)
    command, bound, _ = parsed
    result = command(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return result if isinstance(result, Outcome) else None


def _place(error: CycloptsError) -> str:
    return " ".join(("grootboek", *(error.command_chain or ())))


def _version() -> str:
    from grootboek import __version__
    from grootboek._core import backend

    return f"grootboek {__version__} (Ed25519 backend {'/'.join(backend())})"
