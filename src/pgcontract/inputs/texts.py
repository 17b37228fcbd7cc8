"""A file's text, in the encoding that it says it has: dumps of old databases are not always UTF-8."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from pgcontract.errors import MigrationError
from pgcontract.migrations.reading import read_text

_ENCODING: Final = re.compile(
    rb"^\s*(?:SET\s+client_encoding\s*(?:=|TO)\s*|SET\s+NAMES\s+|\\encoding\s+)'?([\w-]+)", re.MULTILINE | re.IGNORECASE
)
# where dumps and scripts say it
_HEAD: Final = 65_536
_ARCHIVE: Final = b"PGDMP"
_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_any(path: Path) -> str:
    """The file's text, lines ending in LF: UTF-8, or what its first SET client_encoding or byte order mark says.

    Raises MigrationError: unreadable, or not in that encoding.
    """
    try:
        return read_text(path)
    except MigrationError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        content = path.read_bytes()
        if content.startswith(_ARCHIVE):
            raise MigrationError(
                "The file is an archive of pg_dump's, and no SQL",
                where=str(path),
                remedy="write it as SQL: `pg_restore --schema-only --create --file=schema.sql` ARCHIVE",
            ) from None
        said = _ENCODING.search(content[:_HEAD])
        name = "utf-16" if content.startswith(_MARKS) else _codec(said.group(1).decode()) if said else None
        if name is None:
            raise
        try:
            return content.decode(name).replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise error from None


def _codec(name: str) -> str | None:
    """Python's name of an encoding that PostgreSQL calls so."""
    plain = re.sub("[-_]", "", name.lower())
    for spelling in (plain, re.sub("^win", "cp", plain), re.sub("^latin", "latin-", plain)):
        try:
            return codecs.lookup(spelling).name
        except LookupError:
            continue
    return None
