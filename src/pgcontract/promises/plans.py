"""Queries that the promised index must serve, and what EXPLAIN shows of them. No I/O.

Operands are sub-selects of NULL: the planner takes them for values that it does not know yet, so that what a plan
shows depends on the index alone. Where every condition of a query stands in an Index Cond, nothing is left for a
Filter; where the index has the promised order, nothing is left for a Sort.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from typing import Any

from psycopg import sql

from pgcontract.model import Name
from pgcontract.promises.access import EQUAL, GREATER, LESS, PROMISED, Access, Key, Operator, creation
from pgcontract.promises.base import Change, Rows
from pgcontract.rows.statements import Statement, Value, identifier, quote

BEFORE_ANY_ROW = ("InitPlan", "SubPlan")
UNSERVED = ("Seq Scan", "Sort", "Incremental Sort")

COMPARED = (
    "method",
    "keys",
    "key_count",
    "opclasses",
    "collations",
    "directions",
    "uniqueness",
    "expressions",
    "predicate",
    "options",
    "key_options",
)

FOUND = "pgcontract.found"

_NAMED = r'(?:\w+|"(?:[^"]|"")+")'
_EQUATED = re.compile(rf"\(?({_NAMED}) = ({_NAMED})\)?")
_OPERAND = re.compile(rf"(?P<column>{_NAMED}) = (?:\(?InitPlan \d+\)?\.col\d+|\$\d+)")

BY_SEQUENCE = tuple(
    Statement(f"SET LOCAL {setting}")
    for setting in (
        "enable_seqscan = on",
        "enable_sort = on",
        "enable_indexscan = off",
        "enable_indexonlyscan = off",
        "enable_bitmapscan = off",
    )
)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A query, and what its plan must show: an Index Cond, the promised order, distances, no visit to the table.

    ``bound`` are the columns that its conditions imply to be not NULL.
    """

    text: str
    conditioned: bool = False
    sorted: bool = False
    nearest: bool = False
    only: bool = False
    bound: frozenset[str] = frozenset()

    @property
    def wanted(self) -> str:
        """The plan in words."""
        shown = (
            ("Index Cond", self.conditioned),
            ("Order By", self.nearest),
            ("forward", self.sorted),
            ("Index Only Scan", self.only),
        )
        details = ", ".join(word for word, wanted in shown if wanted)
        return f"a scan of this index ({details}) without Filter or Sort"


def explain(query: str) -> Statement:
    """EXPLAIN for reading by programs; it runs nothing."""
    return Statement(f"EXPLAIN (FORMAT JSON, COSTS OFF) {query}")


def served(known: Access) -> tuple[Change, ...]:
    """The promised queries, each planned by this index."""
    lookups = [lookup for lookup in _lookups(known) if known.left_out <= lookup.bound]
    return tuple(
        Change(
            (explain(lookup.text),),
            # on an empty table it would cost less to visit it
            setup=(Statement("SET LOCAL enable_bitmapscan = off"),) if lookup.only else (),
            shows=partial(_serves, lookup, known),
            wanted=f"{known.index.name}: {lookup.wanted}",
        )
        for lookup in lookups
    )


def unserved(known: Access) -> tuple[Change, ...]:
    """Queries that a partial index must not serve, since they ask for rows outside its predicate as well."""
    wanted = f"a plan without {known.index.name}: it holds only rows of its predicate"
    if known.ordered:
        queries = [f"SELECT FROM {known.relation} ORDER BY {_order(known.keys)}"]
    elif "IS NOT NULL" in (known.index.predicate or "").upper():
        # an operator that gives nothing for NULL implies it
        queries = []
    else:
        asked = ((key, operator) for key in known.keys for operator in key.operators if not operator.ordering)
        queries = [f"SELECT FROM {known.relation} WHERE {_compared(*pair)}" for pair in asked]
    return tuple(Change((explain(query),), shows=partial(_leaves_out, known.names), wanted=wanted) for query in queries)


def gone(known_by: str, table: str) -> Change:
    """A case for an index that the live table has no more, or that is another's by now."""
    text = (
        "SELECT indisvalid AND NOT indisunique AS there FROM pg_index"
        f" WHERE indexrelid = {quote(known_by)}::REGCLASS AND indrelid = {quote(table)}::REGCLASS"
    )
    return Change((Statement(text),), wanted="the index is there")


def same(known: Access) -> Change:
    """The live index is what the promised one would be: also where no plan tells the difference (opclass, options)."""
    shown = ", ".join(f"live.{column} IS NOT DISTINCT FROM promised.{column} AS {column}" for column in COMPARED)
    promised = identifier(Name(known.table.namespace, PROMISED)).as_string()
    text = (
        f"WITH defined AS ({_definition()}) SELECT live.valid, {shown} FROM defined AS live, defined AS promised"
        f" WHERE live.index = {quote(known.qualified)}::REGCLASS AND promised.index = {quote(promised)}::REGCLASS"
    )
    wanted = f"{known.index.name} is valid, and defined as promised"
    return Change((Statement(text),), setup=(creation(known),), wanted=wanted)


def agreed(inserts: Sequence[Statement], query: str, values: tuple[Value, ...] = ()) -> Change:
    """A query of one text column gives the same by the index and by reading the whole table.

    Where either way raises an error, nothing is said: an index need not look at rows that its operators would refuse.
    """
    rows = f"(SELECT coalesce(array_agg(found ORDER BY found), '{{}}')::TEXT FROM ({query}) AS asked (found))"
    by_index = Statement(f"SELECT set_config('{FOUND}', {rows}, true)", values)
    same = Statement(f"SELECT current_setting('{FOUND}') = {rows} AS as_by_reading_the_whole_table", values)
    return Change((*inserts, by_index, *BY_SEQUENCE, same), wanted="the same rows as by reading the whole table")


def inside(known: Access, *conditions: str) -> str:
    """A WHERE with the index's predicate and these conditions, or nothing where there are none."""
    every = [f"({c})" for c in (known.index.predicate, *conditions) if c]
    return f" WHERE {' AND '.join(every)}" if every else ""


def order(known: Access) -> str:
    """The promised order, as ORDER BY's list."""
    return _order(known.keys)


def later(known: Access, pairs: Sequence[tuple[str, str]]) -> str:
    """Whether, by the promised order, the first of each pair's rows should come after the second's."""
    said = "false"
    for key, (one, other) in reversed(list(zip(known.keys, pairs, strict=True))):
        by, equal = key.operator(LESS if key.key.descending else GREATER), key.operator(EQUAL)
        if by is None or equal is None:
            continue
        first, second = (one, other) if key.key.nulls_first else (other, one)
        nulls = f"{first} IS NOT NULL AND {second} IS NULL"
        tie = f"coalesce({one} OPERATOR({equal.name}) {other}, {one} IS NULL AND {other} IS NULL)"
        said = f"(coalesce({one} OPERATOR({by.name}) {other}, {nulls}) OR ({tie} AND {said}))"
    return said


def _lookups(known: Access) -> Iterator[Lookup]:
    if known.ordered:
        yield from _by_prefix(known)
    else:
        for key in known.keys:
            for operator in key.operators:
                yield _by_operator(known, key, operator)
    if known.index.include:
        plain = [key.key.expression for key in known.keys if key.key.column is not None and known.ordered]
        columns = ", ".join([*plain, *(sql.Identifier(c).as_string() for c in known.index.include)])
        yield Lookup(f"SELECT {columns} FROM {known.relation}{inside(known)}", only=True)


def _by_prefix(known: Access) -> Iterator[Lookup]:
    """Equality on the leading keys, and the promised order of all the others; also of all of them."""
    for count in range(len(known.keys) + 1):
        given, rest = known.keys[:count], known.keys[count:]
        equal = [(key, operator) for key in given if (operator := key.operator(EQUAL)) is not None]
        text = f"SELECT FROM {known.relation}{inside(known, *(_compared(*pair) for pair in equal))}"
        text += f" ORDER BY {_order(rest)}" if rest else ""
        yield Lookup(text, bool(equal), bool(rest), bound=_bound(given))


def _by_operator(known: Access, key: Key, operator: Operator) -> Lookup:
    if operator.ordering:
        text = f"SELECT FROM {known.relation}{inside(known)} ORDER BY {_compared(key, operator)}"
        return Lookup(text, nearest=True)
    text = f"SELECT FROM {known.relation}{inside(known, _compared(key, operator))}"
    return Lookup(text, conditioned=True, bound=_bound((key,)))


def _bound(keys: Sequence[Key]) -> frozenset[str]:
    return frozenset(key.key.column for key in keys if key.key.column is not None)


def _compared(key: Key, operator: Operator) -> str:
    return f"{key.text} OPERATOR({operator.name}) (SELECT NULL::{operator.right})"


def _order(keys: Sequence[Key]) -> str:
    words = []
    for key in keys:
        by = key.operator(GREATER if key.key.descending else LESS)
        using = f" USING OPERATOR({by.name})" if by else ""
        words.append(f"{key.text}{using} NULLS {'FIRST' if key.key.nulls_first else 'LAST'}")
    return ", ".join(words)


def _nodes(rows: Rows) -> Iterator[Mapping[str, Any]]:
    """The nodes of the one plan that EXPLAIN gave, without those that are run before any row is read."""
    (field,) = rows[0]
    waiting = [json.loads(field or b"[{}]")[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        if node.get("Parent Relationship") not in BEFORE_ANY_ROW:
            yield node
            waiting += node.get("Plans", ())


def _asked_again(known: Access) -> str | None:
    """A hash index's predicate: the planner asks it of each row once more, as of no other method's."""
    return _plain(known.index.predicate) if known.index.method == "hash" and known.index.predicate else None


def _plain(expression: str) -> str:
    """Without parentheses and schemas, which hang on who prints it."""
    return re.sub(r'"?\w+"?\.(?=["\w])|[()\s]', "", expression)


def _derived(known: Access, condition: str) -> bool:
    """Whether the planner made the condition from the predicate's ``a = b`` and the query's on one of the two.

    It takes both out and asks of the other column anew, although the predicate implies it.
    """
    equated = {name for pair in _EQUATED.findall(known.index.predicate or "") for name in pair}
    asked = [_OPERAND.fullmatch(one.strip("() ")) for one in condition.split(" AND ")]
    return all(one is not None and one["column"] in equated for one in asked)


def _allowed(known: Access, condition: str) -> bool:
    """Whether a Filter asks nothing that the index leaves open."""
    return _plain(condition) == _asked_again(known) or _derived(known, condition)


def _serves(lookup: Lookup, known: Access, rows: Rows) -> bool:
    nodes = list(_nodes(rows))
    scans = [node for node in nodes if "Index Name" in node]
    if any("One-Time Filter" in node for node in nodes):
        # the predicate says the key's value itself: the condition is decided before any row is read
        lookup = replace(lookup, conditioned=False)
    return (
        bool(scans)
        and not any(node["Node Type"] in UNSERVED for node in nodes)
        and all(_allowed(known, node["Filter"]) for node in nodes if "Filter" in node)
        and all(_scanned(lookup, known.names, scan) for scan in scans)
    )


def _scanned(lookup: Lookup, names: frozenset[str] | None, scan: Mapping[str, Any]) -> bool:
    return (
        (names is None or scan["Index Name"] in names)
        and ("Index Cond" in scan or not lookup.conditioned)
        and ("Order By" in scan or not lookup.nearest)
        and (scan.get("Scan Direction") == "Forward" or not lookup.sorted)
        and (scan["Node Type"] == "Index Only Scan" or not lookup.only)
    )


@cache
def _definition() -> str:
    comment, _, query = files(__package__).joinpath("sql", "definition.sql").read_text("utf-8").partition("\n")
    assert comment.startswith("--")
    return query.rstrip()


def _leaves_out(names: frozenset[str] | None, rows: Rows) -> bool:
    scanned = {node["Index Name"] for node in _nodes(rows) if "Index Name" in node}
    return not scanned if names is None else not scanned & names
