"""How a live catalog differs from the frozen one, in words. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from pgcontract.contract import ids
from pgcontract.contract.breaking import WRITERS, Party, broken_for, idle
from pgcontract.contract.clauses import identifier, one_line
from pgcontract.contract.promised import Promised, promised, unique_ids
from pgcontract.model import Catalog, Table

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One promise that is not as it was frozen: ``frozen`` and ``live`` are its clauses, None where there is none.

    ``part_of`` is the id of the thing that was added or removed with all of its promises, this one among them.
    ``breaks`` says who may no longer do what was promised: readers, writers, both or nobody.
    """

    kind: str
    promise_id: str
    change: Change
    frozen: str | None
    live: str | None
    part_of: str | None = None
    breaks: tuple[Party, ...] = ()

    def __str__(self) -> str:
        # A column's type comes and goes with the column.
        kind = "column" if self.kind == "column type" and self.change != "changed" else self.kind
        if self.change == "removed":
            return f"{self.promise_id}: the {kind} was dropped: {self.frozen}"
        if self.change == "added":
            article = "an" if kind[0] in "aeio" else "a"
            return f"{self.promise_id}: {article} {kind} was added: {self.live}"
        if kind == "not null":
            return f"{self.promise_id}: NOT NULL was dropped: {self.frozen} became {self.live}"
        if kind == "null allowed":
            return f"{self.promise_id}: NOT NULL was added: {self.frozen} became {self.live}"
        return f"{self.promise_id}: the {kind} changed from {self.frozen} to {self.live}"


def drift(frozen: Catalog, live: Catalog) -> tuple[Difference, ...]:
    """Every promise that was added, removed or changed; empty exactly where the catalogs are equal."""
    if frozen == live:
        return ()
    return tuple(_differences(frozen, live))


def headlines(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences without those that a dropped or added table, column or foreign key says already."""
    return tuple(d for d in differences if d.part_of is None)


def _differences(frozen: Catalog, live: Catalog) -> Iterator[Difference]:
    before = {promise.key: promise for promise in promised(frozen)}
    after = {promise.key: promise for promise in promised(live)}
    # A promise keeps the id under which it was frozen, even if something else came that looks like it.
    named = {**unique_ids(live), **unique_ids(frozen)}
    removed = {key: named[key] for key in before.keys() - after.keys()}
    added = {key: named[key] for key in after.keys() - before.keys()}
    for key, was in before.items():
        now = after.get(key)
        if now is None:
            breaks = broken_for(was.kind, "removed", was.clause, None)
            yield Difference(was.kind, named[key], "removed", was.clause, None, _whole(key, removed), breaks)
        elif was.facts != now.facts or was.kind != now.kind:
            told = _told(was, now)
            unnoticed = was.kind == now.kind and idle(was.kind, was.facts, now.facts)
            breaks = () if unnoticed else broken_for(was.kind, "changed", *told)
            yield Difference(was.kind, named[key], "changed", *told, breaks=breaks)
    for key, now in after.items():
        if key not in before:
            whole = _whole(key, added)
            # What comes with a new table breaks nobody; a new column does, if every INSERT must now name it.
            demanded = now.kind == "column type" and whole is None and _must_be_given(key, after)
            breaks = WRITERS if demanded else broken_for(now.kind, "added", None, now.clause) if whole is None else ()
            yield Difference(now.kind, named[key], "added", None, now.clause, whole, breaks)
    yield from _orders(frozen, live)


def _must_be_given(key: tuple[str, ...], after: dict[tuple[str, ...], Promised]) -> bool:
    """Whether a column is NOT NULL and gets no value by itself; ``key`` is its type's."""
    column = key[:-1]
    filled = any((*column, aspect) in after for aspect in ("default", "generated", "identity"))
    return after[*column, "null"].kind == "not null" and not filled


def _whole(key: tuple[str, ...], gone: dict[tuple[str, ...], str]) -> str | None:
    """The id of the table, view, domain, column or foreign key that came or went together with this promise."""
    section, *names = key
    owner = tuple(names[:2])
    parents = [("table", *owner), ("view", *owner)] if section not in {"table", "view", "domain"} else []
    if section == "domain check":
        parents = [("domain", *owner)]
    if section == "column" and names[-1] != "type":
        parents.append(("column", *names[:-1], "type"))
    if section == "constraint" and names[-1]:
        parents.append(("constraint", *names[:-1], ""))
    return next((gone[parent] for parent in parents if parent in gone), None)


def _told(was: Promised, now: Promised) -> tuple[str, str]:
    """Both clauses; of a body of many lines, the first line that differs."""
    if was.clause != now.clause and (was.body is None or was.body == now.body):
        return was.clause, now.clause
    pairs = zip_longest((was.body or "").split("\n"), (now.body or "").split("\n"))
    for number, (old, new) in enumerate(pairs, 1):
        if old != new:
            return f"body line {number}, {_line(old)}", f"body line {number}, {_line(new)}"
    return f"{was.clause} {was.facts}", f"{now.clause} {now.facts}"


def _line(text: str | None) -> str:
    return "no such line" if text is None else f"`{text.strip()}`"


def _orders(frozen: Catalog, live: Catalog) -> Iterator[Difference]:
    """Tables that have their columns in another order than promised; added and removed ones do not count."""
    for table in frozen.tables:
        other = live.table(table.name)
        if other is None:
            continue
        was, now = _shared(table, other), _shared(other, table)
        if was != now:
            told = _listed(was), _listed(now)
            breaks = broken_for("table", "changed", *told)
            yield Difference("table", ids.table_id(table.name), "changed", *told, breaks=breaks)


def _shared(one: Table, other: Table) -> tuple[str, ...]:
    return tuple(column.name for column in one.columns if other.column(column.name) is not None)


def _listed(names: tuple[str, ...]) -> str:
    return one_line("(" + ", ".join(map(identifier, names)) + ")")
