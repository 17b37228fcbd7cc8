"""Tables filled one by one: a few rows of each in a rehearsal, where care is learned, and then all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import sql

from pgcontract.model import Catalog, Name
from pgcontract.populate.amounts import Plan, PopulateError, Step
from pgcontract.populate.known import Known
from pgcontract.populate.overrides import Overrides
from pgcontract.populate.parents import Keys
from pgcontract.populate.postponed import scans
from pgcontract.populate.recipe import CONSTANT, Kitchen, Recipe, unmade
from pgcontract.rows.statements import identifier, quote
from pgcontract.signs import count

Progress = Callable[[Name, int, int], None]
Check = Callable[[psycopg.Connection[Any]], None]

LEAST_CHUNK: Final = 100_000
MOST_CHUNK: Final = 500_000
CHUNKS: Final = 20
"""INSERTs a table: statement triggers touch each parent seldom, memory stays flat, and a progress bar moves."""
TRIED: Final = 200
"""Rows of each table that are tried before anything is done."""
MOVES: Final = 6
"""How often a table's first number is moved on where it was taken."""
WASTE: Final = 30
"""How many places may be tried for a row, where keys leave rows out."""
MANY: Final = 5000
"""So many places are tried at once for the last rows."""
CROWDED: Final = 0.6
"""Where fewer of the rows than this were new, the parents that are picked most have most of what they can have."""


@dataclass
class Kitchens:
    """Everything that was learned of the tables, and how careful to be with each."""

    catalog: Catalog
    plan: Plan
    steps: tuple[Step, ...]
    known: Mapping[Name, Known]
    overrides: Overrides
    watched: frozenset[str]
    starts: dict[Name, int]
    """The number after which each table's rows begin."""
    cautions: dict[Name, int] = field(default_factory=dict)
    read: set[Name] = field(default_factory=set)
    """Tables that somebody reads while they are filled."""

    def recipe(self, connection: psycopg.Connection[Any], keys: Keys, step: Step) -> Recipe:
        """The INSERT of one table, now that its parents are there."""
        name = step.table.name
        about = self.known[name]
        filtered = {c for clause in about.filters for c in clause.columns}
        mine = {c: e for (t, c), e in self.overrides.columns.items() if t == name}
        fks = [fk for fk in step.foreign_keys if not set(fk.columns) & set(mine)]
        parents = keys.parents(step.table, fks, self.plan.seed, zipf=self.plan.skew == "zipf", filtered=filtered)
        caution = self.cautions.get(name, 0)
        kitchen = Kitchen(
            connection,
            self.catalog,
            about,
            step,
            parents,
            self.plan.seed,
            self.starts[name],
            caution,
            self.watched,
            mine,
        )
        return kitchen.recipe()


def rehearsed(connection: psycopg.Connection[Any], kitchens: Kitchens, check: Check | None) -> dict[Name, float]:
    """Try a few rows of every table; where they are refused, be more careful with the table that it was about.

    Returns how many bytes a row takes, indexes left aside.
    """
    moves = dict.fromkeys(kitchens.starts, MOVES)
    while True:
        widths: dict[Name, float] = {}
        current: Step | None = None
        try:
            with connection.transaction(force_rollback=True):
                for current in kitchens.steps:
                    small = Step(current.table, min(current.rows, TRIED), current.foreign_keys)
                    fill(connection, kitchens, small, None, enough=0)
                    widths[current.table.name] = _width(connection, current.table.name)
                if check is not None:
                    check(connection)
        except psycopg.OperationalError:
            raise
        except (psycopg.Error, PopulateError) as error:
            assert current is not None
            name = current.table.name
            if isinstance(error, psycopg.errors.UniqueViolation) and kitchens.starts[name] and moves[name]:
                # some numbers gave no row in a run before this one, which so came further than there are rows
                moves[name] -= 1
                kitchens.starts[name] *= 2
            elif not _careful(kitchens, current, error):
                raise told(current, error) from error
        else:
            return widths


def _careful(kitchens: Kitchens, step: Step, error: Exception) -> bool:
    """Raise the caution of the table that an error is about; False where there is no more of it."""
    blamed = [s.table.name for s in kitchens.steps if s.rows]
    if isinstance(error, psycopg.Error):
        named = [n for n in blamed if n.name == error.diag.table_name]
        blamed = [*dict.fromkeys([step.table.name, *named])]
    elif step.table.name in blamed and kitchens.steps[-1] is not step:
        blamed = [step.table.name]
    raised = [n for n in blamed if kitchens.cautions.get(n, 0) < CONSTANT]
    for name in raised:
        kitchens.cautions[name] = kitchens.cautions.get(name, 0) + 1
    return bool(raised)


def told(step: Step, error: Exception) -> PopulateError:
    if isinstance(error, PopulateError):
        return error
    assert isinstance(error, psycopg.Error)
    named = error.diag.constraint_name
    return unmade(step, f"{error.sqlstate} {error.diag.message_primary}" + (f" [{named}]" if named else ""))


def _width(connection: psycopg.Connection[Any], name: Name) -> float:
    some = f"SELECT * FROM {identifier(name).as_string()} LIMIT 1000"
    row = connection.execute(
        f"SELECT COALESCE(avg(pg_column_size(t.*)), 0)::float8 FROM ({some}) AS t".encode()
    ).fetchone()
    assert row is not None
    return float(row[0])


def fill(
    connection: psycopg.Connection[Any],
    kitchens: Kitchens,
    step: Step,
    progress: Progress | None,
    *,
    enough: int,
) -> int:
    """Insert one table's rows, some at a time, until there are as many as were asked for.

    ``enough``: the least number of rows; 0 in a rehearsal, which has to find any, and leaves sequences alone.
    """
    tell = progress or (lambda *_: None)
    if not step.rows:
        return 0
    tell(step.table.name, 0, step.rows)
    keys = Keys(connection, kitchens.catalog, step.rows)
    recipe = kitchens.recipe(connection, keys, step)
    chunk = min(max(step.rows // CHUNKS, LEAST_CHUNK), MOST_CHUNK)
    done = place = idle = 0
    even = False
    while done < step.rows:
        before = scans(connection, step)
        missing = step.rows - done
        # what is left of keys that are nearly all taken is looked for among many
        search = recipe.conflicts and even and missing < MANY
        size = MANY if search else min(chunk, missing)
        if recipe.most is not None:
            size = min(size, recipe.most - place)
        if size <= 0 or idle > WASTE or place > WASTE * max(step.rows, MANY):
            if done and not enough:
                break
            raise unmade(step, f"only {done} of {count(step.rows, 'row')} have parents and keys that no other row has")
        text = recipe.insert(place + 1, place + size, even=even, missing=missing if search else None)
        cursor = connection.execute(text.encode())
        # deferred promises are looked at now, so that what waits for them does not fill the server's memory
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        if scans(connection, step) > before:
            kitchens.read.add(step.table.name)
        even = even or cursor.rowcount < size * CROWDED
        idle = 0 if cursor.rowcount else idle + 1
        done += cursor.rowcount
        place += size
        tell(step.table.name, done, step.rows)
    if enough == step.rows:
        _sequences(connection, kitchens.catalog, step, recipe)
    keys.drop()
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return done


def _sequences(connection: psycopg.Connection[Any], catalog: Catalog, step: Step, recipe: Recipe) -> None:
    """Sequences go on where the rows' numbers end."""
    for sequence in catalog.sequences:
        if (
            sequence.owned_by is not None
            and sequence.owned_by[0] == step.table.name
            and sequence.owned_by[1] in recipe.numbered
        ):
            named = quote(identifier(sequence.name).as_string())
            column = sql.Identifier(sequence.owned_by[1]).as_string()
            table = identifier(step.table.name).as_string()
            # without parameters: a name may hold what looks like the place of one
            connection.execute(f"SELECT setval({named}::regclass, max({column})) FROM {table}".encode())
