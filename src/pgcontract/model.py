"""What a catalog says, as frozen data: the words that every other room speaks. No I/O.

Text that PostgreSQL itself prints (types, expressions, definitions) is kept as printed under an empty
``search_path``, so that everything outside ``pg_catalog`` is qualified and means the same in any session.
Tuples of named things are sorted by name; columns, labels and key columns keep their own order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from pgcontract.names import DEFAULT_NAMESPACE as DEFAULT_NAMESPACE  # noqa: PLC0414 - exported
from pgcontract.names import Name as Name  # noqa: PLC0414 - exported
from pgcontract.names import id_part as id_part  # noqa: PLC0414 - exported

Action = Literal["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]


@dataclass(frozen=True, slots=True)
class Column:
    """``type`` is ``format_type``'s text with its modifier; expressions are ``pg_get_expr``'s."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    identity: Literal["ALWAYS", "BY DEFAULT"] | None = None
    generated: str | None = None
    virtual: bool = False
    collation: str | None = None
    """Qualified and quoted; None where it is the type's own."""
    storage: str | None = None
    """PLAIN, EXTERNAL, MAIN or EXTENDED where it is not the type's own."""
    compression: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A PRIMARY KEY or UNIQUE constraint. ``without_overlaps``: its last column is a range or multirange (18)."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    include: tuple[str, ...] = ()
    nulls_not_distinct: bool = False
    without_overlaps: bool = False
    deferrable: bool = False
    deferred: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """``expression`` has no surrounding CHECK and no outer parentheses that ``pg_get_expr`` does not print."""

    name: str
    expression: str
    no_inherit: bool = False
    validated: bool = True
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``columns`` refer to ``keys`` of ``references``, pair by pair.

    ``delete_columns``: the columns that SET NULL/DEFAULT touches on delete, empty for all.
    ``period``: the last pair is a PERIOD (18).
    """

    name: str
    columns: tuple[str, ...]
    references: Name
    keys: tuple[str, ...]
    on_delete: Action = "NO ACTION"
    on_update: Action = "NO ACTION"
    delete_columns: tuple[str, ...] = ()
    match_full: bool = False
    period: bool = False
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One key of an index: a column name, or an expression in parentheses as PostgreSQL prints it.

    ``opclass`` (qualified) and ``collation`` are None where they are the defaults; ``operator`` is an EXCLUDE's.
    """

    expression: str
    column: str | None = None
    opclass: str | None = None
    opclass_options: tuple[str, ...] = ()
    collation: str | None = None
    descending: bool = False
    nulls_first: bool = False
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An EXCLUDE constraint: ``keys`` carry their operators."""

    name: str
    method: str
    keys: tuple[IndexKey, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    deferrable: bool = False
    deferred: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """An index of its own, that no constraint made."""

    name: str
    method: str
    keys: tuple[IndexKey, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    unique: bool = False
    nulls_not_distinct: bool = False
    options: tuple[str, ...] = ()
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """``function`` is qualified; ``when`` is the condition's text; ``constraint`` marks CREATE CONSTRAINT TRIGGER."""

    name: str
    timing: Literal["BEFORE", "AFTER", "INSTEAD OF"]
    events: tuple[Literal["INSERT", "UPDATE", "DELETE", "TRUNCATE"], ...]
    level: Literal["ROW", "STATEMENT"]
    function: Name
    arguments: tuple[str, ...] = ()
    update_columns: tuple[str, ...] = ()
    when: str | None = None
    old_table: str | None = None
    new_table: str | None = None
    constraint: bool = False
    deferrable: bool = False
    deferred: bool = False
    enabled: Literal["ORIGIN", "DISABLED", "REPLICA", "ALWAYS"] = "ORIGIN"


@dataclass(frozen=True, slots=True)
class Policy:
    """A row policy; ``roles`` holds ``PUBLIC`` for everybody."""

    name: str
    command: Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"] = "ALL"
    permissive: bool = True
    roles: tuple[str, ...] = ("PUBLIC",)
    using: str | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite rule that is not a view's own."""

    name: str
    definition: str
    enabled: Literal["ORIGIN", "DISABLED", "REPLICA", "ALWAYS"] = "ORIGIN"


@dataclass(frozen=True, slots=True)
class Table:
    """``partition_key`` is ``pg_get_partkeydef``'s text; ``partition_bound`` what stands after PARTITION OF."""

    name: Name
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    rules: tuple[Rule, ...] = ()
    inherits: tuple[Name, ...] = ()
    partition_key: str | None = None
    partition_of: Name | None = None
    partition_bound: str | None = None
    row_security: bool = False
    force_row_security: bool = False
    unlogged: bool = False
    foreign_server: str | None = None
    options: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    @property
    def primary_key(self) -> Key | None:
        """The primary key, or None."""
        return next((k for k in self.keys if k.primary), None)


@dataclass(frozen=True, slots=True)
class View:
    """A view or materialised view; ``definition`` is normalised, so that all majors print the same text."""

    name: Name
    definition: str
    columns: tuple[Column, ...] = ()
    materialized: bool = False
    check_option: Literal["LOCAL", "CASCADED"] | None = None
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[Rule, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum type; labels in their order."""

    name: Name
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain over ``type``, which may be a domain itself."""

    name: Name
    type: str
    not_null: bool = False
    default: str | None = None
    collation: str | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Composite:
    """A free-standing composite type."""

    name: Name
    attributes: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class RangeType:
    """A user-defined range type; ``multirange`` is the name of its multirange."""

    name: Name
    subtype: str
    multirange: Name
    opclass: str | None = None
    collation: str | None = None
    canonical: str | None = None
    difference: str | None = None


@dataclass(frozen=True, slots=True)
class Collation:
    """A collation. ``locale`` is libc's LC_COLLATE, or what the provider calls it; ``ctype`` where it is another."""

    name: Name
    provider: Literal["libc", "icu", "builtin"]
    locale: str
    ctype: str | None = None
    deterministic: bool = True
    rules: str | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """``owned_by`` is ``(table, column)`` for serial columns; an identity column's sequence is listed, too."""

    name: Name
    type: str = "bigint"
    start: int = 1
    increment: int = 1
    min_value: int = 1
    max_value: int = 2**63 - 1
    cache: int = 1
    cycle: bool = False
    owned_by: tuple[Name, str] | None = None
    unlogged: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function, procedure or aggregate; ``arguments`` is ``pg_get_function_identity_arguments``.

    ``signature`` has argument defaults, too. ``body`` is the source (``prosrc`` or the SQL-standard body); for an
    aggregate its definition. ``settings`` are the SET clauses, ``search_path`` among them.
    """

    name: Name
    arguments: str = ""
    signature: str = ""
    kind: Literal["FUNCTION", "PROCEDURE", "AGGREGATE", "WINDOW"] = "FUNCTION"
    returns: str | None = None
    language: str = "plpgsql"
    body: str = ""
    volatility: Literal["VOLATILE", "STABLE", "IMMUTABLE"] = "VOLATILE"
    parallel: Literal["UNSAFE", "RESTRICTED", "SAFE"] = "UNSAFE"
    security_definer: bool = False
    strict: bool = False
    leakproof: bool = False
    settings: tuple[str, ...] = ()
    cost: str | None = None
    """As the planner counts, where it is not the language's own; so are ``rows``."""
    rows: str | None = None


# What PUBLIC has on a fresh object (manual, section "Privileges"), and on the schema that every database begins with.
FRESH: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "FUNCTION": frozenset({"EXECUTE"}),
        "TYPE": frozenset({"USAGE"}),
        "DATABASE": frozenset({"CONNECT", "TEMPORARY"}),
    }
)
FRESH_PUBLIC_SCHEMA = frozenset({"USAGE"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What one role may do with one object. ``object`` is the id of it: a table, or a function with its arguments.

    Privileges of owners are left out (17 added one to them), and so are those PUBLIC has on a fresh object of the
    kind: such an entry is frozen as ``revoked`` where it was taken away.
    """

    kind: Literal["TABLE", "COLUMN", "SEQUENCE", "FUNCTION", "SCHEMA", "TYPE", "DATABASE"]
    object: str
    grantee: str
    privileges: tuple[str, ...]
    grantable: tuple[str, ...] = ()
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class DefaultPrivilege:
    """What a role gets on objects made later; ``namespace`` None means all. The granting role is left out."""

    kind: Literal["TABLE", "SEQUENCE", "FUNCTION", "SCHEMA", "TYPE"]
    grantee: str
    privileges: tuple[str, ...]
    namespace: str | None = None
    grantable: tuple[str, ...] = ()
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that is installed; its version and objects belong to the server, not to the contract."""

    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that a database says about itself, extensions' and the system's own objects left out.

    ``examples`` are the values that a system's settings give for columns: no promise, and no part of the contract.
    """

    namespaces: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()
    enums: tuple[Enum, ...] = ()
    domains: tuple[Domain, ...] = ()
    composites: tuple[Composite, ...] = ()
    ranges: tuple[RangeType, ...] = ()
    collations: tuple[Collation, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    functions: tuple[Function, ...] = ()
    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    grants: tuple[Grant, ...] = ()
    default_privileges: tuple[DefaultPrivilege, ...] = ()
    examples: Mapping[tuple[Name, str], tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)
    _tables: dict[Name, Table] = field(default_factory=dict, init=False, repr=False, compare=False)
    _children: dict[Name, list[tuple[Table, ForeignKey]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._tables.update((t.name, t) for t in self.tables)
        for table in self.tables:
            for foreign_key in table.foreign_keys:
                self._children.setdefault(foreign_key.references, []).append((table, foreign_key))

    def table(self, name: Name) -> Table | None:
        """The table of that name, or None."""
        return self._tables.get(name)

    def referencing(self, name: Name) -> Iterator[tuple[Table, ForeignKey]]:
        """Every foreign key that refers to the table of that name, with the table that holds it."""
        yield from self._children.get(name, ())


class Reason(StrEnum):
    """The kinds of reasons why a promise is unproven; the verdict's text gives the detail."""

    NO_ROW = "no row found"
    """The search came to no row, value or change that would show it; there may be none."""
    REFUSED = "something else refuses first"
    """Another constraint decided every example, or keeps the rows away that are needed."""
    TRIGGER = "a trigger raised"
    REWRITTEN = "rows are rewritten"
    """A BEFORE trigger or a rule stores another row than the one that was given, or none."""
    UNKNOWN_TYPE = "unknown type"
    ROLE = "the role cannot show it"
    """It is a superuser, or may do everything, or is not there."""
    GONE = "not there"
    NOT_REPEATABLE = "not repeatable"
    """It was contradicted once, and not again in a fresh transaction."""
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement that was sent, as SQL to paste; where it inserts one row, its table and that row as well."""

    sql: str
    table: str | None = None
    row: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Breaking:
    """What breaks a promise, row for row.

    ``around`` are the rows that had to be there, ``change`` is what should have gone otherwise; ``reference`` what it
    was compared with, if anything.
    """

    promised: str
    seen: str
    around: tuple[Step, ...] = ()
    change: tuple[Step, ...] = ()
    reference: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one promise. ``accepts`` and ``rejects`` count the examples that say so.

    ``counterexample`` is SQL to paste into psql, ``reason`` says why a promise is unproven, or what else is to be told.
    ``because`` is the kind of that reason, for those that are unproven.
    ``table`` is the id of the table (or type, or function) whose promise it is. ``accepted`` and ``refused`` show the
    first values of the promise's columns that were tried, its boundaries; ``breaking`` is the counterexample in parts.
    """

    id: str
    kind: str
    clause: str
    verdict: Literal["proven", "broken", "unproven", "not covered"]
    accepts: int = 0
    rejects: int = 0
    seconds: float = 0.0
    reason: str | None = None
    counterexample: str | None = None
    because: Reason | None = None
    table: str | None = None
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    breaking: Breaking | None = None
