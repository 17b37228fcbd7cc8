"""A new migration file: the next number, and both sections to be written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pgcontract.errors import UsageError
from pgcontract.migrations.reading import FILE_NAME, migration_paths, number_of
from pgcontract.migrations.texts import MARKER, NO_TRANSACTION

_TEMPLATE: Final = f"""-- What changes, and why.

{MARKER}
"""
_ALONE: Final = f"{NO_TRANSACTION}\n"


def create(directory: Path, name: str, *, transactional: bool = True) -> Path:
    """Write a template under the next number; spaces and underscores in the name become hyphens. Gives its path.

    Both sections are empty, which ``validate`` tells until they are written. Raises UsageError for a name that cannot
    be one, MigrationError where the folder has files of other names.
    """
    words = re.sub(r"[\s_-]+", "-", name.strip().lower()).strip("-")
    paths = migration_paths(directory)
    latest = max((number_of(path) for path in paths), default=0)
    digits = max((len(path.name.partition("-")[0]) for path in paths), default=3)
    path = directory / f"{latest + 1:0{digits}}-{words}.sql"
    if FILE_NAME.fullmatch(path.name) is None:
        raise UsageError(
            "This is no name for a migration", seen=name, remedy="use lower-case words, like add-orders-index"
        )
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(("" if transactional else _ALONE) + _TEMPLATE)
    except OSError as error:
        raise UsageError(
            "The file cannot be written", where=str(path), seen=error.strerror, remedy="check the folder's permissions"
        ) from error
    return path
