"""How one frozen index can be asked on this very server: its operators, and what must be out of its way. No I/O.

The frozen index says what is promised; what it leaves to the server (the operators of an opclass, the default opclass
of a type, the children of a partitioned index) is asked once, through the oracle. Every other index of the table is
dropped inside the transaction, so that a plan says something about this one alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from psycopg import sql

from pgcontract.model import Index, IndexKey, Name
from pgcontract.rows.partitions import making
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Statement, identifier
from pgcontract.rows.worlds import Worlds
from pgcontract.values.expressions import branches, parse_check

LESS, EQUAL, GREATER = 1, 3, 5
"""A B-tree's strategies, see the manual, "B-Tree Strategies"."""
IMPLIED_NOT_NULL_IS_LEFT_OUT = 170000
"""From this version on the planner forgets a condition that NOT NULL makes true, and then proves no predicate by it."""
PROMISED = "pgcontract_promised"

_NOT_NULL = re.compile(r"\S+ IS NOT NULL|NOT \(\S+ IS NULL\)|\"[^\"]+\" IS NOT NULL|NOT \(\"[^\"]+\" IS NULL\)")

ALONE = tuple(
    Statement(f"SET LOCAL {setting}")
    for setting in (
        "enable_seqscan = off",
        "enable_tidscan = off",
        "enable_sort = off",
        "enable_incremental_sort = off",
        "max_parallel_workers_per_gather = 0",
    )
)
"""With these the planner uses an index if, and only if, it can."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator that the promised opclass serves. ``right`` is its right operand's type; ``ordering`` by distance."""

    name: str
    strategy: int
    right: str
    ordering: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the promised index: its expression as SQL, with its collation; its type, without domains."""

    text: str
    key: IndexKey
    type: str
    opclass: str
    operators: tuple[Operator, ...]

    def operator(self, strategy: int) -> Operator | None:
        """The one of this strategy, for access methods that have one of each."""
        return next((o for o in self.operators if o.strategy == strategy), None)


@dataclass(frozen=True, slots=True)
class Access:
    """``relation`` is what stands after FROM; ``names`` the indexes that a plan may show, None for any.

    ``prepared`` drops all other indexes. ``left_out`` are columns of whose IS NOT NULL in the predicate the planner
    wants other evidence than that very condition.
    """

    table: Name
    index: Index
    relation: str
    names: frozenset[str] | None
    ordered: bool
    keys: tuple[Key, ...]
    prepared: tuple[Statement, ...]
    left_out: frozenset[str]
    partitioned: bool

    @property
    def qualified(self) -> str:
        """The index's name, quoted."""
        return identifier(Name(self.table.namespace, self.index.name)).as_string()


def access(table: Name, index: Index, worlds: Worlds) -> Access:
    """Ask how a frozen index can be asked here; the live table must have one of its name.

    Raises Unbuildable.
    """
    # the session may still hold a world of another promise, in which this index was dropped
    worlds.oracle.refusal(())
    answer = worlds.oracle.evaluate([(_question(table, index), "text")])[0].value
    if answer is None:
        raise Unbuildable("the types and operators of the index's keys could not be told", where=str(table))
    known = json.loads(answer)
    keys = tuple(
        Key(
            key_text(key),
            key,
            one["type"],
            one["opclass"] or "",
            tuple(Operator(o["name"], o["strategy"], o["right"], o["ordering"]) for o in one["operators"]),
        )
        for key, one in zip(index.keys, known["keys"], strict=True)
    )
    prepared = [Statement(text) for text in known["others"]]
    partitioned = known["strategy"] is not None
    if partitioned and not known["leaves"]:
        prepared.append(making(table, hashed=known["strategy"] == "h"))
    if known["forced"]:
        # a policy would stand in every plan of a role that it holds for, as a Filter
        text = sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(identifier(table))
        prepared.append(Statement(text.as_string()))
    quoted = identifier(table).as_string()
    return Access(
        table,
        index,
        quoted if partitioned else f"ONLY {quoted}",
        None if partitioned and not known["leaves"] else frozenset(known["names"]),
        known["ordered"],
        keys,
        tuple(prepared),
        _left_out(table, index, worlds) if known["version"] >= IMPLIED_NOT_NULL_IS_LEFT_OUT else frozenset(),
        partitioned,
    )


def key_text(key: IndexKey) -> str:
    """A key's expression in brackets, with its collation where that is not its own."""
    return f"({key.expression} COLLATE {key.collation})" if key.collation else f"({key.expression})"


def creation(known: Access) -> Statement:
    """CREATE the promised index once more, beside the live one; of a partitioned table without its children."""
    index = known.index
    text = sql.SQL("CREATE INDEX {} ON {}{} USING {} ({})").format(
        sql.Identifier(PROMISED),
        sql.SQL("ONLY " if known.partitioned else ""),
        identifier(known.table),
        sql.Identifier(index.method),
        sql.SQL(", ").join(sql.SQL(_created(key)) for key in known.keys),
    )
    if index.include:
        text += sql.SQL(" INCLUDE ({})").format(sql.SQL(", ").join(map(sql.Identifier, index.include)))
    if index.options:
        text += sql.SQL(" WITH ({})").format(_options(index.options))
    if index.predicate:
        text += sql.SQL(f" WHERE {index.predicate}")
    return Statement(text.as_string())


def _created(known: Key) -> str:
    key = known.key
    words = [known.text]
    if key.opclass is not None or key.opclass_options:
        words.append(key.opclass or known.opclass)
    if key.opclass_options:
        words.append(f"({_options(key.opclass_options).as_string()})")
    if key.descending:
        words.append("DESC")
    if key.nulls_first != key.descending:
        words.append("NULLS FIRST" if key.nulls_first else "NULLS LAST")
    return " ".join(words)


def _options(options: tuple[str, ...]) -> sql.Composed:
    pairs = (option.partition("=")[::2] for option in options)
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(n), sql.Literal(v)) for n, v in pairs)


@cache
def _file() -> sql.SQL:
    return sql.SQL(files(__package__).joinpath("sql", "access.sql").read_text("utf-8"))


def _question(table: Name, index: Index) -> str:
    row = sql.SQL("({}, pg_typeof({})::OID, {}::TEXT)")
    rows = (row.format(number, sql.SQL(key_text(key)), key.opclass) for number, key in enumerate(index.keys, 1))
    return (
        sql.SQL("({})")
        .format(
            _file().format(
                table=sql.Literal(identifier(table).as_string()),
                index=sql.Literal(identifier(Name(table.namespace, index.name)).as_string()),
                method=sql.Literal(index.method),
                table_name=identifier(table),
                keys=sql.SQL(", ").join(rows),
            )
        )
        .as_string()
    )


def _left_out(table: Name, index: Index, worlds: Worlds) -> frozenset[str]:
    live = worlds.catalog.table(table)
    if live is None or index.predicate is None:
        return frozenset()
    names = {c.name for c in live.columns if c.not_null}
    ways = branches(parse_check(index.predicate, {c.name for c in live.columns}), True)
    told = [(lit.atom.columns, str(lit)) for way in ways[:1] for lit in way if len(ways) == 1]
    return frozenset(c for columns, text in told for c in columns & names if _NOT_NULL.fullmatch(text))
