"""Rows under the schema before a migration, and what the migration does to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psycopg

from pgcontract.errors import PgContractError
from pgcontract.migrations.files import Migration
from pgcontract.model import Catalog, Name
from pgcontract.populate import NoRoom, Overrides, Plan, PopulateError, fits, populate
from pgcontract.rehearse.kept import judged, keeping
from pgcontract.rehearse.results import Failure, Filled
from pgcontract.rehearse.running import Ran, only_defines, run
from pgcontract.system import FILE, System


@dataclass(frozen=True, slots=True)
class OnRows:
    """A migration tried on rows: what is told of it, its runs, and what failed there."""

    filled: Filled
    up: Ran
    down: Ran | None
    failures: tuple[Failure, ...]


def on_rows(
    dsn: str, system: System, migration: Migration, catalog: Catalog, *, rows: int, touched: Collection[Name]
) -> OnRows:
    """Fill the tables that a migration touches, and run it and its rollback. The database is no use afterwards."""
    wanted = _wanted(catalog, system, touched if only_defines(migration) else None)
    counts, reasons = fill(dsn, system, catalog, dict.fromkeys(wanted, rows))
    with keeping(dsn, catalog) as kept:
        counts = {name: copied.rows for name, copied in kept.tables.items()} | {
            name: 0 for name in reasons if name not in kept.tables
        }
        up = run(dsn, migration)
        if up.error is not None:
            return OnRows(Filled(counts, reasons), up, None, ())
        after_up = kept.fates()
        down = run(dsn, migration, down=True) if migration.down is not None else None
        after_down = kept.fates() if down is not None and down.error is None else None
    lost, changed = judged(after_up, after_down)
    down_seconds = down.seconds if down is not None and down.error is None else None
    failures = (Failure("rows do not survive", lost),) if lost else ()
    return OnRows(Filled(counts, reasons, up.seconds, down_seconds, lost, changed), up, down, failures)


def fill(
    dsn: str, system: System, catalog: Catalog, rows: Mapping[Name, int]
) -> tuple[dict[Name, int], dict[Name, str]]:
    """Give tables rows; where that fails for all at once, each by itself. Why a table got none is in the second.

    Raises NoRoom.
    """
    if not rows:
        return {}, {}
    overrides = Overrides.of(_settings(system, catalog), catalog, str(system.root / FILE))
    with psycopg.connect(dsn) as connection:
        room = fits(connection, catalog, None)
        try:
            return dict(populate(connection, catalog, Plan(rows), overrides=overrides, room=room)), {}
        except NoRoom:
            raise
        except (PopulateError, psycopg.Error):
            # which tables it was can be seen only one by one
            connection.rollback()
        counts: dict[Name, int] = {}
        reasons: dict[Name, str] = {}
        for name, number in rows.items():
            missing = number - counts.get(name, 0)
            if missing <= 0:
                continue
            try:
                made = populate(connection, catalog, Plan({name: missing}), overrides=overrides, room=room)
            except NoRoom:
                raise
            except (PopulateError, psycopg.Error) as error:
                connection.rollback()
                reasons[name] = _first_line(error)
            else:
                for table, count in made.items():
                    counts[table] = counts.get(table, 0) + count
    return counts, reasons


def _wanted(catalog: Catalog, system: System, touched: Collection[Name] | None) -> list[Name]:
    """The tables to fill: those touched, or all; of partitions the whole; none whose rows the system counts itself."""
    wanted: dict[Name, None] = {}
    for table in catalog.tables:
        if touched is None or table.name in touched:
            while table.partition_of is not None and (whole := catalog.table(table.partition_of)) is not None:
                table = whole  # noqa: PLW2901 - climbs
            if table.foreign_server is None and not isinstance(system.populate.get(str(table.name)), int):
                wanted[table.name] = None
    return list(wanted)


def _settings(system: System, catalog: Catalog) -> dict[str, str | int]:
    """What the system says of its rows, as far as the schema has come by now."""
    tables = {str(table.name): table for table in catalog.tables}
    columns = {
        f"{name}.{column.name}"
        for name, table in tables.items()
        for column in table.columns
        if column.generated is None
    }
    return {
        key: value
        for key, value in system.populate.items()
        if key in (tables if isinstance(value, int) else columns) or key.replace('"', "") in columns
    }


def _first_line(error: Exception) -> str:
    if isinstance(error, PgContractError):
        return " ".join(part for part in (error.what, error.where, error.seen) if part)
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
