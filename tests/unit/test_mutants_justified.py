"""Indexes that nobody needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.contract import read
from pgcontract.model import Catalog, Column, ForeignKey, Index, IndexKey, Name, Table
from pgcontract.mutation.justified import unjustified
from pgcontract.queries import Query, queries_of
from pgcontract.system import System
from tests.contract.fix_systems import PATHS

TABLE = Name("public", "orders")
CUSTOMER = ForeignKey("fk_customer", ("customer_id",), Name("public", "customers"), ("id",))
QUERY = Query(Path("open.sql"), "SELECT 1", 1, "Open orders.", uses=("idx_open",))


def index(*keys: str, name: str = "idx", unique: bool = False, predicate: str | None = None) -> Index:
    """A btree index."""
    return Index(name, "btree", tuple(map(IndexKey, keys)), unique=unique, predicate=predicate)


@pytest.mark.parametrize(
    ("one", "needed"),
    [
        (index("customer_id"), True),
        (index("customer_id", "at"), True),
        (index("at", "customer_id"), False),
        (index("customer_id", predicate="customer_id IS NOT NULL"), True),
        (index("customer_id", predicate="at IS NULL"), False),
        (index("at", unique=True), True),
        (index("at", name="idx_open"), True),
        (index("at"), False),
    ],
)
def test_who_needs_an_index(one: Index, *, needed: bool) -> None:
    """A foreign key that it begins with, a hot query that names it, or that nothing comes twice."""
    columns = (Column("customer_id", "integer"), Column("at", "timestamp with time zone"))
    catalog = Catalog(tables=(Table(TABLE, columns, foreign_keys=(CUSTOMER,), indexes=(one,)),))
    assert unjustified(catalog, [QUERY]) == (() if needed else (f"orders.{one.name}",))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_systems_have_no_index_that_nobody_needs(path: Path) -> None:
    """What is written for it pays with something that is read by it."""
    system = System.load(path)
    assert unjustified(read(system.contract).catalog, queries_of(system.queries)) == ()
