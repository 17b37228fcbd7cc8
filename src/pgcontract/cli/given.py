"""What was given on the command line, for commands that must start fast: without the library that reads options."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from pgcontract.errors import UsageError

if TYPE_CHECKING:
    from pgcontract.system import System


STDOUT: Final = Path("-")
# where a result goes that is to stand alone on the standard output
_results: ContextVar[TextIO | None] = ContextVar("results", default=None)


def chosen(path: Path | None) -> list[Path]:
    """The paths to work on: the one given, or the configured ones.

    Raises UsageError when there is neither.
    """
    if path is not None:
        return [path]
    from pgcontract.system import configured  # noqa: PLC0415 - only where no path was given

    found = configured(Path.cwd())
    if not found:
        raise UsageError(
            "Which schema?",
            remedy="Give a PATH, or run `pgcontract init`, which finds it and writes it down.",
        )
    # as people name them, not from the root of the disk
    return [Path(os.path.relpath(path)) for path in found]


def one_system(path: Path | None) -> System:
    """The system at the path, or the one that is configured. Raises UsageError where there are several."""
    from pgcontract.system import System  # noqa: PLC0415 - not every command needs one

    paths = chosen(path)
    if len(paths) != 1:
        raise UsageError(
            "Which schema? One database holds one system",
            seen=", ".join(map(str, paths)),
            remedy="give its PATH",
        )
    return System.load(paths[0])


def database(dsn: str | None) -> str:
    """The DSN that was given, or the environment's. Raises UsageError where there is neither."""
    if dsn:
        return dsn
    if url := os.environ.get("DATABASE_URL"):
        return url
    if any(os.environ.get(name) for name in ("PGHOST", "PGDATABASE", "PGSERVICE", "PGHOSTADDR")):
        # libpq reads those itself
        return ""
    raise UsageError(
        "Which database?",
        remedy="give --dsn postgresql://user@host/database, or set DATABASE_URL or PGHOST and PGDATABASE",
    )


def writable(path: Path | None) -> Path | None:
    """The file, if one was asked for. Raises UsageError where a result could not be written there."""
    if path is not None and path != STDOUT and (seen := _hindrance(path)):
        raise UsageError("The result cannot be written.", where=str(path), seen=seen, remedy="Name another file.")
    return path


def _hindrance(path: Path) -> str | None:
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "there is no such folder"
    return None if os.access(path if path.exists() else path.parent, os.W_OK) else "permission denied"


@contextmanager
def alone(path: Path | None) -> Iterator[None]:
    """For `-`, leave the standard output to the result: what people read goes to the standard error meanwhile."""
    if path != STDOUT:
        yield
        return
    before = _results.set(_results.get() or sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results.reset(before)


def write_result(path: Path, text: str) -> None:
    """Write a result for programs, for `-` to the standard output. Raises UsageError where that is impossible."""
    if path == STDOUT:
        print(text, file=_results.get(), flush=True)
        return
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError("The result cannot be written.", where=str(path), seen=error.strerror) from error
