"""The one hierarchy of errors a person can act on. The command ends with exit code 2 on any of them."""

from __future__ import annotations

from pgcontract.signs import count


class PgContractError(Exception):
    """Something the user can mend: what failed, where, the value seen, and what to do.

    ``what`` is a sentence; ``where`` names a file, line, object or address; ``seen`` is the offending value
    (never a secret, never a row's value); ``remedy`` says what to do next.
    """

    def __init__(
        self, what: str, *, where: str | None = None, seen: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.seen = seen
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [_phrase(self.what)]
        lines += [f"  where: {self.where}"] if self.where else []
        lines += [f"  seen: {self.seen}"] if self.seen else []
        lines += [f"  remedy: {_begun_small(_phrase(self.remedy))}"] if self.remedy else []
        return "\n".join(lines)


def _phrase(text: str) -> str:
    """Without a full stop: a remedy may end in what is to be copied, and all messages look alike."""
    return text if text.endswith("..") else text.removesuffix(".")


def _begun_small(text: str) -> str:
    first = text.partition(" ")[0].rstrip(":,;")
    return text[:1].lower() + text[1:] if first.istitle() else text


class UsageError(PgContractError):
    """A wrong argument, option, path or configuration value."""


class ServerError(PgContractError):
    """A PostgreSQL server could not be found, installed, started or reached, or it went away."""


class MigrationError(PgContractError):
    """A migration file or the tracking table is not as it must be, or a migration failed."""


class ContractError(PgContractError):
    """A contract.toml cannot be read: truncated, of a newer format, or not a contract."""


class CatalogError(PgContractError):
    """A catalog cannot be read, or holds something that cannot be frozen."""


class PoolExhausted(ServerError):
    """Every connection of the pool was taken, and none came back in time."""


class QueryError(PgContractError):
    """A query failed. Its own fields say how; the server's words are left out, since they repeat values.

    ``query`` is the name that the caller gave it; ``sqlstate`` is None where the server has not said anything.
    ``table``, ``column``, ``constraint`` and ``datatype`` are the server's names of what was violated.
    """

    def __init__(  # noqa: PLR0913 - what the server tells of a failure
        self,
        what: str,
        *,
        query: str,
        sqlstate: str | None = None,
        table: str | None = None,
        column: str | None = None,
        constraint: str | None = None,
        datatype: str | None = None,
        seen: str | None = None,
        remedy: str | None = None,
    ) -> None:
        named = {"constraint": constraint, "table": table, "column": column, "type": datatype}
        places = [f"query {query}", *(f"{word} {name}" for word, name in named.items() if name)]
        super().__init__(what, where=", ".join(places), seen=seen, remedy=remedy)
        self.query = query
        self.sqlstate = sqlstate
        self.table = table
        self.column = column
        self.constraint = constraint
        self.datatype = datatype


class WrongRowCount(QueryError):
    """A query gave more or fewer rows than its caller takes. ``found`` says how many."""

    def __init__(self, query: str, *, expected: str, found: int, remedy: str | None = None) -> None:
        super().__init__(f"Expected {expected}, got {count(found, 'row')}", query=query, remedy=remedy)
        self.expected = expected
        self.found = found


class ConnectionLost(QueryError, ServerError):
    """The connection died under a query. What it had not committed is gone."""


class OutcomeUnknown(ConnectionLost):
    """The connection died at COMMIT: nobody can tell from here whether the transaction was committed."""
