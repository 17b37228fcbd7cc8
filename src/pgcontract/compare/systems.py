"""The hot queries of two sides, on a server each, with the same rows in both, timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from pgcontract.compare.clock import Clock
from pgcontract.compare.pairing import BLOCKS, compared
from pgcontract.compare.pinning import pinned
from pgcontract.compare.prepared import Prepared
from pgcontract.compare.result import Compared, Result
from pgcontract.compare.sides import Side
from pgcontract.ephemeral import ServerChoice, ephemeral
from pgcontract.errors import UsageError
from pgcontract.execution.filling import filled
from pgcontract.execution.readiness import SETTINGS, readied
from pgcontract.execution.values import values_of
from pgcontract.queries import DEFAULT_SLOWER, Query, QueryError, queries_of, read_query
from pgcontract.signs import count

ROWS: Final = 10_000
BORROWED: Final = "A's file of this query cannot be read: B's is asked of both"
UNPINNED: Final = "client and servers could not be kept on one core, so that times vary more"

Found = Callable[[Compared], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured. ``floor`` is for queries whose header names none; ``only`` names queries, none for all."""

    rows: int = ROWS
    blocks: int = BLOCKS
    floor: float = DEFAULT_SLOWER
    only: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Database:
    """A side's database, filled."""

    dsn: str
    version: str

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """A new session on it, in which what says that it reads cannot write."""
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            for name, value in {**SETTINGS, "default_transaction_read_only": "on"}.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            yield connection

    def tidy(self) -> None:
        """Vacuum it. Raises NotReady."""
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            readied(connection)


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two sides that are ready to be timed, as often as is wanted. ``borrowed`` names queries of A that are B's."""

    a: Side
    b: Side
    effort: Effort
    of_a: Mapping[str, Query]
    of_b: Mapping[str, Query]
    borrowed: Collection[str]
    first: Database
    second: Database

    def timed(
        self, *, started: Callable[[int], None] = lambda _count: None, found: Found = lambda _compared: None
    ) -> Result:
        """Time the queries that both have, in new sessions. Raises QueryError, NotReady."""
        names = _common(self.a, self.b, self.of_a, self.of_b, self.effort.only)
        started(len(names))
        done: list[Compared] = []
        for database in (self.first, self.second):
            database.tidy()
        kept: set[tuple[bool, bool]] = set()
        # what was written and rolled back leaves dead rows behind, which those that read would have to pass
        for name in sorted(names, key=lambda n: (self.of_a[n].writes or self.of_b[n].writes, n)):
            one = self._compared(self.of_a[name], self.of_b[name], kept)
            done.append(replace(one, note=BORROWED) if name in self.borrowed and not one.note else one)
            found(done[-1])
        is_pinned = all(pinned for pinned, _ in kept)
        missing = (self.of_a.keys() - self.of_b.keys(), self.of_b.keys() - self.of_a.keys())
        only_a, only_b = ((), ()) if self.effort.only else (tuple(sorted(one)) for one in missing)
        return Result(
            self.a.label,
            self.b.label,
            tuple(done),
            paired=True,
            pinned=is_pinned,
            net=all(net for _, net in kept),
            only_a=only_a,
            only_b=only_b,
            warnings=() if is_pinned else (UNPINNED,),
            rows=self.effort.rows,
            versions=(self.first.version, self.second.version),
            system=self.b.system.name,
        )

    def _compared(self, of_a: Query, of_b: Query, kept: set[tuple[bool, bool]]) -> Compared:
        """One query; ``kept`` is told whether its sessions could be pinned, and their waiting left out."""
        floor = of_b.slower if of_b.slower != DEFAULT_SLOWER else self.effort.floor
        with self.first.session() as first, self.second.session() as second:
            values_a, values_b = dict(values_of(first, of_a)), dict(values_of(second, of_b))
        sizes = [size for size in values_a if size in values_b]
        if not sizes:
            return Compared(of_b.name, floor, note="no row gives its parameters values; ask for more --rows")
        answers: set[tuple[int, int]] = set()

        @contextmanager
        def opened() -> Iterator[tuple[Prepared, Prepared]]:
            with self.first.session() as first, self.second.session() as second, ExitStack() as stack:
                core = stack.enter_context(pinned([first, second]))
                clock_a, clock_b = (stack.enter_context(Clock(one.info.backend_pid)) for one in (first, second))
                kept.add((core is not None, clock_a.is_net and clock_b.is_net))
                a = Prepared(first, of_a, [values_a[size] for size in sizes], clock_a)
                b = Prepared(second, of_b, [values_b[size] for size in sizes], clock_b)
                yield a, b
                answers.add((a.rows, b.rows))

        pair = compared(opened, floor=floor, blocks=self.effort.blocks)
        # the time of another answer says nothing of this one's
        others = [f"{count(a, 'row')} in A, {b:,} in B" for a, b in sorted(answers) if a != b]
        return Compared(
            of_b.name,
            floor,
            pair.estimate,
            _milliseconds(pair.a),
            _milliseconds(pair.b),
            pair.blocks,
            pair.executions,
            f"not the same answer: {others[0]}" if others else "",
            alike=not others,
        )


@contextmanager
def rivals(a: Side, b: Side, effort: Effort, choice: ServerChoice) -> Iterator[Rivals]:
    """Start a server for each side, and fill it.

    Raises UsageError where they have no query in common, QueryError, ServerError, MigrationError, PopulateError.
    """
    of_b = {query.name: query for query in queries_of(b.system.queries)}
    of_a, borrowed = _queries(a, of_b)
    _common(a, b, of_a, of_b, effort.only)
    with _filled(_alike(a, b), choice, effort.rows) as first, _filled(_alike(b, a), choice, effort.rows) as second:
        yield Rivals(a, b, effort, of_a, of_b, borrowed, first, second)


def compare(
    a: Side,
    b: Side,
    effort: Effort,
    choice: ServerChoice,
    *,
    started: Callable[[int], None] = lambda _count: None,
    found: Found = lambda _compared: None,
) -> Result:
    """Time the queries that both sides have, by name; thresholds are those of B's headers.

    ``started`` is told how many there are, ``found`` each of them. Raises what ``rivals`` and ``timed`` raise.
    """
    with rivals(a, b, effort, choice) as both:
        return both.timed(started=started, found=found)


def _queries(a: Side, of_b: Mapping[str, Query]) -> tuple[dict[str, Query], set[str]]:
    """A's queries by name, and which of them are B's: an old commit may hold files of another form."""
    found, borrowed = {}, set()
    for path in [] if a.system.queries is None else sorted(a.system.queries.glob("*.sql")):
        try:
            found[path.stem] = read_query(path)
        except QueryError:
            if path.stem not in of_b:
                continue
            found[path.stem] = of_b[path.stem]
            borrowed.add(path.stem)
    return found, borrowed


def _alike(side: Side, other: Side) -> Side:
    """The side, with what the other says of its rows where it says nothing itself."""
    mine, theirs = side.system, other.system
    return replace(
        side, system=replace(mine, bench=mine.bench or theirs.bench, populate=mine.populate or theirs.populate)
    )


def _common(a: Side, b: Side, of_a: Collection[str], of_b: Collection[str], only: Collection[str]) -> list[str]:
    common = set(of_a) & set(of_b)
    if not common:
        raise UsageError(
            "The two have no hot query in common.",
            where=f"{a.label}: {count(len(of_a), 'query')}; {b.label}: {count(len(of_b), 'query')}",
            remedy="Put queries of the same file name into both systems' queries folders.",
        )
    if unknown := sorted(set(only) - common):
        raise UsageError(
            "Not both have this query.", seen=", ".join(unknown), remedy=f"Both have {', '.join(sorted(common))}."
        )
    return sorted(common & set(only) if only else common)


@contextmanager
def _filled(side: Side, choice: ServerChoice, rows: int) -> Iterator[Database]:
    """A server with one database: the side's schema, and rows that are the same for the same schema."""
    with ephemeral(side.system, replace(choice, major=side.major)) as stage, stage.clone() as clone:
        with closing(psycopg.connect(clone.dsn, autocommit=True)) as connection:
            filled(connection, side.system, stage.catalog(connection), rows)
        yield Database(clone.dsn, stage.server.version)


def _milliseconds(nanoseconds: float) -> float:
    return round(nanoseconds / 1e6, 5)
