"""The command. Thin: options in, calls below, words and exit codes out.

Exit 0: all promises proven; 1: a promise is broken (or what was asked for is not so); 2: usage or environment.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from pgcontract.cli import quick
from pgcontract.errors import PgContractError
from pgcontract.signs import spell_out

# a name, and where its command stands: only what is asked for is imported
COMMANDS: Final = {
    "init": ("pgcontract.cli.init", "init", None),
    "verify": ("pgcontract.cli.verify", "verify", None),
    "freeze": ("pgcontract.cli.contract", "freeze", None),
    "diff": ("pgcontract.cli.contract", "diff", None),
    "mutate": ("pgcontract.cli.mutate", "mutate", None),
    "populate": ("pgcontract.cli.populate", "populate", None),
    "bench": ("pgcontract.cli.bench", "app", "Check and compare what hot queries cost."),
    "report": ("pgcontract.cli.report", "report", None),
    "models": ("pgcontract.cli.models", "models", None),
    "migrate": ("pgcontract.cli.migrate", "app", "Apply, undo and show migrations."),
    "doctor": ("pgcontract.cli.doctor", "doctor", None),
    "health": ("pgcontract.cli.health", "app", "Answer over HTTP whether the database is there."),
    "completion": ("pgcontract.cli.completion", "completion", None),
    "server": ("pgcontract.cli.server", "app", "Find, install and run PostgreSQL servers."),
}

# a shell asks by it what may come next
COMPLETE: Final = "_PGCONTRACT_COMPLETE"
EXIT_ENVIRONMENT = 2
EXIT_INTERRUPTED = 130


def commands() -> Any:
    """The whole command, as typer has it."""
    import typer  # noqa: PLC0415 - commands that run at every deployment do without

    from pgcontract.cli.lazy import lazy_group  # noqa: PLC0415

    if COMPLETE in os.environ:
        from pgcontract.cli.completion import begin  # noqa: PLC0415 - a shell asks

        begin()
    app = typer.Typer(
        name="pgcontract",
        cls=lazy_group(COMMANDS),
        help="Proves that a PostgreSQL schema keeps its promises.",
        no_args_is_help=True,
        # `completion` prints the script; the library's own options would say the same again in every help
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    told = typer.Option(False, "--version", callback=_tell_version, is_eager=True, metavar="", help="Tell the version.")

    # without a callback, a Typer without commands of its own is none
    @app.callback()
    def whole(*, _version: bool = told) -> None:
        pass

    return app


def _tell_version(asked: bool) -> None:
    if asked:
        import typer  # noqa: PLC0415 - as above

        typer.echo(f"pgcontract {version('pgcontract')}")
        raise typer.Exit


def program() -> None:
    """Be the process of ``main``."""
    main(_leave_at_once)


def _leave_at_once(code: int) -> None:
    # the quick way has written its files and closed its session: there is nothing to take down, and that takes long
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _keep_out_of_the_way() -> None:
    # Hypothesis would write what it learns into the folder where the command is run, which is somebody's repository
    from pgcontract.server.places import cache_root  # noqa: PLC0415 - commands that run at every deployment do without

    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_root() / "hypothesis"))


def main(leave: Callable[[int], None] = sys.exit) -> None:
    """Run the command; a user's mistake ends in a message and exit code 2, never in a traceback.

    ``leave`` ends what the quick way has done.
    """
    spell_out()
    # where nobody has set logging up, Python would print the driver's warnings: of rollbacks cut short by Ctrl-C, say
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    try:
        code = quick.run(sys.argv[1:])
        if code is None:
            _keep_out_of_the_way()
            commands()()
        else:
            leave(code)
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
