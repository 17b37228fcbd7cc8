"""One table's INSERT: every column as an expression that the database was asked about, parents joined in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import psycopg
from psycopg import sql

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Column
from pgcontract.populate.amounts import PopulateError, Step, separate_keys
from pgcontract.populate.candidates import (
    INTEGERS,
    TEXTS,
    TIMES,
    base_type,
    chosen,
    distinct,
    kind,
    moment,
    realistic,
    worked_in,
)
from pgcontract.populate.dice import NUMBER, POSITION, Dice
from pgcontract.populate.judge import Judge
from pgcontract.populate.known import MANY, Group, Known
from pgcontract.populate.parents import Parents, all_columns
from pgcontract.rows.shape import Clause
from pgcontract.rows.statements import OVERRIDING, identifier, quote

FEW: Final = 16
"""A column that has so few values has them because they are words of the schema."""
FILLED: Final = 0.8
FILLED_TIMES: Final = 0.1
"""Optional moments are mostly those of what has not happened: deleted, revoked, read."""
FREE, FILLED_UP, WATCHED, CONSTANT = range(4)
"""Cautions. Filled up: what triggers speak of is not left to chance to be NULL; watched: it is as in a row that was
tried; constant: and so is everything else."""
_PLACE: Final = "the row's place"


@dataclass(frozen=True)
class Recipe:
    """An INSERT of the rows from one place to another. ``conflicts``: some may be left out, since a key has them."""

    step: Step
    text: str
    conflicts: bool
    most: int | None
    numbered: tuple[str, ...] = ()
    picks: tuple[str, str] = ("", "")

    def insert(self, first: int, last: int, *, even: bool = False, missing: int | None = None) -> str:
        """The statement for the places ``first`` to ``last``; ``even``: parents are picked without skew.

        ``missing``: no more rows than that, and only such as are not there yet.
        """
        text = self.text.replace("<picks>", self.picks[even])
        text = text.replace("<new>", "" if missing is None else self._new())
        text = text.replace("<limit>", "" if missing is None else f" LIMIT {missing}")
        return text.replace("<first>", str(first)).replace("<last>", str(last))

    def _new(self) -> str:
        table = self.step.table
        made = _q(table.name.name)
        found = ""
        for key in table.keys:
            same = " AND ".join(f"there.{_q(c)} = {made}.{_q(c)}" for c in key.columns)
            found += f" AND NOT EXISTS (SELECT FROM {identifier(table.name).as_string()} AS there WHERE {same})"
        return found


@dataclass
class Kitchen:
    """Writes recipes, and asks the database which expressions pass. ``overrides`` are by column of this table."""

    connection: psycopg.Connection[Any]
    catalog: Catalog
    known: Known
    step: Step
    parents: Parents
    seed: int
    start: int
    caution: int = FREE
    watched: frozenset[str] = frozenset()
    overrides: Mapping[str, str] = field(default_factory=dict)
    tables: int = 0
    most: int | None = None

    @cached_property
    def judge(self) -> Judge:
        """Who is asked about expressions."""
        return Judge(self.connection, self.known.table.name, self.step.rows, self.start)

    def recipe(self) -> Recipe:
        """Choose an expression for each column.

        Raises PopulateError where a column has none that passes, UsageError where an override does not.
        """
        table = self.known.table
        bound = set(all_columns(self.step.foreign_keys))
        columns: dict[str, str] = dict(self.parents.columns)
        for name, expression in self.overrides.items():
            columns[name] = self._overridden(name, expression)
        columns |= self._own_parents(columns)
        fresh, conflicts = self._keys(bound)
        joins: list[str] = []
        for number, group in enumerate(self.known.groups):
            if not set(group.columns) & set(columns) and not set(group.columns) & set(fresh):
                made, join = self._group(group, number)
                columns |= made
                joins += join
        for column in table.columns:
            if column.generated is None and column.name not in columns:
                made_of = fresh.get(column.name) or self._plain(column)
                if made_of is not None:
                    columns[column.name] = made_of
        text = self._text(columns, joins, conflicts=conflicts)
        numbered = tuple(c for c in fresh if kind(base_type(self.known.column(c).type, self.catalog)) in INTEGERS)
        parents = self.parents
        skewed, even = ("".join(f", {p} AS {name}" for name, p in by.items()) for by in (parents.picks, parents.even))
        limits = [most for most in (parents.most, self.most) if most is not None]
        return Recipe(self.step, text, conflicts, min(limits, default=None), numbered, (skewed, even))

    def _dice(self, column: str) -> Dice:
        return Dice(self.seed, f"{self.known.table.name}.{column}")

    def _text(self, columns: Mapping[str, str], joins: Sequence[str], *, conflicts: bool) -> str:
        table = self.known.table
        types = {c.name: c.type for c in table.columns}
        names = [c for c in types if c in columns]
        always = any(c.identity == "ALWAYS" and c.name in columns for c in table.columns)
        made = [f"({columns[c]})::{types[c]} AS {_q(c)}" for c in names]
        closed = [c for c in types if c not in columns and not _generated(table.column(c))]
        filters = [c for c in self.known.filters if not c.columns & set(closed)]
        numbers = (
            f"SELECT {POSITION}, {NUMBER}<picks> FROM (SELECT {POSITION}, {POSITION} + {self.start} AS {NUMBER}"
            f" FROM generate_series(<first>::bigint, <last>::bigint) AS numbers ({POSITION})) AS numbered"
        )
        inner = f"SELECT {', '.join([f'{POSITION} AS {_q(_PLACE)}', *made])} FROM ({numbers}) AS given"
        inner = " ".join([inner, *self.parents.joins, *joins])
        listed = ", ".join(_q(c) for c in names)
        text = f"SELECT {listed} FROM ({inner}) AS {_q(table.name.name)}"
        tests = [f"({c.expression}) IS NOT FALSE" for c in filters]
        if tests or conflicts:
            text += " WHERE " + " AND ".join(["true", *tests]) + "<new>"
        if conflicts:
            # which of two rows with one key is kept must not hang on how the server joins
            text += f" ORDER BY {_q(_PLACE)} ASC<limit>"
        head = f"INSERT INTO {identifier(table.name).as_string()} ({listed}) {OVERRIDING if always else ''}"
        return head + text + (" ON CONFLICT DO NOTHING" if conflicts else "")

    def _own_parents(self, columns: Mapping[str, str]) -> dict[str, str]:
        """Rows that must refer to their own table refer to themselves; those that may, do not."""
        found: dict[str, str] = {}
        for fk in self.known.table.foreign_keys:
            if fk.references != self.known.table.name:
                continue
            for column in fk.columns:
                where = self.known.table.column(column)
                if where is None or where.generated is not None or column in columns:
                    continue
                if not where.not_null and column not in found:
                    found[column] = "NULL"
        used = {fk.name for fk in self.step.foreign_keys}
        for fk in self.known.table.foreign_keys:
            if fk.name in used or fk.references == self.known.table.name:
                continue
            # an optional parent that rows are not to have
            free = [c for c in fk.columns if c not in columns and (k := self.known.table.column(c)) and not k.not_null]
            found |= dict.fromkeys((c for c in free if _given(self.known.table.column(c))), "NULL")
        return found

    def _keys(self, bound: set[str]) -> tuple[dict[str, str], bool]:
        """A column of each key whose values are all different; whether some key has none."""
        table = self.known.table
        fresh: dict[str, str] = {}
        conflicts = False
        for key in sorted(separate_keys(table), key=lambda k: (len(k), sorted(k))):
            if key & set(fresh) or any(single <= key for single in self.parents.single):
                continue
            for name in sorted(key - bound - set(self.overrides), key=self._preferred):
                expression = self._distinct(self.known.column(name))
                if expression is not None:
                    fresh[name] = expression
                    break
            else:
                conflicts = True
        for fk in table.foreign_keys:
            if fk.references == table.name:
                fresh |= {
                    c: fresh[k]
                    for c, k in zip(fk.columns, fk.keys, strict=True)
                    if k in fresh and (found := table.column(c)) is not None and found.not_null and c not in fresh
                }
        return fresh, conflicts

    def _preferred(self, name: str) -> tuple[bool, bool, str]:
        """Which column of a key is to be different in each row: a range, where there is one, and what is not NULL."""
        column = self.known.column(name)
        return not kind(base_type(column.type, self.catalog)).endswith("range"), not column.not_null, name

    def _distinct(self, column: Column) -> str | None:
        type_text = base_type(column.type, self.catalog)
        first = self._reached(column) if kind(type_text) in INTEGERS or kind(type_text) == "numeric" else 0
        clauses = self._single(column.name)
        for expression in distinct(self._dice(column.name), type_text, first):
            if self.judge.passes(column, expression, clauses, apart=True):
                return expression
        values = [v for v in self.known.fresh.get(column.name, ()) if isinstance(v, str)]
        if len(values) <= MANY:
            # few values in all: two rows may well have the same
            return None
        for value in (*values[-3:], *(v for v in self.known.values.get(column.name, ()) if isinstance(v, str))):
            for expression in worked_in(value, 2 * self.step.rows + self.start):
                if self.judge.passes(column, expression, clauses, apart=True):
                    return expression
        if self.start or self.step.rows > len(values):
            return None
        self.most = min(len(values), self.most or len(values))
        places = ", ".join(quote(v) for v in values)
        return f"COALESCE((ARRAY[{places}]::text[])[{POSITION}], {quote(values[0])})"

    def _reached(self, column: Column) -> int:
        """The highest number that a key has come to, or its sequence."""
        name = _q(column.name)
        row = self.connection.execute(
            f"SELECT COALESCE(max({name}), 0)::bigint FROM {identifier(self.known.table.name).as_string()}"
        ).fetchone()
        assert row is not None
        reached = max(int(row[0]), 0)
        for sequence in self.catalog.sequences:
            if sequence.owned_by == (self.known.table.name, column.name):
                last = "CASE WHEN is_called THEN last_value ELSE last_value - 1 END"
                row = self.connection.execute(f"SELECT {last} FROM {identifier(sequence.name).as_string()}").fetchone()
                assert row is not None
                reached = max(reached, int(row[0]))
        return reached

    def _group(self, group: Group, number: int) -> tuple[dict[str, str], list[str]]:
        """Columns that belong together come from one template; moments are moved to where the row's own is."""
        rows = group.rows
        quiet = self.caution == CONSTANT or (self.caution >= WATCHED and set(group.columns) & self.watched)
        if quiet or not rows:
            rows = ({c: self.known.base[c] for c in group.columns},)
        self.tables += 1
        name = _q(f"pgcontract t{number} {self.known.table.name.name}"[:60])
        columns = [self.known.column(c) for c in group.columns]
        self.connection.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
        listed = ", ".join(f"v{n} {c.type}" for n, c in enumerate(columns))
        self.connection.execute(f"CREATE TEMP TABLE {name} (i bigint PRIMARY KEY, {listed}) ON COMMIT DROP")
        for place, row in enumerate(rows, 1):
            values = ", ".join(quote(row[c]) for c in group.columns)
            self.connection.execute(f"INSERT INTO {name} VALUES ({place}, {values})")
        self.connection.execute(f"ANALYZE {name}")
        dice = self._dice("+".join(group.columns))
        join = f"JOIN {name} ON {name}.i = 1 + {dice.below(len(rows))}"
        made = {c.name: f"{name}.v{n}" for n, c in enumerate(columns)}
        moments = [c for c in columns if kind(base_type(c.type, self.catalog)) in TIMES]
        earliest = "LEAST(" + ", ".join(f"{made[c.name]}::timestamptz" for c in moments) + ")"
        single = [*group.clauses, *(clause for c in group.columns for clause in self._single(c))]
        better = {c.name: f"({moment(self.step.rows)} + ({made[c.name]}::timestamptz - {earliest}))" for c in moments}
        if better and self._agree(columns, made | better, [join], single):
            made |= better
        for column in columns:
            if kind(base_type(column.type, self.catalog)) in TEXTS and len(self.known.values[column.name]) > FEW:
                words = self._some(column)
                better = {column.name: f"CASE WHEN {made[column.name]} IS NOT NULL THEN ({words})::{column.type} END"}
                if words is not None and self._agree(columns, made | better, [join], single):
                    made |= better
        return made, [join]

    def _agree(
        self, columns: Sequence[Column], made: Mapping[str, str], joins: list[str], clauses: Sequence[Clause]
    ) -> bool:
        listed = ", ".join(f"({made[c.name]})::{c.type} AS {_q(c.name)}" for c in columns)
        return self.judge.holds(f"SELECT {listed} FROM {self.judge.sample()} {' '.join(joins)}", clauses)

    def _plain(self, column: Column) -> str | None:
        """An expression for a column that no parent and no key gives; None to leave it out."""
        base = self.known.base.get(column.name)
        is_time = kind(base_type(column.type, self.catalog)) in TIMES
        watched = column.name in self.watched
        if self.caution == CONSTANT or (self.caution == WATCHED and watched):
            # a moment of the run's own would be another one in the next run
            tries = [moment(self.step.rows)] if is_time and base is not None else []
            passing = (e for e in tries if self.judge.passes(column, e, self._single(column.name)))
            return next(passing, None if base is None else quote(base))
        expression = self._some(column)
        if expression is None or column.not_null:
            return expression or (None if base is None else quote(base))
        if column.default is not None and base is not None:
            return expression
        if self.caution == FILLED_UP and watched:
            return None if is_time else expression
        chance = FILLED_TIMES if is_time else FILLED
        return f"CASE WHEN {self._dice(column.name).often(chance, 8)} THEN ({expression})::{column.type} END"

    def _some(self, column: Column) -> str | None:
        values = self.known.values.get(column.name, ())
        type_text = base_type(column.type, self.catalog)
        clauses = self._single(column.name)
        few = kind(type_text) != "boolean" and 1 < len(values) < FEW and any("'" in c.expression for c in clauses)
        if column.default is not None and kind(type_text) in ("jsonb", "json"):
            return None
        tries = (
            chosen(self._dice(column.name), values)
            if few
            else realistic(self._dice(column.name), column, type_text, self.step.rows, values)
        )
        return next((e for e in tries if self.judge.passes(column, e, clauses)), None)

    def _overridden(self, name: str, expression: str) -> str:
        column = self.known.column(name)
        problem = self.judge.problem(column, expression, self._single(name))
        if problem is not None:
            raise UsageError(
                "An expression of [populate] gives values that the column cannot hold",
                where=f"{self.known.table.name}.{name}",
                seen=problem,
                remedy=f"write an SQL expression in {NUMBER} that passes the column's type and CHECKs",
            )
        return expression

    def _single(self, name: str) -> tuple[Clause, ...]:
        return self.known.single.get(name, ())


def _q(name: str) -> str:
    return sql.Identifier(name).as_string()


def _generated(column: Column | None) -> bool:
    return column is not None and column.generated is not None


def _given(column: Column | None) -> bool:
    return column is not None and column.generated is None


def unmade(step: Step, why: str) -> PopulateError:
    """The error for a table of which no rows, or not enough, can be made."""
    return PopulateError(
        "Rows cannot be made for a table",
        where=str(step.table.name),
        seen=why,
        remedy="give expressions in [populate] of system.toml, ask for other numbers, or ask for 0 rows of it",
    )
