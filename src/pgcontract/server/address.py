"""Where a server listens, and as whom to speak to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote

_PLAIN_HOST = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address and one of its databases; neither ``repr`` nor ``str`` shows the password.

    ``host`` is a name, an address, or the folder of a Unix socket. ``parameters`` are the connection parameters that a
    user's DSN had besides these (``sslmode`` and so on), kept for every connection that is made from it.
    """

    host: str
    port: int
    user: str
    password: str | None = field(default=None, repr=False)
    dbname: str = "postgres"
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.dbname}"

    def at(self, dbname: str) -> Address:
        """Give the address of another database of the same server."""
        return replace(self, dbname=dbname)

    def dsn(self, dbname: str | None = None) -> str:
        """Give a connection URI without spaces or quotes, for libpq, drivers and shells; it holds the password.

        A host that is a folder, an IPv6 address or a list goes into the query, where libpq takes all of them.
        """
        user = quote(self.user, safe="")
        if self.password:
            user += ":" + quote(self.password, safe="")
        query = list(self.parameters)
        if _PLAIN_HOST.fullmatch(self.host):
            where = f"{self.host}:{self.port}"
        else:
            where = ""
            query = [("host", self.host), ("port", str(self.port)), *query]
        path = quote(self.dbname if dbname is None else dbname, safe="")
        tail = "&".join(f"{name}={quote(value, safe='/')}" for name, value in query)
        return f"postgresql://{user}@{where}/{path}" + (f"?{tail}" if tail else "")
