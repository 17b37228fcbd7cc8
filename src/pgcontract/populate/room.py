"""How much room rows will take, and how much there is: told before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shutil import disk_usage
from typing import Any, Final

import psycopg

from pgcontract.model import Catalog, Name, Table
from pgcontract.populate.amounts import PopulateError

ITEM: Final = 28
"""A row's header and its place in the page's list."""
ENTRY: Final = 32
"""A B-tree's entry, before what it holds."""
FILLED: Final = 0.7
"""How full a B-tree's pages are after keys came in any order."""
WORDS: Final = 1.6
"""An inverted index of texts, or of documents, beside the row."""
_LOCAL: Final = ("127.0.0.1", "::1", "localhost", "")


class NoRoom(PopulateError):
    """The rows would take more room than there is, or than was allowed."""


def bytes_needed(catalog: Catalog, rows: Mapping[Name, int], widths: Mapping[Name, float]) -> int:
    """The bytes that so many rows will take, with their indexes."""
    return sum(round(number * _a_row(catalog.table(name), widths.get(name, 0.0))) for name, number in rows.items())


def _a_row(table: Table | None, width: float) -> float:
    if table is None:
        return 0.0
    column = width / max(len(table.columns), 1)
    found = width + ITEM
    for key in table.keys:
        found += (ENTRY + max(column, 8) * len(key.columns)) / FILLED
    for index in table.indexes:
        if index.method in ("gin", "gist", "spgist"):
            found += width * WORDS
        elif index.method != "brin":
            found += (ENTRY + max(column, 8) * len(index.keys)) / FILLED
    return found


def bytes_free(connection: psycopg.Connection[Any]) -> int | None:
    """What is free where the server keeps its data; None where that cannot be seen from here."""
    host = connection.info.host
    if not (host.startswith("/") or host in _LOCAL):
        return None
    try:
        with connection.transaction():
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    if row is None:
        return None
    try:
        return disk_usage(Path(row[0])).free
    except OSError:
        # a container's server is no neighbour, although it answers on this machine
        return None


def require_room(needed: int, free: int | None, most: int | None) -> None:
    """Raise NoRoom where the rows would take more than there is, or more than was allowed."""
    if most is not None and needed > most:
        raise NoRoom(
            "The rows would take more than --max-size allows",
            seen=f"about {shown(needed)} of {shown(most)}",
            remedy="ask for fewer rows, or allow more",
        )
    if free is not None and needed > free:
        raise NoRoom(
            "The rows would not fit on the server's disk",
            seen=f"about {shown(needed)} with {shown(free)} free",
            remedy="ask for fewer rows, make room, or set PGCONTRACT_DATA to a folder with room for a server's data",
        )


def shown(size: int) -> str:
    """A size for people."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit in ("B", "kB") else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def size(text: str) -> int | None:
    """Bytes from ``20GB`` or ``500 MB``; None where it is no size."""
    units = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
    number, unit = text.strip().lower(), ""
    while number and not number[-1].isdigit():
        number, unit = number[:-1], number[-1] + unit
    unit = unit.strip()
    try:
        return round(float(number.replace("_", "")) * units[unit]) if unit in units else None
    except ValueError:
        return None
