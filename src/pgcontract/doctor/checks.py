"""The checks: pure functions of what was read. Each says what was seen and, where that is wrong, what to do."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pgcontract.doctor.facts import Facts, Table
from pgcontract.doctor.searches import unnamed_searches
from pgcontract.migrations import Status
from pgcontract.model import Name
from pgcontract.server import SUPPORTED

_MOST_NAMED: Final = 5
_UTC: Final = frozenset(
    {"utc", "etc/utc", "uct", "etc/uct", "zulu", "etc/zulu", "universal", "etc/universal", "gmt", "etc/gmt"}
)
STATISTICS: Final = "pg_stat_statements"
_READS: Final = "a role that only reads needs no such right: give the DSN of the one that migrates"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``ok`` is None where it could not be made. ``remedy`` says what to do where it is not ok."""

    name: str
    ok: bool | None
    seen: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a system needs: from system.toml, its files, and its contract (``tables`` is None where there is none).

    ``brought``: the tables into which migrations insert rows, with the places where they do.
    """

    path: str
    extensions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tables: frozenset[Name] | None = None
    seeded: tuple[str, ...] = ()
    brought: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seed: bool = False
    queries: tuple[tuple[str, str], ...] = ()


def checks(facts: Facts, wanted: Wanted, status: Status | str | None) -> Iterator[Check]:
    """All checks but that of the connection. ``status``: of the migrations, why there is none, or None for one file."""
    yield version(facts)
    yield writable(facts)
    yield encoding(facts)
    yield collation(facts)
    yield from extensions(facts, wanted)
    yield from roles(facts, wanted)
    yield from rights(facts)
    yield from migrations(wanted, status)
    yield tables(facts, wanted)
    yield indexes(facts)
    yield triggers(facts)
    yield rows(facts, wanted)
    yield from settings(facts, wanted)


def version(facts: Facts) -> Check:
    """A major version that the schemas are tested on."""
    known = f"{SUPPORTED[0]} to {SUPPORTED[-1]}"
    return _check("version", f"PostgreSQL {facts.version}", facts.major in SUPPORTED, f"use one of PostgreSQL {known}")


def writable(facts: Facts) -> Check:
    """A primary whose transactions may write."""
    if facts.standby:
        return Check("primary", False, "a standby: it only reads", "give the DSN of its primary")
    read_only = facts.settings.get("default_transaction_read_only") == "on"
    role, database = f"ALTER ROLE {quoted(facts.user)}", quoted(facts.database)
    who = {
        "database": f"ALTER DATABASE {database}",
        "user": role,
        "database user": f"{role} IN DATABASE {database}",
        "global": "ALTER ROLE ALL",
        "configuration file": "ALTER SYSTEM",
    }.get(facts.read_only_by)
    remedy = (
        f"{who} RESET default_transaction_read_only; then connect anew"
        if who
        else f"take default_transaction_read_only out of what sets it: {facts.read_only_by or 'the session'}"
    )
    if facts.read_only_by in {"user", "database user"}:
        remedy += f"; where {facts.user} is only to read, ask as the role that migrates: --dsn with another user"
    return _check("primary", "transactions only read" if read_only else "it can be written to", not read_only, remedy)


def encoding(facts: Facts) -> Check:
    """UTF-8, so that every text is one."""
    remedy = (
        f"dump it, CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8', and restore: {facts.encoding} cannot be"
        " changed in place"
    )
    return _check("encoding", facts.encoding, facts.encoding == "UTF8", remedy)


def collation(facts: Facts) -> Check:
    """Text is sorted as it was when the indexes were made."""
    recorded, actual = facts.collation
    if recorded is None or actual is None or recorded == actual:
        return Check("collation", True, f"version {actual}" if actual else "no version is recorded")
    remedy = (
        f"REINDEX DATABASE {quoted(facts.database)}; then ALTER DATABASE {quoted(facts.database)}"
        " REFRESH COLLATION VERSION"
    )
    return Check("collation", False, f"indexes were made with version {recorded}, now it is {actual}", remedy)


def extensions(facts: Facts, wanted: Wanted) -> Iterator[Check]:
    """Each that system.toml names is installed; pg_stat_statements counts only where it is preloaded, too."""
    for name in wanted.extensions:
        what = f"extension {name}"
        if name not in facts.installed:
            if name not in facts.available:
                remedy = "install the package on the server that brings it (postgresql-contrib), then CREATE EXTENSION"
                yield Check(what, False, "the server does not have it", remedy)
                continue
            yield Check(what, False, "not installed", f"CREATE EXTENSION {quoted(name)}; (migrate up does it in init/)")
        elif name == STATISTICS and not facts.preloaded:
            remedy = f"add {name} to shared_preload_libraries in postgresql.conf and restart the server"
            yield Check(what, False, "installed, and counts nothing: it is not preloaded", remedy)
        else:
            yield Check(what, True, facts.installed[name])


def roles(facts: Facts, wanted: Wanted) -> Iterator[Check]:
    """Each that the scripts make is there."""
    for role in wanted.roles:
        seen = "there" if role in facts.roles else "missing"
        remedy = f"pgcontract migrate up {wanted.path} makes it in init/, or CREATE ROLE {quoted(role)} NOLOGIN"
        yield _check(f"role {role}", seen, role in facts.roles, remedy)


def rights(facts: Facts) -> Iterator[Check]:
    """Whoever asks could migrate: may create, owns what is there, reads it all."""
    user = quoted(facts.user)
    if facts.may_create is None:
        schema = facts.database_create
        remedy = f"GRANT CREATE ON DATABASE {quoted(facts.database)} TO {user}, or CREATE SCHEMA {quoted(facts.schema)}"
        yield _check("right to create", f"{facts.user}: there is no such schema", schema, remedy)
    else:
        may = facts.may_create
        remedy = f"GRANT CREATE ON SCHEMA {quoted(facts.schema)} TO {user}, as its owner; {_READS}"
        yield _check("right to create", f"{facts.user} {'may' if may else 'may not'}", may, remedy)
    foreign = [table for table in facts.tables if not table.owned]
    owners = ", ".join(sorted({table.owner for table in foreign}))
    seen = f"{_names(foreign)} belong to {owners}" if foreign else f"{facts.user} owns every table"
    members = "; ".join(f"GRANT {quoted(owner)} TO {user}" for owner in sorted({t.owner for t in foreign}))
    yield _check("ownership", seen, not foreign, f"migrate as {owners}; or {members}; {_READS}")
    hidden = [table for table in facts.tables if not table.readable]
    seen = f"{facts.user} may not read {_names(hidden)}" if hidden else f"{facts.user} may read every table"
    grants = "; ".join(
        f"GRANT USAGE ON SCHEMA {name} TO {user}; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {user}"
        for name in sorted({quoted(table.name.namespace) for table in hidden})
    )
    owners = ", ".join(sorted({table.owner for table in hidden}))
    yield _check("right to read", seen, not hidden, f"{grants} (as {owners}); or give the DSN of {owners}")


def migrations(wanted: Wanted, status: Status | str | None) -> Iterator[Check]:
    """All applied, to their end, from files that are there and as they were."""
    if status is None:
        yield Check("migrations", None, "one file, of which nothing is recorded")
        return
    if isinstance(status, str):
        what, _, remedy = status.partition("\n")
        yield Check("migrations", False, what, remedy.strip() or "see pgcontract migrate status")
        return
    command = f"pgcontract migrate {{}} {wanted.path}"
    of = {state: [entry.name for entry in status.entries if entry.state == state] for state in _STATES}
    total = f"{status.executed} of {status.total} applied"
    half = of["started"] + of["undoing"]
    seen = "; ".join(
        [total]
        + [f"{what}: {_some(names)}" for what, names in (("pending", of["pending"]), ("half there", half)) if names]
    )
    on = "; then ".join(command.format(word) for word in ("down", "up") if word == "up" or of["undoing"])
    yield _check("migrations", seen, not of["pending"] and not half, on)
    clear = command.format("repair") + "".join(f" --clear {_number(name)}" for name in half[:1])
    remedy = f"correct what stopped it, and {on.partition(';')[0]} goes on from there; or forget it with {clear}"
    yield _check("unfinished migrations", _some(half), not half, remedy)
    accept = command.format("repair") + "".join(f" --accept {_number(name)}" for name in of["edited"])
    remedy = f"take the edit back and write a new migration; or {accept}, where the database has what it says"
    yield _check("edited migrations", _some(of["edited"]), not of["edited"], remedy)
    forget = command.format("repair") + "".join(f" --forget {shlex.quote(name)}" for name in of["missing"])
    remedy = f"bring the files back from version control; or forget for good what has none: {forget}"
    yield _check("missing files", _some(of["missing"]), not of["missing"], remedy)
    moved = [entry for entry in status.entries if entry.recorded_as is not None]
    keep = command.format("repair") + "".join(f" --accept {_number(entry.recorded_as or '')}" for entry in moved)
    seen = _some([f"{entry.name} (applied as {entry.recorded_as})" for entry in moved])
    yield _check("renamed files", seen, not moved, f"give them their names back; or keep the new ones: {keep}")


_STATES: Final = ("pending", "started", "undoing", "edited", "missing")


def tables(facts: Facts, wanted: Wanted) -> Check:
    """Those of the contract; without one, any."""
    there = {table.name for table in facts.tables}
    remedy = f"pgcontract migrate up {wanted.path}"
    if not there:
        return Check("tables", False, "none", remedy)
    if wanted.tables is None:
        return Check("tables", True, f"{len(there)} (there is no contract.toml to compare with)")
    missing = sorted(wanted.tables - there)
    seen = f"{len(wanted.tables) - len(missing)} of {len(wanted.tables)} of contract.toml"
    if missing:
        seen += f"; missing: {_some([str(name) for name in missing])}"
    return _check("tables", seen, not missing, f'{remedy}; pgcontract diff {wanted.path} --from "$DSN" tells all')


def indexes(facts: Facts) -> Check:
    """None that was left half made: it is written to, and never read."""
    names = [str(name) for name in facts.invalid_indexes]
    return _check("invalid indexes", _some(names), not names, f"REINDEX INDEX CONCURRENTLY {_some(names)}; or drop it")


def triggers(facts: Facts) -> Check:
    """None switched off, those that keep foreign keys among them."""
    found = list(facts.disabled_triggers)
    remedy = "ALTER TABLE ... ENABLE TRIGGER ALL, and look for rows that were written meanwhile"
    return _check("disabled triggers", _some(found), not found, remedy)


def rows(facts: Facts, wanted: Wanted) -> Check:
    """What migrations bring is there; how many rows seeded tables hold, and all others."""
    counts = {table.name.name: table for table in facts.tables}
    gone = [n for n in wanted.brought if n in counts and counts[n].rows == 0]
    parts = [f"{label}: {_counted(counts, names)}" for label, names in _groups(wanted, counts)]
    bare = [n for n in wanted.seeded if n in counts and counts[n].rows == 0]
    if wanted.seed and not any(counts[n].rows for n in wanted.seeded if n in counts):
        parts.append(f"development data is not loaded (pgcontract migrate seed {wanted.path})")
    elif wanted.seed and bare:
        parts.append(f"development data is not in {_some(bare)} (pgcontract migrate seed {wanted.path})")
    named = {*wanted.brought, *wanted.seeded}
    others = [table for table in facts.tables if table.name.name not in named and table.rows]
    parts.append(
        f"others: {_counted(counts, [table.name.name for table in others])}" if others else "no rows elsewhere"
    )
    again = "; ".join(f"INSERT INTO {quoted(name)} at {_some(wanted.brought[name])}" for name in gone)
    remedy = f"run by hand, with psql, what brought them: {again}; or restore them from a backup"
    return _check("rows", "; ".join(parts), not gone, remedy)


def settings(facts: Facts, wanted: Wanted) -> Iterator[Check]:
    """What answers depend on."""
    set_it = f"ALTER DATABASE {quoted(facts.database)} SET {{}} (and see that neither role nor client sets another)"
    zone = facts.settings.get("TimeZone", "")
    yield _check("timezone", zone, zone.lower() in _UTC, set_it.format("timezone = 'UTC'"))
    style = facts.settings.get("DateStyle", "")
    yield _check("datestyle", style, style.startswith("ISO"), set_it.format("datestyle = 'ISO, MDY'"))
    yield text_search(facts, wanted, set_it)
    strings = facts.settings.get("standard_conforming_strings", "")
    yield _check("standard strings", strings, strings == "on", set_it.format("standard_conforming_strings = on"))
    role = facts.settings.get("session_replication_role", "")
    remedy = set_it.format("session_replication_role = 'origin'")
    yield _check("triggers and foreign keys", f"fire as {role}", role == "origin", remedy)
    needed = {name.namespace for name in wanted.tables or ()} or {table.name.namespace for table in facts.tables}
    away = sorted(needed - set(facts.search_path))
    seen = ", ".join(facts.search_path) or "empty"
    path = ", ".join(quoted(name) for name in (*facts.search_path, *away))
    yield _check("search_path", seen, not away, set_it.format(f"search_path = {path}"))


def text_search(facts: Facts, wanted: Wanted, set_it: str) -> Check:
    """A search that names no configuration takes the default one: which must be that of the indexes."""
    default = facts.settings.get("default_text_search_config", "")
    unnamed = unnamed_searches({**facts.functions, **dict(wanted.queries)})
    if not unnamed:
        return Check("text search", True, f"{default}; every search names its own")
    others = [name for name in facts.searched if name.rpartition(".")[2] != default.rpartition(".")[2]]
    if not others:
        return Check("text search", True, f"{default}, as the indexes")
    remedy = f"name it in {_some(unnamed)}; or {set_it.format(f'default_text_search_config = {others[0]!r}')}"
    return Check("text search", False, f"{default}, while indexes are made with {', '.join(others)}", remedy)


def _number(migration: str) -> str:
    return migration.partition("-")[0].lstrip("0") or "0"


def _check(name: str, seen: str, ok: bool, remedy: str) -> Check:
    return Check(name, ok, seen, None if ok else remedy)


def _groups(wanted: Wanted, counts: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    for label, names in (("from migrations", wanted.brought), ("from seed.sql", wanted.seeded)):
        there = [name for name in names if name in counts]
        if there:
            yield label, there


def _counted(counts: dict[str, Table], names: Sequence[str]) -> str:
    told = []
    for name in names:
        number = counts[name].rows
        about = "about " if counts[name].estimated else ""
        told.append(f"{name} {'unreadable' if number is None else f'{about}{number:,}'}")
    return ", ".join(told)


def _names(found: Sequence[Table]) -> str:
    return _some([str(table.name) for table in found])


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def quoted(name: str) -> str:
    """A name as SQL, in quotes where it needs them."""
    return name if name.isidentifier() and name == name.lower() else '"' + name.replace('"', '""') + '"'
