"""A database with so many rows, spread over its tables as the system says."""

from __future__ import annotations

import math
from typing import Any, Final

import psycopg

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Name
from pgcontract.populate import Overrides, Plan, fits, populate
from pgcontract.system import FILE, System

AFTERWARDS: Final = "bench.sql"
"""A system's own SQL that makes of random rows what only some of them may be."""


def filled(connection: psycopg.Connection[Any], system: System, catalog: Catalog, rows: int) -> None:
    """Add rows: of each table the share that ``[bench]`` gives it.

    Without that: as many of every table to which no other refers, and what those refer to.
    Raises UsageError where ``[bench]`` names a table that is not there, PopulateError where rows cannot be made,
    or would not fit on the server's disk.
    """
    names = {str(table.name): table.name for table in catalog.tables if table.partition_of is None}
    for name in system.bench:
        if name not in names:
            raise UsageError(
                "[bench] names a table that is not there.",
                where=str(system.root / FILE),
                seen=name,
                remedy=f"Known are {', '.join(sorted(names))}.",
            )
    amounts: dict[Name, int] = {names[name]: math.ceil(rows * share) for name, share in system.bench.items()}
    if not amounts:
        referred = {fk.references for t in catalog.tables for fk in t.foreign_keys if fk.references != t.name}
        amounts = {name: rows for name in names.values() if name not in referred}
    overrides = Overrides.of(system.populate, catalog, str(system.root / FILE))
    populate(connection, catalog, Plan(amounts), overrides=overrides, room=fits(connection, catalog, None))
    after = system.root / AFTERWARDS
    if after.is_file():
        try:
            with connection.transaction():
                connection.execute(after.read_bytes())
        except psycopg.Error as error:
            raise UsageError(
                "What is added to the rows cannot be added.",
                where=str(after),
                seen=str(error).strip().splitlines()[0],
                remedy="Correct the SQL.",
            ) from error
