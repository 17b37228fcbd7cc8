"""What may happen on a trigger's stage: changes of one row, of several, of all and of none, one kind after the other.

Systematic ones come first: each column, each value, each kind; then ones that are drawn. Whether a change is valid is
for the database to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from random import Random

from psycopg import sql

from pgcontract.model import ForeignKey, Name, Table
from pgcontract.promises.scene import CLOCK, Stage, assigned, clock, extremes
from pgcontract.rows.changes import Both, Delete, Insert, Update, key_of, statement
from pgcontract.rows.moves import Draft, Moves, NothingToDo
from pgcontract.rows.statements import Row, Statement, Value, identifier
from pgcontract.rows.terrain import Field, conflict

LATER = "'2100-01-01 00:00:00+00'"
MOST_VALUES = 8
MOST_SINGLES = 14
FEW = 4
TRIES = 8


@dataclass(frozen=True, slots=True)
class Happening:
    """Statements that change something. ``label`` is the same for changes of the same kind and columns.

    ``kind`` is the label, but one for all columns that do not matter.
    """

    label: str
    statements: tuple[Statement, ...]
    matters: bool = True

    @property
    def kind(self) -> str:
        """What few of are enough."""
        return self.label if self.matters else "what does not matter"


def happenings(stage: Stage) -> Iterator[Happening]:
    """The systematic changes: of the table itself, of those who write to it, of its parents."""
    yield from _of(stage, stage.table.name, MOST_VALUES)
    for writer in stage.writers:
        yield from _of(stage, writer, 3)
        yield from _families(stage, writer)
    yield from _from_above(stage)
    truncate = sql.SQL("TRUNCATE {} CASCADE").format(identifier(stage.table.name)).as_string()
    yield Happening("truncate", (Statement(truncate),))


def drawn(stage: Stage, random: Random) -> tuple[Statement, ...]:
    """One or two changes in a row, drawn; none where nothing was found to do."""
    names = [stage.table.name, *stage.writers]
    focus = [stage.field(n).table for n in names]
    found: list[Statement] = []
    for _ in range(1 if random.random() < 0.7 else 2):
        moves = Moves(stage.terrain, lambda name: stage.rows.get(name, ()), tuple(focus), number=1000)
        ways = [moves.update] * 4 + [moves.insert, moves.delete, moves.move, moves.upsert]
        for _ in range(TRIES):
            draft = Draft(random)
            way = random.choice(ways)
            try:
                if way == moves.insert:
                    moves.insert(draft, random.choice((1, 1, 2, 3)))
                elif way == moves.upsert:
                    moves.upsert(draft)
                else:
                    way(draft, many=random.random() < 0.5)  # type: ignore[call-arg]
            except NothingToDo:
                continue
            found += [statement(change) for change in draft.changes]
            break
    return tuple(found)


def _of(stage: Stage, name: Name, values: int) -> Iterator[Happening]:
    rows = stage.rows.get(name, ())
    field = stage.field(name)
    yield from _inserts(stage, field, rows)
    if not rows:
        return
    yield from _stamped(stage, field, rows)
    yield from _moves(stage, field, rows)
    yield from _deletes(field.table, rows, MOST_SINGLES if values > 3 else 4)
    yield from _updates(stage, field, rows, values)


def _happening(label: str, change: Insert | Update | Delete, *, matters: bool = True) -> Happening:
    return Happening(f"{label} {change.table.name}", (statement(change),), matters)


def _inserts(stage: Stage, field: Field, rows: Sequence[Row]) -> Iterator[Happening]:
    table = field.table
    new = [{c: row[c] for c in field.pools if c in row} for row in stage.new[table.name]]
    for row in new:
        yield _happening("insert one", Insert(table, (row,)))
    if len(new) > 1:
        yield _happening("insert two", Insert(table, tuple(new[:2])))
        yield _happening("insert several", Insert(table, tuple(new)))
    columns = ", ".join(sql.Identifier(c).as_string() for c in field.pools)
    if columns:
        quoted = identifier(table.name).as_string()
        none = f"INSERT INTO {quoted} ({columns}) SELECT {columns} FROM {quoted} WHERE false"
        yield Happening(f"insert none {table.name}", (Statement(none),))
    for arbiter in field.arbiters[:2] if new else ():
        bound = set(arbiter.columns) | field.shape.key_columns
        taken = [c for c in stage.relevant(table.name) if c not in bound and field.column(c).identity is None]
        for held in rows[:4]:
            if any(held[c] is None for c in arbiter.columns) or not set(arbiter.columns) <= set(new[0]):
                continue
            there = {**new[0], **{c: held[c] for c in arbiter.columns}}
            both = (there, *new[1:2])
            yield _happening("upsert one", Insert(table, (there,), conflict(arbiter, taken)))
            yield _happening("upsert two", Insert(table, both, conflict(arbiter, taken)))
            yield _happening("insert or not", Insert(table, both, conflict(arbiter)))


def _updates(stage: Stage, field: Field, rows: Sequence[Row], most: int) -> Iterator[Happening]:
    table = field.table
    columns = [c for c in field.pools if field.column(c).identity != "ALWAYS"]
    relevant = set(stage.relevant(table.name))
    linked = {c for fk in table.foreign_keys for c in fk.columns}
    quoted = identifier(table.name).as_string()
    if columns:
        name = sql.Identifier(columns[0]).as_string()
        yield Happening(f"update none {table.name}", (Statement(f"UPDATE {quoted} SET {name} = {name} WHERE false"),))
    turn = 0
    for column in columns:
        matters = column in relevant and column not in linked
        values = _spread(_values(field, column, rows), most if matters else 1)
        same = rows[turn % len(rows)]
        yield _update(f"update {column}", table, [same], {column: same[column]}, matters=matters)
        # of few values each row takes each
        steps = range(len(rows)) if len(values) < FEW else (0, 3, 7)
        for step in steps if matters else (0,):
            for number, value in enumerate(values):
                row = rows[(turn + step + number) % len(rows)]
                yield _update(f"update {column}", table, [row], {column: value}, matters=matters)
        turn += len(values)
        for value in values[:3] if matters else ():
            yield _happening(f"update {column} of all", Update(table, None, ({column: value},)))
            yield _update(f"update {column} of two", table, _some(rows, turn, 2), {column: value})
            turn += 1
        if matters and len(values) > 1 and len(rows) > 2:
            some = _some(rows, turn, 4)
            own = tuple({column: values[n % len(values)]} for n in range(len(some)))
            yield _happening(f"update {column} of each", Update(table, tuple(key_of(table, r) for r in some), own))
    both = [c for c in columns if c in relevant and c not in linked and c not in field.shape.key_columns]
    for first, second in islice(combinations(both, 2), 10):
        for one, other in zip(_spread(_values(field, first, rows), 3), _spread(_values(field, second, rows), 3)):  # noqa: B905 - as many as both have
            turn += 1
            changes = {first: one, second: other}
            yield _update(f"update {first}, {second}", table, [rows[turn % len(rows)]], changes)
            yield _happening(f"update {first}, {second} of all", Update(table, None, (changes,)))


def _update(label: str, table: Table, rows: Sequence[Row], changes: Row, *, matters: bool = True) -> Happening:
    return _happening(label, Update(table, tuple(key_of(table, row) for row in rows), (changes,)), matters=matters)


def _values(field: Field, column: str, rows: Sequence[Row]) -> list[Value]:
    """What is beyond all, what others hold, and what might be held: comparisons decide between values held."""
    held = list(dict.fromkeys(row[column] for row in rows))
    pool = [v for v in field.pools[column] if v not in held]
    beyond = extremes(field.column(column))
    if len(held) + len(pool) <= MOST_VALUES - len(beyond):
        return [*beyond, *held, *pool]
    third = (MOST_VALUES - len(beyond)) // 2
    return [*beyond, *_spread(held, third), *_spread(pool, third)]


def _spread(values: Sequence[Value], most: int) -> list[Value]:
    return list(values[:: max(1, -(-len(values) // most))])[:most] if values else []


def _some(rows: Sequence[Row], start: int, number: int) -> list[Row]:
    return (
        [rows[(start + n * 3) % len(rows)] for n in range(min(number, len(rows)))]
        if len(rows) % 3
        else list(rows[:number])
    )


def _stamped(stage: Stage, field: Field, rows: Sequence[Row]) -> Iterator[Happening]:
    """A stamp written by the client: long ago, now, after now, in the future; on each of the first rows."""
    table = field.table
    for column in stage.stamps(table.name):
        for expression in ("'1999-01-01 00:00:00+00'", "now()", clock(column), LATER, "NULL"):
            for row in rows[:4]:
                done = assigned(table, column.name, expression, key_of(table, row))
                yield Happening(f"stamp {column.name} {table.name} {expression}", (done,))


def _moves(stage: Stage, field: Field, rows: Sequence[Row]) -> Iterator[Happening]:
    """Other parents for one row, for all, and for two in exchange; none where that is allowed."""
    table = field.table
    for fk in table.foreign_keys:
        if not set(fk.columns) <= set(field.pools):
            continue
        parents = _parents(stage, fk)
        for row in rows[:6]:
            others = [p for p in parents if any(p[c] != row[c] for c in fk.columns)]
            for other in others[:1]:
                yield _update(f"move by {fk.name}", table, [row], other)
        for parent in parents[:2]:
            yield _happening(f"move all by {fk.name}", Update(table, None, (parent,)))
        apart = [r for r in rows if any(r[c] != rows[0][c] for c in fk.columns)]
        if apart:
            pair = (rows[0], apart[0])
            swapped = tuple({c: r[c] for c in fk.columns} for r in reversed(pair))
            keys = tuple(key_of(table, r) for r in pair)
            yield _happening(f"exchange by {fk.name}", Update(table, keys, swapped))
            matter = [c for c in stage.relevant(table.name) if c not in fk.columns and c in field.pools]
            for column in matter[:4]:
                for value in _spread(_values(field, column, rows), 2):
                    yield _update(f"move by {fk.name}, {column}", table, [rows[0]], {**swapped[0], column: value})
        nullable = [c for c in fk.columns if not field.column(c).not_null]
        if nullable:
            yield _update(f"orphan by {fk.name}", table, [rows[0]], dict.fromkeys(nullable))


def _parents(stage: Stage, fk: ForeignKey) -> list[dict[str, Value]]:
    rows = stage.rows.get(fk.references, ())
    return [{c: row[k] for c, k in zip(fk.columns, fk.keys, strict=True)} for row in rows[:4]]


def _deletes(table: Table, rows: Sequence[Row], most: int) -> Iterator[Happening]:
    for row in rows[:most]:
        yield _happening("delete one", Delete(table, (key_of(table, row),)))
    for start in range(3):
        yield _happening("delete two", Delete(table, tuple(key_of(table, r) for r in _some(rows, start, 2))))
    yield _happening("delete all", Delete(table, None))
    none = f"DELETE FROM {identifier(table.name).as_string()} WHERE false"
    yield Happening(f"delete none {table.name}", (Statement(none),))


def _families(stage: Stage, writer: Name) -> Iterator[Happening]:
    """A row and one that refers to it, written by one statement, in either order."""
    parent, child = stage.field(stage.table.name), stage.field(writer)
    matter = [c for c in stage.relevant(parent.table.name) if c not in parent.shape.key_columns]
    for fk in child.table.foreign_keys:
        if fk.references != parent.table.name or not set(fk.columns) <= set(child.pools):
            continue
        pairs: list[tuple[Row, Insert | Update]] = [
            ({**row, c: v}, Insert(parent.table, ({p: {**row, c: v}[p] for p in parent.pools},)))
            for row in stage.new[parent.table.name][:1]
            for c in matter[:4]
            for v in _spread(parent.pools[c], 2)
        ]
        pairs += [
            (row, Update(parent.table, (key_of(parent.table, row),), ({c: v},)))
            for row in stage.rows[parent.table.name][:2]
            for c in matter[:4]
            for v in _spread(_values(parent, c, stage.rows[parent.table.name]), 2)
        ]
        for number, (row, change) in enumerate(pairs):
            given = stage.new[writer][number % len(stage.new[writer])]
            tied = dict(zip(fk.columns, (row[k] for k in fk.keys), strict=True))
            born = Insert(child.table, ({**{c: given[c] for c in child.pools}, **tied},))
            for both in (Both(change, born), Both(born, change)):
                yield Happening(f"together {type(change).__name__} {number % 2}", (statement(both),))


def _from_above(stage: Stage) -> Iterator[Happening]:
    """Parents that go, or change their key, one generation after the other."""
    catalog = stage.terrain.catalog
    seen: dict[Name, None] = {stage.table.name: None}
    waiting = [stage.table.name]
    while waiting:
        table = catalog.table(waiting.pop(0))
        for fk in table.foreign_keys if table is not None else ():
            if fk.references not in seen:
                seen[fk.references] = None
                waiting.append(fk.references)
                yield from _gone(stage, fk)


def _gone(stage: Stage, fk: ForeignKey) -> Iterator[Happening]:
    parent = stage.terrain.catalog.table(fk.references)
    rows: Sequence[Row] = stage.rows.get(fk.references, ())[:2]
    field = stage.terrain.field(fk.references)
    if parent is None or field is None:
        return
    for row in rows:
        yield _happening("delete parent", Delete(parent, (key_of(parent, row),)))
    if fk.on_update not in {"NO ACTION", "RESTRICT"}:
        for row in rows:
            changes: Mapping[str, Value] = {k: field.fresh(k, 500) for k in fk.keys if k in field.pools}
            if changes and None not in changes.values():
                yield _update("update parent", parent, [row], changes)


__all__ = ["CLOCK", "Happening", "drawn", "happenings"]
