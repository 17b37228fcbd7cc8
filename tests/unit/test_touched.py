"""What a change reaches: its neighbours by foreign keys, triggers and views, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from pgcontract.contract import promises_of, touched
from pgcontract.model import (
    Catalog,
    Check,
    Column,
    Enum,
    ForeignKey,
    Function,
    Grant,
    Key,
    Name,
    Sequence,
    Table,
    Trigger,
    View,
)
from tests.unit.catalogs import catalogs


def named(name: str) -> Name:
    """A name in the schema public."""
    return Name("public", name)


def table(name: str, *columns: Column, **parts: object) -> Table:
    """A table with a key."""
    key = Key(f"pk_{name}", ("id",), primary=True)
    return replace(Table(named(name), (Column("id", "bigint", not_null=True), *columns), keys=(key,)), **parts)  # type: ignore[arg-type]


def referring(to: str) -> ForeignKey:
    """A foreign key to a table."""
    return ForeignKey(f"fk_{to}", ("id",), named(to), ("id",))


BEFORE = Catalog(
    namespaces=("public",),
    enums=(Enum(named("status"), ("new", "old")),),
    sequences=(Sequence(named("tickets"), owned_by=None),),
    functions=(
        Function(named("log_it"), body="BEGIN INSERT INTO logs VALUES (1); RETURN NEW; END", returns="trigger"),
        Function(named("dynamic"), body="EXECUTE 'DELETE FROM \"Odd Name\"'"),
        Function(named("calls"), body="SELECT public.dynamic()"),
    ),
    tables=(
        table("customers"),
        table("orders", Column("status", "public.status"), foreign_keys=(referring("customers"),)),
        table("items", foreign_keys=(referring("orders"),)),
        table("logs"),
        table("Odd Name"),
        table("alone", Column("nr", "bigint", default="nextval('public.tickets'::regclass)")),
        table("payments", triggers=(Trigger("t", "AFTER", ("INSERT",), "ROW", named("log_it")),)),
    ),
    views=(
        View(named("open"), "SELECT orders.id FROM public.orders", (Column("id", "bigint"),)),
        View(named("over"), "SELECT open.id FROM public.open", (Column("id", "bigint"),)),
    ),
    grants=(Grant("TABLE", "orders", "app", ("SELECT",)), Grant("TABLE", "logs", "app", ("SELECT",))),
)


def changed(name: str) -> Catalog:
    """The catalog with a CHECK more on a table."""
    tables = (replace(t, checks=(Check("chk", "(id > 0)"),)) if t.name.name == name else t for t in BEFORE.tables)
    return replace(BEFORE, tables=tuple(tables))


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("orders", ("customers", "items", "open", "over")),
        ("customers", ("orders",)),
        ("items", ("orders",)),
        ("logs", ("log_it", "payments")),
        ("Odd Name", ("calls", "dynamic")),
        ("payments", ()),
        ("alone", ()),
    ],
)
def test_a_table_reaches_its_neighbours(name: str, reached: tuple[str, ...]) -> None:
    """Parents and children, views over views, functions that name it, tables whose triggers call those."""
    after = changed(name)
    found = touched(BEFORE, after, after)
    assert found.changed == (name,)
    assert found.reached == reached
    owners = {*found.changed, *reached}
    ids = {id_ for id_, kind, _ in promises_of(after) if kind not in {"schema", "privilege", "function"}}
    expected = {id_ for id_ in ids if any(id_ == o or id_.startswith(f"{o}.") for o in owners)}
    assert expected <= found.ids
    assert {id_ for id_ in found.ids if id_ in ids} == expected


def test_privileges_come_with_what_they_are_on() -> None:
    """And not with anything else."""
    found = touched(BEFORE, changed("customers"), changed("customers"))
    assert {id_ for id_ in found.ids if id_.startswith("grant")} == {"grant app on orders"}


def test_a_cascade_is_reached_from_its_end() -> None:
    """What a leaf refuses is refused to whoever deletes at the top, through all that cascades; not beyond."""
    cascade = [replace(referring(to), on_delete="CASCADE") for to in ("top", "a", "b", "c")]
    chain = Catalog(
        tables=(
            table("beyond"),
            table("top", foreign_keys=(referring("beyond"),)),
            table("a", foreign_keys=(cascade[0],)),
            table("b", foreign_keys=(cascade[1],)),
            table("c", foreign_keys=(cascade[2],)),
            table("leaf", foreign_keys=(cascade[3],)),
        )
    )
    after = replace(chain, tables=(*chain.tables[:-1], table("leaf", foreign_keys=(referring("c"),))))
    assert touched(chain, after, after).reached == ("a", "b", "c", "top")


def test_a_type_and_a_sequence_reach_the_tables_that_use_them() -> None:
    """A label more, and another start."""
    labels = replace(BEFORE, enums=(Enum(named("status"), ("new", "old", "gone")),))
    assert touched(BEFORE, labels, labels).reached == ("orders",)
    start = replace(BEFORE, sequences=(Sequence(named("tickets"), start=5),))
    assert touched(BEFORE, start, start).reached == ("alone",)


def test_the_trigger_of_a_function_is_tried_when_its_body_changes() -> None:
    """The trigger's promise is the table's."""
    body = replace(BEFORE.functions[0], body="BEGIN RETURN NEW; END")
    after = replace(BEFORE, functions=(body, *BEFORE.functions[1:]))
    assert "payments.t" in touched(BEFORE, after, BEFORE).ids


def test_partitions_are_one_with_their_table() -> None:
    """What is changed of one is changed of all."""
    part = table("orders_1", partition_of=named("orders"))
    before = replace(BEFORE, tables=(*BEFORE.tables, part))
    after = replace(before, tables=(*changed("orders").tables, part))
    assert touched(before, after, after).changed == ("orders", "orders_1")
    alone = replace(before, tables=(*BEFORE.tables, replace(part, checks=(Check("chk", "(id > 0)"),))))
    assert touched(before, alone, alone).changed == ("orders", "orders_1")


def test_a_changed_contract_counts_as_a_changed_schema() -> None:
    """Where a promise was frozen anew and no migration came with it."""
    after = changed("customers")
    assert "customers.chk" in touched(after, after, after, BEFORE).ids
    assert touched(after, after, after, after).ids == frozenset()


@pytest.mark.thorough
@given(catalogs())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_nothing_is_touched_where_nothing_changed_and_all_where_all_is_new(catalog: Catalog) -> None:
    """Whatever a catalog holds."""
    assert touched(catalog, catalog, catalog).ids == frozenset()
    everything = frozenset(id_ for id_, _, _ in promises_of(catalog))
    assert touched(Catalog(), catalog, catalog).ids == everything
