"""The command. Thin: options in, calls below, words and exit codes out.

Exit 0: all promises proven; 1: a promise is broken (or what was asked for is not so); 2: usage or environment.
"""

from __future__ import annotations

import os
import signal
import sys

import typer

from pgcontract.cli import contract, migrate, server, verify
from pgcontract.errors import PgContractError

app = typer.Typer(
    name="pgcontract",
    help="Proves that a PostgreSQL schema keeps its promises.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("verify")(verify.verify)
app.command("freeze")(contract.freeze)
app.command("diff")(contract.diff)
app.add_typer(migrate.app, name="migrate", help="Apply, undo and show migrations.")
app.add_typer(server.app, name="server", help="Find, install and run PostgreSQL servers.")

EXIT_ENVIRONMENT = 2
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command; a user's mistake ends in a message and exit code 2, never in a traceback."""
    try:
        app()
    except PgContractError as error:
        sys.stdout.flush()
        print(f"pgcontract: {error}", file=sys.stderr)  # noqa: T201 - the one place where errors are told
        sys.exit(EXIT_ENVIRONMENT)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
