"""Histories: what was done step by step, as statements to run again, and cut down to what still breaks an invariant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pgcontract.rows.changes import Change, Insert, Update, parts, smaller, statement
from pgcontract.rows.statements import Row, Statement, Value
from pgcontract.rows.terrain import Terrain

MOST_REPLAYS = 1500
DEFERRED = Statement("SET CONSTRAINTS ALL DEFERRED")
IMMEDIATE = Statement("SET CONSTRAINTS ALL IMMEDIATE")


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction's worth of changes: deferred constraints are asked at its end."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """A savepoint, by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Back:
    """Everything since a savepoint rolled back."""

    number: int


Event = Step | Save | Back
History = tuple[Event, ...]


def rendered(history: History, *, deferrable: bool) -> list[Statement]:
    """The statements of a history. ``deferrable``: there are constraints that wait for the end of a step."""
    statements: list[Statement] = []
    for event in history:
        match event:
            case Save(number):
                statements.append(Statement(f"SAVEPOINT kept_{number}"))
            case Back(number):
                statements.append(Statement(f"ROLLBACK TO SAVEPOINT kept_{number}"))
            case Step(changes):
                several = deferrable and len(changes) > 1
                statements += [DEFERRED] if several else []
                statements += [statement(change) for change in changes]
                statements += [IMMEDIATE] if deferrable else []
    return statements


def smallest(history: History, broken: Callable[[History], bool], terrain: Terrain) -> History:
    """The shortest history found that is still ``broken``: steps, rows and columns left out, values made plain."""
    return _Search(broken, terrain).run(history)


class _Search:
    def __init__(self, broken: Callable[[History], bool], terrain: Terrain) -> None:
        self._broken = broken
        self._terrain = terrain
        self._left = MOST_REPLAYS

    def run(self, history: History) -> History:
        current = self._first(history, [_kept(history)])
        while True:
            before = current
            current = self._fewer(current)
            current = self._until(current, self._without_change)
            current = self._until(current, self._smaller)
            current = self._until(current, self._joined)
            current = self._until(current, self._plainer)
            if current == before or self._left <= 0:
                return current

    def _still(self, history: History) -> bool:
        self._left -= 1
        return self._left > 0 and self._broken(history)

    def _first(self, current: History, candidates: Sequence[History]) -> History:
        return next((one for one in candidates if one != current and self._still(one)), current)

    def _fewer(self, current: History) -> History:
        """Leave out events: large pieces first, the last ones first."""
        size = max(len(current) // 2, 1)
        while True:
            start = len(current)
            while start > 0:
                start = max(start - size, 0)
                candidate = _balanced(current[:start] + current[start + size :])
                if len(candidate) < len(current) and self._still(candidate):
                    current = candidate
                    start = min(start, len(current))
            if size == 1:
                return current
            size //= 2

    def _until(self, current: History, ways: Callable[[History], Iterator[History]]) -> History:
        """Take the first way that works, again and again.

        After one that works, those before it are not tried again: the outer loop does.
        """
        skipped = 0
        while True:
            for number, candidate in enumerate(ways(current)):
                if number >= skipped and candidate != current and self._still(candidate):
                    current, skipped = candidate, number
                    break
            else:
                return current

    @staticmethod
    def _without_change(current: History) -> Iterator[History]:
        for n in reversed(range(len(current))):
            event = current[n]
            if isinstance(event, Step) and len(event.changes) > 1:
                for m in reversed(range(len(event.changes))):
                    yield _with(current, n, event.changes[:m] + event.changes[m + 1 :])
                # statements of their own
                yield (*current[:n], *(Step((c,)) for c in event.changes), *current[n + 1 :])

    @staticmethod
    def _smaller(current: History) -> Iterator[History]:
        for n in reversed(range(len(current))):
            event = current[n]
            if isinstance(event, Step):
                for m in reversed(range(len(event.changes))):
                    for change in smaller(event.changes[m]):
                        yield _with(current, n, (*event.changes[:m], change, *event.changes[m + 1 :]))

    @staticmethod
    def _joined(current: History) -> Iterator[History]:
        """Rows of one table by one statement, where two have inserted them."""
        for n, event in enumerate(current):
            for m in range(n + 1, len(current)):
                one, other = _insert_alone(event), _insert_alone(current[m])
                if one is not None and other is not None and one.table is other.table:
                    columns = [set(row) for row in (*one.rows, *other.rows)]
                    if all(c == columns[0] for c in columns):
                        both = Step((Insert(one.table, (*one.rows, *other.rows)),))
                        yield (*current[:n], both, *current[n + 1 : m], *current[m + 1 :])
                        yield (*current[:n], *current[n + 1 : m], both, *current[m + 1 :])

    def _plainer(self, current: History) -> Iterator[History]:
        for n, event in enumerate(current):
            if isinstance(event, Step):
                for m, change in enumerate(event.changes):
                    for plain in self._plain(change, current):
                        yield _with(current, n, (*event.changes[:m], plain, *event.changes[m + 1 :]))

    def _plain(self, change: Change, current: History) -> Iterator[Change]:
        if len(parts(change)) > 1 or not isinstance(change, Insert | Update):
            return
        rows = change.rows if isinstance(change, Insert) else change.values
        for at, row in enumerate(rows):
            for column, value in row.items():
                for simple in self._simple(change, column, value, current):
                    other: tuple[Row, ...] = (*rows[:at], {**row, column: simple}, *rows[at + 1 :])
                    yield (
                        Insert(change.table, other, change.conflict)
                        if isinstance(change, Insert)
                        else Update(change.table, change.keys, other)
                    )

    def _simple(self, change: Insert | Update, column: str, value: Value, current: History) -> list[Value]:
        """Values to try in place of one, plainer ones only: what the column's first values are before it."""
        field = self._terrain.field(change.table.name)
        if field is None or column in field.shape.key_columns:
            return []
        linked = any(column in fk.columns for fk in change.table.foreign_keys)
        plain = [] if linked else [field.base.get(column), *field.pools.get(column, ())[:3]]
        if linked or column in field.lines:
            # the same as elsewhere is plainer, too
            plain += [
                row[column]
                for event in current
                if isinstance(event, Step)
                for done in event.changes
                for part in parts(done)
                if isinstance(part, Insert) and part.table is change.table
                for row in part.rows
                if column in row
            ]
        options = list(dict.fromkeys(plain))
        return options[: options.index(value)] if value in options else options


def _insert_alone(event: Event) -> Insert | None:
    if isinstance(event, Step) and len(event.changes) == 1:
        (change,) = event.changes
        if isinstance(change, Insert) and change.conflict is None:
            return change
    return None


def _with(history: History, n: int, changes: tuple[Change, ...]) -> History:
    return (*history[:n], Step(changes), *history[n + 1 :])


def _kept(history: History) -> History:
    """The history without what it rolled back itself."""
    kept: list[Event] = []
    for event in history:
        if isinstance(event, Back):
            while kept and kept[-1] != Save(event.number):
                kept.pop()
        else:
            kept.append(event)
    return tuple(event for event in kept if isinstance(event, Step))


def _balanced(history: History) -> History:
    """Without rollbacks to savepoints that are not there, and savepoints that nobody goes back to."""
    saved: set[int] = set()
    kept: list[Event] = []
    for event in history:
        if isinstance(event, Save):
            saved.add(event.number)
        if not isinstance(event, Back) or event.number in saved:
            kept.append(event)
    used = {event.number for event in kept if isinstance(event, Back)}
    return tuple(event for event in kept if not isinstance(event, Save) or event.number in used)
