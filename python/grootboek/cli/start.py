"""``grootboek start``: one replica, until it is told to stop."""

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from grootboek.cli.options import Json

__all__ = ["start"]


def start(
    *,
    config: Annotated[
        Path | None, Parameter(env_var="GROOTBOEK_CONFIG", help="A TOML file with the settings below.")
    ] = None,
    data: Annotated[Path | None, Parameter(help="The data directory: log, journal, state, keys.")] = None,
    genesis: Annotated[Path | None, Parameter(help="The ledger's genesis file.")] = None,
    guard: Annotated[Path | None, Parameter(help="The folder of the signer's guard (default: data).")] = None,
    replica: Annotated[
        str | None, Parameter(help="Its name in the genesis file (default: its key file's).")
    ] = None,
    listen: Annotated[str | None, Parameter(help="host:port for other replicas.")] = None,
    source: Annotated[str | None, Parameter(help="The local IP address to dial other replicas from.")] = None,
    api: Annotated[str | None, Parameter(help="host:port of the HTTP API.")] = None,
    metrics: Annotated[str | None, Parameter(help="host:port for metrics without TLS.")] = None,
    passphrase_file: Annotated[Path | None, Parameter(help="A file with the key file's passphrase.")] = None,
    log_format: Annotated[
        Literal["auto", "text", "json"] | None, Parameter(help="How log lines look.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(help="The least that is logged.")
    ] = None,
    json: Json = False,
) -> None:
    """Run one replica until SIGTERM. A flag beats GROOTBOEK_NAME, which beats the file.

    ``--json`` means ``--log-format json``.
    """
    from grootboek.node.config import load
    from grootboek.node.daemon import run

    flags: dict[str, object] = {
        "data": data,
        "genesis": genesis,
        "guard": guard,
        "replica": replica,
        "listen": listen,
        "source": source,
        "api": api,
        "metrics": metrics,
        "passphrase_file": passphrase_file,
        "log_format": "json" if json else log_format,
        "log_level": log_level,
    }
    run(load(config, os.environ, flags))
