"""Rows told to people."""

from __future__ import annotations

from pgcontract.model import Name
from pgcontract.rows.statements import Statement, insert
from pgcontract.rows.telling import LONGEST, columns_named, step, values_told

ORDERS = Name("public", 'the "orders", VALUES ($1)')


def test_a_row_is_read_out_of_the_statement_that_inserts_it() -> None:
    """Also with names that look like SQL, with NULL, and with what is no valid text."""
    row = {'a"), (b': "1", "VALUES": None, "raw": b"\xff"}
    told = step(insert(ORDERS, row, returning=' RETURNING "raw" = $4', extra=("x",)))
    assert told.table == ORDERS.name
    assert told.row == {'a"), (b': "1", "VALUES": None, "raw": r"E'\xff'"}
    assert told.sql.startswith("INSERT INTO")


def test_what_inserts_no_row_is_sql() -> None:
    """An UPDATE, and rows that get their defaults."""
    assert step(Statement("UPDATE t SET a = $1", ("1",))).row is None
    assert step(insert(ORDERS, {})).row is None


def test_values_are_those_of_the_columns_that_matter() -> None:
    """In the order asked for; what is not given is its default; what is long is cut and counted."""
    row = {"id": "1", "price": "-0.01", "note": "x" * 500}
    statements = (insert(ORDERS, {"price": "7"}), insert(ORDERS, row))
    assert values_told(statements, ["price", "rebate"]) == "price = '-0.01', rebate = DEFAULT"
    told = values_told(statements, ["note"])
    assert told is not None
    assert told.endswith("… (500 long)")
    assert len(told) < LONGEST + 30
    assert values_told((Statement("SELECT 1"),), ["price"]) is None


def test_the_columns_of_a_clause() -> None:
    """By whole names, quoted ones too, in the table's order; a part of a name is none."""
    columns = ["id", "price", 'Total "sum"', "pric"]
    assert columns_named('CHECK (("Total ""sum""" > price))', columns) == ("price", 'Total "sum"')
    assert columns_named("it's no SQL", columns) == ()
