"""Views: their columns, and that they show what their frozen definition gives, for rows on either side of what it asks.

A materialised view shows that after REFRESH, and until then what it showed before. A view WITH CHECK OPTION refuses
rows that it would not show: 44000.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from psycopg import sql

from pgcontract.contract import view_id
from pgcontract.contract.clauses import one_line
from pgcontract.contract.clauses import view as view_clause
from pgcontract.model import Catalog, Index, Name, View
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.permission.roles import fresh, fresh_name
from pgcontract.promises.permission.targets import NamespaceTarget, granting, quoted
from pgcontract.promises.reaching import Population, Reading, named, population, reading
from pgcontract.promises.updatable import checked
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, quote
from pgcontract.rows.worlds import Worlds

CHECK_OPTION_VIOLATION = "44000"
INSUFFICIENT_PRIVILEGE = "42501"
DIVISION_BY_ZERO = "22012"
CANNOT_REFRESH = "55000"
MOST_DRAWN = 12
TRUE = ("true", "on", "yes", "1")


@dataclass(frozen=True, slots=True)
class Shown:
    """A view or materialised view."""

    view: View
    catalog: Catalog
    """The tables and views of the contract that its definition may name."""

    @property
    def kind(self) -> str:
        """Either."""
        return "materialised view" if self.view.materialized else "view"

    @property
    def id(self) -> str:
        """``active_users``."""
        return view_id(self.view.name)

    @property
    def clause(self) -> str:
        """``VIEW active_users AS SELECT …``."""
        return one_line(view_clause(self.view))

    @property
    def table(self) -> Name:
        """The view's own name."""
        return self.view.name

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Something is refused where a check option says so, or where the view asks for its reader's own rights."""
        refuses = self.view.check_option is not None or self._invoker
        return (Direction.ACCEPTS, Direction.REJECTS) if refuses else (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """Columns and options as promised; the definition's own rows, over none, all and drawn ones of its tables."""
        always = [self._columns(), self._options()]
        live = next((v for v in worlds.catalog.views if v.name == self.view.name), None)
        if live is None or live.materialized != self.view.materialized:
            return Cases(tuple(always))
        made, reason = self._population(worlds, live)
        if reason is not None:
            plain = worlds.oracle.evaluate([(f"({change.act[0].text})", "boolean") for change in always])
            sound = all(answer.value == "true" for answer in plain)
            return Cases(tuple(always), missing=reason if sound else None)
        always += [self._agrees(()), self._agrees(made.rows), *(self._agrees((row,)) for row in made.rows[:1])]
        if self.view.materialized:
            always.append(self._stands_still(made.rows))
            if any(serves_concurrently(index) for index in self.view.indexes):
                always.append(self._agrees(made.rows, concurrently=True))
        if self.view.check_option is not None:
            always += checked(self.view, self.catalog, worlds).accepted
        drawn = None
        if made.rows:
            numbers = st.lists(st.integers(0, len(made.rows) - 1), unique=True, max_size=MOST_DRAWN).map(sorted)
            drawn = numbers.map(lambda chosen: self._agrees(tuple(made.rows[n] for n in chosen)))
        return Cases(tuple(always), drawn, prepared=made.before)

    def rejects(self, worlds: Worlds) -> Cases:
        """Rows that it would not show; readers who may not read its tables."""
        if all(v.name != self.view.name for v in worlds.catalog.views):
            return Cases((self._columns(),))
        violations: list[Change] = []
        if self._invoker:
            violations.append(self._as_invoker())
        if self.view.check_option is not None:
            found = checked(self.view, self.catalog, worlds)
            violations += found.refused
            if found.missing is not None:
                return Cases(missing=found.missing)
        return Cases(tuple(violations))

    def owns(self, refusal: Refusal) -> bool:
        """44000 is raised by views alone; 55000 by REFRESH CONCURRENTLY, where no unique index serves it."""
        return refusal.sqlstate == (CANNOT_REFRESH if self.view.materialized else CHECK_OPTION_VIOLATION)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live catalog has the view, with its check option."""
        return any(v.name == self.view.name and v.check_option == self.view.check_option for v in worlds.catalog.views)

    @property
    def _invoker(self) -> bool:
        asked = any(option == f"security_invoker={word}" for option in self.view.options for word in TRUE)
        return asked and bool(self.catalog.tables or self.catalog.views)

    @property
    def _name(self) -> str:
        return quoted(self.view.name)

    @property
    def _oid(self) -> str:
        return f"{quote(self._name)}::regclass"

    def _columns(self) -> Change:
        columns = [[c.name, c.type, c.collation] for c in self.view.columns]
        collation = (
            "CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(n.nspname) || '.' || quote_ident(c.collname)"
            " END"
        )
        one = f"jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), {collation})"
        text = (
            f"SELECT coalesce(jsonb_agg({one} ORDER BY a.attnum), '[]') = {quote(json.dumps(columns))}::jsonb"
            " AS same_columns FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid"
            " LEFT JOIN pg_collation AS c ON c.oid = a.attcollation"
            " LEFT JOIN pg_namespace AS n ON n.oid = c.collnamespace"
            f" WHERE a.attrelid = {self._oid} AND a.attnum > 0 AND NOT a.attisdropped"
        )
        return Change((Statement(text),), wanted="the promised columns, in their order")

    def _options(self) -> Change:
        options = list(self.view.options)
        if self.view.check_option is not None:
            options.append(f"check_option={self.view.check_option.lower()}")
        text = (
            'SELECT coalesce((SELECT jsonb_agg(o.option ORDER BY o.option COLLATE "C")'
            " FROM unnest(c.reloptions) AS o (option)), '[]')"
            f" = {quote(json.dumps(sorted(options)))}::jsonb AND c.relkind = {quote(self._kind)} AS same_options"
            f" FROM pg_class AS c WHERE c.oid = {self._oid}"
        )
        return Change((Statement(text),), wanted=f"a {self.kind} with the promised options")

    @property
    def _kind(self) -> str:
        return "m" if self.view.materialized else "v"

    def _population(self, worlds: Worlds, live: View) -> tuple[Population, str | None]:
        """Rows for its tables, and why they are no evidence, where they are none."""
        readings: list[Reading] = [reading(self.view.definition, self.catalog)]
        if live.definition != self.view.definition:
            readings.append(reading(live.definition, worlds.catalog))
        made = population(readings, worlds)
        empty = Statement(f"SELECT 1 / (SELECT count(*) FROM (SELECT FROM ({self.view.definition}) AS d LIMIT 1) AS e)")
        refusal = worlds.oracle.refusal([*made.before, *made.rows, empty])
        if refusal is not None and refusal.sqlstate == DIVISION_BY_ZERO:
            return made, "; ".join(["no rows were found that reach the view", *made.missing])
        return made, None

    def _agrees(self, rows: tuple[Statement, ...], *, concurrently: bool = False) -> Change:
        setup = list(rows)
        act: list[Statement] = []
        if self.view.materialized:
            word = " CONCURRENTLY" if concurrently else ""
            if concurrently:
                setup = [self._refresh(), *setup]
            act.append(Statement(f"REFRESH MATERIALIZED VIEW{word} {self._name}"))
        act.append(self._same(self._name, f"({self.view.definition})"))
        guard = self._same(f"({self.view.definition})", f"({self.view.definition})")
        after = " after REFRESH" + (" CONCURRENTLY" if concurrently else "") if self.view.materialized else ""
        return Change(tuple(act), tuple(setup), guard=lambda: guard, wanted=f"what its definition gives{after}")

    def _stands_still(self, rows: tuple[Statement, ...]) -> Change:
        """Rows that are there before REFRESH are shown, and remain so when they are gone."""
        schema = sql.Identifier(fresh_name("workshop")).as_string()
        before = Statement(f"CREATE TABLE {schema}.before AS SELECT * FROM {self._name}")
        return Change(
            (self._same(self._name, f"{schema}.before"),),
            (self._refresh(), Statement(f"CREATE SCHEMA {schema}"), before, *rows),
            wanted="what it showed before, up to REFRESH",
        )

    def _refresh(self) -> Statement:
        return Statement(f"REFRESH MATERIALIZED VIEW {self._name}")

    def _same(self, one: str, other: str) -> Statement:
        """Whether two relations hold the same rows, as often, as text: not every type has an equality."""
        names = [f"c{n}" for n in range(len(self.view.columns))]
        alias = f"({', '.join(names)})" if names else ""
        shown = ", ".join(f"{n}::text" for n in names) or "count(*)"
        first, second = (f"SELECT {shown} FROM {source} AS given {alias}" for source in (one, other))
        return Statement(
            f"SELECT NOT EXISTS (({first}) EXCEPT ALL ({second})) AND NOT EXISTS (({second}) EXCEPT ALL ({first}))"
            " AS same_rows"
        )

    def _as_invoker(self) -> Violation:
        """Somebody who may read the view, and nothing that it names."""
        reader = fresh("reader")
        own = sql.Identifier(reader.name).as_string()
        setup = (
            *(Statement(f"REVOKE ALL ON {quoted(name)} FROM PUBLIC") for name in named(self.view.definition)),
            *reader.creation,
            granting(NamespaceTarget(self.view.name.namespace), "USAGE", own),
            Statement(f"GRANT SELECT ON {self._name} TO {own}"),
            reader.acts,
        )
        act = Statement(f"SELECT FROM {self._name} LIMIT 1")
        return Violation((act,), setup, sqlstates=frozenset([INSUFFICIENT_PRIVILEGE]))


def serves_concurrently(index: Index) -> bool:
    """What REFRESH … CONCURRENTLY asks of one unique index at least."""
    return index.unique and index.valid and index.predicate is None and all(k.column is not None for k in index.keys)


def _relevant(view: View, catalog: Catalog) -> Catalog:
    """What a definition may name: promises travel to other processes."""
    text = view.definition
    views: dict[Name, View] = {}
    grown = True
    while grown:
        more = [v for v in catalog.views if v.name not in views and _mentions(text, v.name)]
        views |= {v.name: v for v in more}
        text += "".join(v.definition for v in more)
        grown = bool(more)
    tables = tuple(t for t in catalog.tables if _mentions(text, t.name))
    return Catalog(tables=tables, views=tuple(views.values()))


def _mentions(text: str, name: Name) -> bool:
    return name.name.replace('"', '""') in text


def promises(catalog: Catalog) -> Iterator[Shown]:
    """Every view and materialised view."""
    for view in catalog.views:
        yield Shown(view, _relevant(view, catalog))
