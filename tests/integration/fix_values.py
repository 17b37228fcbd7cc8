"""Fixtures of the values room: one database whose types the catalog below describes, and a judge of expressions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
import pytest
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.sql import Literal

from pgcontract.model import Catalog, Check, Column, Composite, Domain, Enum, Name, RangeType
from pgcontract.server import Binaries, start

SETUP: Final = """
    CREATE EXTENSION citext SCHEMA public;
    CREATE EXTENSION hstore SCHEMA public;
    CREATE EXTENSION ltree SCHEMA public;
    CREATE TYPE public.job_status AS ENUM ('PENDING', 'RUNNING', 'it''s done, "isn''t it"?');
    CREATE DOMAIN public.positive AS integer CHECK (VALUE > 0);
    CREATE DOMAIN public.percentage AS public.positive NOT NULL CHECK (VALUE <= 100);
    CREATE DOMAIN public.code AS character varying(8) CHECK (VALUE ~ '^[A-Z]{2}-\\d+$');
    CREATE TYPE public.pair AS (a integer, b text);
    CREATE TYPE public.floatrange AS RANGE (subtype = double precision);
    CREATE SCHEMA "My schema";
    CREATE TYPE "My schema"."Mood ""of"" day" AS ENUM ('ok');
"""

CATALOG: Final = Catalog(
    enums=(
        Enum(Name("My schema", 'Mood "of" day'), ("ok",)),
        Enum(Name("public", "job_status"), ("PENDING", "RUNNING", "it's done, \"isn't it\"?")),
    ),
    domains=(
        Domain(Name("public", "code"), "character varying(8)", checks=(Check("c", r"VALUE::text ~ '^[A-Z]{2}-\d+$'"),)),
        Domain(Name("public", "percentage"), "public.positive", not_null=True, checks=(Check("c", "VALUE <= 100"),)),
        Domain(Name("public", "positive"), "integer", checks=(Check("c", "VALUE > 0"),)),
    ),
    composites=(Composite(Name("public", "pair"), (Column("a", "integer"), Column("b", "text"))),),
    ranges=(RangeType(Name("public", "floatrange"), "double precision", Name("public", "floatmultirange")),),
)


@dataclass(frozen=True)
class Judge:
    """Asks PostgreSQL itself."""

    connection: psycopg.Connection[tuple[object, ...]]

    def truths(self, type_text: str, expression: str, values: Sequence[str | None]) -> list[bool | None]:
        """What it makes of an expression over ``x``, for each value."""
        # a percent sign would be a placeholder
        doubled = expression.replace("%", "%%")
        query = (
            f"SELECT {doubled} FROM (SELECT v::{type_text} AS x, n"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS u(v, n)) AS t ORDER BY n ASC"
        )
        found = self.connection.execute(query.encode(), [list(values)]).fetchall()
        return [None if row[0] is None else bool(row[0]) for row in found]

    def result(self, type_text: str, expression: str, value: str | None) -> tuple[str | None, str]:
        """An expression's value as PostgreSQL prints it, and its type."""
        query = f"SELECT ({expression})::text, pg_typeof({expression})::text FROM (SELECT $1::{type_text} AS x) AS t"
        result = self.connection.pgconn.exec_params(query.encode(), [None if value is None else value.encode()])
        assert result.status == ExecStatus.TUPLES_OK, result.error_message
        printed, kind = result.get_value(0, 0), result.get_value(0, 1)
        assert kind is not None
        return None if printed is None else printed.decode(), kind.decode()

    @staticmethod
    def quoted(text: str) -> str:
        """The text as a literal."""
        return Literal(text).as_string()

    def stores(self, type_text: str) -> Inserter:
        """Make a table with one column of the type."""
        self.connection.execute("DROP TABLE IF EXISTS stored")
        self.connection.execute(f"CREATE TABLE stored (x {type_text})".encode())
        return Inserter(self.connection)


@dataclass(frozen=True)
class Inserter:
    """Inserts values as they are sent elsewhere: untyped, as text."""

    connection: psycopg.Connection[tuple[object, ...]]

    def __call__(self, literal: str | bytes) -> str | None:
        """The SQLSTATE that the value met, or None."""
        value = literal if isinstance(literal, bytes) else literal.encode()
        result = self.connection.pgconn.exec_params(b"INSERT INTO stored VALUES ($1)", [value])
        state = result.error_field(DiagnosticField.SQLSTATE)
        return None if state is None else state.decode()

    def distinct(self) -> int:
        """How many different values are stored, as PostgreSQL prints them."""
        row = self.connection.execute("SELECT count(DISTINCT x::text) FROM stored").fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        return row[0]

    def empty(self) -> None:
        """Forget what is stored."""
        self.connection.execute("TRUNCATE stored")


@pytest.fixture(scope="session")
def values_judge(test_binaries: Binaries) -> Iterator[Judge]:
    """PostgreSQL's own word on types and expressions."""
    with start(test_binaries) as server, psycopg.connect(server.address.dsn("postgres"), autocommit=True) as connection:
        connection.execute(SETUP.encode())
        yield Judge(connection)
