"""Domains: their values are their base type's, with NULL as promised; each CHECK refuses by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from psycopg import sql

from pgcontract.contract import type_id
from pgcontract.model import Catalog, Check, Column, Domain, Name, Reason, Table
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.check import CHECK_VIOLATION, TableCheck
from pgcontract.promises.column_type import DATA_EXCEPTION
from pgcontract.promises.facts import Fact, exists, yes
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.columns import narrower, wider
from pgcontract.promises.mutants.types import (
    domain_check_mutants,
    domain_default_mutants,
    domain_null_mutant,
    domain_type_mutants,
)
from pgcontract.promises.nullability import NOT_NULL_VIOLATION
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Clause, Shape, Unbuildable, clause
from pgcontract.rows.statements import Row, Statement, Value, identifier
from pgcontract.rows.worlds import World, Worlds
from pgcontract.values.naming import qualified
from pgcontract.values.types import Refused, UnknownType, space

VALUE = "value"
TOO_LONG = "22001"
_LIMITED_TEXT = re.compile(r"character(?: varying)?\((\d+)\)")
_COLLATION = (
    "SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_catalog.pg_collation AS co"
    " JOIN pg_catalog.pg_namespace AS cn ON cn.oid = co.collnamespace"
    " JOIN pg_catalog.pg_type AS b ON b.oid = c.typbasetype WHERE co.oid = c.typcollation"
    " AND c.typcollation <> b.typcollation"
)


@dataclass(frozen=True, slots=True)
class DomainType:
    """A domain without its CHECKs."""

    domain: Domain

    kind = "domain"

    @property
    def table(self) -> Name:
        """The domain's own name."""
        return self.domain.name

    @property
    def id(self) -> str:
        """``email``."""
        return type_id(self.domain.name)

    @property
    def clause(self) -> str:
        """``DOMAIN AS text NOT NULL``."""
        return f"DOMAIN AS {self.domain.type}" + (" NOT NULL" if self.domain.not_null else "")

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What its base type refuses, it refuses; but of some types nobody knows a bad literal."""
        return (Direction.ACCEPTS, Direction.REJECTS)

    def accepts(self, worlds: Worlds) -> Cases:
        """Values come back as the base type has them; NULL where it is allowed; the default where none is given."""
        name, base = self._name, self.domain.type
        always = [self._facts()]
        if not self.domain.not_null:
            always.append(Change((Statement(f"SELECT NULL::{name} IS NULL AS is_null"),)))
        (evaluated,) = worlds.oracle.evaluate([(self.domain.default or "NULL", base)])
        always.append(self._default(volatile=evaluated.volatile))
        try:
            values = space(_text(self.domain.name), replace(worlds.catalog, domains=(*self._frozen(worlds),)))
        except UnknownType:
            return Cases(tuple(always), notes=(f"no value was made for {base}",))
        always += [self._same(v) for v in dict.fromkeys((values.simplest, *values.boundaries))]
        always += self._mixed(values.simplest, worlds)
        return Cases(tuple(always), values.strategy.map(self._same))

    def rejects(self, worlds: Worlds) -> Cases:
        """NULL where it is not allowed; what is no value of the base type."""
        always: list[Violation] = []
        if self.domain.not_null:
            always.append(
                Violation(
                    (Statement(f"SELECT NULL::{self._name}"),),
                    sqlstates=frozenset([NOT_NULL_VIOLATION]),
                    datatype=self.domain.name.name,
                )
            )
        try:
            values = space(self.domain.type, worlds.catalog)
        except UnknownType as error:
            return Cases(tuple(always), missing=None if always else error.what, reason=Reason.UNKNOWN_TYPE)
        always += [self._refused(refused) for refused in (*values.refused, *self._too_long(worlds))]
        drawn = None if values.drawn_refused is None else values.drawn_refused.map(self._refused)
        missing = None if always or drawn is not None else f"no literal is known that {self.domain.type} refuses"
        return Cases(tuple(always), drawn, missing=missing)

    @property
    def _name(self) -> str:
        return identifier(self.domain.name).as_string()

    def _frozen(self, worlds: Worlds) -> Iterator[Domain]:
        """The live domains, with this one as it was frozen."""
        yield from (d for d in worlds.catalog.domains if d.name != self.domain.name)
        yield self.domain

    def _facts(self) -> Change:
        facts: dict[str, Fact] = {
            "is_a_domain": ("c.typtype", "d"),
            "type": ("pg_catalog.format_type(c.typbasetype, c.typtypmod)", self.domain.type),
            "not_null": ("c.typnotnull", yes(self.domain.not_null)),
            "default": ("pg_catalog.pg_get_expr(c.typdefaultbin, 0)", self.domain.default),
            "collation": (_COLLATION, self.domain.collation),
        }
        return exists("pg_type", self.domain.name, facts)

    def _same(self, value: str) -> Change:
        text = f"SELECT ($1::{self._name})::text IS NOT DISTINCT FROM ($2::{self.domain.type})::text AS same_value"
        return Change((Statement(text, (value, value)),))

    def _mixed(self, value: str, worlds: Worlds) -> Iterator[Change]:
        """Beside values of other types it counts as its base type."""
        if any(d.name == qualified(self.domain.type) for d in worlds.catalog.domains):
            # of two domains of one type the type itself is common, of one and itself that one
            return
        base = self.domain.type
        for other in (base, *wider(base), *narrower(base)):
            promised = f"pg_typeof(coalesce(NULL::{base}, NULL::{other}))"
            text = f"SELECT pg_typeof(coalesce($1::{self._name}, NULL::{other})) = {promised} AS same_type"
            # not all types have one in common: a boolean and a text have none
            common = Statement(f"SELECT {promised} IS NOT NULL")
            yield Change((Statement(text, (value,)),), guard=partial(replace, common))

    def _too_long(self, worlds: Worlds) -> Iterator[Refused]:
        """Texts that every CHECK would take, but the base type does not: one character too long."""
        found = _LIMITED_TEXT.fullmatch(self.domain.type)
        if found is None:
            return
        try:
            values = space(_text(self.domain.name), replace(worlds.catalog, domains=(*self._frozen(worlds),)))
        except UnknownType:
            return
        most = int(found.group(1))
        given = [v.rstrip() for v in dict.fromkeys((values.simplest, *values.boundaries))]
        rows = [{VALUE: v + v[-1] * (most + 1 - len(v))} for v in given if v and len(v) <= most]
        table = Table(self.domain.name, (Column(VALUE, "text", collation=self.domain.collation),))
        checks = [check.expression for check in self.domain.checks]
        truths = worlds.oracle.truth(table, checks, rows) if checks else [() for _ in rows]
        good = (row for row, truth in zip(rows, truths, strict=True) if truth is not None and False not in truth)
        yield from (Refused(row[VALUE], TOO_LONG, "one character too long") for row in islice(good, 1))

    def _default(self, *, volatile: bool) -> Change:
        """A table of one's own shows it: a domain gives its default only to columns."""
        table = 'pg_temp."pgcontract default"'
        wanted = f"(({self.domain.default or 'NULL'})::{self.domain.type})::text"
        shown = "v IS NOT NULL" if volatile else f"v::text IS NOT DISTINCT FROM {wanted}"
        act = (
            # without its NOT NULL, which a domain without a default could not hold
            Statement(f'CREATE TEMPORARY TABLE "pgcontract default" (n integer, v {self._name})'),
            Statement(f"INSERT INTO {table} (n) SELECT 1 WHERE {'false' if self._nothing else 'true'}"),
            Statement(f"SELECT coalesce(bool_and({shown}), true) AS is_default FROM {table}"),
        )
        # its CHECKs are promises of their own: another default may be one that they refuse
        names = (sql.Identifier(check.name).as_string() for check in self.domain.checks)
        setup = (Statement(f"ALTER DOMAIN {self._name} DROP CONSTRAINT IF EXISTS {name}") for name in names)
        return Change(act, tuple(setup))

    @property
    def _nothing(self) -> bool:
        """Whether a column that is left out is refused: there is no default, and no NULL."""
        return self.domain.default is None and self.domain.not_null

    def _refused(self, refused: Refused) -> Violation:
        statement = Statement(f"SELECT $1::{self._name}", (refused.literal,))
        return Violation((statement,), sqlstates=frozenset([refused.sqlstate]))

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """NOT NULL the other way; another default, or none; another base type."""
        yield domain_null_mutant(self.domain)
        yield from domain_default_mutants(catalog, self.domain)
        yield from domain_type_mutants(catalog, self.domain)

    def owns(self, refusal: Refusal) -> bool:
        """NULL refused by this domain; errors of the base type."""
        if refusal.sqlstate == NOT_NULL_VIOLATION:
            return refusal.datatype == self.domain.name.name
        return refusal.sqlstate.startswith(DATA_EXCEPTION)

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has the domain."""
        return _live(self.domain, worlds) is not None


@dataclass(frozen=True)
class DomainWorld(World):
    """A domain's values as a table of one column, into which one inserts by a cast."""

    def insert(
        self, row: Row, *, show: Sequence[str] = (), returning: str = "", extra: tuple[Value, ...] = ()
    ) -> Statement:
        """The cast of the row's one value."""
        del show, returning, extra
        name, base = identifier(self.table.name).as_string(), self.table.columns[0].type
        text = f"SELECT ($1::{name})::text IS NOT DISTINCT FROM ($2::{base})::text AS same_value"
        return Statement(text, (row[VALUE], row[VALUE]))


@dataclass(frozen=True, slots=True)
class DomainCheck(TableCheck):
    """A CHECK of a domain, tried as a CHECK of a table with the one column ``value``."""

    domain: Domain

    def present(self, worlds: Worlds) -> bool:
        """Whether the live domain has a CHECK of this name."""
        live = _live(self.domain, worlds)
        return live is not None and any(c.name == self.check.name for c in live.checks)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No CHECK, or one whose condition is one change away."""
        del catalog
        return domain_check_mutants(self.domain, self.check)

    def owns(self, refusal: Refusal) -> bool:
        """23514 by this name and this domain."""
        mine = (self.check.name, self.domain.name.name)
        return refusal.sqlstate == CHECK_VIOLATION and (refusal.constraint, refusal.datatype) == mine

    def _world(self, worlds: Worlds) -> tuple[World, Clause]:
        live = _live(self.domain, worlds) or self.domain
        column = Column(VALUE, live.type, not_null=live.not_null, collation=live.collation)
        table = Table(live.name, (column,), checks=live.checks)
        shape = Shape(table, worlds.catalog, worlds.oracle)
        start = shape.domain(VALUE, shape.sure).simplest
        found = None if start is None else shape.find({VALUE: start})
        if found is None:
            raise Unbuildable("no value was found that passes all CHECKs", where=str(live.name))
        return DomainWorld(shape, (), (), found, found), clause(self.check.expression, table)

    def _violation(self, world: World, row: dict[str, Value]) -> Violation:
        # the two-argument form: a dataclass with slots is another class than the one that `super()` closed over
        return replace(TableCheck._violation(self, world, row), datatype=self.domain.name.name)  # noqa: SLF001


def _live(domain: Domain, worlds: Worlds) -> Domain | None:
    return next((d for d in worlds.catalog.domains if d.name == domain.name), None)


def _text(name: Name) -> str:
    return identifier(name).as_string()


def promises(catalog: Catalog) -> Iterator[DomainType | DomainCheck]:
    """Every domain, and every CHECK of one."""
    for domain in catalog.domains:
        yield DomainType(domain)
        yield from (_check(domain, check) for check in domain.checks if check.enforced)


def _check(domain: Domain, check: Check) -> DomainCheck:
    return DomainCheck(domain.name, check, domain)
