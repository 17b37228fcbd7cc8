"""Partitions: what rows a partition, or a partitioned table, has room for, as a condition like a CHECK. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from zlib import crc32

from pgcontract.model import Catalog, ForeignKey, Name, Table
from pgcontract.rows.generated import named
from pgcontract.rows.statements import Statement, identifier, quote
from pgcontract.sql import parse, scan

_FROM, _TO, _IN = "FOR VALUES FROM (", ") TO (", "FOR VALUES IN ("
_HASH = re.compile(r"FOR VALUES WITH \(modulus (\d+), remainder (\d+)\)", re.IGNORECASE)
_DEFAULT = "DEFAULT"
HASHED = "satisfies_hash_partition("


def room(table: Table, catalog: Catalog) -> str | None:
    """The condition that a table's partition bounds put on its rows; None where there is none, or it is not known.

    A partition's own bound, and that of every table above it; for a partitioned table that one of its partitions has
    room.
    """
    conditions = []
    above = table
    while above.partition_of is not None:
        parent = catalog.table(above.partition_of)
        if parent is None:
            return None
        bound = _bound(above, parent, catalog)
        conditions += [bound] if bound is not None else []
        above = parent
    inside = _inside(table, catalog)
    conditions += [inside] if inside is not None else []
    return " AND ".join(f"({c})" for c in conditions) or None


def with_inherited_keys(table: Table, catalog: Catalog) -> Table:
    """A table with the foreign keys that hold for its rows, though others promise them.

    Those of the tables of which it is a partition; and of its own partitions, one of which its rows are in.
    """
    own = {fk.name for fk in table.foreign_keys}
    found = (*table.foreign_keys, *(fk for fk in _inherited(table, catalog) if fk.name not in own))
    known = {_what(fk) for fk in found}
    below = {_what(fk): fk for fk in reversed(list(_of_partitions(table, catalog))) if _what(fk) not in known}
    return replace(table, foreign_keys=(*found, *below.values()))


def _inherited(table: Table, catalog: Catalog) -> Iterator[ForeignKey]:
    above = catalog.table(table.partition_of) if table.partition_of is not None else None
    if above is not None:
        yield from above.foreign_keys
        yield from _inherited(above, catalog)


def _of_partitions(table: Table, catalog: Catalog) -> Iterator[ForeignKey]:
    if table.partition_key is not None:
        for part in (t for t in catalog.tables if t.partition_of == table.name):
            yield from part.foreign_keys
            yield from _of_partitions(part, catalog)


def _what(fk: ForeignKey) -> tuple[object, ...]:
    return fk.columns, fk.references, fk.keys


def key_of_partitions(table: Table) -> frozenset[str]:
    """The columns that say which partition a row belongs to."""
    _, _, keys = (table.partition_key or "").partition(" (")
    return frozenset().union(*(named(key, table) for key in _split(keys.removesuffix(")")) if key))


def catch_all(table: Table, catalog: Catalog) -> Statement | None:
    """A DEFAULT partition for rows that no other has room for; None where one is there, or none can be."""
    bounds = {t.partition_bound for t in catalog.tables if t.partition_of == table.name}
    if table.partition_key is None or is_hashed(table) or not bounds or _DEFAULT in bounds:
        return None
    name = identifier(Name(table.name.namespace, "pgcontract catch-all")).as_string()
    return Statement(f"CREATE TABLE {name} PARTITION OF {identifier(table.name).as_string()} DEFAULT")


def is_hashed(table: Table) -> bool:
    """Whether its rows are divided by hashes."""
    return (table.partition_key or "").startswith("HASH")


def empty(table: Table, catalog: Catalog) -> Iterator[Table]:
    """The partitioned tables, among this one and those below it, that have no partition: a program makes them."""
    parts = [t for t in catalog.tables if t.partition_of == table.name] if table.partition_key is not None else []
    if table.partition_key is not None and not parts:
        yield table
    for part in parts:
        yield from empty(part, catalog)


def stand_in(table: Name) -> Name:
    """What a partition is called that is made where there is none."""
    return Name(table.namespace, f"pgcontract {crc32(str(table).encode()):08x}")


def making(table: Name, *, hashed: bool) -> Statement:
    """What makes it, unless it was made before: it has room for any row."""
    bound = "FOR VALUES WITH (MODULUS 1, REMAINDER 0)" if hashed else _DEFAULT
    name, whole = identifier(stand_in(table)).as_string(), identifier(table).as_string()
    return Statement(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {whole} {bound}")


def _inside(table: Table, catalog: Catalog) -> str | None:
    """That some partition has room for the row; where there is none, one is made that has."""
    if table.partition_key is None:
        return None
    parts = [t for t in catalog.tables if t.partition_of == table.name]
    if not parts:
        return None
    found = []
    everything = is_hashed(table) and _share(parts) == 1
    for part in parts:
        bound, inner = _bound(part, table, catalog), _inside(part, catalog)
        if (bound is None or everything) and inner is None:
            # there is room for anything in a DEFAULT partition
            return None
        found.append(" AND ".join(f"({c})" for c in (bound, inner) if c is not None))
    return " OR ".join(f"({c})" for c in found) or "false"


def _share(parts: Sequence[Table]) -> Fraction:
    """How much of all rows hash partitions have room for."""
    bounds = (_HASH.fullmatch(part.partition_bound or "") for part in parts)
    return sum((Fraction(1, int(bound[1])) for bound in bounds if bound), Fraction(0))


def _bound(part: Table, parent: Table, catalog: Catalog) -> str | None:
    method, _, keys = (parent.partition_key or "").partition(" (")
    columns = [_operand(key) for key in _split(keys.removesuffix(")"))]
    bound = part.partition_bound or ""
    if bound == _DEFAULT:
        siblings = [t for t in catalog.tables if t.partition_of == parent.name and t.name != part.name]
        others = [b for t in siblings if (b := _bound(t, parent, catalog)) is not None]
        return "NOT (" + " OR ".join(f"({b})" for b in others) + ")" if others else None
    if method == "LIST" and bound.startswith(_IN):
        return _in(columns[0], list(_split(bound.removeprefix(_IN).removesuffix(")"))))
    if method == "RANGE" and bound.startswith(_FROM):
        low, _, high = bound.removeprefix(_FROM).removesuffix(")").partition(_TO)
        tests = [f"({c}) IS NOT NULL" for c in columns]
        tests += [t for t in (_beyond(columns, low, ">", last=">="), _beyond(columns, high, "<", last="<")) if t]
        return " AND ".join(tests)
    if method == "HASH" and (found := _HASH.fullmatch(bound)):
        whole = quote(identifier(parent.name).as_string())
        return f"{HASHED}{whole}::regclass, {found[1]}, {found[2]}, {', '.join(columns)})"
    return None


def _operand(key: str) -> str:
    """A partition key's column or expression, without the operator class that may stand behind it."""
    (element,) = parse(f"CREATE INDEX ON t ({key})").stmts[0].stmt.index_stmt.index_params
    parts = len(element.index_elem.opclass)
    # names and the dots between them
    return key[: scan(key)[1 - 2 * parts].start].rstrip() if parts else key


def _in(column: str, values: list[str]) -> str:
    given = [v for v in values if v != "NULL"]
    tests = [f"({column}) IN ({', '.join(given)})"] if given else []
    tests += [f"({column}) IS NULL"] if len(given) < len(values) else [f"({column}) IS NOT NULL"]
    return " AND ".join(tests) if len(given) == len(values) else " OR ".join(tests)


def _beyond(columns: list[str], bound: str, operator: str, *, last: str) -> str | None:
    """The row comparison with a bound, in which MINVALUE and MAXVALUE are no values; None where all rows are beyond."""
    ways: list[str] = []
    equal: list[str] = []
    values = list(_split(bound))
    unbounded = "MINVALUE" if operator == ">" else "MAXVALUE"
    for number, (column, value) in enumerate(zip(columns, values, strict=True), 1):
        if value in ("MINVALUE", "MAXVALUE"):
            # everything is beyond the one, and nothing beyond the other
            ways += [" AND ".join(equal) or "true"] if value == unbounded else []
            break
        operator_here = last if number == len(columns) else operator
        ways.append(" AND ".join([*equal, f"({column}) {operator_here} {value}"]))
        equal.append(f"({column}) = {value}")
    return None if ways == ["true"] else " OR ".join(f"({w})" for w in ways) or "false"


def _split(text: str) -> Iterator[str]:
    """The parts of a list between its outermost commas."""
    depth, cuts = 0, [0]
    for token in scan(text):
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "," and depth == 0:
            cuts.append(token.end)
    cuts.append(len(text) + 1)
    yield from (text[a : b - 1].strip() for a, b in pairwise(cuts))
