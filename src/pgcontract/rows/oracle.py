"""What the rows room asks of a database, and nothing more: it opens no connection itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pgcontract.model import Table
from pgcontract.rows.statements import Row, Statement, Value


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the server reports it: fields, never prose that was parsed. ``position`` counts statements from 0."""

    position: int
    sqlstate: str
    message: str
    constraint: str | None = None
    column: str | None = None
    table: str | None = None
    datatype: str | None = None
    context: str | None = None
    """Where in a function it happened, in the server's words."""
    place: int | None = None
    """The character of the statement, from 1, that the server points at."""
    schema: str | None = None
    detail: str | None = None
    hint: str | None = None

    @property
    def told(self) -> tuple[str | None, ...]:
        """All that whoever raises an error says himself."""
        named = (self.constraint, self.column, self.table, self.schema, self.datatype)
        return (self.sqlstate, self.message, self.detail, self.hint, *named)

    @property
    def within(self) -> bool:
        """Whether it happened in a function, a trigger's or another's, and not in the statement itself."""
        return self.context is not None and "portal" not in self.context

    def __str__(self) -> str:
        named = self.constraint or self.column or self.datatype
        return f"{self.sqlstate} {self.message}" + (f" [{named}]" if named and named not in self.message else "")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A default's value. ``volatile``: two evaluations in one statement differed, so no value can be expected."""

    value: str | None
    volatile: bool


class Oracle(Protocol):
    """The database as a judge of expressions and rows. Nothing that it is asked stays behind."""

    def truth(
        self, table: Table, expressions: Sequence[str], rows: Sequence[Row]
    ) -> Sequence[tuple[bool | None, ...] | None]:
        """Each expression's truth for each row; None in place of a row whose evaluation raised an error."""

    def values(
        self, table: Table, expressions: Sequence[str], rows: Sequence[Row]
    ) -> Sequence[tuple[Value, ...] | None]:
        """Each expression's value for each row, as text; None in place of a row whose evaluation raised an error."""

    def evaluate(self, expressions: Sequence[tuple[str, str]]) -> Sequence[Evaluated]:
        """Value of each ``(expression, type)``, evaluated twice, in one transaction."""

    def refusal(self, statements: Sequence[Statement]) -> Refusal | None:
        """The first error that these statements meet, in order, or None."""

    def tried(
        self, setup: Sequence[Statement], cases: Sequence[Sequence[Statement]], layer: Sequence[Statement] = ()
    ) -> Sequence[Refusal | Sequence[tuple[bytes | None, ...]]]:
        """What each case's last query returns, in PostgreSQL's text, or what refused it.

        Each is run alone on top of ``setup`` and ``layer``. Two layers on one setup share its transaction and
        its now().
        """
