"""Tables and views with everything that belongs to one of them. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Literal, TypeVar

from pgcontract.catalog.columns import check, column
from pgcontract.catalog.triggers import trigger
from pgcontract.catalog.viewtext import normalised
from pgcontract.catalog.words import ACTIONS, COMMANDS, ENABLED
from pgcontract.model import (
    Exclusion,
    ForeignKey,
    Index,
    IndexKey,
    Key,
    Name,
    Policy,
    Rule,
    Table,
    Trigger,
    View,
)

Rows = Mapping[str, Sequence[Any]]
T = TypeVar("T")

by_name = attrgetter("name")

CHECK_OPTIONS: Mapping[str, Literal["LOCAL", "CASCADED"]] = {"local": "LOCAL", "cascaded": "CASCADED"}


class Relations:
    """Joins rows by oid once, so that the server need not be asked about one table at a time.

    ``names`` holds every relation, ``kept`` those that are frozen: neither ignored nor an extension's.
    """

    def __init__(self, rows: Rows, *, ignore: frozenset[Name], roles: Mapping[str, str]) -> None:
        self._rows = rows
        self._roles = roles
        self.names = {row.oid: Name(row.namespace, row.name) for row in rows["relations"]}
        self.kept = {
            row.oid: name
            for row in rows["relations"]
            if not row.of_extension and (name := self.names[row.oid]) not in ignore
        }
        self._column_names = {(row.relation, row.number): row.name for row in rows["columns"]}
        self._columns = self._group("columns", column)
        self._index_keys: defaultdict[int, list[IndexKey]] = defaultdict(list)
        for row in rows["index_keys"]:
            self._index_keys[row.index].append(_index_key(row))
        self._indexes = {row.oid: row for row in rows["indexes"]}
        self._own_indexes = self._group("indexes", self._index, where=lambda row: row.constraint_kind is None)
        self._triggers = self._group("triggers", self._trigger)
        self._rules = self._group("rules", lambda row: Rule(row.name, row.definition, ENABLED[row.enabled]))

    def column_name(self, relation: int, number: int) -> str:
        """The name of a column by its relation's oid and its number."""
        name: str = self._column_names[relation, number]
        return name

    def tables(self) -> tuple[Table, ...]:
        """Ordinary, partitioned and foreign tables and partitions, sorted by name."""
        keys = self._group("constraints", self._key, where=lambda row: row.kind in {"p", "u"})
        checks = self._group("constraints", check, where=lambda row: row.kind == "c")
        foreign_keys = self._group("constraints", self._foreign_key, where=lambda row: row.kind == "f")
        exclusions = self._group("constraints", self._exclusion, where=lambda row: row.kind == "x")
        policies = self._group("policies", self._policy)
        parents = self._group("inheritance", lambda row: Name(row.namespace, row.name))
        made = (
            Table(
                name=self.kept[row.oid],
                columns=tuple(self._columns[row.oid]),
                keys=_sorted(keys[row.oid]),
                checks=_sorted(checks[row.oid]),
                foreign_keys=_sorted(foreign_keys[row.oid]),
                exclusions=_sorted(exclusions[row.oid]),
                indexes=_sorted(self._own_indexes[row.oid]),
                triggers=_sorted(self._triggers[row.oid]),
                policies=_sorted(policies[row.oid]),
                rules=_sorted(self._rules[row.oid]),
                inherits=() if row.is_partition else tuple(parents[row.oid]),
                partition_key=row.partition_key,
                partition_of=parents[row.oid][0] if row.is_partition else None,
                partition_bound=row.partition_bound,
                row_security=row.row_security,
                force_row_security=row.force_row_security,
                unlogged=row.unlogged,
                foreign_server=row.foreign_server,
                options=tuple(sorted(row.options or ())),
            )
            for row in self._rows["relations"]
            if row.oid in self.kept and row.kind in "rpf"
        )
        return tuple(sorted(made, key=by_name))

    def views(self) -> tuple[View, ...]:
        """Views and materialised views, sorted by name."""
        definitions = {row.relation: row.definition for row in self._rows["views"]}
        made = []
        for row in self._rows["relations"]:
            if row.oid not in self.kept or row.kind not in "vm":
                continue
            options = dict(option.partition("=")[::2] for option in row.options or ())
            check_option = CHECK_OPTIONS.get(options.pop("check_option", ""))
            made.append(
                View(
                    name=self.kept[row.oid],
                    definition=normalised(definitions[row.oid]),
                    columns=tuple(self._columns[row.oid]),
                    materialized=row.kind == "m",
                    check_option=check_option,
                    indexes=_sorted(self._own_indexes[row.oid]),
                    triggers=_sorted(self._triggers[row.oid]),
                    rules=_sorted(self._rules[row.oid]),
                    options=tuple(sorted(f"{name}={value}" for name, value in options.items())),
                )
            )
        return tuple(sorted(made, key=by_name))

    def _group(
        self, concept: str, make: Callable[[Any], T], *, where: Callable[[Any], bool] = lambda _: True
    ) -> defaultdict[int, list[T]]:
        made: defaultdict[int, list[T]] = defaultdict(list)
        for row in self._rows[concept]:
            if row.relation in self.kept and where(row):
                made[row.relation].append(make(row))
        return made

    def _names(self, relation: int, numbers: Iterable[int] | None) -> tuple[str, ...]:
        return tuple(self._column_names[relation, number] for number in numbers or ())

    def _included(self, index: Any) -> tuple[str, ...]:
        return self._names(index.relation, index.columns[index.key_count :])

    def _key(self, row: Any) -> Key:
        index = self._indexes[row.index]
        return Key(
            name=row.name,
            columns=self._names(row.relation, row.columns[: index.key_count]),
            primary=row.kind == "p",
            include=self._included(index),
            nulls_not_distinct=index.nulls_not_distinct,
            without_overlaps=row.period,
            deferrable=row.deferrable,
            deferred=row.deferred,
            options=tuple(sorted(index.options or ())),
        )

    def _foreign_key(self, row: Any) -> ForeignKey:
        return ForeignKey(
            name=row.name,
            columns=self._names(row.relation, row.columns),
            references=self.names[row.referenced],
            keys=self._names(row.referenced, row.keys),
            on_delete=ACTIONS[row.on_delete],
            on_update=ACTIONS[row.on_update],
            delete_columns=self._names(row.relation, row.delete_columns),
            match_full=row.match_full,
            period=row.period,
            deferrable=row.deferrable,
            deferred=row.deferred,
            validated=row.validated,
            enforced=row.enforced,
        )

    def _exclusion(self, row: Any) -> Exclusion:
        index = self._indexes[row.index]
        keys = zip(self._index_keys[row.index], row.operators, strict=True)
        return Exclusion(
            name=row.name,
            method=index.method,
            keys=tuple(replace(key, operator=operator) for key, operator in keys),
            include=self._included(index),
            predicate=index.predicate,
            deferrable=row.deferrable,
            deferred=row.deferred,
            options=tuple(sorted(index.options or ())),
        )

    def _index(self, row: Any) -> Index:
        return Index(
            name=row.name,
            method=row.method,
            keys=tuple(self._index_keys[row.oid]),
            include=self._included(row),
            predicate=row.predicate,
            unique=row.is_unique,
            nulls_not_distinct=row.nulls_not_distinct,
            options=tuple(sorted(row.options or ())),
            valid=row.valid,
        )

    def _trigger(self, row: Any) -> Trigger:
        return trigger(row, self._names(row.relation, map(int, row.columns.split())))

    def _policy(self, row: Any) -> Policy:
        return Policy(
            name=row.name,
            command=COMMANDS[row.command],
            permissive=row.permissive,
            roles=tuple(sorted(self._roles.get(role, role) for role in row.roles)),
            using=row.using_expression,
            check=row.check_expression,
        )


def _sorted(things: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(things, key=by_name))


def _index_key(row: Any) -> IndexKey:
    return IndexKey(
        expression=row.expression,
        column=row.column,
        opclass=row.opclass,
        opclass_options=tuple(row.opclass_options or ()),
        collation=row.collation,
        descending=row.descending,
        nulls_first=row.nulls_first,
    )
