"""Views: their columns, and that they show what their frozen definition gives, for rows on either side of what it asks.

A materialised view shows that after REFRESH, and until then what it showed before. A view WITH CHECK OPTION refuses
rows that it would not show: 44000.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from psycopg import sql

from pgcontract.contract import view_id
from pgcontract.contract.clauses import one_line
from pgcontract.contract.clauses import view as view_clause
from pgcontract.model import Catalog, Index, Name, View
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.facts import QUALIFIED
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.views import Judged, is_on, view_mutants
from pgcontract.promises.permission.roles import fresh, fresh_name
from pgcontract.promises.permission.targets import NamespaceTarget, granting, quoted
from pgcontract.promises.reaching import Population, Reading, named, population, reading
from pgcontract.promises.updatable import checked, levels
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, quote
from pgcontract.rows.worlds import Worlds

CHECK_OPTION_VIOLATION = "44000"
INSUFFICIENT_PRIVILEGE = "42501"
DIVISION_BY_ZERO = "22012"
CANNOT_REFRESH = "55000"
DATA_EXCEPTION = "22"
MOST_DRAWN = 12
MOST_HIDDEN = 4
EVERY_WRITE = 4 + 8 + 16
"""UPDATE, INSERT and DELETE, as pg_relation_is_updatable counts them."""


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
        always = [self._columns(), self._options(), self._named()]
        live = next((v for v in worlds.catalog.views if v.name == self.view.name), None)
        if live is None or live.materialized != self.view.materialized:
            return Cases(tuple(always))
        made, reason = self._population(worlds, live)
        if reason is not None:
            asked = (change.act[0].text for change in always)
            plain = worlds.oracle.evaluate([(f"({text})", "boolean") for text in asked])
            sound = all(answer.value == "true" for answer in plain)
            return Cases(tuple(always), missing=reason if sound else None)
        always += [self._agrees(()), self._agrees(made.rows), *(self._agrees((row,)) for row in made.rows[:1])]
        if self.view.materialized:
            always.append(self._stands_still(made.rows))
            if any(serves_concurrently(index) for index in self.view.indexes):
                always.append(self._agrees(made.rows, concurrently=True))
        else:
            always += self._as_owner(worlds)
            always += self._behind_its_barrier(made, worlds)
        if self.view.check_option is not None or self._updatable(worlds):
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
        """44000 is raised by views alone; 55000 by REFRESH CONCURRENTLY, where no unique index serves it.

        Data exceptions are the live definition's: with the same rows the frozen one was computed before.
        """
        own = CANNOT_REFRESH if self.view.materialized else CHECK_OPTION_VIOLATION
        return refusal.sqlstate == own or refusal.sqlstate.startswith(DATA_EXCEPTION)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No view, another definition or option, a column of another name."""
        found = levels(self.view, self.catalog) if not self.view.materialized else None
        hides = any(level.condition for level in found[1]) if found else None
        others = (levels(replace(self.view, check_option=option), self.catalog) for option in ("LOCAL", "CASCADED"))
        told = [[level.checked for level in one[1] if level.condition] for one in others if one]
        differ = not told or told[0] != told[1]
        return view_mutants(self.view, catalog, Judged(hides, self._reads, differ))

    def present(self, worlds: Worlds) -> bool:
        """Whether the live catalog has the view, with its check option."""
        return any(v.name == self.view.name and v.check_option == self.view.check_option for v in worlds.catalog.views)

    @property
    def _reads(self) -> bool:
        return bool(self.catalog.tables or self.catalog.views)

    @property
    def _invoker(self) -> bool:
        return is_on(self.view, "security_invoker") and self._reads

    def _updatable(self, worlds: Worlds) -> bool:
        """Whether PostgreSQL itself writes through it: then rows pass that it does not show."""
        if self.view.materialized or self.view.triggers or self.view.rules:
            return False
        question = f"pg_relation_is_updatable({self._oid}, false) & {EVERY_WRITE} = {EVERY_WRITE}"
        (answer,) = worlds.oracle.evaluate([(question, "boolean")])
        return answer.value == "true" and levels(self.view, self.catalog) is not None

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
        return Change((Statement(text),), (QUALIFIED,), wanted="the promised columns, in their order", recorded=True)

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
        return Change((Statement(text),), wanted=f"a {self.kind} with the promised options", recorded=True)

    def _named(self) -> Change:
        """Each column is read by its name, and is of its type."""
        names = [(sql.Identifier(c.name).as_string(), c.type) for c in self.view.columns]
        told = " AND ".join(f"pg_typeof(v.{name}) = pg_typeof(NULL::{type_})" for name, type_ in names)
        text = f"SELECT {told or 'true'} AS same_types FROM (SELECT) AS one LEFT JOIN {self._name} AS v ON false"
        return Change((Statement(text),), wanted="the promised columns, by their names")

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
        setup = [*rows, self._computed()]
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

    def _computed(self) -> Statement:
        """The frozen definition, with all that it computes: if that fails, the live one may fail, too."""
        names = [f"c{n}" for n in range(len(self.view.columns))]
        alias = f"({', '.join(names)})" if names else ""
        shown = ", ".join(f"count({n}::text)" for n in names) or "count(*)"
        return Statement(f"SELECT {shown} FROM ({self.view.definition}) AS given {alias}")

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

    def _as_owner(self, worlds: Worlds) -> Iterator[Change]:
        """Somebody who may read the view, and nothing that it names, reads it by its owner's rights."""
        read = [self.view, *self.catalog.views]
        if self._reads and not any(is_on(view, "security_invoker") for view in read):
            # the functions in it ask for EXECUTE all the same
            schemas = dict.fromkeys(f.name.namespace for f in worlds.catalog.functions)
            listed = ", ".join(sql.Identifier(schema).as_string() for schema in schemas)
            granted = f"GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {listed} TO "
            seen = self._as_invoker()
            own = seen.setup[-1].text.rpartition(" ")[2]
            more = (Statement(granted + own),) if schemas else ()
            yield Change(seen.act, (*seen.setup[:-1], *more, seen.setup[-1]), shows=lambda _rows: True)

    def _behind_its_barrier(self, made: Population, worlds: Worlds) -> Iterator[Change]:
        """A function that costs nothing, and so comes first where it may, is given none of the rows that are hidden."""
        if not is_on(self.view, "security_barrier"):
            return
        shown = Statement(f"SELECT FROM ({self.view.definition}) AS given LIMIT 1")
        found = worlds.oracle.tried(made.before, [(row, shown) for row in made.rows])
        hidden = [row for row, seen in zip(made.rows, found, strict=True) if not isinstance(seen, Refusal) and not seen]
        schema = sql.Identifier(fresh_name("workshop")).as_string()
        body = "BEGIN RAISE EXCEPTION 'a hidden row is seen' USING ERRCODE = 'data_exception'; END"
        words = f"RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS {quote(body)}"
        looks = (
            Statement(f"CREATE SCHEMA {schema}"),
            Statement(f"CREATE FUNCTION {schema}.looks(anyelement) {words}"),
        )
        for row in hidden[:MOST_HIDDEN]:
            for column in self.view.columns:
                name = sql.Identifier(column.name).as_string()
                act = Statement(f"SELECT FROM {self._name} AS v WHERE {schema}.looks(v.{name})")
                wanted = "no function sees what the view hides"
                yield Change((act,), (row, *looks), shows=lambda rows: not rows, wanted=wanted)

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
