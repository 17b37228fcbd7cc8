"""Access lists -> grants, without what every server has anyway. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pgcontract.catalog.words import DEFAULT_KINDS
from pgcontract.model import FRESH, FRESH_PUBLIC_SCHEMA, DefaultPrivilege, Grant

PUBLIC = "PUBLIC"

TABLE_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"})

# The database's own name is no part of a contract: tests run in clones of other names.
DATABASE = "database"


def grants(
    rows: Iterable[Any],
    *,
    objects: Mapping[tuple[str, int], str],
    columns: Mapping[tuple[int, int], str],
    roles: Mapping[str, str],
) -> tuple[Grant, ...]:
    """Grants on the given objects, sorted. ``objects`` is keyed by kind and oid, ``columns`` by oid and number."""
    lists: defaultdict[tuple[Any, str], list[Any]] = defaultdict(list)
    for row in rows:
        if row.kind == "DATABASE":
            name: str | None = DATABASE
        elif row.kind == "COLUMN":
            name = columns.get((row.object, row.number))
        else:
            name = objects.get((row.kind, row.object))
        if name is not None:
            lists[row.kind, name].append(row)
    made = []
    for (kind, name), entries in lists.items():
        fresh = FRESH_PUBLIC_SCHEMA if (kind, name) == ("SCHEMA", "public") else FRESH.get(kind, frozenset())
        for grantee, privileges, grantable, revoked in _entries(entries, fresh, table=kind == "TABLE"):
            role = grantee if grantee == PUBLIC else roles.get(grantee, grantee)
            made.append(Grant(kind, name, role, privileges, grantable, revoked))
    return tuple(sorted(made, key=lambda g: (g.kind, g.object, g.grantee, g.revoked)))


def default_privileges(rows: Iterable[Any], *, roles: Mapping[str, str]) -> tuple[DefaultPrivilege, ...]:
    """Default privileges of all granting roles together, sorted."""
    lists: defaultdict[tuple[int, str, str | None], list[Any]] = defaultdict(list)
    for row in rows:
        lists[row.list, row.kind, row.namespace].append(row)
    merged: defaultdict[tuple[Any, str | None, str, bool], tuple[set[str], set[str]]] = defaultdict(
        lambda: (set(), set())
    )
    for (_, code, namespace), entries in lists.items():
        kind = DEFAULT_KINDS[code]
        # Only a list for all schemas replaces what a new object gets; a schema's list adds to it.
        fresh = FRESH.get(kind, frozenset()) if namespace is None else frozenset[str]()
        for grantee, privileges, grantable, revoked in _entries(entries, fresh, table=kind == "TABLE"):
            role = grantee if grantee == PUBLIC else roles.get(grantee, grantee)
            has, may_grant = merged[kind, namespace, role, revoked]
            has.update(privileges)
            may_grant.update(grantable)
    made = (
        DefaultPrivilege(kind, role, tuple(sorted(has)), namespace, tuple(sorted(may_grant)), revoked)
        for (kind, namespace, role, revoked), (has, may_grant) in merged.items()
    )
    return tuple(sorted(made, key=lambda d: (d.kind, d.namespace or "", d.grantee, d.revoked)))


def _entries(
    rows: Iterable[Any], fresh: frozenset[str], *, table: bool
) -> Iterable[tuple[str, tuple[str, ...], tuple[str, ...], bool]]:
    """(grantee, privileges, grantable, revoked) of one access list."""
    held: defaultdict[str, set[str]] = defaultdict(set)
    grantable: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.privilege is None:
            continue
        held[row.grantee].add(row.privilege)
        if row.grantable:
            grantable[row.grantee].add(row.privilege)
    for grantee, privileges in held.items():
        listed = privileges - fresh if grantee == PUBLIC else privileges
        if listed:
            yield (
                grantee,
                tuple(sorted(_portable(listed) if table else listed)),
                tuple(sorted(_portable(grantable[grantee]) if table else grantable[grantee])),
                False,
            )
    if taken := fresh - held[PUBLIC]:
        yield PUBLIC, tuple(sorted(taken)), (), True


def _portable(privileges: set[str]) -> set[str]:
    """17 and later put MAINTAIN into GRANT ALL: where all the others are held, it says nothing more."""
    return privileges - {"MAINTAIN"} if privileges >= TABLE_PRIVILEGES else privileges
