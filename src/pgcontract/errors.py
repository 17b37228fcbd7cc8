"""The one hierarchy of errors a person can act on. The command ends with exit code 2 on any of them."""

from __future__ import annotations


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
        lines = [self.what]
        lines += [f"  where: {self.where}"] if self.where else []
        lines += [f"  seen: {self.seen}"] if self.seen else []
        lines += [f"  remedy: {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


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
