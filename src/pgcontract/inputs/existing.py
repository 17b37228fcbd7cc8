"""An existing database, of which only the catalog is read: pg_dump writes it down, and it is rebuilt from that."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import conninfo

from pgcontract.errors import ServerError, UsageError
from pgcontract.migrations.session import default_of
from pgcontract.server.finding import folders
from pgcontract.server.versions import SUPPORTED
from pgcontract.system import System

CONNECT_SECONDS: Final = 10
_READ_ONLY: Final = "-c default_transaction_read_only=on"
_LOCK_MILLISECONDS: Final = "10000"
_NO_FILE: Final = frozenset('/\\:*?"<>|')


@contextmanager
def existing(dsn: str, path: Path | None, pg_bin: Path | None = None) -> Iterator[System]:
    """The database as a system, whose only file is its dump; it is gone at the end.

    ``path`` is a system, whose contract, queries and invariants count, or the contract's own file; without it the
    contract would stand in the working folder, under the database's name. Raises UsageError, ServerError.
    """
    given, major, name = _looked_at(dsn)
    program = pg_dump(major, pg_bin)
    with tempfile.TemporaryDirectory(prefix="pgcontract-") as folder:
        file = Path(folder) / f"{_as_file(name)}.sql"
        _dump(program, given, file)
        yield _system(path, file, name)


def judged(dsn: str, path: Path | None) -> System:
    """The system by whose contract a database is judged, without a look at it; see ``existing``. Raises UsageError."""
    given = _given(dsn)
    return _system(path, None, str(given.get("dbname") or os.environ.get("PGDATABASE") or "postgres"))


def _system(path: Path | None, file: Path | None, name: str) -> System:
    if path is None:
        return System(name, Path(), None, Path(f"{_as_file(name)}.contract.toml"), sql_file=file)
    if path.suffix == ".toml" and path.name != "system.toml":
        return System(name, path.parent, None, path, sql_file=file)
    return dataclasses.replace(
        System.load(path), migrations=None, folder=None, convention=None, apply=(), init=(), sql_file=file
    )


def _as_file(name: str) -> str:
    return "".join("_" if c in _NO_FILE else c for c in name)


def _given(dsn: str) -> Mapping[str, Any]:
    try:
        return {key: value for key, value in conninfo.conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        # the message would repeat the DSN, and a password with it; so would the error's context
        raise UsageError(
            "--from is no connection string",
            remedy="write it like postgresql://user@host:5432/database or 'host=… dbname=…'",
        ) from None


def _looked_at(dsn: str) -> tuple[Mapping[str, Any], int, str]:
    """The connection's parts, the server's major and the database's name."""
    given = _given(dsn)
    patience = given.get("connect_timeout") or default_of("connect_timeout") or CONNECT_SECONDS
    try:
        with psycopg.connect(
            dsn, application_name="pgcontract", connect_timeout=patience, options=_options(given)
        ) as connection:
            return given, connection.info.server_version // 10000, connection.info.dbname
    except psycopg.Error as error:
        raise ServerError(
            "The database cannot be reached",
            where=_place(given),
            seen=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            remedy="see that it is up, that the DSN names it, and that you may connect to it",
        ) from error


def _place(given: Mapping[str, Any]) -> str:
    return " ".join(f"{k}={given[k]}" for k in ("host", "port", "dbname", "user") if k in given) or "the default one"


def _options(given: Mapping[str, Any]) -> str:
    return f"{given.get('options') or default_of('options')} {_READ_ONLY}".strip()


def pg_dump(major: int, pg_bin: Path | None) -> str:
    """The first pg_dump that is not older than the server. Raises ServerError."""
    named = [folder for folder in (pg_bin, os.environ.get("PGCONTRACT_PG_BIN")) if folder]
    found: dict[str, int] = {}
    for folder in (*map(Path, named), *folders(tuple(range(max(*SUPPORTED, major), min(SUPPORTED) - 1, -1)))):
        program = shutil.which("pg_dump", path=str(folder))
        if program is None or program in found:
            continue
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"\) (\d+)", done.stdout)
        if version is None:
            continue
        found[program] = int(version.group(1))
        if found[program] >= major:
            return program
    seen = ", ".join(f"{program} of PostgreSQL {number}" for program, number in found.items()) or "none"
    raise ServerError(
        f"No pg_dump of PostgreSQL {major} or later was found, which reads the database",
        seen=seen,
        remedy=f"install PostgreSQL's client programs (postgresql-client-{major}), or name their folder in "
        "PGCONTRACT_PG_BIN; or dump it elsewhere with `pg_dump --schema-only --create`, and give that file as PATH",
    )


def _dump(program: str, given: Mapping[str, Any], file: Path) -> None:
    secret = given.get("password")
    # what stands on a command line, everybody on the machine can read
    plain = conninfo.make_conninfo(**{**given, "password": None, "sslpassword": None, "options": _options(given)})
    command = [
        program,
        "--schema-only",
        "--create",
        "--no-tablespaces",
        "--no-publications",
        "--no-subscriptions",
        "--no-security-labels",
        f"--lock-wait-timeout={_LOCK_MILLISECONDS}",
        "--no-password",
        "--encoding=UTF8",
        f"--file={file}",
        f"--dbname={plain}",
    ]
    environment = {**os.environ, **({"PGPASSWORD": str(secret)} if secret else {}), "PGAPPNAME": "pgcontract"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.replace(str(secret), "…") if secret else done.stderr
        raise ServerError(
            "pg_dump could not read the database",
            where=_place(given),
            seen="; ".join(said.strip().splitlines()[-3:]) or f"exit code {done.returncode}",
            remedy="see that this role may read all of its schemas",
        )
