"""Writes to a table or view that something else takes the place of, and what they leave in all tables.

A rule, or a view's INSTEAD OF trigger, does what the frozen one does: the same write, on the same rows, once as the
live schema is and once with the frozen one in its place. Writes that show it come first: with it they end otherwise
than without. Those that it must leave alone come after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from psycopg import sql

from pgcontract import sql as parser
from pgcontract.model import Catalog, Column, Name, Table, View
from pgcontract.promises.base import Cases, Change, Rows
from pgcontract.promises.definitions import rules_off, rules_on
from pgcontract.promises.reaching import Reading, population
from pgcontract.promises.scene import IMMEDIATE
from pgcontract.promises.snapshot import Camera, Left
from pgcontract.rows.oracle import Oracle, Refusal
from pgcontract.rows.statements import OVERRIDING, Row, Statement, Value, identifier, quote, where
from pgcontract.rows.worlds import Worlds
from pgcontract.sql import SqlError

REPLICA = Statement("SET LOCAL session_replication_role = 'replica'")
MOST_TRIED = 90
"""Writes of one kind that are looked at."""
MOST_SHOWN = 60
MOST_SILENT = 60
FEW = 3
MOST_NEW = 6
MOST_KEPT = 10
MOST_VALUES = 8
BEYOND = 1_000_000
SAMPLE = 6
WATCHED = 40
Thing = TypeVar("Thing")
GIVEN = "pgcontract.given"
"""The setting that takes down what a write returns."""
DIFFERENT = "the same rows in all tables as with the frozen"


@dataclass(frozen=True, slots=True)
class Passage:
    """What stands between a write to ``relation`` and the tables.

    ``text`` is SQL that tells which values and tables matter. ``installed`` puts the frozen thing in the live one's
    place, ``contrary`` makes it as it is promised not to be: away, or at work where it is promised to be off.
    ``returning``: what a write gives back is a part of it.
    """

    what: str
    relation: Name
    text: str
    reads: Reading
    installed: tuple[Statement, ...]
    contrary: tuple[Statement, ...]
    returning: bool = False

    def cases(self, worlds: Worlds) -> Cases:
        """Writes of every kind. Raises Unbuildable."""
        live = relation_of(worlds.catalog, self.relation)
        if live is None:
            return Cases((Change((Statement(f"SELECT FROM {_text(self.relation)}"),)),))
        return _Tried(self, worlds, live).cases()


def relation_of(catalog: Catalog, name: Name) -> Table | View | None:
    """The table or view of that name, or None."""
    return catalog.table(name) or next((v for v in catalog.views if v.name == name), None)


@dataclass(frozen=True, slots=True)
class _Ruleless:
    """An oracle of the schema with the rules of some tables off, so that rows are stored as they are given."""

    oracle: Oracle
    off: Statement

    def refusal(self, statements: Sequence[Statement]) -> Refusal | None:
        found = self.oracle.refusal([self.off, *_afresh(statements)])
        return None if found is None else replace(found, position=max(found.position - 1, 0))

    def tried(
        self, setup: Sequence[Statement], cases: Sequence[Sequence[Statement]], layer: Sequence[Statement] = ()
    ) -> Sequence[Refusal | Rows]:
        return self.oracle.tried([self.off, *_afresh(setup)], [_afresh(case) for case in cases], layer)

    def __getattr__(self, name: str) -> Any:
        """Expressions are no rule's business."""
        return getattr(self.oracle, name)


def _afresh(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The same, not as they were prepared while the rules were there: what these made nothing of stays nothing."""
    return tuple(replace(statement, afresh=True) for statement in statements)


class _Tried:
    """What came of some writes with the frozen thing: what the live one will be held to."""

    def __init__(self, passage: Passage, worlds: Worlds, live: Table | View) -> None:
        self._passage = passage
        self._oracle = worlds.oracle
        self._catalog = worlds.catalog
        self._live = live
        self._columns = [c for c in live.columns if c.generated is None]
        self._types = {c.name: c.type for c in live.columns}
        self._watched = _watched(worlds.catalog, passage)
        tables = [t.name for t in worlds.catalog.tables if t.rules and t in self._watched]
        off, on = rules_off(tables), rules_on()
        bare = Worlds(worlds.catalog, _Ruleless(worlds.oracle, off), worlds.roles, worlds.offset)
        made = population([passage.reads], bare)
        self._missing = made.missing
        before = _afresh(made.before)
        kept = _afresh(_settled(bare.oracle, before, _there(made.rows)))
        self._prepared = (off, *before, *kept, *self._counted_on(), IMMEDIATE, on)
        self._rows = self._read(self._prepared)
        there = {tuple(row.items()) for row in self._rows}
        everything = self._read((off, *before, *_afresh(made.rows), IMMEDIATE, on))
        self._new = [row for row in everything if tuple(row.items()) not in there]

    def cases(self) -> Cases:
        """All of them."""
        writes = [(self._sent(one),) for one in self._writes()]
        camera = Camera(self._watched, {}, self._changing(writes))
        left = f"SELECT ({camera.snapshot().text}) AS rows_are, pg_catalog.current_setting('{GIVEN}', true) AS given"
        plain: list[tuple[Statement, ...]] = [(*statements, Statement(left)) for statements in writes]
        replayed: list[tuple[Statement, ...]] = [(REPLICA, *act) for act in plain]
        showing, silent = self._parted(plain)
        beside = replayed
        if not showing:
            # one that works for replicas alone
            (showing, silent), beside = self._parted(replayed), plain
        if not showing:
            return Cases(missing="; ".join(["no write was found that shows what it does", *self._missing]))
        others = [beside[n] for n in showing[:FEW]]
        acts = plain if beside is replayed else replayed
        chosen = [*(acts[n] for n in _spread(showing, MOST_SHOWN)), *others]
        chosen += [acts[n] for n in _spread(silent, MOST_SILENT)]
        notes = [f"{min(len(showing), MOST_SHOWN)} of {len(chosen)} writes show what it does"]
        names = sorted(f"{table}.{column}" for table, column in camera.left)
        notes += [f"not compared, another each time: {', '.join(names)}"] if names else []
        return Cases(tuple(map(self._compared, chosen)), prepared=self._prepared, notes=tuple(notes))

    def _parted(self, acts: Sequence[tuple[Statement, ...]]) -> tuple[list[int], list[int]]:
        """Which of these end otherwise than without the frozen thing, and which end alike, and not in an error."""
        frozen = self._oracle.tried(self._prepared, acts, self._passage.installed)
        contrary = self._oracle.tried(self._prepared, acts, self._passage.contrary)
        shows = list(map(differ, frozen, contrary))
        silent = [n for n, seen in enumerate(frozen) if not shows[n] and not isinstance(seen, Refusal)]
        return [n for n, yes in enumerate(shows) if yes], silent

    def _counted_on(self) -> Iterator[Statement]:
        """Numbers that sequences give lie beyond the rows' own: two runs of one write must not meet other keys."""
        names = {table.name for table in self._watched}
        for one in self._catalog.sequences:
            if one.owned_by is not None and one.owned_by[0] in names and one.increment > 0:
                number = min(one.max_value // 2, BEYOND)
                yield Statement(f"ALTER SEQUENCE {_text(one.name)} RESTART WITH {max(number, one.min_value)}")

    def _compared(self, act: tuple[Statement, ...]) -> Change:
        installed = self._passage.installed
        wanted = f"{DIFFERENT} {self._passage.what}"
        return Change(act, reference=act, instead=installed, guard=self._same_again(act), wanted=wanted)

    def _same_again(self, act: tuple[Statement, ...]) -> Callable[[], Statement]:
        """Whether the frozen one does the same twice: if not, no difference to it means anything."""

        def asked() -> Statement:
            one, other = self._oracle.tried(self._prepared, [act, act], self._passage.installed)
            return Statement("SELECT false" if differ(one, other) else "SELECT true")

        return asked

    def _changing(self, writes: Sequence[tuple[Statement, ...]]) -> Left:
        """The columns whose values differ between two runs of the same write: serial keys, random ones, clocks."""
        camera = Camera(self._watched, {})
        details = camera.details()
        some = writes[:: max(1, len(writes) // SAMPLE)]
        cases = [(*statements, details) for statements in some for _ in range(2)]
        runs = self._oracle.tried(self._prepared, cases, self._passage.installed)
        left: Left = frozenset()
        for one, other in zip(runs[::2], runs[1::2], strict=True):
            if not isinstance(one, Refusal) and not isinstance(other, Refusal):
                left |= camera.unlike(one, other)
        return left

    def _read(self, prepared: Sequence[Statement]) -> list[Row]:
        """What the relation shows, as text, in no order of the server's."""
        names = [c.name for c in self._live.columns]
        listed = ", ".join(f"{_quoted(c)}::text" for c in names)
        (found,) = self._oracle.tried(prepared, [(Statement(f"SELECT {listed} FROM {_text(self._passage.relation)}"),)])
        if isinstance(found, Refusal):
            return []
        rows = [tuple(None if f is None else f.decode() for f in fields) for fields in found]
        ordered = sorted(dict.fromkeys(rows), key=lambda row: [(f is None, f or "") for f in row])
        return [dict(zip(names, row, strict=True)) for row in ordered]

    def _writes(self) -> Iterator[Statement]:
        spoken = words(self._passage.text)
        columns = sorted(self._columns, key=lambda column: column.name not in spoken)
        yield from _spread(list(self._inserts(columns)), MOST_TRIED)
        for column in columns:
            most = MOST_TRIED if column.name in spoken else MOST_VALUES
            yield from _spread(list(self._updates(column)), most)
        yield from self._deletes()

    def _sent(self, write: Statement) -> Statement:
        if not self._passage.returning:
            return replace(write, afresh=True)
        told = f"SELECT pg_catalog.set_config('{GIVEN}', (SELECT string_agg(done::text, '; ') FROM done), true)"
        return Statement(f"WITH done AS ({write.text} RETURNING *) {told}", write.values, afresh=True)

    def _values(self, column: Column) -> list[Value]:
        """Values of one column: what rows hold, and the constants that the text speaks of, with their neighbours."""
        held: list[Value] = [row[column.name] for row in (*self._new, *self._rows)]
        free: list[Value] = [] if column.not_null else [None]
        return list(dict.fromkeys([*constants(self._passage.text), *held, *free]))

    def _inserts(self, columns: Sequence[Column]) -> Iterator[Statement]:
        names = [c.name for c in self._columns]
        overriding = OVERRIDING if any(c.identity == "ALWAYS" for c in self._columns) else ""
        head = f"INSERT INTO {_text(self._passage.relation)} ({', '.join(map(_quoted, names))})"
        rows = self._new[:MOST_NEW] or self._rows[:1]
        for row in rows:
            yield Statement(f"{head} {overriding}VALUES {_tuple(row, names)}")
        if len(rows) > 1:
            yield Statement(f"{head} {overriding}VALUES {', '.join(_tuple(row, names) for row in rows)}")
        yield Statement(
            f"{head} SELECT {', '.join(map(_quoted, names))} FROM {_text(self._passage.relation)} WHERE false"
        )
        for number, column in enumerate(columns):
            values = [v for v in self._values(column) if v != rows[0][column.name]] if rows else []
            for value in values[:MOST_VALUES]:
                other = {**rows[number % len(rows)], column.name: value}
                yield Statement(f"{head} {overriding}VALUES {_tuple(other, names)}")

    def _updates(self, column: Column) -> Iterator[Statement]:
        name = _quoted(column.name)
        head = f"UPDATE {_text(self._passage.relation)} SET {name} ="
        yield Statement(f"{head} {name}")
        yield Statement(f"{head} {name} WHERE false")
        # each value comes from below, from above, and from the value itself
        rows = list({row[column.name]: row for row in self._rows}.values())
        rows += [row for row in self._rows if row not in rows]
        for value in self._values(column)[:MOST_VALUES]:
            yield Statement(f"{head} {quote(value)}")
            for row in rows[:MOST_KEPT]:
                condition, values = where(row, self._types)
                yield Statement(f"{head} {quote(value)} WHERE {condition}", values)

    def _deletes(self) -> Iterator[Statement]:
        for row in self._rows[:MOST_KEPT]:
            condition, values = where(row, self._types)
            yield Statement(f"DELETE FROM {_text(self._passage.relation)} WHERE {condition}", values)
        yield Statement(f"DELETE FROM {_text(self._passage.relation)}")
        yield Statement(f"DELETE FROM {_text(self._passage.relation)} WHERE false")


def _spread(things: Sequence[Thing], most: int) -> list[Thing]:
    """So many of them, from the first to the last."""
    return list(things[:: max(1, -(-len(things) // most))])


def differ(one: Refusal | Rows, other: Refusal | Rows) -> bool:
    """Whether two writes ended otherwise."""
    if isinstance(one, Refusal) and isinstance(other, Refusal):
        return one.sqlstate != other.sqlstate
    return isinstance(one, Refusal) or isinstance(other, Refusal) or list(one) != list(other)


def constants(text: str) -> list[Value]:
    """The constants of a text of SQL, with the neighbours of numbers."""
    found: list[Value] = []
    try:
        tokens = parser.scan(text)
    except SqlError:
        return found
    for token in tokens:
        if token.kind == "SCONST" and token.text.startswith("'"):
            found.append(token.text[1:-1].replace("''", "'"))
        elif token.kind == "ICONST":
            number = int(token.text)
            found += [str(number + 1), str(number), str(number - 1)]
        elif token.kind == "FCONST":
            found.append(token.text)
    return list(dict.fromkeys(found))


def words(text: str) -> frozenset[str]:
    """All names that stand in a text of SQL, as PostgreSQL reads them."""
    try:
        tokens = parser.scan(text)
    except SqlError:
        return frozenset()
    plain = (t.text[1:-1].replace('""', '"') if t.text.startswith('"') else t.text.lower() for t in tokens)
    return frozenset(plain)


def _watched(catalog: Catalog, passage: Passage) -> tuple[Table, ...]:
    """The tables whose rows may come to differ: all of them, or in a large schema those around."""
    tables = [t for t in catalog.tables if t.partition_of is None and t.foreign_server is None and t.columns]
    if len(tables) <= WATCHED:
        return tuple(tables)
    spoken = words(passage.text)
    near = {*passage.reads.tables, *(t.name for t in tables if t.name.name in spoken)}
    near |= {child.name for name in near for child, _ in catalog.referencing(name)}
    return tuple(t for t in tables if t.name in near)


def _there(rows: Sequence[Statement]) -> list[Statement]:
    """Those that are to be there; the others are held back, to be written through the relation.

    The first of each table's are what conditions ask for.
    """
    tables: dict[str, list[Statement]] = {}
    for row in rows:
        tables.setdefault(row.text.partition("(")[0], []).append(row)
    held = {row for some in tables.values() for row in some[len(some) // 2 :: 2]}
    return [row for row in rows if row not in held]


def _settled(oracle: Oracle, before: Sequence[Statement], rows: Iterable[Statement]) -> list[Statement]:
    """The rows of these that are accepted, one after the other."""
    kept = list(rows)
    while (refused := oracle.refusal([*before, *kept])) is not None and refused.position >= len(before):
        del kept[refused.position - len(before)]
    return kept


def _tuple(row: Row, names: Sequence[str]) -> str:
    return "(" + ", ".join(quote(row[name]) for name in names) + ")"


def _text(name: Name) -> str:
    return identifier(name).as_string()


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
