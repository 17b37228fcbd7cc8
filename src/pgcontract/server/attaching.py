"""Use a server that somebody else runs: databases are made and dropped on it, its roles are left alone."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgcontract.errors import ServerError, UsageError
from pgcontract.server.address import Address
from pgcontract.server.servers import Server
from pgcontract.server.versions import SUPPORTED

# these make an Address; what else a DSN holds is kept as it is
_IN_ADDRESS = frozenset({"host", "port", "user", "password", "dbname"})
_CONNECT_TIMEOUT = 10


def attach(dsn: str) -> Server:
    """Connect to a user's server; raises UsageError for no DSN, ServerError where it cannot be used, and says why.

    It must answer, be of a supported major version, and let the user create databases.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        # libpq's message repeats the part that it did not understand, which may be the password
        raise UsageError(
            "This is not a connection string", remedy="write postgresql://user@host:5432/dbname, or host=… dbname=…"
        ) from None
    given.setdefault("connect_timeout", str(_CONNECT_TIMEOUT))
    try:
        connection = psycopg.connect(make_conninfo(**given), autocommit=True)
    except psycopg.Error as error:
        raise ServerError(
            "The PostgreSQL server does not let us in",
            where=_where(given),
            seen=str(error).strip().splitlines()[0],
            remedy="see that it runs, that the address is right and that its pg_hba.conf lets you in",
        ) from error
    with connection:
        info = connection.info
        address = Address(
            info.host,
            info.port,
            info.user,
            info.password or None,
            info.dbname,
            tuple((name, value) for name, value in given.items() if name not in _IN_ADDRESS),
        )
        major, version = info.server_version // 10000, info.parameter_status("server_version") or ""
        row = connection.execute(
            "SELECT r.rolcreatedb OR r.rolsuper, pg_is_in_recovery() FROM pg_roles AS r WHERE r.rolname = current_user"
        ).fetchone()
    if major not in SUPPORTED:
        raise ServerError(
            "This major version of PostgreSQL is not supported",
            where=str(address),
            seen=version,
            remedy="use one of " + ", ".join(map(str, SUPPORTED)),
        )
    if row is None or not row[0]:
        raise ServerError(
            "This role may not create databases",
            where=str(address),
            remedy="have an administrator run ALTER ROLE … CREATEDB, or use another role",
        )
    if row[1]:
        raise ServerError("This server only reads: it is a standby", where=str(address), remedy="name its primary")
    found = re.match(r"\d+(\.\d+|beta\d+|rc\d+|devel)?", version)
    server = Server(address, major, found[0] if found else version)
    server.sweep()
    return server


def _where(given: dict[str, str]) -> str:
    return f"{given.get('user', '')}@{given.get('host', '')}:{given.get('port', '')}/{given.get('dbname', '')}"
