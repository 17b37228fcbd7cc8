"""What is asked around the rows: is there room for them, and do the invariants hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from pgcontract.invariants.files import invariants_of
from pgcontract.model import Catalog, Name
from pgcontract.populate.amounts import PopulateError
from pgcontract.populate.room import bytes_free, bytes_needed, require_room
from pgcontract.system import System


class InvariantBroken(PopulateError):
    """The rows would break an invariant of the system: none of them is kept."""


def asking(system: System) -> Callable[[psycopg.Connection[Any]], None]:
    """Ask every invariant of a system on a connection. Raises InvariantBroken for the first that returns a row."""
    invariants = invariants_of(system)

    def ask(connection: psycopg.Connection[Any]) -> None:
        for invariant in invariants:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute("SET TRANSACTION READ ONLY")
                    cursor = connection.execute(invariant.query.encode())
                    row = cursor.fetchone()
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                raise PopulateError(
                    "An invariant cannot be asked", where=str(invariant.path), seen=str(error.diag.message_primary)
                ) from error
            if row is not None:
                names = [d.name for d in cursor.description or ()]
                raise InvariantBroken(
                    "The rows break an invariant, and none of them is kept",
                    where=str(invariant.path),
                    seen=", ".join(f"{n} = {v}" for n, v in zip(names, row, strict=True)),
                    remedy="give expressions in [populate] of system.toml",
                )

    return ask


def fits(
    connection: psycopg.Connection[Any], catalog: Catalog, most: int | None
) -> Callable[[Mapping[Name, int], Mapping[Name, float]], None]:
    """Refuse rows for which there is no room: on the server's disk, where it is in sight, or within ``most`` bytes."""

    def room(rows: Mapping[Name, int], widths: Mapping[Name, float]) -> None:
        require_room(bytes_needed(catalog, rows, widths), bytes_free(connection), most)

    return room
