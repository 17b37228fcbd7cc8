"""What a contract says of who may do what: read from its catalog alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pgcontract.contract import function_id
from pgcontract.contract.ids import column_path
from pgcontract.model import FRESH, FRESH_PUBLIC_SCHEMA, Catalog, Grant, Table, View
from pgcontract.promises.permission.relations import MAINTAIN, OF_COLUMNS, PRIVILEGES, ColumnTarget, TableTarget
from pgcontract.promises.permission.roles import PUBLIC
from pgcontract.promises.permission.targets import (
    DatabaseTarget,
    NamespaceTarget,
    RoutineTarget,
    SequenceTarget,
    Target,
    TypeTarget,
)

Key = tuple[str, str]
"""The kind of an object, and its id."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far somebody reaches: ``may`` is all that is allowed on the target, ``open`` what the contract leaves open.

    ``by_column`` are privileges that are held on some of its columns.
    """

    target: Target
    may: frozenset[str]
    open: frozenset[str] = frozenset()
    by_column: frozenset[str] = frozenset()


@dataclass
class Grants:
    """All grants of a catalog, by object."""

    catalog: Catalog
    targets: dict[Key, Target] = field(init=False)
    _given: defaultdict[tuple[Key, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _taken: defaultdict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    _columns: defaultdict[tuple[str, str], dict[str, set[str]]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        self.targets = dict(_targets(self.catalog))
        for grant in self.catalog.grants:
            key = grant.kind, grant.object
            if grant.revoked:
                self._taken[key] |= set(grant.privileges)
            else:
                self._given[key, grant.grantee] |= set(grant.privileges)
            target = self.targets.get(key)
            if isinstance(target, ColumnTarget):
                self._columns[target.of.object, grant.grantee][target.column] = set(grant.privileges)

    def given(self, key: Key, grantee: str) -> frozenset[str]:
        """What was granted to somebody by name, or what PUBLIC has."""
        given = self._given.get((key, grantee), set())
        if grantee == PUBLIC:
            fresh = FRESH_PUBLIC_SCHEMA if key == ("SCHEMA", "public") else FRESH.get(key[0], frozenset())
            given = given | (fresh - self._taken.get(key, set()))
        return frozenset(given)

    def reach(self, key: Key, grantee: str) -> Reach:
        """How far a grantee reaches, as itself and as anybody."""
        target = self.targets[key]
        may = self.given(key, grantee) | self.given(key, PUBLIC)
        left: frozenset[str] = frozenset()
        by_column: set[str] = set()
        if isinstance(target, ColumnTarget):
            of = "TABLE", target.of.object
            may |= (self.given(of, grantee) | self.given(of, PUBLIC)) & set(OF_COLUMNS)
        elif isinstance(target, TableTarget):
            left = frozenset({MAINTAIN}) if may >= set(PRIVILEGES) else left
            for role in (grantee, PUBLIC):
                by_column |= {p for granted in self._columns.get((target.object, role), {}).values() for p in granted}
        return Reach(target, may, left, frozenset(by_column))

    def beyond(self, grantee: str, namespace: str) -> Iterator[Reach]:
        """Everything in a schema on which nothing was granted to somebody by name.

        Of a table of which some columns were, these are the table itself and the other columns.
        """
        for key, target in self.targets.items():
            if target.namespace != namespace or self._given.get((key, grantee)):
                continue
            if not isinstance(target, ColumnTarget) or self._columns.get((target.of.object, grantee)):
                yield self.reach(key, grantee)

    @cached_property
    def covering(self) -> Mapping[Grant, tuple[str, ...]]:
        """The schemas whose ``beyond`` a grant's promise is to cover: each is covered by one of a grantee's."""
        chosen: dict[tuple[str, str], Grant] = {}
        for grant in self.catalog.grants:
            target = self.targets.get((grant.kind, grant.object))
            if grant.revoked or grant.grantee == PUBLIC or target is None:
                continue
            namespace = grant.object if grant.kind == "SCHEMA" else target.namespace
            if namespace is not None and (grant.kind == "SCHEMA" or (grant.grantee, namespace) not in chosen):
                chosen[grant.grantee, namespace] = grant
        covered: defaultdict[Grant, tuple[str, ...]] = defaultdict(tuple)
        for (_, namespace), grant in chosen.items():
            covered[grant] += (namespace,)
        return covered


def _targets(catalog: Catalog) -> Iterator[tuple[Key, Target]]:
    relations: tuple[Table | View, ...] = (*catalog.tables, *catalog.views)
    for relation in relations:
        table = TableTarget(_bare(relation))
        yield ("TABLE", table.object), table
        for column in relation.columns:
            yield ("COLUMN", column_path(relation.name, column.name)), ColumnTarget(table, column.name)
    for sequence in catalog.sequences:
        yield ("SEQUENCE", str(sequence.name)), SequenceTarget(sequence.name)
    for function in catalog.functions:
        yield ("FUNCTION", function_id(function.name, function.arguments)), RoutineTarget.of(function)
    for kind in (catalog.enums, catalog.domains, catalog.composites, catalog.ranges):
        for type_ in kind:
            yield ("TYPE", str(type_.name)), TypeTarget(type_.name)
    for namespace in catalog.namespaces:
        yield ("SCHEMA", namespace), NamespaceTarget(namespace)
    yield ("DATABASE", "database"), DatabaseTarget("database")


def _bare(relation: Table | View) -> Table | View:
    """What the deeds need of it: promises travel to other processes."""
    if isinstance(relation, View):
        return View(relation.name, "", relation.columns, relation.materialized)
    return replace(relation, checks=(), foreign_keys=(), exclusions=(), indexes=(), triggers=(), policies=(), rules=())
