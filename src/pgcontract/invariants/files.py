"""Invariant files: each one query that must return no row, ever; and what the database says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pgcontract.errors import PgContractError
from pgcontract.model import id_part
from pgcontract.promises.base import Direction
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement
from pgcontract.session import Answer, Session
from pgcontract.signs import count
from pgcontract.sql import SqlError, line_of, parsed_statements, scan
from pgcontract.system import System

KIND: Final = "invariant"
WRITES: Final = "25006"
TOO_LONG: Final = "57014"
MOST_SHOWN: Final = 200
"""Characters of one value."""
MOST_ROWS_SHOWN: Final = 3
READ_ONLY: Final = (Statement("SAVEPOINT asked"), Statement("SET TRANSACTION READ ONLY"))
WRITABLE_AGAIN: Final = Statement("ROLLBACK TO SAVEPOINT asked")


class InvariantError(PgContractError):
    """An invariant's file holds no query that can be asked."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A query that must return no row. ``clause`` is the comment at its top, on one line, or its file's name."""

    path: Path
    query: str
    line: int
    clause: str

    @property
    def id(self) -> str:
        """What ``--only`` takes."""
        return f"invariants.{id_part(self.path.stem)}"

    @property
    def kind(self) -> str:
        """A word of the table of kinds."""
        return KIND

    @property
    def directions(self) -> tuple[Direction, ...]:
        """There is nothing to reject: no change is forbidden by an invariant."""
        return (Direction.ACCEPTS,)

    @property
    def asked(self) -> Statement:
        """The query, as it is sent."""
        return Statement(self.query)


def invariants_of(system: System) -> tuple[Invariant, ...]:
    """The invariants of a system, by name; none where it has no folder for them.

    Raises InvariantError, naming the file: unreadable, not exactly one statement, or no query.
    """
    if system.invariants is None:
        return ()
    return tuple(_read(path) for path in sorted(system.invariants.glob("*.sql")))


def _read(path: Path) -> Invariant:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvariantError(
            "An invariant cannot be read.", where=str(path), seen=str(error), remedy="Check its encoding."
        ) from error
    try:
        found = parsed_statements(text)
    except SqlError as error:
        place = f"{path}, line {error.line}, column {error.column}" if error.line else str(path)
        raise InvariantError(
            "An invariant does not parse.", where=place, seen=error.message, remedy="Correct the SQL."
        ) from error
    if len(found) != 1:
        raise InvariantError(
            "An invariant is one query.",
            where=str(path),
            seen=count(len(found), "statement") if found else "no statement",
            remedy="Write one SELECT; put other claims into files of their own.",
        )
    ((statement, tree),) = found
    kind = tree.stmt.WhichOneof("node")
    if kind != "select_stmt" or tree.stmt.select_stmt.HasField("into_clause"):
        raise InvariantError(
            "An invariant is a query that changes nothing.",
            where=f"{path}, line {statement.line}",
            seen=statement.text.split(maxsplit=1)[0].upper(),
            remedy="Write one SELECT that returns what must not be.",
        )
    tokens = [token for token in scan(text) if token.start < statement.end]
    begin = next(t.start for t in tokens if t.end > statement.start and "COMMENT" not in t.kind)
    heading = " ".join(t.text.removeprefix("--").strip() for t in tokens if t.end <= begin and t.kind == "SQL_COMMENT")
    return Invariant(path, text[begin : statement.end], line_of(text, begin), heading or path.stem)


def asked_alone(session: Session, invariants: Sequence[Invariant]) -> list[str | None]:
    """Ask each invariant on the database as it is, in a read-only transaction; what it returns, None for no row.

    Raises InvariantError, naming the file and the line: it writes, returns no column, runs too long, or fails.
    """
    found = []
    for invariant in invariants:
        session.leave()
        session.enter(())
        answer = session.answers([*READ_ONLY, invariant.asked])[-1]
        assert answer is not None
        if answer.refusal is not None:
            raise refused(invariant, answer.refusal)
        if not answer.columns:
            raise InvariantError(
                "An invariant returns no column.",
                where=str(invariant.path),
                seen="a query that could not show which rows it returns",
                remedy="Select what tells which rows are wrong.",
            )
        found.append(shown(answer) if answer.rows else None)
    return found


def shown(answer: Answer) -> str:
    """The first rows of an answer, on one line."""
    names = answer.columns or ()
    rows = [
        ", ".join(f"{c} = {_cut(v)}" for c, v in zip(names, row, strict=True)) for row in answer.rows[:MOST_ROWS_SHOWN]
    ]
    more = f" and {len(answer.rows) - MOST_ROWS_SHOWN} more" if len(answer.rows) > MOST_ROWS_SHOWN else ""
    return "; ".join(f"({row})" for row in rows) + more


def _cut(value: bytes | None) -> str:
    """A value for people: not too much of it, and nothing that a terminal would act upon."""
    if value is None:
        return "NULL"
    text = value[: 4 * MOST_SHOWN].decode(errors="ignore")[:MOST_SHOWN]
    text = "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text + ("…" if len(value.decode(errors="ignore")) > MOST_SHOWN else "")


def refused(invariant: Invariant, refusal: Refusal) -> InvariantError:
    """What is to be said of an invariant that the database does not answer."""
    place = str(invariant.path)
    if refusal.place is not None:
        place += f", line {invariant.line + line_of(invariant.query, refusal.place - 1) - 1}"
    what, remedy = "An invariant cannot be asked.", "Correct the query."
    if refusal.sqlstate == WRITES:
        what, remedy = "An invariant writes.", "Have it only read: it is asked after every change."
    elif refusal.sqlstate == TOO_LONG:
        what, remedy = "An invariant runs too long.", "Simplify it, or raise invariant_seconds in system.toml."
    return InvariantError(what, where=place, seen=f"{refusal.sqlstate} {refusal.message}", remedy=remedy)
