"""The contract of a schema that all majors accept is byte-identical, complete, and means what the server means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgcontract import model
from pgcontract.catalog import read_catalog
from pgcontract.catalog.viewtext import normalised
from pgcontract.contract import Contract, drift, dumps, loads
from pgcontract.server import SUPPORTED, Server

NEWEST = max(SUPPORTED)


def zoo_contract(dsn: str) -> Contract:
    """The zoo's contract."""
    with psycopg.connect(dsn) as connection:
        return Contract("zoo", read_catalog(connection))


@pytest.mark.thorough
def test_the_contract_is_byte_identical_on_every_major(zoo_servers: Callable[[int], Server]) -> None:
    """One text from all of them."""
    texts = {major: dumps(zoo_contract(zoo_servers(major).address.dsn("zoo"))) for major in SUPPORTED}
    assert len(set(texts.values())) == 1


@pytest.mark.thorough
def test_reading_the_contract_back_gives_the_live_catalog(every_zoo: str) -> None:
    """Nothing is lost in the file: no drift."""
    contract = zoo_contract(every_zoo)
    again = loads(dumps(contract), where="contract.toml")
    assert again == contract
    assert drift(again.catalog, contract.catalog) == ()


# What only 18 knows is tested below; an index becomes invalid when CREATE INDEX CONCURRENTLY fails.
FOUND = {model.Verdict, model.Breaking, model.Step}
"""Words for what a proof finds, which no catalog holds."""
NOT_IN_THE_ZOO = {
    ("Column", "virtual"),
    ("Check", "enforced"),
    ("ForeignKey", "enforced"),
    ("ForeignKey", "period"),
    ("Key", "without_overlaps"),
    ("Index", "valid"),
    ("Collation", "rules"),
    ("Function", "kind=WINDOW"),
}


def test_the_zoo_has_one_of_everything(every_zoo: str) -> None:
    """Every field of the model differs from its default somewhere: else the other tests here would prove little."""
    seen: set[tuple[str, str]] = set()

    def visit(thing: Any) -> None:
        if isinstance(thing, tuple):
            for item in thing:
                visit(item)
        elif is_dataclass(thing):
            for field in fields(thing):
                if getattr(thing, field.name) not in (field.default, ()):
                    seen.add((type(thing).__name__, field.name))
                visit(getattr(thing, field.name))

    visit(zoo_contract(every_zoo).catalog)
    wanted = {
        (cls.__name__, field.name)
        for cls in vars(model).values()
        if isinstance(cls, type) and is_dataclass(cls) and cls not in FOUND
        for field in fields(cls)
        if field.init and (field.default is not MISSING or field.default_factory is MISSING)
    }
    assert wanted - seen - NOT_IN_THE_ZOO == set()


def views(connection: psycopg.Connection) -> Iterator[tuple[int, str]]:
    """The zoo's views: oid and normalised definition."""
    for oid, definition in connection.execute(
        "SELECT c.oid, pg_get_viewdef(c.oid) FROM pg_class AS c JOIN pg_depend AS d ON d.objid = c.oid"
        " WHERE c.relkind IN ('v', 'm') AND c.oid >= 16384 AND d.deptype = 'n'"
        " AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.objid = c.oid AND e.deptype = 'e')"
        " GROUP BY c.oid ORDER BY c.oid"
    ).fetchall():
        yield oid, normalised(definition)


def test_a_normalised_view_is_the_same_view(every_zoo: str) -> None:
    """A view made from the normalised text gets the definition of the view that it was read from."""
    with psycopg.connect(every_zoo) as connection:
        connection.execute("SET LOCAL search_path TO ''")
        found = list(views(connection))
        assert len(found) > 30
        for oid, text in found:
            connection.execute(sql.SQL("CREATE VIEW public.again AS {}").format(sql.SQL(text)))
            query = "SELECT pg_get_viewdef(%s::oid), pg_get_viewdef('public.again'::regclass)"
            row = connection.execute(query, [oid]).fetchone()
            assert row is not None
            assert row[0] == row[1]
            assert normalised(row[1]) == text
            connection.execute("DROP VIEW public.again")
        connection.rollback()


LATEST = """
    CREATE EXTENSION btree_gist;
    CREATE TABLE rooms (
        id integer, during daterange, price integer, taxed integer GENERATED ALWAYS AS (price * 2) VIRTUAL,
        CONSTRAINT rooms_pkey PRIMARY KEY (id, during WITHOUT OVERLAPS),
        CONSTRAINT cheap CHECK (price < 100) NOT ENFORCED
    );
    CREATE TABLE bookings (
        room integer, during daterange, id integer CONSTRAINT id_there NOT NULL, other integer,
        CONSTRAINT apart UNIQUE (id, during WITHOUT OVERLAPS),
        CONSTRAINT in_room FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during),
        CONSTRAINT loose FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during) NOT ENFORCED
    );
"""


def test_what_only_the_newest_major_knows_is_frozen_too(zoo_servers: Callable[[int], Server]) -> None:
    """Virtual columns, WITHOUT OVERLAPS, PERIOD and NOT ENFORCED are read, written and read back."""
    with psycopg.connect(zoo_servers(NEWEST).address.dsn("empty")) as connection:
        connection.execute(LATEST)
        catalog = read_catalog(connection)
        connection.rollback()
    rooms, bookings = catalog.table(model.Name("public", "rooms")), catalog.table(model.Name("public", "bookings"))
    assert rooms is not None
    assert bookings is not None
    assert rooms.columns[3] == model.Column("taxed", "integer", generated="(price * 2)", virtual=True)
    assert rooms.primary_key == model.Key("rooms_pkey", ("id", "during"), primary=True, without_overlaps=True)
    assert rooms.checks == (model.Check("cheap", "(price < 100)", validated=False, enforced=False),)
    assert bookings.keys == (model.Key("apart", ("id", "during"), without_overlaps=True),)
    assert [(f.name, f.period, f.enforced) for f in bookings.foreign_keys] == [
        ("in_room", True, True),
        ("loose", True, False),
    ]
    # a NOT NULL's own name is 18's, and no promise
    assert bookings.columns[2] == model.Column("id", "integer", not_null=True)
    assert loads(dumps(Contract("x", catalog)), where="contract.toml").catalog == catalog


@pytest.mark.parametrize("privilege", ["ALL", "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"])
def test_all_privileges_are_the_same_with_and_without_maintain(
    zoo_servers: Callable[[int], Server], privilege: str
) -> None:
    """17 put MAINTAIN into GRANT ALL; who has all others is frozen without it."""
    found = set()
    for major in SUPPORTED:
        with psycopg.connect(zoo_servers(major).address.dsn("empty")) as connection:
            connection.execute("CREATE TABLE t ()")
            connection.execute(sql.SQL("GRANT {} ON t TO zoo_reader").format(sql.SQL(privilege)))
            found.add(read_catalog(connection).grants)
            connection.rollback()
    assert len(found) == 1


def test_maintain_alone_is_a_privilege(zoo_servers: Callable[[int], Server]) -> None:
    """On 17 and later it can be granted by itself, and then it is frozen."""
    with psycopg.connect(zoo_servers(NEWEST).address.dsn("empty")) as connection:
        connection.execute("CREATE TABLE t ()")
        connection.execute("GRANT SELECT, MAINTAIN ON t TO zoo_reader")
        catalog = read_catalog(connection)
        connection.rollback()
    assert catalog.grants == (model.Grant("TABLE", "t", "zoo_reader", ("MAINTAIN", "SELECT")),)
