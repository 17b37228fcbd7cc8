"""Migration files: ``NNN-name.sql``, each holding `up`, a line ``-- ROLLBACK``, then `down`.

Everything that can be wrong with a file is found here, by reading, before anything is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pgcontract.migrations.reading import Source, read, sources
from pgcontract.migrations.texts import (
    asks_for_no_transaction,
    check,
    check_alone,
    marker_of,
    missing_marker,
)
from pgcontract.sql import line_of


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration. ``name`` is the file's without ``.sql``; lines end in LF, whatever the file has.

    ``down`` is None where there is nothing that could be run to undo it. ``down_line`` is the line of the file on
    which ``down`` begins; ``up`` begins on the first. Where ``transactional`` is false, its statements run one by one.
    """

    number: int
    name: str
    path: Path
    up: str
    down: str | None
    checksum: str
    down_line: int = 1
    transactional: bool = True
    blank: bool = False


def load_directory(directory: Path) -> tuple[Migration, ...]:
    """All migrations of a folder, by number. Files that do not end in ``.sql`` are none of them.

    Raises MigrationError, which names the file and the line: names and numbers that are wrong or doubled, an empty
    folder, and everything that ``parsed`` refuses.
    """
    return tuple(parsed(source) for source in sources(directory))


def load(path: Path, number: int) -> Migration:
    """One migration file. Raises MigrationError: unreadable, no marker or two, text that does not parse."""
    return parsed(read(path, number))


def load_plain(path: Path) -> Migration:
    """A single ``.sql`` file as a migration numbered 0, where a rollback section may be left out."""
    return parsed(read(path, 0), marked=False)


def parsed(source: Source, *, marked: bool = True) -> Migration:
    """The migration that a file holds; ``marked``: it must have a rollback section. Raises MigrationError."""
    path, text = source.path, source.text
    marker, statements = marker_of(path, text)
    if marker is None and marked:
        raise missing_marker(path, text)
    start, end = marker or (len(text), len(text))
    up, down = text[:start], text[end:]
    down_line = line_of(text, end)
    statements = check(path, up, 1, statements)
    undoing = check(path, down, down_line)
    alone = asks_for_no_transaction(path, text, statements[0].start if statements else None)
    if alone:
        check_alone(path, statements, 1)
        check_alone(path, undoing, down_line)
    return Migration(
        source.number,
        source.name,
        path,
        up,
        # a comment alone is an author's word that there is nothing to undo; silence is not
        down if down.strip() else None,
        source.checksum,
        down_line,
        transactional=not alone,
        blank=not statements and not down.strip(),
    )
