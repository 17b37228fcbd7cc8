"""A schema that a program makes: any migration tool, told by its environment where the empty database is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from psycopg import conninfo

from pgcontract.errors import MigrationError, UsageError

_SHOWN: Final = 4000
_HIDDEN: Final = "…"
_VARIABLES: Final = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGOPTIONS": "options",
}


def run(command: tuple[str, ...], dsn: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
    """Run a command in that folder, without a shell, with DATABASE_URL and libpq's own variables set to the database.

    ``settings`` are those that every session of it is to have. Raises UsageError where there is no such program,
    MigrationError, with the end of what it said, where it fails.
    """
    given = {key: str(value) for key, value in conninfo.conninfo_to_dict(dsn).items() if value is not None}
    if settings:
        told = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
        given["options"] = f"{given.get('options', '')} {told}".strip()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(given),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise UsageError(
            "The command that applies the migrations cannot be run",
            where=str(folder / "system.toml"),
            seen=f"{command[0]}: {error.strerror}",
            remedy="correct `apply`; it is run without a shell, from the system's folder",
        ) from error
    if done.returncode:
        output = _without_secrets(done.stdout.decode(errors="replace").strip(), given)
        raise MigrationError(
            f"The command that applies the migrations failed, with exit code {done.returncode}",
            where=str(folder / "system.toml"),
            seen=f"{command[0]}\n{_indented(output[-_SHOWN:])}" if output else f"{command[0]}, which said nothing",
            remedy="correct what it says; DATABASE_URL and PGHOST, PGPORT, PGUSER, PGDATABASE name an empty database",
        )


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    # whatever else of libpq's this process was given (PGSERVICE, PGPASSFILE …) leads to another database
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG") or name.startswith("PGCON")}
    variables = {name: given[key] for name, key in _VARIABLES.items() if given.get(key)}
    return {**kept, **variables, "DATABASE_URL": _url(given)}


def _url(given: Mapping[str, str]) -> str:
    """The address as every driver reads it: a folder of sockets is no host name, and stands in the query."""
    user = quote(given.get("user", ""), safe="")
    if password := given.get("password"):
        user += f":{quote(password, safe='')}"
    host, port, rest = given.get("host", ""), given.get("port", ""), {}
    if host.startswith("/") or not host:
        rest = {key: value for key, value in (("host", host), ("port", port)) if value}
        host = port = ""
    if given.get("sslmode"):
        rest["sslmode"] = given["sslmode"]
    place = f"{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    query = f"?{urlencode(rest, quote_via=quote)}" if rest else ""
    return f"postgresql://{user}{'@' if user else ''}{place}/{quote(given.get('dbname', ''), safe='')}{query}"


def _without_secrets(text: str, given: Mapping[str, Any]) -> str:
    if password := given.get("password"):
        for spelling in {password, quote(password, safe=""), quote(password)}:
            text = text.replace(spelling, _HIDDEN)
    return text


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
