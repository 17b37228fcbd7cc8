"""Strategies by the names of tables, with the values that a test or a project wants."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

import psycopg
from hypothesis import HealthCheck, Phase, find, reject, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.catalog import read_catalog
from pgcontract.errors import ServerError, UsageError
from pgcontract.model import DEFAULT_NAMESPACE, Catalog, Name, Table
from pgcontract.rows.drawing import Drawing, Planned
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import Unbuildable
from pgcontract.rows.statements import Row, Statement
from pgcontract.rows.world import Placed
from pgcontract.rows.worlds import Worlds as Planner
from pgcontract.session import Session
from pgcontract.strategies.conversion import Conversion, Unloadable
from pgcontract.strategies.world import World

Drawn = TypeVar("Drawn")
Configure: TypeAlias = Callable[[psycopg.Connection[Any]], None]
Overrides: TypeAlias = Mapping[str, object]
"""Values or strategies by ``column``, ``table.column`` or ``table``: for a table they are dictionaries of columns."""

_Given: TypeAlias = dict[Name, dict[str, object]]
_QUIETLY: Final = settings(
    database=None,
    deadline=None,
    max_examples=10,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
_MOST_PARENTS: Final = 1000
_WHOLE: Final = ""
"""Stands for a column where all of a row's columns are given at once."""


class Strategies:
    """Strategies for all tables of one database, to which nobody else writes meanwhile: rows are tried in it.

    ``overrides`` hold for all of them. ``configure`` is called with a new connection, as a pool's is: it decides what
    Python's values are. Ends with its ``with``. Not for use by two threads.
    """

    def __init__(
        self,
        dsn: str,
        *,
        overrides: Overrides | None = None,
        configure: Configure | None = None,
        catalog: Callable[[psycopg.Connection[Any]], Catalog] = read_catalog,
    ) -> None:
        """Raises ServerError where nobody answers, UsageError where ``overrides`` name what is not there."""
        with ExitStack() as opened:
            trials, conversions = (opened.enter_context(closing(_connected(dsn))) for _ in range(2))
            if configure is not None:
                configure(conversions)
            self._catalog = catalog(trials)
            self._session = Session(trials)
            self._conversion = Conversion(conversions)
            self._drawings: dict[Name, Drawing] = {}
            self._always = self._given(overrides or {}, None)
            self._opened = opened.pop_all()
        self.rows: Final = Rows(self)
        self.worlds: Final = Worlds(self)

    def close(self) -> None:
        """Close its connections."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def drawn(self, name: str, overrides: Overrides, show: Callable[[Planned], Drawn]) -> SearchStrategy[Drawn]:
        """Any row of a table."""
        drawing = self._drawing(name)
        given = self._given_for(drawing, overrides)
        free = {c: s for c, s in drawing.free.items() if c not in given.get(drawing.name, {})}
        strategies = {of: st.fixed_dictionaries({c: _strategy(v) for c, v in its.items()}) for of, its in given.items()}
        both = st.tuples(st.fixed_dictionaries({}, optional=free), st.fixed_dictionaries(strategies))

        # composite, since Hypothesis shows of what was mapped how it came about, and not what it is
        @st.composite
        def row(draw: st.DrawFn) -> Drawn:
            drawn, its = draw(both)
            return self._shown(drawing, drawn, its, show)

        return row()

    def plainest(self, name: str, overrides: Overrides, show: Callable[[Planned], Drawn]) -> Drawn:
        """The plainest row of a table; of a strategy that is given, its plainest value."""
        drawing = self._drawing(name)
        given = self._given_for(drawing, overrides)
        return self._shown(drawing, {}, {of: {c: _plain(v) for c, v in its.items()} for of, its in given.items()}, show)

    def python(self, name: Name, row: Row) -> dict[str, Any]:
        """A row's values as psycopg gives them. Raises Unloadable."""
        return self._conversion.python(self._known(name), row)

    def _shown(
        self, drawing: Drawing, drawn: Row, given: Mapping[Name, Mapping[str, Any]], show: Callable[[Planned], Drawn]
    ) -> Drawn:
        texts = {name: self._texts(name, values) for name, values in given.items()}
        try:
            planned = drawing.planned(drawn, texts.get(drawing.name, {}), texts)
            refusal = drawing.refusal(planned)
            if refusal is not None:
                raise _refused(drawing.name, refusal)
            return show(planned)
        except (Unbuildable, Unloadable, UsageError):
            if not drawn:
                raise
        return reject()

    def _texts(self, name: Name, values: Mapping[str, Any]) -> Row:
        whole = values.get(_WHOLE, {})
        if not isinstance(whole, Mapping):
            raise UsageError(
                "What is given for a table is no dictionary of columns",
                where=str(name),
                seen=type(whole).__name__,
                remedy="give fixed_dictionaries({column: strategy})",
            )
        columns = {**whole, **{column: value for column, value in values.items() if column != _WHOLE}}
        return self._conversion.text(self._known(name), columns)

    def _drawing(self, name: str) -> Drawing:
        table = self._table(name).name
        if table not in self._drawings:
            # with a planner of its own: what one has found out about keys in use would change another's rows
            self._drawings[table] = Drawing(Planner(self._catalog, self._session), table)
        return self._drawings[table]

    def _given_for(self, drawing: Drawing, overrides: Overrides) -> _Given:
        """What is given for a row and those around it."""
        here = {drawing.name, *(placed.table for placed in drawing.world.placed)}
        given = {of: dict(columns) for of, columns in self._always.items() if of in here}
        for of, columns in self._given(overrides, self._known(drawing.name)).items():
            if of not in here:
                raise UsageError(
                    "Such a row is not around this one",
                    where=str(drawing.name),
                    seen=str(of),
                    remedy=f"around it are rows of {', '.join(sorted(map(str, here - {drawing.name}))) or 'no table'}",
                )
            given[of] = {**given.get(of, {}), **columns}
        return given

    def _given(self, overrides: Overrides, table: Table | None) -> _Given:
        """What is given, by table and column. Without a ``table``, every name has its table's in front."""
        found: _Given = {}
        for key, value in overrides.items():
            of, column = self._place(key, table)
            found.setdefault(of.name, {})[column] = value
        return found

    def _place(self, key: str, table: Table | None) -> tuple[Table, str]:
        if table is not None and table.column(key) is not None:
            return table, key
        whole = self._find(key)
        if whole is not None:
            return whole, _WHOLE
        of, _, column = key.rpartition(".")
        found = table if table is not None and not of else self._table(of or key)
        if found.column(column) is None:
            raise UsageError(
                "The table has no such column",
                where=str(found.name),
                seen=column,
                remedy=f"its columns are {', '.join(c.name for c in found.columns)}",
            )
        return found, column

    def _find(self, name: str) -> Table | None:
        shown = next((table for table in self._catalog.tables if str(table.name) == name), None)
        namespace, _, plain = name.rpartition(".")
        return (
            shown or self._catalog.table(Name(DEFAULT_NAMESPACE, name)) or self._catalog.table(Name(namespace, plain))
        )

    def _table(self, name: str) -> Table:
        """The table of that name, with its schema in front where that is not public."""
        found = self._find(name)
        if found is None:
            every = [str(table.name) for table in self._catalog.tables]
            alike = difflib.get_close_matches(name, every, n=3, cutoff=0.5)
            raise UsageError("There is no such table", seen=name, remedy=f"its tables are {', '.join(alike or every)}")
        return found

    def _known(self, name: Name) -> Table:
        table = self._catalog.table(name)
        assert table is not None
        return table


def _connected(dsn: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(dsn, autocommit=True)
    except psycopg.Error as error:
        failed = type(error).__name__
    # outside of the handler: the driver's error repeats the DSN
    raise ServerError("The database cannot be reached", seen=failed, remedy="see that it runs and lets this user in")


def _refused(name: Name, refusal: Refusal) -> UsageError:
    named = filter(None, (refusal.sqlstate, refusal.constraint or refusal.column))
    return UsageError(
        "The database refuses this row", where=str(name), seen=" ".join(named), remedy="give other values"
    )


def _strategy(value: object) -> SearchStrategy[Any]:
    return value if isinstance(value, SearchStrategy) else st.just(value)


def _plain(value: object) -> object:
    return find(value, lambda _: True, settings=_QUIETLY) if isinstance(value, SearchStrategy) else value


class _ByTable(ABC, Generic[Drawn]):
    """Strategies by the names of tables. What is not given is drawn, and shrinks to what ``minimal`` gives.

    ``columns`` are values or strategies for the row's own columns; ``overrides`` the same, and for the rows around it:
    ``{"users.email": …}``, or ``{"users": fixed_dictionaries(…)}``. Raises UsageError for what is not there.
    """

    def __init__(self, strategies: Strategies) -> None:
        self._strategies = strategies

    def __call__(self, table: str, overrides: Overrides | None = None, /, **columns: object) -> SearchStrategy[Drawn]:
        """Any row that the table takes."""
        return self._strategies.drawn(table, {**(overrides or {}), **columns}, self._show)

    def minimal(self, table: str, overrides: Overrides | None = None, /, **columns: object) -> Drawn:
        """The row that a person would write; of a strategy that is given, its plainest value."""
        return self._strategies.plainest(table, {**(overrides or {}), **columns}, self._show)

    @abstractmethod
    def _show(self, planned: Planned) -> Drawn:
        """What is given out."""


class Rows(_ByTable[dict[str, Any]]):
    """Rows as dictionaries of the columns that a person would write; the values are as psycopg gives them.

    A row refers to parents that ``Worlds`` would insert before it: give their keys where yours are others.
    """

    def _show(self, planned: Planned) -> dict[str, Any]:
        return self._strategies.python(planned.table, {c: planned.row[c] for c in planned.written})


class Worlds(_ByTable[World]):
    """Rows with all the rows that they refer to, to be inserted. A parent whose key is given is not among them."""

    def __init__(self, strategies: Strategies) -> None:
        super().__init__(strategies)
        self._parents: dict[Statement, dict[str, Any]] = {}

    def _parent(self, placed: Placed) -> dict[str, Any]:
        # mostly the same ones, from one example to the next
        if placed.statement not in self._parents:
            if len(self._parents) >= _MOST_PARENTS:
                self._parents.clear()
            self._parents[placed.statement] = self._strategies.python(placed.table, placed.values)
        return dict(self._parents[placed.statement])

    def _show(self, planned: Planned) -> World:
        python = self._strategies.python
        return World(
            str(planned.table),
            python(planned.table, {c: planned.row[c] for c in planned.written}),
            tuple((str(placed.table), self._parent(placed)) for placed in planned.around),
            planned.statements,
            tuple(planned.row),
        )
