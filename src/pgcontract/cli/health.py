"""``pgcontract health``: is the database there, over HTTP."""

from __future__ import annotations

import signal
import socket
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pgcontract.cli import migrate
from pgcontract.errors import UsageError

app = typer.Typer(no_args_is_help=True)

# one to ask by, and one for where the first hangs
CONNECTIONS = 2


@app.callback()
def _group() -> None:
    """Hold the commands together; each does its work on its own."""


@app.command()
def serve(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="The schema system whose migrations are looked for; without it, none.",
            show_default=False,
        ),
    ] = None,
    *,
    dsn: migrate.Dsn = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    app_version: Annotated[
        str | None, typer.Option("--app-version", help="What to tell as the version; pgcontract's own if left out.")
    ] = None,
) -> None:
    """Answer GET /health and GET /health/db until Ctrl-C: 200 where the database answers, 503 where not.

    Example: pgcontract health serve schema/shop --dsn "$DSN" --port 8080
    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra

        from pgcontract import health  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "The web server is not installed", seen=error.name, remedy="pip install 'pgcontract[health]'"
        ) from error
    from pgcontract.database import Database, Settings  # noqa: PLC0415 - heavy, and not needed by other commands

    given = migrate.database(dsn)
    system = None if path is None else migrate.one_system(path)
    settings = replace(Settings.from_environment(), min_size=1, max_size=CONNECTIONS)
    with closing(_listening(host, port)) as listening, Database(given, settings) as database:
        monitor = health.Monitor(database, dsn=given, system=system, version=app_version)
        config = uvicorn.Config(
            health.application(monitor), log_level="warning", access_log=False, server_header=False, lifespan="off"
        )
        server = uvicorn.Server(config)
        address, bound, *_ = listening.getsockname()
        shown = f"[{address}]" if ":" in address else address
        # for programs that wait for it, too
        typer.echo(f"http://{shown}:{bound}/health")
        # uvicorn shuts down, then gives the signal to whoever would have had it
        signal.signal(signal.SIGTERM, _interrupt)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _listening(host: str, port: int) -> socket.socket:
    """Where to listen. Raises UsageError where that is impossible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(
            "Nobody can listen there", where=f"{host}:{port}", seen=error.strerror, remedy="give --host and --port"
        ) from error
