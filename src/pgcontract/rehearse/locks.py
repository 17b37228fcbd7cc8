"""Which locks a session holds on tables that existed before it began, and whom they stop."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import psycopg

from pgcontract.migrations.session import Connection
from pgcontract.model import Name

Blocked: TypeAlias = Literal["reads and writes", "writes", "nothing"]

# weakest first; reads are SELECTs, writes are INSERTs, UPDATEs, DELETEs
_STRENGTH: Final = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
_WORD: Final = re.compile(r"[A-Z][a-z]+")
_PAUSE_SECONDS: Final = 0.0005

_RELATIONS: Final = """
    SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_relation_filenode(c.oid)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v')
      AND n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema'
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
      )
"""
_HELD: Final = """
    SELECT relation, mode
    FROM pg_catalog.pg_locks
    WHERE locktype = 'relation'
      AND granted
      AND pid = %s
      AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a table that existed before: ``mode`` in SQL's words, held for ``seconds``.

    ``line`` is that of the file on which the statement begins that took it.
    """

    table: Name
    mode: str
    seconds: float
    line: int

    @property
    def blocks(self) -> Blocked:
        """What others cannot do while it is held."""
        return blocks(self.mode)

    @property
    def strength(self) -> int:
        """Its rank among PostgreSQL's table locks, from 0."""
        return _STRENGTH.index(self.mode)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view, and the number of the file that holds its rows: another file means that it was rewritten."""

    name: Name
    file: int | None


def blocks(mode: str) -> Blocked:
    """What a lock of that mode stops: see "Table-Level Locks" in PostgreSQL's manual.

    ROW EXCLUSIVE stops nothing by itself, but whoever writes the same rows waits for them.
    """
    if mode == "ACCESS EXCLUSIVE":
        return "reads and writes"
    return "writes" if _STRENGTH.index(mode) >= _STRENGTH.index("SHARE") else "nothing"


def relations(connection: Connection) -> dict[int, Relation]:
    """All tables and views by their OID, the system's and the extensions' own left out."""
    return {oid: Relation(Name(*name), file) for oid, *name, file in connection.execute(_RELATIONS)}


@dataclass
class Watch:
    """What was held when: the first and the last moment at which a lock was seen, and the statement's line."""

    existing: Mapping[int, Relation]
    _seen: dict[tuple[int, str], tuple[float, float, int]] = field(default_factory=dict)

    def see(self, held: Iterable[tuple[int, str]], *, since: float, now: float, line: int) -> None:
        """Note what a session holds; a lock that is new has been there ``since`` its statement began."""
        for oid, mode in held:
            if oid in self.existing:
                first, _, taken = self._seen.get((oid, mode), (since, now, line))
                self._seen[oid, mode] = (first, now, taken)

    def extend(self, before: float, now: float) -> None:
        """What was still held at ``before`` was held until ``now``: the COMMIT lets go of it."""
        for key, (first, last, line) in self._seen.items():
            if last == before:
                self._seen[key] = (first, now, line)

    @property
    def modes(self) -> frozenset[str]:
        """All modes that were seen, in SQL's words."""
        return frozenset(_words(mode) for _, mode in self._seen)

    def locks(self) -> tuple[Lock, ...]:
        """The strongest lock of each table, those first that block most and longest."""
        found: dict[Name, Lock] = {}
        for (oid, mode), (first, last, line) in self._seen.items():
            lock = Lock(self.existing[oid].name, _words(mode), last - first, line)
            if lock.table not in found or lock.strength > found[lock.table].strength:
                found[lock.table] = lock
        return ranked(found.values())


def ranked(locks: Iterable[Lock]) -> tuple[Lock, ...]:
    """Those first that block most and longest."""
    order = ("reads and writes", "writes", "nothing")
    return tuple(sorted(locks, key=lambda lock: (order.index(lock.blocks), -lock.seconds, lock.table)))


def held(connection: Connection, pid: int) -> list[tuple[int, str]]:
    """The table locks that a session holds now."""
    return [(oid, mode) for oid, mode in connection.execute(_HELD, (pid,))]


def strongest(*found: Collection[Lock]) -> tuple[Lock, ...]:
    """Of locks seen in several runs, the strongest of each table; of equal ones, that of the earlier run."""
    kept: dict[Name, Lock] = {}
    for lock in (lock for locks in found for lock in locks):
        if lock.table not in kept or lock.strength > kept[lock.table].strength:
            kept[lock.table] = lock
    return ranked(kept.values())


@dataclass
class Statement:
    """The line of the statement that runs now, for who looks on from another thread."""

    line: int = 0


@contextmanager
def looking_on(dsn: str, pid: int, watch: Watch) -> Iterator[Statement]:
    """Ask for a session's locks again and again, from a second session, while the first one works.

    What runs outside a transaction lets go of its locks before anybody could ask in the same session.
    """
    current, over = Statement(), threading.Event()
    with psycopg.connect(dsn, autocommit=True) as connection:
        # once, so that it is prepared when it matters
        held(connection, pid)

        def look() -> None:
            while not over.is_set():
                seen = held(connection, pid)
                now = time.perf_counter()
                watch.see(seen, since=now, now=now, line=current.line)
                over.wait(_PAUSE_SECONDS)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield current
        finally:
            over.set()
            thread.join()


def _words(mode: str) -> str:
    return " ".join(_WORD.findall(mode.removesuffix("Lock"))).upper()
