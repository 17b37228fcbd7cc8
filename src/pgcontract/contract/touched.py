"""Which promises a change of a schema can reach: what changed itself, and what depends on it. No I/O.

What a function's body, a view or a CHECK depends on is taken from the words in it, those in quotes as well, since
`EXECUTE` and `nextval` take names as texts. A word does not say which of two things of that name is meant, or whether
it is a name at all: so too much is tried rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pgcontract.contract.promised import Promised, promised, unique_ids
from pgcontract.model import Catalog, Column, Index, Name, Table, Trigger, View

_WORD = re.compile(r"\w+")
_IDLE = frozenset({"NO ACTION", "RESTRICT"})
_GLOBAL = ("schema", "extension", "privilege", "default privilege")


@dataclass(frozen=True, slots=True)
class Touched:
    """``changed`` are the tables, views, types and functions that differ, ``reached`` those that depend on them.

    ``ids`` are the promises of all of them.
    """

    changed: tuple[str, ...]
    reached: tuple[str, ...]
    ids: frozenset[str]


def touched(before: Catalog, after: Catalog, contract: Catalog, contract_before: Catalog | None = None) -> Touched:
    """What a change from one catalog to the other, or of the contract itself, reaches of the contract's promises.

    Reached are a changed table's parents and children by foreign keys and its partitions, what is above its parents by
    cascades, the views over it, the functions that name it, and the tables whose triggers call those; in the same way
    what depends on a changed type, view, sequence or function.
    """
    keys = _changed(before, after)
    if contract_before is not None:
        keys |= _changed(contract_before, contract)
    owners = {owner for key in keys if (owner := _owner(key)) is not None}
    graph = _Graph()
    for catalog in (before, after, contract):
        graph.add(catalog)
    owners |= graph.owning(owners)
    reached = graph.reached(owners)
    ids = unique_ids(contract)
    found = frozenset(ids[p.key] for p in promised(contract) if p.key in keys or _belongs(p, owners | reached))
    return Touched(_told(owners), _told(reached - owners), found)


def _told(names: Iterable[Name]) -> tuple[str, ...]:
    return tuple(sorted(map(str, names)))


def _changed(before: Catalog, after: Catalog) -> set[tuple[str, ...]]:
    """The keys of all promises that were added, removed or changed."""
    was = {p.key: (p.kind, p.facts) for p in promised(before)}
    now = {p.key: (p.kind, p.facts) for p in promised(after)}
    return {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}


def _owner(key: tuple[str, ...]) -> Name | None:
    """The table, view, type, sequence or function that a promise is of; None where it is of none."""
    section, *names = key
    return None if section in _GLOBAL else Name(names[0], names[1])


def _belongs(promise: Promised, owners: Iterable[Name]) -> bool:
    owner = _owner(promise.key)
    if owner is not None:
        return owner in owners
    if promise.kind != "privilege":
        return False
    thing = promise.key[2]
    return any(thing == str(one) or thing.startswith((f"{one}.", f"{one}(")) for one in owners)


@dataclass
class _Graph:
    """What each thing of some catalogs speaks of, and how tables hang together."""

    words: dict[Name, set[str]] = field(default_factory=dict)
    tables: set[Name] = field(default_factory=set)
    neighbours: dict[Name, set[Name]] = field(default_factory=dict)
    acting: dict[Name, set[Name]] = field(default_factory=dict)
    """Parents whose loss changes a table's rows, by table."""
    family: dict[Name, set[Name]] = field(default_factory=dict)
    owned: dict[Name, Name] = field(default_factory=dict)

    def add(self, catalog: Catalog) -> None:
        """Take all of a catalog in."""
        for name, texts in _texts(catalog):
            self.words.setdefault(name, set()).update(_words(*texts))
        for table in catalog.tables:
            self.tables.add(table.name)
            for foreign_key in table.foreign_keys:
                _link(self.neighbours, table.name, foreign_key.references)
                if {foreign_key.on_delete, foreign_key.on_update} - _IDLE:
                    self.acting.setdefault(table.name, set()).add(foreign_key.references)
            for parent in (*table.inherits, *([table.partition_of] if table.partition_of else [])):
                _link(self.family, table.name, parent)
        self.owned.update((s.name, s.owned_by[0]) for s in catalog.sequences if s.owned_by is not None)

    def owning(self, names: Iterable[Name]) -> set[Name]:
        """The tables of sequences that columns own, and everything that is one with a table by partition or descent."""
        found = {self.owned[name] for name in names if name in self.owned}
        waiting = [*names, *found]
        while waiting:
            more = self.family.get(waiting.pop(), set()) - found
            found |= more
            waiting += more
        return found

    def reached(self, changed: Iterable[Name]) -> set[Name]:
        """What depends on these; a table that does so is reached, and nothing beyond it."""
        found = {name for one in changed for name in self.neighbours.get(one, ())}
        # what stops a cascade at its end stops it for all above
        above = list(found)
        while above:
            more = self.acting.get(above.pop(), set()) - found
            found |= more
            above += more
        spreading, seen = list(changed), set(changed)
        while spreading:
            spoken = _words(spreading.pop().name)
            for name, words in self.words.items():
                if name not in seen and spoken <= words:
                    seen.add(name)
                    found.add(name)
                    if name not in self.tables:
                        spreading.append(name)
        return found | {name for name, owner in self.owned.items() if owner in found}


def _words(*texts: str) -> set[str]:
    """All words of some texts, as they stand there: PostgreSQL folds names that are not quoted, people do not."""
    return {word for text in texts for found in _WORD.findall(text) for word in (found, found.lower())}


def _link(links: dict[Name, set[Name]], one: Name, other: Name) -> None:
    links.setdefault(one, set()).add(other)
    links.setdefault(other, set()).add(one)


def _texts(catalog: Catalog) -> Iterator[tuple[Name, Iterable[str]]]:
    """Everything that can depend on something, with the texts that name what it depends on."""
    for table in catalog.tables:
        yield table.name, _spoken(_of_table(table))
    for view in catalog.views:
        yield view.name, _spoken((view.definition, *_of_relation(view)))
    for function in catalog.functions:
        yield function.name, _spoken((function.body, function.signature, function.returns))
    for domain in catalog.domains:
        yield domain.name, _spoken((domain.type, domain.default, *(c.expression for c in domain.checks)))
    for composite in catalog.composites:
        yield composite.name, _spoken(c.type for c in composite.attributes)
    for range_type in catalog.ranges:
        yield range_type.name, _spoken((range_type.subtype, range_type.canonical, range_type.difference))


def _spoken(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _of_table(table: Table) -> Iterator[str | None]:
    yield from (check.expression for check in table.checks)
    for policy in table.policies:
        yield from (policy.using, policy.check)
    for exclusion in table.exclusions:
        yield from (key.expression for key in exclusion.keys)
        yield exclusion.predicate
    yield table.partition_key
    yield from _of_relation(table)


def _of_relation(relation: Table | View) -> Iterator[str | None]:
    for column in relation.columns:
        yield from _of_column(column)
    for index in relation.indexes:
        yield from _of_index(index)
    for trigger in relation.triggers:
        yield from _of_trigger(trigger)
    yield from (rule.definition for rule in relation.rules)


def _of_column(column: Column) -> tuple[str | None, ...]:
    return column.type, column.default, column.generated


def _of_index(index: Index) -> Iterator[str | None]:
    yield from (key.expression for key in index.keys)
    yield index.predicate


def _of_trigger(trigger: Trigger) -> tuple[str | None, ...]:
    return trigger.function.name, trigger.when
