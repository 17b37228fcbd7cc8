"""What may happen on a trigger's stage: changes of one row, of several, of all and of none, one kind after the other.

Systematic ones come first: each column, each value, each kind; then ones that are drawn. Whether a change is valid is
for the database to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, pairwise
from random import Random

from psycopg import sql

from pgcontract.model import ForeignKey, Name, Table
from pgcontract.promises.scene import CLOCK, Stage, assigned, clock, extremes
from pgcontract.rows.changes import Both, Delete, Insert, Update, key_of, statement
from pgcontract.rows.moves import Draft, Moves, NothingToDo
from pgcontract.rows.statements import Row, Statement, Value, identifier
from pgcontract.rows.terrain import Field, conflict, mentioned

LATER = "'2100-01-01 00:00:00+00'"
MOST_VALUES = 8
MOST_SINGLES = 14
MOST_ROWS = 8
FEW = 6
TRIES = 8
TOGETHER = 3
MENDED = 4
TWOS = 6
PAIRS = 3


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
        for two in list(pairwise(new))[:TWOS]:
            yield _happening("insert two", Insert(table, two))
        yield _happening("insert several", Insert(table, tuple(new)))
    yield from _born(stage, field, new)
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


def _born(stage: Stage, field: Field, new: Sequence[Row]) -> Iterator[Happening]:
    """A new row of each parent."""
    for fk in field.table.foreign_keys:
        if set(fk.columns) <= set(field.pools):
            for number, parent in enumerate(_parents(stage, fk, MOST_ROWS)):
                for given in [new[(number + n) % len(new)] for n in range(min(len(new), 3))]:
                    row = {**given, **_left_behind(field, fk), **parent}
                    yield _happening(f"insert by {fk.name}", Insert(field.table, (row,)))


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
        steps = range(len(rows)) if len(values) <= FEW else (0, 3, 7)
        for step in steps if matters else (0,):
            for number, value in enumerate(values):
                row = rows[(turn + step + number) % len(rows)]
                yield _update(f"update {column}", table, [row], {column: value}, matters=matters)
        if matters and _checked(field, column):
            yield from _mended(field, column, values, rows)
        turn += len(values)
        for value in values[:3] if matters else ():
            yield _happening(f"update {column} of all", Update(table, None, ({column: value},)))
            for _ in range(PAIRS):
                yield _update(f"update {column} of two", table, _some(rows, turn, 2), {column: value})
                turn += 1
        if matters:
            yield from _passed_on(field, column, rows)
        if matters and len(values) > 1 and len(rows) > 2:
            some = _some(rows, turn, 4)
            own = tuple({column: values[n % len(values)]} for n in range(len(some)))
            yield _happening(f"update {column} of each", Update(table, tuple(key_of(table, r) for r in some), own))
    both = [c for c in columns if c in relevant and c not in linked and c not in field.shape.key_columns]
    yield from _pairs(field, both, rows)


def _pairs(field: Field, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[Happening]:
    """Two columns at once."""
    table, turn = field.table, 0
    for first, second in islice(combinations(columns, 2), 10):
        ones, others = _spread(_values(field, first, rows), 5), _spread(_values(field, second, rows), 4)
        for one, other in [(one, others[n % len(others)]) for n, one in enumerate(ones * 2)] if others else ():
            turn += 1
            changes = {first: one, second: other}
            for alike in _by(rows, (first,))[:4]:
                yield _update(f"update {first}, {second}", table, [alike[turn % len(alike)]], changes)
            if turn % 2:
                yield _happening(f"update {first}, {second} of all", Update(table, None, (changes,)))


def _passed_on(field: Field, column: str, rows: Sequence[Row]) -> Iterator[Happening]:
    """Rows of one parent take each the next one's value: other numbers of the same values."""
    for fk in field.table.foreign_keys:
        for alike in _by(rows, fk.columns)[:4]:
            ordered = sorted(alike, key=lambda row: str(row[column]))
            if len(ordered) > 2:
                values = tuple({column: row[column]} for row in (*ordered[1:], ordered[-1]))
                keys = tuple(key_of(field.table, row) for row in ordered)
                yield _happening(f"pass on {column} by {fk.name}", Update(field.table, keys, values))


def _mended(field: Field, column: str, values: Sequence[Value], rows: Sequence[Row]) -> Iterator[Happening]:
    """One column's new value, with what CHECKs ask of others then."""
    for number, value in enumerate(_spread(values, FEW)):
        for row in _some(rows, number, MENDED):
            found = _near(field, {**row, column: value}, column)
            changes = {c: v for c, v in found.items() if c in field.pools and v != row[c]}
            if len(changes) > 1:
                yield _update(f"update {column} and more", field.table, [row], changes)
                for alike in [a for fk in field.table.foreign_keys for a in _by(rows, fk.columns) if row in a]:
                    yield _update(f"update {column} and more of some", field.table, alike, changes)


def _near(field: Field, row: Row, column: str) -> Row:
    """A row that passes the CHECKs with this column's value; the row itself where there is none."""
    linked = {c for fk in field.table.foreign_keys for c in fk.columns}
    return field.shape.find(row, fixed=frozenset({column} | linked | field.shape.key_columns)) or row


def _checked(field: Field, column: str) -> bool:
    """Whether a CHECK of the table speaks of the column."""
    return column in mentioned(*(c.expression for c in field.shape.clauses.values()))


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
        apart_from = _left_behind(field, fk)
        for row in rows[:6]:
            others = [p for p in parents if any(p[c] != row[c] for c in fk.columns)]
            for other in others[:1]:
                yield _update(f"move by {fk.name}", table, [row], other)
                if apart_from:
                    yield _update(f"move by {fk.name} alone", table, [row], {**other, **apart_from})
            for other in others[1:]:
                yield _update(f"move by {fk.name} elsewhere", table, [row], {**apart_from, **other})
        for parent in parents[:2]:
            yield _happening(f"move all by {fk.name}", Update(table, None, (parent,)))
        yield from _exchanged(stage, field, fk, rows)
        nullable = [c for c in fk.columns if not field.column(c).not_null]
        if nullable:
            yield _update(f"orphan by {fk.name}", table, [rows[0]], dict.fromkeys(nullable))


def _exchanged(stage: Stage, field: Field, fk: ForeignKey, rows: Sequence[Row]) -> Iterator[Happening]:
    """Two rows take each other's parent; one takes another's, and changes otherwise as well."""
    table = field.table
    apart = [r for r in rows if any(r[c] != rows[0][c] for c in fk.columns)]
    if apart:
        pair = (rows[0], apart[0])
        swapped = tuple({c: r[c] for c in fk.columns} for r in reversed(pair))
        keys = tuple(key_of(table, r) for r in pair)
        yield _happening(f"exchange by {fk.name}", Update(table, keys, swapped))
        linked = {c for other in table.foreign_keys for c in other.columns}
        matter = [c for c in (*stage.relevant(table.name), *field.pools) if c not in linked]
        for column in list(dict.fromkeys(matter))[:5]:
            for row in pair:
                for value in _spread(_values(field, column, rows), 2):
                    changes = {**swapped[pair.index(row)], column: value}
                    yield _update(f"move by {fk.name}, {column}", table, [row], changes)


def _left_behind(field: Field, fk: ForeignKey) -> dict[str, Value]:
    """What other keys refer to by the same columns, and cannot take along."""
    others = [o for o in field.table.foreign_keys if o != fk and set(o.columns) & set(fk.columns)]
    columns = [c for other in others for c in other.columns if c not in fk.columns and c in field.pools]
    return {c: None for c in columns if not field.column(c).not_null}


def _parents(stage: Stage, fk: ForeignKey, most: int = 4) -> list[dict[str, Value]]:
    rows = stage.rows.get(fk.references, ())
    return [{c: row[k] for c, k in zip(fk.columns, fk.keys, strict=True)} for row in rows[:most]]


def _deletes(table: Table, rows: Sequence[Row], most: int) -> Iterator[Happening]:
    for row in rows[:most]:
        yield _happening("delete one", Delete(table, (key_of(table, row),)))
    for start in range(TWOS):
        yield _happening("delete two", Delete(table, tuple(key_of(table, r) for r in _some(rows, start, 2))))
    for fk in table.foreign_keys:
        for alike in _by(rows, fk.columns)[:4]:
            yield _happening(f"delete by {fk.name}", Delete(table, tuple(key_of(table, r) for r in alike)))
    yield _happening("delete all", Delete(table, None))
    none = f"DELETE FROM {identifier(table.name).as_string()} WHERE false"
    yield Happening(f"delete none {table.name}", (Statement(none),))


def _by(rows: Sequence[Row], columns: Sequence[str]) -> list[list[Row]]:
    """The rows with the same values in these columns together."""
    found: dict[tuple[Value, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[c] for c in columns), []).append(row)
    return list(found.values())


def _families(stage: Stage, writer: Name) -> Iterator[Happening]:
    """A row and one that refers to it, written by one statement, in either order."""
    parent, child = stage.field(stage.table.name), stage.field(writer)
    matter = [c for c in stage.relevant(parent.table.name) if c not in parent.shape.key_columns]
    for fk in child.table.foreign_keys:
        if fk.references != parent.table.name or not set(fk.columns) <= set(child.pools):
            continue
        pairs: list[tuple[Row, Insert | Update]] = [
            (found, Insert(parent.table, ({p: found[p] for p in parent.pools},)))
            for row in stage.new[parent.table.name][:1]
            for c in matter[:4]
            for v in _spread(parent.pools[c], FEW if len(parent.pools[c]) <= FEW else 2)
            for found in [_near(parent, {**row, c: v}, c)]
        ]
        pairs += [
            (row, Update(parent.table, (key_of(parent.table, row),), ({c: v},)))
            for row in stage.rows[parent.table.name][:2]
            for c in matter[:4]
            for v in _spread(_values(parent, c, stage.rows[parent.table.name]), 2)
        ]
        new = stage.new[writer]
        for number, (row, change) in enumerate(pairs):
            tied = dict(zip(fk.columns, (row[k] for k in fk.keys), strict=True))
            for given in [new[(number + n * 2) % len(new)] for n in range(min(len(new), TOGETHER))]:
                born = Insert(child.table, ({**{c: given[c] for c in child.pools}, **tied},))
                for both in (Both(change, born), Both(born, change)):
                    yield Happening(f"together {type(change).__name__} {number % 2}", (statement(both),))
        yield from _renamed(stage, parent, child, fk, matter)


def _renamed(stage: Stage, parent: Field, child: Field, fk: ForeignKey, matter: Sequence[str]) -> Iterator[Happening]:
    """A row that changes its key and something else, and those that refer to it follow, by one statement."""
    rows = stage.rows[parent.table.name]
    for number, row in enumerate(rows[:4]):
        key = {k: parent.fresh(k, 700 + number) for k in fk.keys if k in parent.pools}
        if len(key) < len(fk.keys) or None in key.values():
            continue
        children = [
            r
            for r in stage.rows[child.table.name]
            if all(r[c] == row[k] for c, k in zip(fk.columns, fk.keys, strict=True))
        ]
        tied = dict(zip(fk.columns, key.values(), strict=True))
        follow = Update(child.table, tuple(key_of(child.table, r) for r in children), (tied,))
        for column in [c for c in matter if c not in key][:4]:
            for value in _spread(_values(parent, column, rows), FEW):
                first = Update(parent.table, (key_of(parent.table, row),), ({**key, column: value},))
                if children:
                    yield Happening(f"renamed {column}", (statement(Both(first, follow)),))


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
