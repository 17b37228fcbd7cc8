"""One table's rows: its CHECKs as clauses, its columns' domains, and a search for rows that satisfy what is wanted.

The solver (``values``) proposes, the database decides: every row that leaves this module was evaluated by the oracle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice, product

from psycopg import sql

from pgcontract.errors import PgContractError
from pgcontract.model import Catalog, Column, Reason, Table
from pgcontract.rows.generated import expression_of, inlined, is_null, sources
from pgcontract.rows.oracle import Evaluated, Oracle
from pgcontract.rows.partitions import HASHED, room
from pgcontract.rows.statements import Row, Statement, Value, insert, quote
from pgcontract.values.domains import Domain, apart_by_case, domain
from pgcontract.values.expressions import Condition, Literal, branches, parse_check
from pgcontract.values.expressions import columns as columns_of
from pgcontract.values.given import only, unknown
from pgcontract.values.naming import domains_of
from pgcontract.values.space import UnknownType
from pgcontract.values.terms import Col, Test

MOST_CANDIDATES = 400
HASHING, MOST_HASHED = 500, 200
"""From which number on, and how many, keys are tried for a hash partition."""
_FOLDS = re.compile(r"\b(?:lower|upper|initcap|casefold)\(")
ROUNDS = 4
FEW, MOST_WAYS = 3, 64
"""Of so many columns the product of what each may be is soon through; of the ways to pass CHECKs, so many are tried."""


class Unbuildable(PgContractError):
    """No row could be made for a table: the promise is unproven for this reason, which is no fault of the schema."""

    def __init__(self, what: str, *, where: str | None = None, reason: Reason = Reason.NO_ROW) -> None:
        super().__init__(what, where=where)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Clause:
    """A boolean expression over one table's columns, and what a row is to make of it.

    ``want``: True, False, or ``"passes"``, which is true or unknown, as a CHECK asks; False is false and not unknown;
    ``"fails"`` is false or unknown, as a row outside an index's predicate is.
    """

    expression: str
    condition: Condition
    columns: frozenset[str]
    want: bool | str = "passes"

    def holds(self, truth: bool | None) -> bool:
        """Whether an evaluation is what is wanted."""
        match self.want:
            case "passes":
                return truth is not False
            case "fails":
                return truth is not True
            case wanted:
                return truth is wanted

    @property
    def side(self) -> bool:
        """The truth value that the solver aims at."""
        return self.want in (True, "passes")

    def wanting(self, want: bool | str) -> Clause:
        """The same expression, with another wish."""
        return Clause(self.expression, self.condition, self.columns, want)


def clause(expression: str, table: Table, want: bool | str = "passes") -> Clause:
    """Parse an expression over the table's columns; generated ones are replaced by what they are generated from."""
    names = frozenset(c.name for c in table.columns)
    expression = inlined(expression, table)
    condition = parse_check(expression, names)
    return Clause(expression, condition, columns_of(condition), want)


def always_true(found: Clause, table: Table) -> bool:
    """Whether it only says that NOT NULL columns are not NULL."""
    closed = {c.name for c in table.columns if c.not_null}

    def impossible(literal: Literal) -> bool:
        match literal.atom.term:
            case Test(arg=Col(name=name), what="NULL", negated=negated):
                return name in closed and literal.truth is not negated
            case _:
                return False

    return all(any(map(impossible, way)) for way in branches(found.condition, False))


@dataclass
class Shape:
    """What is known of the rows of one live table. Built once, then only read."""

    table: Table
    catalog: Catalog
    oracle: Oracle
    defaults: Mapping[str, Evaluated] = field(default_factory=dict)
    _distinct: dict[Domain, Domain] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that an INSERT may give (an identity that is GENERATED ALWAYS by overriding it)."""
        return tuple(c for c in self.table.columns if c.generated is None)

    @cached_property
    def generated(self) -> tuple[Column, ...]:
        """The columns that an INSERT may not give."""
        return tuple(c for c in self.table.columns if c.generated is not None)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the columns that an INSERT may give."""
        return frozenset(c.name for c in self.columns)

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Each column's type, as ``format_type`` prints it."""
        return {c.name: c.type for c in self.table.columns}

    @cached_property
    def clauses(self) -> Mapping[str, Clause]:
        """The CHECKs by name; under names that no CHECK has, generated columns' NOT NULL and partition bounds."""
        found = {c.name: clause(c.expression, self.table) for c in self.table.checks if c.enforced}
        for column in self.generated:
            if column.not_null:
                found[not_null_clause(column.name)] = clause(is_null(column.name), self.table, want=False)
        found |= {evaluated_clause(text): clause(f"({text} IS NULL) IS NOT NULL", self.table) for text in self._risky}
        bounds = room(self.table, self.catalog)
        return found if bounds is None else {**found, "": clause(bounds, self.table)}

    @property
    def _risky(self) -> Iterator[str]:
        """Expressions that raise for rows that cannot be stored, although no CHECK speaks of them.

        Keys of indexes are computed for every row; what comes from a parent is cast to the child's own domain.
        """
        tied = {c for fk in self.table.foreign_keys for c in fk.columns}
        checked = (c.name for c in self.columns if c.name in tied and any(domains_of(c.type, self.catalog)))
        yield from (sql.Identifier(name).as_string() for name in checked)
        keys = [key for index in self.table.indexes for key in index.keys]
        keys += [key for exclusion in self.table.exclusions for key in exclusion.keys]
        yield from dict.fromkeys(f"({key.expression})" for key in keys if key.column is None)

    @cached_property
    def sure(self) -> tuple[Literal, ...]:
        """What every row's values must satisfy, whatever the row: literals of CHECKs with one way to pass."""
        return self.sure_without()

    def sure_without(self, *names: str) -> tuple[Literal, ...]:
        """The same, leaving out some CHECKs."""
        # that an expression over a column is not NULL says nothing of the column that a solver could use
        left_out = {*names, *(not_null_clause(c.name) for c in self.generated), *map(evaluated_clause, self._risky)}
        return tuple(
            lit
            for name, c in self.clauses.items()
            if name not in left_out and len(b := branches(c.condition, True)) == 1
            for lit in b[0]
        )

    @cached_property
    def key_columns(self) -> frozenset[str]:
        """Columns of any key or unique index, whose values must differ from row to row, or are to by an exclusion."""
        named = set[str]().union(*(sources(self.table, c) for key in self.table.keys for c in key.columns))
        for index in self.table.indexes:
            if index.unique:
                named |= index_columns(self.table, (k.expression if k.column is None else k.column for k in index.keys))
        for exclusion in self.table.exclusions:
            equal = (k.column for k in exclusion.keys if k.column is not None and k.operator == "=")
            named = named.union(*(sources(self.table, column) for column in equal))
        return frozenset(named)

    def domain(self, column: str, literals: Iterable[Literal] = (), *, strict: bool = False) -> Domain:
        """The values of one column that satisfy these literals; NULL does, too, as in CHECKs, unless ``strict``."""
        found = self.table.column(column)
        assert found is not None
        own, asked = self.catalog.examples.get((self.table.name, column), ()), tuple(literals)
        try:
            reach = domain(found, asked, self.catalog, passing=not strict)
        except UnknownType:
            if not own:
                raise
            return unknown(found.type, own)
        if column in self._folded:
            reach = self._distinct.setdefault(reach, apart_by_case(reach))
        if not own or reach.empty or reach.null == "required":
            return reach
        # where a promise asks for values of its own, those that are given are some of those to try
        return only(reach, own) if asked == self.sure else replace(reach, hints=(*own, *reach.hints))

    @cached_property
    def _folded(self) -> frozenset[str]:
        """Columns of unique indexes for which upper and lower case are one."""
        keys = (key.expression for index in self.table.indexes if index.unique for key in index.keys)
        return index_columns(self.table, (text for text in keys if _FOLDS.search(text)))

    def is_default(self, column: str, value: Value) -> bool:
        """Whether leaving the column out gives this value."""
        evaluated = self.defaults.get(column)
        return value is None if evaluated is None else not evaluated.volatile and evaluated.value == value

    def explicit(self, row: Row) -> dict[str, Value]:
        """The row as a person would insert it: without generated columns, nor those whose default says the same."""
        closed = {c.name for c in self.generated}
        keys, given = self.key_columns, {c: v for c, v in row.items() if c not in closed}
        return {c: v for c, v in given.items() if (c in keys and v is not None) or not self.is_default(c, v)}

    def insert(
        self, row: Row, *, show: Iterable[str] = (), returning: str = "", extra: tuple[Value, ...] = ()
    ) -> Statement:
        """INSERT a row as a person would write it; columns in ``show`` stand even where a default says the same."""
        explicit = self.explicit(row)
        closed = {c.name for c in self.generated}
        shown = {c: v for c, v in row.items() if c in explicit or (c in show and c not in closed)}
        overriding = any(c.identity == "ALWAYS" and c.name in shown for c in self.columns)
        return insert(self.table.name, shown, returning=returning, extra=extra, overriding=overriding)

    def completed(self, rows: Sequence[Row]) -> list[dict[str, Value]]:
        """The rows with generated columns as the database would make them; NULL where the expression fails."""
        if not self.generated or not rows:
            return [dict(row) for row in rows]
        given = [{c: v for c, v in row.items() if c in self.names} for row in rows]
        found = self.oracle.values(self.table, [expression_of(c) for c in self.generated], given)
        names = [c.name for c in self.generated]
        made = [values or (None,) * len(names) for values in found]
        return [{**row, **dict(zip(names, values, strict=True))} for row, values in zip(given, made, strict=True)]

    def wanting(self, values: Row) -> list[Clause]:
        """Clauses that are true where generated columns have these values; others are nothing to wish for."""
        texts = {
            c.name: sql.Identifier(c.name).as_string()
            + (" IS NULL" if values[c.name] is None else f"::text = {quote(values[c.name])}")
            for c in self.generated
            if c.name in values
        }
        return [clause(text, self.table, want=True) for text in texts.values()]

    def sources(self, names: Iterable[str]) -> tuple[str, ...]:
        """The columns that an INSERT may give among these, and those that generated ones are made from; in order."""
        wanted = frozenset().union(*(sources(self.table, name) for name in names))
        return tuple(c.name for c in self.columns if c.name in wanted)

    def hashed(self, row: Row, column: str) -> list[Value]:
        """Values of a column that a hash partition takes: only the database knows which."""
        bound = self.clauses.get("")
        if bound is None or column not in bound.columns or HASHED not in bound.expression:
            return []
        reach = self.domain(column, self.sure)
        tries = [{**row, column: reach.fresh(HASHING + n)} for n in range(MOST_HASHED)]
        good = self.holds([bound], tries)
        return [t[column] for t, holds in zip(tries, good, strict=True) if holds and t[column] is not None]

    def holds(self, clauses: Sequence[Clause], rows: Sequence[Row]) -> list[bool]:
        """For each row, whether all the clauses are as wanted."""
        return [failures == 0 for failures in self.failures(clauses, rows)]

    def failures(self, clauses: Sequence[Clause], rows: Sequence[Row]) -> list[int]:
        """For each row, how many clauses are not as wanted; a row whose evaluation failed has them all wrong."""
        if not clauses or not rows:
            return [0] * len(rows)
        truths = self.oracle.truth(self.table, [c.expression for c in clauses], rows)
        return [
            len(clauses) + 1 if truth is None else sum(not c.holds(t) for c, t in zip(clauses, truth, strict=True))
            for truth in truths
        ]

    def find(
        self,
        row: Row,
        wanted: Sequence[Clause] = (),
        *,
        fixed: frozenset[str] = frozenset(),
        without: Sequence[str] = (),
        most: int = MOST_CANDIDATES,
    ) -> dict[str, Value] | None:
        """A row near ``row`` that passes the CHECKs (but those ``without``) and is as ``wanted``, or None.

        Columns in ``fixed`` keep their values. ``most`` rows are looked at before the nearest is gone on from.
        """
        found = self._find(row, wanted, fixed, without, most)
        return None if found is None else self.completed([found])[0]

    def _find(
        self, row: Row, wanted: Sequence[Clause], fixed: frozenset[str], without: Sequence[str], most: int
    ) -> dict[str, Value] | None:
        clauses = [*(c for name, c in self.clauses.items() if name not in without), *wanted]
        current = dict(row)
        met = [current]
        for _ in range(ROUNDS):
            truths = self.oracle.truth(self.table, [c.expression for c in clauses], [current]) if clauses else [()]
            verdict = truths[0]
            wrong = [c for n, c in enumerate(clauses) if verdict is None or not c.holds(verdict[n])]
            if not wrong:
                return current
            # never the same row again: what mends one CHECK may break others first, of which none can stay as it is
            tries = islice(self.candidates(current, wrong, fixed, without), most)
            candidates = [candidate for candidate in tries if candidate not in met]
            if not candidates:
                return None
            scores = self.failures(clauses, candidates)
            best = min(range(len(candidates)), key=scores.__getitem__)
            if scores[best] == 0:
                return candidates[best]
            current = candidates[best]
            met.append(current)
        return None

    def candidates(
        self, row: Row, wrong: Sequence[Clause], fixed: frozenset[str], without: Sequence[str] = ()
    ) -> Iterator[dict[str, Value]]:
        """Rows like ``row`` but for the columns of the clauses that are wrong, branch by branch."""
        columns = sorted(frozenset().union(*(c.columns for c in wrong)) - fixed, key=list(self.types).index)
        columns = [c for c in columns if c in self.names]
        if not columns:
            return
        sure = self.sure_without(*without)
        most = self.most(len(columns))
        strict = any(isinstance(c.want, bool) for c in wrong)
        chosen = list(islice(product(*(branches(c.condition, c.side) for c in wrong)), MOST_WAYS))
        if len(columns) > FEW:
            # of the product's many candidates the first ones would only change the last few columns, for one way
            for literals in (tuple(lit for way in ways for lit in way) for ways in chosen):
                spoken = frozenset[str]().union(*(lit.atom.columns for lit in literals))
                reach = {c: self.domain(c, (*sure, *literals), strict=strict) for c in columns if c in spoken}
                if not any(found.empty for found in reach.values()):
                    yield {**row, **{c: found.simplest for c, found in reach.items()}}
        for ways in chosen:
            literals = (*sure, *(lit for way in ways for lit in way))
            beside = {self.types[c]: row.get(c) for c in columns}
            options = [
                self.options(c, literals, row.get(c), beside.get(self.types[c]), most=most, strict=strict)
                for c in columns
            ]
            if all(options):
                for values in islice(product(*options), MOST_CANDIDATES):
                    yield {**row, **dict(zip(columns, values, strict=True))}

    @staticmethod
    def most(columns: int) -> int:
        """How many values to try for each of so many columns."""
        return {1: 80, 2: 18, 3: 8}.get(columns, 5)

    def options(
        self,
        column: str,
        literals: Iterable[Literal],
        *current: Value,
        most: int = MOST_CANDIDATES,
        strict: bool = False,
    ) -> list[Value]:
        """Values of one column to try: present ones, NULL, boundaries, constants met in conditions."""
        found = self.table.column(column)
        assert found is not None
        reach = self.domain(column, literals, strict=strict)
        if reach.empty:
            return []
        options: list[Value] = [v for v in current if v is not None or not found.not_null]
        if reach.null == "required":
            return [None] if not found.not_null else []
        options += [reach.simplest] if reach.simplest is not None else []
        if reach.null == "allowed" and not found.not_null:
            options.append(None)
        options += [b for b in (*reach.boundaries, *reach.hints) if b is not None]
        return list(dict.fromkeys(options))[:most]


def not_null_clause(column: str) -> str:
    """The name of the clause that a generated column is not NULL."""
    return f"\0{column}"


def evaluated_clause(expression: str) -> str:
    """The name of the clause that an expression can be computed."""
    return f"\0\0{expression}"


def index_columns(table: Table, expressions: Iterable[str]) -> frozenset[str]:
    """The columns that key expressions of an index speak of; a plain column's name is one of them.

    For a generated column, those that it is made from.
    """
    names = {c.name for c in table.columns}
    found: set[str] = set()
    for expression in expressions:
        if expression in names:
            found |= sources(table, expression)
        else:
            found |= columns_of(parse_check(inlined(f"({expression}) IS NULL", table), names))
    return frozenset(found)
